//! Every map, and what sizes it.

use aya_ebpf::{
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, HashMap, PerCpuArray},
};
use flowtop_common::{Admission, Allocation, Detail, FlowKey, Loss, Slot, Untracked};

/// What is remembered of one socket between events.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SocketState {
    /// For a socket without an entry: bytes sent that [`UNTRACKED`] has already.
    pub untracked_tx_bytes: u64,
    /// For a socket without an entry: bytes received that [`UNTRACKED`] has already.
    pub untracked_rx_bytes: u64,
    /// `flowtop_common::flags`, and the bits in [`socket`].
    pub flags: u32,
    /// Element of [`SLOTS`] and of [`DETAILS`] with the entry, if there is one.
    pub slot: u32,
    /// Sequence number that stands for 0 bytes sent.
    pub tx_origin: u32,
    /// Sequence number that stands for 0 bytes received.
    pub rx_origin: u32,
}

/// Bits of [`SocketState::flags`] beside those of an entry.
pub mod socket {
    /// The socket has a flow, with an entry or without.
    pub const HAS_FLOW: u32 = 1 << 16;
    /// The flow table was full: the socket counts into `UNTRACKED`.
    pub const UNTRACKED: u32 = 1 << 17;
    /// The other end counts in the totals of this host.
    pub const MIRRORED: u32 = 1 << 18;
    /// The socket has a flow that is not of interest: it counts nowhere.
    pub const IGNORED: u32 = 1 << 19;
}

/// `BPF_F_MMAPABLE`: user space reads and writes the array without system calls.
const MMAPABLE: u32 = 1 << 10;

/// The flow table: which slot a flow has. Sized by `--max-flows`. User space removes a flow after it has read that the
/// flow has ended.
#[map]
pub static FLOWS: HashMap<FlowKey, u64> = HashMap::with_max_entries(1 << 17, 0);

/// The entries, as far as most events touch them. More than [`FLOWS`] can hold, since slots may be lost until user space
/// finds them (see `slots`).
#[map]
pub static SLOTS: Array<Slot> = Array::with_max_entries(1 << 17, MMAPABLE);

/// The rest of each entry, by the same number.
#[map]
pub static DETAILS: Array<Detail> = Array::with_max_entries(1 << 17, MMAPABLE);

/// Which slots are free; one element.
#[map]
pub static ALLOCATION: Array<Allocation> = Array::with_max_entries(1, MMAPABLE);

/// Slots that user space has given back, a ring. Its size is a power of two and at least that of [`SLOTS`].
#[map]
pub static FREE: Array<u64> = Array::with_max_entries(1 << 17, MMAPABLE);

/// Cache: the slot of a socket by some bits of what tells it apart (see `find`). A power of two, like [`FREE`].
#[map]
pub static SLOT_OF_SOCKET: Array<u64> = Array::with_max_entries(1, 0);

/// Which flows get an entry; one element.
#[map]
pub static ADMISSION: Array<Admission> = Array::with_max_entries(1, MMAPABLE);

/// What sockets carried that found [`FLOWS`] full.
#[map]
pub static UNTRACKED: Array<Untracked> = Array::with_max_entries(1, 0);

/// What could not be done, indexed by [`Loss`].
#[map]
pub static LOSSES: PerCpuArray<u64> = PerCpuArray::with_max_entries(Loss::COUNT as u32, 0);

/// State of sockets, kept in the sockets (`store::SOCKET`).
#[btf_map]
pub static SOCKET_STORAGE: SkStorage<SocketState> = SkStorage::new();

/// State of sockets by address (`store::HASH`). Sized by user space: room for more sockets than flows, so
/// that those without an entry are counted exactly too.
#[map]
pub static SOCKET_TABLE: HashMap<u64, SocketState> = HashMap::with_max_entries(1, 0);

/// kprobe plan: the socket of the send call that each thread is in.
#[map]
pub static CALLS: HashMap<u64, u64> = HashMap::with_max_entries(16384, 0);

/// Adds `n` to a counter in one instruction.
///
/// Rust has no atomic add for this target; the oldest BPF atomic is written by hand. On x86-64 it is a full memory
/// barrier as well, which `account::store_unlocked` relies on.
///
/// # Safety
/// `counter` comes from a successful lookup in this program, so it is aligned and stays mapped until the program ends.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, n: u64) {
    // SAFETY: as above; the instruction touches these 8 bytes only.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {n}",
            counter = in(reg) counter,
            n = in(reg) n,
            options(nostack, preserves_flags),
        );
    }
}

/// Adds 1 to a counter of 32 bits, likewise.
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub unsafe fn count(counter: *mut u32) {
    // SAFETY: as above; the instruction touches these 4 bytes only.
    unsafe {
        core::arch::asm!(
            "lock *(u32 *)({counter} + 0) += {n}",
            counter = in(reg) counter,
            n = in(reg) 1_u64,
            options(nostack, preserves_flags),
        );
    }
}

/// Counts one failure.
#[inline(always)]
pub fn lose(loss: Loss) {
    if let Some(counter) = LOSSES.get_ptr_mut(loss as u32) {
        // SAFETY: the lookup succeeded.
        unsafe { add(counter, 1) }
    }
}
