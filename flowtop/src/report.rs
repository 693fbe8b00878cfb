//! The `-t` loop: clock, signals, letters on stdin, stdout. What is printed is made in `core`.

use crate::{
    bpf::Live,
    cli::{Format, ReportArgs, Sort},
    core::{json, ledger::Ledger, rows::View, text, window::Window, wire::Sample},
};
use anyhow::{Context as _, Result};
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

/// Longest time between two reads of the kernel's table.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Rows of a text report without `-L`, as in iftop.
const TEXT_ROWS: usize = 10;

/// Why the loop woke up.
enum Wake {
    Sample,
    Report,
    Last,
    Letter(u8),
}

/// Starts counting and reports until told to stop.
pub fn run(args: &ReportArgs) -> Result<()> {
    let live = Live::start(args.hooks.wanted(), args.table.max_flows)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(Reporter::new(live, args).run());
    // A read of stdin may be pending on its own thread; nothing waits for it.
    runtime.shutdown_background();
    result
}

struct Reporter<'a> {
    live: Live,
    ledger: Ledger,
    sample: Sample,
    args: &'a ReportArgs,
    host: String,
}

impl<'a> Reporter<'a> {
    fn new(live: Live, args: &'a ReportArgs) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let ledger = Ledger::new(args.table.max_flows as usize, u64::from(args.seconds));
        Self { live, ledger, sample: Sample::default(), args, host }
    }

    async fn run(mut self) -> Result<()> {
        // Before the baseline: from then on a signal ends the run with a report, not without one.
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        self.take_sample()?;
        self.announce();
        let start = Instant::now();
        let report_every = Duration::from_secs_f64(self.args.interval);
        let once = (self.args.seconds > 0).then(|| start + Duration::from_secs(self.args.seconds.into()));
        let mut sampling = every(start, SAMPLE_EVERY.min(report_every));
        let mut reporting = every(start, report_every);
        let mut letters = once.is_none().then(Letters::open).flatten();
        loop {
            let wake = tokio::select! {
                _ = interrupt.recv() => Wake::Last,
                _ = terminate.recv() => Wake::Last,
                () = at(once), if once.is_some() => Wake::Last,
                _ = reporting.tick(), if once.is_none() => Wake::Report,
                letter = next(&mut letters) => Wake::Letter(letter),
                _ = sampling.tick() => Wake::Sample,
            };
            match wake {
                Wake::Letter(b'q') => return Ok(()),
                Wake::Report | Wake::Letter(b'u') => self.report()?,
                Wake::Last => {
                    self.report()?;
                    self.say_if_silent();
                    return Ok(());
                }
                Wake::Sample | Wake::Letter(_) => self.take_sample()?,
            }
        }
    }

    fn report(&mut self) -> Result<()> {
        self.live.sample_exactly(&mut self.sample)?;
        self.book()?;
        self.print()
    }

    fn take_sample(&mut self) -> Result<()> {
        self.live.sample(&mut self.sample)?;
        self.book()
    }

    fn book(&mut self) -> Result<()> {
        self.ledger.apply(&self.sample);
        self.live.remove(self.ledger.removable())
    }

    /// One line on stderr once everything from now on is counted.
    fn announce(&self) {
        let passed_over: Vec<_> =
            self.live.refusals.iter().map(|r| format!("{}: {}", r.hooks, r.reason)).collect();
        let passed_over =
            if passed_over.is_empty() { String::new() } else { format!(" ({})", passed_over.join("; ")) };
        eprintln!("flowtop: counting with {} hooks{passed_over}", self.live.plan.hooks);
        if let Some(reason) = &self.live.unseeded {
            eprintln!("flowtop: connections older than now are counted from their first event on: {reason}");
        }
    }

    fn print(&self) -> Result<()> {
        let view = View { sort: window(self.args.sort), limit: self.limit() };
        let report = match self.args.format {
            Format::Text => text::report(&self.ledger, &view),
            Format::Json => {
                let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
                let hooks = self.live.plan.hooks.name();
                json::report(&json::Heading { time: &time, host: &self.host, hooks }, &self.ledger, &view)
                    + "\n"
            }
        };
        let mut stdout = io::stdout().lock();
        stdout.write_all(report.as_bytes()).and_then(|()| stdout.flush()).context("cannot write the report")
    }

    fn limit(&self) -> Option<usize> {
        match self.args.format {
            Format::Text => Some(self.args.limit.unwrap_or(TEXT_ROWS)),
            Format::Json => self.args.limit,
        }
    }

    fn say_if_silent(&self) {
        let bytes = self.ledger.totals().bytes;
        if bytes.tx == 0 && bytes.rx == 0 {
            eprintln!("flowtop: no TCP connection carried data in {:.1} s", self.ledger.elapsed_s());
        }
    }
}

const fn window(sort: Sort) -> Window {
    match sort {
        Sort::Last2s => Window::S2,
        Sort::Last10s => Window::S10,
        Sort::Last40s => Window::S40,
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

/// The next letter; waits for ever once stdin has ended.
async fn next(letters: &mut Option<Letters>) -> u8 {
    if let Some(open) = letters {
        if let Some(letter) = open.next().await {
            return letter;
        }
        *letters = None;
    }
    std::future::pending().await
}

/// Letters on stdin: `u` reports now, `q` quits.
struct Letters(tokio::io::Stdin);

impl Letters {
    /// `None` for a terminal that another process group has: reading it would stop us.
    fn open() -> Option<Self> {
        let stdin = io::stdin();
        let ours = !stdin.is_terminal()
            || rustix::termios::tcgetpgrp(&stdin).ok() == Some(rustix::process::getpgrp());
        ours.then(|| Self(tokio::io::stdin()))
    }

    async fn next(&mut self) -> Option<u8> {
        self.0.read_u8().await.ok()
    }
}
