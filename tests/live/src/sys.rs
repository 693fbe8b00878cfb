//! The system calls that have no safe interface, each behind a safe function. No policy.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};

pub mod ring;
pub mod socket_map;

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

/// Lets the program that `command` starts have at most `count` files open.
pub fn limit_files(command: &mut Command, count: u64) {
    let limit = Rlimit { current: Some(count), maximum: Some(count) };
    // SAFETY: between fork and exec nothing is done but one system call, which touches no memory and takes no lock.
    unsafe { command.pre_exec(move || setrlimit(Resource::Nofile, limit).map_err(Into::into)) };
}

/// Brings the loopback device of the thread's network namespace up: 127.0.0.1 and `::1` then exist.
pub fn loopback_up() -> io::Result<()> {
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    set_device("lo", libc::SIOCSIFFLAGS, libc::__c_anonymous_ifr_ifru { ifru_flags: flags })
}

/// Gives the loopback device of the thread's network namespace another address.
pub fn add_loopback_address(address: Ipv4Addr) -> io::Result<()> {
    let family = libc::sa_family_t::try_from(libc::AF_INET).map_err(io::Error::other)?;
    let mut data = [0; 14];
    // Behind the port.
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from.cast_signed();
    }
    let address = libc::sockaddr { sa_family: family, sa_data: data };
    set_device("lo:0", libc::SIOCSIFADDR, libc::__c_anonymous_ifr_ifru { ifru_addr: address })
}

/// Changes a device of the thread's network namespace.
fn set_device(name: &str, request: libc::Ioctl, value: libc::__c_anonymous_ifr_ifru) -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let control = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut device = libc::ifreq { ifr_name: [0; libc::IFNAMSIZ], ifr_ifru: value };
    for (to, from) in device.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: these requests read an `ifreq`, and `device` is one that lives through the call.
    let status = unsafe { libc::ioctl(control.as_raw_fd(), request, &raw const device) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Processes that do nothing and have no memory of their own. They end when this is dropped.
pub struct Idlers {
    pids: Vec<libc::pid_t>,
    /// They stand on it, each on a part of its own.
    _stacks: Vec<[u128; IDLER_STACK]>,
}

/// Room for the frames of two system calls, in 16 bytes each.
const IDLER_STACK: usize = 64;

/// All that an idler does. No function of the C library that could touch what belongs to a thread: the process has the
/// parent's memory, with that of the calling thread.
extern "C" fn idle(_: *mut libc::c_void) -> libc::c_int {
    loop {
        // SAFETY: no pointers.
        unsafe {
            libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            libc::syscall(libc::SYS_ppoll, 0, 0, 0, 0, 0);
        }
    }
}

impl Idlers {
    /// Starts `count` processes that share this one's memory and sleep.
    pub fn start(count: u32) -> io::Result<Self> {
        let mut stacks = vec![[0_u128; IDLER_STACK]; count as usize];
        let mut pids = Vec::new();
        let flags = libc::CLONE_VM | libc::SIGCHLD;
        for stack in &mut stacks {
            let top = stack.as_mut_ptr_range().end.cast();
            // SAFETY: the child runs `idle` on a stack of its own, which lives until the child is gone: it
            // is in the value whose end waits for all of them.
            match unsafe { libc::clone(idle, top, flags, std::ptr::null_mut()) } {
                -1 => {
                    let error = io::Error::last_os_error();
                    drop(Self { pids, _stacks: stacks });
                    return Err(error);
                }
                pid => pids.push(pid),
            }
        }
        Ok(Self { pids, _stacks: stacks })
    }
}

impl Drop for Idlers {
    fn drop(&mut self) {
        for pid in &self.pids {
            // SAFETY: a child of ours that only this value waits for, so the number is still its own.
            unsafe { libc::kill(*pid, libc::SIGKILL) };
        }
        for pid in &self.pids {
            // SAFETY: no status is asked for.
            unsafe { libc::waitpid(*pid, std::ptr::null_mut(), 0) };
        }
    }
}
