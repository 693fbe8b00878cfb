//! Rows in their order, sorted only as far as they are shown: of 100,000 rows a screen shows 50.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Rank;
use super::key::RowKey;
use super::sums::{REFRESHED, Recipe, Sum, Sums, Tally};
use crate::ledger::Ledger;
use crate::view::{Sort, View};

#[cfg(test)]
mod tests;

/// Rows are sorted at least so many at a time.
const STEP: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    pub key: &'a RowKey,
    pub sum: Sum,
}

/// A text of a row, or an answer that depends on one; asked for when the row is new, and again in its turn.
type Cached<T> = Vec<Option<T>>;

pub struct Order<'a> {
    pub view: &'a View,
    /// Rows that come first whatever they hold, and are never left out.
    pub pinned: &'a BTreeSet<RowKey>,
    /// Whether a row is shown for what it moves.
    pub is_enough: &'a dyn Fn(&Sum) -> bool,
    /// Whether a row is shown for what it is called; `None` where that does not matter.
    pub is_wanted: Option<&'a dyn Fn(&Group<'_>) -> bool>,
    /// Sort key of a row, where rows are sorted by name.
    pub text: &'a dyn Fn(&RowKey) -> String,
}

/// All rows of a screen. Pinned ones come first.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The sums; what is not in the order is left out.
    pub sums: Sums,
    view: View,
    /// Sort texts by row, where rows are sorted by name.
    texts: Cached<Box<str>>,
    wanted: Cached<bool>,
    next: usize,
    order: Vec<Place>,
    /// So many of them are where they belong.
    sorted: usize,
    /// The rows of the moment when the order was frozen.
    frozen: Option<Vec<u32>>,
}

/// A row in the order, as small as can be: this is what is moved about.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The beginning of the text that is sorted by.
    text: [u64; 2],
    /// The amount that most rows are told apart by.
    first: u64,
    row: u32,
    /// Whether the text is longer than `text`.
    is_long: bool,
    is_unpinned: bool,
}

impl Place {
    const fn unsorted(row: u32) -> Self {
        Self { text: [0; 2], first: 0, row, is_long: false, is_unpinned: true }
    }
}

impl Table {
    /// Puts the rows of the sums in order. Returns the sum of those that are not left out.
    pub fn arrange(&mut self, order: &Order<'_>) -> Sum {
        self.view = *order.view;
        self.refresh_texts();
        let by_text = matches!(order.view.sort, Sort::Source | Sort::Destination) && self.frozen.is_none();
        let pinned: Vec<u32> = order.pinned.iter().filter_map(|key| self.sums.row(key)).collect();
        let (mut shown, mut places, mut filled) = (Tally::default(), core::mem::take(&mut self.order), 0);
        places.clear();
        let Self { sums, texts, wanted, view, .. } = self;
        for (row, tally) in sums.filled() {
            filled += 1;
            let is_pinned = pinned.contains(&row);
            if !is_pinned && !is_shown(sums, row, tally, order, wanted) {
                continue;
            }
            shown.add(tally);
            let text = if by_text { text_of(sums, row, order, texts) } else { "" };
            places.push(Place {
                text: beginning(text),
                first: Rank::first(view, tally),
                row,
                is_long: text.len() > BEGINNING,
                is_unpinned: !is_pinned,
            });
        }
        (self.order, self.sorted) = (places, 0);
        let shown = self.sums.sum(&shown);
        self.hold_order(order, &pinned);
        self.forget_empty(filled);
        shown
    }

    /// Has the groups keep what the newest sample has removed from the ledger. To be called after each sample.
    pub fn follow(&mut self, ledger: &Ledger, recipe: &Recipe<'_>) {
        if self.sums.retain(ledger, recipe) {
            self.forget_empty(self.sums.filled().count());
        }
    }

    /// The sum of all rows of a report, and the first of them, as many as its view has.
    pub(super) fn first_rows(
        &mut self,
        ledger: &Ledger,
        view: &View,
        recipe: &Recipe<'_>,
        text: &dyn Fn(&RowKey) -> String,
    ) -> (Sum, impl Iterator<Item = Group<'_>>) {
        self.sums.fill(ledger, recipe);
        self.forget_texts();
        let order = Order { view, pinned: &BTreeSet::new(), is_enough: &|_| true, is_wanted: None, text };
        let all = self.arrange(&order);
        let n = view.limit.unwrap_or(usize::MAX);
        self.sort_first(n);
        (all, self.rows(0, n))
    }

    /// Drops the cached texts of the next rows in turn, so that they are made again.
    fn refresh_texts(&mut self) {
        let rows = self.sums.len();
        self.texts.resize(rows, None);
        self.wanted.resize(rows, None);
        let from = if self.next < rows { self.next } else { 0 };
        self.next = from + REFRESHED;
        let turn = from..self.next.min(rows);
        self.texts[turn.clone()].fill(None);
        self.wanted[turn].fill(None);
    }

    /// While the order is frozen the rows are those of then.
    fn hold_order(&mut self, order: &Order<'_>, pinned: &[u32]) {
        let Some(frozen) = &self.frozen else { return };
        let Self { sums, wanted, .. } = self;
        let is_shown = |row: &&u32| {
            pinned.contains(*row) || is_shown(sums, **row, &sums.tally_either_way(**row), order, wanted)
        };
        self.order = frozen.iter().filter(is_shown).map(|row| Place::unsorted(*row)).collect();
        self.sorted = self.order.len();
    }

    /// Rows of long ago are forgotten when there are too many of them. What is in the order stays in it.
    fn forget_empty(&mut self, filled: usize) {
        if !self.sums.are_mostly_empty(filled.max(self.frozen.as_ref().map_or(0, Vec::len))) {
            return;
        }
        let kept = self.sums.clone();
        self.sums.forget_rows();
        let mut known: Vec<Option<u32>> = vec![None; kept.len()];
        let mut moved = |row: &mut u32| {
            let new = known[*row as usize].get_or_insert_with(|| self.sums.take_over(&kept, *row));
            *row = *new;
        };
        self.order.iter_mut().for_each(|place| moved(&mut place.row));
        self.frozen.iter_mut().flatten().for_each(&mut moved);
        // Also those that are not shown now.
        kept.retained_rows().for_each(|mut row| moved(&mut row));
        self.sums.retain_as(&kept);
        self.forget_texts();
    }

    /// Forgets what rows are called, because they are called otherwise now.
    pub fn forget_texts(&mut self) {
        self.texts.clear();
        self.wanted.clear();
        self.next = 0;
    }

    /// Keeps the rows and their order from now on.
    pub fn freeze(&mut self) {
        self.sort_first(usize::MAX);
        self.frozen = Some(self.order.iter().map(|place| place.row).collect());
    }

    /// Ends the freeze: rows come and go again.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    pub fn clear(&mut self) {
        self.sums.forget_rows();
        self.order.clear();
        self.sorted = 0;
        self.forget_texts();
    }

    /// Equal ranks by what the row is, so that rows never change places without a reason.
    fn compare(&self, a: &Place, b: &Place) -> Ordering {
        let text = |place: &Place| self.texts.get(place.row as usize).and_then(Option::as_deref);
        let whole_texts = || if a.is_long || b.is_long { text(a).cmp(&text(b)) } else { Ordering::Equal };
        let rank = |place: &Place| Rank::of_tally(&self.view, &self.sums.tally(place.row));
        (a.is_unpinned.cmp(&b.is_unpinned))
            .then_with(|| a.text.cmp(&b.text))
            .then_with(whole_texts)
            .then_with(|| b.first.cmp(&a.first))
            .then_with(|| rank(a).cmp(&rank(b)))
            .then_with(|| self.sums.key(a.row).cmp(self.sums.key(b.row)))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Puts the first `n` rows where they belong.
    pub fn sort_first(&mut self, n: usize) {
        let n = n.min(self.order.len());
        if n <= self.sorted {
            return;
        }
        // In growing steps, so that a walk to the end costs little more than one sort.
        let end = n.max(self.sorted * 2).max(STEP).min(self.order.len());
        let mut order = core::mem::take(&mut self.order);
        let (rest, wanted) = (&mut order[self.sorted..], end - self.sorted);
        if wanted < rest.len() {
            rest.select_nth_unstable_by(wanted, |a, b| self.compare(a, b));
        }
        rest[..wanted].sort_unstable_by(|a, b| self.compare(a, b));
        self.order = order;
        self.sorted = end;
    }

    fn group(&self, place: &Place) -> Group<'_> {
        let tally = if self.frozen.is_some() {
            self.sums.tally_either_way(place.row)
        } else {
            self.sums.tally(place.row)
        };
        Group { key: self.sums.key(place.row), sum: self.sums.sum(&tally) }
    }

    /// Some rows of those that have been sorted; fewer where there are fewer.
    pub fn rows(&self, from: usize, n: usize) -> impl Iterator<Item = Group<'_>> {
        let end = from.saturating_add(n).min(self.sorted);
        self.order[from.min(end)..end].iter().map(|place| self.group(place))
    }

    /// Every row; those that have been sorted first and in their order.
    pub fn all(&self) -> impl Iterator<Item = Group<'_>> {
        self.order.iter().map(|place| self.group(place))
    }

    /// Where a row stands in the whole order, sorted or not.
    #[must_use]
    pub fn position(&self, key: &RowKey) -> Option<usize> {
        let row = self.sums.row(key)?;
        let at = self.order.iter().position(|place| place.row == row)?;
        if at < self.sorted {
            return Some(at);
        }
        let its = &self.order[at];
        let before = self.order[self.sorted..].iter().filter(|place| self.compare(place, its).is_lt());
        Some(self.sorted + before.count())
    }

    /// The row at a place, if it has been sorted.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Group<'_>> {
        self.rows(at, 1).next()
    }
}

fn is_shown(sums: &Sums, row: u32, tally: &Tally, order: &Order<'_>, known: &mut Cached<bool>) -> bool {
    let sum = sums.sum(tally);
    let is_wanted = order.is_wanted.is_none_or(|is_wanted| {
        *known[row as usize].get_or_insert_with(|| is_wanted(&Group { key: sums.key(row), sum }))
    });
    is_wanted && (order.is_enough)(&sum)
}

fn text_of<'a>(sums: &Sums, row: u32, order: &Order<'_>, texts: &'a mut Cached<Box<str>>) -> &'a str {
    texts[row as usize].get_or_insert_with(|| (order.text)(sums.key(row)).into())
}

/// Bytes of a text that are compared without looking for the text.
const BEGINNING: usize = 16;

/// The beginning of a text as numbers that sort like it.
fn beginning(text: &str) -> [u64; 2] {
    let mut bytes = [0; BEGINNING];
    for (byte, from) in bytes.iter_mut().zip(text.bytes()) {
        *byte = from;
    }
    let number = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    [(number >> 64) as u64, number as u64]
}
