//! Caption of a record: host, window, that its rates are means, and what is missing.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::player::Gap;
use flowtop_core::number::{Unit, number};
use flowtop_core::record::{Record, Span};
use flowtop_core::window::Bytes;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    pub host: String,
    /// Start by the clock on the wall, and the zone.
    pub start: String,
    /// Start and end of the window.
    pub window: String,
    /// Note that rates are means over the window.
    pub mean: String,
    /// Notes on losses in the record and on the gap before it.
    pub notes: Vec<String>,
}

impl Caption {
    /// Caption of a record behind a gap, with times in a zone.
    #[must_use]
    pub fn of(record: &Record, gap: Option<Gap>, zone: &TimeZone) -> Self {
        let notes = [gap.map(behind), summed_up(record), unwritten(record), lock_conflicts(record)];
        Self {
            host: record.host.name.clone(),
            start: zoned(record.span.start_us, zone).strftime("%F %T %:z").to_string(),
            window: window(&record.span, zone),
            mean: format!("means over {}", seconds(record.span.length_ns())),
            notes: notes.into_iter().flatten().collect(),
        }
    }

    /// All of it in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let parts = [&self.host, &self.window, &self.mean].into_iter().chain(&self.notes);
        parts.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A time as RFC 3339 has it, to the millisecond, with the offset of its zone.
#[must_use]
pub fn rfc3339(at: &ZonedDateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// A time of the clock on the wall, in µs since 1970 UTC.
#[must_use]
pub fn zoned(us: i64, zone: &TimeZone) -> ZonedDateTime {
    // What no calendar has is as far as one goes.
    let far = if us < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(us).unwrap_or(far).to_zoned_datetime(zone.clone())
}

/// The day is said twice only where it is not the same.
fn window(span: &Span, zone: &TimeZone) -> String {
    let [start, end] = [span.start_us, span.end_us].map(|us| zoned(us, zone));
    let same = (start.date(), start.offset()) == (end.date(), end.offset());
    let (first, last) = if same { ("%F %T", "%T %:z") } else { ("%F %T %:z", "%F %T %:z") };
    format!("{} to {}", start.strftime(first), end.strftime(last))
}

fn seconds(ns: u64) -> String {
    match ns {
        _ if ns.is_multiple_of(1_000_000_000) => format!("{} s", ns / 1_000_000_000),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

fn behind(gap: Gap) -> String {
    match gap {
        Gap::Missing(ns) => format!("{} missing before", seconds(ns)),
        Gap::Reboot => "started anew before".to_owned(),
    }
}

fn summed_up(record: &Record) -> Option<String> {
    let flows: u64 = record.rest.iter().map(|rest| u64::from(rest.flows)).sum();
    let bytes = record.rest.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
    let amount = number(bytes.sum() as f64, Unit::Bytes);
    (flows > 0).then(|| format!("{flows} connections summed up: {amount}"))
}

fn unwritten(record: &Record) -> Option<String> {
    (record.unwritten > 0).then(|| format!("{} records before could not be written", record.unwritten))
}

fn lock_conflicts(record: &Record) -> Option<String> {
    let runs = record.lock_conflicts_us.len();
    (runs > 0).then(|| format!("{runs} runs before found the directory locked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::record::Rest;
    use flowtop_core::record::fixture::record;

    #[test]
    fn a_caption_says_where_when_and_what_is_missing() {
        let mut minute = record(3, vec![]);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let line = |record: &Record, gap| Caption::of(record, gap, &berlin).line();
        let plain = "node-1, 2026-11-02 09:03:00 to 09:04:00 +01:00, means over 60 s";
        assert_eq!(line(&minute, None), plain);
        minute.rest = vec![Rest { flows: 9, bytes: Bytes { tx: 2000, rx: 48 }, ..Rest::default() }];
        minute.unwritten = 2;
        minute.lock_conflicts_us = vec![1];
        assert_eq!(
            line(&minute, Some(Gap::Missing(61_500_000_000))),
            format!(
                "{plain}, 61.5 s missing before, 9 connections summed up: 2.00KB, 2 records before could not \
                 be written, 1 runs before found the directory locked"
            )
        );
    }

    #[test]
    fn a_window_over_midnight_or_over_a_change_of_the_clock_says_both_days() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let shown = |start: &str, end: &str| {
            window(&Span { start_us: at(start), end_us: at(end), ..Span::default() }, &zone)
        };
        assert_eq!(
            shown("2026-10-25T00:59:30Z", "2026-10-25T01:00:30Z"),
            "2026-10-25 02:59:30 +02:00 to 2026-10-25 02:00:30 +01:00"
        );
        assert_eq!(
            shown("2026-11-01T22:59:30Z", "2026-11-01T23:00:30Z"),
            "2026-11-01 23:59:30 +01:00 to 2026-11-02 00:00:30 +01:00"
        );
    }

    #[test]
    fn no_time_is_out_of_range() {
        for us in [i64::MIN, i64::MAX] {
            let _ = zoned(us, &TimeZone::UTC);
        }
    }
}
