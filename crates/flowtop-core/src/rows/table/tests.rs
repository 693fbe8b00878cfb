//! The partial sort equals a full one, and frozen rows stay.

use proptest::prelude::*;

use super::*;
use crate::fixture::{CONNECTED, flow, key, ledger_of, sample};
use crate::group::Group as By;
use crate::ledger::Ledger;
use crate::rows::key::{Cell, Grouped};
use crate::rows::sums::Recipe;
use crate::who::Who;
use crate::wire::Sample;

fn port(port: u16) -> RowKey {
    RowKey::Common([Cell::Port(port)].into())
}

/// Rows of local ports, from 1 on, that have sent so much.
fn ledger(amounts: &[u64]) -> Ledger {
    let one = |(port, tx): (u64, &u64)| {
        (key(1, &format!("192.0.2.1:{port}"), "192.0.2.9:80", port), flow(CONNECTED, *tx, 0))
    };
    ledger_of(&[sample(2, &(1..).zip(amounts).map(one).collect::<Vec<_>>())])
}

fn fill(table: &mut Table, ledger: &Ledger, view: &View, pinned: &BTreeSet<RowKey>) {
    let by = By::parse("local-port").unwrap();
    let grouped = Grouped { by, ..Grouped::default() };
    table.sums.fill(ledger, &Recipe { grouped, who: Who::nobody(), keep: None });
    let text = |key: &RowKey| match key.cells() {
        [Cell::Port(port)] => format!("a long beginning {}", port % 7),
        _ => String::new(),
    };
    let is_enough = |_: &Sum| true;
    table.arrange(&Order { view, pinned, is_enough: &is_enough, is_wanted: None, text: &text });
}

fn table_of(amounts: &[u64], view: &View, pinned: &[u16]) -> Table {
    let mut table = Table::default();
    fill(&mut table, &ledger(amounts), view, &pinned.iter().map(|of| port(*of)).collect());
    table
}

fn sent(table: &Table) -> Vec<u64> {
    table.all().map(|group| group.sum.bytes.tx).collect()
}

#[test]
fn pinned_rows_come_first() {
    let mut table = table_of(&[1, 2, 3, 4], &View::default(), &[1, 2]);
    table.sort_first(4);
    assert_eq!(sent(&table), [2, 1, 4, 3]);
}

#[test]
fn only_what_is_looked_at_is_sorted() {
    let amounts: Vec<u64> = (1..=5000).collect();
    let mut table = table_of(&amounts, &View::default(), &[]);
    table.sort_first(10);
    assert_eq!(table.sorted, STEP);
    assert_eq!(table.rows(0, 3).map(|group| group.sum.bytes.tx).collect::<Vec<_>>(), [5000, 4999, 4998]);
    assert_eq!(table.position(&port(1)), Some(4999));
    assert_eq!(table.rows(4999, 1).count(), 0);
}

#[test]
fn a_frozen_order_outlives_rows_that_come_and_go() {
    let (view, nothing) = (View::default(), BTreeSet::new());
    let (mut ledger, mut table) = (Ledger::new(100_000, 0), Table::default());
    let of_ports = |ports: std::ops::RangeInclusive<u64>, tx| {
        let one = |port| {
            (key(1, &format!("192.0.2.1:{port}"), "192.0.2.9:80", port), flow(CONNECTED, tx * port, 0))
        };
        ports.map(one).collect::<Vec<_>>()
    };
    ledger.apply(&Sample::default());
    ledger.apply(&sample(1, &of_ports(1..=3, 1)));
    fill(&mut table, &ledger, &view, &nothing);
    table.freeze();
    // So many rows come and go that those of long ago are forgotten.
    for round in 1..=4 {
        for at_s in 0..5 {
            ledger.apply(&sample(round * 1000 + at_s * 100, &of_ports(1..=3, 1)));
        }
        let mut flows = of_ports(1..=3, 1);
        flows.extend(of_ports(round * 5000..=round * 5000 + 5000, 1));
        ledger.apply(&sample(round * 1000 + 500, &flows));
        fill(&mut table, &ledger, &view, &nothing);
        assert_eq!(sent(&table), [3, 2, 1]);
    }
    assert!(table.sums.len() < 20_000, "{}", table.sums.len());
    ledger.apply(&sample(9000, &of_ports(1..=4, 10)));
    fill(&mut table, &ledger, &view, &nothing);
    assert_eq!(sent(&table), [30, 20, 10]);
    for at_s in 1..9 {
        ledger.apply(&sample(9000 + 100 * at_s, &of_ports(1..=4, 10)));
    }
    table.thaw();
    fill(&mut table, &ledger, &view, &nothing);
    table.sort_first(4);
    assert_eq!(sent(&table), [40, 30, 20, 10]);
}

proptest! {
    #[test]
    fn any_part_is_that_of_a_full_sort(
        amounts in prop::collection::vec(1..50_u64, 0..900), looks in prop::collection::vec(0..1000_usize, 1..5),
        pinned in 0..900_u16, by_name: bool,
    ) {
        let view = View { sort: if by_name { Sort::Source } else { Sort::Last10s }, ..View::default() };
        let full = table_of(&amounts, &view, &[pinned]);
        let mut order = full.order.clone();
        order.sort_by(|a, b| full.compare(a, b));
        let full: Vec<_> = order.iter().map(|place| full.sums.key(place.row).clone()).collect();
        let mut lazy = table_of(&amounts, &view, &[pinned]);
        for n in looks {
            lazy.sort_first(n);
            let sorted: Vec<_> = lazy.all().take(n).map(|group| group.key.clone()).collect();
            prop_assert_eq!(&sorted[..], &full[..n.min(full.len())]);
        }
        for (at, key) in full.iter().enumerate().step_by(97) {
            prop_assert_eq!(lazy.position(key), Some(at));
        }
    }
}
