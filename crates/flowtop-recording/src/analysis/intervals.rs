//! Sets of intervals of the wall clock.

use super::Span;

/// From one moment to another, in µs since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub start_us: i64,
    pub end_us: i64,
}

impl Interval {
    pub fn length_us(self) -> u64 {
        u64::try_from(self.end_us.saturating_sub(self.start_us)).unwrap_or(0)
    }

    /// Whether both have some time in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.start_us < other.end_us && other.start_us < self.end_us
    }

    /// How much time they have in common, in µs.
    pub fn common_us(self, other: Self) -> u64 {
        let (start_us, end_us) = (self.start_us.max(other.start_us), self.end_us.min(other.end_us));
        Self { start_us, end_us }.length_us()
    }
}

/// A window with its length by the monotonic clock, up to its end.
pub(super) fn by_end(span: &Span) -> Interval {
    let length_us = i64::try_from(span.length_ns() / 1000).unwrap_or(i64::MAX);
    Interval { start_us: span.end_us.saturating_sub(length_us), end_us: span.end_us }
}

/// Time that is covered: parts in order, none touching another.
#[derive(Clone, Debug, Default)]
pub(super) struct Intervals(Vec<Interval>);

/// Intervals closer than this are joined, in µs: windows are made of samples a second apart.
pub(super) const APART_US: i64 = 100_000;

impl Intervals {
    /// Adds an interval. Nearly always it is the latest.
    pub fn add(&mut self, interval: Interval) {
        if interval.length_us() == 0 {
            return;
        }
        let behind = self.0.iter().rposition(|part| part.start_us <= interval.start_us);
        let near = |part: &Interval, next: &Interval| next.start_us.saturating_sub(part.end_us) < APART_US;
        let at = match behind {
            Some(at) if near(&self.0[at], &interval) => {
                self.0[at].end_us = self.0[at].end_us.max(interval.end_us);
                at
            }
            behind => {
                let at = behind.map_or(0, |behind| behind + 1);
                self.0.insert(at, interval);
                at
            }
        };
        while let Some(next) = self.0.get(at + 1).copied()
            && near(&self.0[at], &next)
        {
            self.0[at].end_us = self.0[at].end_us.max(next.end_us);
            self.0.remove(at + 1);
        }
    }

    /// Covered parts of a period, in order.
    fn within(&self, period: Interval) -> impl Iterator<Item = Interval> + '_ {
        let cut = move |part: &Interval| Interval {
            start_us: part.start_us.max(period.start_us),
            end_us: part.end_us.min(period.end_us),
        };
        self.0.iter().map(cut).filter(|part| part.length_us() > 0)
    }

    /// How much of a period is covered, in µs.
    pub fn covered_us(&self, period: Interval) -> u64 {
        self.within(period).map(Interval::length_us).sum()
    }

    /// Uncovered parts of a period, in order, also at its ends.
    pub fn holes(&self, period: Interval) -> Vec<Interval> {
        let parts: Vec<_> = self.within(period).collect();
        let starts = std::iter::once(period.start_us).chain(parts.iter().map(|part| part.end_us));
        let ends = parts.iter().map(|part| part.start_us).chain([period.end_us]);
        let holes = starts.zip(ends).map(|(start_us, end_us)| Interval { start_us, end_us });
        holes.filter(|hole| hole.end_us.saturating_sub(hole.start_us) >= APART_US).collect()
    }

    /// All of it together, in µs.
    pub fn total_us(&self) -> u64 {
        self.covered_us(Interval { start_us: i64::MIN, end_us: i64::MAX })
    }

    /// From the start of the first to the end of the last.
    pub fn ends(&self) -> Option<Interval> {
        Some(Interval { start_us: self.0.first()?.start_us, end_us: self.0.last()?.end_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the order in which intervals come, what is covered is the same.
        #[test]
        fn covered_is_what_some_interval_covers(parts in prop::collection::vec((0..50_i64, 0..9_i64), 0..20)) {
            const S: i64 = 1_000_000;
            let mut intervals = Intervals::default();
            for (start, length) in &parts {
                intervals.add(Interval { start_us: start * S, end_us: (start + length) * S });
            }
            let is_covered = |second: &i64| parts.iter().any(|(s, l)| (*s..s + l).contains(second));
            let covered = (0..60).filter(is_covered).count() as u64;
            prop_assert_eq!(intervals.total_us(), covered * 1_000_000);
            let period = Interval { start_us: 10 * S, end_us: 40 * S };
            let holes: u64 = intervals.holes(period).into_iter().map(Interval::length_us).sum();
            prop_assert_eq!(intervals.covered_us(period) + holes, period.length_us());
            prop_assert!(intervals.0.is_sorted_by(|a, b| a.end_us < b.start_us));
        }
    }
}
