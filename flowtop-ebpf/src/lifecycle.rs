//! Birth and end of a flow.
//!
//! A socket gets its state at birth (or by seeding), its entry when the connection is established, and loses both
//! after `tcp_destroy_sock`.

use crate::{
    account,
    counters::state,
    entry::{Entry, Target},
    layout::{SocketState, socket},
    opening::{new_state, open},
    read::{Access, Socket},
    refresh, slots, untracked,
};
use flowtop_common::{Field, flags};

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
            if !of.has(socket::HAS_FLOW) {
                if new != state::ESTABLISHED {
                    return;
                }
                open(sk, of, old, 0);
            }
            if let Some(entry) = account::update(sk, of, old) {
                changed_entry(&sk, entry, old, new);
            }
        }
    }
}

/// The entry of a socket that goes from one state to another.
#[inline(always)]
fn changed_entry<A: Access>(sk: &Socket<A>, entry: Entry, old: u32, new: u32) {
    entry.slot.state.set(new as u8);
    let Some(detail) = entry.detail() else { return };
    // With the lock owned this is the process that connects or closes. It may be gone without any other event in its
    // context: in the tracepoint plan before Linux 6.3 no event sees it send.
    let with_user = detail.pid.get() == 0 && sk.sock::<u32>(Field::LockOwned) != 0;
    if old != state::CLOSE {
        refresh::details(sk, entry.slot, detail, with_user);
    } else if with_user {
        refresh::user(entry.slot, detail);
    }
}

/// `tcp_destroy_sock`: after this nothing happens to the socket any more.
#[inline(always)]
pub fn destroyed<A: Access>(sk: Socket<A>) {
    let Some(of) = A::state(sk.sk) else { return };
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
        if of.has(socket::HAS_FLOW)
            && let Target::Entry(entry) = Target::of(of)
        {
            refresh::store_unlocked(&sk, entry.slot);
        }
    } else if let Some(of) = new_state(sk) {
        open(sk, of, tcp_state, 0);
    }
}

/// A connection begins. The socket may have carried another one before (`connect` after `connect(AF_UNSPEC)`).
#[inline(always)]
fn born<A: Access>(sk: Socket<A>, role: u32) {
    let Some(of) = new_state(sk) else { return };
    end(None::<&Socket<A>>, of);
    of.flags.set(flags::BORN | role);
    of.slot.set(slots::NONE as u32);
    of.untracked_tx_bytes.set(0);
    of.untracked_rx_bytes.set(0);
    of.sent_in_calls.set(0);
    of.past_tcp.set(0);
}

/// The flow of this state, if any, has ended.
#[inline(always)]
fn end<A: Access>(sk: Option<&Socket<A>>, of: &'static SocketState) {
    if !of.has(socket::HAS_FLOW) {
        return;
    }
    if of.has(socket::UNTRACKED) {
        if let Some(sk) = sk {
            untracked::received(sk, of);
        }
        return;
    }
    let Target::Entry(Entry { slot, .. }) = Target::of(of) else { return };
    if let Some(sk) = sk {
        refresh::received(sk, slot);
    }
    slot.socket.set(0);
    slot.state.set(state::CLOSE as u8);
    slot.flags.set(slot.flags.get() | flags::byte(flags::ENDED));
}
