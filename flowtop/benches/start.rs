//! How long it takes from the start of the view to its first frame.

mod outcome;
#[expect(dead_code, reason = "each benchmark uses a part")]
mod pty;

use anyhow::Result;
use clap::Parser;
use outcome::{Outcome, OutcomeArgs, Row, median};
use pty::View;
use std::process::ExitCode;
use std::time::Instant;

/// Milliseconds until the first frame.
const BAR_MS: f64 = 300.0;

/// Time to the first frame of the view
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench start", bin_name = "cargo xtask bench start")]
struct Args {
    /// Starts to take the median of
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    #[command(flatten)]
    outcome: OutcomeArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    outcome::publish("start", &args.outcome, run(&args))
}

fn run(args: &Args) -> Result<Outcome> {
    let mut rows = Vec::new();
    for (what, flags) in [("flowtop", &[][..]), ("flowtop --demo", &["--demo"])] {
        let mut times = Vec::new();
        for _ in 0..args.starts {
            let start = Instant::now();
            let mut view = View::start(flags)?;
            view.wait_for_a_frame()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        rows.push(Row::new("command", what).figure("ms", median(times), Some(BAR_MS)));
    }
    let notes =
        vec![format!("Medians of {} starts, from the call to the end of the first frame.", args.starts)];
    Ok(Outcome { rows, notes })
}
