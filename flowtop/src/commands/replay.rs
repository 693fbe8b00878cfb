//! `flowtop replay`: records from disk, in the view and as reports. How one becomes numbers is in `flowtop_recording::replay`.

use std::sync::Arc;

use anyhow::{Result, bail};
use jiff::ZonedDateTime;

use crate::Usage;
use crate::aside;
use crate::cli::ReplayArgs;
use crate::commands::live::printer::Printer;
use crate::commands::record;
use crate::recordings::{Recordings, costs_one_record};
use crate::tui;
use crate::who::{self, Knowledge};
use flowtop_core::column::Who;
use flowtop_core::filter::{Boundary, Filter};
use flowtop_core::interface::Chosen;
use flowtop_core::label::Labels;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::record::Record;
use flowtop_recording::replay::caption::{Caption, rfc3339, zoned};
use flowtop_recording::replay::player::{Moment, Player};
use flowtop_recording::replay::{self, RecordedOwners};
use flowtop_recording::when;
use flowtop_view::json::Heading;
use flowtop_view::settings::{Origin, Settings};
use flowtop_view::state::replay::{Replay, Window};

/// What stands where the hook plan stands otherwise.
pub const HOOKS: &str = "recorded";

/// Opens recordings and shows them.
pub fn run(settings: &Settings, filter: Filter, args: &ReplayArgs, demo: bool) -> Result<()> {
    refuse_what_needs_a_host(settings, demo)?;
    let recordings = record::recordings(&args.paths)?;
    for damaged in recordings.damage() {
        aside::say(&format!("flowtop: {damaged}; all other records are shown\n"));
    }
    for source in recordings.without_records() {
        let path = source.path.display();
        let why = source.unreadable.clone().unwrap_or_else(|| format!("{path}: no recording"));
        aside::say(&format!("flowtop: {why}\n"));
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

/// What can only be said of the host that flowtop runs on, and while it counts.
fn refuse_what_needs_a_host(settings: &Settings, demo: bool) -> Result<()> {
    let is_flag = |origin: &Origin| matches!(origin, Origin::Flag(_));
    let wrong = match () {
        () if demo => "--demo makes its own traffic; leave it or PATH out",
        () if is_flag(&settings.interface.origin) => {
            "-i needs the addresses of the host; pick addresses with -f or -F instead"
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

/// Goes to the record of a time that was asked for.
fn go_to(player: &mut Player, text: &str, opened: &ZonedDateTime) -> Result<()> {
    let (first_us, last_us) = player.time_us();
    let zone = opened.time_zone();
    let time = when::at(text, zoned(last_us, zone).date(), opened).map_err(Usage)?;
    if let Some(note) = &time.note {
        aside::say(&format!("flowtop: {note}\n"));
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
        aside::say(&format!("flowtop: nothing was recorded at that time; this is {shown}\n"));
    }
    Ok(())
}

/// Recordings, and what is wanted of each record.
pub struct Lens {
    recordings: Recordings,
    settings: Settings,
    filter: Filter,
    /// In place of those of the records.
    labels: Option<Arc<Labels>>,
}

impl Lens {
    fn new(recordings: Recordings, settings: &Settings, filter: Filter) -> Result<Self> {
        let labels = (!settings.labels.value.is_empty()).then(|| who::labels(&settings.labels.value));
        let mut settings = settings.clone();
        // Whoever made the record has decided about them.
        settings.link_local.value = true;
        settings.interface.value.clear();
        // What a file says of the present does not keep anybody from the past.
        if settings.unit.value == Unit::Packets {
            settings.unit.value = Unit::Bits;
        }
        Ok(Self { recordings, settings, filter, labels: labels.transpose()?.map(Arc::new) })
    }

    /// All records, at the first one.
    fn player(&self) -> Player {
        let moments = self.recordings.heads().iter();
        let moments = moments.map(|at| Moment { host: Arc::clone(&at.head.host), span: at.head.span });
        Player::new(moments.collect()).expect("recordings without a record are not opened")
    }

    /// Another filter from the next record on.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
    }

    /// What is seen of a record.
    ///
    /// # Errors
    /// As [`Recordings::read`].
    pub fn window(&self, replay: &Replay, at: usize) -> Result<Window> {
        let record = self.recordings.read(&self.recordings.heads()[at])?;
        let labels = self.labels.clone().unwrap_or_else(|| Arc::new(replay::labels(&record)));
        let known = Knowledge::of(Arc::new(RecordedOwners::of(&record)), labels).wanted_by(&self.settings);
        let scope = who::scope(&self.settings, &Chosen::default(), self.filter.clone(), &known)?;
        let ledger = Ledger::of_record(&record, self.boundary(&record)?, scope);
        let gap = replay.player.gap_before(at);
        Ok(Window {
            ledger,
            owners: known.owners(),
            labels: known.labels(),
            caption: Caption::of(&record, gap, replay.zone()),
            limits: self.limits(record.limits),
        })
    }

    /// The border that somebody draws now, or has drawn then.
    fn boundary(&self, record: &Record) -> Result<Boundary> {
        let now = who::boundary(&self.settings)?;
        Ok(if now == Boundary::default() { replay::boundary(record) } else { now })
    }

    fn limits(&self, then: String) -> String {
        let now = who::limits(&self.settings);
        [then, now].into_iter().filter(|limits| !limits.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Prints the report of every record, or of one. A record that is damaged is told and passed over.
fn print(lens: &mut Lens, replay: &Replay, only_one: bool) -> Result<()> {
    let mut printer = Printer::new(&lens.settings, None)?;
    printer.print_header()?;
    let view = lens.settings.view();
    let all = 0..replay.player.moments().len();
    let wanted = if only_one { replay.player.at()..replay.player.at() + 1 } else { all };
    let mut is_any = false;
    for at in wanted {
        let window = match lens.window(replay, at) {
            Err(error) if costs_one_record(&error) => {
                aside::say(&format!("flowtop: {error}; the report goes on without it\n"));
                continue;
            }
            window => window?,
        };
        let span = replay.player.moments()[at].span;
        let [start, time] = [span.began_us(), span.end_us].map(|us| rfc3339(&zoned(us, replay.zone())));
        let who = Who { owners: &*window.owners, labels: &window.labels, ..Who::nobody() };
        let host = &window.caption.host;
        let heading = Heading { time: &time, start: &start, host, hooks: HOOKS, who, cost: None };
        printer.print_caption(&window.caption.line())?;
        printer.report(&window.ledger, &view, &heading)?;
        is_any = true;
    }
    if is_any { Ok(()) } else { bail!("no record could be read") }
}
