//! What recording costs: bytes on disk, and processor time to write and to read them, on the reference host.

use std::hint::black_box;
use std::process::ExitCode;

use crate::outcome::{self, Outcome, Row, median};
use anyhow::{Result, ensure};
use flowtop_core::record::Record;
use flowtop_recording::format::frame::encode;
use flowtop_recording::format::reference::Reference;
use flowtop_recording::format::scan::{Found, scan};
use rustix::time::{ClockId, clock_gettime};

/// 10^6 bytes a day with 1,000 flows a minute.
const DAY_BAR_MB: f64 = 26.0;

/// Seconds that reading that day may take.
const READ_BAR_S: f64 = 1.0;

const MINUTES_A_DAY: usize = 1440;

/// Records that `flowtop watch` keeps in memory of the 5 minutes before, of 10 s each.
const RECORDS_BEFORE: usize = 30;

/// Size and cost of recordings
#[derive(Debug, clap::Args)]
struct Args {
    /// Minutes to record and to read, of which a day is worked out
    #[arg(long, value_name = "N", default_value_t = MINUTES_A_DAY)]
    minutes: usize,
}

pub fn main() -> ExitCode {
    outcome::bench("record", run)
}

fn run(args: &Args) -> Result<Outcome> {
    ensure!(args.minutes > 0, "--minutes: give at least one");
    let days = [50, 1000, 5000].map(|flows| day(flows, args.minutes));
    let rows = days.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let notes = vec![
        "A record a minute of the reference host (`flowtop_recording::format::reference`): heavy-tailed random bytes, 15 % of the flows \
         replaced each minute. Times are processor time of this process; reading is finding, checking and decoding."
            .to_owned(),
    ];
    Ok(Outcome { rows, notes })
}

/// A day with so many flows a minute.
fn day(flows: usize, minutes: usize) -> Result<Vec<Row>> {
    let records: Vec<Record> = Reference::of(flows).take(minutes).collect();
    let (mut recording, mut write_s) = (Vec::new(), Vec::new());
    for record in &records {
        let started = cpu_s();
        recording.extend(encode(record));
        write_s.push(cpu_s() - started);
    }
    let started = cpu_s();
    let mut read = 0;
    for found in scan(&recording) {
        let Found::Frame(frame) = found else { anyhow::bail!("the recording is damaged") };
        let record = frame.record().map_err(|damage| damage.cause)?;
        ensure!(record == records[read], "minute {read} is not what was recorded");
        read += 1;
    }
    let read_s = cpu_s() - started;
    ensure!(black_box(read) == minutes, "{read} of {minutes} minutes were read");
    let of_a_day = MINUTES_A_DAY as f64 / minutes as f64;
    let bytes = recording.len() as f64;
    let before_bytes = bytes / minutes as f64;
    let bar = |bar: f64| (flows == 1000).then_some(bar);
    let row = |what: &str, unit: &str, value: f64, bar| {
        Row::new("figure", format!("{what}, {flows} flows a minute"))
            .cell("unit", unit)
            .figure("value", value, bar)
    };
    Ok(vec![
        row("a day", "MB", bytes * of_a_day / 1e6, bar(DAY_BAR_MB)),
        row("a flow in a record", "bytes", bytes / (minutes * flows) as f64, None),
        row(
            "30 records in memory, as watch keeps 5 minutes",
            "MB",
            before_bytes * RECORDS_BEFORE as f64 / 1e6,
            None,
        ),
        row("writing a record", "ms", median(write_s) * 1e3, None),
        row("reading a day", "s", read_s * of_a_day, bar(READ_BAR_S)),
    ])
}

/// Processor time of this process so far.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
