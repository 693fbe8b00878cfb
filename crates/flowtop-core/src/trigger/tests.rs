use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

const SECOND_NS: u64 = 1_000_000_000;

/// A time of constant load, in which events and passes cost so much a second.
#[derive(Clone, Copy, Debug)]
struct Phase {
    seconds: u64,
    events: Events,
    pass_ns: f64,
}

impl Phase {
    fn cost_ns(&self, trigger: Trigger) -> f64 {
        match trigger {
            Trigger::Events => self.events.cost_ns(),
            Trigger::Sweep => self.pass_ns,
        }
    }

    fn measured(&self) -> Measured {
        Measured { events: Some(self.events), pass_ns: self.pass_ns, passes_per_s: 1.0 }
    }
}

fn phase() -> impl Strategy<Value = Phase> {
    let per_s = prop_oneof![0.0..10_000.0, 10_000.0..3_000_000.0];
    (30..200_u64, per_s, 10.0..200.0, prop_oneof![0.0..1e6, 0.0..8e8]).prop_map(
        |(seconds, count, run_ns, pass_ns): (_, f64, f64, f64)| Phase {
            seconds,
            events: Events { count, run_ns: count * run_ns },
            pass_ns,
        },
    )
}

proptest! {
    /// A second of the dearer way for each phase is what a change takes: the load is known when the second is over. Below
    /// the floor events are taken at any price, which is that of `FEW_EVENTS` events at most.
    #[test]
    fn costs_little_more_than_the_better_way(phases in prop::collection::vec(phase(), 1..8)) {
        let mut choice = Choice::default();
        let (mut at_ns, mut changes) = (DWELL_NS, Vec::new());
        for phase in phases {
            let [events, sweep] = [Trigger::Events, Trigger::Sweep].map(|way| phase.cost_ns(way));
            let few = if phase.events.count < FEW_EVENTS { events } else { 0.0 };
            let (mut cost, mut now) = (0.0, choice.now);
            for _ in 0..phase.seconds {
                cost += phase.cost_ns(now);
                at_ns += SECOND_NS;
                let next = choice.take(at_ns, phase.measured());
                if next != now {
                    changes.push(at_ns);
                }
                now = next;
            }
            let better = events.min(sweep) * phase.seconds as f64;
            let allowed = 1.1 * better + events.max(sweep) + few * phase.seconds as f64;
            prop_assert!(cost <= allowed, "{cost} of {allowed} in {phase:?}");
        }
        prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= DWELL_NS), "{changes:?}");
    }

    #[test]
    fn changes_at_most_once_in_ten_seconds(loads in prop::collection::vec((0_u64..2_000, phase()), 0..200)) {
        let mut choice = Choice::default();
        let (mut at_ns, mut now, mut last) = (0, Trigger::Events, None);
        for (ms, phase) in loads {
            at_ns += ms * 1_000_000;
            let next = choice.take(at_ns, phase.measured());
            if next != now {
                prop_assert!(last.is_none_or(|last| at_ns - last >= DWELL_NS));
                (now, last) = (next, Some(at_ns));
            }
        }
    }
}

fn chosen(count: f64, run_ns: f64, pass_ns: f64) -> Choice {
    let mut choice = Choice::default();
    let events = Some(Events { count, run_ns: count * run_ns });
    choice.take(DWELL_NS, Measured { events, pass_ns, passes_per_s: 1.0 });
    choice
}

#[test]
fn an_idle_host_with_a_million_sockets_takes_events_and_a_busy_one_with_few_sweeps() {
    assert_eq!(chosen(50.0, 25.0, 3e8).now, Trigger::Events);
    assert_eq!(chosen(600_000.0, 25.0, 40_000.0).now, Trigger::Sweep);
    assert_eq!(
        chosen(600_000.0, 25.0, 40_000.0).reason(),
        "600000 events a second take 4.50 % of a processor, and passes over all sockets 0.00 %"
    );
}

#[test]
fn without_a_count_of_events_nothing_changes() {
    let mut choice = chosen(600_000.0, 25.0, 40_000.0);
    let measured = Measured { events: None, pass_ns: 1e9, passes_per_s: 1.0 };
    assert_eq!(choice.take(9 * DWELL_NS, measured), Trigger::Sweep);
}
