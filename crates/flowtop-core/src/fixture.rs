//! Literal flows and samples for tests.

#![expect(clippy::missing_panics_doc, reason = "a wrong literal is a mistake in a test")]

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use flowtop_common::{Flow, FlowKey, flags};

use super::filter::Boundary;
use super::flow::Tuple;
use super::ledger::Ledger;
use super::wire::Sample;

/// 1 s in ns.
pub const S: u64 = 1_000_000_000;
/// Wall clock when the monotonic one is at 0: 2026-11-02 08:00 UTC, in µs since 1970.
const EIGHT_O_CLOCK_US: i64 = 1_793_606_400_000_000;
/// Flags of a socket that connected while flowtop ran.
pub const CONNECTED: u32 = flags::BORN | flags::ACTIVE;
/// Flags of a socket that was accepted while flowtop ran.
pub const ACCEPTED: u32 = flags::BORN | flags::PASSIVE;
/// Flags of a socket that is older than flowtop.
pub const OLDER: u32 = 0;

/// One end of a connection: `local` and `remote` as `addr:port`.
pub fn key(netns: u32, local: &str, remote: &str, id: u64) -> FlowKey {
    let tuple = Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    FlowKey { netns, id, ..tuple.key() }
}

/// An established flow that has moved so much.
pub fn flow(flow_flags: u32, tx_bytes: u64, rx_bytes: u64) -> Flow {
    Flow { tx_bytes, rx_bytes, flags: flow_flags, state: 1, ..Flow::default() }
}

/// The same flow after its end.
pub fn ended(flow: Flow) -> Flow {
    Flow { flags: flow.flags | flags::ENDED, state: 7, ..flow }
}

/// A sample of the flow table at a second of the monotonic clock.
pub fn sample(at_s: u64, flows: &[(FlowKey, Flow)]) -> Sample {
    let wall_us = EIGHT_O_CLOCK_US + i64::try_from(at_s).unwrap() * 1_000_000;
    Sample { at_ns: at_s * S, at_us: wall_us, flows: flows.to_vec(), ..Sample::default() }
}

/// A ledger with the IPv4 network `net` on its left that has taken an empty baseline at 0 s and then this sample.
pub fn ledger_inside(net: &str, sample: &Sample) -> Ledger {
    let boundary = Boundary::new(&[net.to_owned()], &[]).unwrap();
    let mut ledger = Ledger::new(1000, 0).seen_from(boundary.clone());
    ledger.set_scope(Some(Box::new(boundary)));
    ledger.apply(&Sample::default());
    ledger.apply(sample);
    ledger
}

/// A ledger that keeps bytes on the wire, has taken an empty baseline at 0 s and then these samples.
pub fn ledger_of(samples: &[Sample]) -> Ledger {
    let mut ledger = Ledger::new(1000, 0).keeping_wire();
    ledger.apply(&Sample::default());
    for sample in samples {
        ledger.apply(sample);
    }
    ledger
}
