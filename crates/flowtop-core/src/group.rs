//! The keys of `--by` and the fields that each of them shows.
//!
//! Not in here: the sums (`rows::grouped`).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::label::{ones_v4, ones_v6};

/// One thing that connections can have in common. What is called local is the left end: the initiator where both ends
/// are on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Both addresses and ports, and the network namespace.
    Flow,
    Peer,
    Host,
    LocalPort,
    RemotePort,
    /// Number and name of the process.
    Process,
    /// The effective user of the process.
    User,
    Unit,
    Container,
    Pod,
    Namespace,
    /// The controller of the pod, and its namespace.
    Workload,
    Netns,
    /// The pod that has the network namespace, and its namespace.
    NetnsPod,
    /// The network of the remote address with so many bits, 64 for IPv6.
    Net(u8),
    /// The label of the remote address.
    Label,
    /// The pod of this host that has the remote address, and its namespace.
    RemotePod,
}

/// A key's word, fields and titles.
struct Word {
    key: Key,
    /// Spelling in `--by`.
    text: &'static str,
    fields: &'static [&'static str],
    /// Name of one row and of several.
    names: [&'static str; 2],
}

const fn word(
    text: &'static str,
    key: Key,
    fields: &'static [&'static str],
    names: [&'static str; 2],
) -> Word {
    Word { key, text, fields, names }
}

/// Every key but a network, which has a form of its own.
const WORDS: [Word; 16] = [
    word(
        "flow",
        Key::Flow,
        &["local_addr", "local_port", "remote_addr", "remote_port", "netns"],
        ["flow", "flows"],
    ),
    word("peer", Key::Peer, &["remote_addr"], ["remote host", "remote hosts"]),
    word("host", Key::Host, &["local_addr"], ["local host", "local hosts"]),
    word("local-port", Key::LocalPort, &["local_port"], ["local port", "local ports"]),
    word("remote-port", Key::RemotePort, &["remote_port"], ["remote port", "remote ports"]),
    word("process", Key::Process, &["pid", "comm"], ["process", "processes"]),
    word("user", Key::User, &["user"], ["user", "users"]),
    word("unit", Key::Unit, &["unit"], ["unit", "units"]),
    word("container", Key::Container, &["container_id", "container"], ["container", "containers"]),
    word("pod", Key::Pod, &["namespace", "pod"], ["pod", "pods"]),
    word("namespace", Key::Namespace, &["namespace"], ["namespace", "namespaces"]),
    word("workload", Key::Workload, &["namespace", "workload"], ["workload", "workloads"]),
    word("netns", Key::Netns, &["netns"], ["network namespace", "network namespaces"]),
    word("netns-pod", Key::NetnsPod, &["netns_namespace", "netns_pod"], ["pod of a netns", "pods of netns"]),
    word("label", Key::Label, &["label"], ["label", "labels"]),
    word("remote-pod", Key::RemotePod, &["remote_namespace", "remote_pod"], ["remote pod", "remote pods"]),
];

/// The keys that take their turns on a screen, after rows that are flows.
const TURNS: [Key; 15] = [
    Key::Peer,
    Key::LocalPort,
    Key::Process,
    Key::Pod,
    Key::Container,
    Key::Namespace,
    Key::Workload,
    Key::Unit,
    Key::User,
    Key::Label,
    Key::Netns,
    Key::Host,
    Key::RemotePort,
    Key::RemotePod,
    Key::NetnsPod,
];

/// The field of a network. Where a group has several, those behind the first one have their bits in the name.
const NET_FIELD: &str = "remote_net";

/// The same name with each number of bits, as `remote_net_24`.
const NET_FIELDS: [&str; 33] = {
    macro_rules! fields {
        ($($bits:literal)*) => { [$(concat!("remote_net_", $bits)),*] };
    }
    fields!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
};

/// Whether some group has a network under this name.
#[must_use]
pub fn is_net_field(name: &str) -> bool {
    name == NET_FIELD || NET_FIELDS.contains(&name)
}

/// Bits of a network of IPv6.
const NET_BITS_V6: u8 = 64;

impl Key {
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        self.word().map_or(&[NET_FIELD], |word| word.fields)
    }

    /// Name of one row and of several.
    #[must_use]
    pub fn names(self) -> [&'static str; 2] {
        self.word().map_or(["remote network", "remote networks"], |word| word.names)
    }

    /// Whether its fields are two names of one thing.
    #[must_use]
    pub const fn has_two_names(self) -> bool {
        matches!(self, Self::Container | Self::Pod | Self::Workload | Self::NetnsPod | Self::RemotePod)
    }

    /// Whether it is about the right end.
    #[must_use]
    pub const fn is_remote(self) -> bool {
        matches!(self, Self::Peer | Self::RemotePort | Self::Net(_) | Self::Label | Self::RemotePod)
    }

    fn word(self) -> Option<&'static Word> {
        WORDS.iter().find(|word| word.key == self)
    }

    /// Whether it asks who is behind a flow, at either end.
    #[must_use]
    pub const fn asks_owner(self) -> bool {
        use Key::{Container, Namespace, NetnsPod, Pod, Process, RemotePod, Unit, User, Workload};
        matches!(self, Process | User | Unit | Container | Pod | Namespace | Workload | NetnsPod | RemotePod)
    }

    /// Whether it tells the owners of ends apart. A group with such a key is one of ends: of a connection with both ends
    /// on this host each counts with what it has sent and received itself.
    #[must_use]
    pub const fn is_of_end(self) -> bool {
        use Key::{Container, Namespace, Netns, NetnsPod, Pod, Process, Unit, User, Workload};
        matches!(self, Process | User | Unit | Container | Pod | Namespace | Workload | Netns | NetnsPod)
    }

    fn parse(word: &str) -> Option<Self> {
        let bits = word.strip_prefix("net/").filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(bits) = bits {
            return bits.parse().ok().filter(|bits| *bits <= 32).map(Self::Net);
        }
        WORDS.iter().find(|known| known.text == word).map(|known| known.key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.word()) {
            (_, Some(known)) => f.write_str(known.text),
            (Self::Net(bits), _) => write!(f, "net/{bits}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

/// The network of an address, of so many bits if it is one of IPv4: its first address, and its bits.
#[must_use]
pub fn masked(address: IpAddr, bits_v4: u8) -> (IpAddr, u8) {
    match address {
        IpAddr::V4(v4) => (Ipv4Addr::from_bits(v4.to_bits() & ones_v4(bits_v4)).into(), bits_v4),
        IpAddr::V6(v6) => (Ipv6Addr::from_bits(v6.to_bits() & ones_v6(NET_BITS_V6)).into(), NET_BITS_V6),
    }
}

/// Keys that a group may have.
pub const MAX_KEYS: usize = 4;

/// A field of a group's rows, and where its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, which no other field of the group has.
    pub name: &'static str,
    /// Which key of the group has it.
    pub key: usize,
    /// Which value of that key it is.
    pub value: usize,
}

/// Keys that connections are grouped by. Without keys rows are connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group([Option<Key>; MAX_KEYS]);

impl Group {
    /// Keys in the order that the user gave.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.into_iter().flatten()
    }

    /// The fields of its keys, each name once: where two keys show the same thing, as `pod` and `namespace` do, the first
    /// one has the field.
    pub fn columns(&self) -> impl Iterator<Item = Column> + use<> {
        let mut columns: Vec<Column> = Vec::new();
        for (key, its) in self.keys().enumerate() {
            for (value, &name) in its.fields().iter().enumerate() {
                let is_taken = columns.iter().any(|column| column.name == name);
                let name = match its {
                    Key::Net(bits) if is_taken => NET_FIELDS[usize::from(bits)],
                    _ if is_taken => continue,
                    _ => name,
                };
                columns.push(Column { name, key, value });
            }
        }
        columns.into_iter()
    }

    /// Whether rows are groups.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.0[0].is_some()
    }

    /// Whether its rows are of ends instead of connections.
    #[must_use]
    pub fn groups_ends(&self) -> bool {
        self.keys().any(Key::is_of_end)
    }

    /// The group whose turn it is after this one, or before it: from none, which are flows, to those with one key that
    /// say most, and round again. `first` has a turn of its own, in front of all others.
    #[must_use]
    pub fn turn(self, forward: bool, first: Self) -> Self {
        let single = |key| Self([Some(key), None, None, None]);
        let mut turns: Vec<Self> = TURNS.into_iter().map(single).collect();
        turns.insert(0, Self::default());
        if !turns.contains(&first) {
            turns.insert(0, first);
        }
        let now = turns.iter().position(|turn| *turn == self).unwrap_or(0);
        turns[(now + if forward { 1 } else { turns.len() - 1 }) % turns.len()]
    }

    /// Name of the rows, as the title of a report has it.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<_> = self.keys().map(|key| key.names()[1]).collect();
        if names.is_empty() { "flows".to_owned() } else { names.join(" and ") }
    }

    /// Whether one of them asks who is behind a flow.
    #[must_use]
    pub fn asks_owner(&self) -> bool {
        self.keys().any(Key::asks_owner)
    }

    /// Reads `pod,peer`; an empty text has no keys.
    ///
    /// # Errors
    /// A word that is no key, a key too many, or one that is there twice.
    pub fn parse(text: &str) -> Result<Self, GroupError> {
        let mut group = Self::default();
        let words = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
        for (index, word) in words.enumerate() {
            let key = Key::parse(word).ok_or(GroupError::NoKey)?;
            let slot = group.0.get(index).ok_or(GroupError::TooMany)?;
            debug_assert!(slot.is_none(), "slots are filled in order");
            if group.keys().any(|known| known == key) {
                return Err(GroupError::Twice(key));
            }
            group.0[index] = Some(key);
        }
        Ok(group)
    }
}

/// Every key as it is written in `--by`; `net/24` stands for networks of any length.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|known| known.text).chain(["net/24"])
}

/// A text that is no list of keys. The sentence says what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    #[error("give one or more of {}", words().collect::<Vec<_>>().join(", "))]
    NoKey,
    #[error("give at most {MAX_KEYS} of them")]
    TooMany,
    #[error("give each of them once; {0} is there twice")]
    Twice(Key),
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
    use crate::column;

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
            "pod,remote-pod",
        ] {
            assert_eq!(Group::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Group::parse(" pod , peer").unwrap().to_string(), "pod,peer");
    }

    #[test]
    fn keys_take_turns_from_flows_to_flows_and_the_first_group_has_one_too() {
        let first = Group::parse("pod,peer").unwrap();
        let (mut group, mut seen) = (first, Vec::new());
        while seen.is_empty() || group != first {
            seen.push(group.to_string());
            assert_eq!(group.turn(true, first).turn(false, first), group);
            group = group.turn(true, first);
        }
        let turns = ["pod,peer", "", "peer", "local-port", "process", "pod"];
        assert_eq!((&seen[..6], seen.len()), (&turns.map(str::to_owned)[..], TURNS.len() + 2));
        assert_eq!(Group::default().turn(false, Group::default()).to_string(), "netns-pod");
    }

    #[test]
    fn rows_are_called_what_they_are() {
        let names = |text| Group::parse(text).unwrap().names();
        assert_eq!([names(""), names("pod,net/24")], ["flows", "pods and remote networks"]);
    }

    #[test]
    fn what_is_no_key_is_told_what_is() {
        let all = "give one or more of flow, peer, host, local-port, remote-port, process, user, unit, container, \
                   pod, namespace, workload, netns, netns-pod, label, remote-pod, net/24";
        for text in ["pods", "net/33", "net/", "net/+4", "pod,", "pod,,peer", "Pod"] {
            assert_eq!(Group::parse(text).unwrap_err().to_string(), all, "{text}");
        }
        assert_eq!(Group::parse("pod,pod"), Err(GroupError::Twice(Key::Pod)));
        assert_eq!(
            Group::parse("pod,peer,user,unit,label").unwrap_err().to_string(),
            "give at most 4 of them"
        );
    }

    #[test]
    fn every_field_of_a_key_is_a_column() {
        for Word { key, fields, .. } in WORDS {
            assert_eq!(key.fields(), fields);
            assert!(column::parse(&fields.join(",")).is_ok(), "{key}");
        }
        assert_eq!(Key::Net(24).fields(), [NET_FIELD]);
    }

    #[test]
    fn no_two_fields_of_a_group_have_one_name() {
        let words = WORDS.iter().map(|word| word.text).chain(["net/24", "net/16"]);
        for pair in words.clone().flat_map(|a| words.clone().map(move |b| format!("{a},{b}"))) {
            let Ok(group) = Group::parse(&pair) else { continue };
            let names: Vec<_> = group.columns().map(|column| column.name).collect();
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            assert_eq!(names.len(), distinct.len(), "{pair}: {names:?}");
            let mut of_keys = group.keys().flat_map(Key::fields);
            let net = |name: &str| if is_net_field(name) { NET_FIELD.to_owned() } else { name.to_owned() };
            assert!(of_keys.all(|name| names.iter().any(|known| net(known) == *name)), "{pair}");
        }
        let names = |text| Group::parse(text).unwrap().columns().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(names("namespace,pod"), ["namespace", "pod"]);
        assert_eq!(names("net/24,net/16"), ["remote_net", "remote_net_16"]);
    }

    #[test]
    fn a_network_has_the_bits_asked_for_or_64() {
        let network = |text: &str, bits| {
            let (first, bits) = masked(text.parse().unwrap(), bits);
            format!("{first}/{bits}")
        };
        assert_eq!(network("10.1.2.3", 24), "10.1.2.0/24");
        assert_eq!(network("10.1.2.3", 0), "0.0.0.0/0");
        assert_eq!(network("2001:db8:1:2:3::4", 24), "2001:db8:1:2::/64");
    }
}
