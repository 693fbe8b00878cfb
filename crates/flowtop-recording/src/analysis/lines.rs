//! Notes beside the rows: the covered time, and everything that could not be counted.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Period;
use super::paths::PathReport;
use super::report::{HostReport, NotCounted, Report};
use crate::when::{show, zone_name};
use flowtop_core::number::count;
use flowtop_core::number::{Unit, number};
use flowtop_core::sanitize::clean;
use flowtop_core::window::Bytes;

/// Everything, a line each: the period, each host, paths without a record, what the numbers are of, what could not be
/// counted, what was damaged.
#[must_use]
pub fn of_report(report: &Report, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![period(&report.period, zone)];
    let asked_us = length_us(&report.period);
    lines.extend(report.hosts.iter().map(|host| of_host(host, asked_us, zone)));
    lines.extend(report.paths.iter().filter_map(|path| of_path(path, zone)));
    lines.extend(intervals(report, asked_us, zone));
    lines.extend(means(report, asked_us));
    lines.extend(not_counted(report));
    lines.extend(report.notes.iter().cloned());
    lines.extend(report.damage.iter().map(|damage| format!("Not read: {damage}")));
    lines.iter().map(|line| shown(line)).collect()
}

/// A text of a file made safe to show: the file may be foreign.
pub(super) fn shown(text: &str) -> String {
    clean(text.as_bytes(), usize::MAX).text
}

fn length_us(period: &Period) -> u64 {
    u64::try_from(period.to_us.saturating_sub(period.from_us)).unwrap_or(0)
}

/// Both ends of the period, and the time zone.
#[must_use]
pub fn period(period: &Period, zone: &TimeZone) -> String {
    format!("{} ({})", interval((period.from_us, period.to_us), zone), zone_name(zone))
}

/// Both ends of a time.
fn interval((from_us, to_us): (i64, i64), zone: &TimeZone) -> String {
    let at = |us| Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |at| show(at, zone));
    format!("{} to {}", at(from_us), at(to_us))
}

/// The time that the numbers cover, where windows reach out of the period, or windows that do not count reach into
/// it.
fn intervals(report: &Report, asked_us: u64, zone: &TimeZone) -> Vec<String> {
    let period = &report.period;
    let is_other = |host: &&HostReport| {
        let (from_us, to_us) = host.windows_us.unwrap_or((period.from_us, period.to_us));
        let before_us = period.from_us.saturating_sub(from_us);
        let behind_us = to_us.saturating_sub(period.to_us);
        before_us.max(behind_us) >= SHOWN_US || host.left_out_us >= SHOWN_US.unsigned_abs()
    };
    let recorded: Vec<_> = report.hosts.iter().filter(|host| host.records > 0).collect();
    let others: Vec<_> = recorded.iter().copied().filter(is_other).collect();
    let seconds = |host: &HostReport| host.windows_us.map(|(from, to)| (from / SHOWN_US, to / SHOWN_US));
    let are_alike = others.len() == recorded.len()
        && recorded.windows(2).all(|pair| seconds(pair[0]) == seconds(pair[1]));
    let of = |host: &HostReport| {
        let (asked, window) = (whole(asked_us), whole(host.longest_window_us));
        let of = interval(host.windows_us.unwrap_or_default(), zone);
        format!("{asked} were asked for; records are of {window}: these numbers are of {of}")
    };
    let exact = report.of_period.map(|total| format!("; in the {} {}", whole(asked_us), bytes(total)));
    match &others[..] {
        [] => Vec::new(),
        [first, ..] if are_alike => vec![of(first) + &exact.unwrap_or_default()],
        others => others.iter().map(|host| format!("{}: {}", host.name, of(host))).collect(),
    }
}

/// Times are shown to the second: what is less than this beside the period is not seen, in µs.
const SHOWN_US: i64 = 1_000_000;

/// The time that bytes and rates cover, where it is not the whole period.
fn means(report: &Report, asked_us: u64) -> Option<String> {
    let has_gaps = report.hosts.iter().any(|host| host.records > 0 && host.gaps > 0);
    let is_twice = report.hosts.iter().any(|host| host.repeated_us > 0);
    let of = "the records and the gaps between them, which the counters of sockets close";
    let counted = match () {
        () if is_twice => {
            format!("{}, some of it twice on a clock that was set back", span(report.counted_us))
        }
        // Windows reach out of the period: there is no part that is counted.
        () if report.counted_us > asked_us => span(report.counted_us),
        () => percent(report.counted_us, asked_us),
    };
    (has_gaps || is_twice).then(|| format!("Bytes and rates are of {counted}: {of}"))
}

/// Note on a path that no number comes from.
fn of_path(path: &PathReport, zone: &TimeZone) -> Option<String> {
    let PathReport { path: name, unreadable, recorded_us, records, .. } = path;
    match (unreadable, recorded_us) {
        (Some(why), _) => Some(why.clone()),
        _ if *records > 0 => None,
        (None, None) => Some(format!("{name}: no recording")),
        (None, Some(recorded_us)) => Some(format!("{name}: {}", elsewhere(*recorded_us, zone))),
    }
}

fn elsewhere(recorded_us: (i64, i64), zone: &TimeZone) -> String {
    format!("no record in this period; its records are from {}", interval(recorded_us, zone))
}

fn of_host(host: &HostReport, asked_us: u64, zone: &TimeZone) -> String {
    let unread = count(host.unread, "record");
    if host.records == 0 && host.unread > 0 {
        return format!("{}: {unread} of this period could not be read, and there is no other", host.name);
    }
    if host.records == 0 {
        return format!("{}: {}", host.name, elsewhere(host.recorded_us, zone));
    }
    let records = count(host.records, "record");
    let mut parts = vec![format!("{records} cover {}", percent(host.covered_us, asked_us))];
    let mut add = |n: u64, text: String| parts.extend((n > 0).then_some(text));
    let longest = span(host.longest_gap_us);
    add(host.gaps, format!("{}, the longest {longest}", count(host.gaps, "gap")));
    add(host.unread, format!("{unread} could not be read"));
    add(host.reboots, count(host.reboots, "reboot"));
    add(host.clock_steps, format!("clock set {}", count(host.clock_steps, "time")));
    add(host.repeated_us, format!("{} twice on its clock", span(host.repeated_us)));
    add(host.unwritten, format!("{} not written", count(host.unwritten, "record")));
    add(host.lock_conflicts, format!("{} turned away", count(host.lock_conflicts, "run")));
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
    let NotCounted { overlapped_records, twice, turned, maybe_twice, .. } = report.not_counted;
    let NotCounted { open_gaps, open_gaps_us, .. } = report.not_counted;
    let mut lines = Vec::from_iter(nothing_passes(report));
    let mut add = |n: u64, text: String| lines.extend((n > 0).then_some(text));
    let (sockets, others) = (count(ended_unseen, "socket"), count(unknown, "socket"));
    add(ended_unseen, format!("Not counted: the last bytes of {sockets} that ended in gaps"));
    add(unknown, format!("Not counted: what {others} moved in gaps, which no counter tells"));
    let (gaps, together) = (count(open_gaps, "gap"), span(open_gaps_us));
    add(
        open_gaps,
        format!("Not counted: connections that began and ended in {gaps} without totals ({together} in all)"),
    );
    add(
        at_the_edges.sum(),
        format!("Not counted: {} in gaps that reach out of the period", bytes(at_the_edges)),
    );
    add(unjudged.sum(), format!("Not counted: {} that the filter cannot judge", bytes(unjudged)));
    let records = count(overlapped_records, "record");
    add(overlapped_records, format!("{records} of the same time as others: each byte is counted once"));
    add(overlapping.sum(), format!("Not counted: {} in them that may be in the others", bytes(overlapping)));
    add(twice, format!("{} seen from two hosts, counted once", count(twice, "connection")));
    let turned = count(turned, "connection");
    add(
        report.not_counted.turned,
        format!(
            "{turned} of them are in two rows, one for each end: too many are recorded from the middle on"
        ),
    );
    let summed = bytes(maybe_twice);
    add(maybe_twice.sum(), format!("{summed} are known as sums only: two hosts may both have counted them"));
    add(
        report.untracked_flows,
        format!("{} found the table full: see untracked", count(report.untracked_flows, "socket")),
    );
    let others = report.others.unwrap_or_default();
    let each = number(others.bytes_each as f64, Unit::Bytes);
    add(
        report.others.map_or(0, |_| 1),
        format!("Too many rows to tell all apart: a row with less than {each} may be among the others"),
    );
    lines
}

/// Why a report with a filter has no row, if it has none.
#[must_use]
pub fn nothing_passes(report: &Report) -> Option<String> {
    let filtered = report.not_counted.filtered;
    let is_empty = report.total.bytes.sum() == 0 && filtered.sum() > 0;
    is_empty.then(|| format!("Nothing passes the filter, which keeps out {}", bytes(filtered)))
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

/// The same as [`span`], but `60 s` and not `1 min 0 s`.
fn whole(us: u64) -> String {
    match us {
        1_000_000..120_000_000 if us.is_multiple_of(1_000_000) => format!("{} s", us / 1_000_000),
        _ if us.is_multiple_of(60_000_000) && us < 3_600_000_000 => format!("{} min", us / 60_000_000),
        _ => span(us),
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
        let texts = [5_000_000, 60_000_000, 90_000_000, 300_000_000, 330_000_000, 400_000].map(whole);
        assert_eq!(texts, ["5 s", "60 s", "90 s", "5 min", "5 min 30 s", "0.4 s"]);
    }
}
