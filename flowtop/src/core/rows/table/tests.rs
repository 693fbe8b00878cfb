//! What is sorted is what a full sort would have put there.

use proptest::prelude::*;

use super::*;
use crate::core::rows::groups::Sum;
use crate::core::window::Bytes;

fn group(port: u16, tx: u64) -> Group {
    Group { key: Key::LocalPort(port), sum: Sum { bytes: Bytes { tx, rx: 0 }, ..Sum::default() } }
}

fn table(amounts: &[u64], pinned: &[u16]) -> Table {
    let groups = (0..).zip(amounts).map(|(port, tx)| group(port, *tx));
    let pinned = pinned.iter().map(|port| Key::LocalPort(*port)).collect();
    Table::new(groups.collect(), &View::default(), &pinned, &|_| String::new())
}

#[test]
fn pinned_rows_come_first() {
    let mut table = table(&[1, 2, 3, 4], &[0, 1]);
    table.sort_first(4);
    let order: Vec<_> = table.all().map(|group| group.sum.bytes.tx).collect();
    assert_eq!(order, [2, 1, 4, 3]);
}

#[test]
fn only_what_is_looked_at_is_sorted() {
    let amounts: Vec<u64> = (0..5000).collect();
    let mut table = table(&amounts, &[]);
    table.sort_first(10);
    assert_eq!(table.sorted, STEP);
    assert_eq!(table.rows(0, 3).map(|group| group.sum.bytes.tx).collect::<Vec<_>>(), [4999, 4998, 4997]);
    assert_eq!(table.position(&Key::LocalPort(0)), Some(4999));
    assert_eq!(table.rows(4999, 1).count(), 0);
}

proptest! {
    #[test]
    fn any_part_is_that_of_a_full_sort(
        amounts in proptest::collection::vec(0..50_u64, 0..1500), looks in proptest::collection::vec(0..1600_usize, 1..5),
        pinned in 0..1500_u16,
    ) {
        let mut full = table(&amounts, &[pinned]);
        let mut order = std::mem::take(&mut full.order);
        order.sort_by(|a, b| full.compare(a, b));
        full.order = order;
        let mut lazy = table(&amounts, &[pinned]);
        for n in looks {
            lazy.sort_first(n);
            let keys = |table: &Table, n| table.all().take(n).map(|group| group.key).collect::<Vec<_>>();
            prop_assert_eq!(keys(&lazy, n), keys(&full, n));
        }
        for (at, group) in full.all().enumerate().step_by(97) {
            prop_assert_eq!(lazy.position(&group.key), Some(at));
        }
    }
}
