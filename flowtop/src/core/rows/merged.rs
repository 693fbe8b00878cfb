//! Rows as a person reads them: connections that look the same are one row, which is their sum.

use super::key::{Grouped, RowKey};
use super::sums::Sums;
use super::{Rank, arrange};
use crate::core::column::Who;
use crate::core::ledger::Ledger;
use crate::core::view::{Grouping, PortDisplay, Sort, View};
use crate::core::window::{Bytes, Rates};

pub use super::key::{End, EndOwner, Ends, Host};

#[cfg(test)]
mod tests;

/// Connections that look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedRow {
    /// How they look.
    pub ends: Ends,
    /// The sum of their rates.
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
}

/// The rows of a view; `host_text` is a host as it is displayed.
#[must_use]
pub fn rows(ledger: &Ledger, view: &View, host_text: impl Fn(Host) -> String) -> Vec<MergedRow> {
    let host = |ends: &Ends| match view.sort {
        Sort::Source => host_text(ends.source.host),
        Sort::Destination => host_text(ends.destination.host),
        _ => String::new(),
    };
    let sums = merge(ledger, view.grouping);
    let rows = sums.groups().filter_map(|(key, sum)| match key {
        RowKey::Ends(ends) => Some(MergedRow { ends: *ends, rates: sum.rates, bytes: sum.bytes }),
        RowKey::Common(_) => None,
    });
    let ranked = rows.map(|row| (Rank::new(view, host(&row.ends), &row.rates, row.bytes), row));
    arrange(ranked.collect(), view.limit, |row| row.ends)
}

fn merge(ledger: &Ledger, grouping: Grouping) -> Sums {
    // Nobody is asked for: the ends show who the kernel has seen.
    Sums::of(ledger, Grouped { grouping, ..Grouped::default() }, Who::nobody())
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
