//! A connection is in exactly one row, for every grouping; and updated sums equal recomputed ones.

use flowtop_common::{Flow, FlowKey};
use proptest::prelude::*;

use super::*;
use crate::fixture::{ACCEPTED, CONNECTED, ended, flow, key, ledger_of, sample};
use crate::group::Group;
use crate::rows::merged;
use crate::view::{Grouping, PortDisplay, View};

fn of_pid(pid: u32, flow: Flow) -> Flow {
    Flow { pid, ..flow }
}

fn by(text: &str) -> Grouped {
    Grouped { by: Group::parse(text).unwrap(), ..Grouped::default() }
}

/// Two connections to one host, by two processes, and one with both ends here.
fn visits() -> Ledger {
    let local = [key(1, "127.0.0.1:1003", "127.0.0.1:80", 3), key(1, "127.0.0.1:80", "127.0.0.1:1003", 4)];
    ledger_of(&[sample(
        2,
        &[
            (key(1, "192.0.2.1:1001", "192.0.2.9:443", 1), of_pid(7, flow(CONNECTED, 100, 5))),
            (key(1, "192.0.2.1:1002", "192.0.2.9:443", 2), of_pid(8, flow(CONNECTED, 70, 3))),
            (local[0], of_pid(7, flow(CONNECTED, 30, 1))),
            (local[1], of_pid(9, flow(ACCEPTED, 1, 30))),
        ],
    )])
}

#[test]
fn the_owner_of_a_row_is_the_one_of_all_its_connections() {
    let sums = Sums::of(&visits(), by("peer"), Who::nobody());
    let mut owners: Vec<_> = sums.groups().map(|(_, sum)| (sum.bytes.tx, sum.owner)).collect();
    owners.sort_by_key(|(tx, _)| *tx);
    assert_eq!(owners, [(30, Owner::One(Process { pid: 7, comm: [0; 16] })), (170, Owner::Several)]);
}

#[test]
fn what_is_left_out_is_counted_and_in_no_row() {
    let mut sums = Sums::default();
    let keep = |row: &Row<'_>, _: &mut IdentityCache<'_>| row.tuple.remote.port() == 443;
    let ledger = visits();
    let all = sums.fill(&ledger, &Recipe { grouped: by("peer"), who: Who::nobody(), keep: Some(&keep) });
    assert_eq!((all, sums.groups().map(|(_, sum)| sum.connections).collect::<Vec<_>>()), (3, vec![2]));
}

/// Flows among four hosts; both directions of a pair happen.
fn any_flow() -> impl Strategy<Value = (FlowKey, Flow)> {
    let ends = (0..3_u8, 0..3_u8, 1000..1004_u16, 80..82_u16);
    let rest = (1..1000_u64, 0..4_u32, any::<bool>(), 0..9_u64, prop::bool::weighted(0.2));
    (ends, rest).prop_map(|((a, b, p, q), (tx, pid, turn, id, end))| {
        let (local, remote) = (format!("192.0.2.{a}:{p}"), format!("192.0.2.{}:{q}", b + 10));
        let key = if turn { key(1, &remote, &local, id) } else { key(1, &local, &remote, id) };
        let flow = of_pid(pid, flow(if turn { ACCEPTED } else { CONNECTED }, tx, tx / 2));
        (key, if end { ended(flow) } else { flow })
    })
}

fn any_sample() -> impl Strategy<Value = Vec<(FlowKey, Flow)>> {
    prop::collection::vec(any_flow(), 0..12).prop_map(|mut flows| {
        flows.sort_unstable_by_key(|(key, _)| *key);
        flows.dedup_by_key(|(key, _)| *key);
        flows
    })
}

const BY: [&str; 6] = ["", "peer", "local-port", "process", "net/24,remote-port", "flow"];

/// Every row with what is in it, in an order of its own.
fn sorted(sums: &Sums) -> Vec<(RowKey, Sum)> {
    let mut rows: Vec<_> = sums.groups().map(|(key, sum)| (key.clone(), sum)).collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows
}

proptest! {
    #[test]
    fn what_is_remembered_is_what_is_found_anew(
        steps in prop::collection::vec((any_sample(), 1..30_u64, 0..BY.len(), any::<bool>()), 1..12),
    ) {
        let (mut ledger, mut sums, mut at_s) = (ledger_of(&[]), Sums::default(), 0);
        for (flows, pause_s, which, hide) in steps {
            at_s += pause_s;
            ledger.apply(&sample(at_s, &flows));
            let ports = PortDisplay::SourceOnly;
            let grouping = if hide { Grouping { hide_source: true, ports, ..Grouping::default() } } else { Grouping::default() };
            let grouped = Grouped { grouping, ..by(BY[which]) };
            sums.fill(&ledger, &Recipe { grouped, who: Who::nobody(), keep: None });
            prop_assert_eq!(sorted(&sums), sorted(&Sums::of(&ledger, grouped, Who::nobody())));
        }
    }

    #[test]
    fn rows_add_up_to_the_totals(flows in any_sample(), which in 0..BY.len(), hide: bool) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let grouping = Grouping { hide_source: hide, ports: PortDisplay::SourceOnly, ..Grouping::default() };
        let sums = Sums::of(&ledger, Grouped { grouping, ..by(BY[which]) }, Who::nobody());
        let mut total = Bytes::default();
        for (key, sum) in sums.groups() {
            total += sum.bytes;
            prop_assert_eq!(sums.members_of(&ledger, key).count(), sum.connections as usize);
        }
        let (twice, _) = ledger.local_twice(sums.grouped().by.groups_ends());
        prop_assert_eq!(total, ledger.totals().bytes + twice);
    }

    #[test]
    fn flows_are_the_rows_of_the_text_report(flows in any_sample(), ports in 0..4_usize) {
        let ledger = ledger_of(&[sample(2, &flows)]);
        let ports = [PortDisplay::Off, PortDisplay::SourceOnly, PortDisplay::DestinationOnly, PortDisplay::On][ports];
        let view = View { grouping: Grouping { ports, ..Grouping::default() }, ..View::default() };
        let screen = Sums::of(&ledger, Grouped { grouping: view.grouping, ..Grouped::default() }, Who::nobody());
        let mut report = merged::rows(&ledger, &view, |_| String::new());
        report.sort_unstable_by_key(|row| row.ends);
        let report: Vec<_> = report.iter().map(|row| (RowKey::Ends(row.ends), row.bytes)).collect();
        let screen: Vec<_> = sorted(&screen).into_iter().map(|(key, sum)| (key, sum.bytes)).collect();
        prop_assert_eq!(screen, report);
    }
}
