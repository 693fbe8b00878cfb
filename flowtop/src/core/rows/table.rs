//! Rows in their order, sorted only as far as somebody looks: of 100,000 rows a screen shows 50.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Rank;
use super::groups::{Group, Key};
use crate::core::view::{Sort, View};

#[cfg(test)]
mod tests;

/// Rows are sorted at least so many at a time.
const STEP: usize = 256;

/// All rows of a screen. Pinned ones come first.
#[derive(Clone, Debug, Default)]
pub struct Table {
    view: View,
    groups: Vec<Group>,
    /// What hosts are sorted by, where they are.
    hosts: Vec<String>,
    order: Vec<Place>,
    /// So many of them are where they belong.
    sorted: usize,
}

/// A row in the order, as small as can be: this is what is moved about.
#[derive(Clone, Copy, Debug)]
struct Place {
    is_unpinned: bool,
    at: u32,
    /// What most rows are told apart by.
    first: u64,
}

impl Table {
    /// Rows in the order of a view; `host_text` is what a row is sorted by where hosts are.
    #[must_use]
    pub fn new(
        groups: Vec<Group>,
        view: &View,
        pinned: &BTreeSet<Key>,
        host_text: &dyn Fn(&Key) -> String,
    ) -> Self {
        let place = |(at, group): (u32, &Group)| {
            let first = rank(view, group).first(view);
            Place { is_unpinned: !pinned.contains(&group.key), at, first }
        };
        let order = (0..).zip(&groups).map(place).collect();
        let is_by_host = matches!(view.sort, Sort::Source | Sort::Destination);
        let hosts = groups.iter().filter(|_| is_by_host).map(|group| host_text(&group.key)).collect();
        Self { view: *view, groups, hosts, order, sorted: 0 }
    }

    /// Rows in the order in which they come.
    #[must_use]
    pub fn in_order(groups: Vec<Group>) -> Self {
        let place = |at| Place { is_unpinned: true, at, first: 0 };
        let order: Vec<_> = (0..).take(groups.len()).map(place).collect();
        Self { sorted: order.len(), groups, order, ..Self::default() }
    }

    /// Equal ranks by what the row is, so that rows never change places without a reason.
    fn compare(&self, a: &Place, b: &Place) -> Ordering {
        let [one, other] = [a, b].map(|place| place.at as usize);
        let hosts = || self.hosts.get(one).cmp(&self.hosts.get(other));
        let [left, right] = [one, other].map(|at| &self.groups[at]);
        (a.is_unpinned.cmp(&b.is_unpinned))
            .then_with(hosts)
            .then_with(|| b.first.cmp(&a.first))
            .then_with(|| rank(&self.view, left).cmp(&rank(&self.view, right)))
            .then_with(|| left.key.cmp(&right.key))
    }

    /// The rows, for their memory.
    #[must_use]
    pub fn into_groups(self) -> Vec<Group> {
        self.groups
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
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
        let mut order = std::mem::take(&mut self.order);
        let (rest, wanted) = (&mut order[self.sorted..], end - self.sorted);
        if wanted < rest.len() {
            rest.select_nth_unstable_by(wanted, |a, b| self.compare(a, b));
        }
        rest[..wanted].sort_unstable_by(|a, b| self.compare(a, b));
        self.order = order;
        self.sorted = end;
    }

    /// Some rows of those that have been sorted; fewer where there are fewer.
    pub fn rows(&self, from: usize, n: usize) -> impl Iterator<Item = &Group> {
        let end = from.saturating_add(n).min(self.sorted);
        self.order[from.min(end)..end].iter().map(|place| &self.groups[place.at as usize])
    }

    /// Every row; those that have been sorted first and in their order.
    pub fn all(&self) -> impl Iterator<Item = &Group> {
        self.order.iter().map(|place| &self.groups[place.at as usize])
    }

    /// Where a row stands in the whole order, sorted or not.
    #[must_use]
    pub fn position(&self, key: &Key) -> Option<usize> {
        let at = self.all().position(|group| group.key == *key)?;
        if at < self.sorted {
            return Some(at);
        }
        let its = &self.order[at];
        let before = self.order[self.sorted..].iter().filter(|place| self.compare(place, its).is_lt());
        Some(self.sorted + before.count())
    }

    /// The row at a place, if it has been sorted.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Group> {
        self.rows(at, 1).next()
    }
}

/// Where a row stands among those of the same host.
fn rank(view: &View, group: &Group) -> Rank {
    Rank::new(view, String::new(), &group.sum.rates, group.sum.bytes)
}
