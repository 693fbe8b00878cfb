//! Short connections: how many there are in a second with a program that counts them and without, and what it has
//! counted.

use crate::outcome::{self, Outcome, Row, median};
use crate::stream::beside::{Beside, beside};
use crate::stream::tool::{Of, Task, Tool};
use anyhow::{Context as _, Result, ensure};
use flowtop::cli::TableArgs;
use flowtop_bpf::probe;
use rustix::net::sockopt::set_socket_linger;
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// Seconds that a program may take to see the end of a traffic that it started before.
const SLACK_S: u32 = 5;

/// Bytes that the end sends which connects.
const REQUEST: [u8; 100] = [1; 100];

/// Bytes that it gets.
const ANSWER: [u8; 1_000] = [2; 1_000];

/// Short connections with and without a program that counts them
#[derive(Debug, clap::Args)]
struct Args {
    /// Seconds of traffic
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = outcome::at_least_one())]
    seconds: u32,
    /// Times that each program meets the traffic
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = outcome::at_least_one())]
    rounds: u32,
    /// Threads that open connections [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    threads: Option<u8>,
    /// Programs to compare [default: all that are installed]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tools: Vec<Tool>,
    #[command(flatten)]
    table: TableArgs,
}

pub fn main() -> ExitCode {
    outcome::bench("churn", run)
}

fn run(args: &Args) -> Result<Outcome> {
    probe::require_rights()?;
    let threads = match args.threads {
        Some(threads) => threads,
        None => u8::try_from(thread::available_parallelism()?.get()).unwrap_or(u8::MAX),
    };
    let (tools, missing) = Tool::installed(&args.tools);
    let (alone, runs) = measure(&tools, &listeners(threads)?, args)?;
    let rows = tools.iter().zip(&runs).map(|(tool, runs)| row(*tool, alone, runs)).collect();
    Ok(Outcome { rows, notes: [vec![method(args, threads)], missing].concat() })
}

fn method(args: &Args, threads: u8) -> String {
    format!(
        "Medians of {} rounds; in each round there are {} s of connections alone, and then with every program in turn. \
         {threads} threads connect over loopback, send {} bytes, get {} and close, and are the server too. The server \
         closes first and the client with a reset, so that nothing is left in TIME_WAIT. Processor is time of all \
         threads of the program (user and system); BPF is the time of its BPF programs in one more run, with the \
         kernel's statistics on, which are part of it; empty is the same for programs that do nothing, on sends and \
         receives. Counted is what the program printed against what was carried: \
         iftop, nethogs and bandwhich count headers too. Untracked are sockets, two of a connection, that found the \
         table of {} flows full: their bytes are in the totals.",
        args.rounds,
        args.seconds,
        REQUEST.len(),
        ANSWER.len(),
        args.table.max_flows,
    )
}

/// What one run has shown.
#[derive(Clone, Copy)]
struct Run {
    connections_a_second: f64,
    beside: Beside,
    /// Of the bytes carried, in percent.
    counted: f64,
}

/// The median of connections a second alone, and the runs of each program.
fn measure(tools: &[Tool], listeners: &[TcpListener], args: &Args) -> Result<(f64, Vec<Vec<Run>>)> {
    let port = listeners[0].local_addr()?.port();
    let (seconds, max_flows) = (args.seconds + SLACK_S, args.table.max_flows);
    let task = Task { port, seconds, max_flows, of: Of::All };
    let carry = || carry(listeners, Duration::from_secs(args.seconds.into()));
    let mut alone = Vec::new();
    let mut runs = vec![Vec::new(); tools.len()];
    for _ in 0..args.rounds {
        alone.push(carry()?.connections_a_second);
        for (tool, runs) in tools.iter().zip(&mut runs) {
            let (carried, beside) =
                beside(*tool, task, carry).with_context(|| format!("beside {}", tool.name()))?;
            let counted = 100.0 * beside.counted.bytes / carried.bytes as f64;
            runs.push(Run { connections_a_second: carried.connections_a_second, beside, counted });
        }
    }
    Ok((median(alone), runs))
}

fn row(tool: Tool, alone: f64, runs: &[Run]) -> Row {
    let of = |pick: fn(&Run) -> f64| median(runs.iter().map(pick).collect());
    let rate = of(|run| run.connections_a_second);
    let is_ours = tool.is_ours();
    let bpf = is_ours.then(|| of(|run| run.beside.bpf.unwrap_or_default()));
    let processor = of(|run| run.beside.processor);
    // Nothing is rounded away: each run has to be exact.
    let exact = runs.iter().all(|run| (99.9995..100.0005).contains(&run.counted));
    let most = |pick: fn(&Run) -> Option<u64>| runs.iter().filter_map(pick).max();
    Row::new("program", tool.name())
        .cell("alone /s", alone)
        .cell("beside it /s", rate)
        .cell("% of alone", 100.0 * rate / alone)
        .cell("counted %", format!("{:.3}", of(|run| run.counted)))
        .cell("processor %", processor)
        .cell("BPF %", bpf)
        .cell("empty %", is_ours.then(|| of(|run| run.beside.empty.unwrap_or_default())))
        .cell("whole %", processor + bpf.unwrap_or_default())
        .cell("untracked", most(|run| run.beside.counted.untracked))
        .cell("losses", most(|run| run.beside.counted.losses))
        .requires(!is_ours || exact)
}

/// An address for each thread, and one port.
fn listeners(threads: u8) -> Result<Vec<TcpListener>> {
    let mut port = 0;
    let mut listener = |thread| -> Result<_> {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 2, thread), port))?;
        port = listener.local_addr()?.port();
        Ok(listener)
    };
    (1..=threads).map(&mut listener).collect()
}

/// What was carried.
struct Carried {
    bytes: u64,
    connections_a_second: f64,
}

/// Opens one connection after the other on each thread.
fn carry(listeners: &[TcpListener], time: Duration) -> Result<Carried> {
    let start = Instant::now();
    let connections = thread::scope(|scope| {
        let threads: Vec<_> =
            listeners.iter().map(|listener| scope.spawn(move || connect(listener, start + time))).collect();
        let join =
            |thread: thread::ScopedJoinHandle<'_, Result<u64>>| thread.join().expect("it does not panic");
        threads.into_iter().map(join).sum::<Result<u64>>()
    })?;
    ensure!(connections > 0, "no connection was opened");
    Ok(Carried {
        bytes: connections * (REQUEST.len() + ANSWER.len()) as u64,
        connections_a_second: connections as f64 / start.elapsed().as_secs_f64(),
    })
}

/// Number of the connections that came to their end.
fn connect(listener: &TcpListener, end: Instant) -> Result<u64> {
    let address = listener.local_addr()?;
    let (mut request, mut answer) = (REQUEST, ANSWER);
    let mut connections = 0;
    while Instant::now() < end {
        let mut client = TcpStream::connect(address).context("cannot connect over loopback")?;
        let mut server = listener.accept()?.0;
        client.write_all(&REQUEST)?;
        server.read_exact(&mut request)?;
        server.write_all(&ANSWER)?;
        drop(server);
        client.read_exact(&mut answer)?;
        set_socket_linger(&client, Some(Duration::ZERO))?;
        connections += 1;
    }
    Ok(connections)
}
