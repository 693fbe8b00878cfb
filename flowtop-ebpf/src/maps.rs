//! Every map, and what sizes it.

use crate::{
    layout::{SharedAllocation, SharedDetail, SharedSlot, SharedUntracked, SocketState},
    shared::{Shared, add},
};
use aya_ebpf::{
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, HashMap, PerCpuArray},
};
use flowtop_common::{Admission, FlowKey, Loss};

/// `BPF_F_MMAPABLE`: user space reads and writes the array without system calls.
const MMAPABLE: u32 = 1 << 10;

/// The flow table: which slot a flow has. Sized by `--max-flows`. User space removes a flow after it has read that the
/// flow has ended.
#[map]
pub static FLOWS: HashMap<FlowKey, u64> = HashMap::with_max_entries(1 << 17, 0);

/// The entries, as far as most events touch them. More than [`FLOWS`] can hold, since slots may be lost until user space
/// finds them (see `slots`).
#[map]
pub static SLOTS: Array<SharedSlot> = Array::with_max_entries(1 << 17, MMAPABLE);

/// The rest of each entry, by the same number.
#[map]
pub static DETAILS: Array<SharedDetail> = Array::with_max_entries(1 << 17, MMAPABLE);

/// Which slots are free; one element.
#[map]
pub static ALLOCATION: Array<SharedAllocation> = Array::with_max_entries(1, MMAPABLE);

/// Slots that user space has given back, a ring. Its size is a power of two and at least that of [`SLOTS`].
#[map]
pub static FREE: Array<Shared<u64>> = Array::with_max_entries(1 << 17, MMAPABLE);

/// Cache: the slot of a socket by some bits of what tells it apart (see `cache`). A power of two, like [`FREE`].
#[map]
pub static SLOT_OF_SOCKET: Array<Shared<u64>> = Array::with_max_entries(1, 0);

/// Which flows get an entry; one element. User space writes the rest of it only while `checks` is 0.
#[map]
pub static ADMISSION: Array<Admission> = Array::with_max_entries(1, MMAPABLE);

/// What sockets carried that found [`FLOWS`] full.
#[map]
pub static UNTRACKED: Array<SharedUntracked> = Array::with_max_entries(1, 0);

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

/// Counts one thing that could not be done.
#[inline(always)]
pub fn count_loss(loss: Loss) {
    add_loss(loss, 1);
}

/// Counts `n` of what could not be done.
#[inline(always)]
pub fn add_loss(loss: Loss, n: u64) {
    if let Some(counter) = LOSSES.get_ptr_mut(loss as u32) {
        // SAFETY: the lookup succeeded.
        unsafe { add(counter, n) }
    }
}
