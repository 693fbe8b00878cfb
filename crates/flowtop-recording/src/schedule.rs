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

    /// How long it is from the start of the first of `count` windows, which is at `start_us`, to the end of the last one.
    #[must_use]
    pub fn run(&self, count: u64, start_us: i64) -> Duration {
        let first = self.length(start_us);
        let times = |more: u64| self.every.saturating_mul(u32::try_from(more).unwrap_or(u32::MAX));
        match count {
            0 | 1 => first,
            _ if self.has_no_gaps() => first.saturating_add(times(count - 1)),
            _ => {
                let end_us = start_us.saturating_add(i64::try_from(first.as_micros()).unwrap_or(i64::MAX));
                let others = times(count - 2).saturating_add(self.length);
                first.saturating_add(self.gap(end_us)).saturating_add(others)
            }
        }
    }

    /// How many windows are left of a run of `count` that was to begin at `start_us` and has waited since, where it begins
    /// at `now_us`: it ends when it would have ended without waiting, or up to half a period before or after that. One is
    /// left in any case.
    #[must_use]
    pub fn left(&self, count: u64, start_us: i64, waited: Duration, now_us: i64) -> u64 {
        let end = self.run(count, start_us).saturating_add(self.every / 2).saturating_sub(waited);
        let ends_in_time = |windows: &u64| self.run(*windows, now_us) <= end;
        // All windows but the first two are one period apart.
        let behind_second = end.saturating_sub(self.run(2, now_us));
        let more = behind_second.as_nanos() / self.every.as_nanos();
        let most = u64::try_from(more).unwrap_or(u64::MAX).saturating_add(2);
        [most.min(count), 1].into_iter().find(ends_in_time).unwrap_or(1)
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
    fn an_hour_that_begins_late_ends_with_the_hour() {
        let schedule = Schedule::new(MINUTE, MINUTE).unwrap();
        let seconds = |s: i64| 1_793_606_400_000_000 + s * 1_000_000;
        let left = |waited_s: u64| {
            schedule.left(
                60,
                seconds(1),
                Duration::from_secs(waited_s),
                seconds(1 + i64::try_from(waited_s).unwrap()),
            )
        };
        assert_eq!(schedule.run(60, seconds(1)), Duration::from_secs(3599));
        assert_eq!([0, 3, 20 * 60, 20 * 60 + 50, 59 * 60, 3599].map(left), [60, 60, 40, 39, 1, 1]);
        // From twenty past until twenty past.
        assert_eq!(schedule.run(60, seconds(1200)), Duration::from_hours(1));
        let short = Schedule::new(MINUTE, ms(5000)).unwrap();
        assert_eq!([1, 2, 3].map(|count| short.run(count, seconds(10)).as_secs()), [5, 55, 115]);
        assert_eq!(short.left(3, seconds(10), MINUTE, seconds(70)), 2);
    }

    #[test]
    fn the_last_sample_is_at_the_end() {
        for (left, wait) in [(60_000, 1000), (59_400, 1400), (1400, 1400), (1600, 600), (300, 300), (0, 0)] {
            assert_eq!(until_sample(ms(left)), ms(wait), "{left} ms before the end");
        }
    }

    proptest! {
        /// A run that has waited ends when it would have ended anyway.
        #[test]
        fn a_run_that_has_waited_ends_no_later(
            start_us in 0..1_i64 << 50,
            every_s in 1..4000_u64,
            length_s in 1..4000_u64,
            count in 1..5000_u64,
            waited_ms: u32,
        ) {
            let [every, length] = [every_s.max(length_s), length_s].map(Duration::from_secs);
            let schedule = Schedule::new(every, length).unwrap();
            let run = schedule.run(count, start_us);
            let waited = Duration::from_millis(waited_ms.into());
            prop_assert_eq!(schedule.left(count, start_us, Duration::ZERO, start_us), count);
            let waited = Duration::from_nanos(u64::try_from(waited.as_nanos() % run.as_nanos()).unwrap());
            let now_us = start_us + i64::try_from(waited.as_micros()).unwrap();
            let left = schedule.left(count, start_us, waited, now_us);
            prop_assert!((1..=count).contains(&left));
            let end = waited + schedule.run(left, now_us);
            prop_assert!(left == 1 || end <= run + every / 2);
            // One window more would be too much.
            let longer = waited + schedule.run(left + 1, now_us);
            prop_assert!(left == count || longer > run + every / 2, "{left} of {count}: {longer:?} of {run:?}");
        }

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
