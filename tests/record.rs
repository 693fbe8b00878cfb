//! `flowtop record` as a process: killed, beside another one, on a full disk, read while it writes; by cron and systemd.
//!
//! Most of it records the demo, which needs no rights. What the bytes in a record are is compared with what was sent.

mod clock;
mod commands;
mod format;
mod golden;
mod hostile;
mod older;
mod samples;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::records::wait_for;
use crate::tools::can_count;
use crate::{records, tools};
use flowtop::recordings::{self, Recordings};
use flowtop_bpf::rights;
use flowtop_core::record::limits::TrafficLimit;
use flowtop_core::record::{Gap, Record};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::Cause;
use rustix::process::{Pid, Signal, kill_process};

/// Bytes of the connection whose record is looked at.
const SENT: usize = 3_000_000;
const ANSWERED: usize = 70_001;

fn flowtop(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(args).env_remove("XDG_CONFIG_HOME").env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `flowtop record -o dir` with more flags.
fn record(dir: &Path, args: &[&str]) -> Command {
    let mut command = flowtop(&["record", "-o"]);
    command.arg(dir).args(args);
    command
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A run whose window has begun.
struct Running(Child, BufReader<ChildStderr>);

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("recording to ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "flowtop ended");
        }
        Self(child, stderr)
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Exit code, and the rest of stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        (self.0.wait().unwrap().code(), rest)
    }
}

fn open(dir: &Path) -> Recordings {
    recordings::open(&[dir.to_owned()]).unwrap()
}

/// All records of a directory without damage.
fn records(dir: &Path) -> Vec<Record> {
    let recordings = open(dir);
    assert_eq!(recordings.damage(), []);
    recordings.records(|_| true).map(Result::unwrap).collect()
}

#[test]
fn it_can_be_read_while_it_is_written_and_ends_with_a_shorter_window() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
    wait_for(dir.path(), 2);
    running.send(Signal::TERM);
    let (code, said) = running.end();
    let records = records(dir.path());
    let bytes: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let here = dir.path().display();
    let noun = if records.len() == 1 { "record" } else { "records" };
    let expected = format!("flowtop: {} {noun} in {here}, {bytes} bytes\n", records.len());
    assert_eq!((code, said), (Some(0), expected));
    for pair in records.windows(2) {
        assert_eq!(
            (pair[0].host.clone(), pair[0].span.end_ns),
            (pair[1].host.clone(), pair[1].span.start_ns)
        );
    }
    // The window that the signal has ended may be too short for any traffic.
    assert!(records.last().unwrap().span.length_ns() < 1_500_000_000);
    assert!(records[..2].iter().all(|record| record.totals != Bytes::default()));
}

#[test]
fn what_moves_between_two_windows_is_told_by_the_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--demo", "--every", "3s", "--for", "1s", "--count", "3"];
    let output = record(dir.path(), &args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let records = records(dir.path());
    let gaps: Vec<_> = records.iter().map(|record| record.gap).collect();
    assert_eq!((records.len(), gaps[0]), (3, None));
    for (pair, gap) in records.windows(2).zip(&gaps[1..]) {
        let gap = gap.unwrap();
        assert_eq!(gap.start_ns, pair[0].span.end_ns);
        assert!(gap.totals.tx > 0 && gap.totals.rx > 0);
    }
}

#[test]
fn a_connection_that_lives_between_two_windows_is_in_the_gap() {
    if !can_count() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let filter = format!("port {}", listener.local_addr().unwrap().port());
    let running = Running::start(record(dir.path(), &["--every", "4s", "--for", "1s", "-f", &filter]));
    // Three seconds are left from the end of a window that began when the clock showed a multiple of four.
    wait_for(dir.path(), 2);
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = listener.accept().unwrap().0;
    client.write_all(&vec![2; ANSWERED]).unwrap();
    server.read_exact(&mut vec![0; ANSWERED]).unwrap();
    drop((client, server));
    wait_for(dir.path(), 3);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
    let records = records(dir.path());
    assert!(records.iter().all(|record| record.flows.is_empty() && record.totals == Bytes::default()));
    let gap = Gap { start_ns: records[1].span.end_ns, totals: Bytes { tx: ANSWERED as u64, rx: 0 } };
    assert_eq!(records[2].gap, Some(gap));
}

#[test]
fn a_run_that_is_killed_leaves_every_record_before() {
    let dir = tempfile::tempdir().unwrap();
    let (mut random, mut before) = (std::process::id(), 0);
    for _ in 0..5 {
        let mut running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
        wait_for(dir.path(), before + 1);
        // About when the next record is written.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let past_second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
        thread::sleep(Duration::from_micros(u64::from(1_000_000 - past_second + random % 10_000)));
        running.0.kill().unwrap();
        running.end();
        let left = open(dir.path());
        let whole = left.records(|_| true).map(Result::unwrap).count();
        assert!(whole > before && left.damage().iter().all(|damaged| damaged.damage.cause == Cause::Torn));
        before = whole;
    }
    let output = record(dir.path(), &["--demo", "--every", "1s", "--count", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(records(dir.path()).len(), before + 1);
}

#[test]
fn a_second_run_ends_and_leaves_a_mark() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
    let second = record(dir.path(), &["--demo"]).output().unwrap();
    let here = dir.path().display();
    let expected = format!("flowtop: {here}: another flowtop records there, so this run ends\n");
    assert_eq!((second.status.code(), stderr(&second)), (Some(0), &expected[..]));
    running.send(Signal::INT);
    assert_eq!(running.end().0, Some(0));
    let turned_away: usize = records(dir.path()).iter().map(|record| record.lock_conflicts_us.len()).sum();
    assert_eq!(turned_away, 1);
}

/// Its last window ends with it, as with SIGTERM.
#[test]
fn a_terminal_that_goes_away_ends_a_run_in_order_unless_somebody_said_nohup() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--demo", "--every", "1m"];
    let running = Running::start(record(dir.path(), &args));
    running.send(Signal::HUP);
    let (code, said) = running.end();
    assert!(code == Some(0) && said.starts_with("flowtop: 1 record in "), "{said}");
    assert_eq!(records(dir.path()).len(), 1);

    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" record --demo --every 1s -o \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_flowtop")).arg(dir.path()).stderr(Stdio::piped());
    let running = Running::start(command);
    running.send(Signal::HUP);
    wait_for(dir.path(), 2);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
}

/// A run that was started within the hour, as after a reboot, and the one of the full hour.
#[test]
fn runs_with_a_number_of_records_hand_over_without_a_hole_or_a_double() {
    let dir = tempfile::tempdir().unwrap();
    let first = Running::start(record(dir.path(), &["--demo", "--every", "1s", "--count", "6"]));
    wait_for(dir.path(), 1);
    // It has to wait for longer than it waits for any other run.
    let second = record(dir.path(), &["--demo", "--every", "1s", "--count", "9"]).output().unwrap();
    assert_eq!(first.end().0, Some(0));
    let here = dir.path().display();
    let waits =
        format!("flowtop: {here}: another flowtop records there; this run goes on when it has ended\n");
    let said = stderr(&second);
    assert!(second.status.code() == Some(0) && said.starts_with(&waits), "{said}");
    let records = records(dir.path());
    // Nine records' time from where the second one began, which is in the first or the second window of the other.
    assert!((9..=11).contains(&records.len()), "{} records: {said}", records.len());
    for pair in records.windows(2) {
        let apart_ns = pair[1].span.start_ns.checked_sub(pair[0].span.end_ns).expect("a double");
        // Within the first run there is nothing between two records; to the second one it takes a start of flowtop.
        assert!(apart_ns < 1_000_000_000, "{apart_ns} ns");
    }
    assert_eq!(records.iter().filter(|record| !record.lock_conflicts_us.is_empty()).count(), 0);
}

#[test]
fn a_run_whose_time_is_over_before_its_turn_ends_in_silence_and_leaves_a_mark() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
    let second =
        record(dir.path(), &["--demo", "--every", "1s", "--count", "4", "--quiet"]).output().unwrap();
    assert_eq!((second.status.code(), stderr(&second)), (Some(0), ""));
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
    assert_eq!(records(dir.path()).iter().map(|record| record.lock_conflicts_us.len()).sum::<usize>(), 1);
    // One that waits can be told to end.
    let running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
    let mut command = record(dir.path(), &["--demo", "--every", "1h", "--count", "4"]);
    let mut second = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(second.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("this run goes on when it has ended"), "{line}");
    kill_process(Pid::from_child(&second), Signal::TERM).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(0));
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_full_disk_costs_the_records_that_do_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let [mount, copy] = ["mount", "copy"].map(|name| dir.path().join(name));
    fs::create_dir(&mount).unwrap();
    // Three pages, of which the lock takes none.
    let script = "mount -t tmpfs -o size=12k,mode=700 tmpfs \"$1\" || exit 77
        \"$0\" record --demo --every 1s --count 9 -o \"$1\"
        code=$?
        cp -r \"$1\" \"$2\"
        exit $code";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_flowtop")]).args([&mount, &copy]);
    let output = command.output().unwrap();
    if !rustix::process::geteuid().is_root() || output.status.code() == Some(77) {
        return tools::skip("needs root, and to mount");
    }
    let said = stderr(&output);
    let left = records(&copy).len();
    assert!((1..9).contains(&left), "{left} records: {said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines = said.lines().filter(|line| line.contains("a record is not written: cannot write")).count();
    assert_eq!(lines, 9 - left, "{said}");
    assert!(said.contains(&format!("{} of 9 records are not in", 9 - left)), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
}

#[test]
fn a_record_has_the_bytes_that_were_sent() {
    if !can_count() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let filter = format!("port {port}");
    let running = Running::start(record(dir.path(), &["--every", "1s", "-f", &filter]));
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.read_exact(&mut vec![0; SENT]).unwrap();
        stream.write_all(&vec![1; ANSWERED]).unwrap();
    });
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let local = client.local_addr().unwrap();
    let (first, second) = (vec![2; SENT / 2], vec![3; SENT - SENT / 2]);
    client.write_all(&first).unwrap();
    // In another window.
    wait_for(dir.path(), 1);
    client.write_all(&second).unwrap();
    client.read_exact(&mut vec![0; ANSWERED]).unwrap();
    server.join().unwrap();
    drop(client);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));

    let records = records(dir.path());
    let of_client = |record: &Record| {
        record.flows.iter().filter(|flow| flow.tuple().local == local).cloned().collect::<Vec<_>>()
    };
    let flows: Vec<_> = records.iter().flat_map(of_client).collect();
    let expected = Bytes { tx: SENT as u64, rx: ANSWERED as u64 };
    assert_eq!(flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes), expected);
    assert_eq!(flows.last().unwrap().lifetime(), expected);
    assert!(
        flows.iter().all(|flow| flow.flow.pid == std::process::id() && !flow.is_right && flow.peer.is_some())
    );
    let totals = records.iter().fold(Bytes::default(), |sum, record| sum + record.totals);
    assert_eq!(totals, expected);
    assert_eq!(records[0].limits.0, [TrafficLimit::Filter(filter)]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let said = |args: &[&str]| {
        let output = record(&file, args).output().unwrap();
        (output.status.code(), stderr(&output).to_owned())
    };
    let long = "flowtop: --for: give a time that is not longer than --every\n";
    assert_eq!(said(&["--every", "5s", "--for", "6s"]), (Some(2), long.to_owned()));
    let (code, text) = said(&["--demo"]);
    let cannot = format!("flowtop: {} is a file, not a directory; give another one\n", file.display());
    assert_eq!((code, text), (Some(1), cannot));
    assert_eq!(said(&["--every", "soon"]).0, Some(2));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The lines of docs/recordings.md for cron, with everything that takes long or is elsewhere replaced.
#[test]
fn the_lines_for_cron_work_as_they_stand() {
    if !can_count() {
        return;
    }
    let page = fs::read_to_string(root().join("docs/recordings.md")).unwrap();
    let lines = page.split("```cron\n").nth(1).unwrap().split("```").next().unwrap();
    let jobs: Vec<_> = lines.lines().filter_map(|line| line.split_once("  root  ")).collect();
    assert_eq!(jobs.len(), 3);
    // From the boot on, and then at every full hour.
    assert_eq!((jobs[0].0.trim(), jobs[0].1), ("@reboot", jobs[1].1));
    let dir = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_flowtop")).parent().unwrap();
    let path = std::env::join_paths([own.to_owned(), "/usr/bin".into(), "/bin".into()]).unwrap();
    let log = dir.path().join("flowtop.log");
    for (times, job) in jobs {
        assert!(times.trim() == "@reboot" || times.split_whitespace().count() == 5, "{times}");
        assert!(!job.contains('%'), "cron takes % for the end of a line");
        let job = job.replace("/var/log/flowtop.log", log.to_str().unwrap());
        let job = job.replace("-s 55", "-s 1").replace("--count 60", "--count 1 --every 1s");
        let mut command = Command::new("sh");
        command.args(["-c", &job]).env_clear().env("PATH", &path).env("STATE_DIRECTORY", dir.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        // cron mails any output.
        assert_eq!(
            (stderr(&output), &output.stdout[..], output.status.code()),
            ("", &b""[..], Some(0)),
            "{job}"
        );
    }
    assert_eq!(records(dir.path()).len(), 2);
    // The log is as private as the records: it says who talks to whom.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log), 0o600);
    assert!(fs::read_to_string(log).unwrap().contains("Total send rate"));
    for file in fs::read_dir(dir.path()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn systemd_takes_the_units() {
    let Some(analyze) = tools::find("systemd-analyze") else { return };
    let dir = tempfile::tempdir().unwrap();
    let names = ["flowtop-record.service", "flowtop-record-hour.service", "flowtop-record-hour.timer"];
    let units = names.map(|name| {
        let unit = fs::read_to_string(root().join("packaging").join(name)).unwrap();
        let here = dir.path().join(name);
        fs::write(&here, unit.replace("/usr/sbin/flowtop", env!("CARGO_BIN_EXE_flowtop"))).unwrap();
        here
    });
    let output = Command::new(analyze).args(["verify", "--man=no"]).args(&units).output().unwrap();
    let of_ours = stderr(&output).lines().any(|line| line.contains("flowtop"));
    assert!(output.status.success() && !of_ours, "{}", stderr(&output));
}

/// A boot, a full hour, and a run that has ended or found the directory locked: all of them start the next run.
#[test]
fn the_units_leave_no_time_without_a_recorder() {
    let lines = |name: &str| -> Vec<String> {
        let unit = fs::read_to_string(root().join("packaging").join(name)).unwrap();
        unit.lines().map(str::to_owned).collect()
    };
    let has = |name: &str, wanted: &[&str]| {
        let lines = lines(name);
        assert!(wanted.iter().all(|wanted| lines.iter().any(|line| line == wanted)), "{name}: {lines:?}");
    };
    has("flowtop-record.service", &["Restart=always", "RestartSec=10", "WantedBy=multi-user.target"]);
    has(
        "flowtop-record-hour.timer",
        &["OnBootSec=10s", "OnCalendar=hourly", "OnUnitInactiveSec=1s", "WantedBy=timers.target"],
    );
    has("flowtop-record-hour.service", &["Restart=on-failure", "RestartSec=10"]);
    let Some(analyze) = tools::find("systemd-analyze") else { return };
    for (command, time) in
        [("calendar", "hourly"), ("timespan", "10s"), ("timespan", "1s"), ("timespan", "100ms")]
    {
        let output = Command::new(&analyze).args([command, time]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

/// The commands of the units, run as the units confine them: all files but those of the state directory are read-only,
/// no rights can be gained, and the environment holds that directory alone.
#[test]
fn what_the_units_run_records() {
    if !can_count() {
        return;
    }
    for name in ["flowtop-record.service", "flowtop-record-hour.service"] {
        let unit = fs::read_to_string(root().join("packaging").join(name)).unwrap();
        let rights = format!("CapabilityBoundingSet={}", rights::all_names());
        for setting in ["StateDirectory=flowtop", "ProtectSystem=strict", "NoNewPrivileges=yes", &rights] {
            assert!(unit.lines().any(|line| line == setting), "{name}: {setting}");
        }
        let run = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/sbin/flowtop ")).unwrap();
        let run = format!("{} --every 1s --count 1", run.replace(" --count 60", ""));
        let bounds =
            format!("-all,{}", rights::all_names().to_lowercase().replace("cap_", "+").replace(' ', ","));
        let state = tempfile::tempdir().unwrap();
        let script = format!(
            "mount --bind \"$STATE_DIRECTORY\" \"$STATE_DIRECTORY\" && mount -o remount,bind,ro / && \
             ! touch /var/flowtop-was-here 2>/dev/null && exec setpriv --no-new-privs \
             --bounding-set={bounds} \"$0\" {run}"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_flowtop")]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("STATE_DIRECTORY", state.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!((stderr(&output), output.status.code()), ("", Some(0)), "{name}");
        assert_eq!(records(state.path()).len(), 1, "{name}");
    }
}

#[test]
fn logrotate_takes_its_file() {
    let Some(logrotate) = tools::find("logrotate") else { return };
    let dir = tempfile::tempdir().unwrap();
    let [log, state, file] = ["flowtop.log", "state", "logrotate"].map(|name| dir.path().join(name));
    fs::write(&log, "a report\n").unwrap();
    let text = fs::read_to_string(root().join("packaging/flowtop.logrotate")).unwrap();
    // Only root can give a file to root.
    let text = if rustix::process::geteuid().is_root() { text } else { text.replace(" root root", "") };
    fs::write(&file, text.replace("/var/log/flowtop.log", log.to_str().unwrap())).unwrap();
    let mut command = Command::new(logrotate);
    let output = command.arg("--force").arg("--state").args([&state, &file]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(dir.path().join("flowtop.log.1")).unwrap(), "a report\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}
