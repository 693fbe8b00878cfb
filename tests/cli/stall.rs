//! A flowtop that was not let run for a while.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::*;

/// Bytes over each of the connections that begin and end while flowtop stands still, and how many these are.
const BYTES: usize = 123_457;
const CONNECTIONS: u64 = 50;

/// How long it stands still: more than twice its shortest window.
const STALL: Duration = Duration::from_secs(5);

fn carry(port: &TcpListener) {
    let address = port.local_addr().unwrap();
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&vec![7; BYTES]).unwrap();
    });
    let mut server = port.accept().unwrap().0;
    assert_eq!(io::copy(&mut server, &mut io::sink()).unwrap(), BYTES as u64);
    client.join().unwrap();
}

/// The report of a flowtop with these flags that was stopped while there was traffic.
fn report_after_standing_still(flags: &[&str]) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let filter = format!("port {}", listener.local_addr().unwrap().port());
    let mut flowtop = flowtop(&[&["-t", "--interval", NEVER, "-f", &filter], flags].concat());
    let running = Running::start(&mut flowtop);
    carry(&listener);
    running.send(Signal::STOP);
    let stopped = Instant::now();
    for _ in 0..CONNECTIONS {
        carry(&listener);
    }
    // The time itself is what is tested.
    thread::sleep(STALL.saturating_sub(stopped.elapsed()));
    running.send(Signal::CONT);
    running.send(Signal::INT);
    let (code, stdout, _) = running.end();
    assert_eq!(code, Some(0));
    stdout
}

#[test]
fn nothing_is_lost_while_flowtop_stands_still_and_the_time_is_told() {
    if !can_count() {
        return;
    }
    let report: Value = serde_json::from_str(&report_after_standing_still(&["--format", "json"])).unwrap();
    assert_eq!(report["totals"]["tx_bytes"], (CONNECTIONS + 1) * BYTES as u64);
    let shortest_s = report["covered_s"][0].as_f64().unwrap();
    assert!(shortest_s >= STALL.as_secs_f64(), "{shortest_s}");
}

#[test]
fn a_text_report_tells_the_time_as_well() {
    if !can_count() {
        return;
    }
    let report = report_after_standing_still(&[]);
    let line = report.lines().find(|line| line.starts_with("Seconds covered, after standing still:"));
    let shortest_s = line.and_then(|line| line[38..].split_whitespace().next()?.parse::<u64>().ok());
    assert!(shortest_s.is_some_and(|shortest_s| shortest_s >= STALL.as_secs()), "{report}");
}
