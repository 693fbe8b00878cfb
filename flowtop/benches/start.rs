//! How long it takes from the call to the first frame of the view and to the first report, and the memory then.

use crate::child::Flowtop;
use crate::memory::megabytes;
use crate::outcome::{self, Outcome, Row, median};
use crate::pty::View;
use crate::stream::connections::Connections;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Milliseconds until the first frame, and beyond the interval until the first report.
const BAR_MS: f64 = 300.0;

/// Milliseconds of every interval.
const INTERVAL_MS: f64 = 1e3;

/// How far apart looks at the memory of a process are that will end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Time to the first frame and to the first report
#[derive(Debug, clap::Args)]
struct Args {
    /// Starts to take the median of
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = outcome::at_least_one())]
    starts: u32,
    /// Connections that are open in the second half; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections: usize,
}

pub fn main() -> ExitCode {
    outcome::bench("start", run)
}

/// What is waited for after the call.
#[derive(Clone, Copy)]
enum Until {
    /// The first frame of the view.
    Frame,
    /// The end of the first report, after an interval.
    Report,
    /// The end of the process, after one interval.
    Exit,
}

/// Ways to call flowtop.
const CALLS: [(&[&str], Until); 5] = [
    (&[], Until::Frame),
    (&["--demo"], Until::Frame),
    (&["-t", "--interval", "1"], Until::Report),
    (&["-t", "-s", "1"], Until::Exit),
    (&["top", "1", "1"], Until::Exit),
];

fn run(args: &Args) -> Result<Outcome> {
    let mut rows = rows(args, 0)?;
    if args.connections > 0 {
        let _held = Connections::open(args.connections, 1)?;
        rows.extend(self::rows(args, args.connections)?);
    }
    let notes = vec![format!(
        "Medians of {} starts, from the call to the end of the first frame, to the end of the first report or to the end \
         of the process; of the last two the interval of 1 s is taken off. A run of -s takes part of its \
         start out of its time, so it can be less than nothing. The connections are idle and have both ends on this \
         host: two flows each. Memory is that of the process at the frame or the report; of one that has ended, up to {} ms before.",
        args.starts,
        LOOK_EVERY.as_millis()
    )];
    Ok(Outcome { rows, notes })
}

fn rows(args: &Args, connections: usize) -> Result<Vec<Row>> {
    let mut starts = CALLS.map(|_| Vec::new());
    for _ in 0..args.starts {
        for ((words, until), starts) in CALLS.iter().zip(&mut starts) {
            let call = || format!("flowtop {}", words.join(" "));
            starts.push(start(words, *until).with_context(call)?);
        }
    }
    Ok(CALLS.iter().zip(&starts).map(|((words, _), starts)| row(words, connections, starts)).collect())
}

fn row(words: &[&str], connections: usize, starts: &[Start]) -> Row {
    let of = |pick: fn(&Start) -> f64| median(starts.iter().map(pick).collect());
    Row::new("command", format!("flowtop {}", words.join(" ")).trim_end())
        .cell("connections", connections)
        .figure("ms", of(|start| start.ms), Some(BAR_MS))
        .cell("VmHWM MB", of(|start| start.memory.most_mb))
        .cell("VmRSS MB", of(|start| start.memory.resident_mb))
}

/// What one start has shown.
struct Start {
    ms: f64,
    memory: Memory,
}

struct Memory {
    most_mb: f64,
    resident_mb: f64,
}

impl Memory {
    /// Of a process that has not ended.
    fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self { most_mb: megabytes(&status, "VmHWM")?, resident_mb: megabytes(&status, "VmRSS")? })
    }
}

fn start(words: &[&str], until: Until) -> Result<Start> {
    let called = Instant::now();
    let memory = match until {
        Until::Frame => {
            let mut view = View::start(words)?;
            view.wait_for_a_frame()?;
            let ms = called.elapsed().as_secs_f64() * 1e3;
            return Ok(Start { ms, memory: Memory::of(view.pid())? });
        }
        Until::Report => first_report(words)?,
        Until::Exit => end(words)?,
    };
    Ok(Start { ms: (memory.1 - called).as_secs_f64() * 1e3 - INTERVAL_MS, memory: memory.0 })
}

/// Waits for the first report.
fn first_report(words: &[&str]) -> Result<(Memory, Instant)> {
    let mut flowtop = Flowtop::run(words, Stdio::piped())?;
    let stdout = flowtop.child.stdout.take().context("flowtop has no stdout")?;
    for line in BufReader::new(stdout).lines() {
        if line?.starts_with("====") {
            let now = Instant::now();
            return Ok((Memory::of(flowtop.child.id())?, now));
        }
    }
    bail!("flowtop made no report")
}

/// Waits for the end. The memory of a process goes with it, so that it is looked at until then.
fn end(words: &[&str]) -> Result<(Memory, Instant)> {
    let mut flowtop = Flowtop::run(words, Stdio::null())?;
    let pid = flowtop.child.id();
    let watch = thread::spawn(move || {
        let mut newest = Memory::of(pid);
        while let Ok(memory) = Memory::of(pid) {
            newest = Ok(memory);
            thread::sleep(LOOK_EVERY);
        }
        newest
    });
    let status = flowtop.child.wait()?;
    let now = Instant::now();
    ensure!(status.success(), "flowtop ended with {status}");
    let memory = watch.join().map_err(|_| anyhow!("looking at its memory failed"))?;
    Ok((memory?, now))
}
