//! Merged connections, conservation of their bytes, and frozen order.

use flowtop_common::{Flow, FlowKey};
use proptest::prelude::*;

use super::*;
use crate::fixture::{ACCEPTED, CONNECTED, OLDER, flow, key, ledger_inside, ledger_of, sample};
use crate::rows::rows as connections;
use crate::view::LineDisplay;
use crate::window::Window;

const GROUPINGS: [PortDisplay; 4] =
    [PortDisplay::Off, PortDisplay::SourceOnly, PortDisplay::DestinationOnly, PortDisplay::On];

fn grouping(ports: PortDisplay) -> Grouping {
    Grouping { ports, ..Grouping::default() }
}

fn text(host: Host) -> String {
    match host {
        Host::Shown(address) => address.to_string(),
        _ => " * ".to_owned(),
    }
}

/// Rows as `source port > destination port: sent/received`.
fn shown(ledger: &Ledger, view: &View) -> Vec<String> {
    super::rows(ledger, view, text).iter().map(one).collect()
}

fn one(row: &MergedRow) -> String {
    let end = |end: End| text(end.host) + &end.port.map_or(String::new(), |port| format!(":{port}"));
    let Ends { source, destination } = row.ends;
    format!("{} > {}: {}/{}", end(source), end(destination), row.bytes.tx, row.bytes.rx)
}

fn grouped(ledger: &Ledger, grouping: Grouping) -> Vec<String> {
    shown(ledger, &View { grouping, ..View::default() })
}

/// Three connections of one pair of hosts, two of them to one port, and one over IPv6.
fn visits() -> Ledger {
    let to = |id, local, port| key(1, &format!("192.0.2.1:{local}"), &format!("192.0.2.9:{port}"), id);
    ledger_of(&[sample(
        2,
        &[
            (to(1, 1001, 443), flow(CONNECTED, 100, 5)),
            (to(2, 1002, 443), flow(CONNECTED, 70, 3)),
            (to(3, 1001, 80), flow(CONNECTED, 30, 1)),
            (key(1, "[2001:db8::1]:1001", "[2001:db8::9]:443", 4), flow(CONNECTED, 1, 1)),
        ],
    )])
}

#[test]
fn what_is_shown_tells_rows_apart() {
    for (ports, expected) in [
        (PortDisplay::Off, vec!["192.0.2.1 > 192.0.2.9: 200/9", "2001:db8::1 > 2001:db8::9: 1/1"]),
        (
            PortDisplay::SourceOnly,
            vec![
                "192.0.2.1:1001 > 192.0.2.9: 130/6",
                "192.0.2.1:1002 > 192.0.2.9: 70/3",
                "2001:db8::1:1001 > 2001:db8::9: 1/1",
            ],
        ),
        (
            PortDisplay::DestinationOnly,
            vec![
                "192.0.2.1 > 192.0.2.9:443: 170/8",
                "192.0.2.1 > 192.0.2.9:80: 30/1",
                "2001:db8::1 > 2001:db8::9:443: 1/1",
            ],
        ),
        (
            PortDisplay::On,
            vec![
                "192.0.2.1:1001 > 192.0.2.9:443: 100/5",
                "192.0.2.1:1002 > 192.0.2.9:443: 70/3",
                "192.0.2.1:1001 > 192.0.2.9:80: 30/1",
                "2001:db8::1:1001 > 2001:db8::9:443: 1/1",
            ],
        ),
    ] {
        assert_eq!(grouped(&visits(), grouping(ports)), expected, "{ports:?}");
    }
}

#[test]
fn a_hidden_side_is_one_for_each_family() {
    let hide = |hide_source, hide_destination, ports| Grouping {
        ports,
        hide_source,
        hide_destination,
        owners: false,
    };
    assert_eq!(
        grouped(&visits(), hide(true, true, PortDisplay::Off)),
        [" *  >  * : 200/9", " *  >  * : 1/1"]
    );
    assert_eq!(
        grouped(&visits(), hide(true, false, PortDisplay::DestinationOnly)),
        [" *  > 192.0.2.9:443: 170/8", " *  > 192.0.2.9:80: 30/1", " *  > 2001:db8::9:443: 1/1"]
    );
}

/// Two hosts on this host, each of which has connected to the other.
fn mutual() -> Ledger {
    ledger_of(&[sample(2, &mutual_flows())])
}

fn mutual_flows() -> [(FlowKey, Flow); 4] {
    let (a, b) = ("10.0.0.1", "10.0.0.2");
    let ends = |from: &str, to: &str, netns: [u32; 2], id| {
        let (from, to) = (format!("{from}:40000"), format!("{to}:80"));
        [(key(netns[0], &from, &to, id), CONNECTED), (key(netns[1], &to, &from, id + 1), ACCEPTED)]
    };
    let [there, back] = [ends(a, b, [1, 2], 1), ends(b, a, [2, 1], 3)];
    [
        (there[0].0, flow(CONNECTED, 10, 1)),
        (there[1].0, flow(ACCEPTED, 1, 10)),
        (back[0].0, flow(CONNECTED, 500, 20)),
        (back[1].0, flow(ACCEPTED, 20, 500)),
    ]
}

#[test]
fn a_pair_of_hosts_is_one_row_whoever_connected() {
    assert_eq!(grouped(&mutual(), grouping(PortDisplay::Off)), ["10.0.0.1 > 10.0.0.2: 30/501"]);
    assert_eq!(
        grouped(&mutual(), grouping(PortDisplay::On)),
        ["10.0.0.2:40000 > 10.0.0.1:80: 500/20", "10.0.0.1:40000 > 10.0.0.2:80: 10/1"]
    );
}

#[test]
fn hosts_inside_a_border_are_left_whoever_connected() {
    let net = |net: &str| ledger_inside(net, &sample(2, &mutual_flows()));
    assert_eq!(grouped(&net("10.0.0.2/32"), grouping(PortDisplay::Off)), ["10.0.0.2 > 10.0.0.1: 501/30"]);
    assert_eq!(
        grouped(&net("10.0.0.2/32"), grouping(PortDisplay::On)),
        ["10.0.0.2:40000 > 10.0.0.1:80: 500/20", "10.0.0.2:80 > 10.0.0.1:40000: 1/10"]
    );
    assert!(grouped(&net("10.0.0.0/8"), grouping(PortDisplay::Off)).is_empty());
}

/// Three hosts; the numeric order of their addresses is not that of their texts.
fn hosts() -> Ledger {
    let to = |id, local: &str, remote: &str| key(1, &format!("{local}:1"), &format!("{remote}:2"), id);
    ledger_of(&[sample(
        2,
        &[
            (to(1, "10.0.0.9", "192.0.2.10"), flow(CONNECTED, 1, 30)),
            (to(2, "10.0.0.10", "192.0.2.9"), flow(CONNECTED, 20, 0)),
            (to(3, "10.0.0.10", "192.0.2.8"), flow(CONNECTED, 3, 22)),
        ],
    )])
}

#[test]
fn hosts_are_sorted_as_text_and_then_by_the_longest_window() {
    let source = shown(&hosts(), &View { sort: Sort::Source, ..View::default() });
    assert_eq!(
        source,
        ["10.0.0.10 > 192.0.2.8: 3/22", "10.0.0.10 > 192.0.2.9: 20/0", "10.0.0.9 > 192.0.2.10: 1/30"]
    );
    let destination = shown(&hosts(), &View { sort: Sort::Destination, ..View::default() });
    assert_eq!(
        destination,
        ["10.0.0.9 > 192.0.2.10: 1/30", "10.0.0.10 > 192.0.2.8: 3/22", "10.0.0.10 > 192.0.2.9: 20/0"]
    );
}

#[test]
fn one_direction_sorts_when_only_it_has_a_line() {
    let first = |line_display| shown(&hosts(), &View { line_display, ..View::default() })[0].clone();
    assert_eq!(first(LineDisplay::TwoLine), "10.0.0.9 > 192.0.2.10: 1/30");
    assert_eq!(first(LineDisplay::OneLineBoth), "10.0.0.9 > 192.0.2.10: 1/30");
    assert_eq!(first(LineDisplay::OneLineSent), "10.0.0.10 > 192.0.2.9: 20/0");
    assert_eq!(first(LineDisplay::OneLineReceived), "10.0.0.9 > 192.0.2.10: 1/30");
}

#[test]
fn a_frozen_order_stays_and_its_values_go_on() {
    let host = |last: u64| key(1, "192.0.2.1:1", &format!("198.51.100.{last}:2"), last);
    let moved = |bytes: [u64; 3]| (1..).zip(bytes).map(|(id, tx)| (host(id), flow(CONNECTED, tx, 0)));
    let mut ledger = ledger_of(&[sample(2, &moved([20, 10, 0]).collect::<Vec<_>>())]);
    let view = View::default();
    let frozen = Frozen::new(&view, &super::rows(&ledger, &view, text));
    ledger.apply(&sample(4, &moved([21, 500, 900]).collect::<Vec<_>>()));
    let lines: Vec<_> = frozen.rows(&ledger).iter().map(one).collect();
    assert_eq!(lines, ["192.0.2.1 > 198.51.100.1: 21/0", "192.0.2.1 > 198.51.100.2: 500/0"]);
    // What has expired keeps its row, without a value.
    let later = frozen.rows(&ledger_of(&[]));
    assert_eq!(one(&later[1]), "192.0.2.1 > 198.51.100.2: 0/0");
}

/// Flows on few hosts and ports, so that many merge; some are the two ends of one connection.
fn flows() -> impl Strategy<Value = Vec<(FlowKey, Flow)>> {
    let end = || (0..3_u8, 1..4_u16, any::<bool>());
    let one = (
        end(),
        end(),
        1..3_u32,
        prop::sample::select(&[CONNECTED, ACCEPTED, OLDER][..]),
        0..50_u64,
        0..50_u64,
    );
    prop::collection::vec(one, 0..40).prop_map(|drawn| {
        let numbered = (1..).zip(drawn);
        let key = |id, local: (u8, u16, bool), remote: (u8, u16, bool), netns| {
            let address = |(host, port, _): (u8, u16, bool)| {
                if local.2 { format!("[2001:db8::{host}]:{port}") } else { format!("10.0.0.{host}:{port}") }
            };
            key(netns, &address(local), &address(remote), id)
        };
        numbered.map(|(id, (l, r, netns, role, tx, rx))| (key(id, l, r, netns), flow(role, tx, rx))).collect()
    })
}

proptest! {
    #[test]
    fn the_sum_of_the_rows_is_that_of_the_connections(
        flows in flows(), hide_source: bool, hide_destination: bool, ports in 0..4_usize, middle: usize,
    ) {
        let grouping = Grouping { ports: GROUPINGS[ports], hide_source, hide_destination, owners: false };
        let view = View { grouping, ..View::default() };
        let mut ledger = ledger_of(&[sample(2, &flows)]);
        let rows = super::rows(&ledger, &view, text);
        let turned = grouping == Grouping::default();
        let all = connections(&ledger, &View::default());
        let expected = all.iter().fold(Bytes::default(), |sum, row| sum + row.bytes);
        let sum = rows.iter().fold(Bytes::default(), |sum, row| sum + row.bytes);
        let in_2s = rows.iter().fold(Bytes::default(), |sum, row| sum + row.rates.bytes(Window::S2));
        prop_assert_eq!(sum.sum(), expected.sum());
        prop_assert_eq!(sum, in_2s);
        prop_assert!(turned || sum == expected);

        // No two rows look the same, and the order of the flows says nothing.
        let mut distinct: Vec<_> = rows.iter().map(|row| row.ends).collect();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), rows.len());
        let mut turned_flows = flows.clone();
        turned_flows.rotate_left(middle.checked_rem(flows.len()).unwrap_or(0));
        prop_assert_eq!(&super::rows(&ledger_of(&[sample(2, &turned_flows)]), &view, text), &rows);

        // Frozen rows have the values that they would have otherwise.
        let frozen = Frozen::new(&view, &rows);
        ledger.apply(&sample(4, &flows));
        let mut now = super::rows(&ledger, &view, text);
        now.sort_unstable_by_key(|row| row.ends);
        let mut kept = frozen.rows(&ledger);
        kept.sort_unstable_by_key(|row| row.ends);
        prop_assert_eq!(kept, now);
    }

    #[test]
    fn a_limit_takes_the_first_rows(flows in flows(), limit in 0..20_usize) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let view = View { grouping: grouping(PortDisplay::On), ..View::default() };
        let all = super::rows(&ledger, &view, text);
        let some = super::rows(&ledger, &View { limit: Some(limit), ..view }, text);
        prop_assert_eq!(&some[..], &all[..limit.min(all.len())]);
    }
}
