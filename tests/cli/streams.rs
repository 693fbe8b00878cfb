//! Streams that end, fill up or are not read: what has been counted is written whole, or the failure is named.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::*;

/// The rule at the end of a block.
fn block_end() -> String {
    format!("{}\n\n", "=".repeat(92))
}

/// A file of the test's own, and a handle for a program's stdout.
fn log(test: &str) -> (std::path::PathBuf, File) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    (path.clone(), File::create(path).unwrap())
}

/// Carries 5,000 bytes there and 300 back, over a connection that flowtop has seen begin. Its port.
pub(super) fn carry() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 5_000];
    client.write_all(&buffer).unwrap();
    server.read_exact(&mut buffer).unwrap();
    server.write_all(&buffer[..300]).unwrap();
    client.read_exact(&mut buffer[..300]).unwrap();
    port
}

/// Asserts that the last block of a report has the row of [`carry`], and that nothing is missing at its end.
fn assert_complete(report: &str, port: u16) {
    assert!(report.starts_with("Listening on any\n") && report.ends_with(&block_end()), "{report}");
    let blocks = report.matches(&block_end()).count();
    let last = report.split(&block_end()).nth(blocks - 1).unwrap();
    let to = format!(" 127.0.0.1:{port} ");
    let (row, other) = {
        let mut lines = last.lines().skip_while(|line| !line.contains(&to));
        let received = lines.next().unwrap_or_else(|| panic!("no row in {report}"));
        let at = last.find(received).unwrap();
        (last[..at].lines().last().unwrap(), received)
    };
    assert!(row.ends_with(" 4.88KB") && row.contains(" => "), "{row}");
    assert!(other.ends_with(" 300B") && other.contains(" <= "), "{other}");
}

#[test]
fn a_file_is_complete_after_sigterm() {
    if !can_count() {
        return;
    }
    let (path, file) = log("sigterm.log");
    let mut command = flowtop(&["-t", "-P", "-L", "0", "--interval", NEVER]);
    let mut child = command.stdout(file).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.starts_with("flowtop: counting with ")));
    let port = carry();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_complete(&fs::read_to_string(path).unwrap(), port);
}

#[test]
fn a_file_is_complete_after_timeout() {
    if !can_count() {
        return;
    }
    let (path, file) = log("timeout.log");
    let mut timeout = Command::new("timeout");
    let program = env!("CARGO_BIN_EXE_flowtop");
    timeout.args(["10", program, "-t", "-P", "-L", "0", "-s", "60"]).env("HOME", "/nonexistent");
    let mut child = timeout.stdin(Stdio::null()).stdout(file).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.starts_with("flowtop: counting with ")));
    let port = carry();
    // Exit code of timeout(1) when the time is up.
    assert_eq!(child.wait().unwrap().code(), Some(124));
    assert_complete(&fs::read_to_string(path).unwrap(), port);
}

#[test]
fn head_gets_its_lines_and_that_is_no_failure() {
    if !can_count() {
        return;
    }
    let script = "\"$0\" -t --interval 0.2 | head -3; echo ${PIPESTATUS[0]}";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_flowtop")]).env("HOME", "/nonexistent").stdin(Stdio::null());
    let output = bash.output().unwrap();
    let lines: Vec<_> = stdout(&output).lines().collect();
    assert_eq!(lines[0], "Listening on any");
    assert!(lines[1].starts_with("   # Host name (port/service if enabled)"), "{lines:?}");
    assert_eq!(lines[2..], [&"-".repeat(92), "0"]);
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn text_is_one_block() {
    if !can_count() {
        return;
    }
    let output = output(&["-t", "-s", "1"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).starts_with("interface: any\nflowtop: counting with "), "{}", stderr(&output));
    assert!(said.starts_with("Listening on any\n   # Host name (port/service if enabled)"), "{said}");
    assert!(said.ends_with(&format!("{}\n\n", "=".repeat(92))), "{said}");
    assert_eq!(said.matches(&"=".repeat(92)).count(), 1, "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    if !can_count() {
        return;
    }
    let mut running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", "0.2"]));
    running.report();
    let Running { mut child, stdout, mut stderr } = running;
    drop(stdout);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn nobody_listening_on_stderr_is_no_failure() {
    if !can_count() {
        return;
    }
    let mut running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", NEVER]));
    drop(std::mem::replace(&mut running.stderr, BufReader::new(Box::new(io::empty()))));
    running.send(Signal::TERM);
    assert!(running.report()["totals"].is_object());
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_full_disk_is_one_sentence() {
    if !can_count() {
        return;
    }
    for format in ["text", "json", "csv"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = flowtop(&["-t", "-s", "1", "--format", format]).stdout(full).output().unwrap();
        let last = stderr(&output).lines().last();
        assert_eq!(output.status.code(), Some(1), "{format}");
        let said = "flowtop: cannot write the report: No space left on device (os error 28)";
        assert_eq!(last, Some(said), "{format}");
    }
}

#[test]
fn a_signal_ends_the_run_with_a_last_report() {
    if !can_count() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", NEVER]));
        running.send(signal);
        assert!(running.report()["totals"].is_object(), "{signal:?}");
        let (code, rest, _) = running.end();
        assert_eq!((code, rest.as_str()), (Some(0), ""), "{signal:?}");
    }
}

#[test]
fn a_terminal_that_goes_away_is_nothing_to_a_run_under_nohup() {
    if !can_count() {
        return;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" -t --format json --interval 0.2"]);
    shell
        .arg(env!("CARGO_BIN_EXE_flowtop"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running::start(&mut shell);
    running.send(Signal::HUP);
    // One of them at least is begun after the signal.
    (0..3).for_each(|_| drop(running.report()));
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
}

/// A thread that reads an ended stdin again and again makes a hundred thousand of them in a second.
const READS_OF_FIVE_REPORTS: u64 = 1000;

#[test]
fn the_end_of_stdin_neither_ends_nor_spins() {
    if !can_count() {
        return;
    }
    let mut running = Running::start(&mut flowtop(&["-t", "--format", "json", "--interval", "0.2"]));
    running.report();
    let before = running.reads();
    (0..5).for_each(|_| drop(running.report()));
    let reads = running.reads() - before;
    assert!(reads < READS_OF_FIVE_REPORTS, "{reads} reads");
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
}
