//! Programs that read iftop's text read flowtop's: the rules of each, as a function on a report.
//!
//! `jc` itself is asked where it is installed.

use crate::tools;
use flowtop_common::{Flow, FlowKey, Loss, Untracked, flags};
use flowtop_core::interface::{Chosen, Interface};
use flowtop_core::ledger::Ledger;
use flowtop_core::names::NoNames;
use flowtop_core::number::Unit;
use flowtop_core::view::{Grouping, PortDisplay, View};
use flowtop_core::who::Who;
use flowtop_core::wire::Sample;
use flowtop_view::text::{Reports, listening_on};
use serde_json::json;

/// A row as a consumer understands it: left host, what it sends, right host, what that sends. Each with the rates
/// over 2 and 10 s and the bytes since the start that it reads; empty where it does not.
type Seen = [(String, [String; 3]); 2];

fn key(local: &str, remote: &str, id: u64) -> FlowKey {
    let end = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
    let octets = |end: std::net::SocketAddr| match end.ip() {
        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(v6) => v6.octets(),
    };
    let (local, remote) = (end(local), end(remote));
    FlowKey {
        local_addr: octets(local),
        remote_addr: octets(remote),
        local_port: local.port(),
        remote_port: remote.port(),
        family: if local.is_ipv4() { 2 } else { 10 },
        netns: 1,
        id,
        ..FlowKey::default()
    }
}

/// Two connections over 4 s, the second of which has stopped, with something untracked and something lost.
fn ledger() -> Ledger {
    let flow = |tx_bytes, rx_bytes| Flow {
        tx_bytes,
        rx_bytes,
        flags: flags::BORN | flags::ACTIVE,
        state: 1,
        ..Flow::default()
    };
    let first = key("192.0.2.1:40000", "198.51.100.7:443", 1);
    let second = key("[2001:db8::1]:40001", "[2001:db8::2]:80", 2);
    let untracked = Untracked { flows: 3, tx_bytes: 100, ..Untracked::default() };
    let mut ledger = Ledger::new(100, 0);
    ledger.apply(&Sample::default());
    for (at_s, sent) in [(2, 1_000_000), (4, 5_000_000)] {
        let flows = vec![(first, flow(sent, sent / 10)), (second, flow(2000, 0))];
        let mut sample = Sample { at_ns: at_s * 1_000_000_000, flows, untracked, ..Sample::default() };
        sample.set_loss(Loss::Call, [2]);
        ledger.apply(&sample);
    }
    ledger
}

fn report(view: &View) -> String {
    Reports::default().report(&ledger(), view, &NoNames, Who::nobody())
}

fn with_ports(unit: Unit) -> View {
    View { unit, grouping: Grouping { ports: PortDisplay::On, ..Grouping::default() }, ..View::default() }
}

/// stdout and stderr of a run with two reports, merged.
fn run(view: &View) -> String {
    let eth0 = Interface {
        name: "eth0".to_owned(),
        v4: vec![[192, 0, 2, 1].into()],
        v6: vec!["2001:db8::1".parse().unwrap()],
        mac: Some([2, 0, 0, 0, 0, 1]),
        ..Interface::default()
    };
    let chosen = Chosen::new(&[eth0], &["eth0".to_owned()]).unwrap();
    let announced = "flowtop: counting with fentry hooks\n";
    let block = report(view);
    format!("{}{announced}{}{block}{block}", chosen.introduction(), listening_on(&chosen.names()))
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn owned<const N: usize>(words: [&str; N]) -> [String; N] {
    words.map(str::to_owned)
}

/// The rows of the example, by the cells that a consumer reads.
fn expected(hosts: [[&str; 2]; 2], cells: [usize; 3], unit: Unit) -> Vec<Seen> {
    let numbers = match unit {
        Unit::Bits => [
            [["15.3Mb", "9.54Mb", "4.77MB"], ["1.53Mb", "977Kb", "488KB"]],
            [["0b", "3.91Kb", "1.95KB"], ["0b", "0b", "0B"]],
        ],
        _ => [
            [["1.91MB", "1.19MB", "4.77MB"], ["195KB", "122KB", "488KB"]],
            [["0B", "500B", "1.95KB"], ["0B", "0B", "0B"]],
        ],
    };
    let side = |host: &str, numbers: [&str; 3]| {
        (host.to_owned(), owned(cells.map(|cell| *numbers.get(cell).unwrap_or(&""))))
    };
    let row = |(hosts, numbers): ([&str; 2], [[&str; 3]; 2])| {
        [side(hosts[0], numbers[0]), side(hosts[1], numbers[1])]
    };
    hosts.into_iter().zip(numbers).map(row).collect()
}

const NO_PORTS: [[&str; 2]; 2] = [["192.0.2.1", "198.51.100.7"], ["2001:db8::1", "2001:db8::2"]];
const PORTS: [[&str; 2]; 2] =
    [["192.0.2.1:40000", "198.51.100.7:443"], ["[2001:db8::1]:40001", "[2001:db8::2]:80"]];
/// A cell that is not read.
const UNREAD: usize = 3;

/// `OPNsense`: a host token has a `.` or a `:`, and the token in front of it, if any, has neither. Counted from the
/// host, token 2 is the rate over 2 s and token 5 what is cumulative.
fn opnsense(text: &str) -> Vec<Seen> {
    let is_host = |word: &str| word.contains('.') || word.contains(':');
    let mut sides = Vec::new();
    for line in text.lines().filter(|line| line.contains("=>") || line.contains("<=")) {
        let words = words(line);
        let at = usize::from(!is_host(words[0]));
        assert!(is_host(words[at]), "{line}");
        sides.push((words[at].to_owned(), owned([words[at + 2], "", words[at + 5]])));
    }
    pairs(&sides)
}

fn pairs(sides: &[(String, [String; 3])]) -> Vec<Seen> {
    assert_eq!(sides.len() % 2, 0);
    sides.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect()
}

/// pfSense and the `InfluxDB` scripts: a first field of exactly 92 dashes begins and ends the table. Of the line that
/// is sent fields 2 and 4 or 5 are read, of the one received fields 1 and 3 or 4.
fn awk_table(text: &str) -> Vec<Seen> {
    let rule = "-".repeat(92);
    let mut in_table = false;
    let mut sides = Vec::new();
    for fields in text.lines().map(words).filter(|fields| !fields.is_empty()) {
        if fields[0] == rule {
            if in_table {
                break;
            }
            in_table = true;
        } else if in_table {
            let host = usize::from(fields[2] == "=>");
            sides.push((fields[host].to_owned(), owned([fields[host + 2], fields[host + 3], ""])));
        }
    }
    pairs(&sides)
}

/// Firewalla: any line with `=` counts; one with fewer than four tokens ends a block. The index comes first, and
/// cumulative amounts end in `KB`, `MB`, `GB` or `B`.
fn firewalla(text: &str) -> Vec<Vec<Seen>> {
    let (mut blocks, mut sides) = (Vec::new(), Vec::new());
    for fields in text.lines().filter(|line| line.contains('=')).map(words) {
        if fields.len() < 4 {
            blocks.push(pairs(&std::mem::take(&mut sides)));
            continue;
        }
        let host = usize::from(fields[0].parse::<u32>().is_ok());
        assert_eq!(fields[host + 1], if host == 1 { "=>" } else { "<=" });
        assert!(fields[host + 5].ends_with('B'));
        sides.push((fields[host].to_owned(), owned([fields[host + 2], "", fields[host + 5]])));
    }
    assert!(sides.is_empty(), "the last block has no end");
    blocks
}

/// Solana: of a line with the arrow `=>` in field 3 fields 2 and 7 are read, with `<=` in field 2 fields 1 and 6.
fn solana(text: &str) -> Vec<Seen> {
    let mut sides = Vec::new();
    for fields in text.lines().map(words) {
        if fields.get(2) == Some(&"=>") {
            sides.push((fields[1].to_owned(), owned(["", "", fields[6]])));
        } else if fields.get(1) == Some(&"<=") {
            sides.push((fields[0].to_owned(), owned(["", "", fields[5]])));
        }
    }
    pairs(&sides)
}

/// A summariser of `iftop -B`: separators are lines of dashes or equals signs alone, and every rate ends in `B`.
fn summariser(text: &str) -> Vec<Seen> {
    let is_rule = |line: &str, sign: char| !line.is_empty() && line.chars().all(|c| c == sign);
    let parts: Vec<Vec<&str>> = text
        .lines()
        .take_while(|line| !is_rule(line, '='))
        .collect::<Vec<_>>()
        .split(|line| is_rule(line, '-'))
        .map(<[&str]>::to_vec)
        .collect();
    assert_eq!(parts.len(), 4, "header, rows, rates, sums");
    let mut sides = Vec::new();
    for fields in parts[1].iter().map(|line| words(line)) {
        let host = usize::from(fields[2] == "=>");
        assert!(fields[host + 2..].iter().all(|number| number.ends_with('B')), "{fields:?}");
        sides.push((fields[host].to_owned(), owned([fields[host + 2], fields[host + 3], fields[host + 5]])));
    }
    pairs(&sides)
}

#[test]
fn opnsense_reads_the_rows() {
    let cells = [0, UNREAD, 2];
    assert_eq!(opnsense(&report(&View::default())), expected(NO_PORTS, cells, Unit::Bits));
    assert_eq!(opnsense(&report(&with_ports(Unit::Bits))), expected(PORTS, cells, Unit::Bits));
}

#[test]
fn awk_scripts_find_the_table() {
    assert_eq!(awk_table(&run(&View::default())), expected(NO_PORTS, [0, 1, UNREAD], Unit::Bits));
}

#[test]
fn firewalla_finds_the_end_of_each_block() {
    let rows = expected(NO_PORTS, [0, UNREAD, 2], Unit::Bits);
    assert_eq!(firewalla(&run(&View::default())), [rows.clone(), rows]);
}

#[test]
fn firewalla_finds_the_star_of_a_hidden_side() {
    let grouping = Grouping { hide_source: true, ..Grouping::default() };
    let blocks = firewalla(&run(&View { grouping, ..View::default() }));
    let hosts = [["*", "198.51.100.7"], ["*", "2001:db8::2"]];
    assert_eq!(blocks[0], expected(hosts, [0, UNREAD, 2], Unit::Bits));
}

#[test]
fn solana_finds_the_arrows() {
    let text = report(&with_ports(Unit::Bytes));
    assert_eq!(solana(&text), expected(PORTS, [UNREAD, UNREAD, 2], Unit::Bytes));
}

#[test]
fn a_summariser_splits_at_the_rules() {
    let text = report(&View { unit: Unit::Bytes, ..View::default() });
    assert_eq!(summariser(&text), expected(NO_PORTS, [0, 1, 2], Unit::Bytes));
}

#[test]
fn one_liners_find_the_labels() {
    let text = report(&View::default());
    let lines = |label: &str| text.lines().filter(|line| line.contains(label)).map(words).collect::<Vec<_>>();
    assert_eq!(lines("Total").len(), 3);
    assert_eq!(lines("Total send").len(), 2);
    assert_eq!(lines("Total send rate")[0][3..], ["15.3Mb", "9.54Mb", "9.54Mb"]);
    assert_eq!(lines("send and receive")[0][5], "16.8Mb");
    assert_eq!(lines("Cumulative (sent/received/total):")[0][2..], ["4.77MB", "488KB", "5.25MB"]);
    assert_eq!(lines("IP").len(), 0);
}

#[test]
fn jc_reads_a_run() {
    let Some(jc) = tools::find("jc") else { return };
    let parsed = tools::read_by_jc(&jc, run(&with_ports(Unit::Bits)).as_bytes());
    let block = &parsed[0];
    assert_eq!(block["device"], "eth0");
    assert_eq!(block["ip_address"], "192.0.2.1");
    assert_eq!(block["mac_address"], "02:00:00:00:00:01");
    assert_eq!(
        block["clients"][0],
        json!({
            "index": 1,
            "connections": [
                {"host_name": "192.0.2.1", "host_port": "40000", "last_2s": 15_300_000, "last_10s": 9_540_000,
                 "last_40s": 9_540_000, "cumulative": 4_770_000, "direction": "send"},
                {"host_name": "198.51.100.7", "host_port": "443", "last_2s": 1_530_000, "last_10s": 977_000,
                 "last_40s": 977_000, "cumulative": 488_000, "direction": "receive"},
            ],
        })
    );
    let rates = &block["total_send_rate"];
    assert_eq!(*rates, json!({"last_2s": 15_300_000, "last_10s": 9_540_000, "last_40s": 9_540_000}));
    assert_eq!(parsed.as_array().map(Vec::len), Some(2), "one object a block");
}
