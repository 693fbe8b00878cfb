//! `cargo xtask bench`: builds flowtop's benchmarks as flowtop is released, and becomes one of them.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, output, target};
use crate::live;

mod guests;

/// The program with all benchmarks; its first argument is the name of one.
const PROGRAM: &str = "flowtop";

/// Flags of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Benchmark to run.
    #[arg(value_enum)]
    bench: Bench,
    /// Measure in virtual machines with these kernels, such as 5.10,6.12
    #[arg(long, value_name = "SERIES", value_delimiter = ',')]
    vm: Vec<String>,
    /// Flags of the benchmark; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

/// The benchmarks in flowtop/benches, by the names of their files.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Bench {
    /// Short connections a second, with and without a program that counts them.
    Churn,
    /// Time of a frame of the view with 100,000 flows.
    Draw,
    /// Processor time of a report of a recorded day.
    History,
    /// Load of the view with 1,000 idle connections.
    Idle,
    /// Time from the call to the first frame and to the first report, and memory then.
    Start,
    /// Cost of an event in the kernel above an empty program.
    Events,
    /// Processor time that attribution adds at 10,000 flows.
    Owners,
    /// Time of a sample of 10,000 flows, and memory of the process.
    Read,
    /// Size of a recorded day, and processor time to write and to read it.
    Record,
    /// Processor time of a recorder at 10,000 flows, beside a report.
    Recorder,
    /// Processor time of a report of 10,000 connections.
    Report,
    /// Time and memory of a refresh with up to 1,000,000 flows.
    Scale,
    /// Load beside an iperf3 stream at full speed.
    Stream,
    /// How far from N seconds a run of -s N ends.
    Timing,
}

impl Bench {
    const fn name(self) -> &'static str {
        match self {
            Self::Churn => "churn",
            Self::Draw => "draw",
            Self::History => "history",
            Self::Idle => "idle",
            Self::Start => "start",
            Self::Events => "events",
            Self::Owners => "owners",
            Self::Read => "read",
            Self::Record => "record",
            Self::Recorder => "recorder",
            Self::Report => "report",
            Self::Scale => "scale",
            Self::Stream => "stream",
            Self::Timing => "timing",
        }
    }
}

/// Replaces this process by the benchmark, so that its words and its exit code are the last; or has guests run it.
pub fn run(args: &Args) -> Result<()> {
    let name = args.bench.name();
    let mut bench = cargo();
    bench.args(["bench", "--no-run", "--locked", "--package", "flowtop", "--bench", PROGRAM]);
    if !args.vm.is_empty() {
        return guests::run(&built(live::statically(&mut bench)?)?, name, &args.vm, &args.flags);
    }
    let program = built(&mut bench)?;
    let file = target("bench")?.join(format!("{name}.json"));
    let error = Command::new(&program).args([name, "--json"]).arg(file).args(&args.flags).exec();
    Err(error).with_context(|| format!("cannot run {program}"))
}

/// Has cargo build the benchmarks and returns the path of their program.
fn built(cargo: &mut Command) -> Result<String> {
    let messages =
        output(cargo.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit()))?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["kind"][0] == "bench");
    let program = built.find_map(|message| Some(message["executable"].as_str()?.to_owned()));
    program.context("cargo did not say where it built the benchmarks")
}
