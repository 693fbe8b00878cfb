//! The reserved entry: what sockets carry that found the flow table full.
//!
//! Such a socket keeps in its state how many of its bytes the reserved entry has already.

use crate::{
    constants::by_cookie,
    counters::{self, raise_among_others, state},
    layout::{SocketState, socket},
    maps::UNTRACKED,
    read::{Access, Socket},
    shared::Shared,
};
use flowtop_common::{Field, FlowKey, flags, words};

/// The flow table was full. What the socket has carried so far is history.
#[inline(always)]
pub fn opened(of: &SocketState, key: &FlowKey, tx_bytes: u64, rx_bytes: u64) {
    of.untracked_tx_bytes.set(tx_bytes);
    of.untracked_rx_bytes.set(rx_bytes);
    let mirrored = if mirrored(key, of.flags.get()) { socket::MIRRORED } else { 0 };
    of.add_flag(socket::UNTRACKED | mirrored);
    if let Some(untracked) = UNTRACKED.get(0) {
        untracked.flows.add(1);
    }
}

/// A socket without an entry: what it has sent since the last time goes into the reserved entry. Other threads may be sending
/// on it too, so `write_seq` is read before the state: see `refresh::sent_unlocked`.
#[inline(always)]
pub fn sent<A: Access>(sk: &Socket<A>, of: &SocketState) {
    let write_seq: u32 = sk.tcp(Field::WriteSeq);
    let tcp_state = sk.tcp_state();
    if tcp_state != state::CLOSE {
        let sent = counters::sent_up_to(sk, write_seq, of.flags.get(), tcp_state);
        add_sent(of, sent.since(of.tx_origin.get()));
    }
}

/// The same in an event that reports a change of state, under the socket lock. `tcp_state` is the state before the change.
#[inline(always)]
pub fn sent_before<A: Access>(sk: &Socket<A>, of: &SocketState, tcp_state: u32) {
    if tcp_state != state::CLOSE {
        add_sent(of, counters::sent(sk, of.flags.get(), tcp_state).since(of.tx_origin.get()));
    }
}

/// A socket without an entry: what it has received since the last time goes into the reserved entry.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>, of: &SocketState) {
    let (position, bytes_received) = counters::received(sk);
    let rx_bytes = position.since(of.rx_origin.get());
    if rx_bytes <= bytes_received {
        add_received(of, rx_bytes);
    }
}

/// Adds what such a socket has sent in its life, as far as the reserved entry does not have it.
#[inline(always)]
pub fn add_sent(of: &SocketState, tx_bytes: u64) {
    let more = raised_by(&of.untracked_tx_bytes, tx_bytes);
    if let Some(untracked) = UNTRACKED.get(0)
        && more > 0
    {
        untracked.tx_bytes.add(more);
        if of.has(socket::MIRRORED) {
            untracked.mirrored_tx_bytes.add(more);
        }
    }
}

/// The same of what it has received.
#[inline(always)]
pub fn add_received(of: &SocketState, rx_bytes: u64) {
    let more = raised_by(&of.untracked_rx_bytes, rx_bytes);
    if let Some(untracked) = UNTRACKED.get(0)
        && more > 0
    {
        untracked.rx_bytes.add(more);
        if of.has(socket::MIRRORED) {
            untracked.mirrored_rx_bytes.add(more);
        }
    }
}

/// Raises a counter, and returns by how much: each byte is added once, whoever finds it. Before Linux 5.12 only events under
/// the socket lock come here, one at a time.
#[inline(always)]
fn raised_by(counter: &Shared<u64>, value: u64) -> u64 {
    if by_cookie() {
        return raise_among_others(counter, value);
    }
    let before = counter.get();
    counters::raise(counter, value);
    counter.get().wrapping_sub(before)
}

/// Whether the other end is on this host for certain, and is the one that counts in the totals. The same rule as in
/// `flowtop_core::flow`.
#[inline(always)]
fn mirrored(key: &FlowKey, role: u32) -> bool {
    let (local, remote) = (words(&key.local_addr), words(&key.remote_addr));
    if local != remote && !(is_loopback(local) && is_loopback(remote)) {
        return false;
    }
    match role & (flags::ACTIVE | flags::PASSIVE) {
        0 => !favoured((key.local_port, local), (key.remote_port, remote)),
        role => role == flags::PASSIVE,
    }
}

/// The guess at who connected when nobody saw it: the higher port, then the higher address.
#[inline(always)]
fn favoured(local: (u16, [u64; 2]), remote: (u16, [u64; 2])) -> bool {
    let number = |(port, [high, low]): (u16, [u64; 2])| (port, u64::from_be(high), u64::from_be(low));
    number(local) >= number(remote)
}

/// `127.0.0.0/8` or `::1`.
#[inline(always)]
fn is_loopback(address: [u64; 2]) -> bool {
    const LOW_V4: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
    const NET_127: u64 = u64::from_ne_bytes([0, 0, 0xff, 0xff, 127, 0, 0, 0]);
    const ONE: u64 = u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, 1]);
    address[0] == 0 && (address[1] & LOW_V4 == NET_127 || address[1] == ONE)
}
