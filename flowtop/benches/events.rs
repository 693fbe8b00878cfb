//! What an event costs in the kernel: flowtop's programs beside a program that does nothing, on the same events, by
//! the kernel's own statistics of BPF programs.

mod rival;

use crate::empty::Empty;
use crate::loopback::{self, Pair};
use crate::outcome::{self, Outcome, Row, median};
use anyhow::{Context as _, Result, bail};
use aya::sys::{Stats, enable_stats};
use flowtop::cli::{self, TableArgs};
use flowtop_bpf::{Live, ProgramCost, probe};
use flowtop_core::hooks::Hooks;
use flowtop_view::settings::choice::HooksChoice;
use rival::Rival;
use std::{path::PathBuf, process::ExitCode};

/// Nanoseconds that an event of the tracepoint plan may cost above an empty program, with warm and with cold caches.
const BARS_NS: [f64; 2] = [40.0, 100.0];

/// Most of what the same event costs libbpf-tools' tcptop.
const RIVAL_BAR: f64 = 0.25;

/// Cost of an event in the kernel above an empty program
#[derive(Debug, clap::Args)]
struct Args {
    /// Hooks to measure; auto measures all that work
    #[arg(long, value_name = "HOOKS", default_value = "auto", value_parser = cli::value::<HooksChoice>)]
    hooks: HooksChoice,
    /// Rounds to take the median of
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = outcome::at_least_one())]
    rounds: u32,
    /// Messages sent and received in a round
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = outcome::at_least_one())]
    messages: u32,
    /// Connections that are open for the second half of the figures, two flows each; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    connections: usize,
    /// Time the programs of libbpf-tools' tcptop on the same events
    #[arg(long, value_name = "TCPTOP")]
    beside: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
}

pub fn main() -> ExitCode {
    outcome::bench("events", run)
}

fn run(args: &Args) -> Result<Outcome> {
    probe::require_rights()?;
    let _statistics = enable_stats(Stats::RunTime).context("cannot have the kernel time BPF programs")?;
    let wanted = args.hooks.wanted();
    let mut outcome = Outcome { rows: Vec::new(), notes: Vec::new() };
    for hooks in Hooks::ALL.into_iter().filter(|hooks| wanted.is_none_or(|wanted| wanted == *hooks)) {
        match Live::start(Some(hooks), args.table.max_flows) {
            Ok(live) if live.plan.counts_on_ack => {
                outcome
                    .notes
                    .push(format!("Not measured: before Linux 6.3 no {hooks} program is of sends alone."));
            }
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
         sock_send_length (before Linux 6.3, which has none, on the other one) and tcp_rcv_space_adjust for every plan; \
         where an event takes two programs, two empty ones are taken off.",
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
        Event { name: "send", programs: send, empty: Empty::on_send()? },
        Event { name: "receive", programs: receive, empty: Empty::on_receive()? },
    ])
}

/// What a program has cost in all.
#[derive(Clone, Copy)]
struct Cost {
    runs: u64,
    ns: f64,
}

impl Cost {
    fn of_empty(empty: &Empty) -> Result<Self> {
        let (runs, ns) = empty.cost()?;
        Ok(Self { runs, ns })
    }

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
    let measured = Measured {
        live,
        events: events(live.plan.hooks)?,
        rival: args.beside.as_deref().map(Rival::start).transpose()?,
    };
    let [warm, cold] = BARS_NS;
    let mut rows = measured.rows("1 connection", warm, &mut loopback::connect(1)?, args)?;
    if args.connections > 0 {
        let mut many = loopback::connect(args.connections)?;
        let count = args.connections;
        rows.extend(measured.rows(&format!("1 of {count} connections"), warm, &mut many[..1], args)?);
        rows.extend(measured.rows(&format!("{count} connections in turn"), cold, &mut many, args)?);
    }
    Ok(rows)
}

/// Everything that runs on the same events.
struct Measured<'a> {
    live: &'a Live,
    events: [Event; 2],
    rival: Option<Rival>,
}

/// Nanoseconds of one event, the mean of a round.
struct Run {
    ours: f64,
    empty: f64,
    /// The rival's program, above an empty one.
    rival: Option<f64>,
}

impl Run {
    /// Of the rival's cost above an empty program.
    fn ratio(&self) -> Option<f64> {
        Some((self.ours - self.empty) / self.rival?)
    }
}

/// What everything has cost so far.
struct Reading {
    ours: Vec<ProgramCost>,
    empty: Vec<Cost>,
    rival: Option<[Cost; 2]>,
}

impl Measured<'_> {
    fn rows(&self, traffic: &str, bar_ns: f64, pairs: &mut [Pair], args: &Args) -> Result<Vec<Row>> {
        // The first round warms caches and predictors and is not counted.
        let rounds = (0..=args.rounds).map(|_| self.round(pairs, args.messages));
        let rounds = rounds.skip(1).collect::<Result<Vec<_>>>()?;
        let hooks = self.live.plan.hooks;
        let row = |(index, event): (usize, &Event)| {
            let of = |pick: fn(&Run) -> f64| median(rounds.iter().map(|runs| pick(&runs[index])).collect());
            let ratio = self.rival.is_some().then(|| of(|run| run.ratio().unwrap_or(f64::INFINITY)));
            let row = Row::new("event", format!("{hooks} {}, {traffic}", event.name))
                .cell("runs", u64::from(args.rounds) * u64::from(args.messages))
                .cell("ns ours", of(|run| run.ours))
                .cell("ns empty", of(|run| run.empty));
            match ratio {
                Some(ratio) => row
                    .cell("ns above", of(|run| run.ours - run.empty))
                    .cell("tcptop above", of(|run| run.rival.unwrap_or_default()))
                    .figure("of tcptop", ratio, Some(RIVAL_BAR)),
                None => row.figure(
                    "ns above",
                    of(|run| run.ours - run.empty),
                    (hooks == Hooks::Tracepoint).then_some(bar_ns),
                ),
            }
        };
        Ok(self.events.iter().enumerate().map(row).collect())
    }

    fn read(&self) -> Result<Reading> {
        Ok(Reading {
            ours: self.live.costs()?,
            empty: self.events.iter().map(|event| Cost::of_empty(&event.empty)).collect::<Result<_>>()?,
            rival: self.rival.as_ref().map(Rival::costs).transpose()?,
        })
    }

    fn round(&self, pairs: &mut [Pair], messages: u32) -> Result<Vec<Run>> {
        let before = self.read()?;
        loopback::exchange(pairs, messages)?;
        let after = self.read()?;
        let run = |(index, event): (usize, &Event)| {
            let mut ours = 0.0;
            for name in event.programs {
                let then = Cost::of(&before.ours, name)?;
                ours += Cost::of(&after.ours, name)?.ns_a_run_since(then, messages)?;
            }
            let one_empty_ns = after.empty[index].ns_a_run_since(before.empty[index], messages)?;
            let rival = before.rival.zip(after.rival).map(|(then, now)| (then[index], now[index]));
            let rival = rival.map(|(then, now)| now.ns_a_run_since(then, messages)).transpose()?;
            let rival = rival.map(|ns| ns - one_empty_ns);
            Ok(Run { ours, empty: one_empty_ns * event.programs.len() as f64, rival })
        };
        self.events.iter().enumerate().map(run).collect()
    }
}
