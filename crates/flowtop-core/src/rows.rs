//! Ledger to rows, sorted and limited: one for each connection, as the machine formats have them.
//!
//! Not in here: rows of several connections (`rows::merged`), which flows are one connection (`ledger::pairs`),
//! and how a row looks (`flowtop_view::text`, `flowtop_view::json`, `flowtop_view::csv`).

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use core::net::SocketAddr;

use flowtop_common::FlowKey;

use super::flow::Tuple;
use super::ledger::{Entry, Ledger, Line};
use super::view::{LineDisplay, Sort, View};
use super::window::{Bytes, Rates, Window};
use sums::Tally;

pub mod grouped;
pub mod key;
pub mod merged;
pub mod sums;
pub mod table;
#[cfg(test)]
mod tests;

/// One connection, as its left end sees it: the one inside where there is a border, else the initiator where both
/// ends are on this host, else the local one.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Identity of the left end; of the right one if the left one is not on this host.
    pub key: &'a FlowKey,
    /// Addresses as the left end sees them.
    pub tuple: Tuple,
    pub entry: &'a Entry,
    /// Whether that is the right end.
    pub turned: bool,
    /// The right end, where it is on this host and not that of `key`.
    pub peer: Option<(&'a FlowKey, &'a Entry)>,
    /// Bytes of the left end since the start.
    pub bytes: Bytes,
    /// Bytes of the left end in the last 2, 10, 40 s.
    pub rates: Rates,
    /// Bytes on the wire of the left end since the start; `None` where they are not known, as those of an end that is not here.
    pub on_wire: Option<Bytes>,
}

impl<'a> Row<'a> {
    /// The socket of the right end, where it is on this host.
    #[must_use]
    pub fn right(&self) -> Option<(&'a FlowKey, &'a Entry)> {
        if self.turned { Some((self.key, self.entry)) } else { self.peer }
    }
}

/// The rows of a view, one for each connection with bytes since the start. Hosts are sorted by address.
#[must_use]
pub fn rows<'a>(ledger: &'a Ledger, view: &View) -> Vec<Row<'a>> {
    // At most one each: growing step by step would move them again and again.
    let mut ranked = Vec::with_capacity(ledger.lines().len());
    let lines = (0..).zip(ledger.lines()).filter(|(_, line)| line.stamp > 0 && !line.is_right());
    ranked.extend(
        lines.map(|(place, line)| (Rank::of_line(view, host(ledger, place, view.sort), line), place)),
    );
    let places = arrange(ranked, view.limit, |place| identity(ledger, *place));
    let flows = places.into_iter().filter_map(|place| ledger.at(place));
    flows.filter_map(|(key, entry)| row(ledger, key, entry)).collect()
}

/// What the rows of a view leave out because of its limit: `shown` are those rows. `None` if they are all there are.
#[must_use]
pub fn beyond(ledger: &Ledger, view: &View, shown: &[Row<'_>]) -> Option<grouped::ExtraSums> {
    view.limit?;
    let (mut connections, mut bytes, mut windows) = (0_u64, Bytes::default(), [Bytes::default(); 3]);
    for line in ledger.lines().iter().filter(|line| line.stamp > 0 && !line.is_right()) {
        let seen = |bytes: Bytes| if line.is_turned() { bytes.mirror() } else { bytes };
        connections += 1;
        bytes += seen(line.bytes);
        windows.iter_mut().zip(line.windows).for_each(|(sum, window)| *sum += seen(window));
    }
    let all = grouped::ExtraSums { connections, bytes, rates: ledger.rates_of(windows) };
    let less = |all: grouped::ExtraSums, row: &Row<'_>| all.less(1, row.bytes, &row.rates);
    Some(shown.iter().fold(all, less)).filter(|others| others.connections > 0)
}

/// The text that the row of a flow is sorted by, empty if none is.
fn host(ledger: &Ledger, place: u32, sort: Sort) -> String {
    let of = |address: fn(Tuple) -> SocketAddr| {
        ledger.at(place).map_or_else(String::new, |(key, entry)| address(tuple(key, entry)).ip().to_string())
    };
    match sort {
        Sort::Source => of(|tuple| tuple.local),
        Sort::Destination => of(|tuple| tuple.remote),
        _ => String::new(),
    }
}

/// Tie-breaker of rows that are equal in all else.
fn identity(ledger: &Ledger, place: u32) -> Option<(Tuple, u32, u64, &FlowKey)> {
    ledger.at(place).map(|(key, entry)| (tuple(key, entry), key.netns, key.id, key))
}

/// The addresses of a row, from the flow that it starts with.
fn tuple(key: &FlowKey, entry: &Entry) -> Tuple {
    let tuple = Tuple::of(key);
    if entry.is_turned() { tuple.mirror() } else { tuple }
}

/// The row that starts with this flow, unless it has no bytes or belongs to the row of its left end.
fn row<'a>(ledger: &'a Ledger, key: &'a FlowKey, entry: &'a Entry) -> Option<Row<'a>> {
    let peer = ledger.peer(entry);
    let moved = entry.bytes().sum() > 0 || peer.is_some_and(|(_, peer)| peer.bytes().sum() > 0);
    (moved && !entry.is_peer()).then(|| end(key, entry, peer, ledger.rates(entry), ledger.on_wire(entry)))
}

/// The row of one end of a connection, also of one that belongs to the row of its left end. `peer` is the other end, and
/// `rates` and `on_wire` are as the end itself sees them.
fn end<'a>(
    key: &'a FlowKey,
    entry: &'a Entry,
    peer: Option<(&'a FlowKey, &'a Entry)>,
    rates: Rates,
    on_wire: Option<Bytes>,
) -> Row<'a> {
    let (bytes, turned) = (entry.bytes(), entry.is_turned());
    let (bytes, rates) = if turned { (bytes.mirror(), rates.mirror()) } else { (bytes, rates) };
    let on_wire = on_wire.filter(|_| !turned);
    Row { key, tuple: tuple(key, entry), entry, turned, peer, bytes, rates, on_wire }
}

/// Where a row stands: ascending by the host if hosts are sorted, then descending by the chosen bytes since the start, by
/// the chosen window and the longer ones, then since the start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    host: String,
    amounts: Reverse<[u64; 8]>,
}

impl Rank {
    /// The amount that a view sorts by first, whatever else it sorts by.
    fn first(view: &View, tally: &Tally) -> u64 {
        if let Some(total) = view.sort.of_total(tally.bytes()) {
            return total;
        }
        let bytes = tally.window(view.sort.window());
        direction(view).map_or_else(|| bytes.sum(), |of| of(bytes))
    }

    /// For each rank a number that tells most of them apart, and orders no two of them in another way than they are.
    fn leading<'a>(ranks: impl Iterator<Item = &'a Self> + Clone) -> Vec<u64> {
        let is_by_host = ranks.clone().any(|rank| !rank.host.is_empty());
        let differs = |index: &usize| ranks.clone().any(|rank| rank.amounts.0[*index] > 0);
        let first = (0..8).find(differs).unwrap_or_default();
        ranks.map(|rank| if is_by_host { first_bytes(&rank.host) } else { !rank.amounts.0[first] }).collect()
    }

    /// `host` is the text that is sorted by, empty if none is.
    fn of_line(view: &View, host: String, line: &Line) -> Self {
        let seen = |bytes: Bytes| if line.is_turned() { bytes.mirror() } else { bytes };
        Self::with(view, host, |window| seen(line.windows[window as usize]), seen(line.bytes))
    }

    fn of_tally(view: &View, tally: &Tally) -> Self {
        Self::with(view, String::new(), |window| tally.window(window), tally.bytes())
    }

    fn with(view: &View, host: String, windows: impl Fn(Window) -> Bytes, bytes: Bytes) -> Self {
        let mut amounts = [0; 8];
        amounts[0] = view.sort.of_total(bytes).unwrap_or_default();
        for window in &Window::ALL[view.sort.window() as usize..] {
            let bytes = windows(*window);
            amounts[1 + *window as usize] = direction(view).map_or(0, |of| of(bytes));
            amounts[4 + *window as usize] = bytes.sum();
        }
        amounts[7] = bytes.sum();
        Self { host, amounts: Reverse(amounts) }
    }
}

/// The beginning of a text as a number that is larger where the text is.
fn first_bytes(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(bytes.len());
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}

/// The direction that sorts, where only one is shown.
fn direction(view: &View) -> Option<fn(Bytes) -> u64> {
    match view.line_display {
        LineDisplay::TwoLine | LineDisplay::OneLineBoth => None,
        LineDisplay::OneLineSent => Some(|bytes| bytes.tx),
        LineDisplay::OneLineReceived => Some(|bytes| bytes.rx),
    }
}

/// The first rows, in order; equal ones by their identity, so that they never change places. Whole ranks, which are large
/// and far apart, are compared only where what leads them is equal, and identities are made only where ranks are.
fn arrange<T, I: Ord>(rows: Vec<(Rank, T)>, limit: Option<usize>, identity: impl Fn(&T) -> I) -> Vec<T> {
    let leading = Rank::leading(rows.iter().map(|(rank, _)| rank));
    let limit = limit.unwrap_or(rows.len());
    let by_leading = |a: &(u64, usize), b: &(u64, usize)| a.0.cmp(&b.0);
    let by_rank = |a: &(u64, usize), b: &(u64, usize)| rows[a.1].0.cmp(&rows[b.1].0);
    let (mut places, tied) = first(leading.into_iter().zip(0..).collect(), limit, by_leading);
    let (more, tied) = first(tied, limit - places.len(), by_rank);
    places.extend(more);
    let tied = tied.into_iter().map(|place| (identity(&rows[place.1].1), place)).collect();
    let (more, tied) = first(tied, limit - places.len(), |a: &(I, _), b| a.0.cmp(&b.0));
    places.extend(more.into_iter().chain(tied).map(|(_, place)| place).take(limit - places.len()));
    places.sort_unstable_by(|a, b| by_leading(a, b).then_with(|| by_rank(a, b)));
    for equal in places.chunk_by_mut(|a, b| by_rank(a, b).is_eq()).filter(|equal| equal.len() > 1) {
        equal.sort_by_cached_key(|place| identity(&rows[place.1].1));
    }
    let mut rows: Vec<Option<T>> = rows.into_iter().map(|(_, row)| Some(row)).collect();
    places.into_iter().filter_map(|(_, at)| rows[at].take()).collect()
}

/// The items that are among the first `n` whatever else decides, and then those of which only some are, because they are
/// equal.
fn first<T>(mut items: Vec<T>, n: usize, order: impl Fn(&T, &T) -> Ordering) -> (Vec<T>, Vec<T>) {
    if items.len() <= n || n == 0 {
        items.truncate(n);
        return (items, Vec::new());
    }
    items.select_nth_unstable_by(n - 1, &order);
    let last = items.swap_remove(n - 1);
    let (mut certain, mut tied) = (Vec::new(), Vec::new());
    for item in items {
        match order(&item, &last) {
            Ordering::Less => certain.push(item),
            Ordering::Equal => tied.push(item),
            Ordering::Greater => {}
        }
    }
    tied.push(last);
    if certain.len() + tied.len() == n {
        certain.append(&mut tied);
    }
    (certain, tied)
}
