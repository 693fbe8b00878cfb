//! What a report of 10,000 connections takes: accounting the sample, and making each form of the report.
//!
//! The samples are made here, so that the figures are those of the core alone; reading the kernel's table is in
//! `read`.

use crate::outcome::{self, Outcome, Row, median};
use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::column;
use flowtop_core::group::Group;
use flowtop_core::ledger::Ledger;
use flowtop_core::names::NoNames;
use flowtop_core::owner::{Identity, Owners, Seen};
use flowtop_core::view::{Grouping, PortDisplay, View};
use flowtop_core::who::Who;
use flowtop_core::wire::Sample;
use flowtop_view::csv;
use flowtop_view::json;
use flowtop_view::text::Reports;
use std::{
    hint::black_box,
    io::{self, BufWriter, Write as _},
    process::ExitCode,
    sync::Arc,
};

/// Milliseconds of processor time that a report may take, accounting included.
const BAR_MS: f64 = 20.0;

/// Connections to other hosts, so that each is a row.
const CONNECTIONS: u32 = 10_000;

/// Seconds that have passed when the first report is made: every window is full.
const WARM_UP_S: u64 = 45;

/// Processor time of a report of 10,000 connections
#[derive(Debug, clap::Args)]
struct Args {
    /// Reports to take the median of
    #[arg(long, value_name = "N", default_value_t = 51, value_parser = outcome::at_least_one())]
    reports: u32,
}

pub fn main() -> ExitCode {
    outcome::bench("report", |args| Ok(run(args)))
}

/// A form of the report, by its flags.
type Form = (&'static str, fn(&Ledger, &mut Reports) -> usize);

const FORMS: [Form; 8] = [
    ("-t", |ledger, reports| text(ledger, reports, Some(10), PortDisplay::Off)),
    ("-t -P", |ledger, reports| text(ledger, reports, Some(10), PortDisplay::On)),
    ("-t -L 0", |ledger, reports| text(ledger, reports, None, PortDisplay::Off)),
    ("-t -P -L 0", |ledger, reports| text(ledger, reports, None, PortDisplay::On)),
    ("-t --by process", |ledger, reports| by(ledger, reports, "process")),
    ("-t --by pod,peer -L 0", |ledger, reports| by(ledger, reports, "pod,peer")),
    ("-t --format json", |ledger, _| {
        written(|out| json::report(&heading(), ledger, &View::default(), None, out))
    }),
    ("-t --format csv", |ledger, _| {
        let fields: Vec<_> = column::ALL.iter().collect();
        written(|out| csv::report(&heading(), ledger, &View::default(), &fields, out))
    }),
];

fn heading() -> json::Heading<'static> {
    json::Heading {
        start: "2026-03-01T12:00:00+01:00",
        time: "2026-03-01T12:00:02.500+01:00",
        host: "gate",
        hooks: "fentry",
        trigger: None,
        who: Who::nobody(),
        cost: None,
        coverage: None,
    }
}

/// Counts bytes as a pipe would take them, in the blocks of a report.
#[derive(Default)]
struct Pipe(usize);

impl io::Write for Pipe {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.0 += black_box(block).len();
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that go to stdout.
fn written(write: impl FnOnce(&mut BufWriter<Pipe>) -> io::Result<()>) -> usize {
    let mut out = BufWriter::with_capacity(64 << 10, Pipe::default());
    write(&mut out).and_then(|()| out.flush()).expect("the pipe takes all");
    out.get_ref().0
}

fn text(ledger: &Ledger, reports: &mut Reports, limit: Option<usize>, ports: PortDisplay) -> usize {
    let view = View { limit, grouping: Grouping { ports, ..Grouping::default() }, ..View::default() };
    black_box(reports.report(ledger, &view, &NoNames, Who::nobody())).len()
}

fn by(ledger: &Ledger, reports: &mut Reports, keys: &str) -> usize {
    let by = Group::parse(keys).unwrap_or_default();
    let view = View { limit: (keys == "process").then_some(10), by, ..View::default() };
    black_box(reports.report(ledger, &view, &NoNames, Who { owners: &Everybody, ..Who::nobody() })).len()
}

/// Knows who everybody is.
#[derive(Debug)]
struct Everybody;

impl Owners for Everybody {
    fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Identity>> {
        let pod = Some(format!("web-{}", seen.pid));
        Some(Arc::new(Identity { comm: seen.comm_text(), pod, ..Identity::default() }))
    }
}

fn run(args: &Args) -> Outcome {
    let mut ledger = Ledger::new(1 << 17, 0);
    for at_s in 0..WARM_UP_S {
        ledger.apply(&sample(at_s));
    }
    let mut rows = Vec::new();
    let mut at_s = WARM_UP_S;
    for (flags, form) in FORMS {
        let (mut account, mut make, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut reports = Reports::default();
        for _ in 0..args.reports {
            let sample = sample(at_s);
            account.push(processor_ms(|| ledger.apply(&sample)));
            make.push(processor_ms(|| bytes = form(&ledger, &mut reports)));
            at_s += 1;
        }
        let (account_ms, make_ms) = (median(account), median(make));
        rows.push(
            Row::new("flags", flags)
                .cell("kB", bytes / 1000)
                .cell("account ms", account_ms)
                .cell("make ms", make_ms)
                .figure("report ms", account_ms + make_ms, Some(BAR_MS)),
        );
    }
    let notes = vec![format!(
        "{CONNECTIONS} connections to other hosts, all of which have carried bytes since the last sample. Processor \
         time, medians of {} reports.",
        args.reports
    )];
    Outcome { rows, notes }
}

/// Every connection with more bytes than a second ago, and no two with the same.
fn sample(at_s: u64) -> Sample {
    let flows = (0..CONNECTIONS).map(|n| (key(n), flow(n, at_s))).collect();
    Sample { at_ns: at_s * 1_000_000_000, flows, ..Sample::default() }
}

/// One of 100 local addresses, to one of 10,000 hosts.
fn key(n: u32) -> FlowKey {
    let [_, _, high, low] = n.to_be_bytes();
    let v4 = |net: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, net, high, low];
    let local_port = 20_000 + u16::from_be_bytes([high, low]);
    FlowKey {
        local_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, low % 100],
        remote_addr: v4(1),
        local_port,
        remote_port: 443,
        family: 2,
        netns: 4_026_531_840,
        id: u64::from(n) + 1,
        ..FlowKey::default()
    }
}

fn flow(n: u32, at_s: u64) -> Flow {
    let moved = u64::from(n) * 977 + 1;
    let mut comm = [0; 16];
    comm[..5].copy_from_slice(b"nginx");
    Flow {
        tx_bytes: moved * at_s,
        rx_bytes: moved * at_s / 3,
        sent_bytes: moved * at_s,
        flags: flags::BORN | flags::ACTIVE,
        state: 1,
        pid: 1000 + n % 64,
        comm,
        cgroup_id: 4711,
        srtt_us_x8: 8 * (n % 5000 + 1),
        opened_ns: 1,
        last_us: at_s * 1_000_000,
        segs_out: 100,
        segs_in: 90,
        ..Flow::default()
    }
}

/// Milliseconds of processor time of this thread.
fn processor_ms<T>(step: impl FnOnce() -> T) -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let now_ms = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
    };
    let before = now_ms();
    black_box(step());
    now_ms() - before
}
