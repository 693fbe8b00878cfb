//! The clocks of the host. A moment on two clocks is read here only, so that both readings belong together.
//!
//! In a time namespace the kernel shows each process its monotonic clock and the one since boot with an offset, also in
//! `/proc`; the kernel side sees them as they are. What is read here is without that offset.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

use flowtop_core::moment::{Moment, Reading, tightest};

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of the kernel side.
#[must_use]
pub fn now_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic)).wrapping_sub_signed(offsets().monotonic_ns)
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

/// A time since boot as `/proc` shows it, in nanoseconds of the monotonic clock, which stands still while the host is
/// suspended.
#[must_use]
pub fn monotonic_ns(since_boot_ns: u64) -> u64 {
    let shown_boot_ns = || ns(clock_gettime(ClockId::Boottime)).wrapping_sub_signed(offsets().boot_ns);
    let (monotonic_ns, boot_ns) = tightest(|| beside(shown_boot_ns));
    let suspended_ns = boot_ns.saturating_sub(monotonic_ns);
    since_boot_ns.saturating_sub_signed(offsets().boot_ns).saturating_sub(suspended_ns)
}

/// Processor time that the calling thread has taken.
#[must_use]
pub fn thread_time() -> Duration {
    Duration::from_nanos(ns(clock_gettime(ClockId::ThreadCPUTime)))
}

/// What a time namespace adds to clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Offsets {
    monotonic_ns: i64,
    boot_ns: i64,
}

/// Those of this process: a namespace's clocks stand before anyone is in it.
fn offsets() -> Offsets {
    static OWN: OnceLock<Offsets> = OnceLock::new();
    *OWN.get_or_init(|| {
        // The file is about the namespace of children: a process that has just made one is not in it itself.
        let namespace = |name| fs::read_link(format!("/proc/self/ns/{name}")).ok();
        let is_own = namespace("time").is_some() && namespace("time") == namespace("time_for_children");
        let file = is_own.then(|| fs::read_to_string("/proc/self/timens_offsets").ok()).flatten();
        file.map_or_else(Offsets::default, |text| of_namespace(&text))
    })
}

/// The offsets in the text of `/proc/PID/timens_offsets`: a line for each clock with seconds and nanoseconds. The first
/// kernels that had it wrote numbers for the clocks.
fn of_namespace(text: &str) -> Offsets {
    let of = |names: [&str; 2]| {
        let line = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut found = line.filter(|fields| fields.len() == 3 && names.contains(&fields[0]));
        let fields = found.next()?;
        let (seconds, ns): (i64, i64) = (fields[1].parse().ok()?, fields[2].parse().ok()?);
        seconds.checked_mul(1_000_000_000)?.checked_add(ns)
    };
    let (monotonic, boot) = (of(["monotonic", "1"]), of(["boottime", "7"]));
    Offsets { monotonic_ns: monotonic.unwrap_or_default(), boot_ns: boot.unwrap_or_default() }
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
#[path = "../../../tests/tools/skip.rs"]
mod skip;

#[cfg(test)]
mod tests {
    use super::*;

    /// Set for a copy of this test in a time namespace: it tells its clocks and ends.
    const IN_NAMESPACE: &str = "FLOWTOP_TEST_IN_TIME_NAMESPACE";

    /// The clock, and the start of this process, both in nanoseconds of the monotonic clock.
    fn told() -> [u64; 2] {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let ticks: u64 =
            stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
        let started_ns = ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second());
        [now_ns(), monotonic_ns(started_ns)]
    }

    #[test]
    fn a_time_namespace_changes_no_clock() {
        if std::env::var_os(IN_NAMESPACE).is_some() {
            let [now, started] = told();
            println!("told {now} {started}");
            return;
        }
        if !rustix::process::geteuid().is_root() || !fs::exists("/proc/self/ns/time").unwrap() {
            return skip::skip("a time namespace needs root and Linux 5.6");
        }
        let before = now_ns();
        let mut command = std::process::Command::new("unshare");
        command.args(["--time", "--monotonic", "100000", "--boottime", "200000", "--fork"]);
        command
            .arg(std::env::current_exe().unwrap())
            .args(["a_time_namespace_changes_no_clock", "--nocapture"]);
        let output = command.env(IN_NAMESPACE, "1").output().unwrap();
        let (text, after) = (String::from_utf8(output.stdout).unwrap(), now_ns());
        let line = text.lines().find_map(|line| line.split_once("told ")).expect(&text).1;
        let told: Vec<u64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert!((before..after).contains(&told[0]), "{} is not from {before} to {after}", told[0]);
        // Starts of processes have the coarse ticks of the scheduler's clock.
        let started = before - 1_000_000_000..after;
        assert!(started.contains(&told[1]), "{} is not from {before} to {after}", told[1]);
    }

    #[test]
    fn a_time_namespace_says_what_it_adds() {
        let of = |text| of_namespace(text);
        let named = of("monotonic      100000         5\nboottime           -7 250000000\n");
        assert_eq!(named, Offsets { monotonic_ns: 100_000_000_000_005, boot_ns: -6_750_000_000 });
        assert_eq!(of("1 3 0\n7 4 0\n"), Offsets { monotonic_ns: 3_000_000_000, boot_ns: 4_000_000_000 });
        for text in ["", "monotonic", "monotonic x 0\nboottime 9223372036854775807 0", "realtime 5 0"] {
            assert_eq!(of(text), Offsets::default(), "{text}");
        }
    }

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
