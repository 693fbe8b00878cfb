//! Scopes that leave flows out, and windows in packets.

use proptest::prelude::*;

use super::*;
use crate::scope::{Conditions, Families, Subject};

/// Judges by the pid of the left end: even ones count; one-way for every fourth.
#[derive(Debug)]
struct EvenPids;

impl Scope for EvenPids {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let pid = subject.pid.unwrap_or(1);
        Verdict { tx: pid.is_multiple_of(2), rx: pid.is_multiple_of(4) }
    }
}

fn scoped() -> Ledger {
    let mut ledger = Ledger::new(100, 0);
    ledger.set_scope(Some(Box::new(EvenPids)));
    ledger.apply(&Sample::default());
    ledger
}

fn of_pid(pid: u32, flow: Flow) -> Flow {
    Flow { pid, ..flow }
}

#[test]
fn what_is_outside_counts_nowhere() {
    let mut ledger = scoped();
    let moved = |id, pid| (remote(id), of_pid(pid, flow(CONNECTED, 10, 100)));
    ledger.apply(&sample(2, &[moved(1, 1), moved(2, 2), moved(4, 4)]));
    assert_eq!([1, 2, 4].map(|id| of(&ledger, &remote(id))), [bytes(0, 0), bytes(10, 0), bytes(10, 100)]);
    assert_eq!(ledger.totals().bytes, bytes(20, 100));
    assert_eq!(ledger.totals().rates.bytes(Window::S2), bytes(20, 100));
}

#[test]
fn what_is_kept_out_is_booked_on_the_first_condition_that_does() {
    let mut ledger = Ledger::new(100, 0);
    let mut conditions = Conditions::default();
    conditions.push("even".to_owned(), Box::new(EvenPids));
    conditions.push("-6".to_owned(), Box::new(Families { v4: false, v6: true }));
    ledger.set_scope(Some(Box::new(conditions)));
    ledger.apply(&Sample::default());
    let moved = |id, pid| (remote(id), of_pid(pid, flow(CONNECTED, 10, 100)));
    ledger.apply(&sample(2, &[moved(1, 1), moved(2, 2), moved(4, 4)]));
    let kept_out: Vec<_> = ledger.kept_out().collect();
    // The second one keeps out what the first lets pass of 2 as well; that is booked with the rest of it.
    assert_eq!(kept_out, [("even", bytes(20, 200)), ("-6", bytes(10, 100))]);
    assert_eq!((ledger.totals().bytes, ledger.outside().0), (bytes(0, 0), bytes(30, 300)));
    ledger.set_scope(None);
    assert_eq!(ledger.kept_out().count(), 0);
}

#[test]
fn the_left_ends_verdict_is_that_of_both() {
    let mut ledger = scoped();
    let (initiator, acceptor) = loopback(1);
    let ends =
        [(acceptor, of_pid(4, flow(ACCEPTED, 100, 10))), (initiator, of_pid(2, flow(CONNECTED, 10, 100)))];
    ledger.apply(&sample(2, &ends));
    assert_eq!((of(&ledger, &initiator), of(&ledger, &acceptor)), (bytes(10, 0), bytes(0, 10)));
    assert_eq!(ledger.totals().bytes, bytes(10, 0));
}

#[test]
fn a_connection_that_changes_hands_is_judged_anew_and_keeps_its_bytes() {
    let mut ledger = scoped();
    for (at_s, pid, sent) in [(2, 4, 10), (4, 1, 30), (6, 2, 70)] {
        ledger.apply(&sample(at_s, &[(remote(1), of_pid(pid, flow(CONNECTED, sent, sent)))]));
    }
    assert_eq!(of(&ledger, &remote(1)), bytes(10 + 40, 10));
    assert_eq!(ledger.totals().bytes, bytes(50, 10));
}

#[test]
fn a_new_scope_counts_from_then_on() {
    let mut ledger = Ledger::new(10, 0);
    let at = |at_s, sent| sample(at_s, &[(remote(1), of_pid(1, flow(CONNECTED, sent, 0)))]);
    ledger.apply(&Sample::default());
    ledger.apply(&at(2, 10));
    ledger.set_scope(Some(Box::new(EvenPids)));
    ledger.apply(&at(4, 30));
    assert_eq!(ledger.totals().bytes, bytes(10, 0));
    ledger.set_scope(None);
    ledger.apply(&at(6, 70));
    assert_eq!(ledger.totals().bytes, bytes(50, 0));
    assert_eq!(ledger.totals().rates.bytes(Window::S2), bytes(40, 0));
}

#[test]
fn the_untracked_count_unless_the_scope_must_look_at_each() {
    let with_untracked = |at_s, tx_bytes| Sample {
        untracked: Untracked { flows: 1, tx_bytes, ..Untracked::default() },
        ..sample(at_s, &[])
    };
    let mut ledger = Ledger::new(10, 0);
    ledger.apply(&with_untracked(0, 0));
    ledger.apply(&with_untracked(2, 10));
    ledger.set_scope(Some(Box::new(EvenPids)));
    ledger.apply(&with_untracked(4, 30));
    ledger.set_scope(Some(Box::new(crate::scope::NoLinkLocal)));
    ledger.apply(&with_untracked(6, 70));
    assert_eq!(ledger.totals().bytes, bytes(50, 0));
    assert_eq!(ledger.untracked().tx_bytes, 70);
}

fn segments(flow: Flow, segs_out: u32, segs_in: u32) -> Flow {
    Flow { segs_out, segs_in, ..flow }
}

#[test]
fn packets_fill_the_windows_and_bytes_the_totals() {
    let mut ledger = Ledger::new(10, 0).in_packets();
    let (older, found_later) = (flow(OLDER, 1000, 1000), flow(OLDER, 500, 500));
    ledger.apply(&sample(0, &[(remote(1), segments(older, u32::MAX - 1, 50))]));
    ledger.apply(&sample(
        2,
        &[
            (remote(1), segments(flow(OLDER, 1010, 1000), 3, 40)),
            (remote(2), segments(flow(CONNECTED, 7, 8), 4, 3)),
            (remote(3), segments(found_later, 900, 900)),
        ],
    ));
    let in_2s = |id| ledger.rates(ledger.get(&remote(id)).unwrap()).bytes(Window::S2);
    assert_eq!([1, 2, 3].map(in_2s), [bytes(5, 0), bytes(4, 3), bytes(0, 0)]);
    assert_eq!(ledger.totals().rates.bytes(Window::S2), bytes(9, 3));
    assert_eq!(ledger.totals().bytes, bytes(517, 508));
}

proptest! {
    #[test]
    fn totals_are_the_sum_of_what_counts(
        // A socket that has had a user never has none again.
        steps in prop::collection::vec(prop::collection::vec((1..7_u32, 0..1000_u64, 0..1000_u64), 8), 1..12),
    ) {
        let mut ledger = scoped();
        let (mut counters, mut expected) = ([bytes(0, 0); 8], bytes(0, 0));
        for (at_s, step) in (2..).step_by(2).zip(&steps) {
            let mut flows = Vec::new();
            for (id, (&(pid, tx, rx), counter)) in (1..).zip(step.iter().zip(&mut counters)) {
                *counter += bytes(tx, rx);
                flows.push((remote(id), of_pid(pid, flow(CONNECTED, counter.tx, counter.rx))));
                let even = pid % 2 == 0;
                expected += bytes(if even { tx } else { 0 }, if even && pid % 4 == 0 { rx } else { 0 });
            }
            ledger.apply(&sample(at_s, &flows));
            let sum = ledger.entries().fold(bytes(0, 0), |sum, (_, entry)| sum + entry.bytes());
            prop_assert_eq!((ledger.totals().bytes, sum), (expected, expected));
        }
    }
}
