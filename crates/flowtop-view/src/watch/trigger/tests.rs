use super::*;
use crate::watch::condition::{Bound, Measure};
use proptest::prelude::*;

const S: u64 = 1_000_000_000;

/// More than 8 bit/s sent for so long.
fn above_8(held_for_s: u64) -> Condition {
    Condition {
        measure: Measure::Tx,
        bound: Bound::Above,
        bits_per_s: 8,
        held_for: Duration::from_secs(held_for_s),
        filter: None,
    }
}

/// Intervals one after the other: length in s, and bytes sent in each second.
fn intervals(steps: &[(u64, u64)]) -> Vec<Interval> {
    let mut from_ns = 100 * S;
    let next = |&(length_s, per_s): &(u64, u64)| {
        let bytes = Bytes { tx: per_s * length_s, rx: 1000 };
        let interval = Interval { from_ns, to_ns: from_ns + length_s * S, bytes };
        from_ns = interval.to_ns;
        interval
    };
    steps.iter().map(next).collect()
}

fn trigger(held_for_s: u64, hold_off_s: u64) -> Trigger {
    Trigger::new(above_8(held_for_s), Duration::from_secs(hold_off_s))
}

#[test]
fn it_goes_from_armed_over_counting_and_held_off_back_to_armed() {
    let mut trigger = trigger(2, 3);
    let mut phases = Vec::new();
    for interval in intervals(&[(1, 0), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2), (1, 1), (1, 9), (1, 9)]) {
        let fired = trigger.take(interval).map(|firing| (firing.number, firing.run.bytes.tx));
        let phase = match trigger.phase() {
            Phase::Armed => "armed".to_owned(),
            Phase::Counting(run) => format!("counting since {}", run.from_ns / S),
            Phase::HeldOff(until_ns) => format!("held off until {}", until_ns / S),
        };
        phases.push((phase, fired));
    }
    let until = |s: u64| format!("held off until {s}");
    let expected = [
        ("armed".to_owned(), None),
        ("counting since 101".to_owned(), None),
        (until(106), Some((1, 4))),
        (until(106), None),
        (until(106), None),
        (until(106), None),
        ("armed".to_owned(), None),
        ("counting since 107".to_owned(), None),
        (until(112), Some((2, 18))),
    ];
    assert_eq!(phases, expected);
    assert_eq!((trigger.fired(), trigger.held()), (2, Duration::from_secs(7)));
}

#[test]
fn what_was_measured_is_the_mean_of_the_whole_time() {
    let mut trigger = trigger(4, 0);
    let firings: Vec<_> = intervals(&[(1, 100), (1, 200), (2, 50)])
        .into_iter()
        .filter_map(|interval| trigger.take(interval))
        .collect();
    assert_eq!(firings.len(), 1);
    assert!((firings[0].bits_per_s(&above_8(4)) - 800.0).abs() < 1e-9);
}

#[test]
fn a_time_that_nobody_looked_at_breaks_the_run() {
    let mut trigger = trigger(2, 0);
    let [first, _, third] = intervals(&[(1, 9), (1, 9), (1, 9)])[..] else { unreachable!() };
    assert_eq!((trigger.take(first), trigger.take(third)), (None, None));
    assert!(matches!(trigger.phase(), Phase::Counting(run) if run == third));
}

/// The same by its definition: it fires at the end of an interval if every moment of the time before was in an
/// interval that held, and after the hold-off of the firing before.
fn by_definition(intervals: &[Interval], held_for_s: u64, hold_off_s: u64) -> Vec<u64> {
    let (mut fired, mut free_from_ns) = (Vec::new(), 0);
    for (at, last) in intervals.iter().enumerate() {
        let back = intervals[..=at].iter().rev();
        let held = back.take_while(|one| {
            one.bytes.tx * 8 * S > 8 * (one.to_ns - one.from_ns) && one.from_ns >= free_from_ns
        });
        let held_ns: u64 = held.map(|one| one.to_ns - one.from_ns).sum();
        if held_ns > 0 && held_ns >= held_for_s * S {
            fired.push(last.to_ns);
            free_from_ns = last.to_ns + hold_off_s * S;
        }
    }
    fired
}

proptest! {
    #[test]
    fn it_fires_exactly_when_the_rate_was_above_for_the_whole_time(
        steps in prop::collection::vec((1..4_u64, 0..4_u64), 0..80),
        held_for_s in 1..8_u64,
        hold_off_s in 0..20_u64,
    ) {
        let intervals = intervals(&steps);
        let mut trigger = trigger(held_for_s, hold_off_s);
        let firings: Vec<_> = intervals.iter().filter_map(|interval| trigger.take(*interval)).collect();
        let at: Vec<_> = firings.iter().map(|firing| firing.run.to_ns).collect();
        prop_assert_eq!(&at, &by_definition(&intervals, held_for_s, hold_off_s));
        prop_assert_eq!(trigger.fired(), at.len() as u64);
        prop_assert!(firings.iter().zip(1..).all(|(firing, number)| firing.number == number));
        for pair in firings.windows(2) {
            prop_assert!(pair[1].run.from_ns >= pair[0].run.to_ns + hold_off_s * S);
        }
    }
}
