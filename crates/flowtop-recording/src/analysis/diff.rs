//! Compares a period with another one: the change of each row.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::report::{Report, Row, Sums};
/// Two reports by the same keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The period that is asked about. Its rows are in `rows`.
    pub now: Report,
    /// The one that it is compared with. Its rows are in `rows`.
    pub before: Report,
    /// The rows of both, the one whose rate is most different first.
    pub rows: Vec<Change>,
}

/// A row in two periods. The sums of the one in which it is not are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Row with the sums of the later period.
    pub row: Row,
    /// The sums of the other period.
    pub before: Sums,
    /// Which of the two periods have it.
    pub presence: Presence,
}

/// In which of two periods a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In both periods.
    Both,
    /// Only in the later period.
    New,
    /// Only in the earlier period.
    Gone,
}

impl Presence {
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
    pub fn new(mut now: Report, mut before: Report) -> Self {
        let (of_now, of_before) = (std::mem::take(&mut now.rows), std::mem::take(&mut before.rows));
        let mut old: HashMap<_, _> = of_before.iter().map(|row| (row.key(), row.sums)).collect();
        let known = |row: Row| {
            let before = old.remove(&row.key());
            let presence = if before.is_some() { Presence::Both } else { Presence::New };
            Change { row, before: before.unwrap_or_default(), presence }
        };
        let mut rows: Vec<Change> = of_now.into_iter().map(known).collect();
        let gone = of_before.iter().filter(|row| old.contains_key(&row.key()));
        rows.extend(gone.map(|row| Change {
            row: Row { sums: Sums::default(), ..row.clone() },
            before: row.sums,
            presence: Presence::Gone,
        }));
        let mut diff = Self { now, before, rows: Vec::new() };
        rows.sort_by_cached_key(|change| (Reverse(diff.weight(change)), change.row.key()));
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
