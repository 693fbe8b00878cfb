//! Rows as a person reads them: connections that look the same are one row, which is their sum.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use foldhash::fast::RandomState;

use super::{Rank, Row, arrange, connections};
use crate::core::ledger::{Entry, Ledger};
use crate::core::owner::{Seen, why};
use crate::core::view::{Grouping, PortDisplay, Sort, View};
use crate::core::window::{Bytes, Rates};

#[cfg(test)]
mod tests;

/// A host as it is shown. IPv4 and IPv6 never merge, not even hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// All IPv4 hosts.
    HiddenV4,
    /// All IPv6 hosts.
    HiddenV6,
    /// One host.
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
    /// Who it is, or why nobody is known.
    pub why: &'static str,
}

impl EndOwner {
    fn of(entry: &Entry) -> Self {
        Self { seen: entry.owner(), users: entry.users().count(), why: why(entry) }
    }
}

/// One end of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The host.
    pub host: Host,
    /// The port, if it is shown.
    pub port: Option<u16>,
    /// The owner, if it is shown and the end is on this host.
    pub owner: Option<EndOwner>,
}

impl End {
    /// Length of what [`Self::write_into`] writes.
    const BYTES: usize = 20;

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

/// What tells rows apart: both ends as they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// The left end.
    pub source: End,
    /// The right end.
    pub destination: End,
}

impl Ends {
    pub(super) fn new(row: &Row<'_>, grouping: Grouping) -> Self {
        let (ports, tuple) = (grouping.ports, &row.tuple);
        let here = Some(row.entry).filter(|_| grouping.owners && !row.turned);
        let there = row.right().map(|(_, entry)| entry).filter(|_| grouping.owners);
        Self {
            source: End::new(tuple.local, grouping.hide_source, ports.source(), here),
            destination: End::new(tuple.remote, grouping.hide_destination, ports.destination(), there),
        }
    }

    pub(super) fn mirror(self) -> Self {
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

/// Connections that look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedRow {
    /// How they look.
    pub ends: Ends,
    /// The sum of their rates.
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
}

/// The rows of a view; `host_text` is a host as it is displayed.
#[must_use]
pub fn rows(ledger: &Ledger, view: &View, host_text: impl Fn(Host) -> String) -> Vec<MergedRow> {
    let host = |ends: &Ends| match view.sort {
        Sort::Source => host_text(ends.source.host),
        Sort::Destination => host_text(ends.destination.host),
        _ => String::new(),
    };
    let merged = merge(ledger, view.grouping).into_iter();
    let rows = merged.map(|(ends, (rates, bytes))| MergedRow { ends, rates, bytes });
    let ranked = rows.map(|row| (Rank::new(view, host(&row.ends), &row.rates, row.bytes), row));
    arrange(ranked.collect(), view.limit, |row| row.ends)
}

type Sums = HashMap<Ends, (Rates, Bytes), RandomState>;

fn merge(ledger: &Ledger, grouping: Grouping) -> Sums {
    // At most one each: growing step by step would cost more than the merging.
    let mut sums = Sums::with_capacity_and_hasher(ledger.entries().size_hint().0, RandomState::default());
    for row in connections(ledger) {
        add(&mut sums, Ends::new(&row, grouping), row.rates, row.bytes);
    }
    if grouping == Grouping::default() {
        join_mirrored(&mut sums);
    }
    sums
}

fn add(sums: &mut Sums, ends: Ends, rates: Rates, bytes: Bytes) {
    let sum = sums.entry(ends).or_default();
    sum.0 += rates;
    sum.1 += bytes;
}

/// Two hosts are one row also when both are here and each has connected to the other: the lower address is left then.
fn join_mirrored(sums: &mut Sums) {
    let twice: Vec<Ends> = sums
        .keys()
        .filter(|ends| **ends > ends.mirror() && sums.contains_key(&ends.mirror()))
        .copied()
        .collect();
    for ends in twice {
        if let Some((rates, bytes)) = sums.remove(&ends) {
            add(sums, ends.mirror(), rates.mirror(), bytes.mirror());
        }
    }
}

/// The rows of the moment when the order was frozen. They stay, in their order, and their values go on; later
/// connections that look different have no row.
#[derive(Clone, Debug)]
pub struct Frozen {
    grouping: Grouping,
    order: Vec<Ends>,
}

impl Frozen {
    /// Freezes these rows of a view.
    #[must_use]
    pub fn new(view: &View, rows: &[MergedRow]) -> Self {
        Self { grouping: view.grouping, order: rows.iter().map(|row| row.ends).collect() }
    }

    /// The frozen rows with the values of now.
    #[must_use]
    pub fn rows(&self, ledger: &Ledger) -> Vec<MergedRow> {
        let sums = merge(ledger, self.grouping);
        let now = |&ends: &Ends| {
            let turned = || sums.get(&ends.mirror()).map(|(rates, bytes)| (rates.mirror(), bytes.mirror()));
            let same_hosts = self.grouping.ports == PortDisplay::Off;
            let found = sums.get(&ends).copied().or_else(|| turned().filter(|_| same_hosts));
            let (rates, bytes) = found.unwrap_or_default();
            MergedRow { ends, rates, bytes }
        };
        self.order.iter().map(now).collect()
    }
}
