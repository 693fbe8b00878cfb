//! Rows in their order, sorted only as far as somebody looks: of 100,000 rows a screen shows 50.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Rank;
use super::groups::{Group, Key};
use crate::core::view::View;

#[cfg(test)]
mod tests;

/// Rows are sorted at least so many at a time.
const STEP: usize = 256;

/// All rows of a screen. Pinned ones come first.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Ranked>,
    /// So many of them are where they belong.
    sorted: usize,
}

#[derive(Clone, Debug)]
struct Ranked {
    is_unpinned: bool,
    rank: Rank,
    group: Group,
}

impl Ranked {
    /// Equal ranks by what the row is, so that rows never change places without a reason.
    fn order(&self, other: &Self) -> Ordering {
        let place = |row: &Self| row.is_unpinned;
        place(self)
            .cmp(&place(other))
            .then_with(|| self.rank.cmp(&other.rank))
            .then_with(|| self.group.key.cmp(&other.group.key))
    }
}

impl Table {
    /// Rows in the order of a view; `host_text` is what a row is sorted by where hosts are.
    #[must_use]
    pub fn new(
        groups: impl Iterator<Item = Group>,
        view: &View,
        pinned: &BTreeSet<Key>,
        host_text: &dyn Fn(&Key) -> String,
    ) -> Self {
        let rows = groups.map(|group| Ranked {
            is_unpinned: !pinned.contains(&group.key),
            rank: Rank::new(view, host_text(&group.key), &group.sum.rates, group.sum.bytes),
            group,
        });
        Self { rows: rows.collect(), sorted: 0 }
    }

    /// Rows in the order in which they come.
    #[must_use]
    pub fn in_order(groups: impl Iterator<Item = Group>) -> Self {
        let view = View::default();
        let rows = groups.map(|group| Ranked {
            is_unpinned: true,
            rank: Rank::new(&view, String::new(), &group.sum.rates, group.sum.bytes),
            group,
        });
        let rows: Vec<_> = rows.collect();
        Self { sorted: rows.len(), rows }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts the first `n` rows where they belong.
    pub fn sort_first(&mut self, n: usize) {
        let n = n.min(self.rows.len());
        if n <= self.sorted {
            return;
        }
        // In growing steps, so that a walk to the end costs little more than one sort.
        let end = n.max(self.sorted * 2).max(STEP).min(self.rows.len());
        let rest = &mut self.rows[self.sorted..];
        let wanted = end - self.sorted;
        if wanted < rest.len() {
            rest.select_nth_unstable_by(wanted, Ranked::order);
        }
        rest[..wanted].sort_unstable_by(Ranked::order);
        self.sorted = end;
    }

    /// Some rows of those that have been sorted; fewer where there are fewer.
    pub fn rows(&self, from: usize, n: usize) -> impl Iterator<Item = &Group> {
        let end = from.saturating_add(n).min(self.sorted);
        self.rows[from.min(end)..end].iter().map(|row| &row.group)
    }

    /// Every row; those that have been sorted first and in their order.
    pub fn all(&self) -> impl Iterator<Item = &Group> {
        self.rows.iter().map(|row| &row.group)
    }

    /// Where a row stands in the whole order, sorted or not.
    #[must_use]
    pub fn position(&self, key: &Key) -> Option<usize> {
        let at = self.rows.iter().position(|row| row.group.key == *key)?;
        if at < self.sorted {
            return Some(at);
        }
        let its = &self.rows[at];
        let before = self.rows[self.sorted..].iter().filter(|row| row.order(its) == Ordering::Less);
        Some(self.sorted + before.count())
    }

    /// The row at a place, if it has been sorted.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Group> {
        self.rows(at, 1).next()
    }
}
