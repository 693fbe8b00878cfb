//! Keys of rows: both ends of a connection as they are shown, or the values of a group.
//!
//! Not in here: the sums (`rows::sums`), and how a screen writes it (`flowtop_view::state::label`).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use hashbrown::HashMap;
use hashbrown::HashSet;

use foldhash::fast::RandomState;

use super::Row;
use crate::flow::Tuple;
use crate::group::{self, Group, masked};
use crate::ledger::Entry;
use crate::ledger::status::OwnerStatus;
use crate::owner::{Identity, Pod, Seen};
use crate::record::Rest;
use crate::value::Value;
use crate::view::Grouping;
use crate::who::Who;

/// A host as it is shown. IPv4 and IPv6 never merge, not even hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// All IPv4 hosts.
    HiddenV4,
    /// All IPv6 hosts.
    HiddenV6,
    Shown(IpAddr),
}

impl Host {
    /// Whether the host is one of IPv6.
    #[must_use]
    pub const fn is_ipv6(self) -> bool {
        matches!(self, Self::HiddenV6 | Self::Shown(IpAddr::V6(_)))
    }
}

/// Whose an end is, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndOwner {
    /// The process, of several the busiest.
    pub seen: Seen,
    /// How many processes use the socket.
    pub users: u32,
    /// Whether the owner is known, and if not, why.
    pub status: OwnerStatus,
}

impl EndOwner {
    fn of(entry: &Entry) -> Self {
        Self { seen: entry.owner(), users: entry.users().count(), status: OwnerStatus::of(entry) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub host: Host,
    /// The port, if it is shown.
    pub port: Option<u16>,
    /// The owner, if it is shown and the end is on this host.
    pub owner: Option<EndOwner>,
}

impl End {
    /// Length of what [`Self::write_into`] writes.
    const BYTES: usize = 20;

    #[must_use]
    pub const fn of(end: SocketAddr) -> Self {
        Self { host: Host::Shown(end.ip()), port: Some(end.port()), owner: None }
    }

    /// The same bytes for the same end; nearly always others for another.
    fn write_into(self, bytes: &mut [u8]) {
        let (address, rest) = bytes.split_at_mut(16);
        rest[0] = match self.host {
            Host::HiddenV4 => 1,
            Host::HiddenV6 => 2,
            Host::Shown(IpAddr::V4(v4)) => {
                address[..4].copy_from_slice(&v4.octets());
                4
            }
            Host::Shown(IpAddr::V6(v6)) => {
                address.copy_from_slice(&v6.octets());
                6
            }
        };
        rest[1] = self.port.is_some().into();
        rest[2..].copy_from_slice(&self.port.unwrap_or_default().to_be_bytes());
    }

    fn new(end: SocketAddr, is_hidden: bool, has_port: bool, entry: Option<&Entry>) -> Self {
        let host = match (is_hidden, end.ip()) {
            (true, IpAddr::V4(_)) => Host::HiddenV4,
            (true, IpAddr::V6(_)) => Host::HiddenV6,
            (false, address) => Host::Shown(address),
        };
        Self { host, port: has_port.then(|| end.port()), owner: entry.map(EndOwner::of) }
    }
}

/// Both ends as they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    pub source: End,
    pub destination: End,
}

impl Ends {
    fn new(row: &Row<'_>, grouping: Grouping) -> Self {
        let (ports, tuple) = (grouping.ports, &row.tuple);
        let here = Some(row.entry).filter(|_| grouping.owners && !row.turned);
        let there = row.right().map(|(_, entry)| entry).filter(|_| grouping.owners);
        Self {
            source: End::new(tuple.local, grouping.hide_source, ports.source(), here),
            destination: End::new(tuple.remote, grouping.hide_destination, ports.destination(), there),
        }
    }

    pub(super) const fn mirror(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

/// All bytes at once: a derived hash takes them one field after the other, which takes longer than the rest of merging.
impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0; 2 * End::BYTES];
        let (source, destination) = bytes.split_at_mut(End::BYTES);
        self.source.write_into(source);
        self.destination.write_into(destination);
        state.write(&bytes);
    }
}

/// Value of one key of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cell {
    /// Both ends, and the inode number of the network namespace.
    Flow(Tuple, Option<u32>),
    Address(IpAddr),
    Port(u16),
    /// Number and name of a process.
    Process(Option<u32>, Option<Arc<str>>),
    /// Name; `None` if it is not known.
    Name(Option<Arc<str>>),
    /// The two names of something: a pod and its namespace, a container and its id.
    Names([Option<Arc<str>>; 2]),
    /// The inode number of a network namespace.
    Netns(Option<u32>),
    /// A network by its first address and its bits.
    Net(IpAddr, u8),
}

impl Cell {
    /// The names of a key in the order of its fields; of a key that has one name, the first of `names`.
    pub fn named(key: group::Key, names: [Option<Arc<str>>; 2]) -> Self {
        if key.has_two_names() {
            return Self::Names(names);
        }
        let [name, _] = names;
        Self::Name(name)
    }

    /// The values of the fields of its key, in their order, as many as there are fields.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let text =
            |text: &Option<Arc<str>>| text.as_deref().map_or(Value::Null, |t| Value::Text(t.to_owned()));
        let number = |number: &Option<u32>| number.map_or(Value::Null, Value::from);
        match self {
            Self::Flow(Tuple { local, remote }, netns) => {
                let end = |end: &SocketAddr| [Value::Address(end.ip()), u32::from(end.port()).into()];
                [&end(local)[..], &end(remote), &[number(netns)]].concat()
            }
            Self::Address(address) => vec![Value::Address(*address)],
            Self::Port(port) => vec![u32::from(*port).into()],
            Self::Process(pid, comm) => vec![number(pid), text(comm)],
            Self::Name(name) => vec![text(name)],
            Self::Names(names) => names.iter().map(text).collect(),
            Self::Netns(netns) => vec![number(netns)],
            Self::Net(address, bits) => vec![Value::Text(format!("{address}/{bits}"))],
        }
    }

    /// Value of a key for a group of a sparse record; `None` if the record does not have it.
    pub fn of_rest(key: group::Key, rest: &Rest, mut word: impl FnMut(&str) -> Arc<str>) -> Option<Self> {
        use group::Key;
        let texts = match key {
            Key::Process => return Some(Self::Process(None, rest.comm.as_deref().map(word))),
            Key::Label => [Some(&*rest.label), None],
            Key::User => [rest.user.as_deref(), None],
            Key::Unit => [rest.unit.as_deref(), None],
            Key::Namespace => [rest.namespace.as_deref(), None],
            Key::Container => [None, rest.container.as_deref()],
            Key::Pod => [rest.namespace.as_deref(), rest.pod.as_deref()],
            _ => return None,
        };
        Some(Self::named(key, texts.map(|text| text.map(&mut word))))
    }

    /// Whether nothing is known in this respect.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Process(None, None) | Self::Name(None) | Self::Names([None, None]) | Self::Netns(None)
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKey {
    /// Both ends as they are shown.
    Ends(Ends),
    /// For each key of a group what its connections have in common.
    Common(Box<[Cell]>),
    /// Flows that a sparse record has summed up without the values of the keys.
    SummedUp,
}

impl RowKey {
    /// The same two hosts the other way round.
    pub(super) fn mirror(&self) -> Option<Self> {
        if let Self::Ends(ends) = self { Some(Self::Ends(ends.mirror())) } else { None }
    }

    /// Values of a group, by key; empty if the row is no group.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        if let Self::Common(cells) = self { cells } else { &[] }
    }
}

/// How connections are merged into rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouped {
    /// Keys of groups; empty if rows are connections.
    pub by: Group,
    /// Parts of the two ends that are shown, if rows are connections.
    pub grouping: Grouping,
}

impl Grouped {
    /// Whether two rows that mirror each other are one.
    pub(super) fn joins_mirrored(self) -> bool {
        !self.by.is_some() && self.grouping == Grouping::default()
    }

    pub(super) fn key(self, row: &Row<'_>, cache: &mut IdentityCache<'_>) -> RowKey {
        if !self.by.is_some() {
            return RowKey::Ends(Ends::new(row, self.grouping));
        }
        RowKey::Common(self.by.keys().map(|key| cache.cell(key, row)).collect())
    }

    /// The row of what a sparse record has summed up.
    pub(super) fn key_of_rest(self, rest: &Rest, words: &mut Words) -> RowKey {
        if !self.by.is_some() {
            return RowKey::SummedUp;
        }
        let cells = self.by.keys().map(|key| Cell::of_rest(key, rest, |text| words.get(text)));
        cells.collect::<Option<_>>().map_or(RowKey::SummedUp, RowKey::Common)
    }
}

/// Texts of which there is one each.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(HashSet<Arc<str>, RandomState>);

impl Words {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    /// Forgets what no row has any more.
    pub(super) fn forget_unused(&mut self) {
        self.0.retain(|word| Arc::strong_count(word) > 1);
    }
}

/// Looks up identities for the rows of one pass, each process once.
pub struct IdentityCache<'a> {
    who: Who<'a>,
    words: &'a mut Words,
    identities: HashMap<Seen, Option<Arc<Identity>>, RandomState>,
}

impl<'a> IdentityCache<'a> {
    pub(super) fn new(who: Who<'a>, words: &'a mut Words) -> Self {
        Self { who, words, identities: HashMap::default() }
    }

    /// Identity of the process that a flow is shown with.
    pub fn identity(&mut self, entry: &Entry) -> Option<Arc<Identity>> {
        let (owners, seen) = (self.who.owners, entry.owner());
        self.identities.entry(seen).or_insert_with(|| owners.identity(&seen, entry.used_ns())).clone()
    }

    /// The label of the remote end.
    #[must_use]
    pub fn label(&self, row: &Row<'_>) -> &'a str {
        let same_host = row.right().is_some() || row.entry.is_on_host();
        self.who.labels.of(row.tuple.remote.ip(), same_host)
    }

    /// The pod of this host that has the remote address.
    #[must_use]
    pub fn remote_pod(&self, row: &Row<'_>) -> Option<Arc<Pod>> {
        self.who.owners.pod_at(row.tuple.remote.ip())
    }

    /// Value of a key for a row. Keys of an owner are those of the socket on this host: rows that have them are of
    /// ends.
    fn cell(&mut self, key: group::Key, row: &Row<'_>) -> Cell {
        use group::Key;
        let Tuple { local, remote } = row.tuple;
        match key {
            // The network namespace is known of the left end's socket only.
            Key::Flow => Cell::Flow(row.tuple, (!row.turned).then_some(row.key.netns)),
            Key::Peer => Cell::Address(remote.ip()),
            Key::Host => Cell::Address(local.ip()),
            Key::LocalPort => Cell::Port(local.port()),
            Key::RemotePort => Cell::Port(remote.port()),
            Key::Netns => Cell::Netns(Some(row.key.netns)),
            Key::Net(bits) => {
                let (network, bits) = masked(remote.ip(), bits);
                Cell::Net(network, bits)
            }
            Key::Label => Cell::Name(Some(self.words.get(self.label(row)))),
            Key::RemotePod => self.pod(self.remote_pod(row).as_deref()),
            Key::NetnsPod => self.pod(self.who.owners.pod_in(row.key.netns).as_deref()),
            Key::Process => self.process(row),
            Key::User => self.named(key, row, |identity| [identity.user.as_deref(), None]),
            Key::Unit => self.named(key, row, |identity| [identity.unit.as_deref(), None]),
            Key::Namespace => self.named(key, row, |identity| [identity.namespace.as_deref(), None]),
            Key::Container => self
                .named(key, row, |identity| [identity.short_container_id(), identity.container.as_deref()]),
            Key::Pod => {
                self.named(key, row, |identity| [identity.namespace.as_deref(), identity.pod.as_deref()])
            }
            Key::Workload => {
                self.named(key, row, |identity| [identity.namespace.as_deref(), identity.workload()])
            }
        }
    }

    fn pod(&mut self, pod: Option<&Pod>) -> Cell {
        let texts = pod.map(|pod| [pod.namespace.as_deref(), Some(pod.name.as_str())]);
        Cell::Names(texts.unwrap_or_default().map(|text| text.map(|text| self.words.get(text))))
    }

    /// The name that the process has now; of one that is gone the name that the kernel saw.
    fn process(&mut self, row: &Row<'_>) -> Cell {
        let seen = row.entry.owner();
        let comm = match self.identity(row.entry).as_deref().and_then(|identity| identity.comm.as_deref()) {
            Some(comm) => Some(self.words.get(comm)),
            None => seen.comm_text().map(|comm| self.words.get(&comm)),
        };
        Cell::Process(seen.number(), comm)
    }

    fn named(&mut self, key: group::Key, row: &Row<'_>, of: fn(&Identity) -> [Option<&str>; 2]) -> Cell {
        let identity = self.identity(row.entry);
        let texts = identity.as_deref().map_or([None; 2], of);
        Cell::named(key, texts.map(|text| text.map(|text| self.words.get(text))))
    }
}
