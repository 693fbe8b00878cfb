//! Windows with flows that open, close, idle and are late.

use flowtop_common::Flow;

use super::*;
use crate::filter::Boundary;
use crate::fixture::{ACCEPTED, CONNECTED, OLDER, S, ended, flow, key, sample};
use crate::ledger::Ledger;

/// Of a socket that was born at so many ms.
fn remote(born_ms: u64) -> FlowKey {
    key(1, "192.0.2.1:40000", "198.51.100.7:443", born_ms * MS)
}

const MS: u64 = 1_000_000;

fn bytes(tx: u64, rx: u64) -> Bytes {
    Bytes { tx, rx }
}

/// A ledger with a baseline at 0 s, and its sampler.
fn start(flows: &[(FlowKey, Flow)]) -> (Ledger, Sampler) {
    let mut ledger = Ledger::new(100, 60).keeping_wire();
    ledger.apply(&sample(0, flows));
    let sampler = Sampler::start(&ledger);
    (ledger, sampler)
}

fn step(ledger: &mut Ledger, sampler: &mut Sampler, at_s: u64, flows: &[(FlowKey, Flow)]) {
    ledger.apply(&sample(at_s, flows));
    sampler.sample(ledger);
}

fn close(ledger: &Ledger, sampler: &mut Sampler) -> Record {
    sampler.close(ledger, Who::nobody())
}

#[test]
fn a_window_has_bytes_of_its_own_and_counters_over_the_life() {
    let older = |tx, retrans_bytes| Flow { retrans_bytes, ..flow(OLDER, tx, 7) };
    let (mut ledger, mut sampler) = start(&[(remote(1), older(100, 30))]);
    for (at_s, tx, retrans_bytes) in [(1, 150, 30), (2, 350, 40), (3, 360, 40)] {
        step(&mut ledger, &mut sampler, at_s, &[(remote(1), older(tx, retrans_bytes))]);
    }
    let first = close(&ledger, &mut sampler);
    let one = &first.flows[0];
    assert_eq!((one.bytes, one.lifetime(), one.peak), (bytes(260, 0), bytes(360, 7), bytes(200, 0)));
    assert_eq!((one.retrans_bytes, one.flow.retrans_bytes), (10, 40));
    assert_eq!(first.per_second, [bytes(50, 0), bytes(200, 0), bytes(10, 0)]);
    let at = |at_s: u64| sample(at_s, &[]);
    let span =
        Span { start_us: at(0).at_us, end_us: at(3).at_us, start_ns: at(0).at_ns, end_ns: at(3).at_ns };
    assert_eq!(first.span, span);

    step(&mut ledger, &mut sampler, 4, &[(remote(1), older(361, 40))]);
    let second = close(&ledger, &mut sampler);
    assert_eq!((second.flows[0].bytes, second.flows[0].peak), (bytes(1, 0), bytes(1, 0)));
    assert_eq!((second.flows[0].retrans_bytes, second.span.start_ns), (0, 3 * S));
}

#[test]
fn a_flow_is_in_the_window_in_which_it_ends_and_in_no_later_one() {
    let (mut ledger, mut sampler) = start(&[]);
    let over = ended(flow(CONNECTED, 5, 6));
    step(&mut ledger, &mut sampler, 1, &[(remote(1), over), (remote(2), flow(CONNECTED, 0, 0))]);
    let first = close(&ledger, &mut sampler);
    let of = |record: &Record| {
        record.flows.iter().map(|flow| (flow.key.id / MS, flow.has_ended())).collect::<Vec<_>>()
    };
    assert_eq!(of(&first), [(1, true), (2, false)]);
    step(&mut ledger, &mut sampler, 2, &[(remote(1), over), (remote(2), flow(CONNECTED, 0, 0))]);
    assert_eq!(of(&close(&ledger, &mut sampler)), [(2, false)]);
}

#[test]
fn both_ends_are_in_it_and_count_once() {
    let (left, right) = (
        key(1, "127.0.0.1:40000", "127.0.0.1:80", 9 * MS),
        key(1, "127.0.0.1:80", "127.0.0.1:40000", 3 * MS),
    );
    let (mut ledger, mut sampler) = start(&[]);
    step(&mut ledger, &mut sampler, 1, &[(left, flow(CONNECTED, 5, 6)), (right, flow(ACCEPTED, 6, 5))]);
    let record = close(&ledger, &mut sampler);
    let ends: Vec<_> = record.flows.iter().map(|flow| (flow.key.id / MS, flow.peer, flow.is_right)).collect();
    assert_eq!(ends, [(3, Some(1), true), (9, Some(0), false)]);
    assert_eq!((record.totals, &*record.flows[0].label), (bytes(5, 6), "loopback"));
}

#[test]
fn a_late_sample_says_the_mean_and_no_more() {
    let (mut ledger, mut sampler) = start(&[]);
    step(&mut ledger, &mut sampler, 1, &[(remote(1), flow(CONNECTED, 10, 0))]);
    step(&mut ledger, &mut sampler, 41, &[(remote(1), flow(CONNECTED, 4010, 0))]);
    let record = close(&ledger, &mut sampler);
    assert_eq!((record.flows[0].bytes, record.flows[0].peak), (bytes(4010, 0), bytes(100, 0)));
}

#[test]
fn what_leaves_the_ledger_is_in_the_rest() {
    let mut ledger = Ledger::new(100, 0);
    ledger.apply(&sample(0, &[]));
    let mut sampler = Sampler::start(&ledger);
    step(&mut ledger, &mut sampler, 1, &[(remote(1), ended(flow(CONNECTED, 5, 6)))]);
    for at_s in [20, 40, 60, 80] {
        step(&mut ledger, &mut sampler, at_s, &[]);
    }
    let record = close(&ledger, &mut sampler);
    assert_eq!((record.flows.len(), record.totals), (0, bytes(5, 6)));
    assert_eq!(record.rest, [Rest { flows: 1, bytes: bytes(5, 6), ..Rest::default() }]);
}

/// A connection that is born and ends between two windows is in no record, but its bytes are in the gap.
#[test]
fn a_later_window_tells_what_moved_before_it() {
    let (mut ledger, mut sampler) = start(&[(remote(1), flow(CONNECTED, 10, 0))]);
    step(&mut ledger, &mut sampler, 1, &[(remote(1), flow(CONNECTED, 15, 0))]);
    assert_eq!(close(&ledger, &mut sampler).gap, None);
    let short = (remote(1500), ended(flow(CONNECTED, 70, 700)));
    ledger.apply(&sample(2, &[(remote(1), flow(CONNECTED, 18, 0)), short]));
    ledger.apply(&sample(9, &[(remote(1), flow(CONNECTED, 20, 0))]));
    let mut sampler = sampler.resume(&ledger);
    step(&mut ledger, &mut sampler, 10, &[(remote(1), flow(CONNECTED, 21, 0))]);
    let later = close(&ledger, &mut sampler);
    assert_eq!(later.gap, Some(Gap { start_ns: S, totals: bytes(75, 700) }));
    assert_eq!((later.span.start_ns, later.totals), (9 * S, bytes(1, 0)));
    step(&mut ledger, &mut sampler, 11, &[(remote(1), flow(CONNECTED, 21, 0))]);
    assert_eq!(close(&ledger, &mut sampler).gap, None);
}

#[test]
fn a_window_right_behind_another_has_no_gap() {
    let (mut ledger, mut sampler) = start(&[]);
    step(&mut ledger, &mut sampler, 1, &[]);
    close(&ledger, &mut sampler);
    let mut sampler = sampler.resume(&ledger);
    step(&mut ledger, &mut sampler, 2, &[]);
    assert_eq!(close(&ledger, &mut sampler).gap, None);
}

#[test]
fn bytes_on_the_wire_add_up_to_those_of_the_ledger_and_are_replayed() {
    let at = |flow_flags, n: u32| {
        let bytes = u64::from(n) * 1000;
        let segs_in = if flow_flags == OLDER { (7 * n).wrapping_sub(18) } else { 7 * n };
        Flow { sent_bytes: bytes + 3, segs_out: 2 * n, segs_in, ..flow(flow_flags, bytes, 10) }
    };
    let (older, born) = (remote(1), remote(500));
    let (mut ledger, mut sampler) = start(&[(older, at(OLDER, 1))]);
    let mut records = Vec::new();
    for (at_s, n) in [(1, 2), (2, 3), (3, 4)] {
        step(&mut ledger, &mut sampler, at_s, &[(older, at(OLDER, n)), (born, at(CONNECTED, n))]);
        if n > 2 {
            records.push(close(&ledger, &mut sampler).sorted().into_owned());
        }
    }
    for key in [older, born] {
        let its = |record: &Record| record.flows.iter().find(|flow| flow.key.id == key.id)?.on_wire();
        let of_records = records.iter().map(|record| its(record).unwrap()).fold(bytes(0, 0), |a, b| a + b);
        assert_eq!(ledger.on_wire(ledger.get(&key).unwrap()), Some(of_records));
        for record in &records {
            let beside = Ledger::of_record(record, Boundary::default(), None);
            assert_eq!(beside.on_wire(beside.get(&key).unwrap()), its(record));
            let instead = Ledger::of_record_in_wire(record, Boundary::default(), None).unwrap();
            assert_eq!(Some(instead.get(&key).unwrap().bytes()), its(record));
        }
    }
}

#[test]
fn a_record_that_does_not_tell_what_was_on_the_wire_leaves_it_unknown() {
    let (mut ledger, mut sampler) = start(&[]);
    step(&mut ledger, &mut sampler, 1, &[(remote(1), flow(CONNECTED, 5, 6))]);
    let mut record = close(&ledger, &mut sampler);
    record.flows[0].grown = None;
    let ledger = Ledger::of_record(&record, Boundary::default(), None);
    assert_eq!(ledger.on_wire(ledger.get(&record.flows[0].key).unwrap()), None);
    assert!(Ledger::of_record_in_wire(&record, Boundary::default(), None).is_none());
}
