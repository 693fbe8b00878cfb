//! `-f`, `-F` and `-G` as a user meets them: what is refused, that each direction is filtered on its own, and which end
//! of a connection is left. The language itself is tested in `flowtop_core::filter` and against libpcap in `filter_pcap`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::tools;
use serde_json::Value;

fn flowtop(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(expression: &str) -> String {
    let Output { status, stdout, stderr } = flowtop(&["-t", "-f", expression]).output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{expression}");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn a_filter_that_cannot_be_honoured_is_refused_with_its_column() {
    assert_eq!(
        refused("port 80 or"),
        "flowtop: --filter: column 11: an expression is missing at the end; write one like `port 443`\n\
         port 80 or\n          ^\n"
    );
    assert_eq!(
        refused("host 192.0.2.1 and udp"),
        "flowtop: --filter: column 20: `udp` never matches, because flowtop counts TCP sockets only; remove it\n\
         host 192.0.2.1 and udp\n                   ^^^\n"
    );
}

/// Where the server of a test is; the client is at 127.0.0.1 or `::1`.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// The JSON report with this filter; `None` where flowtop cannot count.
fn counted(expression: impl Fn(u16) -> String) -> Option<Value> {
    let report =
        reported(SERVER, |port| vec!["--format=json".to_owned(), "-f".to_owned(), expression(port)])?;
    Some(serde_json::from_str(&report).unwrap())
}

/// Sends 1,000 bytes to the server and 300 back while flowtop counts with these arguments; what it prints after that.
fn reported(server: IpAddr, args: impl Fn(u16) -> Vec<String>) -> Option<String> {
    if !tools::can_count() {
        return None;
    }
    let listener = TcpListener::bind((server, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut child = flowtop(&["-t", "--interval", "86400"]).args(args(port)).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let counts = stderr.lines().map(Result::unwrap).any(|line| line.starts_with("flowtop: counting with "));
    assert!(counts, "flowtop ended");
    let mut client = TcpStream::connect((server, port)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 1_000];
    client.write_all(&buffer).unwrap();
    server.read_exact(&mut buffer).unwrap();
    server.write_all(&buffer[..300]).unwrap();
    client.read_exact(&mut buffer[..300]).unwrap();
    child.stdin.take().unwrap().write_all(b"uq").unwrap();
    Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}

fn totals(report: &Value) -> (u64, u64) {
    let total = |name: &str| report["totals"][name].as_u64().unwrap();
    (total("tx_bytes"), total("rx_bytes"))
}

#[test]
fn a_port_counts_both_directions() {
    let Some(report) = counted(|port| format!("port {port}")) else { return };
    assert_eq!(totals(&report), (1_000, 300));
    assert_eq!(report["flows"].as_array().unwrap().len(), 1);
}

#[test]
fn a_destination_port_counts_one_direction() {
    let Some(report) = counted(|port| format!("dst port {port}")) else { return };
    assert_eq!(totals(&report), (1_000, 0));
}

#[test]
fn what_does_not_match_counts_nothing() {
    let Some(report) = counted(|port| format!("host 127.0.0.2 and not port {port} and pid 1")) else {
        return;
    };
    assert_eq!((totals(&report), report["flows"].as_array().unwrap().len()), ((0, 0), 0));
}

/// Where the server of a test is that has it inside of a border; all connections of this address count.
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// `-F 127.0.0.3/32` and more: the server is inside. One at a time, since another test's connection would count too.
fn seen_by_the_server(more: impl Fn(u16) -> Vec<String>) -> Option<String> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    reported(INSIDE, |port| [vec!["-F".to_owned(), format!("{INSIDE}/32")], more(port)].concat())
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

#[test]
fn the_inside_is_left_in_json() {
    let Some(report) = seen_by_the_server(|_| owned(&["--format=json"])) else { return };
    let report: Value = serde_json::from_str(&report).unwrap();
    let row = &report["flows"][0];
    assert_eq!(totals(&report), (300, 1_000));
    assert_eq!((&row["local_addr"], &row["remote_addr"]), (&"127.0.0.3".into(), &"127.0.0.1".into()));
    assert_eq!((&row["tx_bytes"], &row["rx_bytes"]), (&300.into(), &1_000.into()));
    assert_eq!((&row["initiator"], &row["peer"]["tx_bytes"]), (&false.into(), &1_000.into()));
}

#[test]
fn the_inside_is_left_in_csv() {
    let args = owned(&["--format=csv", "--no-header", "--fields=local_addr,tx_bytes,rx_bytes,peer_rx_bytes"]);
    let Some(report) = seen_by_the_server(|_| args.clone()) else { return };
    let fields: Vec<_> = report.trim_end().split(',').skip(4).collect();
    assert_eq!(fields, ["127.0.0.3", "300", "1000", "300"], "{report}");
}

#[test]
fn the_inside_is_left_in_text() {
    let Some(report) = seen_by_the_server(|_| Vec::new()) else { return };
    let words = |start: &str| {
        let line = report.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{report}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let row = words("   1 ");
    assert_eq!((row[1].as_str(), row[2].as_str(), row.last().unwrap().as_str()), ("127.0.0.3", "=>", "300B"));
    assert_eq!(words("Cumulative")[2..], ["300B", "0.98KB", "1.27KB"]);
}

/// Source and destination are those of what travels, whichever end is left.
#[test]
fn a_filter_and_a_border_both_hold() {
    let with = |expression: &'static str| {
        seen_by_the_server(move |port| owned(&["--format=json", "-f", &format!("{expression} {port}")]))
            .map(|report| totals(&serde_json::from_str(&report).unwrap()))
    };
    let Some(sent_to_the_server) = with("dst port") else { return };
    assert_eq!(sent_to_the_server, (0, 1_000));
    assert_eq!(with("not port"), Some((0, 0)));
}

#[test]
fn what_does_not_cross_the_border_counts_nothing() {
    for net in ["127.0.0.0/8", "192.0.2.0/24"] {
        let Some(report) = reported(SERVER, |_| owned(&["--format=json", "-F", net])) else { return };
        let report: Value = serde_json::from_str(&report).unwrap();
        // Other traffic of this host may cross the border.
        let of_the_test =
            |row: &&Value| row["local_addr"] == "127.0.0.2" || row["remote_addr"] == "127.0.0.2";
        assert_eq!(report["flows"].as_array().unwrap().iter().filter(of_the_test).count(), 0, "{net}");
    }
}

/// A network of one family says nothing about the other.
#[test]
fn a_border_is_one_of_its_family() {
    let server = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let only = |net: &'static [&'static str]| {
        reported(server, move |port| {
            [owned(&["--format=json", "-f", &format!("port {port}")]), owned(net)].concat()
        })
        .map(|report| totals(&serde_json::from_str(&report).unwrap()))
    };
    let Some(with_f) = only(&["-F", "10.0.0.0/8"]) else { return };
    assert_eq!(with_f, (1_000, 300));
    assert_eq!(only(&["-G", "::/8"]), Some((0, 0)));
    assert_eq!(only(&["-G", "2001:db8::/32", "-G", "fd00::/8"]), Some((0, 0)));
}
