//! The only unsafe code in user space: system calls that no library offers. Each wrapper is safe to call.
#![expect(unsafe_code, reason = "raw system calls; see the SAFETY comment of each")]

use aya_obj::generated::{bpf_attr, bpf_cmd};
use flowtop_common::{Admission, Allocation, Detail, FlowKey, Slot, flags};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::{
    io, mem,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::{Ordering, fence},
};

/// An element type of a mapped array.
///
/// # Safety
/// Any bytes are a value of the type, and it has no padding.
pub unsafe trait Element: Copy {}
// SAFETY: an integer.
unsafe impl Element for u64 {}
// SAFETY: `repr(C)` integers without padding, asserted by their sizes in `flowtop-common`.
unsafe impl Element for Slot {}
// SAFETY: as above.
unsafe impl Element for Detail {}
// SAFETY: as above.
unsafe impl Element for Allocation {}
// SAFETY: as above.
unsafe impl Element for Admission {}

/// A BPF array in our own memory (`BPF_F_MMAPABLE`, Linux 5.5). The kernel side writes it at any time, so elements are
/// copied in and out, never borrowed.
///
/// The kernel makes all pages of a mapping resident at once (`remap_vmalloc_range`), so only the beginning of a large
/// array is mapped, as far as it is in use: [`Mapped::cover`].
pub struct Mapped<T> {
    array: OwnedFd,
    start: NonNull<T>,
    len: usize,
    /// Bytes from `start` on that are the array; behind them, up to the end of the last element, is nothing.
    covered: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is its only owner.
unsafe impl<T: Element> Send for Mapped<T> {}

/// Step in which a mapping grows, in bytes.
const COVER_STEP: usize = 1 << 16;

impl<T: Element> Mapped<T> {
    /// Reserves addresses for an array of `len` elements, of which none is covered yet.
    pub fn new(array: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // The kernel rounds elements up to 8 bytes; all of ours are.
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let array = array.try_clone_to_owned()?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), len * size_of::<T>(), ProtFlags::empty(), flags) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { array, start, len, covered: 0 })
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.len
    }

    /// Maps the array up to this element, and some behind it.
    pub fn cover(&mut self, elements: usize) -> io::Result<()> {
        let all = (self.len * size_of::<T>()).next_multiple_of(rustix::param::page_size());
        let wanted = (elements.min(self.len) * size_of::<T>()).next_multiple_of(COVER_STEP).min(all);
        let Some(more @ 1..) = wanted.checked_sub(self.covered) else { return Ok(()) };
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: the addresses are part of the reservation of `new`, and nothing is there yet.
        unsafe {
            let start = self.start.as_ptr().byte_add(self.covered).cast();
            mmap(start, more, protection, flags, &self.array, self.covered as u64)?;
        }
        self.covered = wanted;
        Ok(())
    }

    fn pointer(&self, index: usize) -> *mut T {
        assert!((index + 1) * size_of::<T>() <= self.covered, "element {index} is not covered");
        // SAFETY: within the mapping.
        unsafe { self.start.as_ptr().add(index) }
    }

    /// A copy of an element. Each of its words is whole; two of them may be of different moments.
    #[must_use]
    pub fn get(&self, index: usize) -> T {
        // SAFETY: within the mapping; volatile, because the kernel side writes too.
        unsafe { self.pointer(index).read_volatile() }
    }

    /// Replaces an element.
    pub fn set(&mut self, index: usize, value: T) {
        // SAFETY: within the mapping; volatile, because the kernel side reads it.
        unsafe { self.pointer(index).write_volatile(value) }
    }
}

impl Mapped<Slot> {
    /// A copy of a slot, if a flow is open in it. What is read after this is not older.
    #[must_use]
    pub fn open(&self, index: usize) -> Option<Slot> {
        // SAFETY: a field within the mapping.
        let flags = unsafe { (&raw const (*self.pointer(index)).flags).read_volatile() };
        fence(Ordering::Acquire);
        if u32::from(flags) & flags::OPEN == 0 {
            return None;
        }
        let slot = self.get(index);
        fence(Ordering::Acquire);
        Some(slot)
    }

    /// Marks a slot as unused.
    pub fn clear_flags(&mut self, index: usize) {
        // SAFETY: a field within the mapping; the kernel side does not write to a flow that has ended.
        unsafe { (&raw mut (*self.pointer(index)).flags).write_volatile(0) }
        fence(Ordering::Release);
    }
}

impl Mapped<Allocation> {
    /// Publishes the end of the ring of free slots; what was written before is seen first.
    pub fn set_tail(&mut self, tail: u64) {
        fence(Ordering::Release);
        // SAFETY: a field within the mapping, which only we write.
        unsafe { (&raw mut (*self.pointer(0)).tail).write_volatile(tail) }
    }
}

impl Mapped<Admission> {
    /// Replaces the condition. Programs run meanwhile: as long as it is incomplete there is none.
    pub fn publish(&mut self, admission: &Admission) {
        self.set(0, Admission { checks: 0, ..*admission });
        fence(Ordering::Release);
        // SAFETY: a field within the mapping, which only we write.
        unsafe { (&raw mut (*self.pointer(0)).checks).write_volatile(admission.checks) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; nothing borrows from it. There is nothing to do about a failure.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len * size_of::<T>()) };
    }
}

/// Removes flows from the table (`BPF_MAP_DELETE_BATCH`, Linux 5.6). Keys that are not there are passed over.
pub fn delete_batch(table: BorrowedFd<'_>, mut keys: &[FlowKey]) -> io::Result<()> {
    while !keys.is_empty() {
        // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
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
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(attr), mem::size_of::<bpf_attr>()) };
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

/// Whether a signal is ignored, as `nohup` has it of SIGHUP.
#[must_use]
pub fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: plain data, all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: nothing is changed, and the kernel writes one `sigaction`.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Gives memory that has been freed back to the system: the kernel's type information is large and needed only once.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; other threads may allocate meanwhile.
    unsafe {
        libc::malloc_trim(0);
    }
}
