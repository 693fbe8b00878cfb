//! An event → the socket's state → its flow entry, or the reserved entry. Counters in an entry are absolute and only
//! grow. How a flow begins and ends is in [`crate::lifecycle`].

use crate::{
    lifecycle::known_or_missed,
    maps::{SEND_LOCKED, SLOTS, SocketState, add, socket},
    owner,
    read::{Access, Socket},
    slots,
    totals::{self, state},
    untracked,
};
use flowtop_common::{Field, Flow};

/// An event of the send side, with what the call returned.
#[derive(Clone, Copy)]
pub enum Sent {
    /// Under the socket lock.
    Locked(i32),
    /// After its release: other threads may be sending on the socket.
    Unlocked(i32),
}

/// The application has sent.
#[inline(always)]
pub fn sent<A: Access>(sk: &Socket<A>, how: Sent) {
    let (Sent::Locked(ret) | Sent::Unlocked(ret)) = how;
    let Some(of) = known_or_missed(sk, ret) else { return };
    match how {
        Sent::Locked(_) => used(sk, of),
        Sent::Unlocked(ret) => sent_unlocked(sk, of, ret),
    }
}

/// The application has, or may have, received. Under the socket lock.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>) {
    let Some(of) = known_or_missed(sk, 0) else { return };
    used(sk, of);
}

/// The application has used the locked socket.
#[inline(always)]
fn used<A: Access>(sk: &Socket<A>, of: &mut SocketState) {
    let Some(flow) = update(sk, of, sk.tcp_state(), false) else { return };
    if owner::is_due(of) {
        refresh_wire(sk, flow);
        // In a softirq nobody owns the lock, and the current process is not the user.
        if sk.sock::<u32>(Field::LockOwned) != 0 {
            owner::note(flow);
        }
    }
}

/// A send call has returned; other threads may be sending. After CLOSE the final number is there already.
#[inline(always)]
fn sent_unlocked<A: Access>(sk: &Socket<A>, of: &mut SocketState, ret: i32) {
    if sk.tcp_state() == state::CLOSE {
        return;
    }
    if of.flags & socket::UNTRACKED != 0 {
        return untracked::sent(of, ret as u64);
    }
    let Some(flow) = entry(of) else { return };
    store_unlocked(sk, of, flow);
    if owner::is_due(of) {
        refresh_wire(sk, flow);
        owner::note(flow);
    }
}

/// The entry of a socket that has one. While another event is opening it there is none yet; the next event, or the
/// end of the flow, brings what this one would have.
#[inline(always)]
pub fn entry<'a>(of: &SocketState) -> Option<&'a mut Flow> {
    if of.slot == slots::NONE as u32 {
        return None;
    }
    let slot = SLOTS.get_ptr_mut(of.slot)?;
    // SAFETY: the lookup succeeded. Others may write at the same time, each field in one store.
    Some(unsafe { &mut (*slot).flow })
}

/// Brings everything up to date; the socket is locked. `tcp_state` is the state before a change, and `closing` says
/// that the change is the one to CLOSE. Returns the entry, if the socket has one.
#[inline(always)]
pub fn update<'a, A: Access>(
    sk: &Socket<A>,
    of: &mut SocketState,
    tcp_state: u32,
    closing: bool,
) -> Option<&'a mut Flow> {
    if of.flags & socket::UNTRACKED != 0 {
        // Unlocked senders add what they have sent; the rest can be told only when they are done.
        if tcp_state != state::CLOSE && (SEND_LOCKED.load() != 0 || closing) {
            untracked::total_sent(sk, of, tcp_state);
        }
        untracked::received(sk, of);
        return None;
    }
    let flow = entry(of)?;
    refresh(sk, of, flow, tcp_state);
    Some(flow)
}

/// Brings an entry up to date; the socket is locked. In state CLOSE there is only the receive queue left to empty:
/// the rest was stored by the change to it, and `tcp_disconnect` may have zeroed it since.
#[inline(always)]
fn refresh<A: Access>(sk: &Socket<A>, of: &SocketState, flow: &mut Flow, tcp_state: u32) {
    refresh_received(sk, of, flow);
    if tcp_state == state::CLOSE {
        return;
    }
    grow(&mut flow.tx_bytes, totals::sent(sk, of, tcp_state).since(of.tx_origin));
    flow.state = tcp_state;
}

/// What TCP says of its segments; each is a word of its own, so it needs no lock. Not at every event: the kernel sends
/// and repeats segments between events too, so these are never of the last moment.
#[inline(always)]
pub fn refresh_wire<A: Access>(sk: &Socket<A>, flow: &mut Flow) {
    flow.sent_bytes = sk.tcp(Field::BytesSent);
    flow.retrans_bytes = sk.tcp(Field::BytesRetrans);
    flow.retrans_segs = sk.tcp(Field::TotalRetrans);
    flow.segs_in = sk.tcp(Field::SegsIn);
    flow.segs_out = sk.tcp(Field::SegsOut);
    flow.srtt_us_x8 = sk.tcp(Field::SrttUs);
    flow.last_us = sk.tcp(Field::TcpMstamp);
}

/// `tcp_disconnect` zeroes `bytes_received` and moves `copied_seq`: what exceeds the former is not a count.
#[inline(always)]
pub fn refresh_received<A: Access>(sk: &Socket<A>, of: &SocketState, flow: &mut Flow) {
    let (position, bytes_received) = totals::received(sk);
    let rx_bytes = position.since(of.rx_origin);
    if rx_bytes <= bytes_received {
        grow(&mut flow.rx_bytes, rx_bytes);
    }
}

#[inline(always)]
fn grow(counter: &mut u64, value: u64) {
    if value > *counter {
        *counter = value;
    }
}

/// Stores the bytes sent while other threads may be sending too, so that the last store has the last value.
///
/// Whoever stores looks at `write_seq` again behind a barrier. If it has moved, the thread that moved it may have
/// stored before us, so the number is taken anew; if not, that thread will store after us.
#[inline(always)]
pub fn store_unlocked<A: Access>(sk: &Socket<A>, of: &SocketState, flow: &mut Flow) {
    for _ in 0..4 {
        let write_seq: u32 = sk.tcp(Field::WriteSeq);
        grow(&mut flow.tx_bytes, totals::sent(sk, of, sk.tcp_state()).since(of.tx_origin));
        // SAFETY: part of the entry; adding nothing is the barrier.
        unsafe { add(&raw mut flow.tx_bytes, 0) }
        if sk.tcp::<u32>(Field::WriteSeq) == write_seq {
            break;
        }
    }
}
