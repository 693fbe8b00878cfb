//! Bytes that a socket map carries past TCP: a program on `sk_msg` may put what a socket sends into the receive queue of
//! another one, and no sequence number moves. Such bytes are in no entry; [`Loss::SocketMap`] counts them.
//!
//! They are what the send calls have returned in sum and TCP has not taken. Calls that were not seen make that sum too
//! small, never too large.

use crate::{
    layout::{SharedSlot, SocketState},
    maps::add_loss,
    read::{Access, Socket},
};
use flowtop_common::{Field, Loss};

/// A send call has returned `ret`, and the entry has what TCP took of it. Whether bytes have gone past TCP.
#[inline(always)]
pub fn sent<A: Access>(sk: &Socket<A>, of: &SocketState, slot: &SharedSlot, ret: i32) -> bool {
    // kTLS holds back what it has not encrypted yet, and a restored socket is sent what it is to receive.
    if ret <= 0 || sk.tcp::<u64>(Field::Ulp) != 0 || sk.tcp::<u8>(Field::RepairQueue) != 0 {
        return false;
    }
    of.sent_in_calls.add(ret as u64);
    let taken = slot.tx_bytes.get().wrapping_sub(slot.base_tx_bytes.get());
    let (past, known) = (of.sent_in_calls.get().wrapping_sub(taken), of.past_tcp.get());
    if past as i64 <= known as i64 {
        return false;
    }
    of.past_tcp.set(past);
    add_loss(Loss::SocketMap, past - known);
    true
}
