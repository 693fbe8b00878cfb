//! Proxies that keep addresses and ports: mirrored tuples that are not the two ends of one connection.

use flowtop_common::{Flow, FlowKey};
use proptest::prelude::*;

use crate::fixture::{ACCEPTED, CONNECTED, OLDER, flow, key, ledger_of, sample};
use crate::ledger::Ledger;

const CLIENT: &str = "192.0.2.1:40000";
const SERVER: &str = "198.51.100.9:443";

/// The two ends of one connection from the client's address to the server's, in these namespaces.
fn connection(namespaces: [u32; 2], roles: [u32; 2], origins: [u32; 2], bytes: u64) -> [(FlowKey, Flow); 2] {
    let number = u64::from(origins[0]);
    let [near, far] = origins;
    let client = Flow { tx_origin: near, rx_origin: far, ..flow(roles[0], bytes, 0) };
    let server = Flow { tx_origin: far, rx_origin: near, ..flow(roles[1], 0, bytes) };
    [
        (key(namespaces[0], CLIENT, SERVER, number), client),
        (key(namespaces[1], SERVER, CLIENT, number), server),
    ]
}

/// Whether each of the two is the other end of the other one, and the first is on the left.
fn are_joined(ledger: &Ledger, [client, server]: &[(FlowKey, Flow); 2]) -> bool {
    let entry = ledger.get(&client.0).unwrap();
    ledger.peer(entry).is_some_and(|(peer, right)| *peer == server.0 && right.is_peer()) && !entry.is_peer()
}

proptest! {
    /// Client, proxy and server in any three namespaces, two or one of them, whatever was opened first.
    #[test]
    fn each_side_of_a_proxy_is_a_connection(
        client_ns in 1..4_u32, proxy_ns in 1..4_u32, server_ns in 1..4_u32,
        origins in prop::array::uniform4(1..u32::MAX), opened in prop::array::uniform4(0..9_u64),
        in_order in Just([0_usize, 1, 2, 3]).prop_shuffle(), late in 0..5_usize,
    ) {
        prop_assume!(origins[0] != origins[2] || origins[1] != origins[3]);
        let roles = [CONNECTED, ACCEPTED];
        let in_front = connection([client_ns, proxy_ns], roles, [origins[0], origins[1]], 1_000);
        let behind = connection([proxy_ns, server_ns], roles, [origins[2], origins[3]], 70_000);
        let mut flows = [in_front[0], in_front[1], behind[0], behind[1]];
        for ((_, flow), opened_ns) in flows.iter_mut().zip(opened) {
            flow.opened_ns = opened_ns;
        }
        let flows = in_order.map(|place| flows[place]);
        // Some are first seen in the second sample.
        let ledger = ledger_of(&[sample(1, &flows[..4 - late.min(4)]), sample(2, &flows)]);
        prop_assert!(are_joined(&ledger, &in_front));
        prop_assert!(are_joined(&ledger, &behind));
        let bytes = ledger.totals().bytes;
        prop_assert_eq!((bytes.tx, bytes.rx), (71_000, 0));
    }
}

#[test]
fn a_proxy_between_other_hosts_is_two_connections() {
    let [_, accepted] = connection([1, 1], [CONNECTED, ACCEPTED], [11, 12], 1_000);
    let [dialled, _] = connection([1, 1], [CONNECTED, ACCEPTED], [21, 22], 70_000);
    let ledger = ledger_of(&[sample(1, &[accepted, dialled])]);
    for (key, _) in [accepted, dialled] {
        assert!(!ledger.get(&key).unwrap().has_peer());
    }
    assert_eq!((ledger.totals().bytes.tx, ledger.totals().bytes.rx), (70_000, 1_000));
}

#[test]
fn older_ends_whose_numbers_are_off_by_a_syn_are_joined() {
    let mut ends = connection([1, 2], [OLDER, OLDER], [11, u32::MAX], 1_000);
    ends[0].1.tx_origin -= 1;
    ends[0].1.tx_bytes += 1;
    let ledger = ledger_of(&[sample(1, &ends)]);
    assert!(ledger.get(&ends[0].0).unwrap().has_peer());
}
