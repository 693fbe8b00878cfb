//! A connection is in exactly one row, whatever a row is.

use flowtop_common::Flow;
use proptest::prelude::*;

use super::*;
use crate::core::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_of, sample};
use crate::core::rows::merged;
use crate::core::view::{PortDisplay, View};

fn of_pid(pid: u32, flow: Flow) -> Flow {
    Flow { pid, ..flow }
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

fn sent(by: By) -> Vec<(Key, u64, u32)> {
    let grouped = Grouped { by, grouping: Grouping::default() };
    let sums = grouped.sums(&visits(), &|_| true);
    let mut rows: Vec<_> =
        sums.into_groups().map(|group| (group.key, group.sum.bytes.tx, group.sum.connections)).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn rows_are_what_they_are_chosen_to_be() {
    let hosts = ["127.0.0.1", "192.0.2.9"].map(|text| Key::RemoteHost(text.parse().unwrap()));
    assert_eq!(sent(By::RemoteHost), [(hosts[0], 30, 1), (hosts[1], 170, 2)]);
    let process = |pid| Key::Process(Process { pid, comm: [0; 16] });
    assert_eq!(sent(By::Process), [(process(7), 130, 2), (process(8), 70, 1)]);
    let ports = [1001, 1002, 1003].map(Key::LocalPort);
    assert_eq!(sent(By::LocalPort), [(ports[0], 100, 1), (ports[1], 70, 1), (ports[2], 30, 1)]);
    assert_eq!(sent(By::Flow).len(), 2);
}

#[test]
fn a_row_of_one_process_names_it() {
    let grouped = Grouped { by: By::RemoteHost, grouping: Grouping::default() };
    let owner = |address: &str| {
        let ledger = visits();
        let key = Key::RemoteHost(address.parse().unwrap());
        grouped.sums(&ledger, &|_| true).get(key, grouped).owner
    };
    assert_eq!(owner("127.0.0.1"), Owner::One(Process { pid: 7, comm: [0; 16] }));
    assert_eq!(owner("192.0.2.9"), Owner::Several);
}

#[test]
fn tab_goes_round_both_ways() {
    for by in By::ALL {
        assert_eq!(by.step(true).step(false), by);
    }
    assert_eq!(By::Process.step(true), By::Flow);
}

/// Flows among four hosts; both directions of a pair happen.
fn any_ledger() -> impl Strategy<Value = Ledger> {
    let one = (0..4_u8, 0..4_u8, 1000..1004_u16, 80..82_u16, 1..1000_u64, 0..3_u32);
    proptest::collection::vec(one, 0..30).prop_map(|flows| {
        let flow = |(id, (a, b, p, q, tx, pid)): (u64, (u8, u8, u16, u16, u64, u32))| {
            let key = key(1, &format!("192.0.2.{a}:{p}"), &format!("192.0.2.{}:{q}", b + 10), id);
            (key, of_pid(pid, flow(CONNECTED, tx, tx / 2)))
        };
        let flows: Vec<_> = (1..).zip(flows).map(flow).collect();
        ledger_of(&[sample(2, &flows)])
    })
}

proptest! {
    #[test]
    fn rows_add_up_to_the_totals(ledger in any_ledger(), by in 0..By::ALL.len(), hide: bool) {
        let grouping = Grouping { hide_source: hide, ports: PortDisplay::SourceOnly, ..Grouping::default() };
        let grouped = Grouped { by: By::ALL[by], grouping };
        let mut total = Sum::default();
        for group in grouped.sums(&ledger, &|_| true).into_groups() {
            total.add(group.sum);
            let members: Vec<_> = grouped.members(&ledger, group.key).collect();
            prop_assert_eq!(members.len(), group.sum.connections as usize);
        }
        prop_assert_eq!(total.bytes, ledger.totals().bytes);
    }

    #[test]
    fn flows_are_the_rows_of_the_text_report(ledger in any_ledger(), ports in 0..4_usize) {
        let ports = [PortDisplay::Off, PortDisplay::SourceOnly, PortDisplay::DestinationOnly, PortDisplay::On][ports];
        let view = View { grouping: Grouping { ports, ..Grouping::default() }, ..View::default() };
        let grouped = Grouped { by: By::Flow, grouping: view.grouping };
        let mut screen: Vec<_> = grouped.sums(&ledger, &|_| true).into_groups().collect();
        screen.sort_unstable_by_key(|group| group.key);
        let mut report = merged::rows(&ledger, &view, |_| String::new());
        report.sort_unstable_by_key(|row| row.ends);
        prop_assert_eq!(screen.len(), report.len());
        for (group, row) in screen.iter().zip(&report) {
            prop_assert_eq!((group.key, group.sum.bytes), (Key::Flow(row.ends), row.bytes));
        }
    }
}
