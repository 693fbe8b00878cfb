//! An event → the flow entry of its socket, or the reserved entry. Counters in an entry are absolute and only grow.
//! Where the entry of a socket is found is in [`crate::find`], how a flow begins and ends in [`crate::lifecycle`].

use crate::{
    constants::constant,
    find::{self, Cached, Place},
    maps::{SocketState, add},
    owner,
    read::{Access, Socket},
    totals::{self, advance, grow, state},
    untracked,
};
use core::ffi::c_void;
use flowtop_common::{Constant, Field, Flow, Slot};

/// An event of the send side, with what the call returned.
#[derive(Clone, Copy)]
pub enum Sent {
    /// Under the socket lock.
    Locked(i32),
    /// After its release: other threads may be sending on the socket.
    Unlocked(i32),
}

/// The application has sent on the socket at this address.
#[inline(always)]
pub fn sent<A: Access>(sk: *const c_void, how: Sent) {
    match (A::cached(sk), how) {
        (Cached::Slot((sk, slot)), Sent::Locked(_)) => used_slot(&sk, slot),
        (Cached::Slot((sk, slot)), Sent::Unlocked(_)) => sent_unlocked_slot(&sk, slot),
        (Cached::Ignored, _) => {}
        (Cached::Unknown, _) => {
            let Some(sk) = A::socket(sk) else { return };
            match how {
                Sent::Locked(ret) => used(&sk, find::known_or_missed(&sk, ret)),
                Sent::Unlocked(ret) => sent_unlocked(&sk, find::known_or_missed(&sk, ret), ret),
            }
        }
    }
}

/// The application has, or may have, received from the socket at this address. Under the socket lock.
#[inline(always)]
pub fn received<A: Access>(sk: *const c_void) {
    match A::cached(sk) {
        Cached::Slot((sk, slot)) => used_slot(&sk, slot),
        Cached::Ignored => {}
        Cached::Unknown => {
            let Some(sk) = A::socket(sk) else { return };
            used(&sk, find::known_or_missed(&sk, 0));
        }
    }
}

/// The application has used the locked socket.
#[inline(always)]
fn used<A: Access>(sk: &Socket<A>, place: Place<'_>) {
    match place {
        Place::Slot(slot) => used_slot(sk, slot),
        Place::Untracked(of) => refresh_untracked(sk, of, sk.tcp_state(), false),
        Place::Nowhere => {}
    }
}

#[inline(always)]
fn used_slot<A: Access>(sk: &Socket<A>, slot: &mut Slot) {
    let tcp_state = sk.tcp_state();
    let due = owner::is_due(sk, &mut slot.flow);
    if due || tcp_state == state::CLOSE {
        refresh(sk, slot, tcp_state);
    } else {
        slot.flow.state = tcp_state;
        advance(&mut slot.flow.rx_bytes, totals::taken(sk), slot.rx_origin);
        advance(&mut slot.flow.tx_bytes, totals::handed_over(sk, tcp_state), slot.tx_origin);
    }
    if due {
        refresh_wire(sk, &mut slot.flow);
        // In a softirq nobody owns the lock, and the current process is not the user.
        if sk.sock::<u32>(Field::LockOwned) != 0 {
            owner::note(&mut slot.flow);
        }
    }
}

/// A send call has returned; other threads may be sending. After CLOSE the final number is there already.
#[inline(always)]
fn sent_unlocked<A: Access>(sk: &Socket<A>, place: Place<'_>, ret: i32) {
    match place {
        Place::Slot(slot) => sent_unlocked_slot(sk, slot),
        Place::Untracked(of) if sk.tcp_state() != state::CLOSE => untracked::sent(of, ret as u64),
        Place::Untracked(_) | Place::Nowhere => {}
    }
}

#[inline(always)]
fn sent_unlocked_slot<A: Access>(sk: &Socket<A>, slot: &mut Slot) {
    if owner::is_due(sk, &mut slot.flow) {
        store_unlocked(sk, slot, totals::sent_unlocked);
        refresh_wire(sk, &mut slot.flow);
        owner::note(&mut slot.flow);
    } else {
        store_unlocked(sk, slot, totals::advance_unlocked);
    }
}

/// Brings everything up to date; the socket is locked. `tcp_state` is the state before a change, and `closing` says
/// that the change is the one to CLOSE. Returns the entry, if the socket has one.
#[inline(always)]
pub fn update<'a, A: Access>(
    sk: &Socket<A>,
    of: &'a mut SocketState,
    tcp_state: u32,
    closing: bool,
) -> Option<&'a mut Slot> {
    match find::place(of) {
        Place::Slot(slot) => {
            refresh(sk, slot, tcp_state);
            Some(slot)
        }
        Place::Untracked(of) => {
            refresh_untracked(sk, of, tcp_state, closing);
            None
        }
        Place::Nowhere => None,
    }
}

/// A locked socket without an entry. Unlocked senders add what they have sent; the rest can be told only when they are
/// done.
#[inline(always)]
fn refresh_untracked<A: Access>(sk: &Socket<A>, of: &mut SocketState, tcp_state: u32, closing: bool) {
    if tcp_state != state::CLOSE && (constant(Constant::SendLocked) != 0 || closing) {
        untracked::total_sent(sk, of, tcp_state);
    }
    untracked::received(sk, of);
}

/// Brings an entry up to date; the socket is locked. In state CLOSE there is only the receive queue left to empty:
/// the rest was stored by the change to it, and `tcp_disconnect` may have zeroed it since.
#[inline(always)]
fn refresh<A: Access>(sk: &Socket<A>, slot: &mut Slot, tcp_state: u32) {
    refresh_received(sk, slot);
    if tcp_state == state::CLOSE {
        return;
    }
    let sent = totals::sent(sk, slot.flow.flags, tcp_state);
    grow(&mut slot.flow.tx_bytes, sent.since(slot.tx_origin));
    slot.flow.state = tcp_state;
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
pub fn refresh_received<A: Access>(sk: &Socket<A>, slot: &mut Slot) {
    let (position, bytes_received) = totals::received(sk);
    let rx_bytes = position.since(slot.rx_origin);
    if rx_bytes <= bytes_received {
        grow(&mut slot.flow.rx_bytes, rx_bytes);
    }
}

/// Stores the bytes sent while other threads may be sending too, so that the last store has the last value.
///
/// Whoever stores looks at `write_seq` again behind a barrier. If it has moved, the thread that moved it may have
/// stored before us, so the number is taken anew; if not, that thread will store after us.
#[inline(always)]
pub fn store_unlocked<A: Access>(
    sk: &Socket<A>,
    slot: &mut Slot,
    store: impl Fn(&Socket<A>, &mut Slot, u32),
) {
    for _ in 0..4 {
        let write_seq: u32 = sk.tcp(Field::WriteSeq);
        store(sk, slot, write_seq);
        // SAFETY: part of the entry; adding nothing is the barrier.
        unsafe { add(&raw mut slot.flow.tx_bytes, 0) }
        if sk.tcp::<u32>(Field::WriteSeq) == write_seq {
            break;
        }
    }
}
