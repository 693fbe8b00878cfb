//! The system calls that have no safe interface, each behind a safe function. No policy.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

pub mod ring;

/// Sets a socket option to `value`, byte for byte.
pub fn set_option(socket: impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes from `value`, which is that long.
    let status =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets a socket option that is an `int`.
pub fn set_number(socket: impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_option(socket, level, name, &value.to_ne_bytes())
}

/// Reads a socket option into `value`; returns how many bytes the kernel wrote.
pub fn option(socket: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` bytes to `value`, which is that long.
    let status = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length)
    };
    if status == 0 { Ok(length as usize) } else { Err(io::Error::last_os_error()) }
}

/// Moves the calling thread into a network namespace of its own.
pub fn enter_new_network_namespace() -> io::Result<()> {
    // SAFETY: the table of file descriptors stays shared, which is all that the call could break.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET)? };
    Ok(())
}

/// Moves the calling thread into a mount namespace of its own.
pub fn enter_new_mount_namespace() -> io::Result<()> {
    // SAFETY: the table of file descriptors stays shared, which is all that the call could break.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS)? };
    Ok(())
}

/// Brings the loopback device of the thread's network namespace up: 127.0.0.1 and `::1` then exist.
pub fn loopback_up() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let control = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: `ifreq` is plain data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, and `request` is one that lives through the call.
    let status = unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Processes that do nothing. They end when this is dropped.
pub struct Idlers(Vec<libc::pid_t>);

impl Idlers {
    /// Starts so many.
    pub fn start(count: u32) -> io::Result<Self> {
        let mut idlers = Self(Vec::new());
        for _ in 0..count {
            // SAFETY: the child only calls what may be called between fork and exec: it waits for a signal, and dies with
            // its parent.
            match unsafe { libc::fork() } {
                -1 => return Err(io::Error::last_os_error()),
                0 => loop {
                    // SAFETY: no pointers.
                    unsafe {
                        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                        libc::pause();
                    }
                },
                pid => idlers.0.push(pid),
            }
        }
        Ok(idlers)
    }
}

impl Drop for Idlers {
    fn drop(&mut self) {
        for pid in &self.0 {
            // SAFETY: a child of ours that nobody else waits for, so the number is still its own.
            unsafe { libc::kill(*pid, libc::SIGKILL) };
        }
        for pid in &self.0 {
            // SAFETY: no status is asked for.
            unsafe { libc::waitpid(*pid, std::ptr::null_mut(), 0) };
        }
    }
}
