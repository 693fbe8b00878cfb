//! Trigger of a condition: armed, counting, fired and held off, armed again. Time is passed in.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::condition::Condition;
use flowtop_core::window::Bytes;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// `CLOCK_MONOTONIC` of the sample before, in ns.
    pub from_ns: u64,
    /// `CLOCK_MONOTONIC` of this sample, in ns.
    pub to_ns: u64,
    /// Bytes of the traffic that is watched.
    pub bytes: Bytes,
}

impl Interval {
    fn ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

/// A time without a break in which the condition held for as long as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// How many there have been, this one included.
    pub number: u64,
    /// When it began and up to now, in ns of the monotonic clock, with what was moved.
    pub run: Interval,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The condition did not hold in the newest interval.
    Armed,
    /// The condition holds since then.
    Counting(Interval),
    /// It has come about, and does not again before this time, in ns of the monotonic clock.
    HeldOff(u64),
}

/// A condition and where it stands.
#[derive(Clone, Debug)]
pub struct Trigger {
    condition: Condition,
    hold_off_ns: u64,
    phase: Phase,
    fired: u64,
    held_ns: u64,
}

impl Trigger {
    /// Armed. After each firing nothing counts for `hold_off`.
    #[must_use]
    pub fn new(condition: Condition, hold_off: Duration) -> Self {
        Self { condition, hold_off_ns: ns(hold_off), phase: Phase::Armed, fired: 0, held_ns: 0 }
    }

    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    #[must_use]
    pub fn fired(&self) -> u64 {
        self.fired
    }

    /// For how long the condition held altogether, also while it was held off.
    #[must_use]
    pub fn held(&self) -> Duration {
        Duration::from_nanos(self.held_ns)
    }

    /// Takes the next interval in, and fires once the condition has held in each of them for long enough. What is
    /// missing between two intervals breaks the time.
    pub fn take(&mut self, interval: Interval) -> Option<Firing> {
        let holds = self.condition.holds(interval.bytes, interval.ns());
        if holds {
            self.held_ns = self.held_ns.saturating_add(interval.ns());
        }
        if let Phase::HeldOff(until_ns) = self.phase {
            if interval.from_ns < until_ns {
                return None;
            }
            self.phase = Phase::Armed;
        }
        if !holds {
            self.phase = Phase::Armed;
            return None;
        }
        let run = self.lengthened(interval);
        self.phase = Phase::Counting(run);
        (run.ns() >= ns(self.condition.held_for)).then(|| self.fire(run))
    }

    /// The time in which the condition has held, with this interval.
    fn lengthened(&self, interval: Interval) -> Interval {
        match self.phase {
            Phase::Counting(run) if run.to_ns == interval.from_ns => {
                Interval { from_ns: run.from_ns, to_ns: interval.to_ns, bytes: run.bytes + interval.bytes }
            }
            _ => interval,
        }
    }

    fn fire(&mut self, run: Interval) -> Firing {
        self.fired += 1;
        self.phase = Phase::HeldOff(run.to_ns.saturating_add(self.hold_off_ns));
        Firing { number: self.fired, run }
    }
}

impl Firing {
    /// Mean rate over the time that the condition held, in bits per second.
    #[must_use]
    pub fn bits_per_s(&self, condition: &Condition) -> f64 {
        match self.run.ns() {
            0 => 0.0,
            ns => condition.measure.of(self.run.bytes) as f64 * 8e9 / ns as f64,
        }
    }
}

fn ns(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
