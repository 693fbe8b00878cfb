//! The machine formats as programs of others read them: Python's csv and json, `DuckDB` and jq. Every key and every pair of
//! keys, in both formats, of every command that writes them.
//!
//! It is a program of its own since it takes every processor for most of its time.
//!
//! This file makes the outputs; `formats/reader.py` and `formats/sums.jq` check them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{slice, thread};

use serde_json::{Value, json};

use flowtop_core::group;

#[path = "formats/hosts.rs"]
mod hosts;
#[path = "formats/live.rs"]
mod live;
#[path = "formats/manifest.rs"]
mod manifest;
#[allow(dead_code, reason = "each test file needs a part")]
mod tools;

/// Some of the larger groups: those whose keys show the same fields, and those of many fields.
const LARGER: [&str; 9] = [
    "net/24,net/16",
    "net/0,net/24,net/32",
    "namespace,pod,container",
    "pod,remote-pod,namespace",
    "flow,process,user,unit",
    "label,user,netns,flow",
    "container,pod,netns,label",
    "peer,host,flow,remote-port",
    "net/24,net/8,pod,namespace",
];

/// Pairs of keys that are tried live as well: those of which both show the same field, or more than one.
const LIVE_PAIRS: [&str; 8] = [
    "namespace,pod",
    "pod,namespace",
    "user,process",
    "unit,peer",
    "flow,netns",
    "container,label",
    "net/24,net/16",
    "flow,process,user,unit",
];

const FORMATS: [&str; 2] = ["json", "csv"];

/// Fields in an order of their own, with and without the one that says which lines are no rows.
const FLOW_FIELDS: [&str; 3] = [
    "tx_bytes,owner,pod,comm,rx_bytes,peer_comm,label",
    "comm,remote_addr",
    "rx_bytes,tx_rate_40s,users,owner,initiator,age_s,command,tx_bytes,peer_tx_bytes,remote_pod",
];
const GROUP_FIELDS: [[&str; 2]; 3] = [
    ["pod,label", "tx_bytes,owner,label,rx_bytes,namespace"],
    ["net/24,net/16", "remote_net_16,rx_bytes,owner,tx_bytes,remote_net"],
    ["process", "comm,connections"],
];

/// A command line in each of the formats, and what the reader has to know of it.
#[derive(Clone)]
struct Asked {
    kind: &'static str,
    args: Vec<String>,
    paths: Vec<PathBuf>,
    by: Option<String>,
    fields: Option<String>,
    /// Of which records it is, by their name in the manifest.
    records: &'static str,
    /// Whether it is of all that is in them.
    is_exact: bool,
    /// Bytes that are in the records of two hosts.
    seen_twice: Option<u64>,
}

impl Asked {
    fn new(kind: &'static str, args: &[&str], records: &'static str, paths: &[PathBuf]) -> Self {
        Self {
            kind,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            paths: paths.to_vec(),
            by: None,
            fields: None,
            records,
            is_exact: true,
            seen_twice: None,
        }
    }

    fn by(&self, by: &str) -> Self {
        Self { by: Some(by.to_owned()), ..self.clone() }
    }

    fn fields(&self, fields: &str) -> Self {
        Self { fields: Some(fields.to_owned()), ..self.clone() }
    }

    /// The same of a part of the records.
    fn with(&self, args: &[&str]) -> Self {
        let mut asked = self.clone();
        asked.args.extend(args.iter().map(|&arg| arg.to_owned()));
        Self { is_exact: false, ..asked }
    }

    fn command(&self, format: &str) -> Vec<String> {
        let mut command = self.args.clone();
        command.extend(["--format", format].map(str::to_owned));
        for (flag, value) in [("--by", &self.by), ("--fields", &self.fields)] {
            command.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        command.extend(self.paths.iter().map(|path| path.display().to_string()));
        command
    }

    fn file(number: usize, format: &str) -> String {
        format!("{number:04}.{format}")
    }

    fn told(&self, dir: &Path, number: usize, format: &str) -> Value {
        json!({
            "file": dir.join(Self::file(number, format)),
            "command": format!("flowtop {}", self.command(format).join(" ")),
            "kind": self.kind,
            "format": format,
            "by": words(self.by.as_deref()),
            "fields": words(self.fields.as_deref()),
            "records": self.records,
            "is_exact": self.is_exact,
            "seen_twice": self.seen_twice,
            "has_border": self.args.iter().any(|arg| arg == "-F"),
        })
    }
}

fn words(text: Option<&str>) -> Option<Vec<&str>> {
    text.map(|text| text.split(',').collect())
}

/// Every key, every ordered pair of them, and some larger groups.
fn all_groups() -> Vec<String> {
    let pairs =
        group::words().flat_map(|a| group::words().filter(move |b| *b != a).map(move |b| format!("{a},{b}")));
    group::words().chain(LARGER).map(str::to_owned).chain(pairs).collect()
}

/// flowtop without configuration files, with times in UTC.
fn flowtop(args: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(args).env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").env("TZ", "UTC");
    command.stdin(Stdio::null());
    command
}

/// Runs flowtop with its output in a file. What it says is empty if all is well.
fn run(args: &[String], file: &Path) -> String {
    let output = flowtop(args).stdout(File::create(file).unwrap()).stderr(Stdio::piped()).output().unwrap();
    if output.status.success() {
        return String::new();
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{}: flowtop {}: {}\n{said}", file.display(), args.join(" "), output.status)
}

/// Runs all of them in each of the formats, so many at a time.
fn run_all(asked: &[(usize, &Asked)], dir: &Path, at_a_time: usize) {
    let all: Vec<_> = asked.iter().flat_map(|asked| FORMATS.map(|format| (asked, format))).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(String::new()));
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(((number, asked), format)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = run(&asked.command(format), &dir.join(Asked::file(*number, format)));
                    failed.lock().unwrap().push_str(&said);
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), "");
}

/// Recordings: of the made-up traffic by the recorder, whole and with most of it summed up; of three hosts with hostile
/// texts; and of two that have recorded the same connections.
struct Recordings {
    demo: PathBuf,
    sparse: PathBuf,
    hosts: Vec<PathBuf>,
    neighbours: Vec<PathBuf>,
    seen_twice: u64,
}

impl Recordings {
    fn make(dir: &Path) -> Self {
        let [demo, sparse, nobody] = ["demo", "sparse", NOBODY].map(|name| dir.join(name));
        fs::create_dir(&nobody).unwrap();
        let record = |dir: &Path, more: &[&str]| {
            let mut record = flowtop(&["record", "--demo", "--quiet", "--every", "1s", "--count"]);
            record.args(more).arg("--host-root").arg(&nobody).arg("-o").arg(dir).spawn().unwrap()
        };
        let recorders = [record(&demo, &["2"]), record(&sparse, &["1", "--top", "3"])];
        hosts::write_all(dir);
        let seen_twice = hosts::write_neighbours(dir);
        for mut recorder in recorders {
            assert!(recorder.wait().unwrap().success());
        }
        let named = |names: &[&str]| names.iter().map(|name| dir.join(name)).collect();
        Self {
            demo,
            sparse,
            hosts: named(&["host-1", "host-2", "host-3"]),
            neighbours: named(&["east", "west"]),
            seen_twice,
        }
    }

    fn all(&self) -> Vec<PathBuf> {
        [&self.hosts[..], slice::from_ref(&self.demo)].concat()
    }
}

/// Where to look for processes: their numbers are made up, and those of this host that have them are not meant.
const NOBODY: &str = "nobody";

/// The second of two windows of the hosts, and the first.
const DIFF: [&str; 6] = [
    "--from",
    "2026-11-20T08:01:00Z",
    "--to",
    "2026-11-20T08:02:30Z",
    "--diff",
    "2026-11-20T08:00:00Z..2026-11-20T08:01:00Z",
];

/// Commands that read the recordings.
fn of_recordings(recordings: &Recordings) -> Vec<Asked> {
    let Recordings { demo, sparse, hosts, neighbours, seen_twice } = recordings;
    let replay = |records, paths: &[PathBuf]| Asked::new("replay", &["replay", "-t"], records, paths);
    let report = |records, paths: &[PathBuf]| Asked::new("report", &["report"], records, paths);
    let all = recordings.all();
    let [of_demo, of_sparse] =
        [("demo", demo), ("sparse", sparse)].map(|(name, dir)| replay(name, slice::from_ref(dir)));
    let demo_report = report("demo", slice::from_ref(demo));
    let diff = Asked::new("diff", &[&["report"][..], &DIFF].concat(), "hosts", hosts);
    let mut asked = vec![replay("all", &all), of_sparse.clone()];
    for by in all_groups() {
        let of_hosts = [replay("all", &all), report("hosts", hosts), diff.clone()];
        asked.extend(of_hosts.map(|asked| asked.by(&by)));
    }
    let two = Asked { seen_twice: Some(*seen_twice), ..report("neighbours", neighbours) };
    let border = ["-F", "198.51.100.0/24", "-F", "127.0.0.1/32"];
    for by in group::words() {
        let parts = [
            of_demo.with(&["-f", "src port 443 or dst port 2379"]),
            of_demo.with(&["-L", "3"]),
            of_demo.with(&border),
            demo_report.with(&["-f", "src port 443 or dst port 2379", "--limit", "1M"]),
            demo_report.with(&["-L", "2"]),
            diff.with(&["-L", "2"]),
        ];
        asked.extend(parts.iter().chain([&of_sparse, &demo_report, &two]).map(|asked| asked.by(by)));
    }
    asked.extend([
        of_demo.with(&["-f", "src port 443"]),
        of_demo.with(&border),
        of_demo.with(&["-o", "source"]),
    ]);
    asked.extend(FLOW_FIELDS.map(|fields| replay("all", &all).fields(fields)));
    asked.extend(GROUP_FIELDS.map(|[by, fields]| replay("all", &all).by(by).fields(fields)));
    asked
}

/// Commands that report the traffic of `--demo`.
fn of_now(dir: &Path) -> Vec<Asked> {
    let nobody = dir.join(NOBODY);
    let args = ["-t", "--demo", "-s", "1", "--host-root", nobody.to_str().unwrap()];
    let live = Asked::new("live", &args, "demo", &[]);
    let mut asked = vec![live.clone(), live.fields(FLOW_FIELDS[0])];
    asked.extend(group::words().chain(LIVE_PAIRS).map(|by| live.by(by)));
    asked.extend(GROUP_FIELDS.map(|[by, fields]| live.by(by).fields(fields)));
    asked.push(live.by("process").with(&["-L", "2"]));
    asked
}

/// Has Python and `DuckDB` read the outputs of a manifest.
fn read_by_python(python: &Path, manifest: &Value) {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats/reader.py");
    let mut command = Command::new(python);
    command.arg(reader).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // All of it is read before anything is written.
    serde_json::to_writer(child.stdin.take().unwrap(), manifest).unwrap();
    let read = child.wait_with_output().unwrap();
    let [faults, said] = [read.stdout, read.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    let pairs = manifest["outputs"].as_array().unwrap().len();
    let has_read_all = said.starts_with(&format!("read {} outputs\n", pairs * FORMATS.len()));
    assert!(has_read_all && read.status.success(), "{faults}{said}");
}

/// Has jq add up each file.
fn read_by_jq(jq: &Path, files: &[PathBuf]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats/sums.jq");
    let read = Command::new(jq).arg("-r").arg("-f").arg(program).args(files).output().unwrap();
    let [said, errors] = [read.stdout, read.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    let bad: Vec<_> = said.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(read.status.success() && bad.is_empty(), "{bad:#?}\n{errors}");
    let read: HashSet<_> = said.lines().filter_map(|line| line.strip_prefix("ok ")).map(Path::new).collect();
    assert!(files.iter().all(|file| read.contains(file.as_path())), "jq has not read all files:\n{said}");
}

#[test]
fn python_duckdb_and_jq_read_every_pair_of_keys_in_each_format_of_each_command() {
    let tools = (tools::find_python_with("duckdb"), tools::find("jq"));
    let (Some(python), Some(jq)) = tools else { return };
    let dir = tempfile::tempdir().unwrap();
    let outputs = dir.path().join("outputs");
    fs::create_dir(&outputs).unwrap();
    let recordings = Recordings::make(dir.path());
    let (now, then) = (of_now(dir.path()), of_recordings(&recordings));
    let all: Vec<_> = now.iter().chain(&then).enumerate().collect();
    let processors = thread::available_parallelism().map_or(2, usize::from);
    // A run of now mostly waits for its second to pass.
    run_all(&all[..now.len()], &outputs, FORMATS.len() * now.len());
    run_all(&all[now.len()..], &outputs, processors);
    let manifest = manifest::of(&recordings);
    let part = |first: usize| {
        let told =
            |(number, asked): &(usize, &Asked)| FORMATS.map(|form| asked.told(&outputs, *number, form));
        let mut part = manifest.clone();
        part["outputs"] =
            all.iter().skip(first).step_by(processors).map(told).map(Value::from_iter).collect();
        part
    };
    let parts: Vec<_> = (0..processors).map(part).collect();
    let files: Vec<_> = all.iter().map(|(number, _)| outputs.join(Asked::file(*number, "json"))).collect();
    thread::scope(|scope| {
        scope.spawn(|| read_by_jq(&jq, &files));
        for part in &parts {
            scope.spawn(|| read_by_python(&python, part));
        }
    });
}
