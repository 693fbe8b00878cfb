//! Groups of literal connections, and that no byte is lost or counted twice in any of them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use flowtop_common::{Flow, FlowKey};
use proptest::prelude::*;

use super::*;
use crate::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_of, sample};
use crate::group;
use crate::label::Labels;
use crate::owner::{Identity as Who_, Owners, Seen};
use crate::rows;

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
    assert_eq!(
        shown("pod"),
        expected(&[("-", 2, 801), ("shop/web-0", 1, 80), ("shop/web-2", 1, 400), ("shop/web-1", 2, 300)])
    );
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
            ("shop/web-0 same-host", 1, 80),
            ("shop/web-2 public", 1, 400),
            ("shop/web-1 lab", 2, 300),
            ("- lab", 1, 1)
        ])
    );
    assert_eq!(shown("netns"), expected(&[("net:[9]", 5, 1501), ("net:[7]", 1, 80)]));
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
        error
            .to_string()
            .starts_with("unknown field \"pid\"; the fields of --by net/24 are remote_net,connections,"),
        "{error}"
    );
}

#[test]
fn a_frozen_order_stays_and_its_values_go_on() {
    let (view, before) = (view("remote-port"), ledger());
    let frozen = with(|who| Frozen::new(&view, &rows(&before, &view, who)));
    let later =
        ledger_of(&[sample(2, &[(key(9, "10.0.0.1:1", "192.0.2.1:443", 9), flow(CONNECTED, 5000, 0))])]);
    let shown = with(|who| frozen.report(&mut Table::default(), &later, &view, who)).unwrap();
    let shown: Vec<_> = shown.rows.iter().map(|row| (row.text(), row.bytes.tx)).collect();
    assert_eq!(shown, [(":80".to_owned(), 0), (":443".to_owned(), 5000)]);
    let other = super::tests::view("pod");
    assert!(with(|who| frozen.report(&mut Table::default(), &later, &other, who)).is_none());
}

/// Every key, every pair of them, and some larger groups.
fn all_groups() -> Vec<String> {
    let pairs = group::words().flat_map(|a| group::words().map(move |b| (a, b))).filter(|(a, b)| a != b);
    let pairs = pairs.map(|(a, b)| format!("{a},{b}"));
    group::words()
        .map(str::to_owned)
        .chain(pairs)
        .chain(["label,user,netns,flow", "net/24,net/8,pod,namespace"].map(str::to_owned))
        .collect()
}

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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_sums_of_groups_are_the_totals_and_what_is_counted_at_both_ends(
        flows in prop::collection::vec(a_flow(), 0..30),
    ) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let connections = rows::rows(&ledger, &View::default());
        for by in all_groups() {
            let view = view(&by);
            let groups = with(|who| report(&mut Table::default(), &ledger, &view, who));
            let (twice, twice_rates) = ledger.local_twice(view.by.groups_ends());
            let told = groups.local_twice.map(|told| (told.bytes, told.rates));
            prop_assert_eq!(told, view.by.groups_ends().then_some((twice, twice_rates)), "{}", by);
            let (mut sum, mut rates, mut count) = (Bytes::default(), Rates::default(), 0);
            for row in &groups.rows {
                sum += row.bytes;
                rates += row.rates;
                count += row.connections;
            }
            let mut expected = ledger.totals().rates;
            expected += twice_rates;
            prop_assert_eq!(sum, ledger.totals().bytes + twice, "{}", by);
            if !view.by.groups_ends() {
                prop_assert_eq!(count, connections.len() as u64, "{}", by);
            }
            for window in Window::ALL {
                prop_assert_eq!(rates.bytes(window), expected.bytes(window), "{}", by);
            }
            let mut texts: Vec<_> = groups.rows.iter().map(|row| row.key.clone()).collect();
            texts.sort_unstable();
            texts.dedup();
            prop_assert_eq!(texts.len(), groups.rows.len(), "{} has a row twice", by);
        }
    }

    #[test]
    fn every_row_has_each_name_once_and_each_value_in_its_column(flows in prop::collection::vec(a_flow(), 1..8)) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let connections = rows::rows(&ledger, &View::default());
        for by in all_groups() {
            let view = view(&by);
            for row in with(|who| rows(&ledger, &view, who)) {
                let fields = row.fields();
                let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
                let distinct: std::collections::BTreeSet<_> = names.iter().collect();
                prop_assert_eq!(names.len(), distinct.len(), "{}", by);
                for (name, value) in &fields {
                    prop_assert!(is_of_column(name, value), "{by}: {name} is {value:?}");
                }
                prop_assert!(is_of_a_connection(view.by, &fields, &connections), "{by}: {fields:?}");
            }
        }
    }
}

/// Whether a value is one that a column of this name has.
fn is_of_column(name: &str, value: &Value) -> bool {
    let name = if crate::group::is_net_field(name) { "remote_addr" } else { name };
    let Some(column) = crate::column::ALL.iter().find(|column| column.name == name) else {
        return matches!(value, Value::Integer(_));
    };
    match value {
        Value::Null => true,
        Value::Integer(_) => column.kind.starts_with("integer"),
        Value::Number(_) => column.kind.starts_with("number"),
        Value::Bool(_) => column.kind.starts_with("boolean"),
        Value::Text(_) | Value::Word(_) | Value::Address(_) => column.kind.starts_with("text"),
        Value::Signed(_) => false,
    }
}

/// Whether there is a connection of which all fields of the keys are true, seen from one of its ends.
fn is_of_a_connection(group: Group, fields: &[(&str, Value)], connections: &[rows::Row<'_>]) -> bool {
    let source = |row: &rows::Row<'_>| {
        with(|who| {
            let source = crate::column::Source::new(row, 0, who);
            fields[..group.columns().count()].iter().all(|(name, value)| {
                crate::group::is_net_field(name) || crate::column::named(&source, name) == *value
            })
        })
    };
    connections.iter().any(|row| source(row) || other_end(row).is_some_and(|row| source(&row)))
}

/// The same connection from its other end, if that is here too.
fn other_end<'a>(row: &rows::Row<'a>) -> Option<rows::Row<'a>> {
    let (key, entry) = row.right()?;
    let tuple = crate::flow::Tuple::of(key);
    Some(rows::Row { key, entry, tuple, turned: false, peer: Some((row.key, row.entry)), ..*row })
}

/// Of a connection with both ends here, who is at which end.
#[test]
fn each_end_counts_in_the_group_of_its_owner() {
    let shown = |by: &str| {
        let ledger = ledger();
        let groups = with(|who| report(&mut Table::default(), &ledger, &view(by), who));
        let twice = groups.local_twice.map(|twice| (twice.bytes.tx, twice.bytes.rx));
        let row = |row: &GroupedRow| (row.text(), row.connections, row.bytes.tx, row.bytes.rx);
        (groups.rows.iter().map(row).collect::<Vec<_>>(), twice)
    };
    let (rows, twice) = shown("process,remote-port");
    let expected = [
        ("[3] :40000", 1, 80, 800),
        ("[8] :80", 1, 800, 80),
        ("[2] :80", 1, 400, 40),
        ("[1] :443", 2, 300, 30),
        ("- :443", 1, 1, 0),
    ];
    let named = |(text, n, tx, rx): (&str, u64, u64, u64)| (text.replace(['[', ']'], ""), n, tx, rx);
    assert_eq!(rows, expected.map(named));
    assert_eq!(twice, Some((80, 800)));
    assert_eq!(shown("peer").1, None);
}

mod over_time {
    use std::collections::{BTreeMap, BTreeSet};

    use flowtop_common::flags;

    use super::*;
    use crate::ledger::Ledger;

    const MAX_FLOWS: usize = 5;

    /// A connection: whether both ends are here, its port, its process, and what it has moved.
    #[derive(Clone, Debug)]
    struct Connection {
        id: u64,
        is_local: bool,
        port: u16,
        pid: u32,
        tx: u64,
        rx: u64,
    }

    impl Connection {
        fn flows(&self, ended: bool) -> Vec<(FlowKey, Flow)> {
            let flow = |role, pid, tx, rx| {
                let flow = of(pid, flow(role, tx, rx));
                Flow { flags: flow.flags | if ended { flags::ENDED } else { 0 }, ..flow }
            };
            let near = format!("10.0.0.1:{}", self.port);
            let far = if self.is_local { "10.0.0.1:80" } else { "198.51.100.7:80" };
            let mut flows = vec![(key(1, &near, far, self.id), flow(CONNECTED, self.pid, self.tx, self.rx))];
            if self.is_local {
                flows.push((key(1, far, &near, self.id + 1), flow(ACCEPTED, 1, self.rx, self.tx)));
            }
            flows
        }
    }

    prop_compose! {
        fn a_connection()(is_local: bool, port in 1..9_u16, pid in 1..9_u32, tx in 1..1000_u64, rx in 1..1000_u64)
            -> Connection { Connection { id: 0, is_local, port, pid, tx, rx } }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// In each step some connections are born and move something, and those of the step before end.
        #[test]
        fn groups_only_grow_and_what_has_to_go_is_in_others(
            steps in prop::collection::vec((1..50_u64, prop::collection::vec(a_connection(), 0..4)), 1..14),
        ) {
            for by in ["peer", "local-port", "process", "pod,remote-port", "flow,user"] {
                let view = view(by);
                let mut ledger = Ledger::new(MAX_FLOWS, 0).keeping_departed();
                ledger.apply(&sample(0, &[]));
                let (mut table, mut at_s, mut id) = (Table::default(), 1, 1);
                let (mut sums, mut others) = (BTreeMap::new(), Bytes::default());
                let mut open: Vec<Connection> = Vec::new();
                for (seconds, born) in &steps {
                    let mut ports = BTreeSet::new();
                    let born = born.iter().filter(|new| ports.insert(new.port)).cloned().collect();
                    let ended = std::mem::replace(&mut open, born);
                    for connection in &mut open {
                        (connection.id, id) = (id, id + 2);
                    }
                    let mut flows: Vec<_> = ended.iter().flat_map(|gone| gone.flows(true)).collect();
                    flows.extend(open.iter().flat_map(|new| new.flows(false)));
                    for _ in 0..2 {
                        at_s += seconds;
                        ledger.apply(&sample(at_s, &flows));
                        with(|who| follow(&mut table, &ledger, &view, who));
                        flows.retain(|(_, flow)| flow.flags & flags::ENDED == 0);
                    }
                    let groups = with(|who| report(&mut table, &ledger, &view, who));
                    let now = groups.others.unwrap_or_default();
                    let twice = groups.local_twice.unwrap_or_default();
                    let all = groups.rows.iter().fold(now.bytes, |sum, row| sum + row.bytes);
                    prop_assert_eq!(all, ledger.totals().bytes + twice.bytes, "{}", by);
                    prop_assert!(now.bytes.tx >= others.tx && now.bytes.rx >= others.rx);
                    let rows: BTreeMap<_, _> =
                        groups.rows.iter().map(|row| (row.key.clone(), (row.bytes, row.connections))).collect();
                    let has_shrunk = |(key, (before, n)): (&RowKey, &(Bytes, u64))| {
                        rows.get(key).is_some_and(|(now, m)| now.tx < before.tx || now.rx < before.rx || m < n)
                    };
                    let gone: BTreeSet<_> = sums.keys().filter(|key| !rows.contains_key(key)).collect();
                    // A group that had to go and came again starts anew.
                    if now.bytes == others {
                        prop_assert!(!sums.iter().any(has_shrunk), "{}: {:?} to {:?}", by, sums, rows);
                        prop_assert!(gone.is_empty(), "{}: {:?}", by, gone);
                    }
                    // A group with connections in the ledger does not go, however many there are.
                    let is_idle = |row: &&GroupedRow| u64::from(table.sums.departed(&row.key).0) == row.connections;
                    prop_assert!(groups.rows.iter().filter(is_idle).count() <= MAX_FLOWS);
                    (sums, others) = (rows, now.bytes);
                }
            }
        }
    }
}
