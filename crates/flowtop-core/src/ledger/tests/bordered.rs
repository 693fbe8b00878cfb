//! A border: the end inside is left, no matter who connected or whether it is on this host.

use proptest::prelude::*;

use super::*;
use crate::fixture::ledger_inside;
use crate::rows::rows;
use crate::view::View;

const INSIDE: &str = "10.0.0.1:40000";
const OUTSIDE: &str = "192.0.2.1:80";

fn after_2s(flows: &[(FlowKey, Flow)]) -> Ledger {
    ledger_inside("10.0.0.0/8", &sample(2, flows))
}

/// The one row: local address, bytes, whether the left and the right end are here.
fn only_row(ledger: &Ledger) -> (String, Bytes, bool, bool) {
    let rows = rows(ledger, &View::default());
    let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!((row.rates.bytes(Window::S2), ledger.totals().bytes), (row.bytes, row.bytes));
    assert_eq!(ledger.totals().rates.bytes(Window::S2), row.bytes);
    (row.tuple.local.to_string(), row.bytes, !row.turned, row.right().is_some())
}

#[test]
fn the_acceptor_is_left_when_it_is_inside() {
    let (inside, outside) = (key(1, INSIDE, OUTSIDE, 1), key(2, OUTSIDE, INSIDE, 2));
    let ledger = after_2s(&[(inside, flow(ACCEPTED, 300, 20)), (outside, flow(CONNECTED, 21, 299))]);
    assert_eq!(only_row(&ledger), (INSIDE.to_owned(), bytes(300, 20), true, true));
}

#[test]
fn a_socket_outside_is_seen_from_the_other_end() {
    let ledger = after_2s(&[(key(1, OUTSIDE, INSIDE, 1), flow(CONNECTED, 21, 299))]);
    assert_eq!(only_row(&ledger), (INSIDE.to_owned(), bytes(299, 21), false, true));
}

/// An interface that leads to namespace 1.
#[derive(Debug)]
struct Veth;

impl crate::scope::Carriers for Veth {
    fn carry(&self, _netns: u32, _tuple: &Tuple) -> bool {
        true
    }

    fn lead_to(&self, netns: u32) -> bool {
        netns == 1
    }

    fn are_for(&self, _netns: u32) -> bool {
        true
    }
}

#[test]
fn rows_have_the_direction_of_an_interface_that_leads_to_the_socket() {
    let pod = (key(1, INSIDE, OUTSIDE, 1), flow(CONNECTED, 300, 20));
    let host = (key(2, OUTSIDE, INSIDE, 2), flow(ACCEPTED, 20, 300));
    for (flows, is_here) in [(&[pod][..], false), (&[pod, host], true), (&[host, pod], true)] {
        let mut ledger = Ledger::new(10, 0).seen_at(alloc::rc::Rc::new(Veth));
        ledger.apply(&sample(0, &[]));
        ledger.apply(&sample(2, flows));
        assert_eq!(only_row(&ledger), (OUTSIDE.to_owned(), bytes(20, 300), is_here, true));
    }
}

#[test]
fn what_does_not_cross_counts_nowhere() {
    let ledger = after_2s(&[
        (key(1, INSIDE, "10.0.0.2:80", 1), flow(CONNECTED, 5, 6)),
        (key(1, "192.0.2.2:1", OUTSIDE, 2), flow(CONNECTED, 7, 8)),
    ]);
    assert_eq!((rows(&ledger, &View::default()).len(), ledger.totals().bytes), (0, bytes(0, 0)));
}

#[test]
fn without_a_border_in_its_family_the_initiator_is_left() {
    let (client, server) = ("[::1]:40000", "[::1]:80");
    let ends = [(key(1, server, client, 1), ACCEPTED), (key(1, client, server, 2), CONNECTED)];
    let ledger = after_2s(&ends.map(|(key, role)| (key, flow(role, 5, 5))));
    assert_eq!(only_row(&ledger), (client.to_owned(), bytes(5, 5), true, true));
}

proptest! {
    /// Which ends are here and who connected changes nothing in what the inside sends and receives.
    #[test]
    fn the_inside_is_left_whatever_is_seen(
        sent in 1..1000_u64, received in 1..1000_u64, seen in 1..4_u8, connects: bool, born: bool, one_netns: bool,
    ) {
        let role = |initiator| match (born, initiator) {
            (false, _) => OLDER,
            (true, true) => CONNECTED,
            (true, false) => ACCEPTED,
        };
        let ends = [
            (key(1, INSIDE, OUTSIDE, 1), flow(role(connects), sent, received)),
            (key(if one_netns { 1 } else { 2 }, OUTSIDE, INSIDE, 2), flow(role(!connects), received, sent)),
        ];
        let visible: Vec<_> = ends.into_iter().zip(0..).filter(|(_, n)| seen & (1 << n) != 0).map(|(end, _)| end).collect();
        let ledger = after_2s(&visible);
        // A flow that is not born counts from where it stood when it was opened: 0 here.
        prop_assert_eq!(only_row(&ledger), (INSIDE.to_owned(), bytes(sent, received), seen & 1 != 0, seen & 2 != 0));
    }
}
