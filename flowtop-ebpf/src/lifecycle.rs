//! Birth, opening and end of a flow.
//!
//! A socket gets its state at birth (or by seeding), its entry when the connection is established, and loses both
//! after `tcp_destroy_sock`.

use crate::{
    account::{look, looked, refresh_received, store_unlocked, update},
    find::{self, Entry, Place},
    maps::{ADMISSION, FLOWS, SocketState, lose, socket},
    owner,
    read::{Access, Socket},
    slots,
    totals::{self, state},
    untracked,
};
use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_ktime_get_ns};
use core::{
    ptr,
    sync::atomic::{Ordering, compiler_fence},
};
use flowtop_common::{Detail, Field, FlowKey, Loss, Slot, flags};

const AF_INET6: u16 = 10;

/// `inet_sock_set_state`: raised before `sk_state` changes, mostly under the socket lock.
#[inline(always)]
pub fn state_changed<A: Access>(sk: Socket<A>, old: u32, new: u32) {
    match new {
        state::SYN_SENT => born(sk, flags::ACTIVE),
        // A socket that has sent a SYN itself comes here in a simultaneous open, and stays the active one.
        state::SYN_RECV if old != state::SYN_SENT => born(sk, flags::PASSIVE),
        _ => {
            if new == state::ESTABLISHED && A::state(sk.sk).is_none() {
                born(sk, if old == state::SYN_SENT { flags::ACTIVE } else { flags::PASSIVE });
            }
            let Some(of) = A::state(sk.sk) else { return };
            // SAFETY: the lookup succeeded.
            let of = unsafe { &mut *of };
            if of.flags & socket::HAS_FLOW == 0 {
                if new != state::ESTABLISHED {
                    return;
                }
                open(sk, of, old, 0);
            }
            if let Some(entry) = update(sk, of, old, new == state::CLOSE) {
                changed_entry(&sk, entry, old, new);
            }
        }
    }
}

/// The entry of a socket that goes from one state to another.
#[inline(always)]
fn changed_entry<A: Access>(sk: &Socket<A>, entry: Entry<'_>, old: u32, new: u32) {
    entry.slot.state = new as u8;
    let Some(detail) = find::detail(entry.number) else { return };
    // With the lock owned this is the process that connects or closes. It may be gone without any other event in its
    // context: in the tracepoint plan before Linux 6.3 nobody sees it send.
    let with_user = detail.pid == 0 && sk.sock::<u32>(Field::LockOwned) != 0;
    if old != state::CLOSE {
        look(sk, entry.slot, detail, with_user);
    } else if with_user {
        owner::note(detail);
        looked(entry.slot);
    }
}

/// `tcp_destroy_sock`: after this nothing happens to the socket any more.
#[inline(always)]
pub fn destroyed<A: Access>(sk: Socket<A>) {
    let Some(of) = A::state(sk.sk) else { return };
    // SAFETY: the lookup succeeded.
    let of = unsafe { &mut *of };
    // The application may have emptied the receive queue after a reset; nothing can have been sent since CLOSE.
    end(Some(&sk), of);
    A::forget_state(sk.sk);
}

/// A socket of `iter/tcp`: at the start one that is older than the hooks, later one that may have sent without any hook
/// having seen it. From Linux 5.15 on under the socket lock.
#[inline(always)]
pub fn visited<A: Access>(sk: Socket<A>) {
    use state::{CLOSE, LISTEN, SYN_RECV, SYN_SENT};
    let tcp_state = sk.tcp_state();
    // These have not carried anything; the hooks see what becomes of them.
    if matches!(tcp_state, LISTEN | CLOSE | SYN_SENT | SYN_RECV) {
        return;
    }
    if let Some(of) = A::state(sk.sk) {
        // SAFETY: the lookup succeeded.
        let of = unsafe { &mut *of };
        if of.flags & socket::HAS_FLOW != 0
            && let Place::Entry(entry) = find::place(of)
        {
            store_unlocked(&sk, entry.slot);
        }
    } else if let Some(of) = new_state(sk) {
        open(sk, of, tcp_state, 0);
    }
}

/// The state of a socket, a new one if need be.
#[inline(always)]
pub fn new_state<'a, A: Access>(sk: Socket<A>) -> Option<&'a mut SocketState> {
    let Some(of) = A::state_or_new(sk.sk) else {
        lose(Loss::SocketState);
        return None;
    };
    // SAFETY: the lookup succeeded.
    Some(unsafe { &mut *of })
}

/// A connection begins. The socket may have carried another one before (`connect` after `connect(AF_UNSPEC)`).
#[inline(always)]
fn born<A: Access>(sk: Socket<A>, role: u32) {
    let Some(of) = new_state(sk) else { return };
    end(None::<&Socket<A>>, of);
    of.flags = flags::BORN | role;
    of.slot = slots::NONE as u32;
    of.untracked_tx_bytes = 0;
    of.untracked_rx_bytes = 0;
}

/// Opens the flow; `sent_now` bytes of the totals are part of this event.
#[inline(never)]
pub fn open<A: Access>(sk: Socket<A>, of: &mut SocketState, tcp_state: u32, sent_now: i32) {
    // SAFETY: no arguments.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    let born = of.flags & flags::BORN != 0;
    let key = key_of(&sk, if born { now_ns } else { sk.sk as u64 });
    let sent = totals::sent(&sk, of.flags, tcp_state);
    let (received, _) = totals::received(&sk);
    of.tx_origin = sent.origin();
    of.rx_origin = received.origin();
    let (mut tx_bytes, mut rx_bytes) = (0, 0);
    if !born {
        tx_bytes = sent.bytes.wrapping_sub(if sent_now > 0 { sent_now as u64 } else { 0 });
        rx_bytes = received.bytes;
    }
    of.flags |= socket::HAS_FLOW;
    if !is_admitted(&key) {
        of.flags |= socket::IGNORED;
        return find::remember::<A>(sk.sk, None);
    }
    let (slot, detail) = match claim(of, &key) {
        Claim::Entry(slot, detail) => (slot, detail),
        Claim::Elsewhere => return,
        Claim::Full => return untracked::opened(of, &key, tx_bytes, rx_bytes),
    };
    detail.key = key;
    (detail.opened_ns, detail.cgroup_id) = (now_ns, 0);
    (detail.sent_bytes, detail.retrans_bytes, detail.retrans_segs) = (0, 0, 0);
    (detail.segs_in, detail.segs_out, detail.srtt_us_x8) = (0, 0, 0);
    (detail.pid, detail.comm) = (0, [0; 16]);
    (slot.tx_origin, slot.rx_origin) = (of.tx_origin, of.rx_origin);
    (slot.tx_bytes, slot.rx_bytes) = (tx_bytes, rx_bytes);
    (slot.base_tx_bytes, slot.base_rx_bytes) = (tx_bytes, rx_bytes);
    (slot.last_us, slot.state, slot.uses) = (0, tcp_state as u8, 0);
    slot.socket = A::number(sk.sk);
    find::remember::<A>(sk.sk, Some(of.slot));
    looked(slot);
    compiler_fence(Ordering::Release);
    // SAFETY: a field of the slot. Volatile, so that it is written last: user space looks at nothing else before.
    unsafe { ptr::write_volatile(&raw mut slot.flags, flags::byte(of.flags & ENTRY_FLAGS | flags::OPEN)) }
}

/// Whether the flow may be of interest. A function of its own, since it is long when unrolled.
#[inline(never)]
fn is_admitted(key: &FlowKey) -> bool {
    let Some(admission) = ADMISSION.get(0) else { return true };
    admission.admits(key)
}

/// What became of the attempt to get an entry.
enum Claim<'a> {
    Entry(&'a mut Slot, &'a mut Detail),
    /// Two events of a socket older than the start came here at once, with the same key, and the other was first.
    Elsewhere,
    Full,
}

#[inline(always)]
fn claim<'a>(of: &mut SocketState, key: &FlowKey) -> Claim<'a> {
    if FLOWS.insert(key, &0, BPF_NOEXIST as u64).is_err() {
        return if FLOWS.get_ptr(key).is_some() { Claim::Elsewhere } else { Claim::Full };
    }
    let number = slots::take() as u32;
    match (Entry::at(number), find::detail(number)) {
        (Some(entry), Some(detail)) if number != slots::NONE as u32 => {
            of.slot = number;
            Claim::Entry(entry.slot, detail)
        }
        _ => {
            let _ = FLOWS.remove(key);
            lose(Loss::Slot);
            Claim::Full
        }
    }
}

/// Flags of a socket's state that its entry has too.
const ENTRY_FLAGS: u32 = flags::BORN | flags::ACTIVE | flags::PASSIVE;

/// The identity of a flow, IPv4 addresses as `::ffff:a.b.c.d`.
#[inline(always)]
fn key_of<A: Access>(sk: &Socket<A>, id: u64) -> FlowKey {
    let family: u16 = sk.sock(Field::Family);
    let (local, remote) = if family == AF_INET6 {
        (sk.sock::<[u64; 2]>(Field::LocalV6), sk.sock::<[u64; 2]>(Field::RemoteV6))
    } else {
        (mapped(sk.sock(Field::LocalV4)), mapped(sk.sock(Field::RemoteV4)))
    };
    FlowKey {
        local_addr: bytes(local),
        remote_addr: bytes(remote),
        local_port: sk.sock(Field::LocalPort),
        remote_port: u16::from_be(sk.sock(Field::RemotePort)),
        family,
        pad0: 0,
        netns: sk.net(Field::NetInum),
        pad1: 0,
        id,
    }
}

#[inline(always)]
fn bytes(words: [u64; 2]) -> [u8; 16] {
    // SAFETY: integers of the same size.
    unsafe { core::mem::transmute(words) }
}

/// `::ffff:a.b.c.d` for an address in network byte order.
#[inline(always)]
fn mapped(v4: u32) -> [u64; 2] {
    [0, u64::from(u32::from_ne_bytes([0, 0, 0xff, 0xff])) | u64::from(v4) << 32]
}

/// The flow of this state, if any, has ended.
#[inline(always)]
fn end<A: Access>(sk: Option<&Socket<A>>, of: &mut SocketState) {
    if of.flags & socket::HAS_FLOW == 0 {
        return;
    }
    if of.flags & socket::UNTRACKED != 0 {
        if let Some(sk) = sk {
            untracked::received(sk, of);
        }
        return;
    }
    let Place::Entry(Entry { slot, .. }) = find::place(of) else { return };
    if let Some(sk) = sk {
        refresh_received(sk, slot);
    }
    slot.socket = 0;
    slot.state = state::CLOSE as u8;
    slot.flags |= flags::byte(flags::ENDED);
}
