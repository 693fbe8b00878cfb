use super::*;
use flowtop_common::{Flow, Untracked, flags};
use flowtop_core::filter::Boundary;
use flowtop_core::filter::{Filter, Names, Unresolved};
use flowtop_core::group::Group;
use flowtop_core::ledger::Ledger;
use flowtop_core::record::Rest;
use flowtop_core::record::fixture::{flow, record};
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::rows::key::Grouped;
use flowtop_core::rows::sums::Sums;
use flowtop_core::rows::{grouped, rows};
use flowtop_core::scope::Verdict;
use flowtop_core::scope::attributed::Attributed;
use flowtop_core::view::View;
use flowtop_core::who::Who;
use flowtop_core::window::{Bytes, Window};
use proptest::prelude::*;
use std::net::IpAddr;

struct NoBook;

impl Names for NoBook {
    fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        Err(Unresolved("nobody is asked".to_owned()))
    }

    fn service(&self, _: &str) -> Option<u16> {
        None
    }

    fn own_netns(&self) -> u32 {
        0
    }
}

fn bytes(tx: u64, rx: u64) -> Bytes {
    Bytes { tx, rx }
}

fn remote(n: u64, window: Bytes) -> FlowRecord {
    let ends = [format!("192.0.2.1:{}", 40_000 + n), "198.51.100.7:443".to_owned()];
    flow(n, "nginx", [&ends[0], &ends[1]], window, bytes(window.tx + 1000, window.rx + 10))
}

/// Both ends of a connection, at places `at` and `at + 1`.
fn local(n: u64, at: u32, window: Bytes) -> [FlowRecord; 2] {
    let ends = [format!("127.0.0.1:{}", 50_000 + n), "127.0.0.1:6379".to_owned()];
    let left = flow(n, "app", [&ends[0], &ends[1]], window, window);
    let mut right = flow(n + 1, "redis", [&ends[1], &ends[0]], window.mirror(), window.mirror());
    right.flow.flags = flags::BORN | flags::PASSIVE | flags::OPEN;
    [FlowRecord { peer: Some(at + 1), ..left }, FlowRecord { peer: Some(at), is_right: true, ..right }]
}

fn replayed(record: &Record) -> Ledger {
    Ledger::of_record(record, record.limits.border(), None)
}

fn who<'a>(owners: &'a RecordedOwners, labels: &'a Labels) -> Who<'a> {
    Who { owners, labels, ..Who::nobody() }
}

#[test]
fn a_window_has_its_bytes_its_pairs_and_its_mean_rates() {
    let [left, right] = local(7, 1, bytes(500, 60));
    let mut record = record(0, vec![remote(1, bytes(6000, 120)), left, right]);
    record.per_second = vec![bytes(100, 2), bytes(3000, 178)];
    let ledger = replayed(&record);
    let totals = ledger.totals();
    assert_eq!((totals.bytes, ledger.elapsed_ns()), (bytes(6500, 180), 60_000_000_000));
    for window in Window::ALL {
        assert!((totals.rates.tx_per_s(window) - 6500.0 / 60.0).abs() < 1e-9);
    }
    // Two samples in 60 s: 30 s each.
    assert!((totals.peak.tx_per_s - 100.0_f64.max(3000.0 / 30.0)).abs() < 6500.0 / 60.0);
    let rows = rows(&ledger, &View::default());
    assert_eq!(rows.iter().map(|row| row.bytes).collect::<Vec<_>>(), [bytes(6000, 120), bytes(500, 60)]);
    assert_eq!(rows[1].right().map(|(_, entry)| entry.owner().comm_text()), Some(Some("redis".to_owned())));
}

#[test]
fn the_peak_is_that_of_the_busiest_second() {
    let mut record = record(0, vec![remote(1, bytes(6000, 120))]);
    record.per_second = vec![bytes(0, 0); 60];
    record.per_second[7] = bytes(6000, 0);
    record.per_second[9] = bytes(0, 120);
    let peak = replayed(&record).totals().peak;
    assert!((peak.tx_per_s - 6000.0).abs() < 1e-6 && (peak.sum_per_s - 6000.0).abs() < 1e-6);
    assert!((peak.rx_per_s - 120.0).abs() < 1e-6);
}

#[test]
fn what_was_summed_up_and_what_nobody_tracked_is_in_the_totals() {
    let mut record = record(0, vec![remote(1, bytes(100, 0))]);
    record.rest = vec![Rest { flows: 9, bytes: bytes(20, 3), ..Rest::default() }];
    record.untracked =
        Untracked { flows: 2, tx_bytes: 7, rx_bytes: 5, mirrored_tx_bytes: 1, mirrored_rx_bytes: 1 };
    record.losses = vec![("slot".to_owned(), 4), ("ledger".to_owned(), 2), ("of the future".to_owned(), 1)];
    let ledger = replayed(&record);
    assert_eq!(ledger.totals().bytes, bytes(126, 7));
    assert_eq!(ledger.untracked(), record.untracked);
    let losses: Vec<_> = ledger.losses().named().filter(|(_, count)| *count > 0).collect();
    assert_eq!(losses, [("slot", 4), ("ledger", 2)]);
}

#[test]
fn what_was_summed_up_is_in_the_rows_that_it_tells() {
    let mut record = record(0, vec![remote(1, bytes(100, 0))]);
    record.flows[0].label = "public".into();
    let rest = |comm: &str, label: &str, tx| Rest {
        comm: Some(comm.to_owned()),
        label: label.into(),
        flows: 3,
        bytes: bytes(tx, 1),
        ..Rest::default()
    };
    record.rest = vec![rest("curl", "public", 20), rest("sshd", "private", 7)];
    let ledger = replayed(&record);
    let (owners, labels) = (RecordedOwners::of(&record), labels(&record));
    let rows = |by: &str| {
        let by = Group::parse(by).unwrap();
        let rows = grouped::rows(&ledger, &View { by, ..View::default() }, who(&owners, &labels));
        rows.iter().map(|row| (row.text(), row.connections, row.bytes.tx)).collect::<Vec<_>>()
    };
    let row = |text: &str, connections, tx| (text.to_owned(), connections, tx);
    assert_eq!(rows("label"), [row("public", 4, 120), row("private", 3, 7)]);
    assert_eq!(rows("process"), [row("nginx[100]", 1, 100), row("curl", 3, 20), row("sshd", 3, 7)]);
    assert_eq!(rows("process,peer"), [row("nginx[100] 198.51.100.7", 1, 100), row("summed up", 6, 27)]);
    // Rates are over the same time as those of all others.
    let by = Group::parse("label").unwrap();
    let public = &grouped::rows(&ledger, &View { by, ..View::default() }, who(&owners, &labels))[0];
    assert!((public.rates.tx_per_s(Window::S2) - 120.0 / 60.0).abs() < 1e-9);
    let nobodys = grouped::rows(
        &ledger,
        &View { by: Group::parse("peer,user").unwrap(), ..View::default() },
        Who::nobody(),
    );
    let names: Vec<_> = nobodys
        .iter()
        .map(|row| row.fields().into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        .collect();
    assert_eq!(names[0], names[1]);
}

#[test]
fn what_sockets_counted_in_their_lives_is_unknown_of_what_was_summed_up() {
    let repeated = |n: u64, address: &str, label: &str| {
        let ends = [format!("192.0.2.1:{}", 40_000 + n), format!("{address}:443")];
        let mut flow = flow(n, "nginx", [&ends[0], &ends[1]], bytes(100, 0), bytes(100, 0));
        (flow.flow.sent_bytes, flow.flow.retrans_bytes, flow.flow.retrans_segs) = (1000 * n, 30, 2);
        FlowRecord { label: label.into(), ..flow }
    };
    let flows = vec![
        repeated(1, "198.51.100.7", "public"),
        repeated(2, "10.0.0.7", "private"),
        repeated(3, "10.0.0.7", "private"),
    ];
    let mut record = record(0, flows);
    let rest = |comm: &str, label: &str| Rest {
        comm: Some(comm.to_owned()),
        label: label.into(),
        flows: 3,
        bytes: bytes(20, 1),
        retrans_bytes: 5,
        ..Rest::default()
    };
    record.rest = vec![rest("curl", "public"), rest("curl", "link-local")];
    let ledger = replayed(&record);
    let (owners, labels) = (RecordedOwners::of(&record), labels(&record));
    let rows = |by: &str| {
        let by = Group::parse(by).unwrap();
        let rows = grouped::rows(&ledger, &View { by, ..View::default() }, who(&owners, &labels));
        let wire = Some(&["sent_bytes", "retrans_bytes", "retrans_segs"][..]);
        let values =
            |row| grouped::picked(row, wire).into_iter().map(|(_, value)| value.text()).collect::<Vec<_>>();
        rows.iter().map(|row| format!("{} {}", row.text(), values(row).join(","))).collect::<Vec<_>>()
    };
    assert_eq!(rows("label"), ["private 5000,60,4", "public ,,", "link-local ,,"]);
    assert_eq!(rows("process"), ["nginx[100] 6000,90,6", "curl ,,"]);
    assert_eq!(rows("remote-port,netns")[1..], ["summed up ,,"]);
}

#[test]
fn a_filter_judges_by_the_names_of_then_and_says_what_it_hides() {
    let named = |n, pod: Option<&str>| {
        let identity = pod.map(|pod| Arc::new(Identity { pod: Some(pod.to_owned()), ..Identity::default() }));
        let mut flow = remote(n, bytes(100 * n, 0));
        flow.flow.pid = u32::try_from(n).unwrap();
        FlowRecord { identity, ..flow }
    };
    let mut record = record(0, vec![named(1, Some("web-0")), named(2, Some("db-0")), named(3, None)]);
    record.rest = vec![Rest { flows: 1, bytes: bytes(5, 0), ..Rest::default() }];
    let (owners, labels) = (Arc::new(RecordedOwners::of(&record)), Arc::new(labels(&record)));
    let counted = |text: &str| {
        let filter = Filter::parse(text, &NoBook).unwrap();
        let scope = Attributed { filter, owners: owners.clone(), labels: labels.clone() };
        let ledger = Ledger::of_record(&record, Boundary::default(), Some(Box::new(scope)));
        (ledger.totals().bytes.tx, ledger.outside().0.tx)
    };
    assert_eq!(counted("pod web-*"), (100, 505));
    assert_eq!(counted("not pod web-*"), (500, 105));
    assert_eq!(counted("comm nginx"), (600, 5));
}

#[test]
fn owners_users_and_labels_are_those_of_then() {
    let mut named = remote(1, bytes(10, 0));
    named.users = 3;
    named.label = "vpc".into();
    let mut other = remote(2, bytes(5, 0));
    other.key.remote_addr =
        flow(9, "x", ["10.0.0.1:1", "10.0.0.2:2"], bytes(0, 0), bytes(0, 0)).key.remote_addr;
    let record = record(0, vec![named, other]);
    let (owners, labels) = (RecordedOwners::of(&record), labels(&record));
    assert_eq!(labels.of("198.51.100.7".parse().unwrap(), false), "vpc");
    assert_eq!(labels.of("10.0.0.2".parse().unwrap(), false), "private");
    assert_eq!(labels.of("203.0.113.1".parse().unwrap(), false), "public");
    let ledger = replayed(&record);
    let rows = rows(&ledger, &View::default());
    assert_eq!(rows.iter().map(|row| row.entry.users().count()).collect::<Vec<_>>(), [3, 1]);
    let sums = Sums::of(
        &ledger,
        Grouped { by: Group::parse("process").unwrap(), ..Grouped::default() },
        who(&owners, &labels),
    );
    let groups: Vec<_> = sums.groups().map(|(_, sum)| (sum.bytes, sum.connections)).collect();
    assert_eq!(groups, [(bytes(15, 0), 2)]);
}

#[test]
fn a_right_end_whose_left_end_was_summed_up_counts_once() {
    let [_, right] = local(7, 0, bytes(500, 60));
    let mut record = record(0, vec![FlowRecord { peer: None, ..right }]);
    record.rest = vec![Rest { flows: 1, bytes: bytes(500, 60), ..Rest::default() }];
    let ledger = replayed(&record);
    assert_eq!((ledger.totals().bytes, ledger.entries().count()), (bytes(500, 60), 0));
}

#[test]
fn the_border_of_then_says_who_sent() {
    let mut inside = remote(1, bytes(100, 7));
    inside.key =
        FlowRecord { ..flow(1, "haproxy", ["198.51.100.7:443", "10.0.0.3:5000"], bytes(0, 0), bytes(0, 0)) }
            .key;
    let mut record = record(0, vec![inside]);
    assert_eq!(replayed(&record).totals().bytes, bytes(100, 7));
    let border = TrafficLimit::Network { address: [10, 0, 0, 0].into(), prefix_bits: 8 };
    record.limits = TrafficLimits(vec![border, TrafficLimit::Filter("port 443".to_owned())]);
    assert_eq!(replayed(&record).totals().bytes, bytes(7, 100));
}

/// A connection in a record: the window, what it had moved before, what counts, whether it has ended, and whether both
/// ends are here.
type Made = (Bytes, Bytes, Verdict, bool, bool);

fn some_bytes() -> impl Strategy<Value = Bytes> {
    let amount = || prop_oneof![Just(0), 0..5000_u64, any::<u32>().prop_map(u64::from)];
    (amount(), amount()).prop_map(|(tx, rx)| Bytes { tx, rx })
}

fn made() -> impl Strategy<Value = Made> {
    let verdict = prop::sample::select(vec![
        Verdict::ALL,
        Verdict::NONE,
        Verdict { tx: true, rx: false },
        Verdict { tx: false, rx: true },
    ]);
    (some_bytes(), some_bytes(), verdict, any::<bool>(), any::<bool>())
}

/// A record of these connections, and the bytes of each in it.
fn record_of(made: &[Made]) -> (Record, Vec<Bytes>) {
    let (mut flows, mut expected) = (Vec::new(), Vec::new());
    for (n, (window, before, counts, has_ended, is_local)) in (0..).map(|n: u64| 10 * n).zip(made) {
        let counted = counts.of(*window);
        let at = u32::try_from(flows.len()).unwrap();
        let mut new = if *is_local { local(n, at, *window).to_vec() } else { vec![remote(n, *window)] };
        for flow in &mut new {
            let counts = if flow.is_right { counts.mirror() } else { *counts };
            let before = if flow.is_right { before.mirror() } else { *before };
            let moved = flow.bytes;
            (flow.flow.tx_bytes, flow.flow.rx_bytes) = (before.tx + moved.tx, before.rx + moved.rx);
            (flow.counts, flow.bytes) = (counts, counts.of(moved));
            flow.flow.flags |= if *has_ended { flags::ENDED } else { 0 };
        }
        flows.append(&mut new);
        expected.push(counted);
    }
    (record(3, flows), expected)
}

proptest! {
    #[test]
    fn totals_and_rows_are_the_bytes_of_the_record(
        made in prop::collection::vec(made(), 0..12),
        rest in prop::collection::vec(some_bytes(), 0..3),
        untracked in some_bytes(),
    ) {
        let (mut record, expected) = record_of(&made);
        record.rest = rest.iter().map(|bytes| Rest { flows: 1, bytes: *bytes, ..Rest::default() }).collect();
        record.untracked = Untracked { flows: 1, tx_bytes: untracked.tx, rx_bytes: untracked.rx, ..Untracked::default() };
        record.totals = rest.iter().fold(record.totals + untracked, |sum, bytes| sum + *bytes);
        let ledger = replayed(&record);
        prop_assert_eq!(ledger.totals().bytes, record.totals);
        let mut shown: Vec<_> = rows(&ledger, &View { limit: None, ..View::default() }).iter().map(|row| (row.key.id, row.bytes)).collect();
        shown.sort_unstable_by_key(|(id, _)| *id);
        let moved = (0..).map(|n: u64| 10 * n).zip(expected).filter(|(_, bytes)| bytes.sum() > 0);
        prop_assert_eq!(shown, moved.collect::<Vec<_>>());
        for (key, entry) in ledger.entries() {
            let recorded = record.flows.iter().find(|flow| flow.key == *key).unwrap();
            prop_assert_eq!(entry.bytes(), recorded.bytes);
            prop_assert_eq!(entry.flow(), Flow { base_tx_bytes: 0, base_rx_bytes: 0, ..recorded.flow });
        }
        for by in ["", "peer", "process", "pod,label", "local-port", "net/24"] {
            let (owners, labels) = (RecordedOwners::of(&record), labels(&record));
            let by = if by.is_empty() { Group::default() } else { Group::parse(by).unwrap() };
            let grouped = Grouped { by, ..Grouped::default() };
            let sums = Sums::of(&ledger, grouped, who(&owners, &labels));
            let sum = sums.groups().fold(Bytes::default(), |sum, (_, group)| sum + group.bytes);
            let (twice, _) = ledger.local_twice(by.groups_ends());
            prop_assert_eq!(sum + untracked, record.totals + twice);
        }
    }

    /// Whatever was written: what does not fit together upsets nothing.
    #[test]
    fn no_record_upsets_it(
        made in prop::collection::vec(made(), 0..6),
        peers in prop::collection::vec(prop::option::of(0..8_u32), 12),
        right: [bool; 12],
        shrunk: [bool; 12],
        length_ns in any::<u64>(),
    ) {
        let (mut record, _) = record_of(&made);
        for (at, flow) in record.flows.iter_mut().enumerate() {
            (flow.peer, flow.is_right) = (peers[at], right[at]);
            if shrunk[at] {
                (flow.flow.tx_bytes, flow.flow.rx_bytes) = (0, 0);
            }
        }
        record.span.end_ns = length_ns;
        let left = record.flows.iter().filter(|flow| !flow.is_right);
        let expected = left.fold(Bytes::default(), |sum, flow| sum + flow.bytes);
        let ledger = replayed(&record);
        prop_assert_eq!(ledger.totals().bytes, expected);
        for (key, entry) in ledger.entries() {
            let recorded = record.flows.iter().find(|flow| flow.key == *key).unwrap();
            prop_assert_eq!(entry.bytes(), recorded.bytes);
        }
    }
}
