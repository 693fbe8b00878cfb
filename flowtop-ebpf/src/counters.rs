//! A socket's own counters → bytes sent and received by the application.
//!
//! ```text
//! TX = bytes_acked + (u32)(write_seq - snd_una) - SYN - FIN
//! RX = bytes_received - (u32)(rcv_nxt - copied_seq) - FIN read
//! ```
//!
//! `bytes_acked` holds the SYN of an active open (`tcp_snd_una_update`; see [`role`]), `write_seq` moves past our FIN once it is
//! queued (`tcp_send_fin`), `copied_seq` past the peer's once it is read (`tcp_recvmsg_locked`). Checked against
//! `net/ipv4/tcp.c`, `tcp_input.c` and `tcp_output.c` of Linux 5.10, 6.1 and 6.18.
//!
//! The three fields of TX may be read while an ACK arrives, if the socket is not locked. So their sum is only used for
//! the upper half of the number; the lower 32 bits are the distance of `write_seq`, one aligned word, from the
//! sequence number that stands for 0 bytes.
//!
//! Those 32 bits are all that most events look at ([`advance`]): a call moves less than 2^31 bytes (`MAX_RW_COUNT`), so
//! the upper half follows from the last number. Should events have been missed, the formula above puts it right at
//! the next refresh of the details (`refresh::is_due`), at the latest at the end of the flow.

use crate::{
    read::{Access, Socket},
    shared::Shared,
};
use flowtop_common::{Field, flags};

/// TCP states, `include/net/tcp_states.h`.
pub mod state {
    pub const ESTABLISHED: u32 = 1;
    pub const SYN_SENT: u32 = 2;
    pub const SYN_RECV: u32 = 3;
    pub const FIN_WAIT1: u32 = 4;
    pub const FIN_WAIT2: u32 = 5;
    pub const CLOSE: u32 = 7;
    pub const LAST_ACK: u32 = 9;
    pub const LISTEN: u32 = 10;
    pub const CLOSING: u32 = 11;
}

/// Bit of `sk_flags`: the peer's FIN has arrived (`SOCK_DONE` in `enum sock_flags`).
const SOCK_DONE: u64 = 1 << 1;

/// A byte count with the sequence number it belongs to.
#[derive(Clone, Copy)]
pub struct Position {
    /// Number of bytes, exact in a locked socket.
    pub bytes: u64,
    /// Sequence number behind the last byte.
    pub seq: u32,
}

impl Position {
    /// The sequence number that stands for 0 bytes.
    #[inline(always)]
    pub fn origin(self) -> u32 {
        self.seq.wrapping_sub(self.bytes as u32)
    }

    /// The number of bytes whose lower half is the distance from `origin`.
    #[inline(always)]
    pub fn since(self, origin: u32) -> u64 {
        let low = self.seq.wrapping_sub(origin);
        let correction = low.wrapping_sub(self.bytes as u32) as i32;
        self.bytes.wrapping_add(correction as i64 as u64)
    }
}

/// 1 if our FIN has been queued. `tcp_state` is the state before the change, in an event that reports one.
#[inline(always)]
fn fin_queued(tcp_state: u32) -> u32 {
    use state::{CLOSING, FIN_WAIT1, FIN_WAIT2, LAST_ACK};
    matches!(tcp_state, FIN_WAIT1 | FIN_WAIT2 | CLOSING | LAST_ACK) as u32
}

/// Raises a counter to `value`. A value below zero (a sum of fields that do not belong together) is not greater: the next
/// event brings the right one.
#[inline(always)]
pub fn raise(counter: &Shared<u64>, value: u64) {
    if value as i64 > counter.get() as i64 {
        counter.set(value);
    }
}

/// Attempts of [`raise_among_others`]. Each fails only if another processor has raised the counter at the same moment, mostly
/// beyond the value.
const ATTEMPTS: u32 = 4;

/// Raises a counter to `value` by compare and exchange, and returns by how much: others may raise it at the same time, and no
/// older value replaces a newer one. Linux 5.12.
#[inline(always)]
pub fn raise_among_others(counter: &Shared<u64>, value: u64) -> u64 {
    for _ in 0..ATTEMPTS {
        let before = counter.get();
        if value as i64 <= before as i64 {
            break;
        }
        if counter.exchange(before, value) {
            return value.wrapping_sub(before);
        }
    }
    0
}

/// Raises a counter to the next number whose lower half is the distance of `seq` from `origin`.
#[inline(always)]
pub fn advance(counter: &Shared<u64>, seq: u32, origin: u32) {
    let before = counter.get();
    let step = seq.wrapping_sub(origin).wrapping_sub(before as u32) as i32;
    if step > 0 {
        counter.set(before.wrapping_add(step as u64));
    }
}

/// What the application has handed to TCP. `role` holds the flags of its entry or state.
#[inline(always)]
pub fn sent<A: Access>(sk: &Socket<A>, role: u32, tcp_state: u32) -> Position {
    sent_up_to(sk, sk.tcp(Field::WriteSeq), role, tcp_state)
}

#[inline(always)]
pub fn sent_up_to<A: Access>(sk: &Socket<A>, write_seq: u32, role: u32, tcp_state: u32) -> Position {
    let syn = (role & flags::ACTIVE != 0) as u64;
    let fin = fin_queued(tcp_state);
    let bytes = queued(sk, write_seq).saturating_sub(syn + u64::from(fin));
    Position { bytes, seq: write_seq.wrapping_sub(fin) }
}

/// Length of what has been acknowledged or waits for it, SYN and FIN included.
#[inline(always)]
fn queued<A: Access>(sk: &Socket<A>, write_seq: u32) -> u64 {
    let unacked = write_seq.wrapping_sub(sk.tcp::<u32>(Field::SndUna));
    sk.tcp::<u64>(Field::BytesAcked).wrapping_add(u64::from(unacked))
}

/// The flags of a socket whose flow opens, with the role that its counters prove.
///
/// A socket restored with `TCP_REPAIR` goes from SYN_SENT to ESTABLISHED like one that connects, and has sent no SYN:
/// nothing of it is queued or acknowledged. Its role is unknown.
#[inline(always)]
pub fn role<A: Access>(sk: &Socket<A>, known: u32, tcp_state: u32) -> u32 {
    if known & flags::BORN == 0 {
        return known | role_of_older(sk, tcp_state);
    }
    if known & flags::ACTIVE != 0 && queued(sk, sk.tcp(Field::WriteSeq)) == 0 {
        known & !flags::ACTIVE
    } else {
        known
    }
}

/// The role of a socket that is older than the start. Up to `snd_nxt` each byte has been sent a first time, and
/// `bytes_sent - bytes_retrans` counts these bytes, but neither SYN nor FIN. So if it is one less than the sequence numbers
/// that are acknowledged or in flight, a SYN is among them: this end connected. Any other difference (segments that the
/// device refused, a queue restored by `TCP_REPAIR`, fields read without the lock) proves nothing.
#[inline(always)]
fn role_of_older<A: Access>(sk: &Socket<A>, tcp_state: u32) -> u32 {
    let snd_nxt: u32 = sk.tcp(Field::SndNxt);
    let fin = u64::from(fin_queued(tcp_state) & (snd_nxt == sk.tcp::<u32>(Field::WriteSeq)) as u32);
    let first_sends = sk.tcp::<u64>(Field::BytesSent).wrapping_sub(sk.tcp::<u64>(Field::BytesRetrans));
    match queued(sk, snd_nxt).wrapping_sub(fin).wrapping_sub(first_sends) {
        0 => flags::PASSIVE,
        1 => flags::ACTIVE,
        _ => 0,
    }
}

/// Sequence number behind the last byte that the application has handed to TCP; the socket is locked.
#[inline(always)]
pub fn queued_seq<A: Access>(sk: &Socket<A>, tcp_state: u32) -> u32 {
    without_fin(sk.tcp(Field::WriteSeq), tcp_state)
}

/// The same of a `write_seq` that was read before the state was.
#[inline(always)]
pub fn without_fin(write_seq: u32, tcp_state: u32) -> u32 {
    write_seq.wrapping_sub(fin_queued(tcp_state))
}

/// What the application has taken from TCP, and `bytes_received`, which it cannot exceed.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>) -> (Position, u64) {
    // In this order: whoever sees `copied_seq` behind the FIN sees the flag and the other two as well.
    let copied_seq: u32 = sk.tcp(Field::CopiedSeq);
    let done = is_done(sk);
    let rcv_nxt: u32 = sk.tcp(Field::RcvNxt);
    let bytes_received: u64 = sk.tcp(Field::BytesReceived);
    let fin = (done && copied_seq == rcv_nxt) as u32;
    let unread = u64::from(rcv_nxt.wrapping_sub(copied_seq)) + u64::from(fin);
    let position =
        Position { bytes: bytes_received.saturating_sub(unread), seq: copied_seq.wrapping_sub(fin) };
    (position, bytes_received)
}

/// Sequence number behind the last byte that the application has taken from TCP; the socket is locked.
#[inline(always)]
pub fn taken_seq<A: Access>(sk: &Socket<A>) -> u32 {
    let copied_seq: u32 = sk.tcp(Field::CopiedSeq);
    let fin = is_done(sk) && copied_seq == sk.tcp::<u32>(Field::RcvNxt);
    copied_seq.wrapping_sub(u32::from(fin))
}

#[inline(always)]
fn is_done<A: Access>(sk: &Socket<A>) -> bool {
    sk.sock::<u64>(Field::SockFlags) & SOCK_DONE != 0
}
