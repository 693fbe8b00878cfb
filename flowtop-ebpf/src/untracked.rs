//! The reserved entry: what sockets carry that found the flow table full.
//!
//! Such a socket keeps in its state how many of its bytes the reserved entry has already.

use crate::{
    counters,
    layout::{SocketState, socket},
    maps::UNTRACKED,
    read::{Access, Socket},
};
use flowtop_common::{FlowKey, flags, words};

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

/// A locked socket without an entry: what it has sent since the last time goes into the reserved entry.
#[inline(always)]
pub fn total_sent<A: Access>(sk: &Socket<A>, of: &SocketState, tcp_state: u32) {
    let tx_bytes = counters::sent(sk, of.flags.get(), tcp_state).since(of.tx_origin.get());
    let before = of.untracked_tx_bytes.get();
    // As for `counters::raise`.
    if tx_bytes as i64 > before as i64 {
        sent(of, tx_bytes - before);
    }
}

/// Such a socket has sent so much more. Other threads may be sending on it too.
#[inline(always)]
pub fn sent(of: &SocketState, bytes: u64) {
    let Some(untracked) = UNTRACKED.get(0) else { return };
    of.untracked_tx_bytes.add(bytes);
    untracked.tx_bytes.add(bytes);
    if of.has(socket::MIRRORED) {
        untracked.mirrored_tx_bytes.add(bytes);
    }
}

/// A locked socket without an entry: what it has received since the last time goes into the reserved entry.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>, of: &SocketState) {
    let (position, bytes_received) = counters::received(sk);
    let (rx_bytes, before) = (position.since(of.rx_origin.get()), of.untracked_rx_bytes.get());
    let Some(untracked) = UNTRACKED.get(0) else { return };
    if rx_bytes > bytes_received || rx_bytes <= before {
        return;
    }
    of.untracked_rx_bytes.set(rx_bytes);
    untracked.rx_bytes.add(rx_bytes - before);
    if of.has(socket::MIRRORED) {
        untracked.mirrored_rx_bytes.add(rx_bytes - before);
    }
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
