//! The smallest io_uring that can send and receive: one operation at a time, submitted and waited for in one call.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io_uring::{
    IORING_OFF_CQ_RING, IORING_OFF_SQ_RING, IORING_OFF_SQES, IoringEnterFlags, IoringOp, io_uring_cqe,
    io_uring_enter, io_uring_params, io_uring_ptr, io_uring_setup, io_uring_sqe,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Submission queue, completion queue and the descriptor that ties them together.
pub struct Ring {
    fd: OwnedFd,
    submissions: Mapping,
    entries: Mapping,
    completions: Mapping,
    params: io_uring_params,
}

impl Ring {
    /// Sets up a ring for one operation at a time.
    pub fn new() -> io::Result<Self> {
        let mut params = io_uring_params::default();
        // SAFETY: `params` asks for no shared worker queue, so no foreign descriptor is taken over.
        let fd = unsafe { io_uring_setup(1, &mut params)? };
        let submission_bytes = params.sq_off.array as usize + size_of::<u32>();
        let entry_count = params.cq_entries as usize;
        let completion_bytes = params.cq_off.cqes as usize + entry_count * size_of::<io_uring_cqe>();
        Ok(Self {
            submissions: Mapping::of(&fd, submission_bytes, IORING_OFF_SQ_RING)?,
            entries: Mapping::of(&fd, size_of::<io_uring_sqe>(), IORING_OFF_SQES)?,
            completions: Mapping::of(&fd, completion_bytes, IORING_OFF_CQ_RING)?,
            fd,
            params,
        })
    }

    /// Sends from `bytes`; returns how many the kernel took.
    pub fn send(&mut self, socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
        self.run(IoringOp::Send, socket, bytes.as_ptr().cast_mut(), bytes.len())
    }

    /// Receives into `buffer`; returns how many bytes came.
    pub fn receive(&mut self, socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
        self.run(IoringOp::Recv, socket, buffer.as_mut_ptr(), buffer.len())
    }

    /// Submits one operation on `length` bytes at `address` and waits for its end. The callers hold the buffer
    /// borrowed meanwhile, for writing where the operation writes.
    fn run(
        &mut self,
        opcode: IoringOp,
        socket: impl AsFd,
        address: *mut u8,
        length: usize,
    ) -> io::Result<usize> {
        let mut entry = io_uring_sqe { opcode, fd: socket.as_fd().as_raw_fd(), ..io_uring_sqe::default() };
        entry.addr_or_splice_off_in.addr = io_uring_ptr::new(address.cast());
        entry.len.len = u32::try_from(length).map_err(io::Error::other)?;
        // SAFETY: the mapping holds one entry, aligned to its page, and the kernel reads it only in `enter`.
        unsafe { self.entries.at::<io_uring_sqe>(0).write(entry) };
        // SAFETY: `array` is the offset at which the kernel put the index of the first submission.
        unsafe { self.submissions.at::<u32>(self.params.sq_off.array).write(0) };
        self.submissions.counter(self.params.sq_off.tail).fetch_add(1, Ordering::Release);
        // SAFETY: the one submitted operation points to a buffer that is borrowed until it has completed.
        unsafe { io_uring_enter(&self.fd, 1, 1, IoringEnterFlags::GETEVENTS)? };
        self.completed()
    }

    /// Takes the only completion off the ring: the result of the request.
    fn completed(&mut self) -> io::Result<usize> {
        let head = self.completions.counter(self.params.cq_off.head);
        let tail = self.completions.counter(self.params.cq_off.tail).load(Ordering::Acquire);
        let position = head.load(Ordering::Relaxed);
        if position == tail {
            return Err(io::Error::other("io_uring returned without a completion"));
        }
        let slot = position & (self.params.cq_entries - 1);
        let entry_bytes = u32::try_from(size_of::<io_uring_cqe>()).map_err(io::Error::other)?;
        let entry = self.completions.at::<io_uring_cqe>(self.params.cq_off.cqes + slot * entry_bytes);
        // SAFETY: slots between head and tail hold completions that the kernel has finished writing.
        let result = unsafe { (*entry).res };
        head.store(position.wrapping_add(1), Ordering::Release);
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }
}

/// Memory shared with the kernel, unmapped when dropped.
struct Mapping {
    start: *mut c_void,
    bytes: usize,
}

impl Mapping {
    fn of(fd: &OwnedFd, bytes: usize, offset: u64) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the place, so no existing mapping is replaced.
        let start = unsafe {
            mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED | MapFlags::POPULATE, fd, offset)?
        };
        Ok(Self { start, bytes })
    }

    fn at<T>(&self, offset: u32) -> *mut T {
        debug_assert!(offset as usize + size_of::<T>() <= self.bytes);
        self.start.cast::<u8>().wrapping_add(offset as usize).cast()
    }

    fn counter(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: head and tail are aligned 32-bit words inside the mapping, which lives as long as the reference,
        // and both sides access them atomically.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this start and size, and nothing refers to it any more. An error would
        // leave it mapped until the process ends.
        unsafe { munmap(self.start, self.bytes).ok() };
    }
}
