//! The `-t` loop: clock, signals, letters, stdout and stderr. What is printed is made in `core`.

use crate::{
    Usage, aside,
    cli::TopArgs,
    core::{
        column::{self, Column, Who},
        csv,
        filter::Filter,
        interface::Chosen,
        json,
        ledger::Ledger,
        names::{Names, NoNames},
        rows::grouped,
        settings::{Settings, choice::Format},
        text, top,
        view::View,
        wire::Sample,
    },
    interfaces,
    letters::Letters,
    names::Resolver,
    source::Source,
    who::{self, Knowledge},
};
use anyhow::{Context as _, Result};
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

/// Longest time between two reads of the kernel's table.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How much of the time that starting takes is part of the N seconds of `-s N`. A slow start must not eat up a short
/// run.
const START_WITHIN: Duration = Duration::from_millis(500);

/// tcptop's way to report.
#[derive(Debug)]
pub struct Top {
    reports: top::Reports,
    /// Reports until the end; `None` for no end.
    count: Option<u32>,
    has_summary: bool,
    clears: bool,
}

impl Top {
    /// As it was typed.
    #[must_use]
    pub fn of(args: &TopArgs) -> Self {
        let clears = !args.noclear && io::stdout().is_terminal();
        Self { reports: top::Reports::default(), count: args.count, has_summary: !args.nosummary, clears }
    }

    fn report(&mut self, ledger: &Ledger, limit: Option<usize>, who: Who<'_>) -> String {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let summary = || format!("{} loadavg: {}", jiff::Zoned::now().strftime("%H:%M:%S"), load.trim_end());
        let summary = self.has_summary.then(summary);
        let report = self.reports.report(ledger, limit, who, summary.as_deref());
        if self.clears { format!("\x1b[H\x1b[2J{report}") } else { report }
    }
}

/// Why the loop woke up.
#[derive(Clone, Copy)]
enum Wake {
    Sample,
    Report,
    Last,
    Letter(u8),
}

/// Starts counting and reports until told to stop. `started` is when flowtop was.
pub fn run(
    settings: &Settings,
    filter: Filter,
    demo: bool,
    top: Option<Top>,
    started: std::time::Instant,
) -> Result<()> {
    let reports_left = top.as_ref().and_then(|top| top.count);
    let printer = Printer::new(settings, top)?;
    let known = Knowledge::new(settings, &filter)?;
    let admission = who::admission(settings, &printer.interfaces, &filter)?;
    let ledger = who::ledger(settings, &printer.interfaces, filter, &known)?;
    let source = Source::start(settings, &admission, demo)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let reporter = Reporter::new(source, settings, printer, known, ledger).only(reports_left);
    let result = runtime.block_on(reporter.run(started.into()));
    // A read of stdin may be pending on its own thread; nothing waits for it.
    runtime.shutdown_background();
    result
}

struct Reporter {
    source: Source,
    ledger: Ledger,
    sample: Sample,
    view: View,
    printer: Printer,
    known: Knowledge,
    /// Reports until the end of a run that has a number of them.
    reports_left: Option<u32>,
    /// Length of a run that ends with its only report, at least a second.
    once: Option<Duration>,
    interval: Duration,
}

impl Reporter {
    fn new(source: Source, settings: &Settings, printer: Printer, known: Knowledge, ledger: Ledger) -> Self {
        let length_s = settings.seconds.value.0;
        Self {
            source,
            ledger,
            sample: Sample::default(),
            view: settings.view(),
            printer,
            known,
            reports_left: None,
            once: (length_s > 0).then(|| Duration::from_secs(length_s.into())),
            interval: settings.interval.value.0,
        }
    }

    /// Ends after so many reports, if there is a number.
    fn only(self, reports_left: Option<u32>) -> Self {
        Self { reports_left, ..self }
    }

    async fn run(mut self, started: Instant) -> Result<()> {
        // Before the baseline: from then on a signal ends the run with a report, not without one.
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        self.printer.introduce()?;
        self.take_sample()?;
        self.announce();
        let start = Instant::now();
        let end = self.once.map(|length| start + length - (start - started).min(START_WITHIN));
        let mut sampling = every(start, SAMPLE_EVERY.min(self.interval));
        let mut reporting = every(start, self.interval);
        let mut letters = if end.is_none() { Letters::open() } else { Letters::none() };
        loop {
            self.printer.progress(end);
            let wake = tokio::select! {
                _ = interrupt.recv() => Wake::Last,
                _ = terminate.recv() => Wake::Last,
                () = at(end), if end.is_some() => Wake::Last,
                _ = reporting.tick(), if end.is_none() => Wake::Report,
                letter = letters.next() => Wake::Letter(letter),
                _ = sampling.tick() => Wake::Sample,
            };
            if self.act(wake)? {
                return Ok(());
            }
        }
    }

    /// Does what the loop woke up for; true ends the run.
    fn act(&mut self, wake: Wake) -> Result<bool> {
        match wake {
            Wake::Sample => self.take_sample()?,
            Wake::Report if self.view.paused => self.take_sample()?,
            Wake::Report => {
                self.report()?;
                self.reports_left = self.reports_left.map(|left| left.saturating_sub(1));
                return Ok(self.reports_left == Some(0));
            }
            Wake::Letter(letter) => return self.press(letter),
            Wake::Last => {
                self.report()?;
                self.say_if_silent();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn press(&mut self, letter: u8) -> Result<bool> {
        // What a person may turn would break a format that programs read.
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
        self.source.sample_exactly(&mut self.sample)?;
        self.book()?;
        self.known.settle(&mut self.ledger);
        self.print()
    }

    fn take_sample(&mut self) -> Result<()> {
        self.source.sample(&mut self.sample)?;
        self.book()
    }

    fn book(&mut self) -> Result<()> {
        self.ledger.apply(&self.sample);
        self.source.find_holders(&mut self.ledger);
        self.known.ask(&self.ledger);
        self.source.remove(self.ledger.removable())
    }

    /// One line on stderr once everything from now on is counted.
    fn announce(&self) {
        let Source::Live(live) = &self.source else {
            return aside::say("flowtop: making up the traffic of a demo\n");
        };
        let passed_over: Vec<_> =
            live.refusals.iter().map(|r| format!("{}: {}", r.hooks, r.reason)).collect();
        let passed_over =
            if passed_over.is_empty() { String::new() } else { format!(" ({})", passed_over.join("; ")) };
        aside::say(&format!("flowtop: counting with {} hooks{passed_over}\n", live.plan.hooks));
        if let Some(reason) = &live.unseeded {
            let since = "connections older than now are counted from their first event on";
            aside::say(&format!("flowtop: {since}: {reason}\n"));
        }
    }

    fn print(&mut self) -> Result<()> {
        self.printer.report(&self.ledger, &self.view, self.source.hooks(), self.known.who())
    }

    fn say_if_silent(&self) {
        let bytes = self.ledger.totals().bytes;
        if bytes.tx == 0 && bytes.rx == 0 {
            let elapsed_s = self.ledger.elapsed_s();
            aside::say(&format!("flowtop: no TCP connection carried data in {elapsed_s:.1} s\n"));
        }
    }
}

/// The fields of a machine format.
enum Fields {
    /// Of connections; `None` for all.
    Flows(Option<Vec<&'static Column>>),
    /// Of the rows of `--by`.
    Groups(Vec<&'static str>),
}

impl Fields {
    fn of(settings: &Settings) -> Result<Self, String> {
        let (names, by) = (settings.fields.value.join(","), settings.by.value);
        match (by.is_some(), names.is_empty()) {
            (true, true) => Ok(Self::Groups(grouped::fields(&by))),
            (true, false) => grouped::parse_fields(&by, &names).map(Self::Groups),
            (false, true) => Ok(Self::Flows(None)),
            (false, false) => {
                column::parse(&names).map(Some).map(Self::Flows).map_err(|unknown| unknown.to_string())
            }
        }
    }

    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::Flows(None) => column::names(),
            Self::Flows(Some(columns)) => columns.iter().map(|column| column.name).collect(),
            Self::Groups(names) => names.clone(),
        }
    }
}

/// Writes reports in their format, each flushed, and what is said around them.
struct Printer {
    format: Format,
    reports: text::Reports,
    /// Instead of iftop's.
    top: Option<Top>,
    limit: Option<usize>,
    fields: Fields,
    header: bool,
    host: String,
    interfaces: Chosen,
    /// Started when a name is wanted for the first time.
    resolver: Option<Resolver>,
    /// Whether a line that does not end stands on stderr.
    progress_shown: bool,
}

impl Printer {
    fn new(settings: &Settings, top: Option<Top>) -> Result<Self> {
        let all = interfaces::read().context("cannot list the network interfaces")?;
        Ok(Self {
            format: settings.format.value,
            reports: text::Reports::default(),
            top,
            limit: settings.limit.value.map_or(Some(top::ROWS), |_| settings.rows()),
            fields: Fields::of(settings).map_err(Usage)?,
            header: !settings.no_header.value,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            interfaces: Chosen::new(&all, &settings.interface.value)?,
            resolver: None,
            progress_shown: false,
        })
    }

    /// What stands before the first report.
    fn introduce(&mut self) -> Result<()> {
        match self.format {
            Format::Text if self.top.is_some() => Ok(()),
            Format::Text => {
                aside::say(&self.interfaces.introduction());
                self.say(&text::listening_on(&self.interfaces.names()))
            }
            Format::Csv if self.header => self.say(&csv::header(&self.fields.names())),
            Format::Csv | Format::Json => Ok(()),
        }
    }

    fn report(&mut self, ledger: &Ledger, view: &View, hooks: &str, who: Who<'_>) -> Result<()> {
        let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        let heading = json::Heading { time: &time, host: &self.host, hooks, who };
        let report = match (self.format, &self.fields) {
            (Format::Text, _) => self.text(ledger, view, who)?,
            (Format::Json, Fields::Flows(fields)) => {
                json::report(&heading, ledger, view, fields.as_deref()) + "\n"
            }
            (Format::Json, Fields::Groups(fields)) => {
                json::grouped_report(&heading, ledger, view, Some(fields)) + "\n"
            }
            (Format::Csv, Fields::Flows(Some(fields))) => csv::report(&heading, ledger, view, fields),
            (Format::Csv, Fields::Flows(None)) => {
                csv::report(&heading, ledger, view, &column::ALL.iter().collect::<Vec<_>>())
            }
            (Format::Csv, Fields::Groups(fields)) => csv::grouped_report(&heading, ledger, view, fields),
        };
        self.say(&report)
    }

    fn text(&mut self, ledger: &Ledger, view: &View, who: Who<'_>) -> Result<String> {
        if let Some(top) = self.top.as_mut().filter(|_| !view.by.is_some()) {
            return Ok(top.report(ledger, self.limit, who));
        }
        if self.resolver.is_none() && (view.host_names || view.service_names) {
            self.resolver = Some(Resolver::start().context("cannot start the thread that asks for names")?);
        }
        let names = self.resolver.as_ref().map_or(&NoNames as &dyn Names, |resolver| resolver);
        Ok(self.reports.report(ledger, view, names, who))
    }

    /// Writes to stdout, at once.
    fn say(&mut self, text: &str) -> Result<()> {
        if std::mem::take(&mut self.progress_shown) {
            aside::say("\r\x1b[K");
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write the report")
    }

    /// How long it takes to the only report, for somebody who watches.
    fn progress(&mut self, end: Option<Instant>) {
        let Some(end) = end.filter(|_| io::stderr().is_terminal()) else { return };
        let left_s = end.saturating_duration_since(Instant::now()).as_secs_f64();
        aside::say(&format!("\r\x1b[Kflowtop: {left_s:.0} s left"));
        self.progress_shown = true;
    }
}

/// Ticks at `start + n * period`; ticks that came too late are left out.
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
