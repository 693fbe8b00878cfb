//! A recording for tests.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::flow::Tuple;
use flowtop_core::owner::Identity;
use flowtop_core::record::{FlowRecord, Host, Record, Span};
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::encode;

/// 2026-11-02 08:00 UTC, in seconds since 1970.
const EIGHT_O_CLOCK_S: i64 = 1_793_606_400;

fn flow(pod: &str, remote: &str, tx: u64, rx: u64) -> FlowRecord {
    let [local, remote]: [SocketAddr; 2] = ["192.0.2.1:40000", remote].map(|end| end.parse().unwrap());
    let bytes = Bytes { tx, rx };
    let mut comm = [0; 16];
    comm[..5].copy_from_slice(b"nginx");
    let identity = Identity { pod: Some(pod.to_owned()), ..Identity::default() };
    FlowRecord {
        key: FlowKey { id: 7, ..Tuple { local, remote }.key() },
        flow: Flow {
            tx_bytes: tx + 10_000,
            rx_bytes: rx,
            state: 1,
            flags: flags::BORN | flags::ACTIVE | flags::OPEN,
            pid: 100,
            comm,
            ..Flow::default()
        },
        bytes,
        peak: bytes,
        identity: Some(Arc::new(identity)),
        users: 1,
        label: "vpc".into(),
        ..FlowRecord::default()
    }
}

/// The record of one minute of host `name`.
fn minute(name: &str, minute: u64, flows: Vec<FlowRecord>) -> Record {
    let us = |minute: u64| (EIGHT_O_CLOCK_S + i64::try_from(minute).unwrap() * 60) * 1_000_000;
    let ns = |minute: u64| minute * 60_000_000_000;
    let span =
        Span { start_us: us(minute), end_us: us(minute + 1), start_ns: ns(minute), end_ns: ns(minute + 1) };
    Record { host: Host { name: name.to_owned(), ..Host::default() }, span, flows, ..Record::default() }
}

/// Writes a recording of three minutes of `web-1`, with one missing before the last.
pub fn write(file: &Path) {
    let records = [
        minute("web-1", 0, vec![flow("web-0", "198.51.100.7:443", 6_000_000, 60)]),
        minute("web-1", 1, vec![flow("web-0", "198.51.100.7:443", 600, 60)]),
        minute("web-1", 3, vec![flow("db-0", "203.0.113.9:5432", 120, 60)]),
    ];
    fs::write(file, records.iter().flat_map(encode).collect::<Vec<_>>()).unwrap();
}
