//! `flowtop replay`: shows records in the view or prints reports. `flowtop_recording::replay` turns a record into
//! numbers.

use anyhow::{Result, bail};
use jiff::ZonedDateTime;

use crate::Usage;
use crate::cli::ReplayArgs;
use crate::commands::live::printer::Printer;
use crate::commands::record;
use crate::lens::{HOOKS, Lens};
use crate::recordings;
use crate::silence::KeptOut;
use crate::stderr;
use crate::tui;
use flowtop_core::filter::Filter;
use flowtop_core::number::Unit;
use flowtop_core::who::Who;
use flowtop_recording::replay::caption::{rfc3339, zoned};
use flowtop_recording::replay::player::Player;
use flowtop_recording::when;
use flowtop_view::json::Heading;
use flowtop_view::settings::{Origin, Settings};
use flowtop_view::state::replay::Replay;

/// Opens recordings and shows them.
pub fn run(settings: &Settings, filter: Filter, args: &ReplayArgs, demo: bool) -> Result<()> {
    refuse_what_needs_a_host(settings, demo)?;
    let recordings = record::recordings(&args.paths)?;
    for damaged in recordings.damage() {
        stderr::print(&format!("flowtop: {damaged}; all other records are shown\n"));
    }
    for source in recordings.without_records() {
        let path = source.path.display();
        let unreadable = source.unreadable.as_ref().map(ToString::to_string);
        let reason = unreadable.unwrap_or_else(|| format!("{path}: no recording"));
        stderr::print(&format!("flowtop: {reason}\n"));
    }
    let mut lens = Lens::new(recordings, settings, filter)?;
    let opened = ZonedDateTime::now();
    let mut player = lens.player();
    if let Some(text) = &args.at {
        go_to(&mut player, text, &opened)?;
    }
    let replay = Replay::new(player, opened);
    if settings.text.value {
        print(&mut lens, &replay, args.at.is_some())
    } else {
        tui::replay(settings, lens, replay)
    }
}

/// Rejects flags that only make sense for live traffic of this host.
fn refuse_what_needs_a_host(settings: &Settings, demo: bool) -> Result<()> {
    let is_flag = |origin: &Origin| matches!(origin, Origin::Flag(_));
    let wrong = match () {
        () if demo => "--demo makes its own traffic; leave it or PATH out",
        () if is_flag(&settings.interface.origin) => {
            "-i needs the routes of the host; pick addresses with -f or -F instead"
        }
        () if is_flag(&settings.seconds.origin) || is_flag(&settings.interval.origin) => {
            "-s and --interval are not for records, which have their own length; pick one with --at"
        }
        () if settings.unit.value == Unit::Packets && is_flag(&settings.unit.origin) => {
            "-u packets: records hold bytes; take bits or bytes"
        }
        () => return Ok(()),
    };
    Err(Usage(wrong.to_owned()).into())
}

/// Moves to the record of the time given with `--at`.
fn go_to(player: &mut Player, text: &str, opened: &ZonedDateTime) -> Result<()> {
    let (first_us, last_us) = player.time_us();
    let zone = opened.time_zone();
    let time = when::at(text, zoned(last_us, zone).date(), opened).map_err(Usage::from)?;
    if let Some(note) = &time.note {
        stderr::print(&format!("flowtop: {note}\n"));
    }
    let us = time.at.as_microsecond();
    if !(first_us..=last_us).contains(&us) {
        let [first, last] = [first_us, last_us].map(|us| when::show(zoned(us, zone).timestamp(), zone));
        let asked = when::show(time.at, zone);
        bail!("--at: there is no record of {asked}; there are records from {first} to {last}");
    }
    player.jump(us);
    let span = &player.moment().span;
    if !(span.began_us()..span.end_us).contains(&us) {
        let shown = when::show(zoned(span.start_us, zone).timestamp(), zone);
        stderr::print(&format!("flowtop: nothing was recorded at that time; this is {shown}\n"));
    }
    Ok(())
}

/// Prints the report of every record, or of one. A damaged record is reported and skipped.
fn print(lens: &mut Lens, replay: &Replay, only_one: bool) -> Result<()> {
    let mut printer = Printer::new(lens.settings(), None)?;
    printer.print_header()?;
    Printer::wait()?;
    let view = lens.settings().view();
    let all = 0..replay.player.moments().len();
    let wanted = if only_one { replay.player.at()..replay.player.at() + 1 } else { all };
    let (mut is_any, mut kept_out) = (false, KeptOut::default());
    for at in wanted {
        let window = match lens.window(replay, at) {
            Err(error) if costs_one_record(&error) => {
                stderr::print(&format!("flowtop: {error}; the report goes on without it\n"));
                continue;
            }
            window => window?,
        };
        let span = replay.player.moments()[at].span;
        let [start, time] = [span.began_us(), span.end_us].map(|us| rfc3339(&zoned(us, replay.zone())));
        let who = Who { owners: &*window.owners, labels: &window.labels, ..Who::nobody() };
        let host = &window.caption.host;
        let heading = Heading {
            time: &time,
            start: &start,
            host,
            hooks: HOOKS,
            trigger: None,
            who,
            cost: None,
            coverage: None,
        };
        printer.print_caption(&window.caption.line())?;
        printer.report(&window.ledger, &view, &heading)?;
        Printer::wait()?;
        kept_out.add(&window.ledger);
        is_any = true;
    }
    for sentence in lens.refused() {
        stderr::print(&format!("flowtop: {sentence}\n"));
    }
    if !is_any {
        bail!("no record could be read")
    }
    kept_out.say("in these records", lens.is_filtered());
    Ok(())
}

fn costs_one_record(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(recordings::Error::costs_one_record)
}
