//! Which two flows are the two ends of one connection.
//!
//! The ends of a connection have mirrored tuples. A tuple may be used again and again between two samples, and two
//! network namespaces may use the same addresses, so a mirrored tuple alone proves nothing: the ends are looked for
//! in one namespace first, in the order in which they were opened, and across namespaces only where one namespace
//! on each side can be meant.

use std::cmp::Ordering;
use std::collections::HashSet;

use flowtop_common::FlowKey;

use super::Entry;
use super::flows::Flows;
use crate::core::filter::Side;
use crate::core::flow::{Role, Tuple};

/// How a flow stands to its connection. Links are mutual, and once made they stay.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// The other end is not on this host, or not visible.
    Alone,
    /// The left end of a connection; the other one is this flow.
    Left(Box<FlowKey>),
    /// The right end of a connection; the other one is this flow.
    Right(Box<FlowKey>),
}

impl Link {
    pub(super) fn peer(&self) -> Option<&FlowKey> {
        match self {
            Self::Alone => None,
            Self::Left(peer) | Self::Right(peer) => Some(peer),
        }
    }
}

/// A flow of the newest sample that has no other end yet.
struct Candidate {
    /// The tuple of the side that sorts first: the same for both ends.
    connection: Tuple,
    netns: u32,
    opened_ns: u64,
    key: FlowKey,
    /// Whether the flow's own tuple is the mirrored one.
    mirrored: bool,
    newborn: bool,
    role: Role,
    side: Side,
}

impl Candidate {
    fn new(key: &FlowKey, entry: &Entry, newborn: bool) -> Self {
        let (connection, mirrored) = connection(&Tuple::of(key));
        Self {
            connection,
            netns: key.netns,
            opened_ns: entry.flow.opened_ns,
            key: *key,
            mirrored,
            newborn,
            role: Role::of(entry.flow.flags),
            side: entry.side,
        }
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

/// Links the newborn flows with their other ends. Only a pair with a newborn in it is made: two flows that have been
/// counted apart for a while stay apart, or the totals would fall.
pub(super) fn join(flows: &mut Flows, newborn: &[FlowKey], sample: u64) {
    let mut candidates = candidates(flows, newborn, sample);
    candidates.sort_unstable_by(|a, b| {
        (a.connection, a.netns).cmp(&(b.connection, b.netns)).then_with(|| a.chronologically(b))
    });
    let mut pairs = Vec::new();
    for group in candidates.chunk_by_mut(|a, b| a.connection == b.connection) {
        join_group(group, &mut pairs);
    }
    link_all(flows, pairs);
}

/// Links left ends with their right ends.
pub(super) fn link_all(flows: &mut Flows, pairs: impl IntoIterator<Item = (FlowKey, FlowKey)>) {
    for (left, right) in pairs {
        link(flows, &left, Link::Left(Box::new(right)));
        link(flows, &right, Link::Right(Box::new(left)));
    }
}

/// The newborn flows, and the older ones of this sample that may be the other end of one.
fn candidates(flows: &Flows, newborn: &[FlowKey], sample: u64) -> Vec<Candidate> {
    if newborn.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<Tuple> = newborn.iter().map(|key| connection(&Tuple::of(key)).0).collect();
    let newborn: HashSet<&FlowKey> = newborn.iter().collect();
    let single = flows.iter().filter(|(_, entry)| entry.seen == sample && matches!(entry.link, Link::Alone));
    let of_interest = single.filter(|(key, _)| wanted.contains(&connection(&Tuple::of(key)).0));
    of_interest.map(|(key, entry)| Candidate::new(key, entry, newborn.contains(key))).collect()
}

/// Finds the pairs among the flows of one connection's name, sorted by namespace and time.
fn join_group(group: &mut [Candidate], pairs: &mut Vec<(FlowKey, FlowKey)>) {
    if group.len() < 2 {
        return;
    }
    let mut joined = HashSet::new();
    for namespace in group.chunk_by(|a, b| a.netns == b.netns) {
        join_in_order(&namespace.iter().collect::<Vec<_>>(), &mut joined, pairs);
    }
    let mut rest: Vec<&Candidate> =
        group.iter().filter(|candidate| !joined.contains(&candidate.key)).collect();
    let one_namespace = |mirrored| {
        let mut side = rest.iter().filter(|candidate| candidate.mirrored == mirrored).map(|c| c.netns);
        side.next().is_some_and(|first| side.all(|netns| netns == first))
    };
    if !group[0].connection.stays_on_host() && one_namespace(false) && one_namespace(true) {
        rest.sort_unstable_by(|a, b| a.chronologically(b));
        join_in_order(&rest, &mut joined, pairs);
    }
}

/// Pairs neighbours in time that are opposite ends: a connection's ends are opened after those of the connection that
/// had its tuple before, and before those of the next.
fn join_in_order(flows: &[&Candidate], joined: &mut HashSet<FlowKey>, pairs: &mut Vec<(FlowKey, FlowKey)>) {
    let mut flows = flows.iter().peekable();
    while let Some(one) = flows.next() {
        let Some(other) = flows.next_if(|other| other.mirrored != one.mirrored) else { continue };
        if !one.newborn && !other.newborn {
            continue;
        }
        joined.extend([one.key, other.key]);
        let one_leads = one.role.leads(other.role, &Tuple::of(&one.key));
        pairs.push(if one.side.is_left(one_leads) { (one.key, other.key) } else { (other.key, one.key) });
    }
}

fn link(flows: &mut Flows, key: &FlowKey, link: Link) {
    if let Some(entry) = flows.get_mut(key) {
        entry.link = link;
        // The left end's verdict is now that of both.
        entry.judged = false;
    }
}
