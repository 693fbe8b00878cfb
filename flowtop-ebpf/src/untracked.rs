//! The reserved entry: what sockets carry that found the flow table full.
//!
//! Such a socket keeps in its state how many of its bytes the reserved entry has already.

use crate::{
    maps::{SocketState, UNTRACKED, add, socket},
    read::{Access, Socket},
    totals,
};
use flowtop_common::{FlowKey, flags, words};

/// The flow table was full. What the socket has carried so far is history.
#[inline(always)]
pub fn opened(of: &mut SocketState, key: &FlowKey, tx_bytes: u64, rx_bytes: u64) {
    of.untracked_tx_bytes = tx_bytes;
    of.untracked_rx_bytes = rx_bytes;
    of.flags |= socket::UNTRACKED;
    if mirrored(key, of.flags) {
        of.flags |= socket::MIRRORED;
    }
    if let Some(untracked) = UNTRACKED.get_ptr_mut(0) {
        // SAFETY: the lookup succeeded.
        unsafe { add(&raw mut (*untracked).flows, 1) }
    }
}

/// A locked socket without an entry: what it has sent since the last time goes into the reserved entry.
#[inline(always)]
pub fn total_sent<A: Access>(sk: &Socket<A>, of: &mut SocketState, tcp_state: u32) {
    let tx_bytes = totals::sent(sk, of.flags, tcp_state).since(of.tx_origin);
    if tx_bytes > of.untracked_tx_bytes {
        sent(of, tx_bytes - of.untracked_tx_bytes);
    }
}

/// Such a socket has sent so much more.
#[inline(always)]
pub fn sent(of: &mut SocketState, bytes: u64) {
    let Some(untracked) = UNTRACKED.get_ptr_mut(0) else { return };
    // SAFETY: the lookups succeeded.
    unsafe {
        add(&raw mut of.untracked_tx_bytes, bytes);
        add(&raw mut (*untracked).tx_bytes, bytes);
        if of.flags & socket::MIRRORED != 0 {
            add(&raw mut (*untracked).mirrored_tx_bytes, bytes);
        }
    }
}

/// A locked socket without an entry: what it has received since the last time goes into the reserved entry.
#[inline(always)]
pub fn received<A: Access>(sk: &Socket<A>, of: &mut SocketState) {
    let (position, bytes_received) = totals::received(sk);
    let rx_bytes = position.since(of.rx_origin);
    let Some(untracked) = UNTRACKED.get_ptr_mut(0) else { return };
    if rx_bytes > bytes_received || rx_bytes <= of.untracked_rx_bytes {
        return;
    }
    let bytes = rx_bytes - of.untracked_rx_bytes;
    of.untracked_rx_bytes = rx_bytes;
    // SAFETY: the lookup succeeded.
    unsafe {
        add(&raw mut (*untracked).rx_bytes, bytes);
        if of.flags & socket::MIRRORED != 0 {
            add(&raw mut (*untracked).mirrored_rx_bytes, bytes);
        }
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
