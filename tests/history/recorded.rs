//! Reports on records that `flowtop record` has made of real traffic: a burst of known bytes after a quiet hour.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use flowtop_core::record::{Host, Record};
use flowtop_recording::format::frame::encode;
use rustix::process::{Pid, Signal, kill_process};

use super::Recorded;
use super::network::{Network, Traffic, V4, V6};
use super::quiet_hour_with_a_burst;
use super::record;
use super::records;
use super::report;
use super::stderr;
use super::stdout;
use super::tools;

/// The burst is sent in pieces that a pipe takes without a reader, with pauses, so that several records share it.
const PIECE_BYTES: usize = 32 << 10;
const PIECES: usize = 160;
const PAUSE: Duration = Duration::from_millis(20);

/// How long the other end may take to have a piece.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// A recorder that counts. It ends with the value.
struct Recorder(Child);

impl Recorder {
    /// Starts one with these windows, and waits for the first record.
    fn start(dir: &Path, windows: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
        command.args(["record", "--quiet"]).args(windows).arg("-o").arg(dir).env("HOME", "/nonexistent");
        fs::create_dir(dir).unwrap();
        let recorder = Self(command.stdin(Stdio::null()).spawn().unwrap());
        records::wait_for(dir, 1);
        recorder
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A process of the near namespace that sends what it is told to, and keeps its connection.
fn sender(network: &Network, to: SocketAddr) -> Child {
    let script = format!("exec 3<>/dev/tcp/{}/{}; exec cat >&3", to.ip(), to.port());
    network.near.command("bash").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap()
}

/// Sends the burst, and returns once the other end has all of it. Both live on, and nothing more comes.
fn burst(network: &Network, to: SocketAddr) -> (Child, TcpStream) {
    let listener = network.listen(to);
    let mut sender = sender(network, to);
    let (mut far, _) = listener.accept().unwrap();
    far.set_read_timeout(Some(ARRIVES_WITHIN)).unwrap();
    let mut piece = vec![7; PIECE_BYTES];
    for _ in 0..PIECES {
        sender.stdin.as_mut().unwrap().write_all(&piece).unwrap();
        far.read_exact(&mut piece).unwrap();
        thread::sleep(PAUSE);
    }
    (sender, far)
}

/// The minutes of an hour that ended when the first of these records began, of a life of the host before this one.
fn quiet_hour_before(first: &Record) -> Vec<Record> {
    let connections = &quiet_hour_with_a_burst()[..2];
    let hour = (0..60).map(|minute| record("node-1", minute, connections));
    let mut hour: Vec<_> = hour.collect();
    let later_us = first.span.start_us - hour.last().unwrap().span.end_us;
    for minute in &mut hour {
        minute.host = Host { boot_id: [1; 16], ..first.host.clone() };
        minute.span.start_us += later_us;
        minute.span.end_us += later_us;
        for flow in &mut minute.flows {
            flow.key.netns = 1;
        }
    }
    hour
}

/// Whether this test can record between namespaces of the network.
fn can_record() -> bool {
    tools::has_root() && tools::can_count()
}

#[test]
fn what_begins_and_ends_between_two_windows_is_in_the_report() {
    if !can_record() {
        return;
    }
    let (recorded, network) = (Recorded::new(), Network::new());
    let dir = recorded.dir("pauses");
    let running = Recorder::start(&dir, &["--every", "4s", "--for", "1s"]);
    // A record has just been written: most likely nothing is recorded for three seconds.
    let (mut sender, far) = burst(&network, SocketAddr::new(V4[1], 5003));
    drop(sender.stdin.take());
    sender.wait().unwrap();
    drop(far);
    records::wait_for(&dir, records::read(&dir).len() + 2);
    running.stop();
    let report = super::json(&["--by", "process"], &[&dir]);
    let sent_by_senders = report["groups"].as_array().unwrap().iter().filter(|group| group["comm"] == "cat");
    let known: u64 = sent_by_senders.map(|group| group["tx_bytes"].as_u64().unwrap()).sum();
    let unknown = report["remainder"]["tx_bytes"].as_u64().unwrap_or(0);
    assert!(known + unknown >= (PIECE_BYTES * PIECES) as u64, "{report}");
    assert_eq!(report["not_counted"]["gaps_without_totals"].as_u64(), Some(0), "{report}");
}

#[test]
fn after_a_quiet_hour_the_burst_is_named_with_the_bytes_that_it_sent() {
    if !can_record() {
        return;
    }
    let (recorded, network) = (Recorded::new(), Network::new());
    let dir = recorded.dir("real");
    let quiet = [network.connect(SocketAddr::new(V6[1], 5002), 100, 50)];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _quiet = Traffic::start(scope, &quiet, &stop);
        let running = Recorder::start(&dir, &["--every", "1s"]);
        let (mut sender, _far) = burst(&network, SocketAddr::new(V4[1], 5001));
        // The window of the first of them may have ended before the last piece.
        records::wait_for(&dir, records::read(&dir).len() + 2);
        running.stop();
        drop(sender.stdin.take());
        sender.wait().unwrap();
    });
    let real = records::read(&dir);
    let whole = [quiet_hour_before(&real[0]), real.clone()].concat();
    let thin: Vec<_> = real.iter().rev().step_by(2).rev().cloned().collect();
    assert!(thin.len() > 2, "{} records", real.len());
    let before = quiet_hour_before(&real[0]).into_iter().step_by(2);
    let thin = before.chain(thin).collect::<Vec<_>>();
    for (name, records) in [("whole", whole), ("thin", thin)] {
        names_the_burst(&recorded, &network, name, &records);
    }
}

/// The inode number of the near namespace.
fn inode(network: &Network) -> String {
    let link = network.near.command("readlink").arg("/proc/self/ns/net").output().unwrap();
    stdout(&link).trim().trim_start_matches("net:[").trim_end_matches(']').to_owned()
}

fn names_the_burst(recorded: &Recorded, network: &Network, name: &str, records: &[Record]) {
    let dir = recorded.dir(name);
    fs::create_dir_all(&dir).unwrap();
    let bytes: Vec<u8> = records.iter().flat_map(encode).collect();
    fs::write(dir.join("flowtop-all.rec"), bytes).unwrap();
    // Other tests of this machine send as well.
    let filter = format!("netns {} or netns 1", inode(network));
    let text = report(&["-f", &filter], &[&dir]);
    // Both ends are here, and have moved the same: the one that sent, and this process, which received.
    let firsts = stdout(&text).lines().filter(|line| line.starts_with("   1 ") || line.starts_with("   2 "));
    let is_sender = |line: &str| line.contains(" cat[") && line.contains("] 192.0.2.2 ");
    assert!(firsts.clone().any(is_sender), "{}{}", stdout(&text), stderr(&text));
    let json = super::json(&["-f", &filter], &[&dir]);
    let sent = (PIECE_BYTES * PIECES) as u64;
    let bytes = |comm: &str, field: &str| {
        let groups = json["groups"].as_array().unwrap();
        groups.iter().find(|group| group["comm"] == comm).and_then(|group| group[field].as_u64())
    };
    assert_eq!(bytes("cat", "tx_bytes"), Some(sent), "{name}: {}", stdout(&text));
    assert!(json["total"]["tx_bytes"].as_u64() > Some(sent), "{json}");
    assert!(json["local_twice"]["rx_bytes"].as_u64() >= Some(sent), "{json}");
}
