//! How long `flowtop report` takes over a recorded day of the reference host.

mod outcome;

use std::fs;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use flowtop::core::record::frame::encode;
use flowtop::core::record::reference::Reference;
use outcome::{Outcome, Row, median};

/// Seconds that reporting a day may take: one processor reads while another one sums up.
const BAR_S: f64 = 1.0;

/// Time to report a day of records
#[derive(Debug, clap::Args)]
struct Args {
    /// Flows in each record
    #[arg(long, value_name = "N", default_value_t = 1000)]
    flows: usize,
    /// Minutes that are recorded
    #[arg(long, value_name = "N", default_value_t = 1440)]
    minutes: usize,
    /// Reports to take the median of
    #[arg(long, value_name = "N", default_value_t = 5)]
    reports: usize,
}

fn main() -> ExitCode {
    outcome::bench("history", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let dir = tempfile::tempdir()?;
    let mut file = fs::File::create(dir.path().join("flowtop-day.rec"))?;
    for record in Reference::of(args.flows).take(args.minutes) {
        file.write_all(&encode(&record))?;
    }
    let path = dir.path().to_str().context("the directory for temporary files has a strange name")?;
    let mut rows = Vec::new();
    for flags in
        [&[][..], &["--limit", "1G"], &["--by", "pod,label", "-f", "port 6443"], &["--format", "json"]]
    {
        let (mut wall_s, mut cpu_s) = (Vec::new(), Vec::new());
        for _ in 0..args.reports {
            let (before_s, started) = (children_s()?, Instant::now());
            let mut report = Command::new(env!("CARGO_BIN_EXE_flowtop"));
            report.arg("report").args(flags).arg(path).stdout(Stdio::null());
            ensure!(report.status()?.success(), "flowtop report has failed");
            wall_s.push(started.elapsed().as_secs_f64());
            cpu_s.push(children_s()? - before_s);
        }
        let what = format!("flowtop report {}", flags.join(" "));
        let row = Row::new("command", what.trim_end());
        rows.push(row.figure("wall_s", median(wall_s), Some(BAR_S)).figure("cpu_s", median(cpu_s), None));
    }
    let (flows, minutes, reports) = (args.flows, args.minutes, args.reports);
    let notes = vec![format!(
        "Medians of {reports} reports of {minutes} records with {flows} flows each, of the reference host. Processor \
         time is of all of the process, in steps of 10 ms."
    )];
    Ok(Outcome { rows, notes })
}

/// Processor time of the children that have ended, in seconds.
fn children_s() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has no name in it")?;
    let times = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    let ticks: u64 = times.sum::<Result<_, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
