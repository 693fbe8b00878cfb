//! What it costs to say who is behind 10,000 flows: the program with and without it, side by side on the same traffic.

use crate::child::Flowtop;
use crate::crowd::Crowd;
use crate::outcome::{self, Outcome, Row, median};
use anyhow::Result;
use flowtop_core::column;
use std::{
    process::{ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Milliseconds of processor time that attribution may add to each second.
const BAR_MS: f64 = 5.0;

/// Connections with both ends here: 10,000 flows.
const CONNECTIONS: u32 = 5_000;

/// Cost of attribution at 10,000 flows
#[derive(Debug, clap::Args)]
struct Args {
    /// Rounds to take the median of; each runs all forms one after the other
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = outcome::at_least_one())]
    rounds: u32,
    /// Seconds of traffic that a form is measured for, after the first 5
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = outcome::at_least_one())]
    seconds: u32,
    /// Processes that share the connections, one each at most
    #[arg(long, value_name = "N", default_value = "1,1000", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS)))]
    processes: Vec<u32>,
    /// Processes of the host beside several that share the connections
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    idle: u32,
}

pub fn main() -> ExitCode {
    outcome::bench("owners", run)
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
    let mut rows = Vec::new();
    for processes in &args.processes {
        let idle = if *processes == 1 { 0 } else { args.idle };
        rows.extend(rows_of(args, *processes, idle)?);
    }
    let notes = vec![
        format!(
            "{CONNECTIONS} loopback connections between this process and as many others as the table says, {} flows; \
             every connection carries a message a second to and fro. Beside several processes {} idle ones are on the \
             host. Processor time of all threads of `flowtop -t --interval 1`, by the scheduler's count, over {} s after \
             the first {FIRST_S} s, in which everybody is read about; medians of {} rounds.",
            2 * CONNECTIONS,
            args.idle,
            args.seconds,
            args.rounds
        ),
        "`--show-owner` against plain text, `--by user` against `--by remote-port`, and JSON with all fields against \
         JSON with those that ask no file: there writing the fields is in the price."
            .to_owned(),
    ];
    Ok(Outcome { rows, notes })
}

fn rows_of(args: &Args, processes: u32, idle: u32) -> Result<Vec<Row>> {
    let mut crowd = Crowd::start(CONNECTIONS, processes, idle)?;
    let forms = forms();
    let mut measured = forms.each_ref().map(|_| (Vec::new(), Vec::new()));
    for _ in 0..args.rounds {
        for (form, (with, without)) in forms.iter().zip(&mut measured) {
            without.push(milliseconds(&form.without, args.seconds, &mut crowd)?);
            with.push(milliseconds(&form.with, args.seconds, &mut crowd)?);
        }
    }
    let row = |(form, (with, without)): (&Form, (Runs, Runs))| {
        let added = |figure: usize| {
            median(with.iter().zip(&without).map(|(with, without)| with[figure] - without[figure]).collect())
        };
        let each_s = |runs: &Runs| median(runs.iter().map(|[_, each_s]| *each_s).collect());
        Row::new("report", form.name)
            .cell("processes", processes)
            .cell("added at first ms", added(0))
            .cell("without ms/s", each_s(&without))
            .cell("with ms/s", each_s(&with))
            .figure("added ms/s", added(1), Some(BAR_MS))
    };
    Ok(forms.iter().zip(measured).map(row).collect())
}

/// Seconds until everybody is known: what is read of a process when it is first seen is a figure of its own.
const FIRST_S: u32 = 5;

/// What [`milliseconds`] has measured, run by run.
type Runs = Vec<[f64; 2]>;

/// Processor time of the program in milliseconds: of the first seconds, and then in each second, while there is traffic.
fn milliseconds(args: &[String], seconds: u32, crowd: &mut Crowd) -> Result<[f64; 2]> {
    let args: Vec<&str> = ["--interval", "1"].into_iter().chain(args.iter().map(String::as_str)).collect();
    let flowtop = Flowtop::start(&args, Stdio::null())?;
    let mut tick = Instant::now();
    let mut second = || {
        crowd.exchange()?;
        tick += Duration::from_secs(1);
        sleep(tick.saturating_duration_since(Instant::now()));
        anyhow::Ok(())
    };
    for _ in 0..FIRST_S {
        second()?;
    }
    let before_ns = flowtop.processor_ns()?;
    for _ in 0..seconds {
        second()?;
    }
    let each_s = (flowtop.processor_ns()? - before_ns) as f64 / 1e6 / f64::from(seconds);
    Ok([before_ns as f64 / 1e6, each_s])
}
