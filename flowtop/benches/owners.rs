//! What it costs to say who is behind 10,000 flows: the program with and without it, side by side on the same traffic.

mod child;
mod loopback;
mod outcome;

use anyhow::{Context as _, Result};
use child::Flowtop;
use clap::Parser;
use flowtop::core::column;
use loopback::Pair;
use outcome::{Outcome, OutcomeArgs, Row, median};
use std::{
    fs,
    process::{ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Milliseconds of processor time that attribution may add to each second.
const BAR_MS: f64 = 5.0;

/// Connections with both ends here: 10,000 flows.
const CONNECTIONS: u32 = 5_000;

/// Cost of attribution at 10,000 flows
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench owners", bin_name = "cargo xtask bench owners")]
struct Args {
    /// Rounds to take the median of; each runs all forms one after the other
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of traffic that a form is measured for, after its first report
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    #[command(flatten)]
    outcome: OutcomeArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    outcome::publish("owners", &args.outcome, run(&args))
}

/// A report that says who, and the nearest that does not.
struct Form {
    name: &'static str,
    with: Vec<String>,
    without: Vec<String>,
}

fn forms() -> [Form; 3] {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let fields: Vec<_> =
        column::ALL.iter().map(|column| column.name).filter(|name| !column::asks_owner(name)).collect();
    [
        Form { name: "text", with: words("--show-owner"), without: vec![] },
        Form { name: "text, groups", with: words("--by user"), without: words("--by remote-port") },
        Form {
            name: "json",
            with: words("--format json"),
            without: [words("--format json --fields"), vec![fields.join(",")]].concat(),
        },
    ]
}

fn run(args: &Args) -> Result<Outcome> {
    let mut pairs = loopback::connect(CONNECTIONS as usize)?;
    let forms = forms();
    let mut measured = forms.each_ref().map(|_| (Vec::new(), Vec::new()));
    for _ in 0..args.rounds {
        for (form, (with, without)) in forms.iter().zip(&mut measured) {
            without.push(milliseconds_each_second(&form.without, args.seconds, &mut pairs)?);
            with.push(milliseconds_each_second(&form.with, args.seconds, &mut pairs)?);
        }
    }
    let row = |(form, (with, without)): (&Form, (Vec<f64>, Vec<f64>))| {
        let added: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
        let (with, without) = (median(with), median(without));
        Row::new("report", form.name)
            .cell("without ms/s", without)
            .cell("with ms/s", with)
            .cell("ratio", with / without)
            .figure("added ms/s", median(added), Some(BAR_MS))
    };
    let rows = forms.iter().zip(measured).map(row).collect();
    let notes = vec![
        format!(
            "{CONNECTIONS} loopback connections of one process, {} flows; every connection carries a message a second. \
             Processor time of all threads of `flowtop -t --interval 1`, by the scheduler's count, over {} s after \
             the first report; medians of {} rounds.",
            2 * CONNECTIONS,
            args.seconds,
            args.rounds
        ),
        "`--show-owner` against plain text, `--by user` against `--by remote-port`, and JSON with all fields against \
         JSON with those that ask no file: there writing the fields is in the price."
            .to_owned(),
    ];
    Ok(Outcome { rows, notes })
}

/// Processor time of the program in each second, in milliseconds, while there is traffic.
fn milliseconds_each_second(args: &[String], seconds: u32, pairs: &mut [Pair]) -> Result<f64> {
    let args: Vec<&str> = ["--interval", "1"].into_iter().chain(args.iter().map(String::as_str)).collect();
    let flowtop = Flowtop::start(&args, Stdio::null())?;
    let mut tick = Instant::now();
    let mut second = || {
        loopback::exchange(pairs, CONNECTIONS)?;
        tick += Duration::from_secs(1);
        sleep(tick.saturating_duration_since(Instant::now()));
        anyhow::Ok(())
    };
    second()?;
    let before_ns = processor_ns(&flowtop)?;
    for _ in 0..seconds {
        second()?;
    }
    Ok((processor_ns(&flowtop)? - before_ns) as f64 / 1e6 / f64::from(seconds))
}

/// Processor time of all threads so far.
fn processor_ns(flowtop: &Flowtop) -> Result<u64> {
    let mut sum_ns = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", flowtop.child.id()))? {
        let text = flowtop.proc(&format!("task/{}/schedstat", thread?.file_name().display()))?;
        let spent_ns = text.split_whitespace().next().context("the kernel does not tell processor times")?;
        sum_ns += spent_ns.parse::<u64>()?;
    }
    Ok(sum_ns)
}
