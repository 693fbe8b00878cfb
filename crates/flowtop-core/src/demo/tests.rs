//! The demo is the same every time, and the ledger finds nothing wrong with it.

use super::*;
use crate::ledger::Ledger;

fn watched(ms: impl Iterator<Item = u64>) -> (Ledger, Demo) {
    let (mut ledger, mut demo) = (Ledger::new(1000, 0), Demo::new(5 * S));
    let mut sample = Sample::default();
    for ms in ms {
        demo.sample(Moment { us: 0, ns: 5 * S + ms * 1_000_000 }, &mut sample);
        ledger.apply(&sample);
        demo.remove(ledger.removable());
    }
    (ledger, demo)
}

#[test]
fn how_often_it_is_looked_at_changes_nothing() {
    let (often, _) = watched((0..=60_000).step_by(500));
    let (seldom, _) = watched((0..=60_000).step_by(2_000));
    assert_eq!(often.totals().bytes, seldom.totals().bytes);
    assert!(often.totals().bytes.tx > 1_000_000_000);
}

#[test]
fn both_ends_of_a_loop_agree() {
    let (ledger, _) = watched((0..=20_000).step_by(1_000));
    let pairs: Vec<_> =
        ledger.entries().filter_map(|(_, entry)| Some((entry, ledger.peer(entry)?.1))).collect();
    assert_eq!(pairs.len(), 2 * LOOPS.len());
    for (here, there) in pairs {
        assert_eq!(here.bytes(), there.bytes().mirror());
    }
}

#[test]
fn visits_end_and_are_forgotten() {
    let (_, demo) = watched((0..=120_000).step_by(1_000));
    assert!(demo.visits > 40 && demo.sources.len() < LINES.len() + 2 * LOOPS.len() + 6);
}
