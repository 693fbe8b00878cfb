//! The examples of README.md and docs/, run as they stand there: every command line in a block for shells or for cron.
//!
//! Only what would take long, needs a certain machine, or lies outside of a folder of the test is replaced, by
//! [`REPLACED`]. Whatever does not end by itself is told to end once it heeds that.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::{iter, thread};

use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::flow::Tuple;
use flowtop_core::record::{FlowRecord, Host, Record, Span};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::encode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use super::*;

/// Replacements in a line. Each left side occurs in a document.
const REPLACED: &[(&str, &str)] = &[
    // The same program; that it can be built and run so, `cargo xtask test` shows.
    ("cargo run --release -- ", "flowtop "),
    // A second is as good.
    ("-s 10", "-s 1"),
    ("-s 60", "-s 1"),
    ("-s 55", "-s 1"),
    // Every machine has this interface.
    ("-i eth0", "-i lo"),
    // A path that only root may write, and the directory with the machine's own records.
    ("/var/log/flowtop.log", "flowtop.log"),
    ("/var/lib/flowtop", "recordings"),
];

/// Lines that are not run. Each of them stands in a document.
const NOT_RUN: &[&str] = &[
    // They build and install what is here already, or change the machine.
    "cargo build --release",
    "sudo install target/release/flowtop /usr/local/sbin/",
    "cargo install cargo-deb",
    "cargo deb -p flowtop",
    // It runs this test.
    "cargo xtask test",
];

/// How long a line may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Commands that read what has been recorded, and load nothing.
const OF_RECORDINGS: [&str; 2] = ["flowtop report ", "flowtop replay "];

/// README.md and all pages of docs/, by name.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    iter::once(root.join("README.md")).chain(pages).map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The lines of commands in the blocks of a text, without comments.
fn lines(text: &str) -> Vec<String> {
    let (mut found, mut block) = (Vec::new(), None);
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => block = block.is_none().then_some(language),
            None if block == Some("sh") => found.extend(of_shell(line)),
            None if block == Some("cron") => found.extend(of_cron(line)),
            None => {}
        }
    }
    found
}

fn of_shell(line: &str) -> Option<String> {
    let command = line.split(" #").next().unwrap_or_default().trim();
    (!command.is_empty() && !command.starts_with('#')).then(|| command.to_owned())
}

/// The command of a line of cron: the part behind the time (five fields, or a word like `@reboot`) and the user.
fn of_cron(line: &str) -> Option<String> {
    let is_setting = line.split_whitespace().next().is_some_and(|word| word.contains('='));
    if line.trim().is_empty() || line.starts_with('#') || is_setting {
        return None;
    }
    let before = if line.starts_with('@') { 2 } else { 6 };
    let words = line.split_whitespace().skip(before).collect::<Vec<_>>();
    Some(words.join(" "))
}

/// A line as it is run here.
fn replaced(line: &str) -> String {
    REPLACED.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
}

/// A folder with what the examples speak of, made up.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for folder in ["bin", "home", "state", "master-1", "master-2", "recordings"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flowtop"), place.path("bin/flowtop")).unwrap();
        fs::write(place.path("networks"), "10.0.0.0/8 vpc # comment\n").unwrap();
        for (folder, host) in [("master-1", "master-1"), ("master-2", "master-2"), ("recordings", "web-1")] {
            write_days(&place.path(folder), host);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A line for a shell, which becomes flowtop.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        let (before, last) =
            line.rsplit_once("; ").map_or(("", line), |(_, last)| line.split_at(line.len() - last.len()));
        command.args(["-c", &format!("{before}exec {last}")]).current_dir(&self.0).process_group(0);
        command.env("PATH", format!("{}:{path}", self.path("bin").display())).env("HOME", self.path("home"));
        // As systemd says where to record to.
        command.env("STATE_DIRECTORY", self.path("state")).env("TZ", "UTC").env("TERM", "xterm-256color");
        command
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("COLUMNS")
            .env_remove("FLOWTOP_TEST_TOOLS_REQUIRED")
            .env_remove("FLOWTOP_TEST_SKIPPED");
        command
    }
}

/// Records of the hour from 08:00 to 09:00 UTC, of today and the days around it, whenever the test runs.
fn write_days(folder: &Path, host: &str) {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    for day in -3..=1 {
        let day = today.checked_add(day.days()).unwrap();
        let file = folder.join(day.strftime("flowtop-%Y%m%dT08Z.rec").to_string());
        fs::write(
            file,
            (0..60).map(|minute| encode(&minute_of(day, minute, host))).collect::<Vec<_>>().concat(),
        )
        .unwrap();
    }
}

fn minute_of(day: Date, minute: u64, host: &str) -> Record {
    let midnight = day.to_zoned_datetime(TimeZone::UTC).unwrap().timestamp();
    let first_s = u64::try_from(midnight.as_second()).unwrap() + 8 * 3600 + minute * 60;
    let wall_us = |s: u64| i64::try_from(s * 1_000_000).unwrap();
    // The machine has been up since 1970.
    let [from_ns, to_ns] = [first_s, first_s + 60].map(|s| s * 1_000_000_000);
    let ends = ["192.0.2.1:443", "198.51.100.7:50000"].map(|end| end.parse().unwrap());
    let bytes = Bytes { tx: 1_000_000, rx: 60 };
    let flow = Flow {
        tx_bytes: bytes.tx * (minute + 1),
        rx_bytes: bytes.rx * (minute + 1),
        state: 1,
        flags: flags::BORN | flags::ACTIVE | flags::OPEN,
        pid: 100,
        comm: *b"nginx\0\0\0\0\0\0\0\0\0\0\0",
        ..Flow::default()
    };
    let key = FlowKey { id: 7, ..Tuple { local: ends[0], remote: ends[1] }.key() };
    let row =
        FlowRecord { key, flow, bytes, peak: bytes, users: 1, label: "vpc".into(), ..FlowRecord::default() };
    Record {
        host: Host { name: host.to_owned(), ..Host::default() },
        span: Span {
            start_us: wall_us(first_s),
            end_us: wall_us(first_s + 60),
            start_ns: from_ns,
            end_ns: to_ns,
        },
        flows: vec![row],
        ..Record::default()
    }
}

/// A terminal for the view, and the end of it that the program has.
fn terminal() -> (fs::File, std::os::fd::OwnedFd) {
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = rustix::termios::Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size).unwrap();
    (fs::File::from(ours), theirs)
}

/// Reads until the last writer has closed.
fn drained(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A terminal without an open slave returns an error instead of the end of the file.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Whether a process does something of its own when it is told to end: before that it would just be gone.
fn heeds_sigterm(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    caught & (1 << (Signal::TERM.as_raw() - 1)) != 0
}

/// Waits for the end of a process, and tells it to end if that has to be. The exit code; none if it takes too long.
fn ended(child: &mut Child, has_to_be_told: bool) -> Option<i32> {
    let (started, mut is_told) = (Instant::now(), !has_to_be_told);
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    // Nothing tells when it begins to heed a signal, so that is looked at again and again.
    let look_again = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    while poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&look_again)).unwrap() == 0 {
        if !is_told && heeds_sigterm(child.id()) {
            kill_process(Pid::from_child(child), Signal::TERM).unwrap();
            is_told = true;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap().code()
}

/// Runs a line to its end, which it is told if it does not come by itself. Exit code, stdout, stderr.
fn run(place: &Place, line: &str) -> (Option<i32>, Vec<u8>, String) {
    let is_view = line.starts_with("flowtop replay ") && !line.contains(" -t");
    let ends = ["-s ", "flowtop doctor", "flowtop report "].iter().any(|part| line.contains(part))
        || line.starts_with("flowtop replay ") && !is_view;
    let mut command = place.command(line);
    let on_terminal = is_view.then(|| {
        let (ours, theirs) = terminal();
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs);
        drained(ours)
    });
    if !is_view {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
    }
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // It holds the other end of the terminal.
    drop(command);
    let stdout = on_terminal.unwrap_or_else(|| drained(child.stdout.take().unwrap()));
    let stderr = drained(child.stderr.take().unwrap());
    let code = ended(&mut child, !ends);
    (code, stdout.join().unwrap(), String::from_utf8(stderr.join().unwrap()).unwrap())
}

#[test]
fn the_examples_of_the_documents_run_as_they_stand() {
    let place = Place::new();
    let lines: Vec<_> = documents().iter().flat_map(|page| lines(page)).collect();
    for part in REPLACED.iter().map(|(from, _)| from).chain(NOT_RUN) {
        assert!(lines.iter().any(|line| line.contains(part)), "`{part}` is in no document");
    }
    let counts = can_count();
    let mut ran = 0;
    for line in lines.iter().filter(|line| !NOT_RUN.contains(&line.as_str())) {
        let here = replaced(line);
        if !counts && !OF_RECORDINGS.iter().any(|command| here.starts_with(command)) {
            continue;
        }
        let (code, stdout, stderr) = run(&place, &here);
        assert_eq!(code, Some(0), "{line}\n{stderr}");
        let is_quiet = ["flowtop record", "flowtop watch"].iter().any(|start| here.starts_with(start));
        let writes_elsewhere = here.contains(">>");
        assert!(is_quiet || writes_elsewhere || !stdout.is_empty(), "{line}: nothing on stdout\n{stderr}");
        ran += 1;
    }
    assert!(ran >= OF_RECORDINGS.len(), "{ran}");
    if counts {
        assert!(fs::read_to_string(place.path("flowtop.log")).unwrap().contains("Total send rate"));
        assert!(place.path("DIR").is_dir() && place.path("state").read_dir().unwrap().next().is_some());
    }
}

#[test]
fn every_line_of_a_block_is_found_and_nothing_else() {
    let text = "a `flowtop` b\n```\nflowtop -t\n```\n```sh\n# all\nflowtop -t   # one\n\nflowtop -f 'a#b' -L 1\n```\nflowtop no\n\
                ```cron\n# c\nPATH=/bin\n0 * * * *  root  flowtop record --count 60\n@reboot root flowtop x >>y\n```\n";
    let found = ["flowtop -t", "flowtop -f 'a#b' -L 1", "flowtop record --count 60", "flowtop x >>y"];
    assert_eq!(lines(text), found);
}
