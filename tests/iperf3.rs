//! flowtop counts the streams of iperf3 to the byte that iperf3 reports.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::tools;
use serde_json::Value;

/// Each stream begins with a cookie that tells the server which test it belongs to (`COOKIE_SIZE` in iperf's
/// `src/iperf.h`); iperf3 does not count it.
const COOKIE_BYTES: u64 = 37;

#[test]
fn one_stream() {
    agrees(&[]);
}

#[test]
fn four_streams_of_short_writes() {
    agrees(&["--parallel", "4", "--length", "1K"]);
}

#[test]
fn a_stream_that_the_server_sends() {
    agrees(&["--reverse"]);
}

#[test]
fn a_stream_without_copies() {
    agrees(&["--zerocopy"]);
}

/// Runs a test of 50 MB a stream, and compares every stream at both ends.
fn agrees(args: &[&str]) {
    let Some(iperf3) = tools::find("iperf3") else { return };
    let Some(mut flowtop) = counting() else { return };
    let of_iperf3 = run(&iperf3, args);
    flowtop.stdin.take().unwrap().write_all(b"uq").unwrap();
    let report: Value = serde_json::from_slice(&flowtop.wait_with_output().unwrap().stdout).unwrap();

    let connected = of_iperf3["start"]["connected"].as_array().unwrap();
    let streams = of_iperf3["end"]["streams"].as_array().unwrap();
    assert_eq!(connected.len(), streams.len());
    for (stream, ends) in streams.iter().zip(connected) {
        let port = &ends["local_port"];
        let rows = report["flows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["local_port"] == *port).expect("flowtop shows the stream");
        let bytes = |end: &str| stream[end]["bytes"].as_u64().unwrap();
        let (client, server) = (row, &row["peer"]);
        // The client sends the cookie, whoever sends the rest.
        let expected = if args.contains(&"--reverse") {
            [[COOKIE_BYTES, bytes("receiver")], [bytes("sender"), COOKIE_BYTES]]
        } else {
            [[bytes("sender") + COOKIE_BYTES, 0], [0, bytes("receiver") + COOKIE_BYTES]]
        };
        let counted =
            [client, server].map(|end| ["tx_bytes", "rx_bytes"].map(|name| end[name].as_u64().unwrap()));
        assert_eq!(counted, expected, "{args:?}: {ends}");
    }
}

/// A flowtop that counts, and reports when asked.
fn counting() -> Option<Child> {
    if !tools::can_count() {
        return None;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(["-t", "--interval", "86400", "--format", "json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let counts = stderr.lines().map(Result::unwrap).any(|line| line.starts_with("flowtop: counting with "));
    assert!(counts, "flowtop ended");
    Some(child)
}

/// Runs a test of iperf3 and returns the client's report, which has both ends.
fn run(iperf3: &Path, args: &[&str]) -> Value {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string();
    let mut server = Command::new(iperf3);
    server.args(["--server", "--one-off", "--forceflush", "--bind", "127.0.0.1", "--port", &port]);
    let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("Server listening")), "iperf3 does not listen");
    let mut client = Command::new(iperf3);
    client.args(["--client", "127.0.0.1", "--port", &port, "--bytes", "50M", "--json"]).args(args);
    let output = client.stdin(Stdio::null()).output().unwrap();
    lines.for_each(drop);
    server.wait().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}
