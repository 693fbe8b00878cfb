//! What flowtop takes beside an iperf3 stream at full speed: of the processor, and of the stream.

mod child;
mod outcome;

use anyhow::{Context as _, Result, ensure};
use aya::sys::{Stats, enable_stats};
use child::Flowtop;
use clap::Parser;
use flowtop::bpf::probe;
use outcome::{Outcome, OutcomeArgs, Row, median};
use serde_json::Value;
use std::{
    collections::HashSet,
    fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    ops::Add,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// User time of flowtop in percent of a core.
const USER_BAR_PERCENT: f64 = 1.0;

/// `USER_HZ`, in which the kernel tells processor time to user space.
const TICKS_A_SECOND: f64 = 100.0;

/// Load of flowtop beside an iperf3 stream
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench stream", bin_name = "cargo xtask bench stream")]
struct Args {
    /// Seconds of each stream
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Streams with and as many without flowtop
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(flatten)]
    outcome: OutcomeArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    outcome::publish("stream", &args.outcome, run(&args))
}

fn run(args: &Args) -> Result<Outcome> {
    probe::require_rights()?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        alone.push(gigabits_a_second(args.seconds)?);
        beside.push(measure(args.seconds)?);
    }
    // The kernel's statistics cost time themselves, so they get a stream of their own.
    let timed = {
        let _statistics = enable_stats(Stats::RunTime).context("cannot have the kernel time BPF programs")?;
        measure(args.seconds)?
    };
    let total = beside.iter().fold(Load::default(), |sum, load| sum + *load);
    let (alone, with) = (median(alone), median(beside.iter().map(|load| load.gigabits_a_second).collect()));
    let rows = vec![
        row("user time of flowtop", "% of a core", total.percent(total.user_s), Some(USER_BAR_PERCENT)),
        row("user and system time of flowtop", "% of a core", total.percent(total.processor_s), None),
        row("time in its BPF programs", "% of a core", timed.percent(timed.bpf_s), None),
        row("stream without flowtop", "Gbit/s", alone, None),
        row("stream with flowtop", "Gbit/s", with, None),
        row("stream with / without", "%", 100.0 * with / alone, None),
    ];
    let notes = vec![format!(
        "`flowtop -t --interval 1` beside iperf3 over loopback: {} streams of {} s with flowtop and as many without, \
         in turn; medians of the rates, sums of the times; the kernel tells user time in steps of 10 ms. The \
         time in BPF programs is from one more stream, with the kernel's statistics on, and includes what they cost.",
        args.rounds, args.seconds
    )];
    Ok(Outcome { rows, notes })
}

fn row(what: &str, unit: &str, value: f64, bar: Option<f64>) -> Row {
    Row::new("figure", what).cell("unit", unit).figure("value", value, bar)
}

/// What flowtop took while a stream ran, in seconds.
#[derive(Clone, Copy, Default)]
struct Load {
    elapsed_s: f64,
    user_s: f64,
    processor_s: f64,
    bpf_s: f64,
    gigabits_a_second: f64,
}

impl Load {
    fn percent(self, seconds: f64) -> f64 {
        100.0 * seconds / self.elapsed_s
    }
}

/// Times without the rate, which does not add up.
impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            elapsed_s: self.elapsed_s + other.elapsed_s,
            user_s: self.user_s + other.user_s,
            processor_s: self.processor_s + other.processor_s,
            bpf_s: self.bpf_s + other.bpf_s,
            gigabits_a_second: 0.0,
        }
    }
}

/// A stream with flowtop beside it.
fn measure(seconds: u32) -> Result<Load> {
    let flowtop = Flowtop::start(&["--interval", "1"], Stdio::null())?;
    let programs = programs(&flowtop)?;
    let start = Instant::now();
    let before = (user_s(&flowtop)?, processor_s(&flowtop)?, bpf_s(&programs));
    let gigabits_a_second = gigabits_a_second(seconds)?;
    Ok(Load {
        elapsed_s: start.elapsed().as_secs_f64(),
        user_s: user_s(&flowtop)? - before.0,
        processor_s: processor_s(&flowtop)? - before.1,
        bpf_s: bpf_s(&programs) - before.2,
        gigabits_a_second,
    })
}

/// User time in seconds (`proc_pid_stat(5)`, field 14), known in steps of 10 ms.
fn user_s(flowtop: &Flowtop) -> Result<f64> {
    let stat = flowtop.proc("stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?;
    Ok(fields.split(' ').nth(11).context("/proc/PID/stat is short")?.parse::<f64>()? / TICKS_A_SECOND)
}

/// Time on a processor in seconds, of the one thread that works (`sched-stats.txt` of the kernel's documentation).
fn processor_s(flowtop: &Flowtop) -> Result<f64> {
    let statistics = flowtop.proc("schedstat")?;
    Ok(statistics.split(' ').next().context("/proc/PID/schedstat is empty")?.parse::<f64>()? / 1e9)
}

/// Ids of the programs that a process has open.
fn programs(flowtop: &Flowtop) -> Result<HashSet<u32>> {
    let folder = format!("/proc/{}/fdinfo", flowtop.child.id());
    let texts = fs::read_dir(folder)?.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    let ids: HashSet<_> = texts.filter_map(id).collect();
    ensure!(!ids.is_empty(), "flowtop has no BPF programs open");
    Ok(ids)
}

/// Seconds in these programs since they were loaded, as far as the kernel kept statistics.
fn bpf_s(programs: &HashSet<u32>) -> f64 {
    let loaded = aya::programs::loaded_programs().filter_map(Result::ok);
    loaded
        .filter(|program| programs.contains(&program.id()))
        .map(|program| program.run_time().as_secs_f64())
        .sum()
}

/// Runs one stream over loopback.
fn gigabits_a_second(seconds: u32) -> Result<f64> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port().to_string();
    // The server ends with its first test.
    let mut server = Command::new("iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", "127.0.0.1", "--port", &port]);
    let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(missing)?;
    let lines = BufReader::new(server.stdout.take().context("iperf3 has no stdout")?).lines();
    let mut lines = lines.map_while(Result::ok);
    let listens = lines.any(|line| line.starts_with("Server listening"));
    let result =
        if listens { client(&port, seconds) } else { Err(anyhow::anyhow!("iperf3 does not listen")) };
    if result.is_err() {
        // It may have ended already.
        let _ = server.kill();
    }
    lines.for_each(drop);
    server.wait()?;
    result
}

fn client(port: &str, seconds: u32) -> Result<f64> {
    let mut client = Command::new("iperf3");
    client.args(["--client", "127.0.0.1", "--port", port, "--time", &seconds.to_string(), "--json"]);
    let output = client.stdin(Stdio::null()).output().map_err(missing)?;
    let report: Value = serde_json::from_slice(&output.stdout).context("iperf3 did not answer in JSON")?;
    let bits_a_second = report["end"]["sum_received"]["bits_per_second"].as_f64();
    Ok(bits_a_second.with_context(|| format!("iperf3 failed: {}", report["error"]))? / 1e9)
}

fn missing(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("iperf3 is missing; install the package iperf3"),
        _ => anyhow::Error::new(error).context("cannot run iperf3"),
    }
}
