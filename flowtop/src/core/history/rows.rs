//! Rows of a period: what sockets have in common, and their sums.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::above::Piece;
use super::boots::Moved;
use super::cells;
use super::cover::Stretch;
use crate::core::group::{Group, Key};
use crate::core::record::{FlowRecord, Rest};
use crate::core::rows::key::Cell;
use crate::core::window::Bytes;

/// What tells rows apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowId {
    /// For each key what the sockets have in common.
    pub cells: Box<[Cell]>,
    /// The host, where the keys mean something on one host only.
    pub host: Option<usize>,
}

/// Sums of one row, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub bytes: Bytes,
    pub retrans_bytes: u64,
    pub connections: u64,
    /// Bytes in a second, at least.
    pub peak: Bytes,
    /// What it has moved, one record after the other, if somebody wants to know how long it was above something.
    pub pieces: Vec<Piece>,
    /// Of the record that is being added.
    now: Moved,
}

impl Tally {
    /// Adds to what the current record has.
    pub fn add(&mut self, moved: &Moved, peak: Bytes) {
        self.now.window += moved.window;
        self.now.between += moved.between;
        self.peak = self.peak.max(peak);
    }

    /// Ends a record of a host that has this window, and this gap before it.
    pub fn close(&mut self, host: usize, window: Stretch, gap: Option<Stretch>, keeps_pieces: bool) {
        let now = std::mem::take(&mut self.now);
        self.bytes += now.window + now.between;
        let parts = gap.map(|gap| (gap, now.between)).into_iter().chain([(window, now.window)]);
        for (stretch, bytes) in parts {
            let piece = Piece { host, stretch, bytes };
            self.peak = self.peak.max(piece.mean());
            if keeps_pieces && bytes.sum() > 0 {
                self.pieces.push(piece);
            }
        }
    }
}

/// All rows.
#[derive(Debug)]
pub(super) struct Rows {
    by: Group,
    keeps_pieces: bool,
    /// Whether the keys mean something on one host only.
    is_of_host: bool,
    places: HashMap<RowId, u32, RandomState>,
    all: Vec<(RowId, Tally)>,
    /// Rows that the current record has added to.
    touched: Vec<u32>,
    words: HashSet<Arc<str>, RandomState>,
}

impl Rows {
    pub fn new(by: Group, keeps_pieces: bool) -> Self {
        let of_host = |key| matches!(key, Key::Flow | Key::Process | Key::Netns);
        Self {
            by,
            keeps_pieces,
            is_of_host: by.keys().any(of_host),
            places: HashMap::default(),
            all: Vec::new(),
            touched: Vec::new(),
            words: HashSet::default(),
        }
    }

    /// Adds what a socket has moved. `row` is where it was added last, and becomes where it is added now.
    pub fn add(&mut self, host: usize, flow: &FlowRecord, row: &mut u32, moved: &Moved, peak: Bytes) {
        let known = self.all.get(*row as usize);
        let stays = known.is_some_and(|(id, _)| {
            self.by.keys().zip(&id.cells).all(|(key, cell)| cells::is(cell, key, flow))
        });
        if !stays {
            let words = &mut self.words;
            let cells = self.by.keys().map(|key| cells::of(key, flow, |text| word(words, text))).collect();
            *row = self.place(cells, host);
            self.all[*row as usize].1.connections += 1;
        }
        let tally = &mut self.all[*row as usize].1;
        if tally.now == Moved::default() {
            self.touched.push(*row);
        }
        tally.add(moved, peak);
        tally.retrans_bytes += flow.retrans_bytes;
    }

    /// Adds what a sparse record has summed up, as far as that says to which row it belongs; the rest comes back.
    pub fn add_rest(&mut self, host: usize, rests: &[Rest]) -> Bytes {
        let mut left = Bytes::default();
        for rest in rests {
            let words = &mut self.words;
            let cells = self.by.keys().map(|key| Cell::of_rest(key, rest, |text| word(words, text)));
            let Some(cells) = cells.collect::<Option<_>>() else {
                left += rest.bytes;
                continue;
            };
            let row = self.place(cells, host);
            let tally = &mut self.all[row as usize].1;
            if tally.now == Moved::default() && rest.bytes.sum() > 0 {
                self.touched.push(row);
            }
            tally.add(&Moved { window: rest.bytes, between: Bytes::default() }, Bytes::default());
            tally.retrans_bytes += rest.retrans_bytes;
            tally.connections += u64::from(rest.flows);
        }
        left
    }

    /// Ends a record of a host.
    pub fn close(&mut self, host: usize, window: Stretch, gap: Option<Stretch>) {
        for row in self.touched.drain(..) {
            self.all[row as usize].1.close(host, window, gap, self.keeps_pieces);
        }
    }

    /// The rows, in the order in which they came up.
    pub fn into_rows(self) -> Vec<(RowId, Tally)> {
        self.all
    }

    fn place(&mut self, cells: Box<[Cell]>, host: usize) -> u32 {
        let id = RowId { cells, host: self.is_of_host.then_some(host) };
        if let Some(place) = self.places.get(&id) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).expect("there is less memory than that many rows take");
        self.places.insert(id.clone(), place);
        self.all.push((id, Tally::default()));
        place
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
