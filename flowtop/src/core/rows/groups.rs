//! Rows of a screen: connections that belong together are one row, which is their sum. What belongs together is chosen
//! with [`By`]; a connection is in exactly one row, so the rows add up.
//!
//! Not in here: the order of the rows (`rows::table`).

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::merged::{End, Ends, Host};
use super::{Row, connections};
use crate::core::ledger::Ledger;
use crate::core::view::Grouping;
use crate::core::window::{Bytes, Rates};

#[cfg(test)]
mod tests;

/// What a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The connections that look the same, as iftop has them.
    #[default]
    Flow,
    /// A remote host.
    RemoteHost,
    /// A local port.
    LocalPort,
    /// A process.
    Process,
}

impl By {
    /// Everything that a row can be, in the order of Tab.
    pub const ALL: [Self; 4] = [Self::Flow, Self::RemoteHost, Self::LocalPort, Self::Process];

    /// What rows are called, in the plural.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flows",
            Self::RemoteHost => "remote hosts",
            Self::LocalPort => "local ports",
            Self::Process => "processes",
        }
    }

    /// The one so many steps further, round and round.
    #[must_use]
    pub fn step(self, forward: bool) -> Self {
        let n = Self::ALL.len();
        Self::ALL[(self as usize + if forward { 1 } else { n - 1 }) % n]
    }

    /// The row of a connection.
    pub(super) fn key(self, row: &Row<'_>, grouping: Grouping) -> Key {
        match self {
            Self::Flow => Key::Flow(Ends::new(row, grouping)),
            Self::RemoteHost => Key::RemoteHost(row.tuple.remote.ip()),
            Self::LocalPort => Key::LocalPort(row.tuple.local.port()),
            Self::Process => Key::Process(Process::of(row)),
        }
    }
}

/// What tells rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Both ends as they are shown.
    Flow(Ends),
    /// The remote host.
    RemoteHost(IpAddr),
    /// The local port.
    LocalPort(u16),
    /// The process of the left end.
    Process(Process),
}

impl Hash for Key {
    /// A few whole words: what the compiler would derive hashes every byte and every tag for itself.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut end = |end: &End| {
            state.write_u128(match end.host {
                Host::Shown(address) => number_of(address),
                Host::HiddenV4 => 1,
                Host::HiddenV6 => 2,
            });
            state.write_u32(end.port.map_or(u32::MAX, u32::from));
        };
        match self {
            Self::Flow(ends) => {
                end(&ends.source);
                end(&ends.destination);
            }
            Self::RemoteHost(address) => state.write_u128(number_of(*address)),
            Self::LocalPort(port) => state.write_u16(*port),
            Self::Process(process) => process.hash(state),
        }
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Key {
    /// The left end as a row shows it, if it is one.
    #[must_use]
    pub fn source(&self) -> Option<End> {
        if let Self::Flow(ends) = self { Some(ends.source) } else { None }
    }

    /// The right end as a row shows it, if it is one.
    #[must_use]
    pub fn destination(&self) -> Option<End> {
        match self {
            Self::Flow(ends) => Some(ends.destination),
            Self::RemoteHost(address) => Some(End { host: Host::Shown(*address), port: None, owner: None }),
            Self::LocalPort(_) | Self::Process(_) => None,
        }
    }
}

/// A process as the kernel saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Its id, 0 where none has been seen.
    pub pid: u32,
    /// Its name, NUL-padded.
    pub comm: [u8; 16],
}

impl Process {
    fn of(row: &Row<'_>) -> Self {
        let flow = row.entry.flow();
        Self { pid: flow.pid, comm: flow.comm }
    }
}

/// Whose the connections of a row are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody has been seen.
    #[default]
    Unknown,
    /// This process.
    One(Process),
    /// Several processes.
    Several,
}

impl Owner {
    fn of(row: &Row<'_>) -> Self {
        let process = Process::of(row);
        if process.pid == 0 { Self::Unknown } else { Self::One(process) }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (Self::One(a), Self::One(b)) if a.pid == b.pid => self,
            _ => Self::Several,
        }
    }
}

/// The sum of some connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Their rates.
    pub rates: Rates,
    /// Their bytes since the start.
    pub bytes: Bytes,
    /// How many they are.
    pub connections: u32,
    /// Whose they are.
    pub owner: Owner,
}

impl Sum {
    fn of(row: &Row<'_>) -> Self {
        Self { rates: row.rates, bytes: row.bytes, connections: 1, owner: Owner::of(row) }
    }

    /// Adds another sum of the same moment.
    pub fn add(&mut self, other: Self) {
        self.rates += other.rates;
        self.bytes += other.bytes;
        self.owner = if self.connections == 0 { other.owner } else { self.owner.and(other.owner) };
        self.connections += other.connections;
    }

    /// The same as the other end sees it.
    #[must_use]
    pub fn mirror(self) -> Self {
        Self { rates: self.rates.mirror(), bytes: self.bytes.mirror(), ..self }
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is.
    pub key: Key,
    /// What it holds.
    pub sum: Sum,
}

/// What makes rows of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouped {
    /// What a row is.
    pub by: By,
    /// What of the two ends is shown, where a row is of flows.
    pub grouping: Grouping,
}

impl Grouped {
    /// Whether two rows that mirror each other are one.
    fn joins_mirrored(self) -> bool {
        self.by == By::Flow && self.grouping == Grouping::default()
    }

    /// The rows of the connections that `keep` lets pass, in no order.
    #[must_use]
    pub fn sums(self, ledger: &Ledger, keep: &dyn Fn(&Row<'_>) -> bool) -> Sums {
        self.sums_in(Sums::default(), ledger, keep)
    }

    /// The same in the memory of other sums, which are forgotten: 100,000 rows are 20 MB that the kernel would have
    /// to give and take at every frame.
    #[must_use]
    pub fn sums_in(self, mut sums: Sums, ledger: &Ledger, keep: &dyn Fn(&Row<'_>) -> bool) -> Sums {
        sums.groups.clear();
        sums.places.clear();
        // Growing step by step would cost more than the summing.
        sums.places.reserve(ledger.entries().size_hint().0);
        for row in connections(ledger).filter(|row| keep(row)) {
            sums.add(self.by.key(&row, self.grouping), Sum::of(&row));
        }
        if self.joins_mirrored() {
            sums.join_mirrored();
        }
        sums
    }

    /// The connections of one row, in no order. Where mirrored rows are one, those of the mirror are turned.
    pub fn members(self, ledger: &Ledger, key: Key) -> impl Iterator<Item = (Row<'_>, bool)> {
        let mirrored = mirror(key).filter(|_| self.joins_mirrored());
        connections(ledger).filter_map(move |row| {
            let its = self.by.key(&row, self.grouping);
            let turned = its != key && Some(its) == mirrored;
            (its == key || turned).then_some((row, turned))
        })
    }
}

/// The same two hosts the other way round.
fn mirror(key: Key) -> Option<Key> {
    if let Key::Flow(ends) = key { Some(Key::Flow(ends.mirror())) } else { None }
}

/// Rows by what they are.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    groups: Vec<Group>,
    /// Where a row is among them; apart, because a small table is a fast one.
    places: HashMap<Key, u32, RandomState>,
}

impl Sums {
    fn add(&mut self, key: Key, sum: Sum) {
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.groups.push(Group { key, sum });
        } else {
            self.groups[place as usize].sum.add(sum);
        }
    }

    /// The rows, in no order.
    pub fn into_groups(self) -> impl Iterator<Item = Group> {
        self.groups.into_iter()
    }

    /// The rows that `keep` lets pass, in no order, and the memory of the rest for [`Grouped::sums_in`].
    pub fn take(&mut self, keep: impl FnMut(&Group) -> bool) -> Vec<Group> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.retain(keep);
        groups
    }

    /// Gives rows back whose memory can be used again.
    pub fn give_back(&mut self, groups: Vec<Group>) {
        self.groups = groups;
    }

    /// A row that may stand the other way round by now; an empty one if it is gone.
    #[must_use]
    pub fn get(&self, key: Key, grouped: Grouped) -> Sum {
        let at = |key: &Key| self.places.get(key).map(|place| self.groups[*place as usize].sum);
        let turned = || at(&mirror(key).filter(|_| grouped.joins_mirrored())?).map(Sum::mirror);
        at(&key).or_else(turned).unwrap_or_default()
    }

    /// Two hosts are one row also when both are here and each has connected to the other: the lower one is left then.
    fn join_mirrored(&mut self) {
        let is_twice =
            |key: &Key| mirror(*key).is_some_and(|other| *key > other && self.places.contains_key(&other));
        let twice: Vec<Group> = self.groups.iter().filter(|group| is_twice(&group.key)).copied().collect();
        if twice.is_empty() {
            return;
        }
        for group in twice {
            self.places.remove(&group.key);
            self.add(mirror(group.key).unwrap_or(group.key), group.sum.mirror());
        }
        self.groups.retain(|group| self.places.contains_key(&group.key));
        for (place, group) in (0..).zip(&self.groups) {
            self.places.insert(group.key, place);
        }
    }
}
