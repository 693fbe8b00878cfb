//! Samples in; totals since the start out, for each flow and for all of them.
//!
//! The kernel's counters are absolute and only grow, so a flow's total is a subtraction: from its value in the first
//! sample (the baseline), or, for a flow that came later, from the value it had when the kernel opened its entry.
//! The totals of the host are the sum over the flows that count: of a connection with both ends here, the left one,
//! which is the initiator or, where there is a border, the one inside.
//!
//! What is outside the scope is taken in like the rest and counts nowhere.
//!
//! Not in here: which rows are shown and in which order (`core::rows`), and the clock.

mod entry;
mod expiry;
mod flows;
mod losses;
mod outside;
mod owners;
mod pairs;
mod recorded;
#[cfg(test)]
mod tests;
mod totals;

use flowtop_common::{Flow, FlowKey, Loss, Untracked, flags};

use super::filter::Boundary;
use super::flow::Tuple;
use super::owner::Seen;
use super::scope::{Scope, Verdict};
use super::window::{Bytes, Peaks, Rates, Timeline, Traffic, Window};
use super::wire::Sample;
pub use entry::Entry;
use entry::Moved;
use flows::Flows;
pub use flows::Line;
pub use losses::Losses;
use outside::Outside;
pub use totals::Totals;

/// A flow may be missing from this many samples before it is taken for closed without having been seen to end.
const ABSENT_SAMPLES: u64 = 2;
/// Entries kept for each flow that the kernel's table can hold; the rest of them are closed rows.
const ENTRIES_PER_FLOW: usize = 4;
const NS_PER_S: u64 = 1_000_000_000;

/// The state of the world as far as samples tell it.
#[derive(Debug)]
pub struct Ledger {
    max_entries: usize,
    retain_closed_ns: u64,
    scope: Option<Box<dyn Scope>>,
    /// Which ends are left; what does not cross it is left to the scope.
    boundary: Boundary,
    /// Whether the windows take packets instead of bytes.
    in_packets: bool,
    /// Number of the newest sample, 1 for the baseline, 0 before it.
    sample: u64,
    baseline_ns: u64,
    at_ns: u64,
    flows: Flows,
    removable: Vec<FlowKey>,
    /// Processes that the newest sample shows as owners for the first time, and when they used the socket.
    new_owners: Vec<(Seen, u64)>,
    untracked: Untracked,
    untracked_base: Untracked,
    /// Losses before the baseline are of events that do not count anyway.
    losses_base: [u64; Loss::COUNT],
    losses: Losses,
    untracked_once: Bytes,
    outside: Outside,
    /// What counts and is of no flow in `flows`: of those that are gone, and of the untracked.
    apart: Moved,
    total: Moved,
    timeline: Timeline,
    traffic: Traffic,
    peaks: Peaks,
}

impl Ledger {
    /// An empty ledger for a kernel table of `max_flows`. A closed flow keeps its row for `retain_closed_s` seconds,
    /// and for 40 s in any case, so that it leaves the windows first.
    #[must_use]
    pub fn new(max_flows: usize, retain_closed_s: u64) -> Self {
        Self {
            max_entries: max_flows.saturating_mul(ENTRIES_PER_FLOW),
            retain_closed_ns: retain_closed_s.saturating_mul(NS_PER_S).max(Window::S40.ns()),
            scope: None,
            boundary: Boundary::default(),
            in_packets: false,
            sample: 0,
            baseline_ns: 0,
            at_ns: 0,
            flows: Flows::default(),
            removable: Vec::new(),
            new_owners: Vec::new(),
            untracked: Untracked::default(),
            untracked_base: Untracked::default(),
            losses_base: [0; Loss::COUNT],
            losses: Losses::default(),
            untracked_once: Bytes::default(),
            outside: Outside::default(),
            apart: Moved::default(),
            total: Moved::default(),
            timeline: Timeline::default(),
            traffic: Traffic::default(),
            peaks: Peaks::default(),
        }
    }

    /// The same ledger with packets (TCP segments) instead of bytes in every window, rate and peak. What is counted
    /// since the start stays in bytes.
    #[must_use]
    pub fn in_packets(self) -> Self {
        Self { in_packets: true, ..self }
    }

    /// The same ledger with the ends inside `boundary` on the left: what they send is sent. What does not cross it
    /// counts as long as no scope says otherwise.
    #[must_use]
    pub fn seen_from(self, boundary: Boundary) -> Self {
        Self { boundary, ..self }
    }

    /// What counts from the next sample on; `None` for everything. What has been counted stays.
    pub fn set_scope(&mut self, scope: Option<Box<dyn Scope>>) {
        self.scope = scope;
        for entry in self.flows.values_mut() {
            (entry.judged, entry.held, entry.verdict) = (false, false, Verdict::ALL);
        }
    }

    /// Takes in a sample. The first one is the baseline: everything counts from there.
    pub fn apply(&mut self, sample: &Sample) {
        self.take(sample, pairs::join);
    }

    /// The same where something else knows which flows are the two ends of one connection.
    fn take(&mut self, sample: &Sample, join: impl FnOnce(&mut Flows, &[FlowKey], u64)) {
        self.pass_time(sample.at_ns);
        self.sample += 1;
        self.take_untracked(&sample.untracked);
        self.take_losses(&sample.losses);
        let newborn = self.take_flows(&sample.flows);
        join(&mut self.flows, &newborn, self.sample);
        self.judge();
        self.count();
        self.outside.close_slot(&self.timeline, self.in_packets);
        self.expire();
        self.evict();
        self.take_totals();
    }

    /// Flows that are complete: they had ended in an earlier sample and were read once more since, because the
    /// kernel's copy of an entry may be torn. The shell deletes them from the kernel's table.
    #[must_use]
    pub fn removable(&self) -> &[FlowKey] {
        &self.removable
    }

    /// `CLOCK_MONOTONIC` in nanoseconds of the newest sample.
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Nanoseconds from the baseline to the newest sample.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        self.at_ns.saturating_sub(self.baseline_ns)
    }

    /// Seconds from the baseline to the newest sample.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        self.elapsed_ns() as f64 / NS_PER_S as f64
    }

    /// All traffic of the host since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            bytes: self.total.bytes,
            rates: self.traffic.rates(&self.timeline),
            peak: self.peaks.largest(&self.timeline),
        }
    }

    /// What the scope kept out of the totals since the start.
    #[must_use]
    pub fn outside(&self) -> (Bytes, Rates) {
        (self.outside.bytes(), self.outside.rates(&self.timeline))
    }

    /// The sockets that found the kernel's table full, with their bytes since the start.
    #[must_use]
    pub fn untracked(&self) -> Untracked {
        let (now, base) = (&self.untracked, &self.untracked_base);
        Untracked {
            flows: now.flows,
            tx_bytes: now.tx_bytes.saturating_sub(base.tx_bytes),
            rx_bytes: now.rx_bytes.saturating_sub(base.rx_bytes),
            mirrored_tx_bytes: now.mirrored_tx_bytes.saturating_sub(base.mirrored_tx_bytes),
            mirrored_rx_bytes: now.mirrored_rx_bytes.saturating_sub(base.mirrored_rx_bytes),
        }
    }

    /// What could not be counted or shown as it should have been.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Moves the time on; a clock that goes back stands still.
    fn pass_time(&mut self, at_ns: u64) {
        if self.sample == 0 {
            self.baseline_ns = at_ns;
        } else {
            self.timeline.tick(at_ns.saturating_sub(self.at_ns));
        }
        self.at_ns = self.at_ns.max(at_ns);
    }

    /// Takes the reserved entry; like any counter it only grows.
    fn take_untracked(&mut self, now: &Untracked) {
        if self.sample == 1 {
            self.untracked_base = *now;
        }
        let before = self.untracked;
        self.untracked = Untracked {
            flows: now.flows.max(before.flows),
            tx_bytes: now.tx_bytes.max(before.tx_bytes),
            rx_bytes: now.rx_bytes.max(before.rx_bytes),
            mirrored_tx_bytes: now.mirrored_tx_bytes.max(before.mirrored_tx_bytes),
            mirrored_rx_bytes: now.mirrored_rx_bytes.max(before.mirrored_rx_bytes),
        };
    }

    fn take_losses(&mut self, now: &[u64; Loss::COUNT]) {
        if self.sample == 1 {
            self.losses_base = *now;
        }
        for (loss, (now, base)) in self.losses.kernel.iter_mut().zip(now.iter().zip(&self.losses_base)) {
            *loss = now.saturating_sub(*base);
        }
    }

    /// Takes the flow table and returns the keys that were not known.
    fn take_flows(&mut self, flows: &[(FlowKey, Flow)]) -> Vec<FlowKey> {
        let mut newborn = Vec::new();
        self.removable.clear();
        self.new_owners.clear();
        for (key, flow) in flows {
            let (sample, at_ns, baseline) = (self.sample, self.at_ns, self.sample == 1);
            let entry = self.flows.get_or_open(key, || {
                newborn.push(*key);
                Entry::open(flow, baseline, self.boundary.side(&Tuple::of(key)))
            });
            if entry.has_ended() && flow.flags & flags::ENDED != 0 {
                self.removable.push(*key);
            }
            let before = entry.users.current();
            entry.update(flow, sample, at_ns);
            if entry.users.current() != before {
                self.new_owners.push((entry.users.current(), entry.used_ns()));
            }
        }
        newborn
    }

    /// Asks the scope about the flows that are new or have changed. Both ends of a connection have one verdict.
    fn judge(&mut self) {
        let Some(scope) = &self.scope else { return };
        let mut peers = Vec::new();
        for (key, entry) in self.flows.iter_mut().filter(|(_, entry)| !entry.judged && !entry.is_peer()) {
            entry.judge(key, &**scope);
            peers.extend(entry.peer().map(|peer| (*peer, entry.verdict.mirror(), entry.held)));
        }
        for (peer, verdict, held) in peers {
            if let Some(entry) = self.flows.get_mut(&peer) {
                (entry.verdict, entry.held) = (verdict, held);
            }
        }
    }

    /// Counts what this sample has added, and closes the flows that vanished from the kernel's table without a sign.
    fn count(&mut self) {
        for (key, entry) in self.flows.iter_mut() {
            let counts = entry.counts(key);
            let (counted, outside) = entry.count();
            entry.traffic.add(&self.timeline, counted.in_windows(self.in_packets));
            if counts {
                self.outside.add(entry.seen_from_left(outside));
            }
            entry.traffic.forget_old(&self.timeline);
            entry.traffic.sum_up(&self.timeline);
            if entry.closed_ns.is_none() && self.sample - entry.seen > ABSENT_SAMPLES {
                entry.closed_ns = Some(self.at_ns);
            }
        }
    }

    /// Sums up. The totals only fall when this sample shows that two flows which were counted apart are the two ends
    /// of one connection; that is a correction, not a rate below zero.
    fn take_totals(&mut self) {
        self.count_untracked();
        let counting = self.flows.iter().filter(|(key, entry)| entry.counts(key));
        let total = counting.fold(self.apart, |sum, (_, entry)| sum + entry.moved());
        let grown = Moved {
            bytes: total.bytes.since(self.total.bytes),
            packets: total.packets.since(self.total.packets),
        };
        self.traffic.add(&self.timeline, grown.in_windows(self.in_packets));
        self.peaks.note(&self.timeline, &self.traffic.rates(&self.timeline));
        self.traffic.forget_old(&self.timeline);
        self.total = total;
        self.flows.draw_lines();
    }

    /// Counts what the untracked have moved, of connections that stay on this host once, and only where the scope
    /// need not look at each.
    fn count_untracked(&mut self) {
        let untracked = self.untracked();
        let all = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes };
        let mirrored = Bytes { tx: untracked.mirrored_tx_bytes, rx: untracked.mirrored_rx_bytes };
        let once = all.since(mirrored).max(self.untracked_once);
        let verdict = self.scope.as_ref().map_or(Verdict::ALL, |scope| scope.untracked());
        self.apart.bytes += verdict.of(once.since(self.untracked_once));
        self.untracked_once = once;
    }
}
