//! The `-t` loop: clock, signals, letters, stdout and stderr. What is printed is made in `core`.

use crate::{
    Usage, aside,
    core::{
        column::{self, Column},
        csv,
        filter::{Boundary, Filter},
        interface::Chosen,
        json,
        ledger::Ledger,
        names::{Names, NoNames},
        number::Unit,
        scope::{AllOf, NoLinkLocal, Scope},
        settings::{Settings, choice::Format},
        text,
        view::View,
        wire::Sample,
    },
    interfaces,
    letters::Letters,
    names::Resolver,
    source::Source,
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

/// Why the loop woke up.
#[derive(Clone, Copy)]
enum Wake {
    Sample,
    Report,
    Last,
    Letter(u8),
}

/// Starts counting and reports until told to stop.
pub fn run(settings: &Settings, filter: Filter, demo: bool) -> Result<()> {
    let printer = Printer::new(settings)?;
    let boundary = boundary(settings)?;
    let source = Source::start(settings, &filter.pushdown().admission(), demo)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(Reporter::new(source, settings, printer, filter, boundary).run());
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
    /// Length of a run that ends with its only report.
    once: Option<Duration>,
    interval: Duration,
}

impl Reporter {
    fn new(
        source: Source,
        settings: &Settings,
        printer: Printer,
        filter: Filter,
        boundary: Boundary,
    ) -> Self {
        let view = settings.view();
        let length_s = settings.seconds.value.0;
        let mut ledger = ledger(settings, &boundary, u64::from(length_s));
        ledger.set_scope(scope(settings, &printer.interfaces, filter, boundary));
        Self {
            source,
            ledger,
            sample: Sample::default(),
            view,
            printer,
            once: (length_s > 0).then(|| Duration::from_secs(length_s.into())),
            interval: settings.interval.value.0,
        }
    }

    async fn run(mut self) -> Result<()> {
        // Before the baseline: from then on a signal ends the run with a report, not without one.
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        self.printer.introduce()?;
        self.take_sample()?;
        self.announce();
        let start = Instant::now();
        let end = self.once.map(|length| start + length);
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
            Wake::Report => self.report()?,
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
        self.print()
    }

    fn take_sample(&mut self) -> Result<()> {
        self.source.sample(&mut self.sample)?;
        self.book()
    }

    fn book(&mut self) -> Result<()> {
        self.ledger.apply(&self.sample);
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
        self.printer.report(&self.ledger, &self.view, self.source.hooks())
    }

    fn say_if_silent(&self) {
        let bytes = self.ledger.totals().bytes;
        if bytes.tx == 0 && bytes.rx == 0 {
            let elapsed_s = self.ledger.elapsed_s();
            aside::say(&format!("flowtop: no TCP connection carried data in {elapsed_s:.1} s\n"));
        }
    }
}

/// An empty ledger; a closed connection keeps its row for `retain_closed_s` seconds at least.
#[must_use]
pub fn ledger(settings: &Settings, boundary: &Boundary, retain_closed_s: u64) -> Ledger {
    let ledger = Ledger::new(settings.max_flows.value.0 as usize, retain_closed_s);
    let ledger = ledger.seen_from(boundary.clone());
    if settings.unit.value == Unit::Packets { ledger.in_packets() } else { ledger }
}

/// The border that `-F` and `-G` draw.
pub fn boundary(settings: &Settings) -> Result<Boundary> {
    let boundary = Boundary::new(&settings.net.value, &settings.net6.value);
    Ok(boundary.map_err(|error| Usage(format!("--net and --net6: {error}")))?)
}

/// What of all traffic counts.
#[must_use]
pub fn scope(
    settings: &Settings,
    interfaces: &Chosen,
    filter: Filter,
    boundary: Boundary,
) -> Option<Box<dyn Scope>> {
    let mut scopes = Vec::<Box<dyn Scope>>::new();
    if boundary != Boundary::default() {
        scopes.push(Box::new(boundary));
    }
    if filter != Filter::default() {
        scopes.push(Box::new(filter));
    }
    if !settings.link_local.value {
        scopes.push(Box::new(NoLinkLocal));
    }
    if let Some(addresses) = interfaces.scope() {
        scopes.push(Box::new(addresses));
    }
    (!scopes.is_empty()).then(|| Box::new(AllOf(scopes)) as Box<dyn Scope>)
}

/// Writes reports in their format, each flushed, and what is said around them.
struct Printer {
    format: Format,
    reports: text::Reports,
    fields: Option<Vec<&'static Column>>,
    header: bool,
    host: String,
    interfaces: Chosen,
    /// Started when a name is wanted for the first time.
    resolver: Option<Resolver>,
    /// Whether a line that does not end stands on stderr.
    progress_shown: bool,
}

impl Printer {
    fn new(settings: &Settings) -> Result<Self> {
        let fields = &settings.fields.value;
        let fields = (!fields.is_empty()).then(|| column::parse(&fields.join(","))).transpose();
        let fields = fields.map_err(|unknown| Usage(unknown.to_string()))?;
        let all = interfaces::read().context("cannot list the network interfaces")?;
        Ok(Self {
            format: settings.format.value,
            reports: text::Reports::default(),
            fields,
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
            Format::Text => {
                aside::say(&self.interfaces.introduction());
                self.say(&text::listening_on(&self.interfaces.names()))
            }
            Format::Csv if self.header => self.say(&csv::header(&self.csv_fields())),
            Format::Csv | Format::Json => Ok(()),
        }
    }

    fn csv_fields(&self) -> Vec<&'static Column> {
        self.fields.clone().unwrap_or_else(|| column::ALL.iter().collect())
    }

    fn report(&mut self, ledger: &Ledger, view: &View, hooks: &str) -> Result<()> {
        let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        let heading = json::Heading { time: &time, host: &self.host, hooks };
        let report = match self.format {
            Format::Text => self.text(ledger, view)?,
            Format::Json => json::report(&heading, ledger, view, self.fields.as_deref()) + "\n",
            Format::Csv => csv::report(&heading, ledger, view, &self.csv_fields()),
        };
        self.say(&report)
    }

    fn text(&mut self, ledger: &Ledger, view: &View) -> Result<String> {
        if self.resolver.is_none() && (view.host_names || view.service_names) {
            self.resolver = Some(Resolver::start().context("cannot start the thread that asks for names")?);
        }
        let names = self.resolver.as_ref().map_or(&NoNames as &dyn Names, |resolver| resolver);
        Ok(self.reports.report(ledger, view, names))
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
