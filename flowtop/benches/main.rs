//! The benchmarks: one program, whose first argument says what to measure. `cargo xtask bench` builds and calls it.

use std::process::ExitCode;

mod child;
mod churn;
mod crowd;
mod descriptors;
mod draw;
mod empty;
mod events;
mod history;
mod idle;
mod iperf3;
mod loopback;
mod memory;
mod outcome;
mod owners;
mod programs;
mod pty;
mod read;
mod record;
mod recorder;
mod report;
mod scale;
mod start;
mod stream;
mod timing;

/// The first argument, and what runs for it.
type Entry = (&'static str, fn() -> ExitCode);

/// What can be measured.
const BENCHES: [Entry; 14] = [
    ("churn", churn::main),
    ("draw", draw::main),
    ("events", events::main),
    ("history", history::main),
    ("idle", idle::main),
    ("owners", owners::main),
    ("read", read::main),
    ("record", record::main),
    ("recorder", recorder::main),
    ("report", report::main),
    ("scale", scale::main),
    ("start", start::main),
    ("stream", stream::main),
    ("timing", timing::main),
];

/// What a benchmark starts this program for: the other ends of its connections.
const WORKERS: [Entry; 2] =
    [(crowd::WORKER, crowd::main), (stream::connections::WORKER, stream::connections::main)];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, run)) = BENCHES.iter().chain(&WORKERS).find(|(known, _)| *known == name) {
        return run();
    }
    eprintln!("bench: give one of {} first", BENCHES.map(|(name, _)| name).join(", "));
    ExitCode::from(2)
}
