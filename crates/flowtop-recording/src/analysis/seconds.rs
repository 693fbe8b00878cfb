//! The totals of each second, as far as records tell them: the busiest second of all hosts together, and the total of a
//! period that ends within windows.

use std::collections::BTreeMap;

use super::Question;
use super::intervals::{APART_US, Interval, by_end};
use flowtop_core::record::Record;
use flowtop_core::window::Bytes;

const SECOND_US: i64 = 1_000_000;

/// How a record lies to the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Whether nothing in it is counted elsewhere.
    pub is_whole: bool,
    /// Whether a part of its time is in the record before.
    pub overlaps: bool,
    /// No later record has time before this.
    pub low_us: i64,
}

/// Adds up the seconds of records.
#[derive(Debug)]
pub(super) struct Seconds {
    period: Interval,
    has_filter: bool,
    /// Those that may become more, by second of the wall clock.
    open: BTreeMap<i64, Bytes>,
    /// Busiest second so far outside the pending ones.
    peak: Bytes,
    /// Whether they are those of all records.
    are_all: bool,
    /// Busiest second of the period.
    of_period: Bytes,
    /// How much time that is, in µs.
    of_period_us: u64,
    /// Whether no second is partly in the period.
    are_apart: bool,
}

impl Seconds {
    pub fn new(question: &Question) -> Self {
        Self {
            period: question.period.interval(),
            has_filter: question.has_filter(),
            open: BTreeMap::new(),
            peak: Bytes::default(),
            are_all: true,
            of_period: Bytes::default(),
            of_period_us: 0,
            are_apart: true,
        }
    }

    /// Adds those of a record, from `until` of its host on.
    pub fn take(&mut self, record: &Record, until: &mut i64, fit: &Fit) {
        // A sample that came late is not of one second.
        let has_all = record.per_second.len() as u64 >= record.span.length_ns() / 1_000_000_000;
        let counts = fit.is_whole && has_all && !self.has_filter;
        (self.are_all, self.are_apart) = (self.are_all && counts, self.are_apart && !fit.overlaps);
        if !fit.is_whole {
            self.open.clear();
        }
        if counts {
            let first = record.span.began_us().div_euclid(SECOND_US);
            for (second, bytes) in (first..).zip(&record.per_second) {
                if second >= *until {
                    *self.open.entry(second).or_default() += *bytes;
                    *until = second + 1;
                }
            }
            self.take_period(record);
        }
        self.end_before(fit.low_us.div_euclid(SECOND_US));
    }

    fn end_before(&mut self, second: i64) {
        let still_open = self.open.split_off(&second);
        let ended = std::mem::replace(&mut self.open, still_open);
        self.peak = ended.into_values().fold(self.peak, Bytes::max);
    }

    /// Adds the seconds that are in the period.
    fn take_period(&mut self, record: &Record) {
        let window = by_end(&record.span);
        let count = record.per_second.len() as u64;
        let edge_us = |n: u64| {
            let passed_us = u128::from(window.length_us()) * u128::from(n) / u128::from(count.max(1));
            window.start_us.saturating_add_unsigned(u64::try_from(passed_us).unwrap_or(u64::MAX))
        };
        for (n, bytes) in (0..).zip(&record.per_second) {
            let second = Interval { start_us: edge_us(n), end_us: edge_us(n + 1) };
            let common_us = second.common_us(self.period);
            let beside_us = second.length_us() - common_us;
            let is_part = common_us.min(beside_us) >= APART_US.unsigned_abs();
            self.are_apart &= !is_part;
            if common_us > beside_us {
                self.of_period += *bytes;
                self.of_period_us += second.length_us();
            }
        }
    }

    /// The largest second; at least so much if not all are known.
    pub fn peak(&self) -> Bytes {
        self.open.values().fold(self.peak, |peak, bytes| peak.max(*bytes))
    }

    pub fn are_all(&self) -> bool {
        self.are_all
    }

    /// All traffic of the period itself on so many hosts, if each of its seconds is known of each.
    pub fn of_period(&self, hosts: u64) -> Option<Bytes> {
        let missing_us = (self.period.length_us() * hosts).abs_diff(self.of_period_us);
        let is_all = missing_us < APART_US.unsigned_abs() * hosts.max(1);
        (self.are_all && self.are_apart && is_all).then_some(self.of_period)
    }
}
