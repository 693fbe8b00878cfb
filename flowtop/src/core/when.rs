//! Points in time as people write them: `08:00`, `yesterday 08:00`, `3m ago`, a date, RFC 3339.
//!
//! What the clock says now, and the zone in which it says so, come in as one argument.
//!
//! The rules: A clock time without a day is its latest occurrence; as the end of a period it is the first one after the
//! start. A time that the clock showed twice is the first one as a start and the second one as an end, so that a period
//! has all of it. A time that the clock skipped is the moment when it jumped. Both are said.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan as _, Zoned};

#[cfg(test)]
mod tests;

/// A moment, and what has to be said about how it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it is.
    pub at: Timestamp,
    /// What the clock did then, if that was not plain.
    pub note: Option<String>,
}

/// A period as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its start, if one was given.
    pub from: Option<Timestamp>,
    /// Its end; now if only a start was given, and none if neither.
    pub to: Option<Timestamp>,
    /// What has to be said about how it was read.
    pub notes: Vec<String>,
}

/// Which end of a period a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The start.
    From,
    /// The end.
    To,
    /// No end: a moment by itself.
    At,
}

impl Edge {
    const fn flag(self) -> &'static str {
        match self {
            Self::From => "--from",
            Self::To => "--to",
            Self::At => "--at",
        }
    }
}

/// What was written, before days and zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// A moment.
    At(Timestamp),
    /// What a clock with a calendar shows.
    Local(DateTime),
    /// What a clock shows.
    Clock(Time),
}

/// Reads `--from` and `--to`.
///
/// # Errors
/// One sentence with what is accepted, or with both ends if the first one is not before the second.
pub fn period(from: Option<&str>, to: Option<&str>, now: &Zoned) -> Result<Asked, String> {
    let from = from.map(|text| start(text, now)).transpose()?;
    let from_at = from.as_ref().map(|moment| moment.at);
    let to = to.map(|text| end(text, from_at, now)).transpose()?;
    let to_at = to.as_ref().map(|moment| moment.at).or(from_at.map(|_| now.timestamp()));
    if let (Some(from_at), Some(to_at)) = (from_at, to_at)
        && from_at >= to_at
    {
        let shown = |at| show(at, now.time_zone());
        return Err(format!(
            "--from {} is not before --to {}; give an earlier one",
            shown(from_at),
            shown(to_at)
        ));
    }
    let notes = [from, to].into_iter().flatten().filter_map(|moment| moment.note).collect();
    Ok(Asked { from: from_at, to: to_at, notes })
}

/// Reads a period in one text, as `08:00..09:00`.
///
/// # Errors
/// The same, and that there are not two ends.
pub fn range(text: &str, now: &Zoned) -> Result<Asked, String> {
    let ends = text.split_once("..").map(|(from, to)| (from.trim(), to.trim()));
    let Some((from, to)) = ends.filter(|(from, to)| !from.is_empty() && !to.is_empty()) else {
        return Err(format!("\"{}\" is no period; write one like 08:00..09:00", text.escape_debug()));
    };
    period(Some(from), Some(to), now)
}

/// A moment in the past, or the start of a period.
///
/// # Errors
/// One sentence with what is accepted.
pub fn start(text: &str, now: &Zoned) -> Result<Moment, String> {
    match said(text, now).ok_or_else(|| no_time(text, Edge::From))? {
        Said::At(at) => Ok(Moment { at, note: None }),
        Said::Local(local) => moment(local, now.time_zone(), Edge::From),
        Said::Clock(clock) => latest(clock, now, Edge::From),
    }
}

/// A moment by itself. A clock time is of `day`.
///
/// # Errors
/// One sentence with what is accepted.
pub fn at(text: &str, day: Date, now: &Zoned) -> Result<Moment, String> {
    match said(text, now).ok_or_else(|| no_time(text, Edge::At))? {
        Said::At(at) => Ok(Moment { at, note: None }),
        Said::Local(local) => moment(local, now.time_zone(), Edge::At),
        Said::Clock(clock) => moment(day.to_datetime(clock), now.time_zone(), Edge::At),
    }
}

/// The end of a period that starts at `from`.
fn end(text: &str, from: Option<Timestamp>, now: &Zoned) -> Result<Moment, String> {
    match (said(text, now).ok_or_else(|| no_time(text, Edge::To))?, from) {
        (Said::At(at), _) => Ok(Moment { at, note: None }),
        (Said::Local(local), _) => moment(local, now.time_zone(), Edge::To),
        (Said::Clock(clock), None) => latest(clock, now, Edge::To),
        (Said::Clock(clock), Some(from)) => first_after(clock, from, now.time_zone()),
    }
}

fn no_time(text: &str, edge: Edge) -> String {
    format!(
        "{}: \"{}\" is no time; write one like 08:00, \"yesterday 08:00\", 2026-11-20, \"2026-11-20 08:00\", \
         \"3m ago\", now or 2026-11-20T08:00:00+01:00",
        edge.flag(),
        text.escape_debug()
    )
}

fn said(text: &str, now: &Zoned) -> Option<Said> {
    let text = text.trim();
    if text == "now" {
        return Some(Said::At(now.timestamp()));
    }
    if text.ends_with("ago") {
        let span: Span = text.parse().ok()?;
        return now.checked_add(span).ok().map(|then| Said::At(then.timestamp()));
    }
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let today = now.date();
    match first {
        "today" => of_day(today, rest),
        "yesterday" => of_day(today.yesterday().ok()?, rest),
        // The name of a zone beside a time without an offset would be passed over.
        _ if text.contains('[') => None,
        _ => text.parse().map(Said::At).ok().or_else(|| dated(text)).or_else(|| clock(text).map(Said::Clock)),
    }
}

/// A day and a clock time, or the start of the day.
fn of_day(day: Date, rest: &str) -> Option<Said> {
    let time = if rest.trim().is_empty() { Time::midnight() } else { clock(rest.trim())? };
    Some(Said::Local(day.to_datetime(time)))
}

/// `2026-11-20` and what may follow.
fn dated(text: &str) -> Option<Said> {
    let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let is_date = date.len() == "2026-11-20".len() && date.split('-').count() == 3;
    of_day(is_date.then(|| date.parse().ok()).flatten()?, rest)
}

/// `08:00`, `8:00`, `08:00:30`.
fn clock(text: &str) -> Option<Time> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b":.".contains(&byte)) && text.contains(':');
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    plain.then(|| padded.parse().ok()).flatten()
}

/// The last time that the clock has shown this, up to now.
fn latest(clock: Time, now: &Zoned, edge: Edge) -> Result<Moment, String> {
    let days = [0, 1, 2].into_iter().filter_map(|ago| now.date().checked_sub(ago.days()).ok());
    let mut found = days.map(|day| moment(day.to_datetime(clock), now.time_zone(), edge));
    let past =
        |found: &Result<Moment, String>| found.as_ref().is_ok_and(|moment| moment.at <= now.timestamp());
    found.find(past).unwrap_or_else(|| Err(out_of_range(edge)))
}

/// The first time after `from` that the clock shows this.
fn first_after(clock: Time, from: Timestamp, zone: &TimeZone) -> Result<Moment, String> {
    let first = from.to_zoned(zone.clone()).date();
    let days = [0, 1, 2].into_iter().filter_map(|later| first.checked_add(later.days()).ok());
    let mut found = days.map(|day| moment(day.to_datetime(clock), zone, Edge::To));
    let later = |found: &Result<Moment, String>| found.as_ref().is_ok_and(|moment| moment.at > from);
    found.find(later).unwrap_or_else(|| Err(out_of_range(Edge::To)))
}

fn out_of_range(edge: Edge) -> String {
    format!("{}: the time is outside the years that can be written; give one nearer to now", edge.flag())
}

/// When a clock of this zone shows this.
fn moment(local: DateTime, zone: &TimeZone, edge: Edge) -> Result<Moment, String> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let bad = |_| out_of_range(edge);
    match (ambiguous.offset(), edge) {
        (AmbiguousOffset::Unambiguous { .. }, _) => {
            Ok(Moment { at: ambiguous.compatible().map_err(bad)?, note: None })
        }
        (AmbiguousOffset::Fold { .. }, Edge::From | Edge::At) => {
            let note = format!("the clock showed {} twice; {} is the first time", shown(local), edge.flag());
            Ok(Moment { at: ambiguous.earlier().map_err(bad)?, note: Some(note) })
        }
        (AmbiguousOffset::Fold { .. }, Edge::To) => {
            let note = format!("the clock showed {} twice; {} is the second time", shown(local), edge.flag());
            Ok(Moment { at: ambiguous.later().map_err(bad)?, note: Some(note) })
        }
        (AmbiguousOffset::Gap { .. }, _) => {
            let before = ambiguous.earlier().map_err(bad)?;
            let at = zone.following(before).next().map_or(before, |transition| transition.timestamp());
            let note = format!("the clock never showed {}; {} is when it jumped", shown(local), edge.flag());
            Ok(Moment { at, note: Some(note) })
        }
    }
}

fn shown(local: DateTime) -> String {
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment as a clock of this zone shows it, with the offset of the zone then.
#[must_use]
pub fn show(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The name of a zone; where it has none, what it is.
#[must_use]
pub fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().map_or_else(|| "local time".to_owned(), str::to_owned)
}
