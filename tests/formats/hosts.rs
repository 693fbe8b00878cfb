//! Recordings with what a format could trip over: hostile texts, sums that stand beside the rows, hosts of one name.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, KERNEL_PID, Untracked, flags};
use flowtop_core::flow::Tuple;
use flowtop_core::on_wire::Grown;
use flowtop_core::owner::{Identity, Pod};
use flowtop_core::record::{FlowRecord, Host, Record, Rest, Span};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::encode;

/// 2026-11-20 08:00:00 UTC, when the first window of every host begins, give or take some seconds.
pub const EIGHT_S: i64 = 1_795_161_600;
const WINDOW_S: u64 = 60;
/// Number of records of each host.
pub const WINDOWS: usize = 2;

/// Texts that users choose: names of processes, pods, units and labels.
const HOSTILE: [&str; 16] = [
    "nginx",
    "=cmd()|' /C calc'!A0",
    "-x",
    "+1",
    "@SUM(A1)",
    "with \"quotes\"",
    "\"",
    "a,b,c",
    "two\nlines",
    "carriage\rreturn",
    "\ttab",
    "日志收集",
    "'single",
    "null",
    "007",
    "back\\slash",
];

fn hostile(n: usize) -> String {
    HOSTILE[n % HOSTILE.len()].to_owned()
}

/// Every text of a process is another one, so that no two columns can be taken for each other.
fn identity(n: usize) -> Identity {
    let text = |more: usize| Some(hostile(n + more));
    Identity {
        comm: text(0),
        command: text(1),
        user: text(2),
        unit: text(3),
        container_id: Some(format!("{n:012}").repeat(5)),
        container: text(4),
        pod: text(5),
        namespace: text(6),
        ..Identity::default()
    }
}

/// A socket that moves as much in each window of its life.
struct Socket {
    ends: [String; 2],
    role: u32,
    pid: u32,
    comm: [u8; 16],
    identity: Option<Identity>,
    per_window: Bytes,
    life: Range<usize>,
    label: usize,
}

impl Socket {
    /// Socket `n` of a host, from it to the outside.
    fn outward(host: u8, n: u8) -> Self {
        let at = usize::from(n);
        let mut comm = [0; 16];
        comm[..6].copy_from_slice(b"kernel");
        Self {
            ends: [format!("10.0.{host}.1:{}", 40_000 + u16::from(n)), format!("198.51.{}.{n}:443", n % 3)],
            role: flags::ACTIVE,
            pid: 1000 + u32::from(n),
            comm,
            identity: Some(identity(at)),
            per_window: Bytes { tx: 10_000 * (u64::from(n) + 1) + 7, rx: 300 + u64::from(n) },
            life: 0..WINDOWS,
            label: at,
        }
    }

    /// The other end of the same connection, on the same host.
    fn accepted(&self, n: u8) -> Self {
        let [local, remote] = self.ends.clone();
        let (life, label) = (self.life.clone(), self.label);
        Self {
            ends: [remote, local],
            role: flags::PASSIVE,
            per_window: self.per_window.mirror(),
            life,
            label,
            ..Self::outward(0, n)
        }
    }

    fn in_window(&self, window: usize, id: u64) -> FlowRecord {
        let [local, remote] = self.ends.each_ref().map(|end| end.parse().unwrap());
        let windows = (self.life.start..=window).count() as u64;
        let lifetime = Bytes { tx: self.per_window.tx * windows, rx: self.per_window.rx * windows };
        let has_ended = if window + 1 == self.life.end && self.life.end < WINDOWS { flags::ENDED } else { 0 };
        FlowRecord {
            key: FlowKey { id, netns: 4_026_531_840 + self.pid % 2, ..Tuple { local, remote }.key() },
            flow: Flow {
                tx_bytes: lifetime.tx,
                rx_bytes: lifetime.rx,
                sent_bytes: lifetime.tx + 5,
                segs_out: 9 * u32::try_from(windows).unwrap(),
                segs_in: 7 * u32::try_from(windows).unwrap(),
                retrans_bytes: 5,
                retrans_segs: 1,
                state: 1,
                flags: flags::BORN | flags::OPEN | self.role | has_ended,
                pid: self.pid,
                comm: self.comm,
                opened_ns: (3600 + self.life.start as u64 * WINDOW_S) * 1_000_000_000,
                ..Flow::default()
            },
            bytes: self.per_window,
            grown: Some(Grown { sent_bytes: self.per_window.tx, segs_out: 9, segs_in: 7 }),
            peak: self.per_window,
            identity: self.identity.clone().map(Arc::new),
            users: 1,
            label: hostile(self.label).into(),
            remote_pod: (self.label % 4 == 1).then(|| remote_pod(self.label)),
            netns_pod: (self.pid % 2 == 1).then(|| remote_pod(5)),
            ..FlowRecord::default()
        }
    }
}

fn remote_pod(n: usize) -> Arc<Pod> {
    Arc::new(Pod { namespace: Some(hostile(n + 7)).filter(|_| n % 8 == 1), name: hostile(n + 8) })
}

/// The open sockets of a host: so many connections to the outside with hostile texts, and one that has ended, one that is
/// born late, one of IPv6, one that is idle, one without an owner and one of the kernel; and two whose ends are both here.
fn sockets(host: u8, hostile: u8) -> Vec<Socket> {
    let mut sockets: Vec<_> = (16 - hostile..20).map(|n| Socket::outward(host, n)).collect();
    let [.., ended, born, v6, idle] = &mut sockets[..] else { unreachable!("there are four and more") };
    ended.life = 0..1;
    born.life = 1..WINDOWS;
    v6.ends = [format!("[2001:db8::{host}]:40018"), "[2001:db8:1:2:3::4]:443".to_owned()];
    idle.per_window = Bytes::default();
    let of = |n: u8, pid, comm: &[u8], identity| {
        let mut socket = Socket { pid, identity, ..Socket::outward(host, n) };
        socket.comm = [0; 16];
        socket.comm[..comm.len()].copy_from_slice(comm);
        socket
    };
    sockets.push(of(20, 0, b"", None));
    sockets.push(of(21, KERNEL_PID, b"", None));
    sockets.push(of(22, 1022, b"=\xff\"x\n,", None));
    for (n, ends) in [
        (30, ["127.0.0.1:50000".to_owned(), "127.0.0.1:2379".to_owned()]),
        (32, [format!("10.0.{host}.1:50001"), format!("10.0.{host}.1:6379")]),
    ] {
        let client = Socket { ends, ..Socket::outward(host, n) };
        let server = client.accepted(n + 1);
        sockets.extend([client, server]);
    }
    sockets
}

/// A window of a host: its sockets, and whatever else is in it.
fn record(host: &Host, offset_us: i64, window: usize, sockets: &[Socket]) -> Record {
    let mut flows: Vec<FlowRecord> = Vec::new();
    for (id, socket) in (1..).zip(sockets).filter(|(_, socket)| socket.life.contains(&window)) {
        let mut flow = socket.in_window(window, id);
        let place = u32::try_from(flows.len()).unwrap();
        let mirror = flow.tuple().mirror();
        if let Some(left) = flows.iter_mut().position(|left| left.tuple() == mirror) {
            (flow.is_right, flow.peer) = (true, u32::try_from(left).ok());
            flows[left].peer = Some(place);
        }
        flows.push(flow);
    }
    let s = |at: usize| at as u64 * WINDOW_S;
    let us = |at: usize| EIGHT_S * 1_000_000 + offset_us + i64::try_from(s(at)).unwrap() * 1_000_000;
    let ns = |at: usize| (3600 + s(at)) * 1_000_000_000;
    let left = flows.iter().filter(|flow| !flow.is_right);
    Record {
        host: host.clone(),
        span: Span {
            start_us: us(window),
            end_us: us(window + 1),
            start_ns: ns(window),
            end_ns: ns(window + 1),
        },
        totals: left.fold(Bytes::default(), |sum, flow| sum + flow.bytes),
        flows,
        ..Record::default()
    }
}

fn host(name: &str, number: u8) -> Host {
    Host { name: name.to_owned(), machine_id: [number; 16], boot_id: [100 + number; 16] }
}

/// Rows that a sparse record sums up: of a known owner and of an unknown one.
fn rests() -> Vec<Rest> {
    let known = identity(3);
    let of =
        |flows, tx, rx| Rest { label: hostile(1).into(), flows, bytes: Bytes { tx, rx }, ..Rest::default() };
    let named = Rest {
        comm: known.comm,
        user: known.user,
        unit: known.unit,
        container: known.container,
        pod: known.pod,
        namespace: known.namespace,
        ..of(7, 123_456, 65_432)
    };
    vec![named, of(2, 1_001, 1_003)]
}

/// Writes the records of three hosts, two of which have one name, into directories of `dir`.
pub fn write_all(dir: &Path) {
    let hosts = [host("node-1", 1), host("node-1", 2), host("=node,\"3\"", 3)];
    for (number, host) in (0..).zip(&hosts) {
        // Hosts of one name are told apart by their times alone.
        let offset_us = i64::from(number) * 13_007_000;
        let sockets = sockets(number + 1, if number == 0 { 16 } else { 4 });
        let mut records: Vec<_> =
            (0..WINDOWS).map(|window| record(host, offset_us, window, &sockets)).collect();
        for record in &mut records {
            if number > 0 {
                record.rest = rests();
            }
            if number > 1 {
                record.untracked =
                    Untracked { flows: 4, tx_bytes: 99_991, rx_bytes: 77, ..Untracked::default() };
            }
            record.losses = vec![("slot".to_owned(), 2), ("call".to_owned(), 1)];
            record.totals += record.rest.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
            record.totals += Bytes { tx: record.untracked.tx_bytes, rx: record.untracked.rx_bytes };
        }
        write(&dir.join(format!("host-{}", number + 1)), &records);
    }
}

/// Writes the records of two hosts that have both recorded the connections between them. Returns the bytes that they have
/// both recorded.
pub fn write_neighbours(dir: &Path) -> u64 {
    let connection = |number: u8| Socket {
        ends: [format!("10.0.8.1:{}", 47_000 + u16::from(number)), "10.0.9.1:6443".to_owned()],
        ..Socket::outward(8, number)
    };
    let here: Vec<_> = (0..3).map(connection).collect();
    let there: Vec<_> = (0..3).map(|n| here[usize::from(n)].accepted(n + 4)).collect();
    for (number, name, sockets) in [(8, "east", &here), (9, "west", &there)] {
        let records: Vec<_> =
            (0..WINDOWS).map(|window| record(&host(name, number), 0, window, sockets)).collect();
        write(&dir.join(name), &records);
    }
    here.iter().map(|socket| socket.per_window.sum() * WINDOWS as u64).sum()
}

fn write(dir: &Path, records: &[Record]) {
    fs::create_dir(dir).unwrap();
    let bytes: Vec<u8> = records.iter().flat_map(encode).collect();
    fs::write(dir.join("flowtop-20261120T08Z.rec"), bytes).unwrap();
}
