//! Properties of the windows.

use super::*;
use proptest::prelude::*;

/// A timeline and its traffic, driven tick by tick: (seconds / 10, bytes).
fn drive(ticks: &[(u64, Bytes)]) -> (Timeline, Traffic) {
    let (mut timeline, mut traffic) = (Timeline::default(), Traffic::default());
    for &(tenths, bytes) in ticks {
        timeline.tick(tenths * NS_PER_S / 10);
        traffic.add(&timeline, bytes);
        traffic.forget_old(&timeline);
    }
    (timeline, traffic)
}

fn tx(bytes: u64) -> Bytes {
    Bytes { tx: bytes, rx: 0 }
}

fn covered_s(rates: &Rates) -> [u64; 3] {
    Window::ALL.map(|window| rates.covered_ns(window) / NS_PER_S)
}

#[test]
fn at_the_start_the_divisor_is_what_has_elapsed() {
    let (timeline, traffic) = drive(&[(20, tx(200)), (20, tx(400))]);
    let rates = traffic.rates(&timeline);
    assert_eq!(covered_s(&rates), [2, 4, 4]);
    assert_eq!(rates.bytes(Window::S2), tx(400));
    assert!((rates.tx_per_s(Window::S2) - 200.0).abs() < 1e-9);
    assert!((rates.tx_per_s(Window::S40) - 150.0).abs() < 1e-9);
}

#[test]
fn a_full_timeline_covers_each_window() {
    for tenths in [10, 20] {
        let (timeline, traffic) = drive(&vec![(tenths, tx(7)); 200]);
        assert_eq!(covered_s(&traffic.rates(&timeline)), [2, 10, 40]);
    }
}

#[test]
fn a_tick_longer_than_the_window_is_the_window() {
    let (timeline, traffic) = drive(&[(30, tx(1)), (200, tx(400))]);
    let rates = traffic.rates(&timeline);
    assert_eq!(covered_s(&rates), [20, 20, 23]);
    assert!((rates.tx_per_s(Window::S2) - 20.0).abs() < 1e-9);
}

#[test]
fn the_moment_after_a_tick_longer_than_the_window_is_no_window() {
    let (mut timeline, traffic) = drive(&[(10, tx(1)), (6000, tx(600))]);
    timeline.tick(1_000_000);
    let rates = traffic.rates(&timeline);
    assert_eq!((covered_s(&rates), rates.bytes(Window::S2)), ([600; 3], tx(600)));
    timeline.tick(NS_PER_S);
    assert_eq!(covered_s(&traffic.rates(&timeline)), [1; 3]);
}

#[test]
fn an_early_or_late_tick_does_not_widen_the_window() {
    let (mut timeline, mut traffic) = (Timeline::default(), Traffic::default());
    for tick in 0..100_u64 {
        timeline.tick(2 * NS_PER_S + tick % 7 * 10_000_000 - 30_000_000);
        traffic.add(&timeline, tx(1));
        assert_eq!(traffic.rates(&timeline).bytes(Window::S2), tx(1));
    }
    assert_eq!(traffic.rates(&timeline).bytes(Window::S10), tx(5));
    assert_eq!(traffic.rates(&timeline).bytes(Window::S40), tx(20));
}

#[test]
fn no_time_is_no_rate() {
    let (timeline, traffic) = drive(&[(0, tx(5))]);
    let rates = traffic.rates(&timeline);
    assert_eq!(rates.bytes(Window::S2), tx(5));
    assert_eq!(Window::ALL.map(|window| rates.tx_per_s(window).to_bits()), [0; 3]);
    assert_eq!(Traffic::default().rates(&Timeline::default()), Rates::default());
}

#[test]
fn between_too_short_and_too_long_the_window_is_covered() {
    let (timeline, traffic) = drive(&[(40, tx(1)); 50]);
    assert_eq!(covered_s(&traffic.rates(&timeline)), [4, 12, 40]);
}

#[test]
fn ticks_of_no_time_take_no_slots() {
    let mut ticks = vec![(20, tx(5))];
    ticks.resize(100, (0, tx(1)));
    let (timeline, traffic) = drive(&ticks);
    let rates = traffic.rates(&timeline);
    assert_eq!((rates.bytes(Window::S2), rates.covered_ns(Window::S2)), (tx(104), 2 * NS_PER_S));
}

#[test]
fn short_ticks_share_a_slot() {
    let (timeline, traffic) = drive(&[(1, tx(1)); 90]);
    assert_eq!(timeline.opened, 10);
    assert_eq!(traffic.rates(&timeline).bytes(Window::S40), tx(90));
}

#[test]
fn a_stopped_flow_leaves_window_after_window_and_then_its_memory() {
    let mut ticks = vec![(20, tx(10))];
    for (idle, in_windows) in [(0, 3), (1, 2), (4, 2), (5, 1), (19, 1), (20, 0)] {
        ticks.resize(1 + idle, (20, Bytes::default()));
        let (timeline, traffic) = drive(&ticks);
        let rates = traffic.rates(&timeline);
        let with_bytes = Window::ALL.iter().filter(|window| rates.bytes(**window) != Bytes::default());
        assert_eq!(with_bytes.count(), in_windows, "after {idle} idle ticks");
        assert_eq!(traffic.is_empty(), in_windows == 0);
    }
}

/// Drives totals with one tick of 2 s for each item and returns the peak after each.
fn peaks(ticks: impl IntoIterator<Item = Bytes>) -> Vec<Peak> {
    let (mut timeline, mut traffic, mut peaks) = (Timeline::default(), Traffic::default(), Peaks::default());
    let tick = |bytes| {
        timeline.tick(2 * NS_PER_S);
        traffic.add(&timeline, bytes);
        peaks.note(&timeline, &traffic.rates(&timeline));
        peaks.largest(&timeline)
    };
    ticks.into_iter().map(tick).collect()
}

#[test]
fn the_peak_is_64_bit_and_slides_over_40_s() {
    let burst = Bytes { tx: 1 << 50, rx: 0 };
    let answer = Bytes { tx: 2, rx: 1 << 40 };
    let series = peaks([burst, answer].into_iter().chain(std::iter::repeat_n(tx(2), 20)));
    let expected = Peak {
        tx_per_s: (1_u64 << 49) as f64,
        rx_per_s: (1_u64 << 39) as f64,
        sum_per_s: (1_u64 << 49) as f64,
    };
    assert_eq!(series[1], expected);
    assert_eq!(series[19], expected);
    let sum_per_s = (1_u64 << 39) as f64 + 1.0;
    assert_eq!(series[20], Peak { tx_per_s: 1.0, rx_per_s: (1_u64 << 39) as f64, sum_per_s });
    assert_eq!(series[21], Peak { tx_per_s: 1.0, rx_per_s: 0.0, sum_per_s: 1.0 });
}

#[test]
fn the_first_milliseconds_of_a_slot_leave_no_peak() {
    let (mut timeline, mut traffic, mut peaks) = (Timeline::default(), Traffic::default(), Peaks::default());
    for (dt_ns, bytes) in [(NS_PER_S / 1000, tx(1000)), (NS_PER_S / 2, Bytes::default())] {
        timeline.tick(dt_ns);
        traffic.add(&timeline, bytes);
        peaks.note(&timeline, &traffic.rates(&timeline));
    }
    assert!(peaks.largest(&timeline).tx_per_s < 2000.0);
}

fn ticks() -> impl Strategy<Value = Vec<(u64, Bytes)>> {
    let bytes = prop_oneof![Just((0, 0)), (0..1_u64 << 40, 0..1_u64 << 40)];
    prop::collection::vec((0..60_u64, bytes.prop_map(|(tx, rx)| Bytes { tx, rx })), 1..150)
}

#[test]
fn a_slot_of_more_than_4_gib_loses_nothing() {
    let huge = u64::from(u32::MAX) - 5;
    let mut ticks: Vec<_> = (0..30).map(|second| (10, tx(second))).collect();
    ticks.extend([
        (10, tx(huge)),
        (1, tx(4)),
        (1, tx(100)),
        (10, Bytes { tx: 1, rx: huge }),
        (10, tx(2 * huge)),
    ]);
    let (timeline, traffic) = drive(&ticks);
    let sum = ticks.iter().fold(Bytes::default(), |sum, (_, bytes)| sum + *bytes);
    assert_eq!(traffic.rates(&timeline).bytes(Window::S40), sum);
    let slots = traffic.slots(&timeline).fold(Bytes::default(), |sum, (_, bytes)| sum + bytes);
    assert_eq!(slots, sum);
}

proptest! {
    #[test]
    fn rate_times_time_is_bytes(ticks in ticks()) {
        let (timeline, traffic) = drive(&ticks);
        let rates = traffic.rates(&timeline);
        for window in Window::ALL {
            let covered_s = rates.covered_ns(window) as f64 / NS_PER_S as f64;
            let error = rates.tx_per_s(window) * covered_s - rates.bytes(window).tx as f64;
            prop_assert!(covered_s == 0.0 || error.abs() <= 1e-6 * rates.bytes(window).tx as f64);
            prop_assert!(rates.sum_per_s(window).is_finite());
        }
    }

    #[test]
    fn a_window_holds_the_newest_bytes_and_no_others(ticks in ticks()) {
        let (timeline, traffic) = drive(&ticks);
        let rates = traffic.rates(&timeline);
        for window in Window::ALL {
            // Walk back over whole ticks until the covered time is used up; ticks of no time go with their slot.
            let (mut left_ns, mut least, mut most) = (rates.covered_ns(window), Bytes::default(), Bytes::default());
            for &(tenths, bytes) in ticks.iter().rev() {
                let tick_ns = tenths * NS_PER_S / 10;
                if left_ns == 0 && tick_ns > 0 {
                    break;
                }
                left_ns = left_ns.checked_sub(tick_ns).expect("a window ends on a tick");
                most += bytes;
                least += if left_ns > 0 || tick_ns > 0 { bytes } else { Bytes::default() };
            }
            prop_assert!(rates.bytes(window).tx <= most.tx && rates.bytes(window).tx >= least.tx);
        }
    }

    #[test]
    fn idle_decays_to_exactly_nothing(ticks in ticks(), tenths in 1..60_u64) {
        let mut ticks = ticks;
        ticks.extend(std::iter::repeat_n((tenths, Bytes::default()), usize::try_from(460 / tenths).unwrap() + 2));
        let (timeline, traffic) = drive(&ticks);
        prop_assert!(traffic.is_empty());
        prop_assert_eq!(traffic.rates(&timeline).bytes, [Bytes::default(); 3]);
    }
}
