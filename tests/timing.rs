//! `-s N` ends on time, with and without traffic.
//!
//! Measured on the monotonic clock, from the call to the end of the process. Of the start, in which the kernel checks the
//! programs, half a second is within the N seconds; a machine that takes longer adds the rest. This is the one test whose
//! bar is a time, because the time is what is promised.
//!
//! It is a program of its own so that no other test runs beside it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "each test file needs a part")]
mod tools;

/// How far from N seconds a run may end.
const BAR: Duration = Duration::from_millis(200);

const SECONDS: [u64; 4] = [1, 2, 3, 5];

/// How much of the start is within the N seconds.
const START_WITHIN: Duration = Duration::from_millis(500);

/// How long a run takes, and how much of that is a slow start.
fn time(seconds: u64) -> (Duration, Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command
        .args(["-t", "-s", &seconds.to_string()])
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME");
    let started = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("flowtop: counting with ") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "flowtop ended");
    }
    let slow = started.elapsed().saturating_sub(START_WITHIN);
    assert!(child.wait().unwrap().success());
    (started.elapsed(), slow)
}

/// One after the other: a program that is being loaded holds up one that ends.
fn run_all() -> Vec<(u64, (Duration, Duration))> {
    SECONDS.into_iter().map(|seconds| (seconds, time(seconds))).collect()
}

/// Bytes there and back, until told to stop.
fn carry(stop: &AtomicBool) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 1_000];
    while !stop.load(Ordering::Relaxed) {
        client.write_all(&buffer).unwrap();
        server.read_exact(&mut buffer).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

fn assert_on_time(what: &str, ends: &[(u64, (Duration, Duration))]) {
    for (seconds, (took, slow)) in ends {
        let off = took.abs_diff(Duration::from_secs(*seconds) + *slow);
        assert!(
            off <= BAR,
            "{what}: -s {seconds} took {took:?}, of which {slow:?} were a slow start: {ends:?}"
        );
    }
}

#[test]
fn s_seconds_are_s_seconds() {
    if !tools::can_count() {
        return;
    }
    assert_on_time("idle", &run_all());
    let stop = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        scope.spawn(|| carry(&stop));
        let ends = run_all();
        stop.store(true, Ordering::Relaxed);
        ends
    });
    assert_on_time("busy", &busy);
}
