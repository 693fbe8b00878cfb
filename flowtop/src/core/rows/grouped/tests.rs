//! Groups of literal connections, and that no byte is lost or counted twice in any of them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use flowtop_common::{Flow, FlowKey};
use proptest::prelude::*;

use super::*;
use crate::core::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_of, sample};
use crate::core::label::Labels;
use crate::core::owner::{Identity as Who_, Owners, Seen};
use crate::core::rows;

/// Pods by process number.
#[derive(Debug)]
struct Pods;

impl Owners for Pods {
    fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Who_>> {
        let text = |name: &str| Some(format!("{name}-{}", seen.pid % 3));
        let in_pod = !seen.pid.is_multiple_of(4);
        Some(Arc::new(Who_ {
            pod: text("web").filter(|_| in_pod),
            namespace: Some("shop".to_owned()).filter(|_| in_pod),
            user: text("user"),
            unit: text("unit"),
            container_id: text("0123456789abcdef"),
            ..Who_::default()
        }))
    }
}

fn with<T>(work: impl FnOnce(Who<'_>) -> T) -> T {
    let labels = Labels::parse("198.51.100.0/24 lab\n203.0.113.0/24 dmz").unwrap();
    work(Who { owners: &Pods, labels: &labels, ..Who::nobody() })
}

fn view(by: &str) -> View {
    View { by: Group::parse(by).unwrap(), ..View::default() }
}

fn of(pid: u32, flow: Flow) -> Flow {
    Flow { pid, ..flow }
}

fn ledger() -> Ledger {
    let to = |remote: &str, id| key(9, "10.0.0.1:40000", remote, id);
    ledger_of(&[sample(
        2,
        &[
            (to("198.51.100.7:443", 1), of(1, flow(CONNECTED, 100, 10))),
            (to("198.51.100.8:443", 2), of(1, flow(CONNECTED, 200, 20))),
            (to("[2001:db8::7]:80", 3), of(2, flow(CONNECTED, 400, 40))),
            (to("10.0.0.2:80", 4), of(8, flow(CONNECTED, 800, 80))),
            (key(7, "10.0.0.2:80", "10.0.0.1:40000", 5), of(3, flow(ACCEPTED, 80, 800))),
            (key(9, "10.0.0.1:40009", "198.51.100.7:443", 6), flow(CONNECTED, 1, 0)),
        ],
    )])
}

/// Text, connections, bytes sent.
fn shown(by: &str) -> Vec<(String, u64, u64)> {
    let rows = with(|who| rows(&ledger(), &view(by), who));
    rows.iter().map(|row| (row.text(), row.connections, row.bytes.tx)).collect()
}

fn expected(rows: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    rows.iter().map(|(text, connections, tx)| ((*text).to_owned(), *connections, *tx)).collect()
}

#[test]
fn connections_are_summed_up_by_what_they_have_in_common() {
    assert_eq!(shown("pod"), expected(&[("-", 2, 801), ("shop/web-2", 1, 400), ("shop/web-1", 2, 300)]));
    assert_eq!(shown("host"), expected(&[("10.0.0.1", 5, 1501)]));
    assert_eq!(shown("remote-port"), expected(&[(":80", 2, 1200), (":443", 3, 301)]));
    assert_eq!(
        shown("net/24"),
        expected(&[("10.0.0.0/24", 1, 800), ("2001:db8::/64", 1, 400), ("198.51.100.0/24", 3, 301)])
    );
    assert_eq!(shown("label"), expected(&[("same-host", 1, 800), ("public", 1, 400), ("lab", 3, 301)]));
    assert_eq!(
        shown("pod,label"),
        expected(&[
            ("- same-host", 1, 800),
            ("shop/web-2 public", 1, 400),
            ("shop/web-1 lab", 2, 300),
            ("- lab", 1, 1)
        ])
    );
    assert_eq!(shown("netns"), expected(&[("net:[9]", 5, 1501)]));
}

#[test]
fn fields_are_those_of_the_keys_and_the_sums() {
    let group = Group::parse("pod,remote-port").unwrap();
    let rows = with(|who| rows(&ledger(), &view("pod,remote-port"), who));
    let names: Vec<_> = rows[0].fields().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, fields(&group));
    assert_eq!(names[..5], ["namespace", "pod", "remote_port", "connections", "tx_bytes"]);
    assert_eq!(
        rows[0].fields()[..4],
        [
            ("namespace", Value::Null),
            ("pod", Value::Null),
            ("remote_port", Value::Integer(80)),
            ("connections", Value::Integer(1)),
        ]
    );
}

#[test]
fn fields_of_groups_are_picked_by_name() {
    let group = Group::parse("net/24").unwrap();
    assert_eq!(parse_fields(&group, "tx_bytes, remote_net").unwrap(), ["tx_bytes", "remote_net"]);
    let error = parse_fields(&group, "pid").unwrap_err();
    assert!(
        error.starts_with("unknown field \"pid\"; the fields of --by net/24 are remote_net,connections,"),
        "{error}"
    );
}

#[test]
fn a_frozen_order_stays_and_its_values_go_on() {
    let (view, before) = (view("remote-port"), ledger());
    let frozen = with(|who| Frozen::new(&view, &rows(&before, &view, who)));
    let later =
        ledger_of(&[sample(2, &[(key(9, "10.0.0.1:1", "192.0.2.1:443", 9), flow(CONNECTED, 5000, 0))])]);
    let shown = with(|who| frozen.rows(&later, &view, who)).unwrap();
    let shown: Vec<_> = shown.iter().map(|row| (row.text(), row.bytes.tx)).collect();
    assert_eq!(shown, [(":80".to_owned(), 0), (":443".to_owned(), 5000)]);
    assert!(with(|who| frozen.rows(&later, &super::tests::view("pod"), who)).is_none());
}

const ALL: [&str; 17] = [
    "flow",
    "peer",
    "host",
    "local-port",
    "remote-port",
    "process",
    "user",
    "unit",
    "container",
    "pod",
    "namespace",
    "netns",
    "net/24",
    "label",
    "pod,peer",
    "net/8,process",
    "label,user,netns,flow",
];

prop_compose! {
    fn a_flow()(
        address in 0..6_u8, remote in 0..6_u8, ports in (1..4_u16, 1..4_u16), netns in 1..3_u32, pid in 0..9_u32,
        role in prop::sample::select(vec![CONNECTED, ACCEPTED, 0]), bytes in (0..1_000_000_u64, 0..1_000_000_u64),
    ) -> (FlowKey, Flow) {
        let end = |host: u8, port| format!("{}:{port}", Ipv4Addr::new([10, 127, 198][usize::from(host % 3)], 0, 0, host));
        let key = key(netns, &end(address, ports.0), &end(remote, ports.1), u64::from(netns) << 32 | bytes.0);
        (key, of(pid, flow(role, bytes.0, bytes.1)))
    }
}

proptest! {
    #[test]
    fn the_sums_of_groups_are_the_sums_of_connections(flows in prop::collection::vec(a_flow(), 0..30)) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let connections = rows::rows(&ledger, &View::default());
        let bytes = connections.iter().fold(Bytes::default(), |sum, row| sum + row.bytes);
        for by in ALL {
            let groups = with(|who| rows(&ledger, &view(by), who));
            let (mut sum, mut rates, mut count) = (Bytes::default(), Rates::default(), 0);
            for row in &groups {
                sum += row.bytes;
                rates += row.rates;
                count += row.connections;
            }
            let expected = connections.iter().fold(Rates::default(), |mut sum, row| { sum += row.rates; sum });
            prop_assert_eq!((sum, count), (bytes, connections.len() as u64), "{}", by);
            for window in Window::ALL {
                prop_assert_eq!(rates.bytes(window), expected.bytes(window), "{}", by);
            }
            let mut texts: Vec<_> = groups.iter().map(|row| row.key.clone()).collect();
            texts.sort_unstable();
            texts.dedup();
            prop_assert_eq!(texts.len(), groups.len(), "{} has a row twice", by);
        }
    }
}
