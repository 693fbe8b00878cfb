//! `flowtop report`: reads recordings and prints the report of a period.
//!
//! Not in here: reading recordings (`recordings`), and the content of a report (`flowtop_recording::analysis`).

use std::io::{self, BufWriter, Write as _};
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use rustix::termios::tcgetwinsize;

use crate::Usage;
use crate::cli::ReportArgs;
use crate::commands::record;
use crate::filter_names::HostNames;
use crate::recordings::{self, Recordings, Source};
use crate::stderr;
use flowtop_core::filter::Filter;
use flowtop_core::number::Unit;
use flowtop_core::record::Record;
use flowtop_recording::analysis::diff::Diff;
use flowtop_recording::analysis::paths::{PathReport, Paths};
use flowtop_recording::analysis::plan::{Plan, Turn};
use flowtop_recording::analysis::text::{self, Style};
use flowtop_recording::analysis::{Clues, History, MAX_ROWS, Period, Question, Report, csv, json, lines};
use flowtop_recording::when::{self, Asked};
use flowtop_view::settings::choice::Format;
use flowtop_view::settings::quantity::Limit;

use crate::local_time;

/// Default number of rows in text.
const TEXT_ROWS: usize = 10;

/// Reads the recordings and writes the report.
///
/// # Errors
/// If recordings cannot be read or the period has no record; a [`Usage`] error if the command line is invalid.
pub fn run(args: &ReportArgs) -> Result<()> {
    let now = now(args.timezone.as_deref())?;
    let asked = when::period(args.from.as_deref(), args.to.as_deref(), &now).map_err(Usage::from)?;
    let other = args.diff.as_deref().map(|text| when::range(text, &now)).transpose();
    let other = other.map_err(|error| Usage(format!("--diff: {error}")))?;
    let filter = filter(args.filter.as_deref())?;
    let recordings = record::recordings(&args.paths)?;
    let all_asked: Vec<Asked> = std::iter::once(asked).chain(other).collect();
    let question = |asked: &Asked| Question {
        period: period(asked, &recordings),
        by: args.by,
        filter: filter.clone(),
        limit_bits_per_s: args.limit.map(|limit| limit.0),
        max_rows: MAX_ROWS / all_asked.len(),
    };
    let questions: Vec<_> = all_asked.iter().map(question).collect();
    let mut reports = read(&recordings, &questions, now.time_zone())?;
    for (report, asked) in reports.iter_mut().zip(&all_asked) {
        report.notes.clone_from(&asked.notes);
    }
    reports[0].damage.extend(recordings.damage().iter().map(ToString::to_string));
    reports[0].notes.extend(recordings.refused());
    let mut stdout = BufWriter::new(io::stdout().lock());
    write(args, reports, now.time_zone(), &mut stdout)
        .and_then(|()| stdout.flush())
        .context("cannot write the report")
}

/// The current time in the requested time zone.
fn now(zone: Option<&str>) -> Result<ZonedDateTime> {
    let wrong = |name: &str| {
        let right = "give one like UTC or Europe/Berlin, whose file is in /usr/share/zoneinfo";
        Usage(format!("--timezone: this system does not know \"{}\"; {right}", name.escape_debug()))
    };
    let zone = match zone {
        None => {
            local_time::warn();
            local_time::zone()
        }
        Some(name) => TimeZone::get(name).map_err(|_| wrong(name))?,
    };
    Ok(Timestamp::now().to_zoned_datetime(zone))
}

fn filter(text: Option<&str>) -> Result<Filter> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Filter::default()) };
    let wrong = |error: flowtop_core::filter::FilterError| {
        let pointer = error.pointer(text);
        Usage(format!("--filter: {error}\n{pointer}"))
    };
    Ok(Filter::parse(text, &HostNames::read()).map_err(wrong)?)
}

/// The requested period. An end that was not given is that of the records.
fn period(asked: &Asked, recordings: &Recordings) -> Period {
    let (first_us, last_us) = recordings.time_us();
    let from_us = asked.from.map_or(first_us, Timestamp::as_microsecond);
    // The end of a period is exclusive, and the last record has to be inside.
    Period { from_us, to_us: asked.to.map_or(last_us.saturating_add(1), Timestamp::as_microsecond) }
}

fn read(recordings: &Recordings, questions: &[Question], zone: &TimeZone) -> Result<Vec<Report>> {
    let mut passes = Vec::new();
    for question in questions {
        let plan = Arc::new(Plan::new(recordings.heads(), question.period));
        if plan.is_empty() {
            return Err(nothing(recordings, &question.period, zone));
        }
        let mut history = History::new(question.clone(), Arc::clone(&plan));
        let damage = read_and_count(recordings, &plan, &mut history)?;
        if let Some(clues) = history.late_clues() {
            history.forget();
            history = History::again(question.clone(), Arc::clone(&plan), clues);
            read_and_count(recordings, &plan, &mut history)?;
        }
        passes.push(Pass { plan, history, damage });
    }
    read_again(recordings, questions, &mut passes)?;
    let report = |Pass { plan, history, damage }| {
        let paths = paths(recordings, &plan);
        Report { paths, damage, ..history.report() }
    };
    Ok(passes.into_iter().map(report).collect())
}

/// Sums up the records of a period.
struct Pass {
    plan: Arc<Plan>,
    history: History,
    damage: Vec<String>,
}

/// Reads the records a second time if there were too many rows for the first pass.
fn read_again(recordings: &Recordings, questions: &[Question], passes: &mut [Pass]) -> Result<()> {
    let mut clues: Vec<Option<Clues>> = passes.iter_mut().map(|pass| pass.history.row_clues()).collect();
    for (number, clues) in clues.iter_mut().enumerate() {
        let Some(clues) = clues else { continue };
        let others = passes.iter().enumerate().filter(|(other, _)| *other != number);
        others.for_each(|(_, other)| clues.add_rows_of(&other.history));
    }
    for ((of, question), clues) in passes.iter_mut().zip(questions).zip(clues) {
        let Some(clues) = clues else { continue };
        of.history.forget();
        of.history = History::again(question.clone(), Arc::clone(&of.plan), clues);
        read_and_count(recordings, &of.plan, &mut of.history)?;
    }
    Ok(())
}

/// Number of records read ahead on another thread.
const AHEAD: usize = 4;

/// A message of the reading thread.
enum Done {
    Read(usize, Result<Box<Record>, recordings::Error>),
    Turn(Turn),
}

/// Reads and counts the records of a plan. A damaged record is reported and skipped.
///
/// The thread that reads a record also frees it. glibc reuses small chunks that a thread has freed wherever they are:
/// if rows took chunks between those of records, no hole would be large enough for the next record, and memory would
/// grow with the period (`cargo xtask bench history --hosts 3 --days 3`).
fn read_and_count(recordings: &Recordings, plan: &Plan, history: &mut History) -> Result<Vec<String>> {
    let mut damage = Vec::new();
    thread::scope(|scope| {
        let (reader, done) = mpsc::sync_channel(AHEAD);
        let (counted, spent) = mpsc::channel();
        scope.spawn(move || {
            for turn in plan.turns(recordings.heads()) {
                spent.try_iter().for_each(drop::<Option<Record>>);
                let done = match turn {
                    Turn::Read { life, place } => {
                        Done::Read(life, recordings.read(&recordings.heads()[place]).map(Box::new))
                    }
                    count @ Turn::Count { .. } => Done::Turn(count),
                };
                // The counting thread stops receiving after a record that could not be read.
                let Ok(()) = reader.send(done) else { break };
            }
        });
        for done in done {
            match done {
                Done::Read(life, Ok(record)) => history.read(life, *record),
                Done::Read(_, Err(error)) if error.costs_one_record() => damage.push(error.to_string()),
                Done::Read(_, Err(error)) => return Err(error.into()),
                Done::Turn(Turn::Count { life, low_us, is_last }) => {
                    // The channel is closed once all records have been read.
                    let _ = counted.send(history.count(life, low_us, is_last));
                }
                Done::Turn(Turn::Read { .. }) => unreachable!("what is read comes with what it is"),
            }
        }
        Ok(damage)
    })
}

/// For each path, whether it has records in the period.
fn paths(recordings: &Recordings, plan: &Plan) -> Vec<PathReport> {
    let heads = recordings.heads();
    let name = |source: &Source| {
        (source.path.display().to_string(), source.unreadable.as_ref().map(ToString::to_string))
    };
    let mut paths = Paths::new(plan.period(), recordings.sources().iter().map(name));
    let mut is_inside = vec![false; heads.len()];
    for place in plan.inside(heads) {
        is_inside[place] = true;
    }
    for (at, is_inside) in heads.iter().zip(is_inside) {
        for source in recordings.sources_of(at) {
            paths.add(source, &at.head.span, is_inside);
        }
    }
    paths.end()
}

/// Explains that the period has no record, and which period has.
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

/// Writes one report, or the comparison of two.
fn write(
    args: &ReportArgs,
    mut reports: Vec<Report>,
    zone: &TimeZone,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let before = (reports.len() > 1).then(|| reports.remove(1));
    let now = reports.remove(0);
    match before {
        None => write_one(args, &now, zone, out),
        Some(before) => write_two(args, &Diff::new(now, before), zone, out),
    }
}

fn write_one(
    args: &ReportArgs,
    report: &Report,
    zone: &TimeZone,
    out: &mut impl io::Write,
) -> io::Result<()> {
    match args.format() {
        Format::Text => out.write_all(text::report(report, &style(args, zone)).as_bytes()),
        Format::Json => {
            say(&Vec::from_iter(lines::nothing_passes(report)));
            json::report(report, rows(args), &when::zone_name(zone), out)
        }
        Format::Csv => {
            say(&lines::of_report(report, zone));
            csv::report(report, rows(args), !args.no_header, out)
        }
    }
}

fn write_two(args: &ReportArgs, diff: &Diff, zone: &TimeZone, out: &mut impl io::Write) -> io::Result<()> {
    match args.format() {
        Format::Text => out.write_all(text::diff(diff, &style(args, zone)).as_bytes()),
        Format::Json => json::diff(diff, rows(args), &when::zone_name(zone), out),
        Format::Csv => {
            say(&lines::of_report(&diff.now, zone));
            say(&lines::of_report(&diff.before, zone));
            csv::diff(diff, rows(args), !args.no_header, out)
        }
    }
}

/// Notes that CSV has no column for.
fn say(lines: &[String]) {
    for line in lines {
        stderr::print(&format!("flowtop: {line}\n"));
    }
}
