//! `flowtop report` over recordings: who it was, what is covered, and what it says where there is nothing to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use crate::{network, records, tools};
use flowtop_common::{Flow, FlowKey, Untracked, flags};
use flowtop_core::flow::Tuple;
use flowtop_core::owner::Identity;
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::record::{FlowRecord, Host, Record, Rest, Span};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::encode;
use serde_json::Value;

mod paths;
mod periods;
mod recorded;
mod times;

/// 2026-11-20 08:00:00 UTC.
const EIGHT_S: i64 = 1_795_161_600;

/// A connection that moves as much in every minute of its life.
struct Connection {
    id: u64,
    comm: &'static str,
    ends: [&'static str; 2],
    /// Minutes after 08:00 in which the connection is open.
    life: std::ops::Range<u64>,
    per_minute: Bytes,
}

impl Connection {
    fn moved(&self, minutes: std::ops::Range<u64>) -> Bytes {
        let (from, to) = (minutes.start.max(self.life.start), minutes.end.min(self.life.end));
        let n = to.saturating_sub(from);
        Bytes { tx: self.per_minute.tx * n, rx: self.per_minute.rx * n }
    }

    fn in_minute(&self, minute: u64) -> FlowRecord {
        let [local, remote] = self.ends.map(|end| end.parse().unwrap());
        let (bytes, lifetime) = (self.moved(minute..minute + 1), self.moved(0..minute + 1));
        let mut comm = [0; 16];
        comm[..self.comm.len()].copy_from_slice(self.comm.as_bytes());
        let has_ended = self.life.end == minute + 1;
        let of_end = if has_ended { flags::ENDED } else { 0 };
        let pid = 100 + u32::try_from(self.id).unwrap();
        FlowRecord {
            key: FlowKey { id: self.id, netns: 4_026_531_840, ..Tuple { local, remote }.key() },
            flow: Flow {
                tx_bytes: lifetime.tx,
                rx_bytes: lifetime.rx,
                state: 1,
                flags: flags::BORN | flags::ACTIVE | flags::OPEN | of_end,
                pid,
                comm,
                opened_ns: (60 + self.life.start) * 60_000_000_000,
                ..Flow::default()
            },
            bytes,
            peak: Bytes { tx: bytes.tx / 40, rx: bytes.rx / 40 },
            identity: Some(Arc::new(Identity { comm: Some(self.comm.to_owned()), ..Identity::default() })),
            users: 1,
            label: "private".into(),
            ..FlowRecord::default()
        }
    }
}

/// The record of one minute of a host.
fn record(host: &str, minute: u64, connections: &[Connection]) -> Record {
    let alive = connections.iter().filter(|connection| connection.life.contains(&minute));
    let flows: Vec<_> = alive.map(|connection| connection.in_minute(minute)).collect();
    let number = host.bytes().last().unwrap();
    let start_us = (EIGHT_S + i64::try_from(minute).unwrap() * 60) * 1_000_000;
    let up_ns = (60 + minute) * 60_000_000_000;
    Record {
        host: Host { name: host.to_owned(), machine_id: [number; 16], boot_id: [number + 1; 16] },
        span: Span {
            start_us,
            end_us: start_us + 60_000_000,
            start_ns: up_ns,
            end_ns: up_ns + 60_000_000_000,
        },
        totals: flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes),
        flows,
        ..Record::default()
    }
}

/// A temporary directory for recordings of hosts.
struct Recorded(tempfile::TempDir);

impl Recorded {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the records of a host into its directory.
    fn write(&self, name: &str, records: impl IntoIterator<Item = Record>) -> PathBuf {
        let dir = self.dir(name);
        fs::create_dir_all(&dir).unwrap();
        let bytes: Vec<u8> = records.into_iter().flat_map(|record| encode(&record)).collect();
        fs::write(dir.join("flowtop-20261120T08Z.rec"), bytes).unwrap();
        dir
    }
}

/// `flowtop report` on a clock of UTC.
fn report(args: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.arg("report").args(args).args(paths).env("TZ", "UTC").env("HOME", "/nonexistent");
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(args: &[&str], paths: &[&Path]) -> Value {
    let output = report(&[args, &["--format", "json"]].concat(), paths);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    serde_json::from_str(stdout(&output)).unwrap()
}

/// Compares what a report prints with a file of the repository, or writes it there.
fn assert_snapshot(output: &Output, recorded: &Recorded, file: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let here = recorded.0.path().display().to_string();
    let text = format!("{}{}", stderr(output), stdout(output)).replace(&here, "DIR");
    // Where the damage is depends on how well records are compressed.
    let text =
        regex::Regex::new("bytes [0-9]+ to [0-9]+ are").unwrap().replace_all(&text, "bytes A to B are");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/report").join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &*text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{file} differs; UPDATE_SNAPSHOTS=1 makes this the expected one:\n{text}");
}

/// An hour with a backup that takes ten minutes of it.
fn quiet_hour_with_a_burst() -> Vec<Connection> {
    let quiet = |id, comm, ends| Connection {
        id,
        comm,
        ends,
        life: 0..60,
        per_minute: Bytes { tx: 9_000, rx: 4_000 },
    };
    vec![
        quiet(1, "nginx", ["192.0.2.1:443", "198.51.100.7:50000"]),
        quiet(2, "sshd", ["192.0.2.1:22", "198.51.100.9:50001"]),
        Connection {
            id: 3,
            comm: "rsync",
            ends: ["192.0.2.1:40000", "203.0.113.5:873"],
            life: 20..30,
            per_minute: Bytes { tx: 33_000_000_000, rx: 70_000 },
        },
    ]
}

#[test]
fn the_burst_is_the_first_line_with_all_of_its_bytes() {
    let recorded = Recorded::new();
    let connections = quiet_hour_with_a_burst();
    let whole = recorded.write("whole", (0..60).map(|minute| record("node-1", minute, &connections)));
    let half =
        recorded.write("half", (0..60).filter(|m| m % 2 == 1).map(|m| record("node-1", m, &connections)));
    // Bytes before the first record are unknown.
    for (dir, minutes) in [(&whole, 60), (&half, 59)] {
        let report = json(&["--from", "2026-11-20 08:00", "--to", "09:00", "--limit", "4G"], &[dir]);
        let first = &report["groups"][0];
        assert_eq!((&first["comm"], &first["remote_addr"]), (&"rsync".into(), &"203.0.113.5".into()));
        assert_eq!(
            (first["tx_bytes"].as_u64(), first["rx_bytes"].as_u64()),
            (Some(330_000_000_000), Some(700_000))
        );
        let quiet = &report["groups"][1];
        assert_eq!(
            (quiet["tx_bytes"].as_u64(), quiet["rx_bytes"].as_u64()),
            (Some(minutes * 9_000), Some(minutes * 4_000))
        );
        assert_eq!(first["above_s"].as_f64(), Some(600.0));
    }
    let covered = |dir: &PathBuf| {
        let report = json(&["--from", "2026-11-20 08:00", "--to", "09:00"], &[dir]);
        report["hosts"][0]["covered_share"].as_f64().unwrap()
    };
    assert_eq!((covered(&whole), covered(&half)), (1.0, 0.5));
}

/// Two hosts: one with a gap, a sparse record, untracked sockets, losses and a damaged end; and a connection between them.
fn two_hosts(recorded: &Recorded) -> [PathBuf; 2] {
    let between =
        |comm, ends, tx, rx| Connection { id: 9, comm, ends, life: 0..30, per_minute: Bytes { tx, rx } };
    let [client, server] = ["192.0.2.1:47000", "192.0.2.2:6443"];
    let mut first = quiet_hour_with_a_burst();
    first.push(between("kubelet", [client, server], 60_000, 900_000));
    let second = [between("kube-apiserver", [server, client], 900_000, 59_000)];
    let mut records: Vec<_> =
        (0..60).filter(|m| !(40..45).contains(m)).map(|m| record("node-1", m, &first)).collect();
    let sparse = records.last_mut().unwrap();
    let rest = Rest { comm: Some("curl".to_owned()), label: "public".into(), flows: 12, ..Rest::default() };
    sparse.rest = vec![Rest { bytes: Bytes { tx: 5_000, rx: 6_000 }, ..rest }];
    sparse.untracked = Untracked { flows: 2, tx_bytes: 700, rx_bytes: 800, ..Untracked::default() };
    sparse.totals += Bytes { tx: 5_700, rx: 6_800 };
    sparse.losses = vec![("slot".to_owned(), 3)];
    sparse.unwritten = 1;
    sparse.limits = TrafficLimits(vec![TrafficLimit::Interface("eth0".to_owned())]);
    let one = recorded.write("node-1", records);
    let two = recorded.write("node-2", (0..30).map(|minute| record("node-2", minute, &second)));
    let file = one.join("flowtop-20261120T08Z.rec");
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend(&encode(&record("node-1", 61, &first))[..100]);
    fs::write(&file, bytes).unwrap();
    [one, two]
}

const HOUR: [&str; 4] = ["--from", "2026-11-20 08:00", "--to", "2026-11-20 09:00"];

#[test]
fn a_report_says_what_it_is_of_and_what_is_not_in_it() {
    let recorded = Recorded::new();
    let [one, two] = two_hosts(&recorded);
    let of = |more: &[&str]| report(&[&HOUR[..], more].concat(), &[&one, &two]);
    assert_snapshot(&of(&["--limit", "4G"]), &recorded, "two-hosts.txt");
    assert_snapshot(&of(&["-L", "1", "--by", "label,peer"]), &recorded, "two-hosts-label.txt");
    assert_snapshot(&of(&["--format", "csv", "--limit", "4G"]), &recorded, "two-hosts.csv");
    assert_snapshot(&of(&["--format", "json", "-L", "2"]), &recorded, "two-hosts.json");
    assert_snapshot(
        &of(&["-f", "src host 192.0.2.2 or comm rsync", "-B"]),
        &recorded,
        "two-hosts-filter.txt",
    );
}

#[test]
fn a_period_is_compared_with_another() {
    let recorded = Recorded::new();
    let [one, _] = two_hosts(&recorded);
    let halves = ["--from", "2026-11-20 08:30", "--to", "08:40", "--diff", "2026-11-20 08:20..08:30"];
    assert_snapshot(&report(&halves, &[&one]), &recorded, "diff.txt");
    assert_snapshot(&report(&[&halves[..], &["--format", "csv"]].concat(), &[&one]), &recorded, "diff.csv");
    let diff = json(&halves, &[&one]);
    let gone = &diff["groups"][0];
    assert_eq!((&gone["comm"], &gone["presence"]), (&"rsync".into(), &"gone".into()));
    assert_eq!(gone["tx_bytes_more"].as_i64(), Some(-330_000_000_000));
}

/// Exit code and what is said, in one sentence on one line.
fn refused(args: &[&str], paths: &[&Path]) -> (Option<i32>, String) {
    let output = report(args, paths);
    assert_eq!(stdout(&output), "");
    let said = stderr(&output).strip_prefix("flowtop: ").unwrap_or(stderr(&output)).trim_end();
    (output.status.code(), said.to_owned())
}

#[test]
fn what_cannot_be_reported_is_said_with_what_there_is() {
    let recorded = Recorded::new();
    let [one, two] = two_hosts(&recorded);
    let there =
        "those of node-1, node-2 are from 2026-11-20 08:00:00 +00:00 to 2026-11-20 09:00:00 +00:00 (UTC)";
    let asked = "2026-11-19 08:00:00 +00:00 to 2026-11-19 09:00:00 +00:00 (UTC)";
    assert_eq!(
        refused(&["--from", "2026-11-19 08:00", "--to", "09:00"], &[&one, &two]),
        (Some(1), format!("there is no record from {asked}; {there}"))
    );
    let (code, said) = refused(&["--from", "2026-11-20 09:00", "--to", "2026-11-20 08:00"], &[&one]);
    assert_eq!(
        (code, said.contains("is not before --to 2026-11-20 08:00:00 +00:00")),
        (Some(2), true),
        "{said}"
    );
    for (args, code, part) in [
        (["--from", "tea time"], 2, "--from: \"tea time\" is no time; write one like 08:00"),
        (["--diff", "08:00"], 2, "--diff: \"08:00\" is no period; write one like 08:00..09:00"),
        (["--timezone", "Mars/Olympus"], 2, "this system does not know \"Mars/Olympus\"; give one like UTC"),
        (["--by", "pods"], 2, "give one or more of flow, peer"),
        (["--limit", "5X"], 2, "give bits per second"),
        (["-f", "port"], 2, "--filter: "),
    ] {
        let (found, said) = refused(&args, &[&one]);
        assert_eq!((found, said.contains(part)), (Some(code), true), "{said}");
    }
    assert_eq!(refused(&[], &[&recorded.dir("none")]).0, Some(1));
    fs::create_dir(recorded.dir("empty")).unwrap();
    assert_eq!(refused(&[], &[&recorded.dir("empty")]).0, Some(1));
    fs::write(recorded.dir("foreign"), "no recording").unwrap();
    assert_eq!(refused(&[], &[&recorded.dir("foreign")]).0, Some(1));
}

#[test]
fn a_damaged_record_is_told_and_the_others_are_reported() {
    let recorded = Recorded::new();
    let connections = quiet_hour_with_a_burst();
    let dir = recorded.write("node-1", (0..3).map(|minute| record("node-1", minute, &connections)));
    let file = dir.join("flowtop-20261120T08Z.rec");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&file, bytes).unwrap();
    let report = json(&[], &[&dir]);
    assert_eq!(report["damage"].as_array().map(Vec::len), Some(1), "{report}");
    // Its bytes come from the counters of the record behind it.
    assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(3 * 2 * 9_000));
}
