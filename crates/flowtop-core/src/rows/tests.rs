//! Which rows there are, and their order.

use proptest::prelude::*;

use super::*;
use crate::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_inside, ledger_of, sample};
use crate::window::Bytes;

fn remote(id: u64) -> FlowKey {
    key(1, "192.0.2.1:40000", "198.51.100.7:443", id)
}

fn ids(ledger: &Ledger, sort: Sort, limit: Option<usize>) -> Vec<u64> {
    rows(ledger, &View { sort, limit, ..View::default() }).iter().map(|row| row.key.id).collect()
}

#[test]
fn a_connection_with_both_ends_here_is_one_row_with_the_initiator_left() {
    let (initiator, acceptor) =
        (key(1, "10.0.0.1:40000", "10.0.0.2:80", 1), key(2, "10.0.0.2:80", "10.0.0.1:40000", 2));
    let ledger =
        ledger_of(&[sample(2, &[(acceptor, flow(ACCEPTED, 5, 9)), (initiator, flow(CONNECTED, 10, 5))])]);
    let rows = rows(&ledger, &View::default());
    let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!((row.key, row.entry.bytes()), (&initiator, Bytes { tx: 10, rx: 5 }));
    let (peer_key, peer) = row.peer.unwrap();
    assert_eq!((peer_key, peer.bytes()), (&acceptor, Bytes { tx: 5, rx: 9 }));
}

#[test]
fn a_flow_without_bytes_has_no_row_unless_its_peer_has_some() {
    let (initiator, acceptor) =
        (key(1, "127.0.0.1:40000", "127.0.0.1:80", 1), key(1, "127.0.0.1:80", "127.0.0.1:40000", 2));
    let silent = [(remote(3), flow(CONNECTED, 0, 0)), (initiator, flow(CONNECTED, 0, 0))];
    let one_sided = [silent[1], (acceptor, flow(ACCEPTED, 4, 0))];
    assert!(ids(&ledger_of(&[sample(2, &silent)]), Sort::Last2s, None).is_empty());
    assert_eq!(ids(&ledger_of(&[sample(2, &one_sided)]), Sort::Last2s, None), [1]);
}

/// Three flows that a different window puts first each: 1 was busy long ago, 2 lately, 3 is now. In the last 2 s
/// 1 and 2 are equal.
fn waves() -> Ledger {
    let at = |at_s, bytes: [u64; 3]| {
        let flows = (1..).zip(bytes).map(|(id, tx)| (remote(id), flow(CONNECTED, tx, tx)));
        sample(at_s, &flows.collect::<Vec<_>>())
    };
    let idle = (16..22).step_by(2).map(|at_s| at(at_s, [900, 0, 0]));
    let mut samples: Vec<_> = idle.collect();
    samples.insert(0, at(2, [900, 0, 0]));
    samples.extend([at(22, [900, 500, 0]), at(24, [900, 500, 0]), at(26, [901, 501, 100])]);
    ledger_of(&samples)
}

#[test]
fn the_chosen_window_sorts() {
    let ledger = waves();
    assert_eq!(ids(&ledger, Sort::Last2s, None), [3, 2, 1]);
    assert_eq!(ids(&ledger, Sort::Last10s, None), [2, 3, 1]);
    assert_eq!(ids(&ledger, Sort::Last40s, None), [1, 2, 3]);
}

#[test]
fn bytes_since_the_start_sort_and_what_is_cut_is_told() {
    let flows = [(1, 10, 5), (2, 1, 30), (3, 20, 0), (4, 4, 4)];
    let flows = flows.map(|(id, tx, rx)| (remote(id), flow(CONNECTED, tx, rx)));
    let ledger = ledger_of(&[sample(2, &flows)]);
    assert_eq!(ids(&ledger, Sort::Cumulative, None), [2, 3, 1, 4]);
    assert_eq!(ids(&ledger, Sort::Tx, None), [3, 1, 4, 2]);
    assert_eq!(ids(&ledger, Sort::Rx, None), [2, 1, 4, 3]);
    let cut = |limit| {
        let view = View { sort: Sort::Tx, limit, ..View::default() };
        beyond(&ledger, &view, &rows(&ledger, &view)).map(|others| (others.connections, others.bytes))
    };
    assert_eq!(cut(Some(2)), Some((2, Bytes { tx: 5, rx: 34 })));
    assert_eq!(cut(Some(0)), Some((4, Bytes { tx: 35, rx: 39 })));
    assert_eq!([cut(Some(4)), cut(None)], [None, None]);
}

#[test]
fn the_limit_comes_last() {
    let ledger = waves();
    assert_eq!(ids(&ledger, Sort::Last10s, Some(2)), [2, 3]);
    assert_eq!(ids(&ledger, Sort::Last10s, Some(0)), [0_u64; 0]);
    assert_eq!(ids(&ledger, Sort::Last10s, Some(9)), [2, 3, 1]);
}

#[test]
fn equal_rows_are_in_the_order_of_their_identity() {
    let flows: Vec<_> = [7, 3, 5].map(|id| (remote(id), flow(CONNECTED, 1, 1))).into();
    assert_eq!(ids(&ledger_of(&[sample(2, &flows)]), Sort::Last2s, None), [3, 5, 7]);
}

/// Bytes that remote sockets send equal those that the left ends receive.
#[test]
fn sockets_outside_are_sorted_by_what_the_ends_inside_send() {
    let outside = |id: u64| key(1, "192.0.2.1:80", &format!("10.0.0.{id}:40000"), id);
    let flows = [(outside(1), flow(CONNECTED, 1, 9)), (outside(2), flow(CONNECTED, 5, 2))];
    let ledger = ledger_inside("10.0.0.0/8", &sample(2, &flows));
    let shown = |line_display, sort| {
        let view = View { line_display, sort, limit: Some(1), ..View::default() };
        rows(&ledger, &view).iter().map(|row| row.key.id).collect::<Vec<_>>()
    };
    assert_eq!(shown(LineDisplay::OneLineSent, Sort::Last2s), [1]);
    assert_eq!(shown(LineDisplay::OneLineReceived, Sort::Last2s), [2]);
    assert_eq!(shown(LineDisplay::TwoLine, Sort::Source), [1]);
    assert_eq!(shown(LineDisplay::TwoLine, Sort::Destination), [1]);
}

fn rank() -> impl Strategy<Value = Rank> {
    let host = prop_oneof![Just(String::new()), "[ab\\x00é]{0,12}"];
    let amount = prop_oneof![0..3_u64, Just(u64::MAX)];
    (host, prop::array::uniform8(amount)).prop_map(|(host, amounts)| Rank { host, amounts: Reverse(amounts) })
}

proptest! {
    #[test]
    fn the_first_rows_are_those_of_a_whole_sort(
        ranks in prop::collection::vec(rank(), 1..4),
        rows in prop::collection::vec((0..4_usize, 0..9_u8), 0..40),
        limit in prop::option::of(0..45_usize),
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(n, row)| (ranks[n % ranks.len()].clone(), row)).collect();
        let mut sorted = rows.clone();
        sorted.sort();
        sorted.truncate(limit.unwrap_or(usize::MAX));
        let sorted: Vec<_> = sorted.into_iter().map(|(_, row)| row).collect();
        prop_assert_eq!(arrange(rows, limit, |row| *row), sorted);
    }

    #[test]
    fn what_leads_a_rank_agrees_with_it(ranks in prop::collection::vec(rank(), 1..20)) {
        let mut ranked: Vec<_> = ranks.iter().zip(Rank::leading(ranks.iter())).collect();
        ranked.sort();
        prop_assert!(ranked.is_sorted_by_key(|(_, leading)| *leading));
    }

    #[test]
    fn the_order_is_the_same_however_the_flows_came(
        bytes in prop::collection::vec((0..3_u64, 0..3_u64), 1..40),
        limit in 0..50_usize,
        turn: usize,
    ) {
        let mut flows: Vec<_> =
            (1..).zip(bytes).map(|(id, (tx, rx))| (remote(id), flow(CONNECTED, tx, rx))).collect();
        let sorted = ids(&ledger_of(&[sample(2, &flows)]), Sort::Last2s, Some(limit));
        let middle = turn % flows.len();
        flows.rotate_left(middle);
        let turned = ledger_of(&[sample(2, &flows)]);
        prop_assert_eq!(&ids(&turned, Sort::Last2s, Some(limit)), &sorted);

        let all = rows(&turned, &View::default());
        prop_assert_eq!(all.len(), flows.iter().filter(|(_, flow)| flow.tx_bytes + flow.rx_bytes > 0).count());
        prop_assert!(all.is_sorted_by_key(|row| (Reverse(row.entry.bytes().sum()), row.key.id)));
        let first = all.iter().take(limit).map(|row| row.key.id).collect::<Vec<_>>();
        prop_assert_eq!(sorted, first);
    }
}
