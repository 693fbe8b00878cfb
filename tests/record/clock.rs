//! `flowtop record` while the wall clock is set, and on a host that reboots between two runs.

use std::time::Instant;

use serde_json::Value;

use super::*;

/// How long a throttled process may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A clock on the wall that can be set while a command looks at it.
struct Clock {
    file: PathBuf,
    library: String,
}

impl Clock {
    /// `None` where the library is not installed.
    fn in_dir(dir: &Path) -> Option<Self> {
        let faketime = tools::find("faketime")?;
        let output = Command::new(faketime).args(["-f", "+0", "printenv", "LD_PRELOAD"]).output().unwrap();
        let library = std::str::from_utf8(&output.stdout).unwrap().trim().to_owned();
        assert!(output.status.success() && !library.is_empty(), "{}", stderr(&output));
        Some(Self { file: dir.join("clock"), library })
    }

    /// Sets it so far off the right time.
    fn set(&self, off: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, off).unwrap();
        // A rename, so that no reader sees half of it.
        fs::rename(new, &self.file).unwrap();
    }

    fn give(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }
}

fn totals(records: &[Record]) -> Bytes {
    records.iter().fold(Bytes::default(), |sum, record| sum + record.totals)
}

fn ns(records: &[Record]) -> u64 {
    records.iter().map(|record| record.span.length_ns()).sum()
}

/// `flowtop report` of all that there is.
fn report(dir: &Path) -> Value {
    let output = flowtop(&["report", "--by", "process", "--format", "json"])
        .arg(dir)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bytes_of(sums: &Value) -> Bytes {
    let of = |name: &str| sums[name].as_u64().unwrap();
    Bytes { tx: of("tx_bytes"), rx: of("rx_bytes") }
}

/// A report has every byte of these records once, and rates over the time of the monotonic clock.
fn assert_has_all(report: &Value, records: &[Record]) {
    let rows = report["groups"].as_array().unwrap().iter().map(bytes_of);
    // Of a connection with both ends here each is in the group of its process.
    let all = totals(records) + bytes_of(&report["local_twice"]);
    assert_eq!(rows.fold(Bytes::default(), |sum, row| sum + row), all);
    assert_eq!(bytes_of(&report["total"]), totals(records));
    assert_eq!(report["hosts"][0]["records"], records.len());
    assert_eq!(report["not_counted"]["unknown_in_gaps"], 0);
    // Both clocks are read within a fraction of a millisecond, also where a library answers for one of them. Less than a
    // tenth of a second between two runs counts as covered.
    let off_s = report["counted_s"].as_f64().unwrap() - ns(records) as f64 / 1e9;
    assert!((-1e-3..0.1).contains(&off_s), "{off_s} s, {report}");
}

/// The captions that `flowtop replay -t` prints, one for each record.
fn replayed(dir: &Path) -> Vec<String> {
    let output = flowtop(&["replay", "-t"]).arg(dir).env("TZ", "UTC").output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().filter(|line| line.contains(", means over ")).map(str::to_owned).collect()
}

#[test]
fn a_clock_that_is_set_costs_no_record_and_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let Some(clock) = Clock::in_dir(dir.path()) else { return };
    let out = dir.path().join("records");
    // Before the clock is set, the first record is older than --keep-days.
    clock.set("-400d");
    let command = record(&out, &["--demo", "--every", "1s", "--keep-days", "30"]);
    let running = Running::start(clock.give(command));
    wait_for(&out, 2);
    clock.set("+0");
    wait_for(&out, 4);
    clock.set("-3h");
    wait_for(&out, 6);
    running.send(Signal::TERM);
    let (code, said) = running.end();
    let first = records(&out);
    assert_eq!(code, Some(0));
    assert!(said.starts_with(&format!("flowtop: {} records in ", first.len())), "{said}");
    assert!(first.windows(2).all(|pair| pair[0].span.end_ns == pair[1].span.start_ns), "a record is missing");
    assert!(
        first.windows(2).any(|pair| pair[0].span.end_us > pair[1].span.end_us),
        "nobody has set the clock"
    );
    let of_first = report(&out);
    assert_has_all(&of_first, &first);
    assert_eq!(of_first["hosts"][0]["clock_steps"], 2);

    // A run after it, on a clock that was set back once more.
    clock.set("-5h");
    let command = record(&out, &["--demo", "--every", "1s", "--count", "2", "--keep-days", "30"]);
    let output = clock.give(command).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let all = records(&out);
    assert_eq!(all[..first.len()], first);
    assert_eq!(replayed(&out).len(), all.len());
    assert_eq!(all.len(), first.len() + 2);
    assert_eq!(report(&out)["hosts"][0]["clock_steps"], 3);
}

/// Gives a process about a millisecond of time in six hundred, as a quota of its cgroup does, until there are so many
/// records: so it stands still between any two of its instructions.
fn throttle(running: &Running, dir: &Path, records: usize) {
    let until = Instant::now() + PATIENCE;
    while records::read(dir).len() < records {
        assert!(Instant::now() < until, "there are no {records} records");
        running.send(Signal::STOP);
        thread::sleep(Duration::from_millis(600));
        let (before, given) = (ran_ns(running), Instant::now());
        running.send(Signal::CONT);
        // It may have nothing to do, or wait for a processor as others do.
        while ran_ns(running) < before + 1_000_000 && given.elapsed() < Duration::from_millis(20) {
            thread::sleep(Duration::from_micros(200));
        }
    }
    running.send(Signal::CONT);
}

/// How long the thread that counts has run, in ns.
fn ran_ns(running: &Running) -> u64 {
    let times = fs::read_to_string(format!("/proc/{}/schedstat", running.0.id())).unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

/// How far the two clocks are apart at the end of a record, in µs.
fn offset_us(record: &Record) -> i64 {
    record.span.end_us - i64::try_from(record.span.end_ns / 1000).unwrap()
}

#[test]
fn on_a_busy_host_nobody_has_set_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(record(dir.path(), &["--demo", "--every", "1s"]));
    throttle(&running, dir.path(), 6);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
    let records = records(dir.path());
    let offsets: Vec<_> = records.iter().map(offset_us).collect();
    let (least, most) = (offsets.iter().min().unwrap(), offsets.iter().max().unwrap());
    // A clock that is slewed goes wrong by 0.5 ms in a second.
    assert!(most - least < 50_000, "{offsets:?}");
    assert_eq!(report(dir.path())["hosts"][0]["clock_steps"], 0);
}

#[test]
fn time_that_a_clock_shows_twice_counts_twice() {
    let dir = tempfile::tempdir().unwrap();
    let Some(clock) = Clock::in_dir(dir.path()) else { return };
    let out = dir.path().join("records");
    clock.set("+0");
    let running = Running::start(clock.give(record(&out, &["--demo", "--every", "1s"])));
    wait_for(&out, 3);
    clock.set("-2");
    wait_for(&out, 7);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
    let records = records(&out);
    let report = report(&out);
    assert_has_all(&report, &records);
    let repeated_s = report["hosts"][0]["repeated_s"].as_f64().unwrap();
    assert!((repeated_s - 2.0).abs() < 0.5, "{report}");
}

#[test]
fn after_a_reboot_nothing_is_closed_and_nothing_is_lost() {
    if !tools::has_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [out, boot_id] = ["records", "boot_id"].map(|name| dir.path().join(name));
    fs::write(&boot_id, "6d0bf0b5-0c1f-4c39-9a4e-1c4f7c8f5a11\n").unwrap();
    // A life of the host that has lasted ten days more: a time namespace that flowtop does not see through.
    let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id || exit 77
        mount --bind /dev/null /proc/$$/timens_offsets || exit 77
        exec \"$0\" record --demo --every 1s --count 2 -o \"$2\"";
    let mut before = Command::new("unshare");
    before.args(["--mount", "--time", "--fork", "--monotonic", "864000", "sh", "-c", script]);
    let output = before.arg(env!("CARGO_BIN_EXE_flowtop")).args([&boot_id, &out]).output().unwrap();
    if !out.exists() {
        return tools::skip(format!("no time namespaces: {}", stderr(&output)));
    }
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = records(&out);
    let output = record(&out, &["--demo", "--every", "1s", "--count", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let all = records(&out);
    assert_eq!((&all[..2], all.len()), (&first[..], 4));
    assert!(all[2].span.end_ns < all[1].span.start_ns && all[2].host.boot_id != all[1].host.boot_id);
    assert_eq!(all[2].host.machine_id, all[1].host.machine_id);
    let report = report(&out);
    assert_has_all(&report, &all);
    let host = &report["hosts"][0];
    assert_eq!((&host["reboots"], &host["clock_steps"]), (&1.into(), &0.into()));
    assert_eq!(report["hosts"].as_array().map(Vec::len), Some(1));
    let anew: Vec<_> = replayed(&out).iter().map(|line| line.contains("started anew before")).collect();
    assert_eq!(anew, [false, false, true, false]);
}
