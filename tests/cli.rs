//! The program as a user meets it: what it says, where it says it, and its exit code. What it counts is proven by the
//! live suite in `tests/live`.
//!
//! Tests that load BPF programs are skipped where that is not possible.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::tools::can_count;
use crate::{command_lines, tools};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

mod examples;
mod generated;
mod habits;
mod interfaces;
mod link_local;
mod names;
mod replay;
mod rights;
mod settings;
mod silence;
mod skipped;
mod stall;
mod streams;
mod unread;
mod usage;
mod view;
mod watch;
mod who;
mod wire;

/// Long enough that no report comes by itself.
const NEVER: &str = "86400";

/// How long the kernel may take to free what a killed process had loaded; it does so after a grace period.
const FREED_WITHIN: Duration = Duration::from_secs(20);

/// flowtop without stdin, configuration files, or a terminal whose width could matter.
fn flowtop(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(args).env_remove("COLUMNS").env_remove("XDG_CONFIG_HOME").env("HOME", "/nonexistent");
    // Meant for tests, and not for what a command of flowtop's finds in its environment.
    command.env_remove("FLOWTOP_TEST_TOOLS_REQUIRED").env_remove("FLOWTOP_TEST_SKIPPED");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(args: &[&str]) -> Output {
    flowtop(args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn all(output: &Output) -> (Option<i32>, &str, &str) {
    (output.status.code(), stdout(output), stderr(output))
}

/// A flowtop that has its baseline.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<Box<dyn Read>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(Box::new(child.stderr.take().unwrap()) as Box<dyn Read>);
        // Text mode introduces its interfaces first, as iftop does.
        // Lines `flowtop: --…` warn of a process or interface that flowtop does not find.
        let says = |line: &String| line.starts_with("flowtop: ") && !line.starts_with("flowtop: --");
        let line = stderr.by_ref().lines().map(Result::unwrap).find(says);
        assert!(line.as_ref().is_some_and(|line| line.starts_with("flowtop: counting with ")), "{line:?}");
        Self { child, stdout, stderr }
    }

    fn report(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Exit code, the rest of stdout, the rest of stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stdout, stderr)
    }

    fn proc(&self, file: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }

    /// Numbers after `label` in what the kernel says of the open files: ids of programs or maps.
    fn loaded(&self, label: &str) -> HashSet<u32> {
        let files = fs::read_dir(self.proc("fdinfo")).unwrap();
        let texts = files.filter_map(|file| unless_gone(fs::read_to_string(file.unwrap().path())));
        let id = |text: String| text.lines().find_map(|line| line.strip_prefix(label)?.trim().parse().ok());
        texts.filter_map(id).collect()
    }

    /// Calls of `read` and the like by all threads.
    fn reads(&self) -> u64 {
        let io = fs::read_to_string(self.proc("io")).unwrap();
        io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().parse().unwrap()
    }
}

#[test]
fn doctor_names_the_hooks_that_a_report_takes() {
    if !can_count() {
        return;
    }
    let finding: Value = serde_json::from_slice(&output(&["doctor", "--json"]).stdout).unwrap();
    let mut running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", "0.1"]));
    assert_eq!(running.report()["hooks"], finding["chosen"]);
    running.send(Signal::KILL);
    running.end();
}

#[test]
fn one_report_after_s_seconds_and_a_word_when_nothing_moved() {
    if !can_count() {
        return;
    }
    // Another test sends over link-local addresses, and without -l that is said.
    let mut running = Running::start(&mut flowtop(&["-t", "-l", "-s", "1", "--format", "json"]));
    let report = running.report();
    let (code, rest, said) = running.end();
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    // Up to half of that second is the start.
    let elapsed_s = report["elapsed_s"].as_f64().unwrap();
    assert!(elapsed_s >= 0.5, "{elapsed_s}");
    // Others may be using this host.
    let silent = report["totals"]["tx_bytes"] == 0 && report["totals"]["rx_bytes"] == 0;
    let word = format!("flowtop: no TCP connection carried data in {elapsed_s:.1} s\n");
    assert_eq!(said, if silent { word } else { String::new() });
}

#[test]
fn u_reports_and_q_quits() {
    if !can_count() {
        return;
    }
    let mut command = flowtop(&["-t", "--format", "json", "--interval", NEVER]);
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut letters = running.child.stdin.take().unwrap();
    for _ in 0..2 {
        letters.write_all(b"u").unwrap();
        assert!(running.report()["totals"].is_object());
    }
    letters.write_all(b"q").unwrap();
    assert_eq!(running.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn after_kill_9_nothing_stays_loaded() {
    if !can_count() {
        return;
    }
    let running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", NEVER]));
    let (programs, maps) = (running.loaded("prog_id:"), running.loaded("map_id:"));
    assert!(!programs.is_empty() && !maps.is_empty(), "{programs:?} {maps:?}");
    running.send(Signal::KILL);
    running.end();
    let started = Instant::now();
    loop {
        let left: Vec<u32> = loaded_programs().intersection(&programs).copied().collect();
        let left_maps: Vec<u32> = loaded_maps().intersection(&maps).copied().collect();
        if left.is_empty() && left_maps.is_empty() {
            return;
        }
        assert!(started.elapsed() < FREED_WITHIN, "still loaded: programs {left:?}, maps {left_maps:?}");
        std::thread::yield_now();
    }
}

/// Ids of all programs of this host. One that vanishes while they are listed is not among them.
fn loaded_programs() -> HashSet<u32> {
    aya::programs::loaded_programs().filter_map(unless_gone).map(|program| program.id()).collect()
}

/// Ids of all maps of this host. One that vanishes while they are listed is not among them.
fn loaded_maps() -> HashSet<u32> {
    aya::maps::loaded_maps().filter_map(unless_gone).map(|map| map.id()).collect()
}

/// An object that was listed before, `None` if it has gone since: an open file, a thread, a program or
/// a map of others. Any other error fails the test, since what it hides could be what is looked for.
fn unless_gone<T, E: std::error::Error + 'static>(found: Result<T, E>) -> Option<T> {
    let error = match found {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    // A process or a thread that ends while its file is open is ESRCH.
    let is_gone = |error: &io::Error| {
        error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
    };
    let is_gone = chain.filter_map(|error| error.downcast_ref()).any(is_gone);
    assert!(is_gone, "{error:?}");
    None
}

#[test]
fn what_vanishes_between_listing_and_reading_is_passed_over_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["stays", "vanishes"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let listed: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    fs::remove_file(dir.path().join("vanishes")).unwrap();
    let read: Vec<_> = listed.iter().filter_map(|path| unless_gone(fs::read_to_string(path))).collect();
    assert_eq!((listed.len(), read), (2, vec!["stays".to_owned()]));
    assert_eq!(unless_gone(Err::<(), _>(io::Error::from_raw_os_error(libc::ESRCH))), None);
    // A map that has gone, as aya says it.
    let gone = aya::sys::SyscallError {
        call: "bpf_map_get_fd_by_id",
        io_error: io::Error::from_raw_os_error(libc::ENOENT),
    };
    assert!(unless_gone(Err::<(), _>(aya::maps::MapError::SyscallError(gone))).is_none());
    let denied =
        std::panic::catch_unwind(|| unless_gone(Err::<(), _>(io::Error::from_raw_os_error(libc::EPERM))));
    assert!(denied.is_err());
}
