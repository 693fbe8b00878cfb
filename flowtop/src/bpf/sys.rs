//! The only unsafe code in user space: system calls that no library offers. Each wrapper is safe to call.
#![expect(unsafe_code, reason = "raw system calls; see the SAFETY comment of each")]

use aya_obj::generated::{bpf_attr, bpf_cmd};
use flowtop_common::{Flow, FlowKey};
use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

/// Where a batched walk over a hash map stands. Opaque to user space; the kernel uses 4 bytes of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor(Option<[u8; 16]>);

/// What one batched lookup returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Elements at the front of the buffers that are valid.
    pub count: usize,
    /// The walk is over.
    pub last: bool,
}

/// Reads the next elements of the flow table (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6).
///
/// # Panics
/// If the buffers differ in length.
///
/// # Errors
/// `ENOSPC` if the buffers are smaller than one bucket of the table: call again with larger ones.
pub fn lookup_batch(
    table: BorrowedFd<'_>,
    cursor: &mut Cursor,
    keys: &mut [FlowKey],
    values: &mut [Flow],
) -> io::Result<Batch> {
    assert_eq!(keys.len(), values.len());
    let mut out_batch = [0u8; 16];
    // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
    let mut attr: bpf_attr = unsafe { mem::zeroed() };
    attr.batch.in_batch = cursor.0.as_ref().map_or(0, |token| token.as_ptr() as u64);
    attr.batch.out_batch = out_batch.as_mut_ptr() as u64;
    attr.batch.keys = keys.as_mut_ptr() as u64;
    attr.batch.values = values.as_mut_ptr() as u64;
    attr.batch.count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    attr.batch.map_fd = fd_number(table);
    // SAFETY: the buffers hold `count` elements of the map's key and value size (asserted for the committed object
    // by `tests/object.rs`), of types for which any bytes are a value, and live until the call returns.
    let result = unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) };
    // SAFETY: `batch` is the member in use; the kernel has written the number of elements.
    let count = unsafe { attr.batch.count } as usize;
    match result {
        Ok(()) => {
            cursor.0 = Some(out_batch);
            Ok(Batch { count, last: false })
        }
        // The table is read to its end, and the elements are valid all the same.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Batch { count, last: true }),
        Err(error) => Err(error),
    }
}

/// Removes flows from the table (`BPF_MAP_DELETE_BATCH`, Linux 5.6). Keys that are not there are passed over.
pub fn delete_batch(table: BorrowedFd<'_>, mut keys: &[FlowKey]) -> io::Result<()> {
    while !keys.is_empty() {
        // SAFETY: as in `lookup_batch`.
        let mut attr: bpf_attr = unsafe { mem::zeroed() };
        attr.batch.keys = keys.as_ptr() as u64;
        attr.batch.count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        attr.batch.map_fd = fd_number(table);
        // SAFETY: the kernel reads `count` keys of the map's key size.
        let result = unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_BATCH, &mut attr) };
        // SAFETY: `batch` is the member in use; the kernel has written how many were deleted.
        let deleted = unsafe { attr.batch.count } as usize;
        match result {
            Ok(()) => return Ok(()),
            // It stops at a key that is not there.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                keys = keys.get(deleted + 1..).unwrap_or_default();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn fd_number(fd: BorrowedFd<'_>) -> u32 {
    // A borrowed descriptor is never negative.
    fd.as_raw_fd().cast_unsigned()
}

/// # Safety
/// The addresses in `attr` fit the command.
unsafe fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<()> {
    // SAFETY: the size is that of the union; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), mem::size_of::<bpf_attr>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves the calling thread, and it alone, into a new network namespace.
pub fn enter_new_netns() -> io::Result<()> {
    // SAFETY: the flag does not unshare memory or the descriptor table.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.map_err(Into::into)
}

/// Brings the loopback device of the calling thread's network namespace up.
pub fn bring_loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: plain data, all zeros is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    // SAFETY: SIOCSIFFLAGS reads an `ifreq` with a NUL-terminated name.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives memory that has been freed back to the system: the kernel's type information is large and needed only once.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; other threads may allocate meanwhile.
    unsafe {
        libc::malloc_trim(0);
    }
}
