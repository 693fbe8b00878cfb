//! `flowtop report`: recordings → the report of a period, on stdout.
//!
//! Not in here: how recordings are read (`recordings`), and what a report says (`core::history`).

use std::io::{self, Write as _};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rustix::termios::tcgetwinsize;

use crate::Usage;
use crate::aside;
use crate::cli::ReportArgs;
use crate::core::filter::Filter;
use crate::core::history::diff::Diff;
use crate::core::history::text::{self, Style};
use crate::core::history::{History, Period, Question, Report, Twice, csv, json, lines};
use crate::core::number::Unit;
use crate::core::record::Record;
use crate::core::settings::choice::Format;
use crate::core::settings::quantity::Limit;
use crate::core::when::{self, Asked};
use crate::filter_names::HostNames;
use crate::record;
use crate::recordings::{At, Damaged, Recordings};

/// Rows of a text where nobody has said how many.
const TEXT_ROWS: usize = 10;

/// Reads the recordings and writes the report.
///
/// # Errors
/// What cannot be read, a period without a record, or as [`Usage`] what was typed wrongly.
pub fn run(args: &ReportArgs) -> Result<()> {
    let now = now(args.timezone.as_deref())?;
    let asked = when::period(args.from.as_deref(), args.to.as_deref(), &now).map_err(Usage)?;
    let other = args.diff.as_deref().map(|text| when::range(text, &now)).transpose();
    let other = other.map_err(|error| Usage(format!("--diff: {error}")))?;
    let filter = filter(args.filter.as_deref())?;
    let recordings = record::recordings(&args.paths)?;
    let question = |asked: &Asked| Question {
        period: period(asked, &recordings),
        by: args.by,
        filter: filter.clone(),
        limit_bits_per_s: args.limit.map(|limit| limit.0),
    };
    let report = |asked: &Asked| {
        let mut report = read(&recordings, &question(asked), now.time_zone())?;
        report.notes.clone_from(&asked.notes);
        Ok::<_, anyhow::Error>(report)
    };
    let mut of_now = report(&asked)?;
    of_now.damage.extend(recordings.damage().iter().map(ToString::to_string));
    let text = match other {
        None => of_one(args, &of_now, now.time_zone()),
        Some(other) => of_two(args, &Diff::new(of_now, report(&other)?), now.time_zone()),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write the report")
}

/// What the clock says, in the zone that was asked for.
fn now(zone: Option<&str>) -> Result<Zoned> {
    let wrong = |name: &str| {
        let right = "give one like UTC or Europe/Berlin, whose file is in /usr/share/zoneinfo";
        Usage(format!("--timezone: this system does not know \"{}\"; {right}", name.escape_debug()))
    };
    let zone = match zone {
        None => TimeZone::system(),
        Some(name) => TimeZone::get(name).map_err(|_| wrong(name))?,
    };
    Ok(Timestamp::now().to_zoned(zone))
}

fn filter(text: Option<&str>) -> Result<Filter> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Filter::default()) };
    let wrong = |error: crate::core::filter::FilterError| {
        let pointer = error.pointer(text);
        Usage(format!("--filter: {error}\n{pointer}"))
    };
    Ok(Filter::parse(text, &HostNames::read()).map_err(wrong)?)
}

/// The period that was asked for; where an end was not, that of the records.
fn period(asked: &Asked, recordings: &Recordings) -> Period {
    let (first_us, last_us) = recordings.time_us();
    let from_us = asked.from.map_or(first_us, Timestamp::as_microsecond);
    // The end of a period is not in it, and the last record is.
    Period { from_us, to_us: asked.to.map_or(last_us.saturating_add(1), Timestamp::as_microsecond) }
}

/// The report of a period.
fn read(recordings: &Recordings, question: &Question, zone: &TimeZone) -> Result<Report> {
    let wanted = wanted(recordings.heads(), &question.period);
    let is_inside = |at: &&&At| question.period.holds(&at.head.span);
    let inside: Vec<_> = wanted.iter().filter(is_inside).collect();
    let Some(first) = inside.first() else { return Err(nothing(recordings, &question.period, zone)) };
    let machine = |at: &At| (at.head.host.machine_id, at.head.host.name.clone());
    let is_one_host = inside.iter().all(|at| machine(at) == machine(first));
    let mut twice = Twice::new(question);
    if !is_one_host {
        each(recordings, &wanted, |record| twice.add(record))?;
    }
    let mut history = History::new(question.clone(), twice);
    let damage = each(recordings, &wanted, |record| history.add(record))?;
    Ok(Report { damage, ..history.report() })
}

/// The records of a period, and the one beside it on either side in each life of each host.
fn wanted<'a>(heads: &'a [At], period: &Period) -> Vec<&'a At> {
    let is_inside = |place: usize| heads.get(place).is_some_and(|at| period.holds(&at.head.span));
    let is_beside = |place: usize, other: usize| {
        is_inside(other) && heads.get(other).is_some_and(|other| other.head.host == heads[place].head.host)
    };
    let is_wanted = |place: &usize| {
        is_inside(*place) || is_beside(*place, place + 1) || is_beside(*place, place.wrapping_sub(1))
    };
    (0..heads.len()).filter(is_wanted).map(|place| &heads[place]).collect()
}

/// Records that are read ahead of those that are summed up, on another processor if there is one.
const AHEAD: usize = 8;

/// Reads records; what is damaged is told and passed over.
fn each(recordings: &Recordings, wanted: &[&At], mut take: impl FnMut(&Record)) -> Result<Vec<String>> {
    let mut damage = Vec::new();
    thread::scope(|scope| {
        let (reader, records) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || {
            for at in wanted {
                // Nobody takes records any more once one could not be read.
                let Ok(()) = reader.send(recordings.read(at)) else { break };
            }
        });
        for record in records {
            match record {
                Ok(record) => take(&record),
                Err(error) if error.is::<Damaged>() => damage.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(damage)
    })
}

/// Why there is no report, and of what there could be one.
fn nothing(recordings: &Recordings, period: &Period, zone: &TimeZone) -> anyhow::Error {
    let mut hosts: Vec<_> = recordings.hosts().map(|host| host.name.as_str()).collect();
    hosts.dedup();
    let (from_us, to_us) = recordings.time_us();
    let there = lines::period(&Period { from_us, to_us }, zone);
    let asked = lines::period(period, zone);
    anyhow!("there is no record from {asked}; those of {} are from {there}", hosts.join(", "))
}

fn rows(args: &ReportArgs) -> Option<usize> {
    match (args.rows, args.format()) {
        (None, Format::Text) => Some(TEXT_ROWS),
        (Some(Limit::Rows(rows)), _) => Some(rows),
        (Some(Limit::All) | None, _) => None,
    }
}

fn style(args: &ReportArgs, zone: &TimeZone) -> Style {
    let columns = tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let columns = columns.filter(|columns| *columns > 0);
    let unit = if args.bytes { Unit::Bytes } else { Unit::Bits };
    Style { zone: zone.clone(), rows: rows(args), columns, unit }
}

fn of_one(args: &ReportArgs, report: &Report, zone: &TimeZone) -> String {
    match args.format() {
        Format::Text => text::report(report, &style(args, zone)),
        Format::Json => json::report(report, rows(args), &when::zone_name(zone)),
        Format::Csv => {
            say(&lines::of_report(report, zone));
            csv::report(report, rows(args), !args.no_header)
        }
    }
}

fn of_two(args: &ReportArgs, diff: &Diff, zone: &TimeZone) -> String {
    match args.format() {
        Format::Text => text::diff(diff, &style(args, zone)),
        Format::Json => json::diff(diff, rows(args), &when::zone_name(zone)),
        Format::Csv => {
            say(&lines::of_report(&diff.now, zone));
            say(&lines::of_report(&diff.before, zone));
            csv::diff(diff, rows(args), !args.no_header)
        }
    }
}

/// What CSV has no place for.
fn say(lines: &[String]) {
    for line in lines {
        aside::say(&format!("flowtop: {line}\n"));
    }
}
