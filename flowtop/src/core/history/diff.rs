//! A period against another one: what each row has more or less.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::report::{Report, Row, Sums};
use crate::core::rows::key::Cell;

/// Two reports by the same keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The period that is asked about.
    pub now: Report,
    /// The one that it is compared with.
    pub before: Report,
    /// The rows of both, the one whose rate is most different first.
    pub rows: Vec<Change>,
}

/// A row in two periods. The sums of the one in which it is not are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What tells it apart, with the sums of now.
    pub row: Row,
    /// The sums of the other period.
    pub before: Sums,
    /// Where it is.
    pub presence: Presence,
}

/// In which of two periods a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In both.
    Both,
    /// Not in the one before.
    New,
    /// Only in the one before.
    Gone,
}

impl Presence {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

impl Diff {
    /// Compares two reports that were made with the same question, but for the period.
    #[must_use]
    pub fn new(now: Report, before: Report) -> Self {
        let key = |row: &Row| -> (Box<[Cell]>, Option<String>) { (row.cells.clone(), row.host.clone()) };
        let mut old: HashMap<_, Sums> = before.rows.iter().map(|row| (key(row), row.sums)).collect();
        let mut rows: Vec<Change> = Vec::with_capacity(now.rows.len());
        for row in &now.rows {
            let before = old.remove(&key(row));
            let presence = if before.is_some() { Presence::Both } else { Presence::New };
            rows.push(Change { row: row.clone(), before: before.unwrap_or_default(), presence });
        }
        let gone = before.rows.iter().filter(|row| old.contains_key(&key(row)));
        rows.extend(gone.map(|row| Change {
            row: Row { sums: Sums::default(), ..row.clone() },
            before: row.sums,
            presence: Presence::Gone,
        }));
        let mut diff = Self { now, before, rows: Vec::new() };
        rows.sort_by_cached_key(|change| (Reverse(diff.weight(change)), change.row.cells.clone()));
        diff.rows = rows;
        diff
    }

    /// How different the rates are, in bits per 1000 s: enough to sort by.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and it saturates"
    )]
    fn weight(&self, change: &Change) -> u64 {
        (self.more_per_s(change.row.sums.bytes.sum(), change.before.bytes.sum()).abs() * 8000.0) as u64
    }

    /// Bytes per second more than before.
    #[must_use]
    pub fn more_per_s(&self, now: u64, before: u64) -> f64 {
        self.now.rate(now) - self.before.rate(before)
    }
}

/// How many more it is now.
#[must_use]
pub fn more(now: u64, before: u64) -> i64 {
    let size = i64::try_from(now.abs_diff(before)).unwrap_or(i64::MAX);
    if now < before { -size } else { size }
}
