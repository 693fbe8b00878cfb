//! `-f` as a user meets it: what is refused, and that each direction is filtered on its own. The language itself is
//! tested in `core::filter` and against libpcap in `filter_pcap`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

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

/// Sends 1,000 bytes to the server and 300 back while flowtop counts with the filter; the report after it.
fn counted(expression: impl Fn(u16) -> String) -> Option<Value> {
    if !flowtop(&["doctor"]).output().unwrap().status.success() {
        eprintln!("skipped: a filter on real traffic: no hooks load here");
        return None;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let filter = expression(port);
    let args = ["-t", "--format", "json", "--interval", "86400", "-f", &filter];
    let mut child = flowtop(&args).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("flowtop: counting with "), "{line}");
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 1_000];
    client.write_all(&buffer).unwrap();
    server.read_exact(&mut buffer).unwrap();
    server.write_all(&buffer[..300]).unwrap();
    client.read_exact(&mut buffer[..300]).unwrap();
    child.stdin.take().unwrap().write_all(b"uq").unwrap();
    let report = child.wait_with_output().unwrap().stdout;
    Some(serde_json::from_slice(&report).unwrap())
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
    let Some(report) = counted(|port| format!("host 127.0.0.1 and not port {port} and pid 1")) else {
        return;
    };
    assert_eq!((totals(&report), report["flows"].as_array().unwrap().len()), ((0, 0), 0));
}
