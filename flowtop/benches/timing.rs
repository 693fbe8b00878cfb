//! How far from N seconds `flowtop -t -s N` ends, with and without traffic.

use crate::child::Flowtop;
use crate::loopback;
use crate::outcome::{self, Outcome, Row};
use anyhow::{Context as _, Result, ensure};
use std::{
    process::{ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Milliseconds that a run may end before or after its time.
const BAR_MS: f64 = 200.0;

/// Connections that are busy in the second half.
const CONNECTIONS: u32 = 100;

/// How far from N seconds `flowtop -t -s N` ends
#[derive(Debug, clap::Args)]
struct Args {
    /// Values of N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 2, 3, 5, 60])]
    seconds: Vec<u32>,
}

pub fn main() -> ExitCode {
    outcome::bench("timing", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let mut rows = measure(args, "idle")?;
    let mut pairs = loopback::connect(CONNECTIONS as usize)?;
    let stop = AtomicBool::new(false);
    rows.extend(thread::scope(|scope| {
        let busy = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                loopback::exchange(&mut pairs, CONNECTIONS)?;
            }
            Ok(())
        });
        let rows = measure(args, "busy");
        stop.store(true, Ordering::Relaxed);
        ensure!(busy.join().is_ok_and(|carried| carried.is_ok()), "the traffic stopped");
        rows
    })?);
    let notes = vec![format!(
        "From the call to the end of the process, on the monotonic clock. Busy is {CONNECTIONS} loopback connections \
         that carry messages without a pause; other traffic of the host is in both."
    )];
    Ok(Outcome { rows, notes })
}

fn measure(args: &Args, traffic: &str) -> Result<Vec<Row>> {
    let one = |&seconds: &u32| {
        let off_ms = off(seconds)?.as_secs_f64() * 1e3;
        Ok(Row::new("traffic", traffic).cell("seconds", seconds).figure("off by ms", off_ms, Some(BAR_MS)))
    };
    args.seconds.iter().map(one).collect()
}

/// How far from its time a run ended.
fn off(seconds: u32) -> Result<Duration> {
    let called = Instant::now();
    let mut flowtop = Flowtop::start(&["-s", &seconds.to_string()], Stdio::null())?;
    let status = flowtop.child.wait().context("cannot wait for flowtop")?;
    let took = called.elapsed();
    ensure!(status.success(), "flowtop ended with {status}");
    Ok(took.abs_diff(Duration::from_secs(seconds.into())))
}
