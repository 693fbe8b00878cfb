//! The state of a socket, and the entry of its flow.

use crate::{
    cache, counters,
    entry::Entry,
    key,
    layout::{SharedDetail, SocketState, socket},
    maps::{ADMISSION, FLOWS, count_loss},
    read::{Access, Socket},
    slots, untracked,
};
use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_ktime_get_ns};
use core::{
    mem::transmute,
    sync::atomic::{Ordering, compiler_fence},
};
use flowtop_common::{FlowKey, Loss, flags};

/// The state of a socket, a new one if need be.
#[inline(always)]
pub fn new_state<A: Access>(sk: Socket<A>) -> Option<&'static SocketState> {
    let state = A::state_or_new(sk.sk);
    if state.is_none() {
        count_loss(Loss::SocketState);
    }
    state
}

/// Opens the flow; `sent_now` bytes of the totals are part of this event.
#[inline(never)]
pub fn open<A: Access>(sk: Socket<A>, of: &SocketState, tcp_state: u32, sent_now: i32) {
    // SAFETY: no arguments.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    let role = counters::role(&sk, of.flags.get(), tcp_state);
    let born = role & flags::BORN != 0;
    let key = key::of(&sk, if born { now_ns } else { sk.sk as u64 });
    let sent = counters::sent(&sk, role, tcp_state);
    let (received, _) = counters::received(&sk);
    let (tx_origin, rx_origin) = (sent.origin(), received.origin());
    of.tx_origin.set(tx_origin);
    of.rx_origin.set(rx_origin);
    let (mut tx_bytes, mut rx_bytes) = (0, 0);
    if !born {
        tx_bytes = sent.bytes.saturating_sub(if sent_now > 0 { sent_now as u64 } else { 0 });
        rx_bytes = received.bytes;
    }
    of.flags.set(role | socket::HAS_FLOW);
    if !is_admitted(&key) {
        of.flags.set(role | socket::HAS_FLOW | socket::IGNORED);
        return cache::insert::<A>(sk.sk, None);
    }
    let (Entry { slot, number }, detail) = match claim(of, &key) {
        Claim::Entry(entry, detail) => (entry, detail),
        Claim::Elsewhere => return,
        Claim::Full => return untracked::opened(of, &key, tx_bytes, rx_bytes),
    };
    store_key(detail, key);
    detail.opened_ns.set(now_ns);
    detail.cgroup_id.set(0);
    detail.sent_bytes.set(0);
    detail.retrans_bytes.set(0);
    detail.retrans_segs.set(0);
    detail.segs_in.set(0);
    detail.segs_out.set(0);
    detail.srtt_us_x8.set(0);
    detail.pid.set(0);
    detail.comm[0].set(0);
    detail.comm[1].set(0);
    slot.tx_origin.set(tx_origin);
    slot.rx_origin.set(rx_origin);
    slot.tx_bytes.set(tx_bytes);
    slot.rx_bytes.set(rx_bytes);
    slot.base_tx_bytes.set(tx_bytes);
    slot.base_rx_bytes.set(rx_bytes);
    slot.last_us.set(0);
    slot.state.set(tcp_state as u8);
    slot.uses.set(0);
    slot.socket.set(A::number(sk.sk));
    cache::insert::<A>(sk.sk, Some(number));
    slot.generation.increment();
    compiler_fence(Ordering::Release);
    // Last: user space reads nothing else of the slot before.
    slot.flags.set(flags::byte(role & ENTRY_FLAGS | flags::OPEN));
}

/// Flags of a socket's state that its entry has too.
const ENTRY_FLAGS: u32 = flags::BORN | flags::ACTIVE | flags::PASSIVE;

#[inline(always)]
fn store_key(detail: &SharedDetail, key: FlowKey) {
    // SAFETY: integers of the same size.
    let words = unsafe { transmute::<FlowKey, [u64; 7]>(key) };
    for (to, word) in detail.key.iter().zip(words) {
        to.set(word);
    }
}

/// Whether the flow may be of interest. A function of its own, since it is long when unrolled.
#[inline(never)]
fn is_admitted(key: &FlowKey) -> bool {
    let Some(admission) = ADMISSION.get(0) else { return true };
    admission.admits(key)
}

/// What became of the attempt to get an entry.
enum Claim {
    Entry(Entry, &'static SharedDetail),
    /// Two events of a socket older than the start came here at once, with the same key, and the other was first.
    Elsewhere,
    Full,
}

#[inline(always)]
fn claim(of: &SocketState, key: &FlowKey) -> Claim {
    if FLOWS.insert(key, &0, BPF_NOEXIST as u64).is_err() {
        return if FLOWS.get_ptr(key).is_some() { Claim::Elsewhere } else { Claim::Full };
    }
    let number = slots::allocate() as u32;
    let entry = Entry::at(number);
    match (entry, entry.and_then(Entry::detail)) {
        (Some(entry), Some(detail)) if number != slots::NONE as u32 => {
            of.slot.set(number);
            Claim::Entry(entry, detail)
        }
        _ => {
            let _ = FLOWS.remove(key);
            count_loss(Loss::Slot);
            Claim::Full
        }
    }
}
