//! An entry, brought up to date from its socket. Counters in an entry are absolute and only grow.

use crate::{
    constants::constant,
    counters::{self, raise, state},
    entry::Entry,
    layout::{SharedDetail, SharedSlot},
    owner,
    read::{Access, Socket},
    redirect,
};
use flowtop_common::{Constant, Field};

/// Uses of a socket that each refresh the details: it may pass from the process that accepted it to the one that serves
/// it.
const FIRST_USES: u8 = 16;

/// Whether the details are due. They cost more than all the counting, so they are taken at the first uses, and then
/// again when TCP's clock of the socket says that the last time is long ago.
#[inline(always)]
pub fn is_due<A: Access>(sk: &Socket<A>, slot: &SharedSlot) -> bool {
    let uses = slot.uses.get();
    if uses < FIRST_USES {
        slot.uses.set(uses + 1);
        return true;
    }
    sk.tcp::<u64>(Field::TcpMstamp).wrapping_sub(slot.last_us.get()) >= constant(Constant::RefreshUs)
}

/// The next use of the socket refreshes the details, and with them the process that it is of.
#[inline(always)]
pub fn user_is_due(slot: &SharedSlot) {
    slot.uses.set(FIRST_USES - 1);
}

/// Brings the bytes up to date; the socket is locked. In state CLOSE there is only the receive queue left to empty: the
/// rest was stored by the change to it, and `tcp_disconnect` may have zeroed it since.
#[inline(always)]
pub fn bytes<A: Access>(sk: &Socket<A>, slot: &SharedSlot, tcp_state: u32) {
    received(sk, slot);
    if tcp_state == state::CLOSE {
        return;
    }
    let sent = counters::sent(sk, u32::from(slot.flags.get()), tcp_state);
    raise(&slot.tx_bytes, sent.since(slot.tx_origin.get()));
    slot.state.set(tcp_state as u8);
}

/// `tcp_disconnect` zeroes `bytes_received` and moves `copied_seq`: what exceeds the former is not a count.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>, slot: &SharedSlot) {
    let (position, bytes_received) = counters::received(sk);
    let rx_bytes = position.since(slot.rx_origin.get());
    if rx_bytes <= bytes_received {
        raise(&slot.rx_bytes, rx_bytes);
    }
}

/// Brings the details up to date: what TCP says of its segments and, in the context of the socket's user, which process
/// that is. Not at every event: the kernel sends and repeats segments between events too, so these are never of the last
/// moment. Each is a word of its own, so it needs no lock.
#[inline(always)]
pub fn details<A: Access>(sk: &Socket<A>, slot: &SharedSlot, detail: &SharedDetail, with_user: bool) {
    detail.sent_bytes.set(sk.tcp(Field::BytesSent));
    detail.retrans_bytes.set(sk.tcp(Field::BytesRetrans));
    detail.retrans_segs.set(sk.tcp(Field::TotalRetrans));
    detail.segs_in.set(sk.tcp(Field::SegsIn));
    detail.segs_out.set(sk.tcp(Field::SegsOut));
    detail.srtt_us_x8.set(sk.tcp(Field::SrttUs));
    slot.last_us.set(sk.tcp(Field::TcpMstamp));
    if with_user {
        owner::record(detail);
    }
    // After the details: a reader that finds the number as it was has missed nothing, or will find another one.
    slot.generation.increment();
}

/// The process that uses the socket, alone.
#[inline(always)]
pub fn user(slot: &SharedSlot, detail: &SharedDetail) {
    owner::record(detail);
    slot.generation.increment();
}

/// The rarer part of an event of a locked socket.
#[inline(never)]
pub fn locked<A: Access>(sk: Socket<A>, entry: Entry, due: bool) {
    bytes(&sk, entry.slot, sk.tcp_state());
    if due && let Some(detail) = entry.detail() {
        // In a softirq the lock has no owner, and the current process is not the user.
        details(&sk, entry.slot, detail, sk.sock::<u32>(Field::LockOwned) != 0);
    }
}

/// The rarer part of the event of a send call that has returned `ret`.
#[inline(never)]
pub fn unlocked<A: Access>(sk: Socket<A>, entry: Entry, ret: i32) {
    store_unlocked(&sk, entry.slot);
    if let Some(of) = A::state(sk.sk)
        && redirect::sent(&sk, of, entry.slot, ret)
    {
        // From now on each call has to be looked at: without a socket the cache never finds the slot.
        entry.slot.socket.set(0);
    }
    if let Some(detail) = entry.detail() {
        details(&sk, entry.slot, detail, true);
    }
}

/// Stores the bytes sent while other threads may be sending too, so that the last store has the last value.
#[inline(always)]
pub fn store_unlocked<A: Access>(sk: &Socket<A>, slot: &SharedSlot) {
    for _ in 0..4 {
        if is_stored_last(sk, slot, sent_unlocked) {
            break;
        }
    }
}

/// [`store_unlocked`] for an event that has not been the last one to store.
#[inline(never)]
pub fn store_again<A: Access>(sk: Socket<A>, slot: &SharedSlot) {
    store_unlocked(&sk, slot);
}

/// Stores the bytes sent once. Whoever stores reads `write_seq` again behind a barrier. If it has moved, the thread
/// that moved it may have stored before us, so the number has to be taken anew; if not, that thread will store after us.
#[inline(always)]
pub fn is_stored_last<A: Access>(
    sk: &Socket<A>,
    slot: &SharedSlot,
    store: impl Fn(&Socket<A>, &SharedSlot, u32),
) -> bool {
    let write_seq: u32 = sk.tcp(Field::WriteSeq);
    store(sk, slot, write_seq);
    // Adding nothing is the barrier.
    slot.tx_bytes.add(0);
    sk.tcp::<u32>(Field::WriteSeq) == write_seq
}

/// The bytes sent into the entry of a socket that is not locked. `write_seq` was read before the state is:
/// `tcp_shutdown` changes the state and then queues the FIN, so a `write_seq` behind the FIN is never taken for one before
/// it. After CLOSE the final number is there already.
#[inline(always)]
fn sent_unlocked<A: Access>(sk: &Socket<A>, slot: &SharedSlot, write_seq: u32) {
    let tcp_state = sk.tcp_state();
    if tcp_state != state::CLOSE {
        let sent = counters::sent_up_to(sk, write_seq, u32::from(slot.flags.get()), tcp_state);
        raise(&slot.tx_bytes, sent.since(slot.tx_origin.get()));
    }
}

/// The same by [`counters::advance`].
#[inline(always)]
pub fn advance_unlocked<A: Access>(sk: &Socket<A>, slot: &SharedSlot, write_seq: u32) {
    let tcp_state = sk.tcp_state();
    if tcp_state != state::CLOSE {
        counters::advance(&slot.tx_bytes, counters::without_fin(write_seq, tcp_state), slot.tx_origin.get());
    }
}
