//! What the view takes of a processor while 1,000 connections are open and nothing is sent.

use crate::loopback;
use crate::outcome::{self, Outcome, Row, median};
use crate::pty::View;
use anyhow::Result;
use std::process::ExitCode;
use std::time::Duration;

/// Percent of a processor that an idle view may take.
const BAR_PERCENT: f64 = 0.5;

/// Connections with both ends here: 1,000 flows.
const CONNECTIONS: u32 = 500;

const LOOK: Duration = Duration::from_secs(5);

/// Load of an idle view
#[derive(Debug, clap::Args)]
struct Args {
    /// Times to look for 5 s, to take the median of
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = outcome::at_least_one())]
    looks: u32,
}

pub fn main() -> ExitCode {
    outcome::bench("idle", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let mut pairs = loopback::connect(CONNECTIONS as usize)?;
    let mut rows = Vec::new();
    for (what, flags) in [("host pairs", &["-n"][..]), ("a row a connection", &["-nNP"])] {
        let mut view = View::start(flags)?;
        // A connection without bytes since the start has no row, and counting starts when the hooks are loaded.
        view.wait_for_rows(|| loopback::exchange(&mut pairs, CONNECTIONS))?;
        let used: Result<Vec<_>> = (0..args.looks).map(|_| view.processor_s(LOOK)).collect();
        rows.push(Row::new("rows", what).figure("percent", median(used?) * 100.0, Some(BAR_PERCENT)));
    }
    let notes = vec![format!(
        "Processor time of all threads of `flowtop` on a terminal of 120x40 with a frame a second while {CONNECTIONS} \
         loopback connections ({} flows) are idle, in percent of one processor: the median of {} looks of {} s.",
        2 * CONNECTIONS,
        args.looks,
        LOOK.as_secs()
    )];
    Ok(Outcome { rows, notes })
}
