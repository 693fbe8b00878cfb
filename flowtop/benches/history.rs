//! How long `flowtop report` takes over a recorded day of the reference host, and how much memory it takes over recordings
//! of many hosts and of a long time.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use crate::memory::megabytes;
use crate::outcome::{self, Outcome, Row, at_least_one, median};
use anyhow::{Context as _, Result, ensure};
use flowtop_common::{FlowKey, flags};
use flowtop_core::record::{FlowRecord, Host, Record};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::encode;
use flowtop_recording::format::reference::Reference;
use flowtop_recording::segment::SegmentName;

/// Seconds that reporting a day may take: one processor reads while another one sums up.
const BAR_S: f64 = 1.0;

/// Memory that a report of many hosts or of a long time may take.
const BAR_MB: f64 = 300.0;

/// Time to report a day of records, and memory to report those of many hosts
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
    /// Hosts that are recorded: measures memory
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    hosts: Option<u32>,
    /// Hours that are recorded of each host
    #[arg(long, value_name = "N", value_parser = at_least_one(), conflicts_with = "minutes", requires = "hosts")]
    hours: Option<u32>,
    /// Days that are recorded of each host
    #[arg(long, value_name = "N", value_parser = at_least_one(), conflicts_with_all = ["minutes", "hours"], requires = "hosts")]
    days: Option<u32>,
}

impl Args {
    fn minutes(&self) -> usize {
        let of = |count: Option<u32>, minutes: usize| Some(usize::try_from(count?).ok()? * minutes);
        of(self.hours, 60).or_else(|| of(self.days, 1440)).unwrap_or(self.minutes)
    }
}

pub fn main() -> ExitCode {
    outcome::bench("history", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let dir = tempfile::tempdir()?;
    match args.hosts {
        None => of_a_day(args, dir.path()),
        Some(hosts) => of_many(args, hosts as usize, dir.path()),
    }
}

fn of_a_day(args: &Args, dir: &Path) -> Result<Outcome> {
    let mut file = File::create(dir.join("flowtop-day.rec"))?;
    for record in Reference::of(args.flows).take(args.minutes) {
        file.write_all(&encode(&record))?;
    }
    let mut rows = Vec::new();
    for flags in
        [&[][..], &["--limit", "1G"], &["--by", "pod,label", "-f", "port 6443"], &["--format", "json"]]
    {
        let (mut wall_s, mut cpu_s) = (Vec::new(), Vec::new());
        for _ in 0..args.reports {
            let (before_s, started) = (children_s()?, Instant::now());
            let mut report = Command::new(env!("CARGO_BIN_EXE_flowtop"));
            report.arg("report").args(flags).arg(dir).stdout(Stdio::null());
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

fn of_many(args: &Args, hosts: usize, dir: &Path) -> Result<Outcome> {
    let (flows, minutes) = (args.flows, args.minutes());
    let pairs: Vec<usize> = (0..hosts).step_by(2).collect();
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let chunks = pairs.chunks(pairs.len().div_ceil(threads));
        let writers: Vec<_> = chunks
            .map(|firsts| {
                let write = move |first: &usize| write_pair(dir, *first, hosts, flows, minutes);
                scope.spawn(move || firsts.iter().try_for_each(write))
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("it does not panic"))
    })?;
    let mut rows = Vec::new();
    for flags in [&[][..], &["--limit", "1G"], &["--by", "peer"], &["--by", "flow"], &["-f", "port 6443"]] {
        let (before_s, started) = (children_s()?, Instant::now());
        let (peak_mb, lines) = memory_of_report(flags, dir)?;
        let what = format!("flowtop report {}", flags.join(" "));
        let row = Row::new("command", what.trim_end()).figure("peak_mb", peak_mb, Some(BAR_MB));
        let row = row.figure("wall_s", started.elapsed().as_secs_f64(), None);
        rows.push(row.cell("cpu_s", children_s()? - before_s).cell("rows", lines));
    }
    let notes = vec![format!(
        "{hosts} hosts with {minutes} records of {flows} flows each, as CSV. A tenth of the flows are between two of the \
         hosts, both of which have recorded them. peak_mb is VmHWM in 10^6 bytes."
    )];
    Ok(Outcome { rows, notes })
}

/// Writes the recordings of two hosts that have a tenth of their connections with each other, an hour a file.
fn write_pair(dir: &Path, first: usize, hosts: usize, flows: usize, minutes: usize) -> Result<()> {
    for record in Reference::of(flows).skip(first).take(minutes) {
        for host in (first..hosts.min(first + 2)).map(|host| u16::try_from(host).unwrap_or(u16::MAX)) {
            let record = at_host(&record, host, first);
            let dir = dir.join(&record.host.name);
            fs::create_dir_all(&dir)?;
            let name = SegmentName::of(record.span.start_us).file().context("the time is in the calendar")?;
            let mut file = File::options().append(true).create(true).open(dir.join(name))?;
            file.write_all(&encode(&record))?;
        }
    }
    Ok(())
}

/// The record of the reference host as one of a host with an address of its own; `skipped` minutes later than it is.
fn at_host(record: &Record, host: u16, skipped: usize) -> Record {
    let mut record = record.clone();
    let later_us = i64::try_from(skipped).unwrap_or_default() * 60_000_000;
    record.span.start_us -= later_us;
    record.span.end_us -= later_us;
    let [high, low] = host.to_be_bytes();
    let mut id = [7; 16];
    id[..2].copy_from_slice(&[high, low]);
    record.host = Host { name: format!("node-{host:03}"), machine_id: id, boot_id: id };
    for flow in &mut record.flows {
        let FlowKey { local_addr, remote_addr, id, .. } = &mut flow.key;
        local_addr[12..].copy_from_slice(&[10, 43, high, low]);
        if *id / 1_000_000 % 10 == 0 {
            let first = (host & !1).to_be_bytes();
            let second = (host | 1).to_be_bytes();
            local_addr[12..].copy_from_slice(&[10, 43, first[0], first[1]]);
            remote_addr[12..].copy_from_slice(&[10, 43, second[0], second[1]]);
            if !host.is_multiple_of(2) {
                mirror(flow);
            }
        }
    }
    record.totals = record.flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes);
    record.sorted().into_owned()
}

/// Turns a flow into the other end of its connection.
fn mirror(flow: &mut FlowRecord) {
    let FlowKey { local_addr, remote_addr, local_port, remote_port, .. } = &mut flow.key;
    std::mem::swap(local_addr, remote_addr);
    std::mem::swap(local_port, remote_port);
    (flow.bytes, flow.peak) = (flow.bytes.mirror(), flow.peak.mirror());
    (flow.flow.tx_bytes, flow.flow.rx_bytes) = (flow.flow.rx_bytes, flow.flow.tx_bytes);
    flow.flow.flags ^= flags::ACTIVE | flags::PASSIVE;
}

/// Most memory of a report, and its rows.
fn memory_of_report(flags: &[&str], dir: &Path) -> Result<(f64, usize)> {
    let mut report = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    report.arg("report").args(flags).args(["--format", "csv"]).arg(dir);
    let mut child = report.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut peak_mb, mut text, mut piece) = (0.0_f64, Vec::new(), vec![0; 1 << 16]);
    let mut stdout = child.stdout.take().context("flowtop has no stdout")?;
    // The first lines come once everything is summed up; while it is read, the process is there to be asked.
    loop {
        let read = stdout.read(&mut piece)?;
        peak_mb = peak_mb.max(peak_so_far_mb(&child).unwrap_or(0.0));
        if read == 0 {
            break;
        }
        text.extend_from_slice(&piece[..read]);
    }
    ensure!(child.wait()?.success(), "flowtop report has failed");
    ensure!(peak_mb > 0.0, "flowtop has ended before its memory could be read");
    let rows = text.split(|byte| *byte == b'\n').filter(|line| line.windows(5).any(|part| part == b",row,"));
    Ok((peak_mb, rows.count()))
}

/// What a process has taken so far, unless it has ended.
fn peak_so_far_mb(child: &Child) -> Result<f64> {
    megabytes(&fs::read_to_string(format!("/proc/{}/status", child.id()))?, "VmHWM")
}

/// Processor time of the children that have ended, in seconds.
fn children_s() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has no name in it")?;
    let times = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    let ticks: u64 = times.sum::<Result<_, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
