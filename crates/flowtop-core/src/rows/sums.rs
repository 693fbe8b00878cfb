//! Sums of connections by row. A connection is in exactly one row, so the rows add up; where rows are of ends
//! (`Group::groups_ends`), each of its ends on this host is in one. Connections that a sparse record has summed up
//! already are in the row that it tells, or in one of their own.
//!
//! To which row a connection belongs is found once and remembered until its line has another stamp: a frame of 100,000
//! connections adds up numbers that stand close together, and looks nothing up.
//!
//! Groups keep what connections have moved that have left the ledger since (`retained`), so their sums only grow.
//!
//! Not in here: what tells rows apart (`rows::key`), and the order of the rows (`rows::table`).

use alloc::vec::Vec;
use core::ops::Range;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::key::{Grouped, IdentityCache, RowKey, Words};
use super::{Row, end, row};
use crate::ledger::Ledger;
use crate::record::Rest;
use crate::who::Who;
use crate::window::{Bytes, Rates};
use retained::Retained;

mod retained;
mod tally;
#[cfg(test)]
mod tests;

pub use retained::Wire;
pub(super) use tally::Tally;
pub use tally::{Owner, Process, Sum};

/// Rows or connections that a frame refreshes, in turn: names and identities arrive late.
pub(super) const REFRESHED: usize = 1024;

/// Rows that may be empty before all are forgotten.
const MAX_EMPTY: usize = 4096;

/// No row: the connection is left out.
const NONE: u32 = u32::MAX;

/// The row of a connection, and the stamp of its line when it was found.
#[derive(Clone, Copy, Debug)]
struct Member {
    stamp: u32,
    row: u32,
}

/// Index of all rows so far.
#[derive(Clone, Debug, Default)]
struct Index {
    keys: IndexSet<RowKey, RandomState>,
    /// Pairs of rows that mirror each other, the lower key first.
    mirrored: Vec<[u32; 2]>,
    words: Words,
}

impl Index {
    fn row_of(&mut self, key: RowKey, joins_mirrored: bool) -> u32 {
        let mirror = if joins_mirrored { key.mirror() } else { None };
        let (at, is_new) = self.keys.insert_full(key);
        let at = number(at);
        let other = mirror.filter(|_| is_new).and_then(|mirror| self.keys.get_index_of(&mirror)).map(number);
        if let Some(other) = other.filter(|other| *other != at) {
            let is_lower = self.keys.get_index(at as usize) < self.keys.get_index(other as usize);
            self.mirrored.push(if is_lower { [at, other] } else { [other, at] });
        }
        at
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

/// A predicate that keeps a connection.
pub type Keep<'a> = dyn Fn(&Row<'_>, &mut IdentityCache<'_>) -> bool + 'a;

pub struct Recipe<'a> {
    /// How connections are merged into rows.
    pub grouped: Grouped,
    pub who: Who<'a>,
    /// Which connections are in; `None` for all.
    pub keep: Option<&'a Keep<'a>>,
}

/// The sums of a ledger's connections.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    grouped: Grouped,
    index: Index,
    /// By place of the line.
    members: Vec<Member>,
    /// By row.
    tallies: Vec<Tally>,
    /// Of the rows, what the totals have from the other end of the connection.
    counted_elsewhere: Tally,
    retained: Retained,
    /// Actual lengths of the windows.
    clock: Rates,
    /// Place where the next refresh begins: each refreshes some rows only.
    next: usize,
    identities: u64,
}

impl Sums {
    /// The sums of all connections of a ledger.
    #[must_use]
    pub fn of(ledger: &Ledger, grouped: Grouped, who: Who<'_>) -> Self {
        let mut sums = Self::default();
        if !grouped.by.is_some() {
            // At most one each: growing step by step would cost more than the summing.
            sums.index.keys.reserve(ledger.lines().len());
            sums.tallies.reserve(ledger.lines().len());
        }
        sums.fill(ledger, &Recipe { grouped, who, keep: None });
        sums
    }

    /// Sums up anew. Returns how many connections there are, those that are left out among them.
    pub fn fill(&mut self, ledger: &Ledger, recipe: &Recipe<'_>) -> u32 {
        if self.grouped != recipe.grouped {
            self.forget_rows();
        }
        self.grouped = recipe.grouped;
        let refreshed = self.refreshed(ledger.lines().len(), recipe);
        let ends = recipe.grouped.by.groups_ends();
        self.begin(recipe);
        self.members.resize(ledger.lines().len(), Member { stamp: 0, row: NONE });
        self.clock = ledger.rates_of([Bytes::default(); 3]);
        let Self { index, members, tallies, counted_elsewhere, .. } = self;
        let mut words = core::mem::take(&mut index.words);
        let mut cache = IdentityCache::new(recipe.who, &mut words);
        let mut all = 0;
        for (place, (line, member)) in (0..).zip(ledger.lines().iter().zip(members)) {
            if line.stamp == 0 || (line.is_right() && !ends) {
                member.row = NONE;
                continue;
            }
            all += u32::from(!line.is_right());
            if member.stamp != line.stamp || refreshed.contains(&(place as usize)) {
                let row = row_of(ledger, place, index, recipe, &mut cache);
                *member = Member { stamp: line.stamp, row };
            }
            if member.row as usize == tallies.len() {
                tallies.push(Tally::default());
            }
            if let Some(tally) = tallies.get_mut(member.row as usize) {
                tally.add_line(line);
                if line.is_counted_elsewhere() {
                    counted_elsewhere.add_line(line);
                }
            }
        }
        self.index.words = words;
        all += self.add_summed_up(ledger, recipe);
        self.join_mirrored();
        all
    }

    /// Starts every sum with what has left the ledger. Of that it is not known whether it is among those wanted.
    fn begin(&mut self, recipe: &Recipe<'_>) {
        self.counted_elsewhere = Tally::default();
        if recipe.keep.is_none() {
            self.retained.start(&mut self.tallies);
        } else {
            self.tallies.fill(Tally::default());
        }
    }

    /// Takes what the newest sample has removed from the ledger into the groups that had it. Has to be called once after
    /// each sample of a ledger that keeps what departs; what it does not see is in `others`. True if some groups had to go.
    pub(super) fn retain(&mut self, ledger: &Ledger, recipe: &Recipe<'_>) -> bool {
        if !recipe.grouped.by.is_some() || !self.retained.is_due(ledger.sample_number()) {
            return false;
        }
        if self.grouped != recipe.grouped {
            self.forget_rows();
            self.grouped = recipe.grouped;
        }
        let ends = recipe.grouped.by.groups_ends();
        let mut words = core::mem::take(&mut self.index.words);
        let mut cache = IdentityCache::new(recipe.who, &mut words);
        for gone in ledger.departed().iter().filter(|gone| ends || !gone.line.is_right()) {
            let other = gone.other.as_ref().map(|(key, entry)| (key, entry));
            let row = end(&gone.key, &gone.entry, other, Rates::default(), None);
            let row = self.index.row_of(recipe.grouped.key(&row, &mut cache), false);
            self.retained.add(row, gone);
        }
        self.index.words = words;
        self.tallies.resize(self.index.keys.len(), Tally::default());
        let are_too_many = self.retained.rows() > ledger.max_flows();
        if are_too_many {
            self.fill(ledger, &Recipe { keep: None, ..*recipe });
            self.retained.fold_smallest(&mut self.tallies, ledger.max_flows());
        }
        are_too_many
    }

    /// Closed connections without a group: it was evicted, or did not exist when they left the ledger. Never shrinks
    /// as long as the keys of the groups stay.
    #[must_use]
    pub fn others(&self, ledger: &Ledger) -> (u64, Bytes) {
        let gone = ledger.gone(self.grouped.by.groups_ends());
        let (connections, bytes) = self.retained.sum();
        (gone.flows.saturating_sub(connections), gone.bytes.since(bytes))
    }

    /// Of the connections that are wanted and in the ledger, what the totals have from their other ends.
    #[must_use]
    pub fn counted_elsewhere(&self) -> Sum {
        self.sum(&self.counted_elsewhere)
    }

    /// Wire bytes of a row's connections that have left the ledger; `None` where that is not known.
    pub(super) fn retained_wire(&self, row: u32) -> Option<Wire> {
        self.retained.wire(row)
    }

    /// Adds what a sparse record has summed up; returns how many connections that are. Where only some are wanted nobody
    /// knows whether these are among them.
    fn add_summed_up(&mut self, ledger: &Ledger, recipe: &Recipe<'_>) -> u32 {
        for rest in ledger.summed_up().iter().filter(|_| recipe.keep.is_none()) {
            let key = recipe.grouped.key_of_rest(rest, &mut self.index.words);
            let row = self.row_or_new(key);
            self.tallies[row as usize].add(&Tally::of_rest(rest));
        }
        ledger.summed_up().iter().fold(0, |sum, rest| sum.saturating_add(rest.flows))
    }

    /// Places whose rows are keyed anew in this refresh: all if an identity was learned and rows depend on owners, some
    /// if a filter may have changed its answer.
    fn refreshed(&mut self, places: usize, recipe: &Recipe<'_>) -> Range<usize> {
        let identities = recipe.who.owners.version();
        let has_changed = core::mem::replace(&mut self.identities, identities) != identities;
        let asks = recipe.grouped.by.asks_owner() || recipe.keep.is_some();
        if has_changed && asks {
            return 0..places;
        }
        if recipe.keep.is_none() {
            return 0..0;
        }
        let from = if self.next < places { self.next } else { 0 };
        self.next = from + REFRESHED;
        from..self.next
    }

    /// Two hosts are one row also when both are here and each has connected to the other: the lower one is left then.
    fn join_mirrored(&mut self) {
        for [low, high] in self.index.mirrored.iter().map(|pair| pair.map(|row| row as usize)) {
            if self.tallies[low].connections > 0 && self.tallies[high].connections > 0 {
                let turned = core::mem::take(&mut self.tallies[high]).mirror();
                self.tallies[low].add(&turned);
            }
        }
    }

    /// How the rows were merged.
    #[must_use]
    pub const fn grouped(&self) -> Grouped {
        self.grouped
    }

    /// Forgets which rows connections belong to, because something else is looked for.
    pub fn forget_members(&mut self) {
        self.members.clear();
    }

    pub fn forget_rows(&mut self) {
        self.members.clear();
        self.tallies.clear();
        self.retained.clear();
        self.index.keys.clear();
        self.index.mirrored.clear();
        self.index.words.forget_unused();
    }

    /// Whether most rows have no connections any more.
    #[must_use]
    pub fn are_mostly_empty(&self, filled: usize) -> bool {
        self.tallies.len() > 2 * filled + MAX_EMPTY
    }

    /// Every row with connections, in no order.
    pub(super) fn filled(&self) -> impl Iterator<Item = (u32, &Tally)> {
        (0..).zip(&self.tallies).filter(|(_, tally)| tally.connections > 0)
    }

    /// How many rows there are, empty ones among them.
    pub(super) fn len(&self) -> usize {
        self.tallies.len()
    }

    pub(super) fn tally(&self, row: u32) -> Tally {
        self.tallies.get(row as usize).copied().unwrap_or_default()
    }

    /// A row that may stand the other way round by now; an empty one if it is gone.
    pub(super) fn tally_either_way(&self, row: u32) -> Tally {
        let own = self.tally(row);
        let other = |[low, high]: &[u32; 2]| match row {
            _ if row == *low => Some(*high),
            _ if row == *high => Some(*low),
            _ => None,
        };
        if own.connections > 0 {
            return own;
        }
        self.index.mirrored.iter().find_map(other).map_or(own, |other| self.tally(other).mirror())
    }

    /// A sum as it is told.
    pub(super) fn sum(&self, tally: &Tally) -> Sum {
        tally.sum(&self.clock)
    }

    /// The row of a key, filled or not.
    #[must_use]
    pub fn row(&self, key: &RowKey) -> Option<u32> {
        self.index.keys.get_index_of(key).map(number)
    }

    /// Of the row of a key what a sparse record has summed up: how many connections, and their bytes.
    #[must_use]
    pub fn summed_up(&self, ledger: &Ledger, key: &RowKey) -> (u32, Bytes) {
        let is_its = |rest: &&Rest| self.grouped.key_of_rest(rest, &mut Words::default()) == *key;
        let its = ledger.summed_up().iter().filter(is_its);
        its.fold((0, Bytes::default()), |(n, sum), rest| (rest.flows.saturating_add(n), sum + rest.bytes))
    }

    /// Of the row of a key what has left the ledger: how many connections, and their bytes.
    #[must_use]
    pub fn departed(&self, key: &RowKey) -> (u32, Bytes) {
        self.row(key).map(|row| self.retained.of(row)).unwrap_or_default()
    }

    /// The rows in which there is something that a sparse record has summed up, some of them more than once.
    pub(super) fn summed_up_rows(&self, ledger: &Ledger) -> impl Iterator<Item = u32> {
        let mut words = Words::default();
        let row = move |rest| self.row(&self.grouped.key_of_rest(rest, &mut words));
        ledger.summed_up().iter().filter_map(row)
    }

    /// The number of a key that may be new.
    pub(super) fn row_or_new(&mut self, key: RowKey) -> u32 {
        let row = self.index.row_of(key, self.grouped.joins_mirrored());
        if row as usize == self.tallies.len() {
            self.tallies.push(Tally::default());
        }
        row
    }

    /// Gives the row of a key the sum that it had among other sums, and what was retained of it.
    pub(super) fn take_over(&mut self, other: &Self, row: u32) -> u32 {
        let new = self.row_or_new(other.key(row).clone());
        if let Some(its) = self.tallies.get_mut(new as usize) {
            *its = other.tally(row);
        }
        self.retained.take_over(new, &other.retained, row);
        new
    }

    /// The rows in which something is retained.
    pub(super) fn retained_rows(&self) -> impl Iterator<Item = u32> {
        self.retained.filled()
    }

    /// Ends the moving of rows into these sums.
    pub(super) fn retain_as(&mut self, other: &Self) {
        self.retained.seen_as(&other.retained);
    }

    /// Key of a row.
    ///
    /// # Panics
    /// With the number of no row.
    #[must_use]
    pub fn key(&self, row: u32) -> &RowKey {
        self.index.keys.get_index(row as usize).expect("rows are numbered by the index")
    }

    /// Every row with connections, in no order.
    pub fn groups(&self) -> impl Iterator<Item = (&RowKey, Sum)> {
        self.filled().map(|(row, tally)| (self.key(row), self.sum(tally)))
    }

    /// The places of connections with their rows, in no order.
    pub fn members(&self) -> impl Iterator<Item = (u32, u32)> {
        let places = (0..).zip(&self.members);
        places.filter(|(_, member)| member.row != NONE).map(|(place, member)| (place, member.row))
    }

    /// The connections of one row, in no order. Where mirrored rows are one, those of the mirror are turned.
    pub fn members_of<'a>(
        &'a self,
        ledger: &'a Ledger,
        key: &RowKey,
    ) -> impl Iterator<Item = (Row<'a>, bool)> + use<'a> {
        let wanted = self.row(key);
        let mirrored = key.mirror().filter(|_| self.grouped.joins_mirrored());
        let mirrored = mirrored.and_then(|mirror| self.row(&mirror));
        let turned = move |row| Some(row) != wanted && Some(row) == mirrored;
        let its = self.members().filter(move |(_, row)| Some(*row) == wanted || turned(*row));
        // In a pause the ledger goes on, and a place may have been given to another connection.
        let same = |place: u32| {
            let stamp = self.members[place as usize].stamp;
            ledger.lines().get(place as usize).is_some_and(|line| line.stamp == stamp)
        };
        let ends = self.grouped.by.groups_ends();
        its.filter(move |(place, _)| same(*place))
            .filter_map(move |(place, its)| Some((row_at(ledger, place, ends)?, turned(its))))
    }
}

/// To which row the connection at a place belongs.
fn row_of(
    ledger: &Ledger,
    place: u32,
    index: &mut Index,
    recipe: &Recipe<'_>,
    cache: &mut IdentityCache<'_>,
) -> u32 {
    let found = row_at(ledger, place, recipe.grouped.by.groups_ends());
    let Some(row) = found.filter(|row| recipe.keep.is_none_or(|keep| keep(row, cache))) else { return NONE };
    let key = recipe.grouped.key(&row, cache);
    index.row_of(key, recipe.grouped.joins_mirrored())
}

/// The connection at a place, or the end of one.
fn row_at(ledger: &Ledger, place: u32, ends: bool) -> Option<Row<'_>> {
    let (key, entry) = ledger.at(place)?;
    if ends && entry.is_peer() {
        return Some(end(key, entry, ledger.peer(entry), ledger.rates(entry), ledger.on_wire(entry)));
    }
    row(ledger, key, entry)
}
