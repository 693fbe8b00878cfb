//! Identity of a flow: its two ends, the same connection seen from the other end, and who started it.
//!
//! Not in here: which two flows are one connection (`ledger::pairs`).

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use flowtop_common::{FlowKey, flags};

/// The two ends of a flow, as its own socket sees them; IPv4-mapped IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl Tuple {
    #[must_use]
    pub fn of(key: &FlowKey) -> Self {
        Self { local: end(key.local_addr, key.local_port), remote: end(key.remote_addr, key.remote_port) }
    }

    /// The key of a flow with this tuple, in no namespace and without an id.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey {
            local_addr: octets(self.local.ip()),
            remote_addr: octets(self.remote.ip()),
            local_port: self.local.port(),
            remote_port: self.remote.port(),
            family: if self.local.is_ipv4() { AF_INET } else { AF_INET6 },
            ..FlowKey::default()
        }
    }

    /// The same connection, seen from the other end.
    #[must_use]
    pub fn mirror(self) -> Self {
        Self { local: self.remote, remote: self.local }
    }

    /// Whether the addresses alone say that both ends are in this network namespace.
    #[must_use]
    pub fn stays_on_host(&self) -> bool {
        stays_on_host(&self.key())
    }

    /// A guess at who connected if that was not seen: the higher port, then the higher address. Exactly one of a
    /// tuple and its mirror is favoured; a socket that is connected to itself is.
    #[must_use]
    pub fn favoured(&self) -> bool {
        (self.local.port(), self.local.ip()) >= (self.remote.port(), self.remote.ip())
    }
}

/// [`Tuple::stays_on_host`] as the wire has it: all flows of a sample are asked.
#[must_use]
pub fn stays_on_host(key: &FlowKey) -> bool {
    let is_loopback = |addr: [u8; 16]| match addr {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => first == 127,
        addr => Ipv6Addr::from(addr).is_loopback(),
    };
    key.local_addr == key.remote_addr || (is_loopback(key.local_addr) && is_loopback(key.remote_addr))
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// An address as the wire has it.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// An address of the wire with its port.
fn end(addr: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(addr).to_canonical(), port)
}

/// Who opened the connection, as one end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It called `connect`.
    Initiator,
    /// It was accepted from a listener.
    Acceptor,
    /// Unknown: the socket is older than flowtop.
    Unknown,
}

impl Role {
    /// Reads the role from [`flowtop_common::Flow::flags`].
    #[must_use]
    pub fn of(flow_flags: u32) -> Self {
        if flow_flags & flags::ACTIVE != 0 {
            Self::Initiator
        } else if flow_flags & flags::PASSIVE != 0 {
            Self::Acceptor
        } else {
            Self::Unknown
        }
    }

    /// Whether this end connected; `None` if that was not seen.
    #[must_use]
    pub fn connected(self) -> Option<bool> {
        match self {
            Self::Initiator => Some(true),
            Self::Acceptor => Some(false),
            Self::Unknown => None,
        }
    }

    /// Whether the end with this role and `tuple` is to be taken for the initiator, given the role of the other
    /// end (`Unknown` when the other end is not visible). Exactly one of the two ends is.
    #[must_use]
    pub fn leads(self, other: Self, tuple: &Tuple) -> bool {
        match (self.connected(), other.connected()) {
            (Some(mine), None) => mine,
            (None, Some(theirs)) => !theirs,
            (Some(mine), Some(theirs)) if mine != theirs => mine,
            // Both connected (a simultaneous open), or neither was seen.
            _ => tuple.favoured(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROLES: [Role; 3] = [Role::Initiator, Role::Acceptor, Role::Unknown];

    fn tuple(local: &str, remote: &str) -> Tuple {
        Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() }
    }

    #[test]
    fn mapped_ipv4_is_ipv4() {
        let mapped = |last| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last];
        let key = FlowKey {
            local_addr: mapped(1),
            remote_addr: mapped(2),
            local_port: 40000,
            remote_port: 443,
            family: 10,
            ..FlowKey::default()
        };
        assert_eq!(Tuple::of(&key), tuple("192.0.2.1:40000", "192.0.2.2:443"));
    }

    #[test]
    fn stays_on_host_by_address() {
        assert!(tuple("127.0.0.1:1", "127.9.9.9:2").stays_on_host());
        assert!(tuple("[::1]:1", "[::1]:2").stays_on_host());
        assert!(tuple("192.0.2.1:1", "192.0.2.1:2").stays_on_host());
        assert!(!tuple("192.0.2.1:1", "192.0.2.2:1").stays_on_host());
        assert!(!tuple("127.0.0.1:1", "192.0.2.2:1").stays_on_host());
    }

    #[test]
    fn a_socket_connected_to_itself_leads() {
        assert!(Role::Unknown.leads(Role::Unknown, &tuple("127.0.0.1:5", "127.0.0.1:5")));
    }

    #[test]
    fn roles_come_from_the_flags() {
        assert_eq!(Role::of(flags::BORN | flags::ACTIVE), Role::Initiator);
        assert_eq!(Role::of(flags::BORN | flags::PASSIVE | flags::ENDED), Role::Acceptor);
        assert_eq!(Role::of(flags::ENDED), Role::Unknown);
    }

    /// By the library's own rule for addresses.
    fn address() -> impl Strategy<Value = IpAddr> {
        const KNOWN: [&str; 6] = ["::1", "::", "127.0.0.1", "127.9.9.9", "126.0.0.1", "::127.0.0.1"];
        prop_oneof![
            prop::sample::select(&KNOWN).prop_map(|text| text.parse().unwrap()),
            any::<IpAddr>().prop_map(|address| address.to_canonical())
        ]
    }

    proptest! {
        #[test]
        fn exactly_one_end_leads(a: [u8; 16], b: [u8; 16], p: u16, q: u16, mine in 0..3_usize, theirs in 0..3_usize) {
            let tuple = Tuple { local: end(a, p), remote: end(b, q) };
            prop_assume!(tuple != tuple.mirror());
            let (mine, theirs) = (ROLES[mine], ROLES[theirs]);
            prop_assert!(mine.leads(theirs, &tuple) != theirs.leads(mine, &tuple.mirror()));
        }

        #[test]
        fn mirror_is_its_own_inverse(a: [u8; 16], b: [u8; 16], p: u16, q: u16) {
            let tuple = Tuple { local: end(a, p), remote: end(b, q) };
            prop_assert_eq!(tuple.mirror().mirror(), tuple);
            prop_assert_eq!(tuple.stays_on_host(), tuple.mirror().stays_on_host());
        }

        #[test]
        fn a_flow_stays_where_addresses_are_equal_or_loopback(local in address(), remote in address()) {
            let tuple = Tuple { local: (local, 1).into(), remote: (remote, 2).into() };
            let expected = local == remote || (local.is_loopback() && remote.is_loopback());
            prop_assert_eq!((tuple.stays_on_host(), Tuple::of(&tuple.key())), (expected, tuple));
        }
    }
}
