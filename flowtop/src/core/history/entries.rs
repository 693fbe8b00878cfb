//! What is listed: the rows that were asked for, and behind them everything else, so that the list is the total.

use super::diff::{Change, Diff, Presence};
use super::report::{Report, Row, Sums};
use crate::core::ui::label::count;
use crate::core::window::Bytes;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A row.
    Row,
    /// The rows beyond the limit.
    Others,
    /// Bytes of which it is not known to which row they belong.
    Remainder,
    /// Sockets that found the kernel's table full.
    Untracked,
    /// All of it.
    Total,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Others => "others",
            Self::Remainder => "remainder",
            Self::Untracked => "untracked",
            Self::Total => "total",
        }
    }
}

/// One of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub kind: Kind,
    /// If it is one row.
    pub row: Option<&'a Row>,
    /// Rows that it stands for, if it stands for several.
    pub rows: u64,
    pub sums: Sums,
    /// The same in the period that it is compared with.
    pub before: Sums,
    pub presence: Presence,
}

impl Entry<'_> {
    fn of(kind: Kind, sums: Sums, before: Sums) -> Self {
        Self { kind, row: None, rows: 0, sums, before, presence: Presence::Both }
    }

    /// What it is called where it is no row.
    pub fn title(&self) -> String {
        match self.kind {
            Kind::Others => format!("others: {}", count(self.rows, "row")),
            Kind::Remainder => "not known whose".to_owned(),
            Kind::Untracked => format!("untracked: {}", count(self.sums.connections, "socket")),
            Kind::Row | Kind::Total => "total".to_owned(),
        }
    }

    fn is_empty(&self) -> bool {
        self.rows == 0 && self.sums.bytes.sum() + self.before.bytes.sum() + self.sums.connections == 0
    }
}

/// The first rows, then the rest and the total.
pub(super) fn of_report(report: &Report, limit: Option<usize>) -> Vec<Entry<'_>> {
    let shown = limit.unwrap_or(usize::MAX).min(report.rows.len());
    let (listed, others) = report.rows.split_at(shown);
    let none = Sums::default();
    let row = |row| Entry { row: Some(row), ..Entry::of(Kind::Row, row.sums, none) };
    let rest = all(others.iter().map(|row| row.sums));
    let mut entries: Vec<_> = listed.iter().map(row).collect();
    entries.push(Entry { rows: others.len() as u64, ..Entry::of(Kind::Others, rest, none) });
    entries.extend(behind(report, None));
    entries.retain(|entry| !entry.is_empty() || matches!(entry.kind, Kind::Total));
    entries
}

/// The same of two periods.
pub(super) fn of_diff(diff: &Diff, limit: Option<usize>) -> Vec<Entry<'_>> {
    let shown = limit.unwrap_or(usize::MAX).min(diff.rows.len());
    let (listed, others) = diff.rows.split_at(shown);
    let row = |change: &'_ Change| Entry::of(Kind::Row, change.row.sums, change.before);
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(shown + 4);
    for change in listed {
        entries.push(Entry { row: Some(&change.row), presence: change.presence, ..row(change) });
    }
    let rest = all(others.iter().map(|change| change.row.sums));
    let before = all(others.iter().map(|change| change.before));
    entries.push(Entry { rows: others.len() as u64, ..Entry::of(Kind::Others, rest, before) });
    entries.extend(behind(&diff.now, Some(&diff.before)));
    entries.retain(|entry| !entry.is_empty() || matches!(entry.kind, Kind::Row | Kind::Total));
    entries
}

/// What is no row.
fn behind<'a>(now: &Report, before: Option<&Report>) -> [Entry<'a>; 3] {
    let remainder = |report: &Report| only(report.remainder, 0);
    let untracked = |report: &Report| only(report.untracked, report.untracked_flows);
    let entry =
        |kind, of: &dyn Fn(&Report) -> Sums| Entry::of(kind, of(now), before.map(of).unwrap_or_default());
    [
        entry(Kind::Remainder, &remainder),
        entry(Kind::Untracked, &untracked),
        entry(Kind::Total, &|report: &Report| report.total),
    ]
}

fn only(bytes: Bytes, connections: u64) -> Sums {
    Sums { bytes, connections, ..Sums::default() }
}

/// Several rows together. When they were above the limit together is not known.
fn all(rows: impl Iterator<Item = Sums>) -> Sums {
    rows.fold(Sums::default(), |sum, row| Sums {
        bytes: sum.bytes + row.bytes,
        retrans_bytes: sum.retrans_bytes + row.retrans_bytes,
        connections: sum.connections + row.connections,
        peak: sum.peak.max(row.peak),
        above_us: None,
    })
}
