//! Which of the two ways to keep entries current costs less: events or sweeps.
//!
//! Events cost what the applications make of them: each send and each receive runs a program. A sweep costs what there is:
//! one visit for each socket and refresh, whatever the sockets do. So an idle host with a million sockets takes events,
//! and a busy one with few sockets sweeps. Both find the same numbers.
//!
//! Not in here: the measuring, and the hooks (`flowtop_bpf::ways`).

use alloc::format;
use alloc::string::String;
use core::fmt;

#[cfg(test)]
mod tests;

const NS_PER_S: f64 = 1e9;

/// A way to keep the entries of the flow table current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Hooks of what applications send and receive.
    Events,
    /// One pass over all sockets before each read of the table.
    Sweep,
}

impl Trigger {
    /// The one that this is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Events => Self::Sweep,
            Self::Sweep => Self::Events,
        }
    }

    /// As in `--trigger` and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one that costs less, second by second.
    Cheaper,
    Only(Trigger),
    /// The other one at each refresh.
    Alternate,
}

/// Least time between two changes.
pub const DWELL_NS: u64 = 10_000_000_000;

/// Events a second below which they are taken: they tell the owner of a flow at once, and cost less than 0.1 % of a
/// processor.
pub const FEW_EVENTS: f64 = 4_000.0;

/// The other way must be this much cheaper, so that two ways at the same cost do not alternate.
const MARGIN: f64 = 1.05;

/// What a run of a program costs beside itself: the kernel calls it even where it does nothing (`cargo xtask bench events`
/// measures an empty one).
const CALL_NS: f64 = 50.0;

/// What has been measured lately, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Runs of the programs of send and receive events, if they were counted.
    pub events: Option<Events>,
    /// Time of a pass over all sockets, in nanoseconds.
    pub pass_ns: f64,
    /// Passes that sweeping would take.
    pub passes_per_s: f64,
}

/// Events of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Events {
    pub count: f64,
    /// Time of the programs, in nanoseconds.
    pub run_ns: f64,
}

impl Events {
    /// What they take of a processor in a second, in nanoseconds.
    #[must_use]
    pub fn cost_ns(self) -> f64 {
        self.run_ns + self.count * CALL_NS
    }
}

impl Measured {
    /// What sweeping takes of a processor in a second, in nanoseconds.
    #[must_use]
    pub fn sweep_ns(&self) -> f64 {
        self.pass_ns * self.passes_per_s
    }
}

/// Chooses the way, second by second.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    now: Trigger,
    changed_ns: Option<u64>,
    newest: Measured,
}

impl Default for Choice {
    /// Begins with events; the first change may come at once.
    fn default() -> Self {
        Self { now: Trigger::Events, changed_ns: None, newest: Measured::default() }
    }
}

impl Choice {
    /// The way from now on, by what was measured last.
    pub fn take(&mut self, at_ns: u64, measured: Measured) -> Trigger {
        self.newest = measured;
        let may_change =
            self.changed_ns.is_none_or(|changed_ns| at_ns.saturating_sub(changed_ns) >= DWELL_NS);
        let wanted = self.wanted();
        if may_change && wanted != self.now {
            (self.now, self.changed_ns) = (wanted, Some(at_ns));
        }
        self.now
    }

    /// The way that costs less, unless it is about the same.
    fn wanted(&self) -> Trigger {
        let Some(events) = self.newest.events else { return self.now };
        if events.count < FEW_EVENTS {
            return Trigger::Events;
        }
        let (of_events, of_sweep) = (events.cost_ns(), self.newest.sweep_ns());
        match self.now {
            Trigger::Events if of_sweep * MARGIN < of_events => Trigger::Sweep,
            Trigger::Sweep if of_events * MARGIN < of_sweep => Trigger::Events,
            now => now,
        }
    }

    /// Why this way, as half a sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        let Some(events) = self.newest.events else { return "events have not been counted yet".into() };
        if events.count < FEW_EVENTS {
            return format!("there are {:.0} events a second, fewer than {FEW_EVENTS:.0}", events.count);
        }
        let percent = |ns: f64| 100.0 * ns / NS_PER_S;
        format!(
            "{:.0} events a second take {:.2} % of a processor, and passes over all sockets {:.2} %",
            events.count,
            percent(events.cost_ns()),
            percent(self.newest.sweep_ns())
        )
    }
}
