//! Connections between two hosts, each of which has recorded its end.
//!
//! What one end has sent, the other receives: the counters over the lives of both sockets are two readings of one stream of
//! bytes each way. Counted is how far the streams have been read, by whichever end, so a byte counts once, and what one
//! host has not recorded is filled in by the other. Which end stands on the left is decided once, when the
//! pair is made (`boots/left.rs`).

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use flowtop_common::FlowKey;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;

use super::moved::{Moved, NO_PAIR};
use super::rows::{Place, RowId};
use flowtop_core::flow::stays_on_host;
use flowtop_core::record::FlowRecord;
use flowtop_core::window::Bytes;

/// Most holes that are remembered of one stream.
const MAX_HOLES: usize = 16;

/// The part of a stream of bytes that has been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    start: u64,
    end: u64,
    /// Parts in between that are not counted; nearly always none.
    holes: Option<Box<Holes>>,
}

/// Parts of a stream, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holes(Vec<Range<u64>>);

impl Reach {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn all(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Counts so many bytes up to `end`: returns how many of them are new.
    fn take(&mut self, end: u64, bytes: u64) -> u64 {
        let new = end.saturating_sub(bytes)..end;
        if new.is_empty() {
            return 0;
        }
        if self.is_empty() {
            (self.start, self.end) = (new.start, new.end);
            return length(&new);
        }
        let below = new.start..new.end.min(self.start);
        let above = new.start.max(self.end)..new.end;
        let filled = self.fill(&new);
        if new.end < self.start {
            self.add_hole(new.end..self.start);
        } else if new.start > self.end {
            self.add_hole(self.end..new.start);
        }
        (self.start, self.end) = (self.start.min(new.start), self.end.max(new.end));
        length(&below) + length(&above) + filled
    }

    /// Counts what of this is in holes.
    fn fill(&mut self, new: &Range<u64>) -> u64 {
        let Some(holes) = self.holes.take() else { return 0 };
        let mut filled = 0;
        for hole in holes.0 {
            let (start, end) = (hole.start.max(new.start), hole.end.min(new.end));
            filled += length(&(start..end));
            if start >= end {
                self.add_hole(hole);
            } else {
                self.add_hole(hole.start..start);
                self.add_hole(end..hole.end);
            }
        }
        filled
    }

    /// Remembers what has not been counted. One too many is taken for counted: no byte counts twice.
    fn add_hole(&mut self, hole: Range<u64>) {
        let holes = self.holes.get_or_insert_default();
        if !hole.is_empty() && holes.0.len() < MAX_HOLES {
            holes.0.push(hole);
        }
        if holes.0.is_empty() {
            self.holes = None;
        }
    }

    /// Union of two reaches.
    fn join(mut self, other: &Self) -> Self {
        let mut parts = vec![other.all()];
        for hole in other.holes.iter().flat_map(|holes| holes.0.iter()) {
            let cut =
                |part: Range<u64>| [part.start..part.end.min(hole.start), part.start.max(hole.end)..part.end];
            parts = parts.into_iter().flat_map(cut).collect();
        }
        for part in parts {
            self.take(part.end, length(&part));
        }
        self
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// Both streams of a connection: what an end sends, and what it receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Streams {
    tx: Reach,
    rx: Reach,
}

impl Streams {
    /// The same, seen from the other end.
    pub fn mirror(self) -> Self {
        Self { tx: self.rx, rx: self.tx }
    }

    pub fn join(self, other: &Self) -> Self {
        Self { tx: self.tx.join(&other.tx), rx: self.rx.join(&other.rx) }
    }

    /// Streams of a single socket: from `from` up to its counters.
    pub fn of_one(from: Bytes, lifetime: Bytes) -> Self {
        let reach = |from: u64, end: u64| Reach { start: from.min(end), end, holes: None };
        Self { tx: reach(from.tx, lifetime.tx), rx: reach(from.rx, lifetime.rx) }
    }

    pub fn are_counted(&self) -> bool {
        !(self.tx.is_empty() && self.rx.is_empty())
    }

    /// Counts what an end has moved, where its counters stand at `lifetime` now: returns what of it is new.
    pub fn take(&mut self, lifetime: Bytes, moved: &Moved) -> Moved {
        // A counter below what it has counted is unknown.
        let end = lifetime.max(moved.window + moved.between);
        let before = end.since(moved.window);
        let between = Bytes {
            tx: self.tx.take(before.tx, moved.between.tx),
            rx: self.rx.take(before.rx, moved.between.rx),
        };
        let window =
            Bytes { tx: self.tx.take(end.tx, moved.window.tx), rx: self.rx.take(end.rx, moved.window.rx) };
        Moved { window, between }
    }
}

/// Which end of a pair something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// One end of a pair.
#[derive(Clone, Debug)]
pub(super) struct PairEnd {
    /// The life of the host that has recorded it.
    pub life: usize,
    /// Whether its socket is in the newest record of that life.
    pub is_held: bool,
    /// Its last state, if the report has more than its bytes.
    pub flow: Option<Box<FlowRecord>>,
}

/// A connection of two hosts.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    left: PairEnd,
    right: PairEnd,
    /// Whether no record has shown its left end yet, which only a first pass has seen.
    pub is_expected: bool,
    /// The row of the left end, where it counts.
    pub row: RowId,
    pub place: Place,
    /// Counted streams, with the directions of the left end.
    pub streams: Streams,
    /// Whether it is among the connections that are counted.
    pub is_counted: bool,
}

impl Pair {
    pub fn side(&self, life: usize) -> Side {
        if self.left.life == life { Side::Left } else { Side::Right }
    }

    pub fn end(&mut self, side: Side) -> &mut PairEnd {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// Both ends as they were last, the left one first.
    pub fn flows(&self) -> [Option<&FlowRecord>; 2] {
        [&self.left, &self.right].map(|end| end.flow.as_deref())
    }

    /// Counts what an end has moved, whose counters stand at `lifetime` now: returns what of it is new, as the left end
    /// sees it.
    pub fn take(&mut self, side: Side, lifetime: Bytes, moved: &Moved) -> Moved {
        match side {
            Side::Left => self.streams.take(lifetime, moved),
            Side::Right => self.streams.take(lifetime.mirror(), &moved.mirror()),
        }
    }
}

/// A left end that comes to light only after the right one has been counted by itself.
#[derive(Clone, Debug)]
pub(super) struct Late {
    /// Boot of its host.
    pub life: usize,
    pub row: RowId,
    pub flow: Option<Box<FlowRecord>>,
}

/// Right ends that a first pass has counted by themselves, with the left ends that came later: by the life of the host.
pub(super) type LateEnds = HashMap<(usize, FlowKey), Late, RandomState>;

/// Most of them that are remembered: they take up to 500 bytes each.
const MAX_LATE: usize = 50_000;

/// A socket that may be the other end of one on another host: which one is told by its life and id, and by its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Hash of the addresses of both ends.
    hash: u64,
    pub id: u64,
    pub life: u32,
}

/// All pairs, and the sockets that may become one.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    all: Slab<Pair>,
    known: HashTable<Known>,
    hasher: RandomState,
    /// Number of pairs so far.
    pub formed: u64,
    pub late: LateEnds,
    /// Number of late ends that did not fit.
    pub forgotten_late: u64,
    /// Late ends of the first pass.
    pub expected: LateEnds,
}

impl Pairs {
    pub fn get(&self, pair: u32) -> Option<&Pair> {
        self.all.get(pair as usize)
    }

    pub fn get_mut(&mut self, pair: u32) -> Option<&mut Pair> {
        self.all.get_mut(pair as usize)
    }

    /// Makes a pair. Ends by their lives, the left one first.
    pub fn form(&mut self, lives: [usize; 2], row: RowId, streams: Streams) -> (u32, &mut Pair) {
        self.formed += 1;
        let end = |life| PairEnd { life, is_held: true, flow: None };
        let pair = Pair {
            left: end(lives[0]),
            right: end(lives[1]),
            is_expected: false,
            row,
            place: Place::NONE,
            streams,
            is_counted: false,
        };
        let number = self.all.insert(pair);
        (u32::try_from(number).unwrap_or(NO_PAIR), &mut self.all[number])
    }

    /// Remembers for a second pass that the left end of a socket has come late.
    pub fn note_late(&mut self, right: (usize, FlowKey), left: Late) {
        if self.late.len() < MAX_LATE {
            self.late.insert(right, left);
        } else {
            self.forgotten_late += 1;
        }
    }

    /// Lets go of one end: its socket is in no record any more.
    pub fn release(&mut self, pair: u32, life: usize) {
        let Some(of) = self.all.get_mut(pair as usize) else { return };
        let side = of.side(life);
        of.end(side).is_held = false;
        if !of.left.is_held && !of.right.is_held {
            self.all.remove(pair as usize);
        }
    }

    /// Whether the other end is still recorded.
    pub fn has_other(&self, pair: u32, life: usize) -> bool {
        self.get(pair).is_some_and(|pair| match pair.side(life) {
            Side::Left => pair.right.is_held,
            Side::Right => pair.left.is_held && !pair.is_expected,
        })
    }

    /// Takes in a socket of a life.
    pub fn learn(&mut self, life: usize, key: &FlowKey) {
        let known = self.entry(life, key);
        self.known.insert_unique(known.hash, known, |known| known.hash);
    }

    /// A socket of a life is gone.
    pub fn forget(&mut self, life: usize, key: &FlowKey) {
        let gone = self.entry(life, key);
        let is_it = |known: &Known| (known.hash, known.id, known.life) == (gone.hash, gone.id, gone.life);
        if let Ok(found) = self.known.find_entry(gone.hash, is_it) {
            found.remove();
        }
    }

    /// Sockets that seem to have these ends.
    pub fn with_ends(&self, key: &FlowKey) -> impl Iterator<Item = Known> {
        let hash = self.hash(key);
        self.known.iter_hash(hash).filter(move |known| known.hash == hash).copied()
    }

    fn entry(&self, life: usize, key: &FlowKey) -> Known {
        let life = u32::try_from(life).expect("an index of that many does not fit into memory");
        Known { hash: self.hash(key), id: key.id, life }
    }

    fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one((key.local_addr, key.remote_addr, key.local_port, key.remote_port))
    }
}

/// The ends the other way round.
pub(super) fn mirrored(key: &FlowKey) -> FlowKey {
    FlowKey {
        local_addr: key.remote_addr,
        remote_addr: key.local_addr,
        local_port: key.remote_port,
        remote_port: key.local_port,
        ..*key
    }
}

/// Whether both have the same ends.
pub(super) fn have_same_ends(a: &FlowKey, b: &FlowKey) -> bool {
    (a.local_addr, a.local_port, a.remote_addr, a.remote_port)
        == (b.local_addr, b.local_port, b.remote_addr, b.remote_port)
}

/// Whether the other end can be on another host.
pub(super) fn may_be_of_two_hosts(flow: &FlowRecord) -> bool {
    let is_local = |address: [u8; 16]| match Ipv6Addr::from(address).to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    let FlowKey { local_addr, remote_addr, .. } = flow.key;
    !flow.is_right
        && flow.peer.is_none()
        && !stays_on_host(&flow.key)
        && !is_local(local_addr)
        && !is_local(remote_addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// Whatever the order in which parts of a stream come, each byte counts once.
        #[test]
        fn a_byte_counts_once(parts in prop::collection::vec((0..60_u64, 0..20_u64), 0..16), split in 0..16_usize) {
            let (mut reach, mut other) = (Reach::default(), Reach::default());
            let mut counted = HashSet::new();
            for (number, (start, bytes)) in parts.iter().enumerate() {
                if number == split {
                    reach = reach.join(&std::mem::take(&mut other));
                }
                let into = if number < split && number % 2 == 1 { &mut other } else { &mut reach };
                let new = into.take(start + bytes, *bytes);
                let before = counted.len();
                counted.extend(*start..start + bytes);
                if number >= split || split == 0 {
                    prop_assert_eq!(new, (counted.len() - before) as u64);
                }
            }
            let reach = reach.join(&other);
            let holes: u64 = reach.holes.iter().flat_map(|holes| holes.0.iter().map(length)).sum();
            prop_assert_eq!(length(&reach.all()) - holes, counted.len() as u64);
        }
    }
}
