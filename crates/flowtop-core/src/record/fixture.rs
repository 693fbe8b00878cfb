//! Records for tests.

#![expect(clippy::missing_panics_doc, reason = "a wrong literal is a mistake in a test")]

use alloc::borrow::ToOwned;
use alloc::sync::Arc;
use alloc::vec::Vec;

use flowtop_common::{Flow, FlowKey, flags};

use super::{FlowRecord, Host, Record, Span};
use crate::flow::Tuple;
use crate::owner::Identity;
use crate::window::Bytes;

/// Minute `minute` of a host after 2026-11-02 08:00 UTC, which was up for an hour then.
pub fn record(minute: u64, flows: Vec<FlowRecord>) -> Record {
    const EIGHT_O_CLOCK_US: i64 = 1_793_606_400_000_000;
    let start_s = minute * 60;
    let wall_us = |s: u64| EIGHT_O_CLOCK_US + i64::try_from(s).unwrap() * 1_000_000;
    let mono_ns = |s: u64| (3600 + s) * 1_000_000_000;
    let left = flows.iter().filter(|flow| !flow.is_right);
    let totals = left.fold(Bytes::default(), |sum, flow| sum + flow.bytes);
    Record {
        host: Host { name: "node-1".to_owned(), machine_id: [1; 16], boot_id: [2; 16] },
        span: Span {
            start_us: wall_us(start_s),
            end_us: wall_us(start_s + 60),
            start_ns: mono_ns(start_s),
            end_ns: mono_ns(start_s + 60),
        },
        flows,
        totals,
        ..Record::default()
    }
}

/// A connection of process `comm`, born as socket `id`, that moved `bytes` in the window and `lifetime` so far.
pub fn flow(id: u64, comm: &str, [local, remote]: [&str; 2], bytes: Bytes, lifetime: Bytes) -> FlowRecord {
    let tuple = Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    let mut name = [0; 16];
    name[..comm.len()].copy_from_slice(comm.as_bytes());
    FlowRecord {
        key: FlowKey { id, netns: 4_026_531_840, ..tuple.key() },
        flow: Flow {
            tx_bytes: lifetime.tx,
            rx_bytes: lifetime.rx,
            state: 1,
            flags: flags::BORN | flags::ACTIVE | flags::OPEN,
            pid: 100,
            comm: name,
            opened_ns: id,
            ..Flow::default()
        },
        bytes,
        peak: bytes,
        identity: Some(Arc::new(Identity { comm: Some(comm.to_owned()), ..Identity::default() })),
        users: 1,
        label: "private".into(),
        ..FlowRecord::default()
    }
}

#[test]
fn a_minute_has_sixty_seconds_and_the_bytes_of_its_flows() {
    let bytes = Bytes { tx: 10, rx: 4 };
    let flow = flow(7, "curl", ["192.0.2.1:40000", "192.0.2.2:443"], bytes, Bytes { tx: 30, rx: 9 });
    assert_eq!((flow.lifetime().tx, flow.is_born(), flow.has_ended()), (30, true, false));
    let record = record(3, vec![flow]);
    assert_eq!((record.span.length_ns(), record.totals), (60_000_000_000, bytes));
}
