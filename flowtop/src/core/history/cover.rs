//! Stretches of time by the wall clock, put together.

use super::Span;

/// From one moment to another, in µs since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stretch {
    pub start_us: i64,
    pub end_us: i64,
}

impl Stretch {
    /// Its length in µs.
    pub fn length_us(self) -> u64 {
        u64::try_from(self.end_us.saturating_sub(self.start_us)).unwrap_or(0)
    }

    /// Whether both have some time in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.start_us < other.end_us && other.start_us < self.end_us
    }
}

/// A window with the length that the clock says which nobody sets, up to its end.
pub(super) fn by_end(span: &Span) -> Stretch {
    let length_us = i64::try_from(span.length_ns() / 1000).unwrap_or(i64::MAX);
    Stretch { start_us: span.end_us.saturating_sub(length_us), end_us: span.end_us }
}

/// Time that is covered.
#[derive(Clone, Debug, Default)]
pub(super) struct Cover(Vec<Stretch>);

/// What is less than this apart is together, in µs: windows are made of samples a second apart.
const APART_US: i64 = 100_000;

impl Cover {
    /// Adds a stretch. Nearly always it is the latest.
    pub fn add(&mut self, stretch: Stretch) {
        if let Some(last) = self.0.last_mut()
            && last.start_us <= stretch.start_us
            && stretch.start_us.saturating_sub(last.end_us) < APART_US
        {
            last.end_us = last.end_us.max(stretch.end_us);
        } else if stretch.length_us() > 0 {
            self.0.push(stretch);
        }
    }

    /// What of a period is covered: its parts in order, none touching another.
    fn within(&self, period: Stretch) -> Vec<Stretch> {
        let cut = |part: &Stretch| Stretch {
            start_us: part.start_us.max(period.start_us),
            end_us: part.end_us.min(period.end_us),
        };
        let mut parts: Vec<_> = self.0.iter().map(cut).filter(|part| part.length_us() > 0).collect();
        parts.sort_unstable();
        let mut joined = Self::default();
        for part in parts {
            joined.add(part);
        }
        joined.0
    }

    /// How much of a period is covered, in µs.
    pub fn covered_us(&self, period: Stretch) -> u64 {
        self.within(period).into_iter().map(Stretch::length_us).sum()
    }

    /// What of a period is not covered, at its ends as well.
    pub fn holes(&self, period: Stretch) -> Vec<Stretch> {
        let parts = self.within(period);
        let starts = std::iter::once(period.start_us).chain(parts.iter().map(|part| part.end_us));
        let ends = parts.iter().map(|part| part.start_us).chain([period.end_us]);
        let holes = starts.zip(ends).map(|(start_us, end_us)| Stretch { start_us, end_us });
        holes.filter(|hole| hole.end_us.saturating_sub(hole.start_us) >= APART_US).collect()
    }

    /// All of it together, in µs.
    pub fn total_us(&self) -> u64 {
        self.covered_us(Stretch { start_us: i64::MIN, end_us: i64::MAX })
    }

    /// From the start of the first to the end of the last.
    pub fn ends(&self) -> Option<Stretch> {
        let start_us = self.0.iter().map(|part| part.start_us).min()?;
        Some(Stretch { start_us, end_us: self.0.iter().map(|part| part.end_us).max()? })
    }
}
