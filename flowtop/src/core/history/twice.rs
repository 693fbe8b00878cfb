//! Connections that are seen from two hosts, each of which has recorded an end: which end is counted.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use flowtop_common::{FlowKey, flags};
use foldhash::fast::RandomState;

use super::Question;
use super::boots::Boots;
use super::cover::{Stretch, by_end};
use crate::core::flow::Tuple;
use crate::core::record::{Host, Record};
use crate::core::window::Bytes;

/// Looks for such connections. It has to see all records that [`super::History`] will get, in the same order.
#[derive(Debug)]
pub struct Twice {
    question: Question,
    boots: Boots,
    /// The machine of each boot.
    machines: Vec<Host>,
    ends: HashMap<(usize, FlowKey), End, RandomState>,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
struct End {
    /// From the start of the first window that it was in to the end of the last one.
    life: Stretch,
    bytes: Bytes,
    has_connected: bool,
}

impl Twice {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(question: &Question) -> Self {
        let question = question.clone();
        Self { question, boots: Boots::default(), machines: Vec::new(), ends: HashMap::default() }
    }

    /// One record.
    pub fn add(&mut self, record: &Record) {
        let is_inside = self.question.period.holds(&record.span);
        let number = self.boots.number(&record.host);
        let counts_gap = is_inside && self.boots.was_inside(number);
        if number == self.machines.len() {
            self.machines.push(Host { boot_id: [0; 16], ..record.host.clone() });
        }
        let (question, ends, window) = (&self.question, &mut self.ends, by_end(&record.span));
        self.boots.take(number, record, is_inside, |flow, moved, _| {
            if !is_inside || !may_be_seen_elsewhere(&flow.tuple()) {
                return;
            }
            let between = if counts_gap { moved.between } else { Bytes::default() };
            let bytes = question.verdict(record, flow).of(moved.window + between);
            let has_connected = flow.flow.flags & flags::ACTIVE != 0;
            let new = End { life: window, bytes: Bytes::default(), has_connected };
            let end = ends.entry((number, flow.key)).or_insert(new);
            end.bytes += bytes;
            end.life.end_us = end.life.end_us.max(window.end_us);
        });
    }

    /// Of each connection that two hosts have seen, the end that is not counted: the one that has seen fewer bytes; of
    /// equals, the one that did not connect.
    pub(super) fn dropped(self) -> HashSet<(usize, FlowKey), RandomState> {
        let mut by_tuple = HashMap::<Tuple, Vec<(usize, FlowKey)>, RandomState>::default();
        for id in self.ends.keys() {
            by_tuple.entry(Tuple::of(&id.1)).or_default().push(*id);
        }
        for ends in by_tuple.values_mut() {
            ends.sort_unstable();
        }
        let mut dropped = HashSet::default();
        for (tuple, here) in by_tuple.iter().filter(|(tuple, _)| tuple.favoured()) {
            let there = by_tuple.get(&tuple.mirror()).map_or(&[][..], Vec::as_slice);
            for (one, other) in here.iter().flat_map(|one| there.iter().map(move |other| (one, other))) {
                let is_open = !dropped.contains(one) && !dropped.contains(other);
                if is_open && self.are_one_connection(one, other) {
                    dropped.insert(if self.rank(one) < self.rank(other) { *one } else { *other });
                }
            }
        }
        dropped
    }

    fn are_one_connection(&self, one: &(usize, FlowKey), other: &(usize, FlowKey)) -> bool {
        let on_two_hosts = self.machines[one.0] != self.machines[other.0];
        on_two_hosts && self.ends[one].life.overlaps(self.ends[other].life)
    }

    fn rank(&self, id: &(usize, FlowKey)) -> (u64, bool) {
        let end = &self.ends[id];
        (end.bytes.sum(), end.has_connected)
    }
}

/// Whether the other end can be on another host, by the addresses.
fn may_be_seen_elsewhere(tuple: &Tuple) -> bool {
    let is_local = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    !tuple.stays_on_host() && !is_local(tuple.local.ip()) && !is_local(tuple.remote.ip())
}
