//! Pairs the two flows that are the two ends of one connection.
//!
//! The ends of a connection have mirrored tuples. A tuple may be used again and again between two samples, and two
//! network namespaces may use the same addresses, and a proxy may keep both addresses and ports, so a mirrored tuple alone
//! proves nothing. The initial sequence numbers do: ends whose numbers cross are paired wherever they are, and ends whose
//! numbers do not are none. Where they are unknown, the ends are looked for in one namespace first, in the order in which
//! they were opened, and across namespaces only where one namespace on each side can be meant.

use alloc::vec::Vec;
use core::cmp::Ordering;
use hashbrown::HashSet;

use flowtop_common::FlowKey;

use super::Entry;
use super::flows::Flows;
use super::origins::{Origins, Sequence};
use crate::filter::Side;
use crate::flow::{Role, Tuple};

/// A flow of the newest sample that has no other end yet.
struct Candidate {
    /// The tuple of the side that sorts first: the same for both ends.
    connection: Tuple,
    netns: u32,
    opened_ns: u64,
    key: FlowKey,
    place: u32,
    /// Whether the flow's own tuple is the mirrored one.
    mirrored: bool,
    newborn: bool,
    role: Role,
    side: Side,
    sequence: Sequence,
}

impl Candidate {
    fn new(key: &FlowKey, entry: &Entry, origins: Origins, newborn: bool) -> Self {
        let (connection, mirrored) = connection(&Tuple::of(key));
        Self {
            connection,
            netns: key.netns,
            opened_ns: entry.kept.opened_ns,
            key: *key,
            place: entry.place,
            mirrored,
            newborn,
            role: entry.role(),
            side: entry.side,
            sequence: Sequence::of(origins, entry.kept.bytes, entry.flow_flags()),
        }
    }

    /// Whether the two can be the ends of one connection.
    fn fits(&self, other: &Self) -> bool {
        self.mirrored != other.mirrored && self.sequence.fits(other.sequence)
    }

    /// The same for both ends of a connection.
    fn origins(&self) -> Origins {
        if self.mirrored { self.sequence.origins.crossed() } else { self.sequence.origins }
    }

    fn chronologically(&self, other: &Self) -> Ordering {
        (self.opened_ns, self.key).cmp(&(other.opened_ns, other.key))
    }
}

/// One name for both ends of a connection, and whether it is the mirrored one.
fn connection(tuple: &Tuple) -> (Tuple, bool) {
    let mirror = tuple.mirror();
    if mirror < *tuple { (mirror, true) } else { (*tuple, false) }
}

/// The newborn flows with their other ends: the left one of each pair, and the right one. Only a pair with a newborn in it
/// is made: two flows that have been counted apart for a while stay apart, or the totals would fall. `newborn` is sorted.
pub(super) fn pairs(flows: &Flows, newborn: &[u32], sample: u32) -> Vec<(u32, u32)> {
    let mut candidates = candidates(flows, newborn, sample);
    candidates.sort_unstable_by(|a, b| {
        (a.connection, a.netns).cmp(&(b.connection, b.netns)).then_with(|| a.chronologically(b))
    });
    let mut pairs = Vec::new();
    for group in candidates.chunk_by_mut(|a, b| a.connection == b.connection) {
        join_group(group, &mut pairs);
    }
    pairs
}

/// The newborn flows that may have another end here, and the other flows of this sample that may be it.
fn candidates(flows: &Flows, newborn: &[u32], sample: u32) -> Vec<Candidate> {
    let mut numbers: Vec<u64> = newborn.iter().map(|place| flows.number_of_ends(*place)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut places = Vec::new();
    for number in numbers {
        let known = places.len();
        let single = flows.single(number).filter(|entry| entry.seen == sample);
        places.extend(single.map(|entry| entry.place));
        if places.len() == known + 1 {
            places.pop();
        }
    }
    let found = places.iter().filter_map(|place| Some((flows.at(*place)?, flows.origins(*place))));
    found
        .map(|((key, entry), origins)| {
            Candidate::new(key, entry, origins, newborn.binary_search(&entry.place).is_ok())
        })
        .collect()
}

/// Finds the pairs among the flows of one connection's name, sorted by namespace and time.
fn join_group(group: &mut [Candidate], pairs: &mut Vec<(u32, u32)>) {
    if group.len() < 2 {
        return;
    }
    let mut joined = HashSet::new();
    join_by_origins(group, &mut joined, pairs);
    for namespace in group.chunk_by(|a, b| a.netns == b.netns) {
        let rest: Vec<_> = namespace.iter().filter(|flow| !joined.contains(&flow.place)).collect();
        join_in_order(&rest, &mut joined, pairs);
    }
    let mut rest: Vec<&Candidate> =
        group.iter().filter(|candidate| !joined.contains(&candidate.place)).collect();
    let one_namespace = |mirrored| {
        let mut side = rest.iter().filter(|candidate| candidate.mirrored == mirrored).map(|c| c.netns);
        side.next().is_some_and(|first| side.all(|netns| netns == first))
    };
    if !group[0].connection.stays_on_host() && one_namespace(false) && one_namespace(true) {
        rest.sort_unstable_by(|a, b| a.chronologically(b));
        join_in_order(&rest, &mut joined, pairs);
    }
}

/// Pairs ends whose sequence numbers cross, in whatever namespaces.
fn join_by_origins(group: &[Candidate], joined: &mut HashSet<u32>, pairs: &mut Vec<(u32, u32)>) {
    let mut known: Vec<_> = group.iter().filter(|flow| flow.origins().are_known()).collect();
    known.sort_unstable_by(|a, b| a.origins().cmp(&b.origins()).then_with(|| a.chronologically(b)));
    for same in known.chunk_by(|a, b| a.origins() == b.origins()) {
        join_in_order(same, joined, pairs);
    }
}

/// Pairs neighbours in time that are opposite ends: a connection's ends are opened after those of the connection that
/// had its tuple before, and before those of the next.
fn join_in_order(flows: &[&Candidate], joined: &mut HashSet<u32>, pairs: &mut Vec<(u32, u32)>) {
    let mut flows = flows.iter().peekable();
    while let Some(one) = flows.next() {
        let Some(other) = flows.next_if(|other| one.fits(other)) else { continue };
        if !one.newborn && !other.newborn {
            continue;
        }
        joined.extend([one.place, other.place]);
        let one_leads = one.role.leads(other.role, &Tuple::of(&one.key));
        pairs.push(if one.side.beside(other.side).is_left(one_leads) {
            (one.place, other.place)
        } else {
            (other.place, one.place)
        });
    }
}
