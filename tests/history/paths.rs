//! Many files, directories of hosts' directories, and hosts and paths that have nothing to tell.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// A connection that moves 1000 bytes a minute for ever.
fn steady() -> [Connection; 1] {
    let ends = ["192.0.2.1:443", "198.51.100.7:50000"];
    [Connection { id: 1, comm: "nginx", ends, life: 0..100_000, per_minute: Bytes { tx: 1000, rx: 0 } }]
}

fn minutes(host: &str, minutes: std::ops::Range<u64>) -> impl Iterator<Item = Record> {
    minutes.map(move |minute| record(host, minute, &steady()))
}

/// `flowtop` with at most so many files open at once.
fn with_descriptors(limit: u32, args: &[&str], dir: &Path) -> Output {
    let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_flowtop")]).args(args).arg(dir);
    command.env("TZ", "UTC").env("HOME", "/nonexistent").output().unwrap()
}

#[test]
fn more_files_than_there_are_descriptors_are_read() {
    let recorded = Recorded::new();
    for host in ["node-1", "node-2"] {
        let dir = recorded.dir(host);
        fs::create_dir_all(&dir).unwrap();
        for minute in minutes(host, 0..550) {
            let number = minute.span.start_ns / 60_000_000_000;
            fs::write(dir.join(format!("flowtop-{number:04}.rec")), encode(&minute)).unwrap();
        }
    }
    let report = with_descriptors(24, &["report", "--format", "json"], recorded.0.path());
    assert_eq!((report.status.code(), stderr(&report)), (Some(0), ""));
    let report: Value = serde_json::from_str(stdout(&report)).unwrap();
    assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(2 * 550 * 1000));
    let replay = with_descriptors(24, &["replay", "-t", "--format", "json"], recorded.0.path());
    assert_eq!(
        (replay.status.code(), stdout(&replay).lines().count()),
        (Some(0), 1100),
        "{}",
        stderr(&replay)
    );
}

/// The paths of a report from its directory on, with their records.
fn told_paths(report: &Value, recorded: &Recorded) -> Vec<(String, u64)> {
    let root = recorded.0.path().display().to_string();
    let path = |path: &Value| {
        (path["path"].as_str().unwrap().replace(&root, "DIR"), path["records"].as_u64().unwrap())
    };
    report["paths"].as_array().unwrap().iter().map(path).collect()
}

#[test]
fn a_directory_of_hosts_directories_is_read_one_level_deep() {
    let recorded = Recorded::new();
    let root = recorded.0.path().to_owned();
    recorded.write("node-1", minutes("node-1", 0..10));
    recorded.write("node-2", minutes("node-2", 0..10));
    recorded.write("node-1/deeper", minutes("node-4", 0..10));
    recorded.write(".hidden", minutes("node-5", 0..10));
    recorded.write("lost+found", minutes("node-6", 0..10));
    fs::create_dir(recorded.dir("node-7")).unwrap();
    // Links that lead round in circles, twice to the same, and nowhere.
    symlink(&root, recorded.dir("circle")).unwrap();
    symlink(recorded.dir("node-1"), recorded.dir("same")).unwrap();
    symlink(recorded.dir("none"), recorded.dir("broken")).unwrap();
    let report = json(&[], &[&root]);
    assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(20_000));
    let paths = [("DIR/node-1", 10), ("DIR/node-2", 10), ("DIR/node-7", 0)];
    assert_eq!(told_paths(&report, &recorded), paths.map(|(path, records)| (path.to_owned(), records)));
    // A directory may be both, and a path that is named twice counts once.
    recorded.write(".", minutes("node-3", 0..10));
    let all = json(&[], &[&root, &recorded.dir("node-2"), &root]);
    assert_eq!(all["total"]["tx_bytes"].as_u64(), Some(30_000));
    assert_eq!(told_paths(&all, &recorded)[0].1, 10);
    let hosts: Vec<_> = all["hosts"].as_array().unwrap().iter().map(|host| &host["node"]).collect();
    assert_eq!(hosts, ["node-1", "node-2", "node-3"]);
    let replay = Command::new(env!("CARGO_BIN_EXE_flowtop"))
        .args(["replay", "-t", "--format", "json"])
        .arg(&root)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!((replay.status.code(), stdout(&replay).lines().count()), (Some(0), 30), "{}", stderr(&replay));
    // A pipe that has taken the name of a directory or of a file is passed over.
    let pipe = recorded.dir("node-2").join("flowtop-pipe.rec");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(json(&[], &[&root])["total"]["tx_bytes"].as_u64(), Some(30_000));
}

#[test]
fn a_host_directory_that_cannot_be_read_is_said_and_costs_no_other() {
    let recorded = Recorded::new();
    recorded.write("node-1", minutes("node-1", 0..10));
    let closed = recorded.write("node-2", minutes("node-2", 0..10));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is closed to root unless it has no capabilities.
    let flowtop = env!("CARGO_BIN_EXE_flowtop");
    let words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", flowtop];
    let words = if rustix::process::geteuid().is_root() { &words[..] } else { &words[3..] };
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).arg("report").arg(recorded.0.path()).output().unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = format!("cannot read {}: Permission denied (os error 13)", closed.display());
    assert!(stdout(&output).lines().any(|line| line == said), "{}", stdout(&output));
}

#[test]
fn hosts_and_paths_without_a_record_in_the_period_are_said() {
    let recorded = Recorded::new();
    let now = recorded.write("now", minutes("node-1", 0..60));
    let late = recorded.write("late", minutes("node-2", 90..120));
    let old = recorded.write("old", minutes("node-1", 200..210));
    let empty = recorded.dir("empty");
    fs::create_dir(&empty).unwrap();
    let paths: [&Path; 4] = [&now, &late, &old, &empty];
    let text = report(&HOUR, &paths);
    let root = recorded.0.path().display().to_string();
    let said: Vec<_> = stdout(&text).lines().take_while(|line| !line.starts_with('-')).collect();
    let said = said.join("\n").replace(&root, "DIR");
    assert_eq!(
        said,
        "2026-11-20 08:00:00 +00:00 to 2026-11-20 09:00:00 +00:00 (UTC)\n\
         node-1: 60 records cover 100.0 % (1 h 0 min)\n\
         node-2: no record in this period; its records are from 2026-11-20 09:30:00 +00:00 to 2026-11-20 10:00:00 +00:00\n\
         DIR/late: no record in this period; its records are from 2026-11-20 09:30:00 +00:00 to 2026-11-20 10:00:00 +00:00\n\
         DIR/old: no record in this period; its records are from 2026-11-20 11:20:00 +00:00 to 2026-11-20 11:30:00 +00:00\n\
         DIR/empty: no recording"
    );
    let csv = report(&[&HOUR[..], &["--format", "csv"]].concat(), &paths);
    let lines: Vec<_> = stderr(&csv).lines().map(|line| line.replace("flowtop: ", "")).collect();
    assert_eq!(lines.join("\n").replace(&root, "DIR"), said);
    let json = json(&HOUR, &paths);
    let [first, second] = [0, 1].map(|number| &json["hosts"][number]);
    assert_eq!((&first["node"], first["records"].as_u64()), (&"node-1".into(), Some(60)));
    let told = (&second["node"], second["records"].as_u64(), second["covered_s"].as_f64());
    assert_eq!(told, (&"node-2".into(), Some(0), Some(0.0)));
    assert_eq!((&second["first"], &second["recorded_from"]), (&Value::Null, &"2026-11-20T09:30:00Z".into()));
    assert_eq!((second["gaps"].as_u64(), second["longest_gap_s"].as_f64()), (Some(1), Some(3600.0)));
    let told = told_paths(&json, &recorded);
    let paths = [("DIR/now", 60), ("DIR/late", 0), ("DIR/old", 0), ("DIR/empty", 0)];
    assert_eq!(told, paths.map(|(path, records)| (path.to_owned(), records)));
    assert_eq!(json["paths"][3]["recorded_from"], Value::Null);
    // Both periods of a comparison say it.
    let other =
        ["--from", "2026-11-20 09:30", "--to", "2026-11-20 10:00", "--diff", "2026-11-20 08:00..09:00"];
    let diff = self::json(&other, &[&now, &late]);
    let records = |of: &Value| {
        let hosts = of["hosts"].as_array().unwrap().iter().map(|host| host["records"].as_u64().unwrap());
        hosts.collect::<Vec<_>>()
    };
    assert_eq!((records(&diff), records(&diff["before"])), (vec![0, 30], vec![60, 0]));
}

#[test]
fn a_host_whose_records_of_the_period_are_damaged_is_said() {
    let recorded = Recorded::new();
    let one = recorded.write("one", minutes("node-1", 0..3));
    let two = recorded.write("two", minutes("node-2", 0..1));
    let file = two.join("flowtop-20261120T08Z.rec");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let output = report(&[], &[&one, &two]);
    let line = "node-2: 1 record of this period could not be read, and there is no other";
    assert!(stdout(&output).lines().any(|said| said == line), "{}", stdout(&output));
}
