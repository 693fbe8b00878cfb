//! What has to be said beside the rows: which time is covered, and what could not be counted.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Period;
use super::report::{HostReport, NotCounted, Report};
use crate::core::number::{Unit, number};
use crate::core::owner::clean::clean;
use crate::core::ui::label::count;
use crate::core::when::{show, zone_name};
use crate::core::window::Bytes;

/// Everything, a line each: the period, each host, what could not be counted, what was damaged.
#[must_use]
pub fn of_report(report: &Report, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![period(&report.period, zone)];
    let asked_us = length_us(&report.period);
    lines.extend(report.hosts.iter().map(|host| of_host(host, asked_us)));
    lines.extend(means(report, asked_us));
    lines.extend(not_counted(report));
    lines.extend(report.notes.iter().cloned());
    lines.extend(report.damage.iter().map(|damage| format!("Not read: {damage}")));
    lines.iter().map(|line| shown(line)).collect()
}

/// A text of a file as it may be shown: anybody can have written the file.
pub(super) fn shown(text: &str) -> String {
    clean(text.as_bytes(), usize::MAX).text
}

fn length_us(period: &Period) -> u64 {
    u64::try_from(period.to_us.saturating_sub(period.from_us)).unwrap_or(0)
}

/// Both ends, and the zone.
#[must_use]
pub fn period(period: &Period, zone: &TimeZone) -> String {
    let at = |us| Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |at| show(at, zone));
    format!("{} to {} ({})", at(period.from_us), at(period.to_us), zone_name(zone))
}

/// What bytes and rates are of, where that is not the whole period.
fn means(report: &Report, asked_us: u64) -> Option<String> {
    let has_gaps = report.hosts.iter().any(|host| host.gaps > 0);
    let is_twice = report.hosts.iter().any(|host| host.repeated_us > 0);
    let of = "the records and the gaps between them, which the counters of sockets close";
    let counted = if is_twice {
        format!("{}, some of it twice on a clock that was set back", span(report.counted_us))
    } else {
        percent(report.counted_us, asked_us)
    };
    (has_gaps || is_twice).then(|| format!("Bytes and rates are of {counted}: {of}"))
}

fn of_host(host: &HostReport, asked_us: u64) -> String {
    let records = count(host.records, "record");
    let mut parts = vec![format!("{records} cover {}", percent(host.covered_us, asked_us))];
    let mut add = |n: u64, text: String| parts.extend((n > 0).then_some(text));
    let longest = span(host.longest_gap_us);
    add(host.gaps, format!("{}, the longest {longest}", count(host.gaps, "gap")));
    add(host.reboots, count(host.reboots, "reboot"));
    add(host.clock_steps, format!("clock set {}", count(host.clock_steps, "time")));
    add(host.repeated_us, format!("{} twice on its clock", span(host.repeated_us)));
    add(host.unwritten, format!("{} not written", count(host.unwritten, "record")));
    add(host.turned_away, format!("{} turned away", count(host.turned_away, "run")));
    let losses: u64 = host.losses.iter().map(|(_, count)| count).sum();
    let kinds: Vec<_> = host.losses.iter().map(|(name, count)| format!("{name} {count}")).collect();
    add(losses, format!("losses: {}", kinds.join(", ")));
    let limits: Vec<_> = host.limits.iter().map(|limits| format!("\"{limits}\"")).collect();
    add(limits.len() as u64, format!("recorded with {}", limits.join(" and ")));
    format!("{}: {}", host.name, parts.join("; "))
}

/// Sentences about what is not in the sums.
fn not_counted(report: &Report) -> Vec<String> {
    let NotCounted { ended_unseen, unknown, at_the_edges, unjudged, overlapping, .. } = report.not_counted;
    let NotCounted { overlapped_records, twice, maybe_twice, .. } = report.not_counted;
    let mut lines = Vec::new();
    let mut add = |n: u64, text: String| lines.extend((n > 0).then_some(text));
    let (sockets, others) = (count(ended_unseen, "socket"), count(unknown, "socket"));
    add(ended_unseen, format!("Not counted: the last bytes of {sockets} that ended in gaps"));
    add(unknown, format!("Not counted: what {others} moved in gaps, which no counter tells"));
    add(
        at_the_edges.sum(),
        format!("Not counted: {} in gaps that reach out of the period", bytes(at_the_edges)),
    );
    add(unjudged.sum(), format!("Not counted: {} that the filter cannot judge", bytes(unjudged)));
    let records = count(overlapped_records, "record");
    add(overlapped_records, format!("{records} of the same time as others: each byte is counted once"));
    add(overlapping.sum(), format!("Not counted: {} in them that may be in the others", bytes(overlapping)));
    add(twice, format!("{} seen from two hosts, counted once", count(twice, "connection")));
    let summed = bytes(maybe_twice);
    add(maybe_twice.sum(), format!("{summed} are known as sums only: two hosts may both have counted them"));
    add(
        report.untracked_flows,
        format!("{} found the table full: see untracked", count(report.untracked_flows, "socket")),
    );
    lines
}

fn bytes(bytes: Bytes) -> String {
    format!(
        "{} sent and {} received",
        number(bytes.tx as f64, Unit::Bytes),
        number(bytes.rx as f64, Unit::Bytes)
    )
}

/// `98.3 % (59 min 0 s)`; never 100 % of what has a hole in it.
fn percent(part_us: u64, whole_us: u64) -> String {
    let tenths = u128::from(part_us) * 1000 / u128::from(whole_us.max(1));
    format!("{}.{} % ({})", tenths / 10, tenths % 10, span(part_us))
}

/// `1 h 2 min`, `2 min 3 s`, `0.4 s`.
pub(super) fn span(us: u64) -> String {
    let s = us / 1_000_000;
    match s {
        0..10 => format!("{:.1} s", us as f64 / 1e6),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_never_rounded_up() {
        let texts = [0, 400_000, 9_999_999, 59_999_999, 3_599_000_000, 90_061_000_000].map(span);
        assert_eq!(texts, ["0.0 s", "0.4 s", "10.0 s", "59 s", "59 min 59 s", "25 h 1 min"]);
        assert_eq!(percent(3_599_999_999, 3_600_000_000), "99.9 % (59 min 59 s)");
    }
}
