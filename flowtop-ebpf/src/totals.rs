//! A socket's own counters → bytes sent and received by the application.
//!
//! ```text
//! TX = bytes_acked + (u32)(write_seq - snd_una) - SYN - FIN
//! RX = bytes_received - (u32)(rcv_nxt - copied_seq) - FIN read
//! ```
//!
//! `bytes_acked` holds the SYN of an active open (`tcp_snd_una_update`), `write_seq` moves past our FIN once it is
//! queued (`tcp_send_fin`), `copied_seq` past the peer's once it is read (`tcp_recvmsg_locked`). Checked against
//! `net/ipv4/tcp.c`, `tcp_input.c` and `tcp_output.c` of Linux 5.10, 6.1 and 6.18.
//!
//! The three fields of TX may be read while an ACK arrives, if the socket is not locked. So their sum is only used for
//! the upper half of the number; the lower 32 bits are the distance of `write_seq`, one aligned word, from the
//! sequence number that stands for 0 bytes.

use crate::{
    maps::SocketState,
    read::{Access, Socket},
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

/// What the application has handed to TCP.
#[inline(always)]
pub fn sent<A: Access>(sk: &Socket<A>, of: &SocketState, tcp_state: u32) -> Position {
    let write_seq: u32 = sk.tcp(Field::WriteSeq);
    let unacked = write_seq.wrapping_sub(sk.tcp::<u32>(Field::SndUna));
    let syn = (of.flags & flags::ACTIVE != 0) as u64;
    let fin = fin_queued(tcp_state);
    let queued = sk.tcp::<u64>(Field::BytesAcked).wrapping_add(u64::from(unacked));
    Position { bytes: queued.wrapping_sub(syn + u64::from(fin)), seq: write_seq.wrapping_sub(fin) }
}

/// What the application has taken from TCP, and `bytes_received`, which it cannot exceed.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>) -> (Position, u64) {
    // In this order: whoever sees `copied_seq` behind the FIN sees the flag and the other two as well.
    let copied_seq: u32 = sk.tcp(Field::CopiedSeq);
    let done = sk.sock::<u64>(Field::SockFlags) & SOCK_DONE != 0;
    let rcv_nxt: u32 = sk.tcp(Field::RcvNxt);
    let bytes_received: u64 = sk.tcp(Field::BytesReceived);
    let fin = (done && copied_seq == rcv_nxt) as u32;
    let unread = u64::from(rcv_nxt.wrapping_sub(copied_seq)) + u64::from(fin);
    let position = Position { bytes: bytes_received.wrapping_sub(unread), seq: copied_seq.wrapping_sub(fin) };
    (position, bytes_received)
}
