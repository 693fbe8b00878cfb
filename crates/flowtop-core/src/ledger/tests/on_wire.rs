//! Bytes on the wire: beside the payload, or in its place.

use super::*;
use crate::scope::{Scope, Subject};
use proptest::prelude::*;

/// A flow that has sent and taken so much, in so many segments.
fn carried(flow_flags: u32, sent: u64, taken: u64, segs_out: u32, segs_in: u32) -> Flow {
    Flow { sent_bytes: sent, segs_out, segs_in, ..flow(flow_flags, sent, taken) }
}

fn on_wire(ledger: &Ledger, key: &FlowKey) -> Option<Bytes> {
    ledger.on_wire(ledger.get(key).expect("the flow is in the ledger"))
}

#[test]
fn what_an_older_socket_carried_before_the_baseline_does_not_count() {
    let mut ledger = Ledger::new(10, 0).keeping_wire();
    ledger.apply(&sample(0, &[(remote(1), carried(OLDER, 5000, 900, 7, u32::MAX))]));
    assert_eq!(on_wire(&ledger, &remote(1)), Some(bytes(0, 0)));
    ledger.apply(&sample(2, &[(remote(1), carried(OLDER, 6000, 900, 9, 1))]));
    assert_eq!(on_wire(&ledger, &remote(1)), Some(bytes(1000 + 2 * 66, 2 * 66)));
}

#[test]
fn a_place_that_is_given_again_starts_from_nothing() {
    let mut ledger = Ledger::new(10, 0).keeping_wire();
    ledger.apply(&sample(0, &[]));
    ledger.apply(&sample(2, &[(remote(1), ended(carried(CONNECTED, 100, 0, 3, 2)))]));
    for at_s in [50, 100, 150] {
        ledger.apply(&sample(at_s, &[]));
    }
    assert!(ledger.get(&remote(1)).is_none());
    ledger.apply(&sample(152, &[(remote(2), carried(CONNECTED, 1, 0, 3, 2))]));
    assert_eq!(on_wire(&ledger, &remote(2)), Some(bytes(8 + 1 + 3 * 66, 8 + 2 * 66)));
}

#[test]
fn a_ledger_in_wire_bytes_has_them_in_rows_windows_and_totals() {
    let mut ledger = Ledger::new(10, 0).in_wire();
    ledger.apply(&sample(0, &[(remote(1), carried(OLDER, 5000, 900, 7, 7))]));
    ledger.apply(&sample(2, &[(remote(1), carried(OLDER, 6000, 910, 9, 8))]));
    let expected = bytes(1000 + 2 * 66, 10 + 66);
    let in_2s = ledger.rates(ledger.get(&remote(1)).unwrap()).bytes(Window::S2);
    assert_eq!((of(&ledger, &remote(1)), in_2s), (expected, expected));
    assert_eq!((ledger.totals().bytes, on_wire(&ledger, &remote(1))), (expected, Some(expected)));
    assert_eq!(ledger.lines()[0].bytes, expected);
    assert_eq!(ledger.get(&remote(1)).unwrap().flow().tx_bytes, 6000);
}

#[test]
fn a_ledger_that_was_not_asked_to_keep_them_says_that_they_are_unknown() {
    let ledger = ledger_in_payload(&[sample(2, &[(remote(1), carried(CONNECTED, 1, 1, 3, 3))])]);
    assert_eq!(on_wire(&ledger, &remote(1)), None);
}

fn ledger_in_payload(samples: &[Sample]) -> Ledger {
    let mut ledger = Ledger::new(10, 0);
    ledger.apply(&Sample::default());
    for sample in samples {
        ledger.apply(sample);
    }
    ledger
}

/// Keeps flows of odd processes out, and of every third one what it receives; of the fifth it has to learn more first.
#[derive(Debug)]
struct Odd;

impl Scope for Odd {
    fn verdict(&self, flow: &Subject<'_>) -> Verdict {
        let pid = flow.pid.unwrap_or_default();
        Verdict { tx: pid.is_multiple_of(2), rx: pid.is_multiple_of(2) && !pid.is_multiple_of(3) }
    }

    fn waits(&self, flow: &Subject<'_>) -> bool {
        flow.pid == Some(5)
    }
}

proptest! {
    #[test]
    fn both_ways_to_count_them_agree_and_add_up(
        steps in prop::collection::vec(
            prop::collection::vec((1..7_u32, 0..1000_u64, 0..1000_u64, 0..9_u32, 0..9_u32), 6),
            1..12,
        ),
        is_scoped: bool,
    ) {
        let scope = || is_scoped.then(|| Box::new(Odd) as Box<dyn Scope>);
        let [mut beside, mut instead] = [Ledger::new(10, 0).keeping_wire(), Ledger::new(10, 0).in_wire()];
        for ledger in [&mut beside, &mut instead] {
            ledger.set_scope(scope());
            ledger.apply(&sample(0, &[]));
        }
        let mut flows = [Flow { segs_in: u32::MAX - 4, ..flow(CONNECTED, 0, 0) }; 6];
        for (at_s, step) in (2..).step_by(2).zip(&steps) {
            for (flow, (pid, tx, rx, out, inward)) in flows.iter_mut().zip(step) {
                (flow.pid, flow.tx_bytes, flow.rx_bytes) = (*pid, flow.tx_bytes + tx, flow.rx_bytes + rx);
                flow.sent_bytes += tx;
                flow.segs_out += out;
                flow.segs_in = flow.segs_in.wrapping_add(*inward);
            }
            let sample = sample(at_s, &(1..).map(remote).zip(flows).collect::<Vec<_>>());
            beside.apply(&sample);
            instead.apply(&sample);
            let mut sum = bytes(0, 0);
            for (key, entry) in instead.entries() {
                prop_assert_eq!(on_wire(&beside, key), Some(entry.bytes()));
                sum += entry.bytes();
            }
            prop_assert_eq!(instead.totals().bytes, sum);
        }
    }
}
