//! A connection that is older than the recorder, over two runs of it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::Value;

use super::{Running, flowtop, record};
use crate::tools::can_count;

/// A connection whose server has the higher port, so that a guess by ports would take it for the client.
fn connection() -> (TcpStream, TcpStream, TcpListener) {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let below = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port() - 1));
        // Another program may have that port.
        if bind(&client, &below).is_ok() {
            connect(&client, &server).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            return (client.into(), accepted, listener);
        }
    }
}

fn transfer(mut from: &TcpStream, mut to: &TcpStream, bytes: usize) {
    from.write_all(&vec![0; bytes]).unwrap();
    to.read_exact(&mut vec![0; bytes]).unwrap();
}

#[test]
fn it_is_one_row_seen_from_who_connected_and_nothing_is_missing_between_the_runs() {
    if !can_count() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (client, server, _listener) = connection();
    let run = |bytes: usize| {
        let running = Running::start(record(dir.path(), &["--every", "1s", "--count", "1"]));
        transfer(&client, &server, bytes);
        assert_eq!(running.end().0, Some(0));
    };
    run(1_000);
    // No recorder runs here.
    transfer(&client, &server, 500);
    transfer(&server, &client, 70);
    run(2_000);
    let [client, server] = [&client, &server].map(|stream| stream.local_addr().unwrap().port());
    let filter = format!("port {client} and port {server}");
    let output =
        flowtop(&["report", "--by", "flow", "--format", "json", "-f", &filter]).arg(dir.path()).output();
    let report: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let rows = report["groups"].as_array().unwrap();
    let numbers: Vec<_> = rows
        .iter()
        .map(|row| {
            ["local_port", "remote_port", "connections", "tx_bytes", "rx_bytes"]
                .map(|name| row[name].as_u64())
        })
        .collect();
    let expected = [u64::from(client), u64::from(server), 1, 3_500, 70].map(Some);
    assert_eq!(numbers, [expected], "{report}");
}
