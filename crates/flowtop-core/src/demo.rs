//! Made-up traffic for `--demo`, which needs no rights: always the same, and counted like any other.
//!
//! Addresses are those that are kept for documentation. Time is passed in.

use alloc::vec::Vec;
use core::net::SocketAddr;

use flowtop_common::{Flow, FlowKey, flags};

use super::flow::Tuple;
use super::moment::Moment;
use super::wire::Sample;

pub mod identities;

#[cfg(test)]
mod tests;

/// The name of the hook plan that is in force: none.
pub const HOOKS: &str = "demo";

const S: u64 = 1_000_000_000;
/// Traffic is made in steps of so many nanoseconds.
const STEP_NS: u64 = S / 10;

/// A connection that is there from the start: local end, remote end, process, bytes sent and received in a second.
struct Line(&'static str, &'static str, (u32, &'static str), u64, u64);

const LINES: &[Line] = &[
    Line("192.0.2.10:443", "198.51.100.23:51034", (812, "nginx"), 9_400_000, 61_000),
    Line("192.0.2.10:443", "198.51.100.23:51040", (812, "nginx"), 5_100_000, 38_000),
    Line("192.0.2.10:443", "203.0.113.77:40022", (813, "nginx"), 3_300_000, 24_000),
    Line("192.0.2.10:443", "203.0.113.140:61822", (813, "nginx"), 840_000, 12_000),
    Line("192.0.2.10:443", "198.51.100.201:33871", (812, "nginx"), 410_000, 9_000),
    Line(
        "[2001:db8:0:1::10]:443",
        "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:52110",
        (813, "nginx"),
        1_900_000,
        17_000,
    ),
    Line("[2001:db8:0:1::10]:443", "[2001:db8:77::beef]:40110", (812, "nginx"), 120_000, 4_000),
    Line("192.0.2.10:38214", "192.0.2.21:5432", (1290, "api-server"), 260_000, 2_700_000),
    Line("192.0.2.10:38216", "192.0.2.21:5432", (1290, "api-server"), 190_000, 1_400_000),
    Line("192.0.2.10:38230", "192.0.2.21:5432", (1291, "worker"), 75_000, 310_000),
    Line("192.0.2.10:45012", "192.0.2.22:6379", (1290, "api-server"), 96_000, 130_000),
    Line("192.0.2.10:45016", "192.0.2.22:6379", (1291, "worker"), 41_000, 36_000),
    Line("192.0.2.10:51522", "192.0.2.40:873", (2044, "rsync"), 14_800_000, 90_000),
    Line("192.0.2.10:22", "198.51.100.9:60412", (3301, "sshd"), 3_800, 700),
    Line("192.0.2.10:9100", "192.0.2.30:47122", (640, "node_exporter"), 21_000, 400),
    Line("192.0.2.10:6443", "192.0.2.11:39012", (1501, "kube-apiserver"), 620_000, 44_000),
    Line("192.0.2.10:6443", "192.0.2.12:39020", (1501, "kube-apiserver"), 480_000, 39_000),
    Line("192.0.2.10:6443", "192.0.2.13:39104", (1501, "kube-apiserver"), 95_000, 11_000),
    Line("[2001:db8:0:1::10]:41822", "[2001:db8:0:1::40]:9092", (1777, "日志收集"), 730_000, 8_000),
    Line("192.0.2.10:55120", "203.0.113.5:443", (2210, "curl"), 900, 2_050_000),
];

/// Connections with both ends here: client port and process, server port and process, bytes in a second each way.
struct Loop(u16, (u32, &'static str), u16, (u32, &'static str), u64, u64);

const LOOPS: &[Loop] = &[
    Loop(52210, (1501, "kube-apiserver"), 2379, (1402, "etcd"), 210_000, 1_250_000),
    Loop(52214, (1501, "kube-apiserver"), 2379, (1402, "etcd"), 88_000, 420_000),
    Loop(40872, (812, "nginx"), 8080, (1290, "api-server"), 330_000, 3_900_000),
];

/// A short connection is opened every so many steps, and lives as long as is here.
const VISIT_EVERY: u64 = 25;
const VISIT_STEPS: u64 = 70;

/// One end of a made-up connection.
#[derive(Clone, Debug)]
struct Source {
    key: FlowKey,
    flow: Flow,
    /// Bytes of a second, sent and received.
    rates: (u64, u64),
    /// Gives this flow a rhythm of its own.
    phase: u64,
    ends: Option<u64>,
}

/// A generator of made-up flows for `--demo`.
#[derive(Clone, Debug)]
pub struct Demo {
    start_ns: u64,
    steps: u64,
    visits: u64,
    sources: Vec<Source>,
}

impl Demo {
    /// Traffic that begins at a time of the monotonic clock, in nanoseconds.
    #[must_use]
    pub fn new(start_ns: u64) -> Self {
        let mut demo = Self { start_ns, steps: 0, visits: 0, sources: Vec::new() };
        for Line(local, remote, process, tx, rx) in LINES {
            let key = demo.key(parse(local), parse(remote));
            demo.open(key, flow(0, start_ns, *process), (*tx, *rx), None);
        }
        for Loop(client_port, client, server_port, server, tx, rx) in LOOPS {
            let [here, there] =
                [client_port, server_port].map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
            let (near, far) = (demo.key(here, there), demo.key(there, here));
            demo.open(near, flow(flags::BORN | flags::ACTIVE, start_ns, *client), (*tx, *rx), None);
            demo.open(far, flow(flags::BORN | flags::PASSIVE, start_ns, *server), (*rx, *tx), None);
            // Both ends of a connection move the same bytes at the same time.
            let n = demo.sources.len();
            demo.sources[n - 1].phase = demo.sources[n - 2].phase;
        }
        demo
    }

    /// Puts what there is at a moment into a sample.
    pub fn sample(&mut self, at: Moment, sample: &mut Sample) {
        let steps = at.ns.saturating_sub(self.start_ns) / STEP_NS;
        while self.steps < steps {
            self.steps += 1;
            self.step();
        }
        sample.clear();
        sample.set_time(at);
        sample.flows.extend(self.sources.iter().map(|source| (source.key, source.flow)));
    }

    /// Forgets flows that have been booked to their end.
    pub fn remove(&mut self, keys: &[FlowKey]) {
        self.sources.retain(|source| !keys.contains(&source.key));
    }

    fn key(&self, local: SocketAddr, remote: SocketAddr) -> FlowKey {
        let id = self.start_ns + self.sources.len() as u64 + self.visits * S;
        FlowKey { netns: 4_026_531_840, id, ..Tuple { local, remote }.key() }
    }

    fn open(&mut self, key: FlowKey, flow: Flow, rates: (u64, u64), ends: Option<u64>) {
        let phase = mixed(u64::from(key.remote_port) << 16 | u64::from(key.local_port));
        self.sources.push(Source { key, flow, rates, phase, ends });
    }

    /// Advances by 0.1 s.
    fn step(&mut self) {
        let (steps, now_ns) = (self.steps, self.start_ns + self.steps * STEP_NS);
        for source in self.sources.iter_mut().filter(|source| source.flow.flags & flags::ENDED == 0) {
            source.step(steps, now_ns);
        }
        if steps % VISIT_EVERY == 1 {
            self.visit(now_ns);
        }
    }

    /// Adds a short HTTP-like connection.
    fn visit(&mut self, now_ns: u64) {
        self.visits += 1;
        let host = 100 + u8::try_from(mixed(self.visits) % 40).unwrap_or_default();
        let port = 42_000 + u16::try_from(self.visits % 8_000).unwrap_or_default();
        let key = self.key(parse("192.0.2.10:443"), SocketAddr::from(([203, 0, 113, host], port)));
        let rate = 200_000 + mixed(self.visits) % 1_400_000;
        let flow = flow(flags::BORN | flags::PASSIVE, now_ns, (812, "nginx"));
        self.open(key, flow, (rate, rate / 90), Some(self.steps + VISIT_STEPS));
    }
}

impl Source {
    fn step(&mut self, steps: u64, now_ns: u64) {
        let percent = percent(steps, self.phase);
        let (tx, rx) = (self.rates.0 * percent / 1000, self.rates.1 * percent / 1000);
        let flow = &mut self.flow;
        flow.tx_bytes += tx;
        flow.rx_bytes += rx;
        flow.sent_bytes += tx;
        flow.segs_out = flow.segs_out.wrapping_add(segments(tx));
        flow.segs_in = flow.segs_in.wrapping_add(segments(rx));
        flow.last_us = now_ns / 1000;
        if mixed(steps ^ self.phase).is_multiple_of(97) {
            flow.retrans_segs += 1;
            flow.retrans_bytes += 1448;
        }
        if self.ends.is_some_and(|step| steps >= step) {
            flow.flags |= flags::ENDED;
            flow.state = 7;
        }
    }
}

/// Percent of its rate that a flow has in a step: a slow wave plus noise, with pauses.
fn percent(steps: u64, phase: u64) -> u64 {
    let period = 80 + phase % 240;
    let at = (steps + phase) % period;
    let wave = at.min(period - at) * 120 / period;
    let is_silent = (steps / 50 + phase).is_multiple_of(7) && phase.is_multiple_of(3);
    if is_silent { 0 } else { 60 + wave + mixed((steps / 5) ^ phase) % 30 }
}

fn segments(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1448)).unwrap_or(u32::MAX)
}

fn flow(flow_flags: u32, opened_ns: u64, (pid, name): (u32, &str)) -> Flow {
    let mut comm = [0; 16];
    for (to, from) in comm.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    let srtt_us = 120 + mixed(u64::from(pid)) % 38_000;
    Flow {
        pid,
        comm,
        opened_ns,
        state: 1,
        flags: flow_flags,
        srtt_us_x8: u32::try_from(srtt_us * 8).unwrap_or_default(),
        ..Flow::default()
    }
}

/// The finalizer of splitmix64: numbers that look like chance and are none.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn parse(end: &str) -> SocketAddr {
    end.parse().expect("the ends of the demo are addresses")
}
