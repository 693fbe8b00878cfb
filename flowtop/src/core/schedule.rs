//! When windows of a recording begin and end, and when there is a sample within them. Fed with times; reads no clock.
//!
//! Windows that follow each other end where a clock on the wall shows a multiple of their length, as cron does: records of
//! `--every 60s` end on the minute, those of several hosts together. The first one, and the one after somebody has set
//! the clock, is up to half a length shorter or longer.

use std::time::Duration;

/// A second, about which there is a sample.
const SECOND: Duration = Duration::from_secs(1);

/// The wish: a window every so often, each so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    every: Duration,
    length: Duration,
}

impl Schedule {
    /// Windows of `length`, one `every` so often. `None` if they would overlap or have no length.
    #[must_use]
    pub fn new(every: Duration, length: Duration) -> Option<Self> {
        (length <= every && length >= SECOND).then_some(Self { every, length })
    }

    /// Whether a window begins where the one before has ended.
    #[must_use]
    pub fn has_no_gaps(&self) -> bool {
        self.length == self.every
    }

    /// How long a window is that begins at `start_us` (µs since 1970 UTC).
    #[must_use]
    pub fn length(&self, start_us: i64) -> Duration {
        if !self.has_no_gaps() {
            return self.length;
        }
        let left = self.until_multiple(start_us);
        if left < self.every / 2 { left + self.every } else { left }
    }

    /// How long it is until the next window, where one has ended at `end_us`.
    #[must_use]
    pub fn gap(&self, end_us: i64) -> Duration {
        if self.has_no_gaps() { Duration::ZERO } else { self.until_multiple(end_us) }
    }

    /// From a time to the next multiple of the period since 1970 UTC, at most one period.
    fn until_multiple(&self, at_us: i64) -> Duration {
        let every_us = i64::try_from(self.every.as_micros()).unwrap_or(i64::MAX);
        let left_us = every_us - at_us.rem_euclid(every_us);
        Duration::from_micros(left_us.unsigned_abs())
    }
}

/// How long it is until the next sample, where a window ends in `left`: samples are a second apart, the last one is at
/// the end, and the time before the first one is between half a second and one and a half.
#[must_use]
pub fn until_sample(left: Duration) -> Duration {
    let whole = left.saturating_sub(SECOND / 2).as_secs();
    left.saturating_sub(Duration::from_secs(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn windows_end_on_the_minute_as_cron_starts() {
        let schedule = Schedule::new(MINUTE, MINUTE).unwrap();
        let length = |seconds_past: i64| schedule.length(1_793_606_400_000_000 + seconds_past * 1_000_000);
        assert_eq!(length(0), MINUTE);
        assert_eq!(length(1), ms(59_000));
        assert_eq!(length(31), ms(89_000));
        assert_eq!(schedule.gap(0), Duration::ZERO);
    }

    #[test]
    fn shorter_windows_begin_on_the_minute() {
        let schedule = Schedule::new(MINUTE, ms(5000)).unwrap();
        assert_eq!((schedule.length(17_000_000), schedule.gap(22_000_000)), (ms(5000), ms(38_000)));
        assert_eq!(Schedule::new(MINUTE, ms(60_001)), None);
        assert_eq!(Schedule::new(MINUTE, Duration::ZERO), None);
    }

    #[test]
    fn the_last_sample_is_at_the_end() {
        for (left, wait) in [(60_000, 1000), (59_400, 1400), (1400, 1400), (1600, 600), (300, 300), (0, 0)] {
            assert_eq!(until_sample(ms(left)), ms(wait), "{left} ms before the end");
        }
    }

    proptest! {
        #[test]
        fn a_window_is_half_a_length_off_at_most(start_us: i64, every_s in 1..100_000_u64) {
            let every = Duration::from_secs(every_s);
            let length = Schedule::new(every, every).unwrap().length(start_us);
            prop_assert!(length >= every / 2 && length <= every + every / 2);
            let end_us = i128::from(start_us) + i128::try_from(length.as_micros()).unwrap();
            prop_assert_eq!(end_us.rem_euclid(i128::from(every_s) * 1_000_000), 0);
        }
    }
}
