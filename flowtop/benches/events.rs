//! What an event costs in the kernel: flowtop's programs beside a program that does nothing, on the same events, by
//! the kernel's own statistics of BPF programs.

mod loopback;
mod outcome;

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::BtfTracePoint,
    sys::{Stats, enable_stats},
};
use clap::Parser;
use flowtop::{
    bpf::{Live, ProgramCost, load, probe},
    cli::{self, TableArgs},
    core::{plan::Hooks, settings::choice::HooksChoice},
};
use loopback::Pair;
use outcome::{Outcome, OutcomeArgs, Row, median};
use std::process::ExitCode;

/// Nanoseconds that an event of the tracepoint plan may cost above an empty program.
const BAR_NS: f64 = 100.0;

/// Connections that are open for the second half of the figures: 10,000 flows.
const MANY_CONNECTIONS: usize = 5_000;

/// Cost of an event in the kernel above an empty program
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench events", bin_name = "cargo xtask bench events")]
struct Args {
    /// Hooks to measure; auto measures all that work
    #[arg(long, value_name = "HOOKS", default_value = "auto", value_parser = cli::value::<HooksChoice>)]
    hooks: HooksChoice,
    /// Rounds to take the median of
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Messages sent and received in a round
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    outcome: OutcomeArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    outcome::publish("events", &args.outcome, run(&args))
}

fn run(args: &Args) -> Result<Outcome> {
    probe::require_rights()?;
    let _statistics = enable_stats(Stats::RunTime).context("cannot have the kernel time BPF programs")?;
    let wanted = args.hooks.wanted();
    let mut outcome = Outcome { rows: Vec::new(), notes: Vec::new() };
    for hooks in Hooks::ALL.into_iter().filter(|hooks| wanted.is_none_or(|wanted| wanted == *hooks)) {
        match Live::start(Some(hooks), args.table.max_flows) {
            Ok(live) => outcome.rows.extend(measure(&live, args)?),
            Err(error) => outcome.notes.push(format!("Not measured: {error:#}.")),
        }
    }
    if outcome.rows.is_empty() {
        bail!(outcome.notes.join(" "));
    }
    outcome.notes.push(method(args));
    Ok(outcome)
}

fn method(args: &Args) -> String {
    format!(
        "Medians of {} rounds of {} messages of {} bytes in ns a run. The empty program is on the tracepoints \
         sock_send_length and tcp_rcv_space_adjust for every plan; where an event takes two programs, two empty ones \
         are taken off.",
        args.rounds,
        args.messages,
        loopback::MESSAGE_BYTES
    )
}

/// One kind of event: who runs on it, and the program that does nothing beside them.
struct Event {
    name: &'static str,
    programs: &'static [&'static str],
    empty: Empty,
}

/// The events in which bytes are counted.
fn events(hooks: Hooks) -> Result<[Event; 2]> {
    let [send, receive]: [&[&str]; 2] = match hooks {
        Hooks::Fentry => [&["sent_fexit"], &["received_fentry"]],
        Hooks::Kprobe => [&["send_kprobe", "sent_kretprobe"], &["received_kprobe"]],
        Hooks::Tracepoint => [&["sent_tp"], &["received_tp"]],
    };
    Ok([
        Event { name: "send", programs: send, empty: Empty::on("sock_send_length")? },
        Event { name: "receive", programs: receive, empty: Empty::on("tcp_rcv_space_adjust")? },
    ])
}

/// A loaded program that does nothing.
struct Empty(Ebpf);

impl Empty {
    fn on(tracepoint: &str) -> Result<Self> {
        let btf = Btf::from_sys_fs().context("cannot read the kernel's type information")?;
        let mut loader = EbpfLoader::new();
        for table in ["FLOWS", "SOCKET_TABLE", "CALLS"] {
            loader.map_max_entries(table, 1);
        }
        let mut ebpf = loader.btf(Some(&btf)).load(load::OBJECT)?;
        let program = ebpf.program_mut("empty").context("the BPF object has no program `empty`")?;
        let program: &mut BtfTracePoint = program.try_into()?;
        let place =
            || format!("cannot measure at the tracepoint {tracepoint}; Linux 6.3 has all that are needed");
        program.load(tracepoint, &btf).with_context(place)?;
        program.attach().with_context(place)?;
        Ok(Self(ebpf))
    }

    fn cost(&self) -> Result<Cost> {
        let info = self.0.program("empty").context("the empty program is gone")?.info()?;
        Ok(Cost { runs: info.run_count(), ns: info.run_time().as_secs_f64() * 1e9 })
    }
}

/// What a program has cost in all.
#[derive(Clone, Copy)]
struct Cost {
    runs: u64,
    ns: f64,
}

impl Cost {
    fn of(costs: &[ProgramCost], name: &str) -> Result<Self> {
        let cost = costs.iter().find(|cost| cost.name == name);
        let cost = cost.with_context(|| format!("the plan has no program {name}"))?;
        Ok(Self { runs: cost.runs, ns: cost.run_time.as_secs_f64() * 1e9 })
    }

    /// Nanoseconds of a run since `before`, when there were at least `messages` of them.
    fn ns_a_run_since(self, before: Self, messages: u32) -> Result<f64> {
        let runs = self.runs - before.runs;
        if runs < u64::from(messages) {
            bail!(
                "of {messages} events the kernel timed {runs}; is another program of the same name loaded?"
            );
        }
        Ok((self.ns - before.ns) / runs as f64)
    }
}

/// The plan in three situations.
fn measure(live: &Live, args: &Args) -> Result<Vec<Row>> {
    let events = events(live.plan.hooks)?;
    let mut rows = measure_traffic("1 connection", live, &events, &mut loopback::connect(1)?, args)?;
    let mut many = loopback::connect(MANY_CONNECTIONS)?;
    rows.extend(measure_traffic("1 of 5,000 connections", live, &events, &mut many[..1], args)?);
    rows.extend(measure_traffic("5,000 connections in turn", live, &events, &mut many, args)?);
    Ok(rows)
}

fn measure_traffic(
    traffic: &str,
    live: &Live,
    events: &[Event; 2],
    pairs: &mut [Pair],
    args: &Args,
) -> Result<Vec<Row>> {
    // The first round warms caches and predictors and is not counted.
    let rounds = (0..=args.rounds).map(|_| round(live, events, pairs, args.messages));
    let rounds = rounds.skip(1).collect::<Result<Vec<_>>>()?;
    let row = |(index, event): (usize, &Event)| {
        let of = |pick: fn(&Run) -> f64| median(rounds.iter().map(|runs| pick(&runs[index])).collect());
        let hooks = live.plan.hooks;
        Row::new("event", format!("{hooks} {}, {traffic}", event.name))
            .cell("runs", u64::from(args.rounds) * u64::from(args.messages))
            .cell("ns ours", of(|run| run.ours_ns))
            .cell("ns empty", of(|run| run.empty_ns))
            .figure(
                "ns above",
                of(|run| run.ours_ns - run.empty_ns),
                (hooks == Hooks::Tracepoint).then_some(BAR_NS),
            )
    };
    Ok(events.iter().enumerate().map(row).collect())
}

/// Nanoseconds of one event, the mean of a round.
struct Run {
    ours_ns: f64,
    empty_ns: f64,
}

fn round(live: &Live, events: &[Event; 2], pairs: &mut [Pair], messages: u32) -> Result<Vec<Run>> {
    let read = || -> Result<_> {
        let empty = events.iter().map(|event| event.empty.cost()).collect::<Result<Vec<_>>>()?;
        Ok((live.costs()?, empty))
    };
    let (before, empty_before) = read()?;
    loopback::exchange(pairs, messages)?;
    let (after, empty_after) = read()?;
    let run = |(event, (now, then)): (&Event, (&Cost, &Cost))| {
        let mut ours_ns = 0.0;
        for name in event.programs {
            ours_ns += Cost::of(&after, name)?.ns_a_run_since(Cost::of(&before, name)?, messages)?;
        }
        let empty_ns = now.ns_a_run_since(*then, messages)? * event.programs.len() as f64;
        Ok(Run { ours_ns, empty_ns })
    };
    events.iter().zip(empty_after.iter().zip(&empty_before)).map(run).collect()
}
