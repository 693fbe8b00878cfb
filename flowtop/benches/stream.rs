//! flowtop beside the programs that people use today: what each takes of the processor and of the traffic, and how
//! many of the bytes it has counted.

pub mod beside;
pub mod connections;
pub mod tool;

use crate::iperf3;
use crate::outcome::{self, Outcome, Row, median};
use anyhow::{Context as _, Result, ensure};
use beside::{Beside, beside};
use connections::Connections;
use flowtop_bpf::probe;
use std::process::ExitCode;
use tool::{Of, Task, Tool};

/// Seconds that a program may take to see the end of a traffic that it started before.
const SLACK_S: u32 = 5;

/// Room for 50,000 connections with both ends here.
const MAX_FLOWS: u32 = 131_072;

/// Load of flowtop and its rivals beside traffic over loopback
#[derive(Debug, clap::Args)]
struct Args {
    /// Seconds of traffic
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = outcome::at_least_one())]
    seconds: u32,
    /// Times that each program meets each traffic
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = outcome::at_least_one())]
    rounds: u32,
    /// Programs to compare [default: all that are installed]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tools: Vec<Tool>,
    /// Only traffic whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    traffic: String,
}

pub fn main() -> ExitCode {
    outcome::bench("stream", run)
}

/// What is sent, and what flowtop may take of it.
struct Traffic {
    name: &'static str,
    kind: Kind,
    /// Most of a core that flowtop's threads and BPF programs may take, in percent.
    whole_bar_percent: Option<f64>,
    /// Least of the rate without it that is left, in percent.
    rate_bar_percent: Option<f64>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// iperf3 at full speed in writes of this length.
    Stream(&'static str),
    /// So many connections with so many messages a second each.
    Connections(usize, u32),
}

const TRAFFIC: [Traffic; 7] = [
    Traffic {
        name: "iperf3, 128 KB writes",
        kind: Kind::Stream("128K"),
        whole_bar_percent: Some(0.5),
        rate_bar_percent: Some(99.0),
    },
    Traffic {
        name: "iperf3, 1 KB writes",
        kind: Kind::Stream("1K"),
        whole_bar_percent: None,
        rate_bar_percent: Some(97.0),
    },
    Traffic {
        name: "iperf3, 64-byte writes",
        kind: Kind::Stream("64"),
        whole_bar_percent: None,
        rate_bar_percent: None,
    },
    Traffic {
        name: "10,000 connections",
        kind: Kind::Connections(10_000, 1),
        whole_bar_percent: Some(3.0),
        rate_bar_percent: None,
    },
    Traffic {
        name: "10,000 connections, 10 messages a second",
        kind: Kind::Connections(10_000, 10),
        whole_bar_percent: None,
        rate_bar_percent: None,
    },
    Traffic {
        name: "50,000 connections",
        kind: Kind::Connections(50_000, 1),
        whole_bar_percent: Some(10.0),
        rate_bar_percent: None,
    },
    Traffic {
        name: "50,000 connections, 10 messages a second",
        kind: Kind::Connections(50_000, 10),
        whole_bar_percent: None,
        rate_bar_percent: None,
    },
];

fn run(args: &Args) -> Result<Outcome> {
    probe::require_rights()?;
    let mut outcome = Outcome { rows: Vec::new(), notes: vec![method(args)] };
    let (tools, missing) = Tool::installed(&args.tools);
    outcome.notes.extend(missing);
    for traffic in TRAFFIC.iter().filter(|traffic| traffic.name.contains(&args.traffic)) {
        outcome.rows.extend(measure(traffic, &tools, args)?);
    }
    ensure!(!outcome.rows.is_empty(), "no traffic has a name with {:?} in it", args.traffic);
    Ok(outcome)
}

fn method(args: &Args) -> String {
    format!(
        "Medians of {} rounds; in each round every program in turn meets the same traffic of {} s, and so does none, at \
         another place in the order each time. Processor is time \
         of all threads of the program (user and system); BPF is the time of its BPF programs in one more run, with the \
         kernel's statistics on, which are part of it; empty is the same for programs that do nothing, on the same sends \
         and receives: what calling and timing a program takes. Counted is what the program printed against what the sender \
         sent: iftop, nethogs and bandwhich count headers too, so that more than 100 % is right for them; iftop prints \
         three digits. Each message of the many connections has 1,000 bytes.",
        args.rounds, args.seconds
    )
}

/// What one run has shown.
#[derive(Clone, Copy, Default)]
struct Run {
    gigabits_a_second: f64,
    beside: Beside,
    /// Of the bytes sent, in percent.
    counted: f64,
}

fn measure(traffic: &Traffic, tools: &[Tool], args: &Args) -> Result<Vec<Row>> {
    let mut source = Source::new(traffic.kind)?;
    let mut alone = Vec::new();
    let mut runs = vec![Vec::new(); tools.len()];
    for round in 0..args.rounds as usize {
        for place in 0..=tools.len() {
            // What comes first finds other caches and clocks than what comes behind it.
            let Some(number) = ((round + place) % (tools.len() + 1)).checked_sub(1) else {
                alone.push(source.send(args.seconds)?.gigabits_a_second);
                continue;
            };
            let place = || format!("{} beside {}", tools[number].name(), traffic.name);
            runs[number].push(source.watched_by(tools[number], args.seconds).with_context(place)?);
        }
    }
    let alone = median(alone);
    Ok(tools.iter().zip(&runs).map(|(tool, runs)| row(traffic, *tool, alone, runs)).collect())
}

fn row(traffic: &Traffic, tool: Tool, alone: f64, runs: &[Run]) -> Row {
    let of = |pick: fn(&Run) -> f64| median(runs.iter().map(pick).collect());
    let rate = of(|run| run.gigabits_a_second);
    let is_ours = tool.is_ours();
    // Full speed is what a program may spoil; the pace of the many connections is given.
    let left = matches!(traffic.kind, Kind::Stream(_)).then_some(100.0 * rate / alone);
    let bpf = is_ours.then(|| of(|run| run.beside.bpf.unwrap_or_default()));
    let whole = of(|run| run.beside.processor) + bpf.unwrap_or_default();
    let counted = of(|run| run.counted);
    let rate_holds = left.zip(traffic.rate_bar_percent).is_none_or(|(left, bar)| left >= bar);
    // Nothing is rounded away: each run has to be exact.
    let exact = runs.iter().all(|run| (99.9995..100.0005).contains(&run.counted));
    Row::new("traffic", traffic.name)
        .cell("program", tool.name())
        .cell("Gbit/s", rate)
        .cell("% of alone", left)
        .cell("counted %", format!("{counted:.3}"))
        .cell("processor %", of(|run| run.beside.processor))
        .cell("BPF %", bpf)
        .cell("empty %", is_ours.then(|| of(|run| run.beside.empty.unwrap_or_default())))
        .figure("whole %", whole, traffic.whole_bar_percent.filter(|_| tool == Tool::Flowtop))
        .requires(!is_ours || (rate_holds && exact))
}

/// Where the bytes come from.
enum Source {
    Stream(&'static str, u16),
    Connections(Connections),
}

/// What has been sent.
#[derive(Clone, Copy)]
struct Sent {
    bytes: u64,
    gigabits_a_second: f64,
}

impl Source {
    fn new(kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Stream(length) => Self::Stream(length, connections::free_port()?),
            Kind::Connections(count, per_second) => Self::Connections(Connections::open(count, per_second)?),
        })
    }

    fn port(&self) -> u16 {
        match self {
            Self::Stream(_, port) => *port,
            Self::Connections(connections) => connections.port,
        }
    }

    /// Beside its one stream iperf3 has a connection to talk about it.
    fn of(&self) -> Of {
        match self {
            Self::Stream(..) => Of::Busiest,
            Self::Connections(_) => Of::All,
        }
    }

    fn send(&mut self, seconds: u32) -> Result<Sent> {
        Ok(match self {
            Self::Stream(length, port) => {
                let stream = iperf3::stream(*port, seconds, length)?;
                Sent { bytes: stream.sent_bytes, gigabits_a_second: stream.gigabits_a_second }
            }
            Self::Connections(connections) => {
                let bytes = connections.send(seconds)?;
                Sent { bytes, gigabits_a_second: bytes as f64 * 8e-9 / f64::from(seconds) }
            }
        })
    }

    fn watched_by(&mut self, tool: Tool, seconds: u32) -> Result<Run> {
        let task =
            Task { port: self.port(), seconds: seconds + SLACK_S, max_flows: MAX_FLOWS, of: self.of() };
        let (sent, beside) = beside(tool, task, || self.send(seconds))?;
        let counted = 100.0 * beside.counted.bytes / sent.bytes as f64;
        Ok(Run { gigabits_a_second: sent.gigabits_a_second, beside, counted })
    }
}
