//! The `-t` loop: clock, signals, letters. `flowtop_view` formats reports and `printer` prints them.

pub(crate) mod printer;

use crate::cli::TopArgs;
use crate::cost::Meter;
use crate::coverage;
use crate::knowledge::Knowledge;
use crate::letters::Letters;
use crate::selection;
use crate::session::{Purpose, Session, event_loop};
use crate::signals::Endings;
use crate::silence::KeptOut;
use crate::source::Source;
use crate::stderr;
use anyhow::Result;
use flowtop_attribution::resolver::OwnLookups;
use flowtop_core::cost::Cost;
use flowtop_core::filter::Filter;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::trigger::Wanted;
use flowtop_core::view::{Sort, View};
use flowtop_core::who::Who;
use flowtop_view::json::Heading;
use flowtop_view::settings::{Settings, choice::Format};
use flowtop_view::top;
use printer::Printer;
use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

/// Maximum time between two reads of the kernel's table.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Time between two changes of the trigger with `--trigger alternate`.
const ALTERNATE_EVERY: Duration = Duration::from_millis(50);

/// Share of the startup time that counts towards `-s N`. A slow start must not use up a short run.
const START_WITHIN: Duration = Duration::from_millis(500);

/// Options of `flowtop top`.
#[derive(Debug)]
pub struct Top {
    reports: top::Reports,
    /// Number of reports; `None` for no limit.
    count: Option<u32>,
    has_summary: bool,
    clears: bool,
}

impl Top {
    /// As typed.
    #[must_use]
    pub fn of(args: &TopArgs) -> Self {
        let clears = !args.noclear && io::stdout().is_terminal();
        Self { reports: top::Reports::default(), count: args.count, has_summary: !args.nosummary, clears }
    }

    /// The same for a file, which is never cleared.
    #[must_use]
    fn in_a_file(self, is_file: bool) -> Self {
        Self { clears: self.clears && !is_file, ..self }
    }

    fn report(&mut self, ledger: &Ledger, limit: Option<usize>, sort: Sort, who: Who<'_>) -> String {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let summary = || {
            format!(
                "{} loadavg: {}",
                crate::local_time::local(ledger.moment().us).strftime("%H:%M:%S"),
                load.trim_end()
            )
        };
        let summary = self.has_summary.then(summary);
        let report = self.reports.report(ledger, limit, who, sort, summary.as_deref());
        if self.clears { format!("\x1b[H\x1b[2J{report}") } else { report }
    }
}

/// Events that wake the loop.
#[derive(Clone, Copy)]
enum Wake {
    Sample,
    Report,
    /// The end of a run that has one.
    Last,
    /// A signal ends the run.
    Signal,
    Letter(u8),
}

/// Counts and prints reports until the run ends. `started` is when flowtop was started.
pub fn run(
    settings: &Settings,
    filter: Filter,
    demo: bool,
    top: Option<Top>,
    started: std::time::Instant,
) -> Result<()> {
    let reports_left = top.as_ref().and_then(|top| top.count);
    let printer = Printer::new(settings, top)?;
    let known = if demo { Knowledge::of_demo(settings)? } else { Knowledge::new(settings, &filter)? };
    let admission = selection::admission_of_reports(settings, &filter)?;
    let is_filtered = filter != Filter::default() || !selection::limits(settings).is_empty();
    let ledger = selection::ledger(settings, Some(&printer.interfaces), filter, &known)?;
    let ledger = coverage::counting(ledger, &printer.interfaces);
    let shows_bytes_alone =
        settings.format.value == Format::Text && matches!(settings.unit.value, Unit::Bits | Unit::Bytes);
    let session = Session::start(settings, &admission, known, demo)?
        .following(&printer.interfaces)
        .with_details(!shows_bytes_alone);
    let runtime = event_loop()?;
    let reporter = Reporter::new(session, settings, printer, ledger).only(reports_left).filtered(is_filtered);
    let result = runtime.block_on(reporter.run(started.into()));
    // A thread may be blocked reading stdin; do not wait for it.
    runtime.shutdown_background();
    result
}

struct Reporter {
    session: Session,
    ledger: Ledger,
    view: View,
    printer: Printer,
    own_lookups: OwnLookups,
    /// Measures flowtop's own resource usage if `--cost` is set.
    meter: Option<Meter>,
    /// Counters of the interfaces since the baseline.
    coverage: Option<coverage::Meter>,
    max_flows: u32,
    /// Remaining reports if their number is limited.
    reports_left: Option<u32>,
    /// Duration of a run with a single report (`-s`), at least a second.
    once: Option<Duration>,
    interval: Duration,
    sample_every: Duration,
    host: String,
    is_filtered: bool,
}

impl Reporter {
    fn new(session: Session, settings: &Settings, printer: Printer, ledger: Ledger) -> Self {
        let length_s = settings.seconds.value.0;
        Self {
            session,
            ledger,
            view: settings.view(),
            printer,
            own_lookups: OwnLookups::new(&settings.host_root.value),
            meter: settings.cost.value.then(Meter::new),
            coverage: None,
            max_flows: settings.max_flows.value.0,
            reports_left: None,
            once: (length_s > 0).then(|| Duration::from_secs(length_s.into())),
            interval: settings.interval.value.0,
            sample_every: match settings.trigger.value {
                Wanted::Alternate => ALTERNATE_EVERY,
                Wanted::Cheaper | Wanted::Only(_) => SAMPLE_EVERY.min(settings.interval.value.0),
            },
            host: flowtop_attribution::resolver::own_host(),
            is_filtered: false,
        }
    }

    /// Whether anything was asked to be left out.
    fn filtered(self, is_filtered: bool) -> Self {
        Self { is_filtered, ..self }
    }

    /// Exits after this many reports.
    fn only(self, reports_left: Option<u32>) -> Self {
        Self { reports_left, ..self }
    }

    async fn run(mut self, started: Instant) -> Result<()> {
        // Catch signals before the baseline is taken, so that from then on a signal ends the run with a report.
        let mut endings = Endings::watch()?;
        self.printer.introduce()?;
        self.session.sample(&mut self.ledger, Purpose::Rates)?;
        self.coverage = coverage::Meter::of(self.session.source(), &self.printer.interfaces);
        let start = Instant::now();
        // Counts as part of the first interval, because it takes a while with many sockets.
        self.follow_up(Purpose::Rates)?;
        self.cost();
        self.announce();
        let end = self.once.map(|length| start + length - (start - started).min(START_WITHIN));
        let mut sampling = every(start, self.sample_every);
        let mut reporting = every(start, self.interval);
        let mut letters = self.letters();
        loop {
            self.printer.progress(end);
            let wake = tokio::select! {
                () = endings.any() => Wake::Signal,
                error = Printer::failure() => return Err(error),
                () = at(end), if end.is_some() => Wake::Last,
                _ = reporting.tick(), if end.is_none() => Wake::Report,
                letter = letters.next() => Wake::Letter(letter),
                _ = sampling.tick() => Wake::Sample,
            };
            if self.act(wake)? {
                return self.printer.finish(&mut endings, matches!(wake, Wake::Signal)).await;
            }
        }
    }

    /// Letters are for runs without an end. tcptop takes none, and what a script has on stdin is not for it.
    fn letters(&self) -> Letters {
        match (self.once, self.reports_left) {
            (None, None) if self.printer.is_top() => Letters::of_a_terminal(),
            (None, None) => Letters::open(),
            _ => Letters::none(),
        }
    }

    /// Handles an event. Returns whether the run ends.
    fn act(&mut self, wake: Wake) -> Result<bool> {
        match wake {
            Wake::Sample => {
                self.take(Purpose::Rates)?;
                self.printer.ask_names(&self.ledger, &self.view)?;
            }
            Wake::Report if self.view.paused => self.take(Purpose::Rates)?,
            // A run of a number of reports makes them all, later.
            Wake::Report if self.printer.is_behind() => {
                self.take(Purpose::Rates)?;
                if self.reports_left.is_none() {
                    self.printer.drop_report();
                }
            }
            Wake::Report => {
                self.report()?;
                self.reports_left = self.reports_left.map(|left| left.saturating_sub(1));
                let is_over = self.reports_left == Some(0);
                if is_over {
                    self.say_if_silent();
                }
                return Ok(is_over);
            }
            Wake::Letter(letter) => return self.press(letter),
            Wake::Last | Wake::Signal => {
                self.report()?;
                self.say_if_silent();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn press(&mut self, letter: u8) -> Result<bool> {
        // Letters that change the view would change the format that programs read.
        if self.printer.format != Format::Text && !b"uq".contains(&letter) {
            return Ok(false);
        }
        let pressed = self.view.press(letter);
        if let Some(message) = pressed.message {
            self.printer.say(message)?;
        }
        if pressed.reprint {
            self.report()?;
        }
        Ok(pressed.quit)
    }

    fn report(&mut self) -> Result<()> {
        self.take(Purpose::Report)?;
        self.print()
    }

    fn take(&mut self, purpose: Purpose) -> Result<()> {
        self.session.sample(&mut self.ledger, purpose)?;
        self.follow_up(purpose)
    }

    fn follow_up(&mut self, purpose: Purpose) -> Result<()> {
        self.session.follow_up(&mut self.ledger, purpose)?;
        if let Some(note) = self.own_lookups.note(&self.ledger) {
            self.printer.note(note);
        }
        self.printer.follow(&self.ledger, &self.view, self.session.who());
        Ok(())
    }

    /// Says on stderr that counting has started.
    fn announce(&self) {
        let Source::Live(live) = self.session.source() else {
            return stderr::print("flowtop: making up the traffic of a demo\n");
        };
        let refused = flowtop_bpf::joined(&live.refusals);
        let passed_over = if refused.is_empty() { String::new() } else { format!(" ({refused})") };
        stderr::print(&format!("flowtop: counting with {} hooks{passed_over}\n", live.plan.hooks));
        if let Some(unseen) = live.unseen() {
            stderr::print(&format!("flowtop: {unseen}\n"));
        }
    }

    fn print(&mut self) -> Result<()> {
        let [start, time] = counted(&self.ledger);
        let cost = self.cost();
        let (hooks, trigger, who) = (self.session.hooks(), self.session.trigger(), self.session.who());
        let coverage = self.coverage.as_ref().and_then(|coverage| coverage.read(&self.ledger));
        let heading = Heading {
            time: &time,
            start: &start,
            host: &self.host,
            hooks,
            trigger: trigger.as_ref(),
            who,
            cost,
            coverage: coverage.as_ref(),
        };
        self.printer.report(&self.ledger, &self.view, &heading)
    }

    /// Resource usage since the previous call if `--cost` is set.
    fn cost(&mut self) -> Option<Cost> {
        let table = (self.ledger.present(), self.max_flows);
        self.meter.as_mut().map(|meter| meter.read(self.session.source(), table))
    }

    fn say_if_silent(&self) {
        let within = format!("in {:.1} s", self.ledger.elapsed_s());
        KeptOut::of(&self.ledger).say(&within, self.is_filtered);
    }
}

/// Start and newest sample of a ledger: RFC 3339 with the offset of the local time zone.
pub(crate) fn counted(ledger: &Ledger) -> [String; 2] {
    let now_us = ledger.moment().us;
    let start_us = now_us.saturating_sub_unsigned(ledger.elapsed_ns() / 1000);
    [start_us, now_us].map(crate::local_time::rfc3339)
}

/// Ticks at `start + n * period`. Missed ticks are skipped.
fn every(start: Instant, period: Duration) -> Interval {
    let mut ticks = interval_at(start + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
