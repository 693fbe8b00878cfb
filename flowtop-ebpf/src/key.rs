//! The identity of a flow, from its socket.

use crate::read::{Access, Socket};
use core::mem::transmute;
use flowtop_common::{Field, FlowKey};

const AF_INET6: u16 = 10;

/// The identity of a flow, IPv4 addresses as `::ffff:a.b.c.d`.
#[inline(always)]
pub fn of<A: Access>(sk: &Socket<A>, id: u64) -> FlowKey {
    let family: u16 = sk.sock(Field::Family);
    let (local, remote) = if family == AF_INET6 {
        (sk.sock::<[u64; 2]>(Field::LocalV6), sk.sock::<[u64; 2]>(Field::RemoteV6))
    } else {
        (mapped(sk.sock(Field::LocalV4)), mapped(sk.sock(Field::RemoteV4)))
    };
    FlowKey {
        local_addr: bytes(local),
        remote_addr: bytes(remote),
        local_port: sk.sock(Field::LocalPort),
        remote_port: u16::from_be(sk.sock(Field::RemotePort)),
        family,
        pad0: 0,
        netns: sk.net(Field::NetInum),
        pad1: 0,
        id,
    }
}

#[inline(always)]
fn bytes(words: [u64; 2]) -> [u8; 16] {
    // SAFETY: integers of the same size.
    unsafe { transmute(words) }
}

/// `::ffff:a.b.c.d` for an address in network byte order.
#[inline(always)]
fn mapped(v4: u32) -> [u64; 2] {
    [0, u64::from(u32::from_ne_bytes([0, 0, 0xff, 0xff])) | u64::from(v4) << 32]
}
