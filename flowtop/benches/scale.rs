//! What a refresh takes with up to a million flows: reading the kernel's table and accounting it, finding the busiest
//! rows, and the memory of the process.
//!
//! The flows are synthetic: slots written into the real table, since no machine opens a million sockets for a
//! benchmark. All else is what flowtop does.

use crate::memory;
use crate::outcome::{self, Flags, Outcome, Row, median};
use anyhow::{Context as _, Result};
use aya::maps::{MapData, MapInfo, loaded_maps};
use flowtop_bpf::Live;
use flowtop_common::{Allocation, Detail, FlowKey, Slot, flags};
use flowtop_core::{ledger::Ledger, moment::Moment, names::NoNames, view::View, who::Who};
use flowtop_sys::Mapped;
use flowtop_sys::clock::now_ns;
use flowtop_view::text::Reports;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::{
    fs,
    hint::black_box,
    os::fd::AsFd as _,
    process::{Command, ExitCode},
};

/// Milliseconds of processor time that reading a million flows may take.
const READ_BAR_MS: f64 = 20.0;

/// The same of all of a refresh.
const REFRESH_BAR_MS: f64 = 150.0;

/// Resident memory in 10^6 bytes: up to 10,000 flows, and beyond.
const MEMORY_BARS_MB: [f64; 2] = [30.0, 400.0];

/// Rows that are shown.
const ROWS: usize = 100;

/// Seconds until every window is full.
const WARM_UP: u32 = 45;

/// Connections of one remote host.
const FLOWS_OF_A_HOST: u32 = 16;

/// Time and memory of a refresh with up to 1,000,000 flows
#[derive(Debug, clap::Args)]
struct Args {
    /// Flows
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    flows: Vec<u32>,
    /// Percent of the flows that move bytes each second
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "1,100")]
    busy: Vec<u32>,
    /// Refreshes to take the median of
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = outcome::at_least_one())]
    refreshes: u32,
    /// In this process, and print the figures as JSON
    #[arg(long, hide = true)]
    here: bool,
}

pub fn main() -> ExitCode {
    let Flags { own: args, outcome } = outcome::flags::<Args>("scale");
    if !args.here {
        return outcome::publish("scale", &outcome, run(&args));
    }
    match measure(args.flows[0], args.busy[0], args.refreshes) {
        Ok(figures) => println!("{figures}"),
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(args: &Args) -> Result<Outcome> {
    let mut rows = Vec::new();
    for busy in &args.busy {
        for flows in &args.flows {
            rows.push(row(*flows, *busy, args.refreshes)?);
        }
    }
    let notes = vec![
        format!(
            "Synthetic slots in the kernel's table, {FLOWS_OF_A_HOST} connections to each remote host. Processor time, \
             medians of {} refreshes of one second each after {WARM_UP} s, all windows full. `busy %` of the flows \
             move bytes every second, the others have before. `rows` is a text report of the {ROWS} busiest pairs of hosts, and \
             `refresh` all three.",
            args.refreshes
        ),
        "`own MB` is memory that this process has allocated. `resident MB` is all of VmRSS: the kernel's table is \
         mapped, and its pages count there too."
            .to_owned(),
    ];
    Ok(Outcome { rows, notes })
}

/// Measures in a process of its own, whose memory nobody has used before.
fn row(flows: u32, busy: u32, refreshes: u32) -> Result<Row> {
    let mut child = Command::new(std::env::current_exe().context("cannot find this program")?);
    child.args(["scale", "--here", "--flows", &flows.to_string(), "--busy", &busy.to_string()]);
    let output = child.args(["--refreshes", &refreshes.to_string()]).output().context("cannot start")?;
    let figures: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let ms = |name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
    let per_flow = (ms("own MB") - ms("before MB")) * 1e6 / f64::from(flows);
    Ok(Row::new("flows", flows.to_string())
        .cell("busy %", busy)
        .figure("read ms", ms("read ms"), Some(READ_BAR_MS))
        .cell("read, ledger ms", ms("feed ms"))
        .cell("rows ms", ms("rows ms"))
        .figure("refresh ms", ms("feed ms") + ms("rows ms"), Some(REFRESH_BAR_MS))
        .cell("own bytes a flow", per_flow.round())
        .cell("resident MB", ms("resident MB"))
        .figure("own MB", ms("own MB"), Some(MEMORY_BARS_MB[usize::from(flows > 10_000)])))
}

fn measure(flows: u32, busy: u32, refreshes: u32) -> Result<Value> {
    let mut live = Live::start(None, flows + 1000)?;
    let mut table = Table::find(flows, busy)?;
    table.fill()?;
    let mut ledger = Ledger::new(flows as usize, 0);
    let mut reports = Reports::default();
    let view = View { limit: Some(ROWS), ..View::default() };
    let (before, started_ns) = (memory_mb("RssAnon")?, now_ns());
    let (mut read, mut feed, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for second in 0..WARM_UP + refreshes {
        table.pass_a_second()?;
        let mut result = Ok(());
        let at = Moment { us: 0, ns: started_ns + u64::from(second) * 1_000_000_000 };
        let feed_ms = processor_ms(|| result = live.feed(&mut ledger, at));
        result?;
        let rows_ms = processor_ms(|| reports.report(&ledger, &view, &NoNames, Who::nobody()));
        if second >= WARM_UP {
            feed.push(feed_ms);
            rows.push(rows_ms);
        }
    }
    let figures =
        json!({ "before MB": before, "own MB": memory_mb("RssAnon")?, "resident MB": memory_mb("VmRSS")? });
    // Last, because the ledger does not learn of it.
    for _ in 0..refreshes {
        table.pass_a_second()?;
        read.push(processor_ms(|| {
            live.changes(false, |flows| {
                black_box(flows);
            })
        }));
    }
    let mut figures = figures;
    for (name, times) in [("read ms", read), ("feed ms", feed), ("rows ms", rows)] {
        figures[name] = median(times).into();
    }
    Ok(figures)
}

/// The kernel's table, as its other side sees it.
struct Table {
    slots: MapData,
    details: MapData,
    allocation: MapData,
    flows: u32,
    busy: u32,
    second: u32,
}

impl Table {
    /// That of the newest flowtop.
    fn find(flows: u32, busy: u32) -> Result<Self> {
        let newest = |name: &str| {
            let named = |map: &MapInfo| map.name_as_str() == Some(name);
            let ids = loaded_maps().filter_map(Result::ok).filter(named).map(|map| map.id());
            MapData::from_id(ids.max().with_context(|| format!("no map {name} is loaded"))?)
                .map_err(anyhow::Error::from)
        };
        Ok(Self {
            slots: newest("SLOTS")?,
            details: newest("DETAILS")?,
            allocation: newest("ALLOCATION")?,
            flows,
            busy,
            second: 0,
        })
    }

    /// Opens every slot.
    fn fill(&self) -> Result<()> {
        let mut allocation: Mapped<Allocation> = Mapped::new(self.allocation.fd().as_fd(), 1)?;
        allocation.cover(1)?;
        let next = u64::from(self.flows);
        self.write(0..self.flows)?;
        allocation.set(0, Allocation { next, ..allocation.get(0) });
        Ok(())
    }

    /// Moves the flows that are busy; all of them once, after the first sample.
    fn pass_a_second(&mut self) -> Result<()> {
        self.second += 1;
        let busy = if self.second == 2 { 100 } else { self.busy };
        self.write(0..(self.flows / 100 * busy).max(1))
    }

    fn write(&self, flows: std::ops::Range<u32>) -> Result<()> {
        let mut slots: Mapped<Slot> = Mapped::new(self.slots.fd().as_fd(), self.flows as usize + 1)?;
        let mut details: Mapped<Detail> = Mapped::new(self.details.fd().as_fd(), self.flows as usize + 1)?;
        slots.cover(flows.end as usize + 1)?;
        details.cover(flows.end as usize + 1)?;
        for flow in flows {
            let (slot, detail) = entry(flow, self.second);
            details.set(flow as usize + 1, detail);
            slots.set(flow as usize + 1, slot);
        }
        Ok(())
    }
}

/// A connection to one of many hosts, of one of a hundred processes, that has moved bytes in each of so many seconds.
fn entry(number: u32, seconds: u32) -> (Slot, Detail) {
    let moved = u64::from(number % 1000 + 1) * 977 * u64::from(seconds);
    let host = (number / FLOWS_OF_A_HOST).to_be_bytes();
    let mut comm = [0; 16];
    comm[..5].copy_from_slice(b"nginx");
    let slot = Slot {
        tx_bytes: moved,
        rx_bytes: moved / 3,
        flags: flags::byte(flags::BORN | flags::PASSIVE | flags::OPEN),
        state: 1,
        uses: 16,
        generation: seconds,
        last_us: now_ns() / 1000,
        ..Slot::default()
    };
    let key = FlowKey {
        local_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1],
        remote_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 100, host[1], host[2], host[3]],
        local_port: 443,
        remote_port: u16::try_from(20_000 + number % FLOWS_OF_A_HOST).unwrap_or(u16::MAX),
        family: 2,
        netns: 4_026_531_840,
        id: u64::from(number) + 1,
        ..FlowKey::default()
    };
    let detail = Detail {
        key,
        sent_bytes: moved,
        pid: 1000 + number % 100,
        comm,
        cgroup_id: 4711,
        srtt_us_x8: 8 * (number % 5000 + 1),
        opened_ns: 1,
        segs_out: seconds * 10,
        segs_in: seconds * 9,
        ..Detail::default()
    };
    (slot, detail)
}

/// Milliseconds of processor time of this thread.
fn processor_ms<T>(step: impl FnOnce() -> T) -> f64 {
    let now_ms = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
    };
    let before = now_ms();
    black_box(step());
    now_ms() - before
}

/// A line of `/proc/self/status` in 10^6 bytes.
fn memory_mb(line: &str) -> Result<f64> {
    memory::megabytes(
        &fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?,
        line,
    )
}
