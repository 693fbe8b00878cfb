//! Who listens is the server: the role of a connection that is older than flowtop and whose counters do not tell.

use core::net::{Ipv4Addr, Ipv6Addr};

use flowtop_common::{FlowKey, flags};
use hashbrown::HashSet;

/// A place to listen at: network namespace, address as the wire has it, port.
type Place = (u32, [u8; 16], u16);

/// The sockets that listened when flowtop started.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    places: HashSet<Place>,
}

impl Listeners {
    /// Those of the walk at the start: keys without a remote end, one behind the other.
    #[must_use]
    pub fn of(walked: &[FlowKey]) -> Self {
        let place = |key: &FlowKey| (key.netns, key.local_addr, key.local_port);
        Self { places: walked.iter().map(place).collect() }
    }

    /// The flags of a flow, with its role if that is unknown and exactly one of its ends is listened at in its namespace.
    /// The other end may live elsewhere: that nobody listens at it proves nothing then.
    #[must_use]
    pub fn complete(&self, key: &FlowKey, flow_flags: u32) -> u32 {
        if flow_flags & (flags::ACTIVE | flags::PASSIVE) != 0 || self.places.is_empty() {
            return flow_flags;
        }
        let local = self.listen_at(key.netns, key.local_addr, key.local_port);
        let remote = self.listen_at(key.netns, key.remote_addr, key.remote_port);
        match (local, remote) {
            (true, false) => flow_flags | flags::PASSIVE,
            (false, true) => flow_flags | flags::ACTIVE,
            _ => flow_flags,
        }
    }

    /// Whether a socket listens at the address, or at any address of its family. One at `::` takes IPv4 as well.
    fn listen_at(&self, netns: u32, address: [u8; 16], port: u16) -> bool {
        let listens = |address: Ipv6Addr| self.places.contains(&(netns, address.octets(), port));
        let address = Ipv6Addr::from(address);
        let is_v4 = address.to_ipv4_mapped().is_some();
        listens(address)
            || listens(Ipv6Addr::UNSPECIFIED)
            || (is_v4 && listens(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{CONNECTED, OLDER, key};
    use alloc::vec::Vec;

    const NONE: &str = "0.0.0.0:0";

    fn role(listeners: &[(u32, &str)], local: &str, remote: &str) -> u32 {
        let walked: Vec<_> = listeners.iter().map(|(netns, at)| key(*netns, at, NONE, 0)).collect();
        Listeners::of(&walked).complete(&key(1, local, remote, 7), OLDER)
    }

    #[test]
    fn who_listens_is_the_server() {
        let (client, server) = ("127.0.0.1:48123", "127.0.0.1:61616");
        for at in ["127.0.0.1:61616", "0.0.0.0:61616", "[::]:61616"] {
            assert_eq!(role(&[(1, at)], server, client), flags::PASSIVE, "{at}");
            assert_eq!(role(&[(1, at)], client, server), flags::ACTIVE, "{at}");
        }
        // The other end is on another host.
        assert_eq!(role(&[(1, "[::]:22")], "[2001:db8::1]:22", "[2001:db8::2]:9"), flags::PASSIVE);
    }

    #[test]
    fn what_listens_elsewhere_or_at_both_ends_proves_nothing() {
        let (one, other) = ("127.0.0.1:48123", "127.0.0.1:61616");
        let elsewhere = [(2, "0.0.0.0:61616"), (1, "127.0.0.2:61616"), (1, "0.0.0.0:61617")];
        assert_eq!(role(&elsewhere, other, one), OLDER);
        assert_eq!(role(&[(1, one), (1, other)], other, one), OLDER);
        assert_eq!(role(&[(1, "0.0.0.0:22")], "[::1]:22", "[::1]:9"), OLDER);
        assert_eq!(role(&[], other, one), OLDER);
    }

    #[test]
    fn a_known_role_stays() {
        let listeners = Listeners::of(&[key(1, "127.0.0.1:5", NONE, 0)]);
        assert_eq!(listeners.complete(&key(1, "127.0.0.1:5", "127.0.0.1:6", 7), CONNECTED), CONNECTED);
    }
}
