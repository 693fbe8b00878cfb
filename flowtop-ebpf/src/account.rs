//! An event → the flow entry of its socket, or the reserved entry.
//!
//! What an event seldom does is in functions of their own, out of the way: beside a stream that fills the caches, every
//! line of instructions that an event passes has to be fetched again.

use crate::{
    cache::{self, Cached},
    counters::{self, advance, state},
    entry::{Entry, Target},
    layout::{SocketState, socket},
    maps::count_loss,
    opening,
    read::{Access, Socket},
    redirect, refresh, slots, untracked,
};
use core::{ffi::c_void, hint::cold_path};
use flowtop_common::Loss;

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
    match (cache::lookup(sk), how) {
        (Cached::Entry(sk, entry), Sent::Locked(_)) => locked_entry::<A>(sk, entry),
        (Cached::Entry(sk, entry), Sent::Unlocked(ret)) => unlocked_entry::<A>(sk, entry, ret),
        (Cached::Ignored, _) => {}
        (Cached::Unknown, Sent::Locked(ret)) => uncached_locked::<A>(sk, ret),
        (Cached::Unknown, Sent::Unlocked(ret)) => uncached_unlocked::<A>(sk, ret),
    }
}

/// The application has, or may have, received from the socket at this address. Under the socket lock.
#[inline(always)]
pub fn received<A: Access>(sk: *const c_void) {
    match cache::lookup(sk) {
        Cached::Entry(sk, entry) => locked_entry::<A>(sk, entry),
        Cached::Ignored => {}
        Cached::Unknown => uncached_locked::<A>(sk, 0),
    }
}

#[inline(always)]
fn locked_entry<A: Access>(sk: Socket<A>, entry: Entry) {
    let tcp_state = sk.tcp_state();
    let due = refresh::is_due(&sk, entry.slot);
    if due || tcp_state == state::CLOSE {
        cold_path();
        return refresh::locked(sk, entry, due);
    }
    let slot = entry.slot;
    slot.state.set(tcp_state as u8);
    advance(&slot.rx_bytes, counters::taken_seq(&sk), slot.rx_origin.get());
    advance(&slot.tx_bytes, counters::queued_seq(&sk, tcp_state), slot.tx_origin.get());
}

#[inline(always)]
fn unlocked_entry<A: Access>(sk: Socket<A>, entry: Entry, ret: i32) {
    if refresh::is_due(&sk, entry.slot) {
        cold_path();
        refresh::unlocked(sk, entry, ret);
    } else if !refresh::is_stored_last(&sk, entry.slot, refresh::advance_unlocked) {
        cold_path();
        refresh::store_again(sk, entry.slot);
    }
}

/// The application has used a locked socket that the cache does not know.
#[inline(never)]
fn uncached_locked<A: Access>(sk: *const c_void, ret: i32) {
    let Some(sk) = A::socket(sk) else { return };
    match known_or_unseeded(sk, ret) {
        Target::Entry(entry) => locked_entry(sk, entry),
        Target::Untracked(of) => locked_untracked(sk, of, sk.tcp_state()),
        Target::Miss => {}
    }
}

/// A send call has returned on a socket that the cache does not know; other threads may be sending. After CLOSE the
/// final number is there already.
#[inline(never)]
fn uncached_unlocked<A: Access>(sk: *const c_void, ret: i32) {
    let Some(sk) = A::socket(sk) else { return };
    match known_or_unseeded(sk, ret) {
        // Bytes of this socket have gone past TCP.
        Target::Entry(entry) if entry.slot.socket.get() == 0 => refresh::unlocked(sk, entry, ret),
        Target::Entry(entry) => unlocked_entry(sk, entry, ret),
        Target::Untracked(of) => untracked::sent(&sk, of),
        Target::Miss => {}
    }
}

/// The send call of a socket in a socket map has returned. What TCP took of it has had an event of its own.
#[inline(never)]
pub fn sent_by_map<A: Access>(sk: *const c_void, ret: i32) {
    let Some(sk) = A::socket(sk) else { return };
    let Some(of) = A::state(sk.sk) else { return };
    if let Target::Entry(entry) = Target::of(of) {
        refresh::store_unlocked(&sk, entry.slot);
        redirect::sent(&sk, of, entry.slot, ret);
    }
}

/// The target of a socket that an event is about and that the cache does not know. A socket without a state is older than
/// the start and was missed by seeding: it counts from here on, with what the call at hand has sent. A call on a socket
/// that is not connected has no flow.
#[inline(always)]
fn known_or_unseeded<A: Access>(sk: Socket<A>, ret: i32) -> Target {
    let Some(of) = state_or_unseeded(sk, ret) else { return Target::Miss };
    let number = of.slot.get();
    if of.has(socket::IGNORED) {
        cache::insert::<A>(sk.sk, None);
    } else if number != slots::NONE as u32 {
        cache::insert::<A>(sk.sk, Some(number));
    }
    Target::of(of)
}

#[inline(always)]
fn state_or_unseeded<A: Access>(sk: Socket<A>, ret: i32) -> Option<&'static SocketState> {
    let known = A::state(sk.sk);
    if let Some(of) = known
        && of.has(socket::HAS_FLOW)
    {
        return Some(of);
    }
    let tcp_state = sk.tcp_state();
    // In SYN_SENT only a Fast Open sends, and before it the sequence numbers may not be set.
    if matches!(tcp_state, state::CLOSE | state::LISTEN) || tcp_state == state::SYN_SENT && ret <= 0 {
        return None;
    }
    if known.is_none() {
        count_loss(Loss::Unseeded);
    }
    let of = opening::new_state(sk)?;
    opening::open(sk, of, tcp_state, ret);
    Some(of)
}

/// Brings everything up to date; the socket is locked. `tcp_state` is the state before a change. Returns the entry, if the
/// socket has one.
#[inline(always)]
pub fn update<A: Access>(sk: Socket<A>, of: &'static SocketState, tcp_state: u32) -> Option<Entry> {
    match Target::of(of) {
        Target::Entry(entry) => {
            refresh::bytes(&sk, entry.slot, tcp_state);
            Some(entry)
        }
        Target::Untracked(of) => {
            locked_untracked(sk, of, tcp_state);
            None
        }
        Target::Miss => None,
    }
}

/// A locked socket without an entry.
#[inline(never)]
fn locked_untracked<A: Access>(sk: Socket<A>, of: &SocketState, tcp_state: u32) {
    untracked::sent_before(&sk, of, tcp_state);
    untracked::received(&sk, of);
}
