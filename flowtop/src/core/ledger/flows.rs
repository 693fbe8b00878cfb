//! The flows of a ledger by their keys, each in a place that it keeps; and what rows are made of, close together.
//!
//! Of 100,000 flows the entries are 50 MB. A frame that had to look at all of them would take longer to fetch than to
//! sum up, so what it adds up stands apart, in 10 MB.

use std::collections::HashMap;
use std::collections::hash_map::Entry as At;

use flowtop_common::FlowKey;
use foldhash::fast::RandomState;
use slab::Slab;

use super::{Entry, Ledger};
use crate::core::owner::{Seen, why};
use crate::core::window::{Bytes, Rates};

/// What one connection adds to its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Bytes of the left end since the start.
    pub bytes: Bytes,
    /// Bytes of the left end in the last 2, 10, 40 s.
    pub windows: [Bytes; 3],
    /// Another number whenever it may belong to another row: when the place has been given to another connection, or
    /// something has become known of who it belongs to. 0 where there is no row.
    pub stamp: u64,
    /// The process that it is shown with, 0 for none.
    pub pid: u32,
    /// The name of that process as the kernel saw it, NUL-padded.
    pub comm: [u8; 16],
}

/// All of a flow, beside its key, that decides to which row it belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Face {
    seen: Seen,
    users: u32,
    why: &'static str,
    has_peer: bool,
}

impl Face {
    fn of(entry: &Entry) -> Self {
        Self {
            seen: entry.owner(),
            users: entry.users().count(),
            why: why(entry),
            has_peer: entry.peer().is_some(),
        }
    }
}

/// Entries by key. A place is given again only after its flow has been removed. Dense, since each sample goes over all of
/// them several times and looks up each: hashing must not cost more than counting.
#[derive(Debug, Default)]
pub(super) struct Flows {
    places: HashMap<FlowKey, u32, RandomState>,
    slots: Slab<(FlowKey, Entry)>,
    lines: Vec<Line>,
    stamp: u64,
}

impl Flows {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn get(&self, key: &FlowKey) -> Option<&Entry> {
        self.at(*self.places.get(key)?).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, key: &FlowKey) -> Option<&mut Entry> {
        let place = *self.places.get(key)?;
        self.slots.get_mut(place as usize).map(|(_, entry)| entry)
    }

    pub(super) fn at(&self, place: u32) -> Option<(&FlowKey, &Entry)> {
        self.slots.get(place as usize).map(|(key, entry)| (key, entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&FlowKey, &Entry)> {
        self.slots.iter().map(|(_, (key, entry))| (key, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&FlowKey, &mut Entry)> {
        self.slots.iter_mut().map(|(_, (key, entry))| (&*key, entry))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.iter().map(|(_, entry)| entry)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.iter_mut().map(|(_, entry)| entry)
    }

    /// The entry of a key; a new one where there was none.
    ///
    /// # Panics
    /// With 2^32 flows.
    pub(super) fn get_or_open(&mut self, key: &FlowKey, open: impl FnOnce() -> Entry) -> &mut Entry {
        let place = match self.places.entry(*key) {
            At::Occupied(at) => *at.get(),
            At::Vacant(at) => {
                let place = self.slots.insert((*key, open()));
                if place == self.lines.len() {
                    self.lines.push(Line::default());
                }
                *at.insert(u32::try_from(place).expect("fewer flows than 2^32"))
            }
        };
        &mut self.slots[place as usize].1
    }

    pub(super) fn remove(&mut self, key: &FlowKey) -> Option<Entry> {
        let place = self.places.remove(key)?;
        self.lines[place as usize] = Line::default();
        Some(self.slots.remove(place as usize).1)
    }

    /// What rows are made of, by place.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Makes every line anew.
    pub(super) fn draw_lines(&mut self) {
        let mut left_ends = Vec::new();
        for place in 0..self.lines.len() {
            left_ends.extend(self.draw_line(place));
        }
        self.restamp(&left_ends);
    }

    /// Makes the line of one flow anew, after something has become known of who uses it.
    pub(super) fn draw_line_of(&mut self, key: &FlowKey) {
        let Some(place) = self.places.get(key) else { return };
        let left_end = self.draw_line(*place as usize);
        self.restamp(left_end.as_slice());
    }

    /// Returns the left end where this is the right one and looks different from before.
    fn draw_line(&mut self, place: usize) -> Option<FlowKey> {
        let (_, entry) = self.slots.get_mut(place)?;
        let face = Face::of(entry);
        let is_new = entry.stamp == 0 || entry.face != face;
        if is_new {
            self.stamp += 1;
            (entry.face, entry.stamp) = (face, self.stamp);
        }
        if entry.is_peer() {
            self.lines[place] = Line::default();
            return entry.peer().filter(|_| is_new).copied();
        }
        let (bytes, windows) = (entry.bytes(), *entry.traffic.windows());
        let mut line = Line { bytes, windows, stamp: entry.stamp, pid: face.seen.pid, comm: face.seen.comm };
        if entry.is_turned() {
            line = Line { bytes: bytes.mirror(), windows: windows.map(Bytes::mirror), ..line };
        }
        let peer = if bytes.sum() == 0 { entry.peer().copied() } else { None };
        let moved = bytes.sum() > 0
            || peer.and_then(|peer| self.get(&peer)).is_some_and(|peer| peer.bytes().sum() > 0);
        self.lines[place] = if moved { line } else { Line::default() };
        None
    }

    /// What the right end has become may change the row of the left one.
    fn restamp(&mut self, left_ends: &[FlowKey]) {
        for key in left_ends {
            let Some(place) = self.places.get(key).map(|place| *place as usize) else { continue };
            let (_, entry) = &mut self.slots[place];
            self.stamp += 1;
            entry.stamp = self.stamp;
            let line = &mut self.lines[place];
            line.stamp = if line.stamp == 0 { 0 } else { self.stamp };
        }
    }
}

impl Ledger {
    /// Every flow of the ledger, in no order.
    pub fn entries(&self) -> impl Iterator<Item = (&FlowKey, &Entry)> {
        self.flows.iter()
    }

    /// One flow.
    #[must_use]
    pub fn get(&self, key: &FlowKey) -> Option<&Entry> {
        self.flows.get(key)
    }

    /// Bytes of one flow in the last 2, 10, 40 s.
    #[must_use]
    pub fn rates(&self, entry: &Entry) -> Rates {
        entry.traffic.summed(&self.timeline)
    }

    /// The slots of the last 40 s of one flow, the newest last: how long each took, in nanoseconds, and its bytes.
    pub fn slots<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = (u64, Bytes)> + 'a {
        entry.traffic.slots(&self.timeline)
    }

    /// What rows are made of: a line for every connection with bytes since the start, at the place of its left end, and
    /// empty ones between them.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        self.flows.lines()
    }

    /// The flow at the place of a line.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<(&FlowKey, &Entry)> {
        self.flows.at(place)
    }

    /// How long the windows of every flow are, with this much in them.
    #[must_use]
    pub fn rates_of(&self, windows: [Bytes; 3]) -> Rates {
        self.timeline.rates_of(windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_of, sample};
    use flowtop_common::Flow;

    fn stamps(ledger: &Ledger) -> Vec<u64> {
        ledger.lines().iter().map(|line| line.stamp).collect()
    }

    #[test]
    fn a_stamp_stays_until_somebody_else_is_seen() {
        let remote = key(1, "192.0.2.1:40000", "198.51.100.7:443", 1);
        let of = |pid, sent| sample(sent, &[(remote, Flow { pid, ..flow(CONNECTED, sent, 0) })]);
        let mut ledger = ledger_of(&[of(7, 1)]);
        let first = stamps(&ledger);
        ledger.apply(&of(7, 2));
        assert_eq!(stamps(&ledger), first);
        ledger.apply(&of(8, 9));
        assert!(stamps(&ledger)[0] > first[0]);
        assert_eq!((ledger.lines()[0].pid, ledger.lines()[0].bytes.tx), (8, 9));
    }

    #[test]
    fn what_the_right_end_becomes_is_news_of_the_left_one() {
        let (left, right) =
            (key(1, "127.0.0.1:40000", "127.0.0.1:80", 1), key(1, "127.0.0.1:80", "127.0.0.1:40000", 2));
        let both = |at_s, pid| {
            sample(at_s, &[(left, flow(CONNECTED, 5, 0)), (right, Flow { pid, ..flow(ACCEPTED, 0, 5) })])
        };
        let mut ledger = ledger_of(&[both(1, 0)]);
        let first = stamps(&ledger);
        assert_eq!(first.iter().filter(|stamp| **stamp > 0).count(), 1);
        ledger.apply(&both(2, 9));
        assert_ne!(stamps(&ledger), first);
    }

    #[test]
    fn a_place_that_is_given_again_has_another_stamp() {
        let one = |id| key(1, "192.0.2.1:40000", "198.51.100.7:443", id);
        let mut ledger = ledger_of(&[sample(1, &[(one(1), flow(CONNECTED, 1, 0))])]);
        let first = stamps(&ledger);
        for at_s in 50..60 {
            ledger.apply(&sample(at_s, &[]));
        }
        for at_s in 100..102 {
            ledger.apply(&sample(at_s, &[]));
        }
        assert_eq!(stamps(&ledger), [0]);
        ledger.apply(&sample(103, &[(one(2), flow(CONNECTED, 1, 0))]));
        assert!(stamps(&ledger).len() == 1 && stamps(&ledger)[0] > first[0]);
    }
}
