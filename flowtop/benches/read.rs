//! What a sample of 10,000 flows takes: reading it, accounting it, reporting it, and the memory of the process.

use crate::child::Flowtop;
use crate::loopback::{self, Pair};
use crate::memory;
use crate::outcome::{self, Outcome, Row, median};
use anyhow::{Context as _, Result, ensure};
use flowtop::cli::TableArgs;
use flowtop_bpf::Live;
use flowtop_core::{ledger::Ledger, names::NoNames, view::View, who::Who, wire::Sample};
use flowtop_view::json;
use flowtop_view::text;
use std::{
    hint::black_box,
    io::{BufRead as _, BufReader},
    process::{ExitCode, Stdio},
    time::Instant,
};

/// Milliseconds that reading the kernel's table may take.
const READ_BAR_MS: f64 = 5.0;

/// Resident memory in 10^6 bytes.
const MEMORY_BAR_MB: f64 = 30.0;

/// Connections with both ends here: 10,000 flows.
const CONNECTIONS: u32 = 5_000;

/// Reports after which the memory is looked at.
const REPORTS: usize = 3;

/// Rows of a text report without `-L`.
const TEXT_ROWS: usize = 10;

/// Time of a sample of 10,000 flows, and memory of the process
#[derive(Debug, clap::Args)]
struct Args {
    /// Samples to take the median of
    #[arg(long, value_name = "N", default_value_t = 101, value_parser = outcome::at_least_one())]
    samples: u32,
    #[command(flatten)]
    table: TableArgs,
}

pub fn main() -> ExitCode {
    outcome::bench("read", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let mut pairs = loopback::connect(CONNECTIONS as usize)?;
    let mut rows = times(args, &mut pairs)?;
    for (form, last_line) in [("text", "===="), ("json", "{")] {
        let mb = resident_mb(form, last_line, &mut pairs)?;
        rows.push(row(&format!("resident memory, {form} reports"), "MB", mb, Some(MEMORY_BAR_MB)));
    }
    let notes = vec![format!(
        "{CONNECTIONS} loopback connections, {} flows. Times are medians of {} samples; before each, every connection \
         carries a message. Memory is VmRSS of `flowtop -t --interval 1` after {REPORTS} reports.",
        2 * CONNECTIONS,
        args.samples
    )];
    Ok(Outcome { rows, notes })
}

fn row(what: &str, unit: &str, value: f64, bar: Option<f64>) -> Row {
    Row::new("figure", what).cell("unit", unit).figure("value", value, bar)
}

/// Milliseconds of each step of a sample.
#[derive(Default)]
struct Times {
    read: Vec<f64>,
    ledger: Vec<f64>,
    text: Vec<f64>,
    json: Vec<f64>,
}

fn times(args: &Args, pairs: &mut [Pair]) -> Result<Vec<Row>> {
    let mut live = Live::start(None, args.table.max_flows)?;
    let mut ledger = Ledger::new(args.table.max_flows as usize, 0);
    let (mut sample, mut times) = (Sample::default(), Times::default());
    live.sample(&mut sample)?;
    ledger.apply(&sample);
    ensure!(
        sample.flows.len() >= 2 * CONNECTIONS as usize,
        "the flow table has {} flows",
        sample.flows.len()
    );
    let top = View { limit: Some(TEXT_ROWS), ..View::default() };
    let heading = json::Heading {
        start: "2026-03-01T12:00:00+01:00",
        time: "",
        host: "",
        hooks: live.plan.hooks.name(),
        trigger: None,
        who: Who::nobody(),
        cost: None,
        coverage: None,
    };
    for _ in 0..args.samples {
        loopback::exchange(pairs, CONNECTIONS)?;
        let mut read = Ok(());
        times.read.push(milliseconds(|| read = live.sample(&mut sample)));
        read?;
        times.ledger.push(milliseconds(|| ledger.apply(&sample)));
        live.remove(ledger.removable())?;
        times
            .text
            .push(milliseconds(|| text::Reports::default().report(&ledger, &top, &NoNames, Who::nobody())));
        let mut json = Vec::new();
        let mut written = Ok(());
        times.json.push(milliseconds(|| {
            written = json::report(&heading, &ledger, &View::default(), None, &mut json);
        }));
        written?;
    }
    Ok(vec![
        row("read of the table", "ms", median(times.read), Some(READ_BAR_MS)),
        row("ledger", "ms", median(times.ledger), None),
        row("text report of 10 rows", "ms", median(times.text), None),
        row("JSON report of all rows", "ms", median(times.json), None),
    ])
}

fn milliseconds<T>(step: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    black_box(step());
    started.elapsed().as_secs_f64() * 1e3
}

/// Resident memory of the program in 10^6 bytes, after some reports; the last line of one starts with `last_line`.
fn resident_mb(form: &str, last_line: &str, pairs: &mut [Pair]) -> Result<f64> {
    let mut flowtop = Flowtop::start(&["--interval", "1", "--format", form], Stdio::piped())?;
    loopback::exchange(pairs, CONNECTIONS)?;
    let stdout = flowtop.child.stdout.take().context("flowtop has no stdout")?;
    let mut reports = 0;
    for line in BufReader::new(stdout).lines() {
        reports += usize::from(line?.starts_with(last_line));
        if reports == REPORTS {
            break;
        }
    }
    ensure!(reports == REPORTS, "flowtop ended after {reports} reports");
    memory::megabytes(&flowtop.proc("status")?, "VmRSS")
}
