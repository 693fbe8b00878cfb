//! Output that nobody takes: a full pipe, a terminal that stands still. Counting and signals go on; a run without end
//! drops whole reports and says how many, any other one waits.

use std::fs::File;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::thread;

use rustix::fs::OFlags;
use rustix::pipe::fcntl_setpipe_size;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use super::*;

/// Signals that end a run, and the time that it has to do so.
const ENDINGS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];
const AT_ONCE: Duration = Duration::from_secs(2);

/// Until a thing that must come has come.
const PATIENCE: Duration = Duration::from_mins(1);

fn until(what: &str, mut has_come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_come() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A run of made-up traffic whose stdout is a small pipe, and the end of it that is not read.
fn unread(args: &[&str]) -> (Child, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    fcntl_setpipe_size(&writer, 4096).unwrap();
    (flowtop(args).arg("--demo").stdout(writer).spawn().unwrap(), reader)
}

/// Whether its thread for output is inside of `write`.
fn is_blocked(child: &Child) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().map(|task| task.unwrap().path());
    let text = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
    tasks
        .filter(|task| text(task.join("comm")) == "output\n")
        .any(|task| text(task.join("syscall")).starts_with(&format!("{} 0x1 ", libc_write())))
}

const fn libc_write() -> u32 {
    if cfg!(target_arch = "x86_64") { 1 } else { 64 }
}

/// Whether some thread is inside of `write` on stdout.
fn is_writing(child: &Child) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let calls = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("syscall")));
    calls.flatten().any(|call| call.starts_with(&format!("{} 0x1 ", libc_write())))
}

/// A run whose stdout is a pipe that is full already, and the end of it that nobody reads.
fn before_a_full_pipe(command: &mut Command) -> (Child, PipeReader) {
    let (reader, mut writer) = io::pipe().unwrap();
    let room = fcntl_setpipe_size(&writer, 4096).unwrap();
    writer.write_all(&vec![b'\n'; room]).unwrap();
    (command.stdout(writer).spawn().unwrap(), reader)
}

/// Ends it with a signal; what it says on stderr.
fn end(mut child: Child, signal: Signal) -> String {
    let sent = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    until("the end", || child.try_wait().unwrap().is_some());
    assert!(sent.elapsed() < AT_ONCE, "{signal:?}: {:?}", sent.elapsed());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said).unwrap());
    said
}

#[test]
fn a_signal_ends_a_run_that_nobody_reads() {
    let runs: [&[&str]; 4] = [
        &["-t", "--interval", "0.1"],
        &["-t", "--interval", "0.1", "--format", "json"],
        &["-t", "--interval", "0.1", "--format", "csv"],
        &["top", "0.1"],
    ];
    for (args, signal) in runs.iter().zip(ENDINGS.into_iter().cycle()) {
        let (child, _reader) = unread(args);
        until("a full pipe", || is_blocked(&child));
        let said = end(child, signal);
        assert!(
            said.contains("flowtop: the reader of the output took no more of it; its end is missing\n"),
            "{said}"
        );
    }
}

#[test]
fn a_run_without_end_drops_whole_reports_and_says_how_many() {
    let (child, mut reader) = unread(&["-t", "--interval", "0.1", "--format", "json"]);
    until("a full pipe", || is_blocked(&child));
    // How long the reader stands still: ten reports fall due in it.
    thread::sleep(Duration::from_secs(1));
    let all = thread::spawn(move || {
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        all
    });
    until("an empty pipe", || !is_blocked(&child));
    let said = end(child, Signal::TERM);
    let reports: Vec<Value> =
        all.join().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let gap =
        |pair: &[Value]| pair[1]["elapsed_s"].as_f64().unwrap() - pair[0]["elapsed_s"].as_f64().unwrap();
    assert!(reports.windows(2).any(|pair| gap(pair) > 0.8), "nothing was dropped");
    let told = said.lines().find_map(|line| line.strip_prefix("flowtop: ")?.strip_suffix(" too slow"));
    let dropped: u32 =
        told.and_then(|told| told.split(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!(dropped >= 5, "{said}");
}

#[test]
fn a_run_with_an_end_waits_for_its_reader() {
    let runs: [(&[&str], usize); 2] =
        [(&["-t", "-s", "1", "--format", "json"], 1), (&["top", "0.1", "5", "--format", "json"], 5)];
    for (args, reports) in runs {
        let (mut child, mut reader) = unread(args);
        until("a full pipe", || is_blocked(&child));
        // How long the reader stands still: far longer than the run has to last.
        thread::sleep(Duration::from_secs(2));
        assert_eq!(child.try_wait().unwrap(), None, "{args:?}");
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all.lines().count(), reports, "{args:?}");
        all.lines().for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}"));
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_signal_ends_a_report_that_waits_for_its_reader() {
    for signal in ENDINGS {
        let (child, _reader) = unread(&["-t", "-s", "1", "--format", "json"]);
        until("a full pipe", || is_blocked(&child));
        end(child, signal);
    }
}

/// Commands that count nothing leave signals to the kernel.
#[test]
fn a_signal_ends_every_other_command_that_nobody_reads() {
    let recorded = tempfile::tempdir().unwrap();
    let dir = recorded.path().to_str().unwrap();
    let record = ["record", "--demo", "--quiet", "--every", "1s", "--count", "2", "-o", dir];
    assert!(flowtop(&record).status().unwrap().success());
    let commands: [&[&str]; 5] = [
        &["report", dir],
        &["report", "--format", "json", "--by", "flow", dir],
        &["replay", "-t", "--format", "json", dir],
        &["doctor"],
        &["man"],
    ];
    for (args, signal) in commands.iter().flat_map(|args| ENDINGS.map(|signal| (args, signal))) {
        let (mut child, _reader) = before_a_full_pipe(&mut flowtop(args));
        until(&format!("{args:?}: a full pipe"), || is_writing(&child));
        let sent = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        until("the end", || child.try_wait().unwrap().is_some());
        assert!(sent.elapsed() < AT_ONCE, "{args:?} {signal:?}: {:?}", sent.elapsed());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{args:?}: {status:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_failure_of_any_command() {
    for args in [&["doctor"][..], &["doctor", "--json"], &["man"], &["--print-config"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = flowtop(args).stdout(writer).spawn().unwrap().wait_with_output().unwrap();
        assert!(!stderr(&output).contains("panicked"), "{args:?}: {}", stderr(&output));
        assert!(output.status.code().is_some_and(|code| code <= 1), "{args:?}: {:?}", output.status);
    }
}

#[test]
fn messages_that_nobody_reads_stop_nothing() {
    let (_reader, writer) = io::pipe().unwrap();
    fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut command = flowtop(&["-t", "--demo", "--interval", "0.1"]);
    let child = command.stderr(writer.try_clone().unwrap()).stdout(writer).spawn().unwrap();
    until("a full pipe", || is_blocked(&child));
    end(child, Signal::TERM);
}

/// A pseudoterminal that is never read: its master, and the slave for programs.
fn terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
    (master, slave.into())
}

fn resize(terminal: &File, columns: u16) {
    let size = Winsize { ws_row: 120, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
fn a_signal_ends_the_view_on_a_terminal_that_stands_still() {
    for signal in ENDINGS {
        let (_master, slave) = terminal();
        resize(&slave, 400);
        let modes = |terminal: &File| {
            let modes = tcgetattr(terminal).unwrap();
            (modes.local_modes, modes.input_modes, modes.output_modes, modes.control_modes)
        };
        let before = modes(&slave);
        let end_of = || slave.try_clone().unwrap();
        let mut command = flowtop(&["--demo"]);
        command.env("TERM", "xterm-256color").stdin(end_of()).stdout(end_of()).stderr(end_of());
        let child = command.spawn().unwrap();
        until("the view", || modes(&slave) != before);
        let mut columns = 400;
        // Every other size is drawn whole.
        until("a full terminal", || {
            columns = 799 - columns;
            resize(&slave, columns);
            kill_process(Pid::from_child(&child), Signal::WINCH).unwrap();
            is_blocked(&child)
        });
        end(child, signal);
        assert_eq!(modes(&slave), before);
    }
}
