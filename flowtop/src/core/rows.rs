//! Ledger to rows: one for each connection, sorted and limited.
//!
//! Not in here: which flows are one connection (`core::ledger::pairs`) and how a row looks (`core::text`,
//! `core::json`).

use std::cmp::{Ordering, Reverse};

use flowtop_common::FlowKey;

use super::flow::Tuple;
use super::ledger::{Entry, Ledger};
use super::window::{Rates, Window};

#[cfg(test)]
mod tests;

/// Which rows, in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The window whose bytes sort the rows.
    pub sort: Window,
    /// At most so many rows, `None` or 0 for all.
    pub limit: Option<usize>,
}

/// One connection, as its left end sees it: the initiator where both ends are on this host.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Identity of the left end.
    pub key: &'a FlowKey,
    /// Addresses of the left end.
    pub tuple: Tuple,
    /// The left end.
    pub entry: &'a Entry,
    /// The other end, where it is on this host.
    pub peer: Option<(&'a FlowKey, &'a Entry)>,
    /// Bytes of the left end in the last 2, 10, 40 s.
    pub rates: Rates,
}

/// The rows of a view: every connection with bytes since the start, the busiest first.
#[must_use]
pub fn rows<'a>(ledger: &'a Ledger, view: &View) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> =
        ledger.entries().filter_map(|(key, entry)| row(ledger, key, entry)).collect();
    let order = |a: &Row<'_>, b: &Row<'_>| order(view.sort, a, b);
    match view.limit {
        Some(limit) if 0 < limit && limit < rows.len() => {
            rows.select_nth_unstable_by(limit, order);
            rows.truncate(limit);
        }
        _ => {}
    }
    rows.sort_unstable_by(order);
    rows
}

/// The row that starts with this flow, unless it has no bytes or belongs to the row of its initiator.
fn row<'a>(ledger: &'a Ledger, key: &'a FlowKey, entry: &'a Entry) -> Option<Row<'a>> {
    if entry.is_peer() {
        return None;
    }
    let peer = entry.peer().and_then(|peer| Some((peer, ledger.get(peer)?)));
    let moved = entry.bytes().sum() > 0 || peer.is_some_and(|(_, peer)| peer.bytes().sum() > 0);
    moved.then(|| Row { key, tuple: Tuple::of(key), entry, peer, rates: ledger.rates(entry) })
}

/// Descending by the bytes of the chosen window, then of the longer ones, then since the start; then by identity, so
/// that equal rows never change places.
fn order(sort: Window, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let windows = Window::ALL[sort as usize..].iter();
    let by_window = windows
        .map(|&window| Reverse(a.rates.bytes(window).sum()).cmp(&Reverse(b.rates.bytes(window).sum())));
    let by_total = || Reverse(a.entry.bytes().sum()).cmp(&Reverse(b.entry.bytes().sum()));
    let identity = |row: &Row<'_>| (row.tuple, row.key.netns, row.key.id);
    by_window
        .fold(Ordering::Equal, Ordering::then)
        .then_with(by_total)
        .then_with(|| identity(a).cmp(&identity(b)))
        .then_with(|| a.key.cmp(b.key))
}
