//! One moment on two clocks, although two clocks cannot be read at once.

/// One moment on the wall clock and on the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_REALTIME`, in µs since 1970 UTC.
    pub us: i64,
    /// `CLOCK_MONOTONIC`, in ns.
    pub ns: u64,
}

/// Another clock, read between two readings of the monotonic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// `CLOCK_MONOTONIC` before, in ns.
    pub before_ns: u64,
    /// Reading of the other clock.
    pub other: T,
    /// `CLOCK_MONOTONIC` after, in ns.
    pub after_ns: u64,
}

impl<T> Reading<T> {
    /// How far apart the clocks may have been read, in ns.
    fn spread_ns(&self) -> u64 {
        self.after_ns.saturating_sub(self.before_ns)
    }
}

/// A reading as tight as this is not repeated: far below anything that is made of it, and far above the time that reading
/// three clocks takes.
const TIGHT_NS: u64 = 20_000;
/// Readings after which the tightest one so far is taken.
const MAX_READINGS: usize = 16;

/// The tightest of some readings, as the monotonic time in its middle and what the other clock showed then. On a host
/// without a free processor a thread may stand still between any two of its instructions, for seconds where its cgroup has
/// a quota; hardly ever twice in a row, because it has just been given time.
pub fn tightest<T>(mut read: impl FnMut() -> Reading<T>) -> (u64, T) {
    let mut best = read();
    for _ in 1..MAX_READINGS {
        if best.spread_ns() <= TIGHT_NS {
            break;
        }
        let next = read();
        if next.spread_ns() < best.spread_ns() {
            best = next;
        }
    }
    (best.before_ns.midpoint(best.after_ns), best.other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    /// Wall clock when the monotonic one is at 0, in µs.
    const OFFSET_US: i64 = 1_793_606_400_000_000;

    /// Two clocks, between whose readings the thread stands still for so long, in ns.
    fn moment(mut pauses_ns: impl Iterator<Item = u64>) -> Moment {
        let now_ns = Cell::new(5_000_000_000);
        let mut pass = || now_ns.set(now_ns.get() + pauses_ns.next().unwrap_or(100));
        let (ns, us) = tightest(|| {
            let before_ns = now_ns.get();
            pass();
            let other = OFFSET_US + i64::try_from(now_ns.get() / 1000).unwrap();
            pass();
            let after_ns = now_ns.get();
            pass();
            Reading { before_ns, other, after_ns }
        });
        Moment { us, ns }
    }

    /// How far the two clocks of a moment are apart, in ns.
    fn error_ns(moment: Moment) -> u64 {
        (moment.us - OFFSET_US).unsigned_abs().abs_diff(moment.ns / 1000) * 1000
    }

    #[test]
    fn a_reading_without_a_pause_is_taken_at_once() {
        let mut readings = 0;
        let (ns, other) = tightest(|| {
            readings += 1;
            Reading { before_ns: 1000, other: 'x', after_ns: 1200 }
        });
        assert_eq!((ns, other, readings), (1100, 'x', 1));
    }

    #[test]
    fn a_pause_before_or_behind_the_other_clock_does_not_count() {
        let second = 1_000_000_000;
        for pauses in [[second, 0, 0], [0, second, 0], [second, second, second]] {
            assert!(error_ns(moment(pauses.into_iter())) <= 1000, "{pauses:?}");
        }
    }

    #[test]
    fn a_clock_that_is_always_slow_to_read_is_taken_as_well_as_it_can_be() {
        let pauses = std::iter::repeat([50_000_000, 50_000_000, 0]).flatten();
        assert!(error_ns(moment(pauses)) <= 1000);
    }

    proptest! {
        /// The clocks are half the tightest reading apart at most, and 1 µs, which is how exactly the wall clock is kept.
        #[test]
        fn no_more_than_the_tightest_reading_is_lost(
            pauses in prop::collection::vec(prop_oneof![0..1000_u64, 0..5_000_000_000_u64], 3 * MAX_READINGS)
        ) {
            let spreads = pauses.chunks(3).map(|pauses| pauses[0] + pauses[1]);
            let bound = spreads.clone().min().unwrap().max(TIGHT_NS) / 2 + 2000;
            prop_assert!(error_ns(moment(pauses.iter().copied())) <= bound);
        }
    }
}
