//! Births, closes, pairs and expiry, case by case; `model` has them all at random.

mod bordered;
mod model;
mod on_wire;
mod proxied;
mod scoped;

use flowtop_common::flags;

use super::*;
use crate::fixture::{ACCEPTED, CONNECTED, OLDER, S, ended, flow, key, ledger_of, sample};

fn bytes(tx: u64, rx: u64) -> Bytes {
    Bytes { tx, rx }
}

fn of(ledger: &Ledger, key: &FlowKey) -> Bytes {
    ledger.get(key).expect("the flow is in the ledger").bytes()
}

fn peer_of<'a>(ledger: &'a Ledger, key: &FlowKey) -> Option<&'a FlowKey> {
    Some(ledger.peer(ledger.get(key).expect("the flow is in the ledger"))?.0)
}

fn remote(id: u64) -> FlowKey {
    key(1, "192.0.2.1:40000", "198.51.100.7:443", id)
}

/// Both ends of a connection inside one namespace.
fn loopback(id: u64) -> (FlowKey, FlowKey) {
    (key(1, "127.0.0.1:40000", "127.0.0.1:80", id), key(1, "127.0.0.1:80", "127.0.0.1:40000", id + 1))
}

/// Both ends of a connection between two namespaces.
fn across(initiator_netns: u32, acceptor_netns: u32, id: u64) -> (FlowKey, FlowKey) {
    let (initiator, acceptor) = ("10.0.0.1:40000", "10.0.0.2:80");
    (key(initiator_netns, initiator, acceptor, id), key(acceptor_netns, acceptor, initiator, id + 1))
}

#[test]
fn history_before_the_baseline_does_not_count() {
    let mut ledger = Ledger::new(10, 0);
    let history = Flow { base_tx_bytes: 1 << 30, ..flow(OLDER, 5 << 30, 7) };
    ledger.apply(&sample(100, &[(remote(1), history)]));
    assert_eq!((of(&ledger, &remote(1)), ledger.totals().bytes), (bytes(0, 0), bytes(0, 0)));
    ledger.apply(&sample(102, &[(remote(1), flow(OLDER, (5 << 30) + 10, 9))]));
    assert_eq!((of(&ledger, &remote(1)), ledger.totals().bytes), (bytes(10, 2), bytes(10, 2)));
    assert!((ledger.elapsed_s() - 2.0).abs() < 1e-9);
}

#[test]
fn a_later_flow_counts_from_where_its_entry_was_opened() {
    let older = Flow { base_tx_bytes: 1000, base_rx_bytes: 50, ..flow(OLDER, 1010, 50) };
    let ledger = ledger_of(&[sample(2, &[(remote(1), older), (remote(2), flow(CONNECTED, 3, 4))])]);
    assert_eq!(of(&ledger, &remote(1)), bytes(10, 0));
    assert_eq!(of(&ledger, &remote(2)), bytes(3, 4));
    assert_eq!(ledger.totals().bytes, bytes(13, 4));
    let rates = ledger.rates(ledger.get(&remote(1)).unwrap());
    assert_eq!((rates.bytes(Window::S2), rates.covered_ns(Window::S2)), (bytes(10, 0), 2 * S));
}

#[test]
fn a_counter_that_goes_back_stays() {
    let steps = [(10, 5), (4, 6), (12, 1)].map(|(tx, rx)| (remote(1), flow(CONNECTED, tx, rx)));
    let ledger = ledger_of(&[sample(1, &steps[..1]), sample(2, &steps[1..2]), sample(3, &steps[2..])]);
    assert_eq!(ledger.totals().bytes, bytes(12, 6));
    assert_eq!(ledger.totals().rates.bytes(Window::S40), bytes(12, 6));
}

#[test]
fn totals_have_windows_and_a_peak() {
    let at = |at_s, tx| sample(at_s, &[(remote(1), flow(CONNECTED, tx, 0))]);
    let totals = ledger_of(&[at(2, 2000), at(4, 2200)]).totals();
    assert!((totals.rates.tx_per_s(Window::S2) - 100.0).abs() < 1e-9);
    assert!((totals.rates.tx_per_s(Window::S10) - 550.0).abs() < 1e-9);
    assert!((totals.peak.tx_per_s - 1000.0).abs() < 1e-9);
}

#[test]
fn a_sampler_that_stood_still_for_ten_minutes_loses_nothing_and_says_so() {
    let at = |at_s, tx| sample(at_s, &[(remote(1), flow(CONNECTED, tx, 0))]);
    let born_meanwhile = (remote(2), flow(CONNECTED, 60_000, 6));
    let mut ledger = ledger_of(&[at(1, 100), at(2, 200)]);
    assert_eq!(ledger.stalled_s(), None);
    ledger.apply(&sample(602, &[(remote(1), flow(CONNECTED, 600_200, 0)), born_meanwhile]));
    assert_eq!(ledger.totals().bytes, bytes(660_200, 6));
    let rates = ledger.rates(ledger.get(&remote(1)).unwrap());
    assert_eq!((rates.bytes(Window::S2), rates.covered_ns(Window::S2)), (bytes(600_000, 0), 600 * S));
    assert!((rates.tx_per_s(Window::S2) - 1000.0).abs() < 1e-9);
    assert_eq!(ledger.stalled_s(), Some(600.0));
    for at_s in 603..605 {
        ledger.apply(&sample(at_s, &[(remote(1), flow(CONNECTED, 600_200, 0)), born_meanwhile]));
    }
    assert_eq!((ledger.stalled_s(), ledger.totals().bytes), (None, bytes(660_200, 6)));
    assert!(Window::ALL.iter().all(|window| (ledger.covered_s(*window) - 2.0).abs() < 1e-9));
}

#[test]
fn a_flow_is_removable_once_it_was_read_after_its_end() {
    let mut ledger = Ledger::new(10, 0);
    let (alive, dead) = (flow(CONNECTED, 1, 1), ended(flow(CONNECTED, 5, 5)));
    let expected: [&[FlowKey]; 5] = [&[], &[], &[], &[remote(1)], &[]];
    let samples = [vec![], vec![alive], vec![dead], vec![dead], vec![]];
    for (at_s, (flows, expected)) in (0..).zip(samples.iter().zip(expected)) {
        let flows: Vec<_> = flows.iter().map(|flow| (remote(1), *flow)).collect();
        ledger.apply(&sample(at_s, &flows));
        assert_eq!(ledger.removable(), expected, "at {at_s} s");
    }
    assert_eq!(ledger.totals().bytes, bytes(5, 5));
}

#[test]
fn a_flow_that_ended_before_the_baseline_is_removable_after_it() {
    let mut ledger = Ledger::new(10, 0);
    let dead = (remote(1), ended(flow(CONNECTED, 5, 5)));
    ledger.apply(&sample(1, &[dead]));
    assert_eq!(ledger.removable(), []);
    ledger.apply(&sample(2, &[dead]));
    assert_eq!(ledger.removable(), [remote(1)]);
    assert_eq!(ledger.totals().bytes, bytes(0, 0));
}

#[test]
fn both_ends_of_a_connection_count_once() {
    for (initiator, acceptor) in [loopback(1), across(1, 2, 1)] {
        let flows = [(acceptor, flow(ACCEPTED, 7, 100)), (initiator, flow(CONNECTED, 101, 6))];
        let ledger = ledger_of(&[sample(2, &flows)]);
        assert_eq!(ledger.totals().bytes, bytes(101, 6));
        assert_eq!(peer_of(&ledger, &initiator), Some(&acceptor));
        assert!(ledger.get(&acceptor).unwrap().is_peer());
    }
}

#[test]
fn of_two_older_ends_the_higher_port_counts() {
    let mut ledger = Ledger::new(10, 0);
    let (high, low) = loopback(1);
    ledger.apply(&sample(0, &[(low, flow(OLDER, 0, 0)), (high, flow(OLDER, 0, 0))]));
    ledger.apply(&sample(2, &[(low, flow(OLDER, 1, 20)), (high, flow(OLDER, 20, 1))]));
    assert_eq!(ledger.totals().bytes, bytes(20, 1));
    assert!(ledger.get(&low).unwrap().is_peer());
}

#[test]
fn what_was_seen_of_one_end_decides_for_both() {
    let (high, low) = loopback(1);
    let flows = [(high, flow(OLDER, 20, 1)), (low, flow(CONNECTED, 1, 20))];
    let ledger = ledger_of(&[sample(2, &flows)]);
    assert_eq!(ledger.totals().bytes, bytes(1, 20));
    assert!(ledger.get(&high).unwrap().is_peer());
}

#[test]
fn an_acceptor_whose_initiator_is_untracked_does_not_count_again() {
    let (_, acceptor) = loopback(1);
    let mut with_untracked = sample(2, &[(acceptor, flow(ACCEPTED, 6, 100))]);
    with_untracked.untracked =
        Untracked { flows: 2, tx_bytes: 130, rx_bytes: 26, mirrored_tx_bytes: 20, mirrored_rx_bytes: 10 };
    let ledger = ledger_of(&[with_untracked]);
    assert_eq!(ledger.totals().bytes, bytes(110, 16));
    assert_eq!(of(&ledger, &acceptor), bytes(6, 100));
}

#[test]
fn untracked_bytes_count_from_the_baseline() {
    let with_untracked = |at_s, flows, tx_bytes| {
        let untracked = Untracked { flows, tx_bytes, rx_bytes: 0, ..Untracked::default() };
        Sample { untracked, ..sample(at_s, &[]) }
    };
    let mut ledger = Ledger::new(10, 0);
    ledger.apply(&with_untracked(0, 2, 1000));
    ledger.apply(&with_untracked(2, 3, 1400));
    assert_eq!((ledger.untracked().flows, ledger.untracked().tx_bytes), (3, 400));
    assert_eq!(ledger.totals().bytes, bytes(400, 0));
    assert!((ledger.totals().rates.tx_per_s(Window::S2) - 200.0).abs() < 1e-9);
}

/// Two connections with equal tuples between four namespaces.
fn twins() -> [(FlowKey, Flow); 4] {
    let ((one, one_acceptor), (other, other_acceptor)) = (across(1, 2, 10), across(3, 4, 20));
    [
        (one, flow(CONNECTED, 10, 1)),
        (one_acceptor, flow(ACCEPTED, 1, 10)),
        (other, flow(CONNECTED, 20, 2)),
        (other_acceptor, flow(ACCEPTED, 2, 20)),
    ]
}

#[test]
fn equal_tuples_in_several_namespaces_are_not_guessed_at() {
    let [one, one_acceptor, other, other_acceptor] = twins();
    for flows in [
        &[one, one_acceptor, other, other_acceptor][..],
        &[one, one_acceptor, other],
        &[one, one_acceptor, other_acceptor],
    ] {
        let ledger = ledger_of(&[sample(2, flows)]);
        let all = flows.iter().fold(bytes(0, 0), |sum, (_, flow)| sum + bytes(flow.tx_bytes, flow.rx_bytes));
        assert_eq!(ledger.totals().bytes, all);
        assert!(ledger.entries().all(|(_, entry)| !entry.has_peer()));
    }
}

#[test]
fn flows_that_were_counted_apart_stay_apart() {
    let [one, one_acceptor, ..] = twins();
    let (initiator, acceptor) = across(1, 2, 30);
    let next = [(initiator, 40), (acceptor, 41)].map(|(key, opened_ns)| {
        (key, Flow { opened_ns, ..flow(if opened_ns == 40 { CONNECTED } else { ACCEPTED }, 5, 5) })
    });
    let ledger = ledger_of(&[sample(2, &twins()), sample(4, &[one, one_acceptor, next[0], next[1]])]);
    assert_eq!(peer_of(&ledger, &one.0), None);
    assert_eq!(peer_of(&ledger, &initiator), Some(&acceptor));
    assert_eq!(ledger.totals().bytes, bytes(33 + 5, 33 + 5));
}

#[test]
fn a_flow_that_is_gone_gets_no_new_peer() {
    let [(initiator, moved), (acceptor, answered), ..] = twins();
    let ledger = ledger_of(&[sample(2, &[(initiator, ended(moved))]), sample(4, &[(acceptor, answered)])]);
    assert_eq!(peer_of(&ledger, &acceptor), None);
    assert_eq!(ledger.totals().bytes, bytes(11, 11));
}

#[test]
fn equal_loopback_tuples_stay_in_their_namespace() {
    let in_namespace = |netns, key: FlowKey| FlowKey { netns, ..key };
    let (initiator, acceptor) = loopback(1);
    let flows = [
        (in_namespace(1, initiator), flow(CONNECTED, 10, 1)),
        (in_namespace(1, acceptor), flow(ACCEPTED, 1, 10)),
        (in_namespace(2, initiator), flow(CONNECTED, 20, 2)),
        (in_namespace(3, acceptor), flow(ACCEPTED, 3, 30)),
    ];
    let ledger = ledger_of(&[sample(2, &flows)]);
    assert_eq!(ledger.totals().bytes, bytes(30, 3));
    assert_eq!(peer_of(&ledger, &flows[0].0), Some(&flows[1].0));
    assert_eq!(peer_of(&ledger, &flows[2].0), None);
}

#[test]
fn reconnects_on_one_tuple_pair_up_in_the_order_of_their_opening() {
    for ends in [loopback, |id| across(1, 2, id)] {
        let connection = |id| {
            let (initiator, acceptor) = ends(id);
            let opened = |flow, opened_ns| ended(Flow { opened_ns, ..flow });
            [
                (initiator, opened(flow(CONNECTED, id, 0), id)),
                (acceptor, opened(flow(ACCEPTED, 0, id), id + 1)),
            ]
        };
        let mut flows: Vec<_> = [50, 10, 30].into_iter().flat_map(connection).collect();
        // The acceptor of the second connection was lost.
        flows.retain(|(key, _)| key.id != 31);
        let ledger = ledger_of(&[sample(2, &flows)]);
        let peer_id = |id| peer_of(&ledger, &ends(id).0).map(|peer| peer.id);
        assert_eq!([10, 30, 50].map(peer_id), [Some(11), None, Some(51)]);
        assert_eq!(ledger.totals().bytes, bytes(90, 0));
    }
}

#[test]
fn a_closed_flow_keeps_its_row_until_it_has_left_the_windows() {
    for (retain_closed_s, stays_s) in [(0, 40), (60, 60)] {
        let mut ledger = Ledger::new(10, retain_closed_s);
        let dead = (remote(1), ended(flow(CONNECTED, 5, 5)));
        ledger.apply(&sample(0, &[]));
        ledger.apply(&sample(2, &[dead]));
        ledger.apply(&sample(4, &[dead]));
        for at_s in (6..80).step_by(2) {
            ledger.apply(&sample(at_s, &[]));
            assert_eq!(ledger.get(&remote(1)).is_some(), at_s - 2 < stays_s, "at {at_s} s");
            assert_eq!(ledger.totals().bytes, bytes(5, 5));
        }
    }
}

#[test]
fn a_flow_that_was_idle_at_its_end_keeps_its_row_as_long() {
    let (alive, dead) = (flow(CONNECTED, 5, 5), ended(flow(CONNECTED, 5, 5)));
    let mut ledger = ledger_of(&[sample(2, &[(remote(1), alive)]), sample(102, &[(remote(1), dead)])]);
    ledger.apply(&sample(141, &[]));
    assert_eq!(of(&ledger, &remote(1)), bytes(5, 5));
    ledger.apply(&sample(142, &[]));
    assert!(ledger.get(&remote(1)).is_none());
}

#[test]
fn a_connection_stays_while_one_end_lives() {
    let mut ledger = Ledger::new(10, 0);
    let (initiator, acceptor) = loopback(1);
    let half = [(acceptor, flow(ACCEPTED, 3, 100)), (initiator, ended(flow(CONNECTED, 100, 3)))];
    ledger.apply(&sample(0, &[]));
    ledger.apply(&sample(1, &half));
    for at_s in 2..100 {
        ledger.apply(&sample(at_s, &half[..1]));
        assert_eq!(ledger.totals().bytes, bytes(100, 3), "at {at_s} s");
    }
    assert!(ledger.get(&initiator).is_some());
    ledger.apply(&sample(100, &[(acceptor, ended(half[0].1))]));
    for at_s in 101..=140 {
        ledger.apply(&sample(at_s, &[]));
    }
    assert_eq!((ledger.entries().count(), ledger.totals().bytes), (0, bytes(100, 3)));
}

#[test]
fn an_ended_flow_that_is_not_deleted_is_not_counted_again() {
    let dead = [(remote(1), ended(flow(CONNECTED, 5, 5)))];
    let ledger = ledger_of(&(1..200).map(|at_s| sample(at_s, &dead)).collect::<Vec<_>>());
    assert_eq!(ledger.totals().bytes, bytes(5, 5));
    assert_eq!(of(&ledger, &remote(1)), bytes(5, 5));
}

#[test]
fn a_flow_missing_from_two_samples_goes_on_and_from_three_is_closed() {
    let alive = |at_s, tx| sample(at_s, &[(remote(1), flow(CONNECTED, tx, 0))]);
    let mut ledger = ledger_of(&[alive(1, 5), sample(2, &[]), sample(3, &[])]);
    assert_eq!(ledger.get(&remote(1)).unwrap().closed_ns(), None);
    ledger.apply(&sample(4, &[]));
    assert_eq!(ledger.get(&remote(1)).unwrap().closed_ns(), Some(4 * S));
    ledger.apply(&alive(5, 8));
    assert_eq!(ledger.get(&remote(1)).unwrap().closed_ns(), None);
    assert_eq!(ledger.totals().bytes, bytes(8, 0));
}

#[test]
fn the_oldest_closed_rows_go_first_when_there_are_too_many() {
    let mut ledger = Ledger::new(2, 0);
    ledger.apply(&sample(0, &[]));
    for id in 1..=20 {
        let dead = [(remote(id), ended(flow(CONNECTED, id, 0)))];
        ledger.apply(&sample(2 * id, &dead));
        ledger.apply(&sample(2 * id + 1, &dead));
        assert!(ledger.entries().count() <= 8);
    }
    let mut kept: Vec<u64> = ledger.entries().map(|(key, _)| key.id).collect();
    kept.sort_unstable();
    assert_eq!(kept, (13..=20).collect::<Vec<_>>());
    assert_eq!(ledger.losses().ledger, 12);
    assert_eq!(ledger.totals().bytes, bytes((1..=20).sum(), 0));
}

#[test]
fn a_long_run_takes_no_more_memory_than_a_short_one() {
    const BORN_EACH_S: u64 = 30;
    let mut ledger = Ledger::new(10_000, 0);
    ledger.apply(&sample(0, &[]));
    // Each lives for less than a second, and is read once more before it leaves the kernel's table.
    let born = |at_s: u64| (at_s * BORN_EACH_S..(at_s + 1) * BORN_EACH_S).map(loopback_dead);
    let mut size = |at_s: u64| {
        ledger.apply(&sample(at_s, &born(at_s - 1).chain(born(at_s)).flatten().collect::<Vec<_>>()));
        (ledger.entries().count(), ledger.removable().len(), ledger.new_owners().count())
    };
    let sizes: Vec<_> = (1..500).map(&mut size).collect();
    assert!(sizes[50..].iter().all(|size| *size == sizes[50]), "{sizes:?}");
    for at_s in 500..550 {
        ledger.apply(&sample(at_s, &[]));
    }
    let counted = 500 * BORN_EACH_S;
    assert_eq!((ledger.entries().count(), ledger.totals().bytes), (0, bytes(5 * counted, 3 * counted)));
}

/// Both ends of a connection that has ended.
fn loopback_dead(number: u64) -> [(FlowKey, Flow); 2] {
    let (initiator, acceptor) = loopback(2 * number + 1);
    let opened = |flow| Flow { opened_ns: number, ..ended(flow) };
    [(initiator, opened(flow(CONNECTED, 5, 3))), (acceptor, opened(flow(ACCEPTED, 3, 5)))]
}

#[test]
fn losses_of_the_kernel_count_from_the_baseline() {
    let lossy = |at, losses: [u64; 2]| {
        let mut lossy = sample(at, &[]);
        lossy.set_loss(Loss::Unseeded, losses);
        lossy
    };
    let mut ledger = Ledger::new(10, 0);
    ledger.apply(&lossy(1, [1, 2]));
    ledger.apply(&lossy(2, [5, 2]));
    assert_eq!(ledger.losses().kernel[Loss::Unseeded as usize], 4);
}

#[test]
fn a_counter_that_cannot_be_true_spoils_nothing() {
    let one = key(1, "192.0.2.1:40000", "192.0.2.2:443", 1);
    let restored = key(1, "127.0.0.1:47911", "127.0.0.1:47912", 2);
    for claimed in [u64::MAX, u64::MAX - 59, 1 << 60] {
        let mut ledger = Ledger::new(10, 0);
        ledger.apply(&sample(0, &[]));
        for (at_s, bytes, tx, rx) in [(1, 100, claimed, 5), (2, 200, claimed, 9), (3, 300, 60, 9)] {
            let flows = [(one, flow(CONNECTED, bytes, 7)), (restored, flow(CONNECTED, tx, rx))];
            ledger.apply(&sample(at_s, &flows));
            // It is told once, and named.
            let refused = if at_s == 1 { &[restored][..] } else { &[] };
            assert_eq!(
                (ledger.refused(), ledger.losses().implausible),
                (refused, 1),
                "{claimed} at {at_s} s"
            );
            let rates = ledger.totals().rates;
            assert!(rates.tx_per_s(Window::S40) < 1e6, "{claimed}: {rates:?}");
        }
        // Once it tells the truth it counts.
        assert_eq!(ledger.get(&restored).unwrap().bytes(), Bytes { tx: 60, rx: 9 });
        assert_eq!(ledger.totals().bytes, Bytes { tx: 360, rx: 16 });
        assert_eq!(ledger.get(&one).unwrap().bytes(), Bytes { tx: 300, rx: 7 });
    }
}

#[test]
fn untracked_bytes_that_cannot_be_true_are_refused() {
    let mut ledger = Ledger::new(10, 0);
    let untracked = |tx_bytes| Untracked { flows: 1, tx_bytes, ..Untracked::default() };
    for (at_s, tx_bytes) in [(0, 0), (1, 100), (2, u64::MAX), (3, 300)] {
        ledger.apply(&Sample { untracked: untracked(tx_bytes), ..sample(at_s, &[]) });
    }
    assert_eq!((ledger.totals().bytes.tx, ledger.losses().implausible), (300, 1));
}

#[test]
fn a_long_time_between_samples_lets_more_be_true() {
    let one = key(1, "192.0.2.1:40000", "192.0.2.2:443", 1);
    let mut ledger = ledger_of(&[sample(1, &[(one, flow(CONNECTED, 0, 0))])]);
    let much = 1_000 * crate::plausible::MAX_BYTES_PER_S;
    ledger.apply(&sample(1_001, &[(one, flow(CONNECTED, much, 0))]));
    assert_eq!((ledger.totals().bytes.tx, ledger.losses().implausible), (much, 0));
}
