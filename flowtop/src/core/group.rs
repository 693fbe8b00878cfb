//! What connections are summed up by: the keys of `--by`, and what each of them shows.
//!
//! Not in here: the sums (`core::rows::grouped`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::label::{ones_v4, ones_v6};

/// One thing that connections can have in common. What is called local is the left end: the initiator where both ends
/// are on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Both addresses and ports, and the network namespace.
    Flow,
    /// The remote address.
    Peer,
    /// The local address.
    Host,
    /// The local port.
    LocalPort,
    /// The remote port.
    RemotePort,
    /// Number and name of the process.
    Process,
    /// The effective user of the process.
    User,
    /// systemd's unit.
    Unit,
    /// The container.
    Container,
    /// The pod and its namespace.
    Pod,
    /// The namespace of the pod.
    Namespace,
    /// The network namespace.
    Netns,
    /// The network of the remote address with so many bits, 64 for IPv6.
    Net(u8),
    /// The label of the remote address.
    Label,
}

/// The words of the keys, and the fields that each of them shows. A network has a form of its own.
const WORDS: [(&str, Key, &[&str]); 13] = [
    ("flow", Key::Flow, &["local_addr", "local_port", "remote_addr", "remote_port", "netns"]),
    ("peer", Key::Peer, &["remote_addr"]),
    ("host", Key::Host, &["local_addr"]),
    ("local-port", Key::LocalPort, &["local_port"]),
    ("remote-port", Key::RemotePort, &["remote_port"]),
    ("process", Key::Process, &["pid", "comm"]),
    ("user", Key::User, &["user"]),
    ("unit", Key::Unit, &["unit"]),
    ("container", Key::Container, &["container_id", "container"]),
    ("pod", Key::Pod, &["namespace", "pod"]),
    ("namespace", Key::Namespace, &["namespace"]),
    ("netns", Key::Netns, &["netns"]),
    ("label", Key::Label, &["label"]),
];

/// The field of a network.
pub const NET_FIELD: &str = "remote_net";
/// Bits of a network of IPv6.
const NET_BITS_V6: u8 = 64;

impl Key {
    /// The fields that it shows.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        let found = WORDS.iter().find(|(_, key, _)| *key == self);
        found.map_or(&[NET_FIELD], |(_, _, fields)| *fields)
    }

    /// Whether it asks who is behind a flow.
    #[must_use]
    pub const fn asks_owner(self) -> bool {
        use Key::{Container, Namespace, Pod, Process, Unit, User};
        matches!(self, Process | User | Unit | Container | Pod | Namespace)
    }

    fn parse(word: &str) -> Option<Self> {
        let bits = word.strip_prefix("net/").filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(bits) = bits {
            return bits.parse().ok().filter(|bits| *bits <= 32).map(Self::Net);
        }
        WORDS.iter().find(|(known, ..)| *known == word).map(|(_, key, _)| *key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, WORDS.iter().find(|(_, key, _)| key == self)) {
            (_, Some((word, ..))) => f.write_str(word),
            (Self::Net(bits), _) => write!(f, "net/{bits}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

/// The network of an address, of so many bits if it is one of IPv4.
#[must_use]
pub fn network(address: IpAddr, bits_v4: u8) -> String {
    match address {
        IpAddr::V4(v4) => format!("{}/{bits_v4}", Ipv4Addr::from_bits(v4.to_bits() & ones_v4(bits_v4))),
        IpAddr::V6(v6) => {
            let network = Ipv6Addr::from_bits(v6.to_bits() & ones_v6(NET_BITS_V6));
            format!("{network}/{NET_BITS_V6}")
        }
    }
}

/// Keys that a group may have.
pub const MAX_KEYS: usize = 4;

/// What makes connections one row: all that these keys show. Without keys rows are connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group([Option<Key>; MAX_KEYS]);

impl Group {
    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.into_iter().flatten()
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.0[0].is_some()
    }

    /// The next of the groups with one key, from none through all of them and back to none.
    #[must_use]
    pub fn next(&self) -> Self {
        let cycle = || WORDS.iter().map(|(_, key, _)| *key);
        let next = match self.0[0] {
            None => cycle().next(),
            Some(now) => cycle().skip_while(|key| *key != now).nth(1),
        };
        Self([next, None, None, None])
    }

    /// Whether one of them asks who is behind a flow.
    #[must_use]
    pub fn asks_owner(&self) -> bool {
        self.keys().any(Key::asks_owner)
    }

    /// Reads `pod,peer`; an empty text has no keys.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut group = Self::default();
        let words = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
        for (index, word) in words.enumerate() {
            let key = Key::parse(word).ok_or_else(right)?;
            let slot = group.0.get(index).ok_or_else(|| format!("give at most {MAX_KEYS} of them"))?;
            debug_assert!(slot.is_none(), "slots are filled in order");
            if group.keys().any(|known| known == key) {
                return Err(format!("give each of them once; {key} is there twice"));
            }
            group.0[index] = Some(key);
        }
        Ok(group)
    }
}

/// Every word.
fn right() -> String {
    let words: Vec<_> = WORDS.iter().map(|(word, ..)| *word).collect();
    format!("give one or more of {}, net/24", words.join(", "))
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.keys().map(|key| key.to_string()).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::column;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in [
            "",
            "pod",
            "pod,peer",
            "net/24,label",
            "flow,process,user,unit",
            "net/0",
            "local-port,remote-port",
        ] {
            assert_eq!(Group::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Group::parse(" pod , peer").unwrap().to_string(), "pod,peer");
    }

    #[test]
    fn every_key_has_its_turn_and_then_none() {
        let (mut group, mut seen) = (Group::default().next(), Vec::new());
        while group.is_some() {
            seen.push(group.to_string());
            group = group.next();
        }
        assert_eq!(seen, WORDS.map(|(word, ..)| word));
        assert_eq!(Group::parse("label,pod").unwrap().next(), Group::default());
    }

    #[test]
    fn what_is_no_key_is_told_what_is() {
        let all = "give one or more of flow, peer, host, local-port, remote-port, process, user, unit, container, \
                   pod, namespace, netns, label, net/24";
        for text in ["pods", "net/33", "net/", "net/+4", "pod,", "pod,,peer", "Pod"] {
            assert_eq!(Group::parse(text).unwrap_err(), all, "{text}");
        }
        assert!(Group::parse("pod,pod").unwrap_err().contains("pod is there twice"));
        assert_eq!(Group::parse("pod,peer,user,unit,label").unwrap_err(), "give at most 4 of them");
    }

    #[test]
    fn every_field_of_a_key_is_a_column() {
        for (_, key, fields) in WORDS {
            assert_eq!(key.fields(), fields);
            assert!(column::parse(&fields.join(",")).is_ok(), "{key}");
        }
        assert_eq!(Key::Net(24).fields(), [NET_FIELD]);
    }

    #[test]
    fn a_network_has_the_bits_asked_for_or_64() {
        assert_eq!(network("10.1.2.3".parse().unwrap(), 24), "10.1.2.0/24");
        assert_eq!(network("10.1.2.3".parse().unwrap(), 0), "0.0.0.0/0");
        assert_eq!(network("2001:db8:1:2:3::4".parse().unwrap(), 24), "2001:db8:1:2::/64");
    }
}
