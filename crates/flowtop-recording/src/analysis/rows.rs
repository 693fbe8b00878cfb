//! Rows of a period: sockets with the same keys, and their sums.
//!
//! Memory is bounded: where there are too many rows, the smallest are summed up in one, the others. A row that comes
//! again after that begins anew, so its sum may be too small by at most what was folded away at a time (lossy counting
//! after Manku and Motwani, 2002). A second pass over the same records counts only rows that are left, from the start, so
//! the sums of these are exact.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::cells;
use super::intervals::Interval;
use super::moved::Moved;
use super::threshold::{Piece, TimeAbove};
use flowtop_core::group::{Group, Key};
use flowtop_core::record::{FlowRecord, Rest};
use flowtop_core::rows::key::Cell;
use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowId {
    /// For each key what the sockets have in common.
    pub cells: Arc<[Cell]>,
    /// The number of the machine, where the keys mean something on one host only.
    pub machine: Option<u32>,
}

/// Where a row is, as long as it is not folded away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    slot: u32,
    /// How often rows had been folded when it was there.
    folds: u32,
}

impl Place {
    /// That of a socket without a row.
    pub const NONE: Self = Self { slot: u32::MAX, folds: 0 };
    /// In the sum of the others.
    const OTHERS: Self = Self { slot: u32::MAX - 1, folds: 0 };
}

/// Bytes on the wire in the windows, beside the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resent {
    /// Bytes put there again.
    pub retrans_bytes: u64,
    /// All bytes on the wire, as far as they are known.
    on_wire: Bytes,
    /// Whether those of one of the sockets are not.
    lacks_wire: bool,
}

impl Resent {
    /// Those of a flow, of which these directions count.
    pub fn of(flow: &FlowRecord, verdict: Verdict) -> Self {
        Self::sum(flow.retrans_bytes, flow.on_wire().map(|bytes| verdict.of(bytes)))
    }

    pub fn sum(retrans_bytes: u64, on_wire: Option<Bytes>) -> Self {
        Self { retrans_bytes, on_wire: on_wire.unwrap_or_default(), lacks_wire: on_wire.is_none() }
    }

    pub fn add(&mut self, more: &Self) {
        self.retrans_bytes += more.retrans_bytes;
        self.on_wire += more.on_wire;
        self.lacks_wire |= more.lacks_wire;
    }

    /// Bytes on the wire; `None` where some are not known.
    pub fn on_wire(&self) -> Option<Bytes> {
        (!self.lacks_wire).then_some(self.on_wire)
    }
}

/// Sums of one row, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub bytes: Bytes,
    pub resent: Resent,
    pub connections: u64,
    /// Bytes in a second, at least.
    pub peak: Bytes,
    /// How long it was above a limit, if there is one.
    pub above: Option<Box<TimeAbove>>,
}

impl Tally {
    /// Nothing yet, of something that has this limit.
    pub fn new(threshold: Option<u64>) -> Self {
        Self { above: threshold.map(|threshold| Box::new(TimeAbove::new(threshold))), ..Self::default() }
    }

    /// Adds what a record has of it.
    pub fn add(&mut self, moved: &Moved, of: &Times) {
        self.bytes += moved.all();
        let parts = of.gap.map(|gap| (gap, moved.between)).into_iter().chain([(of.window, moved.window)]);
        for (interval, bytes) in parts {
            let piece = Piece { machine: of.machine, interval, bytes };
            self.peak = self.peak.max(piece.mean());
            if let Some(above) = &mut self.above {
                above.add(&piece, of.low_us);
            }
        }
    }

    /// Adds another one, but for how long each was above a limit: of both together that is not known.
    fn fold(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.resent.add(&other.resent);
        self.connections += other.connections;
        self.peak = self.peak.max(other.peak);
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub machine: usize,
    pub window: Interval,
    /// The time before it that counts as well.
    pub gap: Option<Interval>,
    /// No later record has time before this.
    pub low_us: i64,
}

#[derive(Debug)]
struct Slot {
    id: RowId,
    hash: u64,
    tally: Tally,
    /// How often rows had been folded when it came up.
    folds: u32,
    /// Where it is among those that the current record has added to; past their end if it is not.
    touched: u32,
}

/// Traffic of a row in the current record.
#[derive(Clone, Copy, Debug)]
struct Touched {
    slot: u32,
    moved: Moved,
}

/// Rows that a second pass counts; all others are summed up.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    pub rows: Vec<RowId>,
    /// Bytes that a row may have which is not among them.
    pub bound: u64,
}

impl Candidates {
    pub fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }
}

/// Rows that nothing is added to any more.
pub(super) struct Ended {
    pub rows: Vec<(RowId, Tally)>,
    /// All others, if there are any, with the bytes that one of them may have.
    pub others: Option<(Tally, u64)>,
}

#[derive(Debug)]
pub(super) struct Rows {
    by: Group,
    threshold: Option<u64>,
    /// Most rows that are kept apart.
    most: usize,
    /// Whether the keys mean something on one host only.
    is_of_host: bool,
    hasher: RandomState,
    table: HashTable<u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    others: Tally,
    /// Traffic of these in the current record.
    others_now: Moved,
    /// How often rows were folded, and the largest sums that were, added up.
    folds: u32,
    bound: u64,
    /// Whether these rows are all that are kept apart: a second pass.
    are_given: bool,
    /// Rows that the current record has added to.
    touched: Vec<Touched>,
    words: HashSet<Arc<str>, RandomState>,
    /// How many of them there may be before unused ones are dropped.
    most_words: usize,
}

/// So many are kept at least.
const MIN_WORDS: usize = 10_000;

impl Rows {
    pub fn new(by: Group, threshold: Option<u64>, most: usize) -> Self {
        let of_host = |key| matches!(key, Key::Flow | Key::Process | Key::Netns);
        Self {
            by,
            threshold,
            most,
            is_of_host: by.keys().any(of_host),
            hasher: RandomState::default(),
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            others: Tally::default(),
            others_now: Moved::default(),
            folds: 0,
            bound: 0,
            are_given: false,
            touched: Vec::new(),
            words: HashSet::default(),
            most_words: MIN_WORDS,
        }
    }

    /// The same with only these rows.
    pub fn given(mut self, candidates: &Candidates) -> Self {
        for id in &candidates.rows {
            for cell in id.cells.iter() {
                self.learn(cell);
            }
            self.seat_again(id, Place::NONE);
        }
        (self.are_given, self.bound) = (true, candidates.bound);
        self
    }

    fn learn(&mut self, cell: &Cell) {
        let mut learn = |text: &Option<Arc<str>>| self.words.extend(text.clone());
        match cell {
            Cell::Process(_, text) | Cell::Name(text) => learn(text),
            Cell::Names(texts) => texts.iter().for_each(learn),
            Cell::Flow(..) | Cell::Address(_) | Cell::Port(_) | Cell::Netns(_) | Cell::Net(..) => {}
        }
    }

    /// The row of a socket, which was at this place before.
    pub fn seat(&mut self, machine: usize, flow: &FlowRecord, before: Place) -> Place {
        if let Some(slot) = self.slot(before)
            && self.by.keys().zip(slot.id.cells.iter()).all(|(key, cell)| cells::is(cell, key, flow))
        {
            return before;
        }
        let by = self.by;
        self.find(machine, |word| by.keys().map(|key| Some(cells::of(key, flow, &mut *word))).collect())
            .unwrap_or(Place::OTHERS)
    }

    /// Id of a socket's row.
    pub fn id(&mut self, machine: usize, flow: &FlowRecord) -> RowId {
        let words = &mut self.words;
        let cells = self.by.keys().map(|key| cells::of(key, flow, |text| word(words, text)));
        RowId { cells: cells.collect(), machine: self.machine(machine) }
    }

    /// Id of the row at a place, which belongs to this socket.
    pub fn id_at(&mut self, place: Place, machine: usize, flow: &FlowRecord) -> RowId {
        match self.slot(place) {
            Some(slot) => slot.id.clone(),
            None => self.id(machine, flow),
        }
    }

    /// The row with this id, which was at this place before.
    pub fn seat_again(&mut self, id: &RowId, before: Place) -> Place {
        if self.slot(before).is_some() {
            return before;
        }
        let hash = self.hash(&id.cells, id.machine);
        match self.known(hash, &id.cells, id.machine) {
            Some(slot) => self.place(slot),
            None if self.are_given => Place::OTHERS,
            None => self.insert(id.clone(), hash),
        }
    }

    /// Adds what a socket has moved.
    pub fn add(&mut self, place: Place, moved: &Moved, peak: Bytes) {
        let Self { slots, others, others_now, touched, .. } = self;
        let Some(Some(slot)) = slots.get_mut(place.slot as usize) else {
            others_now.add(moved);
            others.peak = others.peak.max(peak);
            return;
        };
        slot.tally.peak = slot.tally.peak.max(peak);
        let known = touched.get_mut(slot.touched as usize).filter(|known| known.slot == place.slot);
        if let Some(known) = known {
            known.moved.add(moved);
        } else {
            slot.touched = u32::try_from(touched.len()).expect("there are fewer rows than that");
            touched.push(Touched { slot: place.slot, moved: *moved });
        }
    }

    /// Adds connections, and what they have put on the wire.
    pub fn add_connections(&mut self, place: Place, connections: u64, resent: &Resent) {
        let slot = self.slots.get_mut(place.slot as usize).and_then(Option::as_mut);
        let tally = slot.map_or(&mut self.others, |slot| &mut slot.tally);
        tally.connections += connections;
        tally.resent.add(resent);
    }

    /// Adds what a sparse record has summed up, if that says to which row it belongs.
    pub fn add_rest(&mut self, machine: usize, rest: &Rest) -> bool {
        let by = self.by;
        let cells = |word: &mut dyn FnMut(&str) -> Arc<str>| {
            by.keys().map(|key| Cell::of_rest(key, rest, &mut *word)).collect()
        };
        let Some(place) = self.find(machine, cells) else { return false };
        self.add(place, &Moved { window: rest.bytes, between: Bytes::default() }, Bytes::default());
        self.add_connections(place, rest.flows.into(), &Resent::sum(rest.retrans_bytes, rest.on_wire));
        true
    }

    /// Closes a record: adds its traffic to the rows.
    pub fn close(&mut self, of: &Times) {
        for Touched { slot, moved } in self.touched.drain(..) {
            if let Some(slot) = &mut self.slots[slot as usize] {
                slot.tally.add(&moved, of);
            }
        }
        self.others.add(&std::mem::take(&mut self.others_now), of);
        if self.table.len() > self.most && !self.are_given {
            self.fold();
        }
        if self.words.len() > self.most_words {
            self.words.retain(|word| Arc::strong_count(word) > 1);
            self.most_words = MIN_WORDS.max(self.words.len() * 2);
        }
    }

    /// Whether a second pass is needed for exact sums.
    pub fn are_folded(&self) -> bool {
        self.folds > 0
    }

    /// The rows so far, as candidates for the second pass.
    pub fn candidates(&self) -> Candidates {
        let rows = self.slots.iter().flatten().map(|slot| slot.id.clone()).collect();
        Candidates { rows, bound: self.bound }
    }

    /// The rows, and what is in none of them.
    pub fn end(self) -> Ended {
        let rows = self.slots.into_iter().flatten().map(|slot| (slot.id, slot.tally));
        let others = (self.are_given || self.folds > 0).then_some((self.others, self.bound));
        Ended { rows: rows.filter(|(_, tally)| tally.bytes.sum() > 0).collect(), others }
    }

    fn machine(&self, machine: usize) -> Option<u32> {
        self.is_of_host.then(|| u32::try_from(machine).expect("a host takes more than a byte"))
    }

    fn hash(&self, cells: &[Cell], machine: Option<u32>) -> u64 {
        self.hasher.hash_one((cells, machine))
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        let slot = self.slots.get(place.slot as usize)?.as_ref()?;
        (slot.folds <= place.folds).then_some(slot)
    }

    fn place(&self, slot: u32) -> Place {
        Place { slot, folds: self.folds }
    }

    fn known(&self, hash: u64, cells: &[Cell], machine: Option<u32>) -> Option<u32> {
        let is_it = |slot: &u32| {
            let slot = self.slots[*slot as usize].as_ref();
            slot.is_some_and(|slot| slot.id.machine == machine && *slot.id.cells == *cells)
        };
        self.table.find(hash, is_it).copied()
    }

    /// The row of some cells, if they are known.
    fn find(
        &mut self,
        machine: usize,
        cells: impl FnOnce(&mut dyn FnMut(&str) -> Arc<str>) -> Option<Vec<Cell>>,
    ) -> Option<Place> {
        let (words, are_given, mut is_new) = (&mut self.words, self.are_given, false);
        let mut word = |text: &str| match words.get(text) {
            Some(known) => Arc::clone(known),
            // No row that is given has a text that is not known.
            None if are_given => {
                is_new = true;
                Arc::from("")
            }
            None => word(words, text),
        };
        let cells = cells(&mut word)?;
        if is_new {
            return Some(Place::OTHERS);
        }
        let machine = self.machine(machine);
        let hash = self.hash(&cells, machine);
        let known = self.known(hash, &cells, machine).map(|slot| self.place(slot));
        Some(match known {
            Some(place) => place,
            None if are_given => Place::OTHERS,
            None => self.insert(RowId { cells: cells.into(), machine }, hash),
        })
    }

    fn insert(&mut self, id: RowId, hash: u64) -> Place {
        let row =
            Some(Slot { id, hash, tally: Tally::new(self.threshold), folds: self.folds, touched: u32::MAX });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("there are fewer rows than that")
        });
        self.slots[slot as usize] = row;
        let slots = &self.slots;
        let hash_of = |slot: &u32| slots[*slot as usize].as_ref().map_or(0, |slot| slot.hash);
        self.table.insert_unique(hash, slot, hash_of);
        self.place(slot)
    }

    /// Sums up the smaller half of the rows.
    fn fold(&mut self) {
        let sums = (0..).zip(&self.slots).filter_map(|(slot, row)| Some((slot, row.as_ref()?)));
        let mut sums: Vec<_> = sums.map(|(slot, row)| (Reverse(row.tally.bytes.sum()), slot)).collect();
        let kept = self.most / 2;
        sums.select_nth_unstable(kept);
        self.bound = self.bound.saturating_add(sums[kept].0.0);
        self.folds += 1;
        for (_, slot) in &sums[kept..] {
            let Some(row) = self.slots[*slot as usize].take() else { continue };
            if let Ok(found) = self.table.find_entry(row.hash, |known| known == slot) {
                found.remove();
            }
            self.others.fold(&row.tally);
            self.free.push(*slot);
        }
    }
}

/// A text of which there is one.
fn word(words: &mut HashSet<Arc<str>, RandomState>, text: &str) -> Arc<str> {
    if let Some(known) = words.get(text) {
        return Arc::clone(known);
    }
    let new: Arc<str> = text.into();
    words.insert(Arc::clone(&new));
    new
}
