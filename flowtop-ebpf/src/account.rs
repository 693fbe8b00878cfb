//! An event → the flow entry of its socket, or the reserved entry. Counters in an entry are absolute and only grow.
//! Where the entry of a socket is found is in [`crate::find`], how a flow begins and ends in [`crate::lifecycle`].
//!
//! What an event seldom does is in functions of their own, out of the way: beside a stream that fills the caches, every
//! line of instructions that an event passes has to be fetched again.

use crate::{
    constants::constant,
    find::{self, Cached, Entry, Place},
    maps::{SocketState, add, count},
    owner,
    read::{Access, Socket},
    totals::{self, advance, grow, state},
    untracked,
};
use core::{
    ffi::c_void,
    hint::cold_path,
    sync::atomic::{Ordering, compiler_fence},
};
use flowtop_common::{Constant, Detail, Field, Slot};

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
    match (find::cached(sk), how) {
        (Cached::Entry(sk, entry), Sent::Locked(_)) => used_entry::<A>(sk, entry),
        (Cached::Entry(sk, entry), Sent::Unlocked(_)) => sent_unlocked_entry::<A>(sk, entry),
        (Cached::Ignored, _) => {}
        (Cached::Unknown, Sent::Locked(ret)) => used::<A>(sk, ret),
        (Cached::Unknown, Sent::Unlocked(ret)) => sent_unlocked::<A>(sk, ret),
    }
}

/// The application has, or may have, received from the socket at this address. Under the socket lock.
#[inline(always)]
pub fn received<A: Access>(sk: *const c_void) {
    match find::cached(sk) {
        Cached::Entry(sk, entry) => used_entry::<A>(sk, entry),
        Cached::Ignored => {}
        Cached::Unknown => used::<A>(sk, 0),
    }
}

/// The application has used a locked socket that the cache does not know.
#[inline(never)]
fn used<A: Access>(sk: *const c_void, ret: i32) {
    let Some(sk) = A::socket(sk) else { return };
    match find::known_or_missed(sk, ret) {
        Place::Entry(entry) => used_entry(sk, entry),
        Place::Untracked(of) => refresh_untracked(sk, of, sk.tcp_state(), false),
        Place::Nowhere => {}
    }
}

#[inline(always)]
fn used_entry<A: Access>(sk: Socket<A>, entry: Entry<'_>) {
    let tcp_state = sk.tcp_state();
    let due = owner::is_due(&sk, entry.slot);
    if due || tcp_state == state::CLOSE {
        cold_path();
        return look_locked(sk, entry, due);
    }
    let slot = entry.slot;
    slot.state = tcp_state as u8;
    advance(&mut slot.rx_bytes, totals::taken(&sk), slot.rx_origin);
    advance(&mut slot.tx_bytes, totals::handed_over(&sk, tcp_state), slot.tx_origin);
}

/// The rarer part of an event of a locked socket.
#[inline(never)]
fn look_locked<A: Access>(sk: Socket<A>, entry: Entry<'_>, due: bool) {
    refresh(&sk, entry.slot, sk.tcp_state());
    if due && let Some(detail) = find::detail(entry.number) {
        // In a softirq nobody owns the lock, and the current process is not the user.
        look(&sk, entry.slot, detail, sk.sock::<u32>(Field::LockOwned) != 0);
    }
}

/// A send call has returned on a socket that the cache does not know; other threads may be sending. After CLOSE the
/// final number is there already.
#[inline(never)]
fn sent_unlocked<A: Access>(sk: *const c_void, ret: i32) {
    let Some(sk) = A::socket(sk) else { return };
    match find::known_or_missed(sk, ret) {
        Place::Entry(entry) => sent_unlocked_entry(sk, entry),
        Place::Untracked(of) if sk.tcp_state() != state::CLOSE => untracked::sent(of, ret as u64),
        Place::Untracked(_) | Place::Nowhere => {}
    }
}

#[inline(always)]
fn sent_unlocked_entry<A: Access>(sk: Socket<A>, entry: Entry<'_>) {
    if owner::is_due(&sk, entry.slot) {
        cold_path();
        look_unlocked(sk, entry);
    } else if !is_stored_last(&sk, entry.slot, totals::advance_unlocked) {
        cold_path();
        store_again(sk, entry.slot);
    }
}

/// The rarer part of the event of a send call.
#[inline(never)]
fn look_unlocked<A: Access>(sk: Socket<A>, entry: Entry<'_>) {
    store_unlocked(&sk, entry.slot);
    if let Some(detail) = find::detail(entry.number) {
        look(&sk, entry.slot, detail, true);
    }
}

/// Brings everything up to date; the socket is locked. `tcp_state` is the state before a change, and `closing` says
/// that the change is the one to CLOSE. Returns the entry, if the socket has one.
#[inline(always)]
pub fn update<'a, A: Access>(
    sk: Socket<A>,
    of: &'a mut SocketState,
    tcp_state: u32,
    closing: bool,
) -> Option<Entry<'a>> {
    match find::place(of) {
        Place::Entry(entry) => {
            refresh(&sk, entry.slot, tcp_state);
            Some(entry)
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
#[inline(never)]
fn refresh_untracked<A: Access>(sk: Socket<A>, of: &mut SocketState, tcp_state: u32, closing: bool) {
    if tcp_state != state::CLOSE && (constant(Constant::SendLocked) != 0 || closing) {
        untracked::total_sent(&sk, of, tcp_state);
    }
    untracked::received(&sk, of);
}

/// Brings an entry up to date; the socket is locked. In state CLOSE there is only the receive queue left to empty:
/// the rest was stored by the change to it, and `tcp_disconnect` may have zeroed it since.
#[inline(always)]
fn refresh<A: Access>(sk: &Socket<A>, slot: &mut Slot, tcp_state: u32) {
    refresh_received(sk, slot);
    if tcp_state == state::CLOSE {
        return;
    }
    let sent = totals::sent(sk, u32::from(slot.flags), tcp_state);
    grow(&mut slot.tx_bytes, sent.since(slot.tx_origin));
    slot.state = tcp_state as u8;
}

/// Looks at more than the bytes: at what TCP says of its segments and, in the context of the socket's user, at who that
/// is. Not at every event: the kernel sends and repeats segments between events too, so these are never of the last
/// moment. Each is a word of its own, so it needs no lock.
#[inline(always)]
pub fn look<A: Access>(sk: &Socket<A>, slot: &mut Slot, detail: &mut Detail, with_user: bool) {
    detail.sent_bytes = sk.tcp(Field::BytesSent);
    detail.retrans_bytes = sk.tcp(Field::BytesRetrans);
    detail.retrans_segs = sk.tcp(Field::TotalRetrans);
    detail.segs_in = sk.tcp(Field::SegsIn);
    detail.segs_out = sk.tcp(Field::SegsOut);
    detail.srtt_us_x8 = sk.tcp(Field::SrttUs);
    slot.last_us = sk.tcp(Field::TcpMstamp);
    if with_user {
        owner::note(detail);
    }
    looked(slot);
}

/// The details may be others. Counted after they have been written: whoever reads the number first and finds it as it
/// was has missed nothing, and will see another one.
#[inline(always)]
pub fn looked(slot: &mut Slot) {
    compiler_fence(Ordering::Release);
    // SAFETY: part of the entry; two events may count at the same moment.
    unsafe { count(&raw mut slot.looks) }
}

/// `tcp_disconnect` zeroes `bytes_received` and moves `copied_seq`: what exceeds the former is not a count.
#[inline(always)]
pub fn refresh_received<A: Access>(sk: &Socket<A>, slot: &mut Slot) {
    let (position, bytes_received) = totals::received(sk);
    let rx_bytes = position.since(slot.rx_origin);
    if rx_bytes <= bytes_received {
        grow(&mut slot.rx_bytes, rx_bytes);
    }
}

/// Stores the bytes sent while other threads may be sending too, so that the last store has the last value.
#[inline(always)]
pub fn store_unlocked<A: Access>(sk: &Socket<A>, slot: &mut Slot) {
    for _ in 0..4 {
        if is_stored_last(sk, slot, totals::sent_unlocked) {
            break;
        }
    }
}

/// [`store_unlocked`] for whoever has not been the last one to store.
#[inline(never)]
fn store_again<A: Access>(sk: Socket<A>, slot: &mut Slot) {
    store_unlocked(&sk, slot);
}

/// Stores the bytes sent once. Whoever stores looks at `write_seq` again behind a barrier. If it has moved, the thread
/// that moved it may have stored before us, so the number has to be taken anew; if not, that thread will store after us.
#[inline(always)]
fn is_stored_last<A: Access>(
    sk: &Socket<A>,
    slot: &mut Slot,
    store: impl Fn(&Socket<A>, &mut Slot, u32),
) -> bool {
    let write_seq: u32 = sk.tcp(Field::WriteSeq);
    store(sk, slot, write_seq);
    // SAFETY: part of the entry; adding nothing is the barrier.
    unsafe { add(&raw mut slot.tx_bytes, 0) }
    sk.tcp::<u32>(Field::WriteSeq) == write_seq
}
