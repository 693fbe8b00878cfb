//! Points in time as people write them: `08:00`, `yesterday 08:00`, `3m ago`, a date, RFC 3339.
//!
//! What the clock says now, and the zone in which it says so, come in as one argument.
//!
//! The rules: A clock time without a day is its latest occurrence. As the end of a period it is of the day of the start
//! if that has no day either, so that two of them that are swapped are an error; behind a start with a day it is the
//! first one after it, up to today. A time that the clock showed twice is the first one as a start and the second one as
//! an end, so that a period has all of it. A time that the clock skipped is the moment when it jumped. Whatever is not
//! plain is said.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};

mod error;
#[cfg(test)]
mod tests;

pub use error::{Edge, Error};

/// A moment, and what has to be said about how it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    /// Note on a clock time that was skipped or shown twice.
    pub note: Option<String>,
}

/// A period as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its start, if one was given.
    pub from: Option<Timestamp>,
    /// Its end; now if only a start was given, and none if neither.
    pub to: Option<Timestamp>,
    /// Notes on how the times were understood.
    pub notes: Vec<String>,
}

/// A parsed time without day and zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParsedTime {
    /// An exact moment.
    At(Timestamp),
    /// Date and time of day.
    Local(DateTime),
    /// Time of day.
    Clock(Time),
}

/// A time that was written, and when that is.
struct Stated<'a> {
    text: &'a str,
    said: ParsedTime,
    moment: Moment,
}

/// Reads `--from` and `--to`.
///
/// # Errors
/// If a text is no time, or the start is not before the end.
pub fn period(from: Option<&str>, to: Option<&str>, now: &ZonedDateTime) -> Result<Asked, Error> {
    between([Edge::From, Edge::To], from, to, now)
}

/// Reads a period in one text, as `08:00..09:00`.
///
/// # Errors
/// Those of [`period`], or if the text does not have two ends.
pub fn range(text: &str, now: &ZonedDateTime) -> Result<Asked, Error> {
    let ends = text.split_once("..").map(|(from, to)| (from.trim(), to.trim()));
    let Some((from, to)) = ends.filter(|(from, to)| !from.is_empty() && !to.is_empty()) else {
        return Err(Error::NoPeriod(text.to_owned()));
    };
    between([Edge::Start, Edge::End], Some(from), Some(to), now)
}

/// Reads the ends of a period that have these names.
fn between(
    [first, last]: [Edge; 2],
    from: Option<&str>,
    to: Option<&str>,
    now: &ZonedDateTime,
) -> Result<Asked, Error> {
    let from = from.map(|text| start_at(text, first, now)).transpose()?;
    let to = to.map(|text| end(text, last, from.as_ref(), now)).transpose()?;
    check_order([first, last], from.as_ref(), to.as_ref(), now)?;
    let from_at = from.as_ref().map(|from| from.moment.at);
    let to_at = to.as_ref().map(|to| to.moment.at).or(from_at.map(|_| now.timestamp()));
    let notes = [from, to].into_iter().flatten().filter_map(|stated| stated.moment.note).collect();
    Ok(Asked { from: from_at, to: to_at, notes })
}

/// Whether the start is before the end, as moments and as the clock has shown them.
fn check_order(
    [first, last]: [Edge; 2],
    from: Option<&Stated<'_>>,
    to: Option<&Stated<'_>>,
    now: &ZonedDateTime,
) -> Result<(), Error> {
    let Some(from) = from else { return Ok(()) };
    let show = |at| show(at, now.time_zone());
    let Some(to) = to else {
        let is_past = from.moment.at < now.timestamp();
        let wrong =
            || Error::NotBeforeNow { edge: first, time: show(from.moment.at), now: show(now.timestamp()) };
        return is_past.then_some(()).ok_or_else(wrong);
    };
    if from.moment.at >= to.moment.at {
        let is_empty = from.moment.at == to.moment.at;
        let notes = [&from.moment, &to.moment].iter().filter_map(|moment| moment.note.clone()).collect();
        let [from, to] = [from, to].map(|end| show(end.moment.at));
        return Err(Error::NotBefore { edges: [first, last], from, to, notes, is_empty });
    }
    // Of a time that the clock showed twice the second one may come after the first one of a later time.
    if let (ParsedTime::Local(from), ParsedTime::Local(to)) = (from.said, to.said)
        && from > to
    {
        let [from, to] = [from, to].map(shown_local);
        return Err(Error::NotBefore { edges: [first, last], from, to, notes: Vec::new(), is_empty: false });
    }
    Ok(())
}

fn start_at<'a>(text: &'a str, edge: Edge, now: &ZonedDateTime) -> Result<Stated<'a>, Error> {
    let said = said(text, now).ok_or_else(|| no_time(text, edge))?;
    let moment = match said {
        ParsedTime::At(at) => Moment { at, note: None },
        ParsedTime::Local(local) => moment(local, now.time_zone(), edge)?,
        ParsedTime::Clock(clock) => latest(clock, now, edge)?,
    };
    Ok(Stated { text, said, moment })
}

/// A moment by itself. A clock time is of `day`.
///
/// # Errors
/// If the text is no time.
pub fn at(text: &str, day: Date, now: &ZonedDateTime) -> Result<Moment, Error> {
    match said(text, now).ok_or_else(|| no_time(text, Edge::At))? {
        ParsedTime::At(at) => Ok(Moment { at, note: None }),
        ParsedTime::Local(local) => moment(local, now.time_zone(), Edge::At),
        ParsedTime::Clock(clock) => moment(day.to_datetime(clock), now.time_zone(), Edge::At),
    }
}

/// The end of a period that starts at `from`.
fn end<'a>(
    text: &'a str,
    edge: Edge,
    from: Option<&Stated<'_>>,
    now: &ZonedDateTime,
) -> Result<Stated<'a>, Error> {
    let said = said(text, now).ok_or_else(|| no_time(text, edge))?;
    let moment = match (said, from) {
        (ParsedTime::At(at), _) => Moment { at, note: None },
        (ParsedTime::Local(local), _) => moment(local, now.time_zone(), edge)?,
        (ParsedTime::Clock(clock), None) => latest(clock, now, edge)?,
        (ParsedTime::Clock(clock), Some(from)) => clock_behind(from, text, clock, edge, now)?,
    };
    Ok(Stated { text, said, moment })
}

/// A clock time as the end of a period that starts at `from`.
fn clock_behind(
    from: &Stated<'_>,
    text: &str,
    clock: Time,
    edge: Edge,
    now: &ZonedDateTime,
) -> Result<Moment, Error> {
    let zone = now.time_zone();
    let from_day = from.moment.at.to_zoned_datetime(zone.clone()).date();
    let found = match from.said {
        ParsedTime::Clock(start) if start >= clock => {
            let [from, to] = [from.text, text].map(|text| text.trim().to_owned());
            return Err(Error::OfOneDay { edge, from, to });
        }
        ParsedTime::Clock(_) => moment(from_day.to_datetime(clock), zone, edge)?,
        ParsedTime::Local(start) => {
            let days = i32::from(start.time() >= clock);
            let day = start.date().checked_add(days.days()).map_err(|_| Error::OutOfRange(edge))?;
            moment(day.to_datetime(clock), zone, edge)?
        }
        ParsedTime::At(from) => first_after(clock, from, zone, edge)?,
    };
    let day = found.at.to_zoned_datetime(zone.clone()).date();
    if day > from_day && day > now.date() {
        let [from, next] = [from.moment.at, found.at].map(|at| show(at, zone));
        return Err(Error::NotYet { edge, text: text.trim().to_owned(), from, next });
    }
    let first = || {
        format!("{} {} is the first one after the start: {}", edge.name(), text.trim(), show(found.at, zone))
    };
    let note = found.note.clone().or_else(|| (day > from_day).then(first));
    Ok(Moment { note, ..found })
}

fn no_time(text: &str, edge: Edge) -> Error {
    Error::NoTime { edge, text: text.to_owned() }
}

fn said(text: &str, now: &ZonedDateTime) -> Option<ParsedTime> {
    let text = text.trim();
    if text == "now" {
        return Some(ParsedTime::At(now.timestamp()));
    }
    if text.ends_with("ago") {
        let span: Span = text.parse().ok()?;
        return now.checked_add(span).ok().map(|then| ParsedTime::At(then.timestamp()));
    }
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let today = now.date();
    match first {
        "today" => of_day(today, rest),
        "yesterday" => of_day(today.yesterday().ok()?, rest),
        // The name of a zone beside a time without an offset would be passed over.
        _ if text.contains('[') => None,
        _ => text
            .parse()
            .map(ParsedTime::At)
            .ok()
            .or_else(|| dated(text))
            .or_else(|| clock(text).map(ParsedTime::Clock)),
    }
}

/// A day and a clock time, or the start of the day.
fn of_day(day: Date, rest: &str) -> Option<ParsedTime> {
    let time = if rest.trim().is_empty() { Time::midnight() } else { clock(rest.trim())? };
    Some(ParsedTime::Local(day.to_datetime(time)))
}

/// `2026-11-20` and what may follow.
fn dated(text: &str) -> Option<ParsedTime> {
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
fn latest(clock: Time, now: &ZonedDateTime, edge: Edge) -> Result<Moment, Error> {
    let days = [0, 1, 2].into_iter().filter_map(|ago| now.date().checked_sub(ago.days()).ok());
    let mut found = days.map(|day| moment(day.to_datetime(clock), now.time_zone(), edge));
    let past =
        |found: &Result<Moment, Error>| found.as_ref().is_ok_and(|moment| moment.at <= now.timestamp());
    found.find(past).unwrap_or(Err(Error::OutOfRange(edge)))
}

/// The first time after `from` that the clock shows this.
fn first_after(clock: Time, from: Timestamp, zone: &TimeZone, edge: Edge) -> Result<Moment, Error> {
    let first = from.to_zoned_datetime(zone.clone()).date();
    let days = [0, 1, 2].into_iter().filter_map(|later| first.checked_add(later.days()).ok());
    let mut found = days.map(|day| moment(day.to_datetime(clock), zone, edge));
    let later = |found: &Result<Moment, Error>| found.as_ref().is_ok_and(|moment| moment.at > from);
    found.find(later).unwrap_or(Err(Error::OutOfRange(edge)))
}

/// When a clock of this zone shows this.
fn moment(local: DateTime, zone: &TimeZone, edge: Edge) -> Result<Moment, Error> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let bad = |_| Error::OutOfRange(edge);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {
            Ok(Moment { at: ambiguous.compatible().map_err(bad)?, note: None })
        }
        AmbiguousOffset::Fold { .. } if edge.is_end() => {
            let note =
                format!("the clock showed {} twice; {} is the second time", shown_local(local), edge.name());
            Ok(Moment { at: ambiguous.later().map_err(bad)?, note: Some(note) })
        }
        AmbiguousOffset::Fold { .. } => {
            let note =
                format!("the clock showed {} twice; {} is the first time", shown_local(local), edge.name());
            Ok(Moment { at: ambiguous.earlier().map_err(bad)?, note: Some(note) })
        }
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().map_err(bad)?;
            let at = zone.following(before).next().map_or(before, |transition| transition.timestamp());
            let note =
                format!("the clock never showed {}; {} is when it jumped", shown_local(local), edge.name());
            Ok(Moment { at, note: Some(note) })
        }
    }
}

fn shown_local(local: DateTime) -> String {
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment as a clock of this zone shows it, with the offset of the zone then.
#[must_use]
pub fn show(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The name of a zone; where it has none, what it is.
#[must_use]
pub fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().map_or_else(|| "local time".to_owned(), str::to_owned)
}
