//! Records at each path that was asked for.

use super::Period;
use super::intervals::{Intervals, by_end};
use flowtop_core::record::Span;

/// Records at one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathReport {
    pub path: String,
    /// Why it could not be read, if so.
    pub unreadable: Option<String>,
    pub records: u64,
    /// How much of the period their windows cover, in µs.
    pub covered_us: u64,
    /// Stretches of the period without a window, those at its ends included.
    pub gaps: u64,
    /// The longest of them, in µs.
    pub longest_gap_us: u64,
    /// From the start of the first of all records to the end of the last one, in µs since 1970 UTC, if there is any.
    pub recorded_us: Option<(i64, i64)>,
}

/// Paths whose records are looked at.
#[derive(Debug)]
pub struct Paths {
    period: Period,
    paths: Vec<(PathReport, Intervals)>,
}

impl Paths {
    /// Paths with the reasons why they could not be read, if so.
    #[must_use]
    pub fn new(period: Period, paths: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        let report = |(path, unreadable)| {
            (PathReport { path, unreadable, ..PathReport::default() }, Intervals::default())
        };
        Self { period, paths: paths.into_iter().map(report).collect() }
    }

    /// Takes a record at a path, by its number.
    pub fn add(&mut self, path: usize, span: &Span, is_inside: bool) {
        let Some((report, intervals)) = self.paths.get_mut(path) else { return };
        let (first, last) = (span.began_us(), span.end_us);
        let (start_us, end_us) = report.recorded_us.unwrap_or((first, last));
        report.recorded_us = Some((start_us.min(first), end_us.max(last)));
        if is_inside {
            report.records += 1;
            intervals.add(by_end(span));
        }
    }

    #[must_use]
    pub fn end(self) -> Vec<PathReport> {
        let period = self.period.interval();
        let end = |(report, intervals): (PathReport, Intervals)| {
            let holes = intervals.holes(period);
            PathReport {
                covered_us: intervals.covered_us(period),
                gaps: holes.len() as u64,
                longest_gap_us: holes.iter().map(|hole| hole.length_us()).max().unwrap_or(0),
                ..report
            }
        };
        self.paths.into_iter().map(end).collect()
    }
}
