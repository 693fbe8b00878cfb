//! The clocks of the host. A moment on two clocks is read here only, so that both readings belong together.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

use flowtop_core::moment::{Moment, Reading, tightest};

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of the kernel side.
#[must_use]
pub fn now_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

/// The current time on both clocks.
#[must_use]
pub fn now() -> Moment {
    let (ns, us) = tightest(|| beside(wall_us));
    Moment { us, ns }
}

/// When a time has passed that depends on what the wall clock shows now, in µs since 1970 UTC. It is a moment of
/// the monotonic clock.
#[must_use]
pub fn after(time: impl Fn(i64) -> Duration) -> Instant {
    let read = || beside(|| (wall_us(), Instant::now()));
    let (_, (us, instant)) = tightest(read);
    instant + time(us)
}

/// How long the host has been suspended since it was booted, in nanoseconds: the monotonic clock stands still meanwhile.
#[must_use]
pub fn suspended_ns() -> u64 {
    let (monotonic_ns, boot_ns) = tightest(|| beside(|| ns(clock_gettime(ClockId::Boottime))));
    boot_ns.saturating_sub(monotonic_ns)
}

/// The monotonic clock, and how much processor time flowtop has taken by then, both in nanoseconds.
#[must_use]
pub fn processor_ns() -> (u64, u64) {
    tightest(|| beside(|| ns(clock_gettime(ClockId::ProcessCPUTime))))
}

/// Another clock, with the monotonic one before and after.
fn beside<T>(other: impl FnOnce() -> T) -> Reading<T> {
    let before_ns = now_ns();
    let other = other();
    Reading { before_ns, other, after_ns: now_ns() }
}

fn ns(time: Timespec) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

fn wall_us() -> i64 {
    us(SystemTime::now())
}

/// µs since 1970 UTC, rounded down. A clock that was never set may show a time before.
fn us(time: SystemTime) -> i64 {
    let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => us(since),
        Err(before) => -us(before.duration() + Duration::from_nanos(999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_are_of_one_moment() {
        let offset_us = |moment: Moment| moment.us - i64::try_from(moment.ns / 1000).unwrap();
        let offsets: Vec<_> = (0..200).map(|_| offset_us(now())).collect();
        let (least, most) = (offsets.iter().min().unwrap(), offsets.iter().max().unwrap());
        // A clock that is slewed runs 500 ppm wrong at most.
        assert!(most - least < 10_000, "{least} to {most}");
    }

    #[test]
    fn times_before_1970_are_negative() {
        let time = Duration::from_nanos(1_000_002_500);
        assert_eq!([us(UNIX_EPOCH + time), us(UNIX_EPOCH - time)], [1_000_002, -1_000_003]);
    }
}
