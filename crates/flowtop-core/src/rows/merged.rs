//! Rows as a person reads them: connections that look the same are one row, which is their sum.

use super::grouped::ExtraSums;
use super::key::{Grouped, RowKey};
use super::sums::{Recipe, Sums};
use super::table::Table;
use crate::ledger::Ledger;
use crate::view::{Grouping, PortDisplay, Sort, View};
use crate::who::Who;
use crate::window::{Bytes, Rates};
use alloc::string::String;
use alloc::vec::Vec;

pub use super::key::{End, EndOwner, Ends, Host};

#[cfg(test)]
mod tests;

/// Connections that look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedRow {
    pub ends: Ends,
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
}

/// The rows of a view; `host_text` is a host as it is displayed.
#[must_use]
pub fn rows(ledger: &Ledger, view: &View, host_text: impl Fn(Host) -> String) -> Vec<MergedRow> {
    rows_in(&mut Table::default(), ledger, view, host_text).0
}

/// The same where a table remembers the rows of the last report of this ledger, and what is in none of them because of the
/// view's limit.
pub fn rows_in(
    table: &mut Table,
    ledger: &Ledger,
    view: &View,
    host_text: impl Fn(Host) -> String,
) -> (Vec<MergedRow>, Option<ExtraSums>) {
    let text = |key: &RowKey| match (key, view.sort) {
        (RowKey::Ends(ends), Sort::Source) => host_text(ends.source.host),
        (RowKey::Ends(ends), Sort::Destination) => host_text(ends.destination.host),
        _ => String::new(),
    };
    // No identities are needed: the ends show the process that the kernel has seen.
    let recipe = Recipe { grouped: of_flows(view.grouping), who: Who::nobody(), keep: None };
    let (all, rows) = table.first_rows(ledger, view, &recipe, &text);
    let mut others = ExtraSums { connections: all.connections.into(), bytes: all.bytes, rates: all.rates };
    let rows = rows.filter_map(|row| {
        others = others.less(row.sum.connections.into(), row.sum.bytes, &row.sum.rates);
        match row.key {
            RowKey::Ends(ends) => Some(MergedRow { ends: *ends, rates: row.sum.rates, bytes: row.sum.bytes }),
            // A line below the rows has these.
            RowKey::Common(_) | RowKey::SummedUp => None,
        }
    });
    let rows = rows.collect();
    (rows, Some(others).filter(|others| others.connections > 0))
}

fn of_flows(grouping: Grouping) -> Grouped {
    Grouped { grouping, ..Grouped::default() }
}

fn merge(ledger: &Ledger, grouping: Grouping) -> Sums {
    Sums::of(ledger, of_flows(grouping), Who::nobody())
}

/// The rows of the moment when the order was frozen. They stay, in their order, and their values go on; later
/// connections that look different have no row.
#[derive(Clone, Debug)]
pub struct Frozen {
    grouping: Grouping,
    order: Vec<Ends>,
}

impl Frozen {
    /// Freezes these rows of a view.
    #[must_use]
    pub fn new(view: &View, rows: &[MergedRow]) -> Self {
        Self { grouping: view.grouping, order: rows.iter().map(|row| row.ends).collect() }
    }

    /// The frozen rows with the values of now.
    #[must_use]
    pub fn rows(&self, ledger: &Ledger) -> Vec<MergedRow> {
        let sums = merge(ledger, self.grouping);
        let now = |ends: Ends| sums.row(&RowKey::Ends(ends)).map(|row| sums.tally(row));
        let same_hosts = self.grouping.ports == PortDisplay::Off;
        let either_way = |&ends: &Ends| {
            let own = now(ends).filter(|tally| tally.connections > 0);
            let turned = || now(ends.mirror()).filter(|_| same_hosts).map(|tally| tally.mirror());
            let sum = sums.sum(&own.or_else(turned).unwrap_or_default());
            MergedRow { ends, rates: sum.rates, bytes: sum.bytes }
        };
        self.order.iter().map(either_way).collect()
    }
}
