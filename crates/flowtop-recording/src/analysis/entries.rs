//! The list of a report: the rows that were asked for, and behind them everything else, so that the list adds up to
//! the total, except for bytes counted at both ends of a connection.

use super::diff::{Change, Diff, Presence};
use super::report::{Others, Report, Row, Sums};
use flowtop_core::number::count;
use flowtop_core::window::Bytes;

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    /// Sum of the rows beyond the limit.
    Others,
    /// Bytes of which it is not known to which row they belong.
    Remainder,
    /// Sockets that found the kernel's table full.
    Untracked,
    /// Surplus of rows of ends over the total: bytes of the second end of connections that are counted at both.
    LocalTwice,
    Total,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Others => "others",
            Self::Remainder => "remainder",
            Self::Untracked => "untracked",
            Self::LocalTwice => "local_twice",
            Self::Total => "total",
        }
    }
}

/// One entry of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub kind: Kind,
    /// The row; `None` for a sum.
    pub row: Option<&'a Row>,
    /// Rows that it stands for, if it stands for several and that is known.
    pub rows: Option<u64>,
    pub sums: Sums,
    /// The same in the period that it is compared with.
    pub before: Sums,
    pub presence: Presence,
}

impl Entry<'_> {
    fn of(kind: Kind, sums: Sums, before: Sums) -> Self {
        Self { kind, row: None, rows: None, sums, before, presence: Presence::Both }
    }

    /// Title of an entry that is no row.
    pub fn title(&self) -> String {
        match self.kind {
            Kind::Others => match self.rows {
                Some(rows) => format!("others: {}", count(rows, "row")),
                None => "others".to_owned(),
            },
            Kind::Remainder => "not known whose".to_owned(),
            Kind::Untracked => format!("untracked: {}", count(self.sums.connections, "socket")),
            Kind::LocalTwice => "counted at both ends".to_owned(),
            Kind::Row | Kind::Total => "total".to_owned(),
        }
    }

    fn is_empty(&self) -> bool {
        self.rows.unwrap_or(0) == 0
            && self.sums.bytes.sum() + self.before.bytes.sum() + self.sums.connections == 0
    }
}

/// Rows, and what stands behind them.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    rows: Listed<'a>,
    are_ends: bool,
    behind: Vec<Entry<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Listed<'a> {
    Rows(&'a [Row]),
    Changes(&'a [Change]),
}

impl<'a> List<'a> {
    fn new(
        rows: Listed<'a>,
        are_ends: bool,
        others: Entry<'a>,
        behind: impl IntoIterator<Item = Entry<'a>>,
    ) -> Self {
        let all = std::iter::once(others).chain(behind);
        let behind = all.filter(|entry| !entry.is_empty() || matches!(entry.kind, Kind::Total)).collect();
        Self { rows, are_ends, behind }
    }

    pub fn rows(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let rows = match self.rows {
            Listed::Rows(rows) => (rows, &[][..]),
            Listed::Changes(changes) => (&[][..], changes),
        };
        let row = |row: &'a Row| Entry { row: Some(row), ..Entry::of(Kind::Row, row.sums, Sums::default()) };
        let change = |change: &'a Change| Entry {
            row: Some(&change.row),
            presence: change.presence,
            ..Entry::of(Kind::Row, change.row.sums, change.before)
        };
        rows.0.iter().map(row).chain(rows.1.iter().map(change))
    }

    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> {
        self.rows().chain(self.behind.iter().copied())
    }

    /// The entry of a kind that is no row; `None` if it is empty.
    pub fn behind(&self, kind: Kind) -> Option<Entry<'a>> {
        self.behind.iter().find(|entry| entry.kind == kind).copied()
    }

    /// An empty [`Kind::LocalTwice`], where rows are of ends and nothing was counted twice.
    pub fn no_local_twice(&self) -> Option<Entry<'a>> {
        self.are_ends.then(|| Entry::of(Kind::LocalTwice, Sums::default(), Sums::default()))
    }
}

/// The first rows, then the rest and the total.
pub(super) fn of_report(report: &Report, limit: Option<usize>) -> List<'_> {
    let shown = limit.unwrap_or(usize::MAX).min(report.rows.len());
    let (listed, others) = report.rows.split_at(shown);
    let sums = all(others.iter().map(|row| row.sums), report.others.as_ref());
    let rows = report.others.is_none().then_some(others.len() as u64);
    let others = Entry { rows, ..Entry::of(Kind::Others, sums, Sums::default()) };
    List::new(Listed::Rows(listed), report.by.groups_ends(), others, behind(report, None))
}

/// The list of a comparison of two periods.
pub(super) fn of_diff(diff: &Diff, limit: Option<usize>) -> List<'_> {
    let shown = limit.unwrap_or(usize::MAX).min(diff.rows.len());
    let (listed, others) = diff.rows.split_at(shown);
    let Diff { now, before, .. } = diff;
    let sums = all(others.iter().map(|change| change.row.sums), now.others.as_ref());
    let sums_before = all(others.iter().map(|change| change.before), before.others.as_ref());
    let is_known = now.others.is_none() && before.others.is_none();
    let rows = is_known.then_some(others.len() as u64);
    let others = Entry { rows, ..Entry::of(Kind::Others, sums, sums_before) };
    List::new(Listed::Changes(listed), now.by.groups_ends(), others, behind(now, Some(before)))
}

/// Entries that are no rows.
fn behind<'a>(now: &Report, before: Option<&Report>) -> [Entry<'a>; 4] {
    let remainder = |report: &Report| only(report.remainder, 0);
    let untracked = |report: &Report| only(report.untracked, report.untracked_flows);
    let local_twice = |report: &Report| only(report.local_twice, 0);
    let entry =
        |kind, of: &dyn Fn(&Report) -> Sums| Entry::of(kind, of(now), before.map(of).unwrap_or_default());
    [
        entry(Kind::Remainder, &remainder),
        entry(Kind::Untracked, &untracked),
        entry(Kind::LocalTwice, &local_twice),
        entry(Kind::Total, &|report: &Report| report.total),
    ]
}

fn only(bytes: Bytes, connections: u64) -> Sums {
    Sums { bytes, connections, ..Sums::default() }
}

/// Several rows together, and those that are not told apart. When they were above the limit together is not known.
fn all(rows: impl Iterator<Item = Sums>, others: Option<&Others>) -> Sums {
    let nothing = Sums { on_wire: Some(Bytes::default()), ..Sums::default() };
    rows.chain(others.map(|others| others.sums)).fold(nothing, |sum, row| Sums {
        bytes: sum.bytes + row.bytes,
        retrans_bytes: sum.retrans_bytes + row.retrans_bytes,
        on_wire: sum.on_wire.zip(row.on_wire).map(|(sum, more)| sum + more),
        connections: sum.connections + row.connections,
        peak: sum.peak.max(row.peak),
        above_us: None,
    })
}
