//! flowtop beside the real iftop: both watch the same traffic between two network namespaces, and what they print has
//! the same shape, label by label. The numbers differ: iftop counts IP packets, flowtop what sockets carry.
//!
//! It needs root and, from Debian's package, iftop.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::atomic::AtomicBool;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[allow(dead_code, reason = "each test program needs a part")]
mod network;

use crate::command_lines::{Line, lines};
use crate::tools;
use network::{Connection, Network, Traffic, V4, V6};

const FLOWTOP: &str = env!("CARGO_BIN_EXE_flowtop");

/// Where the cells begin, each with a blank in front, and how wide they are with it.
const CELLS_AT: usize = 48;
const CELL: usize = 11;

/// Flags of both programs. Every connection has a different amount of traffic, so they agree on the order.
const FLAGS: [&str; 9] = [
    "-s 2",
    "-s 2 -P",
    "-s 3 -P -B",
    "-s 2 -P -L 2",
    "-s 1 -P -o source",
    "-s 2 -P -o destination",
    // Inside are the near end, the far end, and both.
    "-s 2 -P -F 192.0.2.1/32",
    "-s 2 -P -F 192.0.2.2/255.255.255.255",
    "-s 2 -P -F 192.0.2.0/24 -G 2001:db8::2/128",
];

/// Flags that only `--lenient` takes as iftop does, and rows that are left of three.
const LENIENT_FLAGS: [(&str, usize); 5] = [
    // A mask that is too long leaves the mask of a /24 in force, within which both ends are.
    ("-s 1 -P -F 192.0.2.1/33", 1),
    ("-s 1 -P -F 192.0.2.1", 3),
    ("-s 1 -P -m 10X", 3),
    ("-s 1x -P -L 2x -o 5s", 2),
    ("-s 1 -P -L none", 0),
];

/// Two connections over IPv4, which are one row without ports, and one over IPv6. They are older than flowtop, which
/// then takes the end with the higher port for the one that connected.
fn connections(network: &Network) -> Vec<Connection> {
    let connect = |to, port, sent, received| network.connect(SocketAddr::new(to, port), sent, received);
    vec![
        connect(V4[1], 80, 60_000, 5_000),
        connect(V4[1], 443, 1_000, 20_000),
        connect(V6[1], 443, 3_000, 500),
    ]
}

/// The program that is compared with, unless the test has to be left out.
fn iftop() -> Option<String> {
    let iftop = tools::find("iftop")?;
    (tools::has_root() && tools::can_count()).then(|| iftop.to_str().unwrap().to_owned())
}

/// Outputs of iftop and flowtop, in this order, about the same traffic.
fn both(network: &Network, iftop: &str, flags: &str) -> [Output; 2] {
    run([network.near.command(iftop), network.near.command(FLOWTOP)], flags)
}

fn run(programs: [Command; 2], flags: &str) -> [Output; 2] {
    let started = programs.map(|mut command| {
        command.args(["-t", "-n", "-N", "-i", "eth0", "-f", "tcp"]).args(flags.split(' '));
        command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").spawn().unwrap()
    });
    started.map(|child| child.wait_with_output().unwrap())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A line with the kinds of its numbers in place of the numbers.
fn shape(line: &str) -> String {
    let is_label = |word: &str| word.starts_with("last ") || word == "cumulative";
    if line.len() <= CELLS_AT || line.starts_with(['-', '=']) {
        return line.to_owned();
    }
    let (head, cells) = line.split_at(CELLS_AT);
    let cells = cells.as_bytes().chunks(CELL).map(|cell| match text(cell).trim_start() {
        label if is_label(label) => format!("{label:>CELL$}"),
        number => format!("{:>CELL$}", kind(number).unwrap_or_else(|| panic!("{number:?} in {line:?}"))),
    });
    head.to_owned() + &cells.collect::<String>()
}

/// Bits or bytes; `None` if it is no number.
fn kind(cell: &str) -> Option<&'static str> {
    let unit_at = cell.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = cell.split_at(unit_at);
    number.parse::<f64>().ok()?;
    match unit {
        "b" | "Kb" | "Mb" | "Gb" => Some("bits"),
        "B" | "KB" | "MB" | "GB" => Some("bytes"),
        _ => None,
    }
}

fn shapes(output: &Output) -> Vec<String> {
    text(&output.stdout).split_inclusive('\n').map(|line| shape(line.trim_end_matches('\n'))).collect()
}

/// stderr without what only flowtop says.
fn said(output: &Output) -> Vec<&str> {
    text(&output.stderr).lines().filter(|line| !line.starts_with("flowtop: ")).collect()
}

#[test]
fn every_line_has_the_shape_of_iftops() {
    let Some(iftop) = iftop() else { return };
    let network = Network::new();
    let (connections, stop) = (connections(&network), AtomicBool::new(false));
    thread::scope(|scope| {
        let _traffic = Traffic::start(scope, &connections, &stop);
        for flags in FLAGS {
            let [theirs, ours] = both(&network, &iftop, flags);
            assert_eq!((theirs.status.code(), ours.status.code()), (Some(0), Some(0)), "{flags}");
            assert_eq!(shapes(&theirs), shapes(&ours), "{flags}");
            assert_eq!(said(&theirs), said(&ours), "{flags}");
        }
    });
}

#[test]
fn what_iftop_forgives_a_lenient_flowtop_forgives_too() {
    let Some(iftop) = iftop() else { return };
    let network = Network::new();
    let (connections, stop) = (connections(&network), AtomicBool::new(false));
    thread::scope(|scope| {
        let _traffic = Traffic::start(scope, &connections, &stop);
        for (flags, rows) in LENIENT_FLAGS {
            let mut lenient = network.near.command(FLOWTOP);
            lenient.arg("--lenient");
            let [theirs, ours] = run([network.near.command(&iftop), lenient], flags);
            assert_eq!((theirs.status.code(), ours.status.code()), (Some(0), Some(0)), "{flags}");
            assert_eq!(shapes(&theirs), shapes(&ours), "{flags}");
            assert_eq!(text(&ours.stdout).matches(" => ").count(), rows, "{flags}");
            assert_eq!(said(&theirs), said(&ours), "{flags}");
        }
    });
}

/// A value without its numbers: what a program that reads it can rely on.
fn structure(value: &Value) -> Value {
    match value {
        Value::Number(_) => "a number".into(),
        Value::Array(items) => items.iter().map(structure).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), structure(value))).collect()
        }
        other => other.clone(),
    }
}

/// stderr and stdout of a program, parsed by jc.
fn read_by_jc(jc: &Path, output: &Output) -> Value {
    tools::read_by_jc(jc, &[output.stderr.as_slice(), &output.stdout].concat())
}

#[test]
fn jc_reads_the_same_structure() {
    let (Some(jc), Some(iftop)) = (tools::find("jc"), iftop()) else { return };
    let network = Network::new();
    let (connections, stop) = (connections(&network), AtomicBool::new(false));
    thread::scope(|scope| {
        let _traffic = Traffic::start(scope, &connections, &stop);
        for flags in ["-s 2", "-s 1 -P -B"] {
            let read = both(&network, &iftop, flags).map(|output| read_by_jc(&jc, &output));
            assert!(read[0][0]["clients"].as_array().is_some_and(|clients| !clients.is_empty()), "{flags}");
            assert_eq!(structure(&read[0]), structure(&read[1]), "{flags}");
        }
    });
}

/// The interfaces in the command lines, beside `eth0`.
const INTERFACES: [&str; 5] = ["eno0", "em0", "Port1", "ens15f1", "wg0"];

/// A run that counts, told to end.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = stderr.lines().map(Result::unwrap);
    let counting =
        said.by_ref().take_while(|line| !line.starts_with("flowtop: counting with ")).collect::<Vec<_>>();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap_or_else(|_| panic!("{counting:?}"));
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn command_lines_that_report_do_so() {
    if iftop().is_none() {
        return;
    }
    let network = Network::new();
    for name in INTERFACES {
        network.near.ip(&format!("link add {name} type veth peer name {name}-far"));
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".iftoprc"), "dns-resolution: no\nport-display: on\n").unwrap();
    let reporting = |line: &Line| line.error.is_none() && line.text.contains(" -t");
    let reports: Vec<Line> = lines().into_iter().filter(reporting).collect();
    assert!(reports.len() >= 20);
    for line in reports {
        let mut command = network.near.command(FLOWTOP);
        command.args(line.args()).current_dir(&home).env("HOME", &home).env_remove("XDG_CONFIG_HOME");
        let (code, report) = ended(command.spawn().unwrap());
        assert_eq!(code, Some(0), "{}", line.text);
        assert!(report.starts_with("Listening on "), "{}: {report}", line.text);
        assert!(report.ends_with(&format!("{}\n\n", "=".repeat(92))), "{}: {report}", line.text);
    }
}
