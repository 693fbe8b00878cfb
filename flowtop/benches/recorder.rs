//! What recording costs while it runs: a recorder and a report on the same 10,000 flows, one after the other.

use crate::child::Flowtop;
use crate::crowd::Crowd;
use crate::outcome::{self, Outcome, Row, median};
use anyhow::Result;
use std::{
    process::{ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Milliseconds of processor time that a report each second may take at 10,000 connections; so may a recorder.
const BAR_MS: f64 = 20.0;

/// Recorders, by their `--every`.
const RECORDERS: [(&str, Option<f64>); 2] = [("60s", Some(BAR_MS)), ("1s", None)];

/// Connections with both ends here: 10,000 flows.
const CONNECTIONS: u32 = 5_000;

/// Processes that share them.
const PROCESSES: u32 = 100;

/// Seconds until everybody is known.
const FIRST_S: u32 = 5;

/// Cost of a running recorder at 10,000 flows
#[derive(Debug, clap::Args)]
struct Args {
    /// Rounds to take the median of; each runs the report and the recorders one after the other
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = outcome::at_least_one())]
    rounds: u32,
    /// Seconds that each is measured for, after the first 5; in 60 a record of a minute is written
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = outcome::at_least_one())]
    seconds: u32,
}

pub fn main() -> ExitCode {
    outcome::bench("recorder", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let mut crowd = Crowd::start(CONNECTIONS, PROCESSES, 0)?;
    let (mut report, mut recorders) = (Vec::new(), RECORDERS.map(|_| Vec::new()));
    for _ in 0..args.rounds {
        let text = Flowtop::start(&["--interval", "1"], Stdio::null())?;
        report.push(milliseconds(&text, args.seconds, &mut crowd)?);
        drop(text);
        for ((every, _), measured) in RECORDERS.iter().zip(&mut recorders) {
            let dir = tempfile::tempdir()?;
            wait_for_a_minute();
            let recorder = Flowtop::record(&["--every", every, "-o", &dir.path().display().to_string()])?;
            measured.push(milliseconds(&recorder, args.seconds, &mut crowd)?);
        }
    }
    let row = |program: String, runs: &[f64], bar| {
        let of_report = runs.iter().zip(&report).map(|(run, report)| run / report);
        Row::new("program", program).cell("of the report", median(of_report.collect())).figure(
            "ms/s",
            median(runs.to_vec()),
            bar,
        )
    };
    let mut rows = vec![row("flowtop -t --interval 1".to_owned(), &report, Some(BAR_MS))];
    rows.extend(
        RECORDERS
            .iter()
            .zip(&recorders)
            .map(|((every, bar), runs)| row(format!("flowtop record --every {every}"), runs, *bar)),
    );
    let notes = vec![format!(
        "{CONNECTIONS} loopback connections between this process and {PROCESSES} others, {} flows; every connection \
         carries a message a second to and fro. Processor time of all threads, by the scheduler's count, over {} s after \
         the first {FIRST_S} s; medians of {} rounds.",
        2 * CONNECTIONS,
        args.seconds,
        args.rounds
    )];
    Ok(Outcome { rows, notes })
}

/// A recorder of minutes that starts with one writes its first record when the next one starts.
fn wait_for_a_minute() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    sleep(Duration::from_secs(60 - since_1970.as_secs() % 60));
}

/// Processor time of a program in milliseconds each second, while there is traffic.
fn milliseconds(flowtop: &Flowtop, seconds: u32, crowd: &mut Crowd) -> Result<f64> {
    let mut tick = Instant::now();
    let mut before_ns = 0;
    for second in 0..FIRST_S + seconds {
        if second == FIRST_S {
            before_ns = flowtop.processor_ns()?;
        }
        crowd.exchange()?;
        tick += Duration::from_secs(1);
        sleep(tick.saturating_duration_since(Instant::now()));
    }
    Ok((flowtop.processor_ns()? - before_ns) as f64 / 1e6 / f64::from(seconds))
}
