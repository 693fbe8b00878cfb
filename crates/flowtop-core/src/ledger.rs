//! Samples in; totals since the start out, for each flow and for all of them.
//!
//! The kernel's counters are absolute and only grow, so a flow's total is a subtraction: from its value in the first
//! sample (the baseline), or, for a flow that came later, from the value it had when the kernel opened its entry.
//! The totals of the host are the sum over the flows that count: of a connection with both ends here, the left one,
//! which is the initiator or, where there is a border, the one inside.
//!
//! What is outside the scope is taken in like the rest and counts nowhere.
//!
//! Not in here: which rows are shown and in which order (`rows`), and the clock.

mod departed;
mod entry;
mod expiry;
mod flows;
mod intake;
mod kept;
mod losses;
mod marks;
mod origins;
mod outside;
mod owners;
mod pairs;
mod recorded;
pub mod status;
#[cfg(test)]
mod tests;
mod totals;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use flowtop_common::{Flow, FlowKey, Loss, Untracked};

use super::filter::{Boundary, Side};
use super::flow::Tuple;
use super::moment::Moment;
use super::owner::Seen;
use super::owner::processes::Processes;
use super::plausible::is_plausible;
use super::record::Rest;
use super::scope::{Carriers, Scope, Verdict};
use super::window::journal::Journal;
use super::window::{Bytes, Peaks, Rates, Timeline, Traffic, Window};
use super::wire::Sample;
use departed::AllDeparted;
pub use departed::{Departed, Gone};
pub use entry::Entry;
use entry::Moved;
use flows::Flows;
pub use flows::Line;
pub use losses::Losses;
use marks::Mark;
use outside::Outside;
pub use totals::Totals;

/// A flow may be missing from this many samples before it is taken for closed without having been seen to end.
const ABSENT_SAMPLES: u32 = 2;
/// Entries kept for each flow that the kernel's table can hold; the rest of them are closed rows.
const ENTRIES_PER_FLOW: usize = 4;
const NS_PER_S: u64 = 1_000_000_000;
/// Samples come every second; a window of 2 s that covers more than this has missed some.
const STALL_S: f64 = 4.0;

/// The state of the world as far as samples tell it.
#[derive(Debug)]
pub struct Ledger {
    max_entries: usize,
    retain_closed_ns: u64,
    scope: Option<Box<dyn Scope>>,
    /// Which ends are left; what does not cross it is left to the scope.
    boundary: Boundary,
    /// Interfaces whose direction rows have, where they lead to other network namespaces.
    interfaces: Option<Rc<dyn Carriers>>,
    /// Whether the windows take packets instead of bytes.
    in_packets: bool,
    /// Whether all bytes are those on the wire.
    in_wire: bool,
    /// The interfaces of which it is said what the flows have put on them; `None` for those that lead out of the host.
    carriers: Option<Rc<dyn Carriers>>,
    /// Bytes on the wire since the start over these interfaces, whatever the scope counts.
    on_interfaces: Bytes,
    /// Whether its one sample is a window of a recording, as long as that is.
    is_recorded: bool,
    /// Number of the newest sample, 1 for the baseline, 0 before it.
    sample: u32,
    baseline_ns: u64,
    at_ns: u64,
    at_us: i64,
    /// Nanoseconds from the sample before to the newest one.
    step_ns: u64,
    flows: Flows,
    processes: Processes,
    /// Number of flows in the newest sample.
    present: usize,
    /// Of these: flows of which it was only told that they are as they were.
    unchanged: usize,
    /// Places of flows that were new in the newest sample.
    newborn: Vec<u32>,
    /// Places of flows that the scope is asked about next time, whatever they do.
    unsettled: Vec<u32>,
    /// Places of flows of which the scope is to be asked before what they have added is counted.
    waiting: Vec<(u32, Moved)>,
    /// Places of flows that are closed.
    closed: Vec<u32>,
    removable: Vec<FlowKey>,
    /// Flows whose counters claim what cannot be, since the newest sample.
    refused: Vec<FlowKey>,
    departed: AllDeparted,
    /// Processes that the newest sample shows as owners for the first time, and when they used the socket.
    new_owners: Vec<(Seen, u64)>,
    untracked: Untracked,
    untracked_base: Untracked,
    /// Losses before the baseline are of events that do not count anyway.
    losses_base: [u64; Loss::COUNT],
    losses: Losses,
    untracked_once: Bytes,
    /// Windows over the untracked bytes.
    untracked_traffic: Traffic,
    /// Groups of a sparse record, as far as the scope counts them.
    summed_up: Vec<Rest>,
    outside: Outside,
    total: Moved,
    /// The total when the newest sample began.
    before: Moved,
    timeline: Timeline,
    journal: Journal,
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
            interfaces: None,
            in_packets: false,
            in_wire: false,
            carriers: None,
            on_interfaces: Bytes::default(),
            is_recorded: false,
            sample: 0,
            baseline_ns: 0,
            at_ns: 0,
            at_us: 0,
            step_ns: 0,
            flows: Flows::default(),
            processes: Processes::default(),
            present: 0,
            unchanged: 0,
            newborn: Vec::new(),
            unsettled: Vec::new(),
            waiting: Vec::new(),
            closed: Vec::new(),
            removable: Vec::new(),
            refused: Vec::new(),
            departed: AllDeparted::default(),
            new_owners: Vec::new(),
            untracked: Untracked::default(),
            untracked_base: Untracked::default(),
            losses_base: [0; Loss::COUNT],
            losses: Losses::default(),
            untracked_once: Bytes::default(),
            untracked_traffic: Traffic::default(),
            summed_up: Vec::new(),
            outside: Outside::default(),
            total: Moved::default(),
            before: Moved::default(),
            timeline: Timeline::default(),
            journal: Journal::default(),
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

    /// The same ledger with bytes on the wire (see [`crate::on_wire`]) instead of payload: in windows, rates and peaks, and since
    /// the start. Of what found the kernel's table full only payload is known.
    #[must_use]
    pub fn in_wire(self) -> Self {
        Self { in_wire: true, ..self }
    }

    /// The same ledger that keeps the bytes on the wire of each flow beside its payload, for [`Self::on_wire`]: 16 bytes
    /// a flow.
    #[must_use]
    pub fn keeping_wire(mut self) -> Self {
        self.flows.keep_on_wire();
        self
    }

    /// The same ledger that says of these interfaces what its flows have put on them, instead of those out of the host.
    #[must_use]
    pub fn over(self, carriers: Rc<dyn Carriers>) -> Self {
        Self { carriers: Some(carriers), ..self }
    }

    /// Bytes on the wire since the start of the sockets whose connections are on the interfaces of [`Self::over`], else of
    /// those whose other end is not on this host. Of what found the kernel's table full nothing is known.
    #[must_use]
    pub fn on_interfaces(&self) -> Bytes {
        self.on_interfaces
    }

    /// The same ledger with the ends inside `boundary` on the left: what they send is sent. What does not cross it
    /// counts as long as no scope says otherwise.
    #[must_use]
    pub fn seen_from(self, boundary: Boundary) -> Self {
        Self { boundary, ..self }
    }

    /// The same ledger in the direction of these interfaces: of a connection with a namespace that they lead to, the end
    /// on this side is on the left, and what it sends is sent.
    #[must_use]
    pub fn seen_at(self, interfaces: Rc<dyn Carriers>) -> Self {
        Self { interfaces: Some(interfaces), ..self }
    }

    /// The side of a socket that is opened.
    fn side(&self, key: &FlowKey) -> Side {
        let tuple = Tuple::of(key);
        let side = self.boundary.side(&tuple);
        let is_behind =
            |interfaces: &Rc<dyn Carriers>| !tuple.stays_on_host() && interfaces.lead_to(key.netns);
        if side.leaves_it_open() && self.interfaces.as_ref().is_some_and(is_behind) {
            return Side::RemoteInside;
        }
        side
    }

    /// Sets the scope from the next sample on; `None` counts everything. Bytes counted so far stay.
    pub fn set_scope(&mut self, scope: Option<Box<dyn Scope>>) {
        self.scope = scope;
        self.outside.forget_conditions();
        self.judge_again();
    }

    /// Has the scope asked about every flow again in the next sample, because it has changed. Bytes counted so far stay.
    pub fn judge_again(&mut self) {
        for entry in self.flows.values_mut() {
            entry.marks = entry.marks.with(Mark::Judged, false).with(Mark::Held, false);
            entry.verdict = Verdict::ALL;
        }
        self.unsettled = self.flows.values().map(|entry| entry.place).collect();
    }

    /// Takes in a sample. The first one is the baseline: everything counts from there.
    pub fn apply(&mut self, sample: &Sample) {
        self.begin(sample);
        self.take(&sample.flows);
        self.finish();
    }

    /// Begins to take in a sample whose flows come in parts, each with [`Self::take`]: those in `sample` are left alone.
    pub fn begin(&mut self, sample: &Sample) {
        self.pass_time(sample.at_ns);
        self.at_us = sample.at_us;
        self.sample += 1;
        self.before = self.total;
        (self.present, self.unchanged) = (0, 0);
        self.departed.begin();
        // A sample with many of them is rare, and their memory is not kept for it.
        (self.removable, self.new_owners, self.refused) = (Vec::new(), Vec::new(), Vec::new());
        self.take_untracked(&sample.untracked);
        self.take_losses(&sample.losses);
        let Self { journal, timeline, flows, .. } = self;
        flows.rewind();
        journal
            .tick(timeline, |number, place, window, bytes| flows.leave_window(number, place, window, bytes));
    }

    /// Takes in a part of the flow table.
    pub fn take(&mut self, flows: &[(FlowKey, Flow)]) {
        for (key, flow) in flows {
            self.take_flow(key, flow);
        }
    }

    /// Takes in what has changed of a part of the flow table: each flow behind so many that are as they were.
    pub fn take_changed(&mut self, flows: &[(usize, FlowKey, Flow)]) {
        for (unchanged, key, flow) in flows {
            self.flows.pass(*unchanged);
            self.take_flow(key, flow);
        }
    }

    /// So many other flows of the table are as they were in the sample before. None of them has ended.
    pub fn take_unchanged(&mut self, flows: usize) {
        self.present += flows;
        self.unchanged = flows;
    }

    /// Ends the sample: what is not in the flow table has been missing from it.
    pub fn finish(&mut self) {
        self.losses.implausible += self.refused.len() as u64;
        self.join_pairs();
        self.settle_flows();
        self.outside.close_slot(&self.timeline, self.in_packets);
        self.close();
        self.expire();
        self.evict();
        self.take_totals(self.before);
    }

    /// Flows that are complete: they had ended in an earlier sample and were read once more since, because the
    /// kernel's copy of an entry may be torn. The shell deletes them from the kernel's table.
    #[must_use]
    pub fn removable(&self) -> &[FlowKey] {
        &self.removable
    }

    /// Flows whose counters claim in the newest sample, for the first time, what nothing can move ([`is_plausible`]). That is
    /// not counted, and is a loss.
    #[must_use]
    pub fn refused(&self) -> &[FlowKey] {
        &self.refused
    }

    /// How many flows the kernel's table can hold.
    #[must_use]
    pub fn max_flows(&self) -> usize {
        self.max_entries / ENTRIES_PER_FLOW
    }

    /// Number of the newest sample, 1 for the baseline.
    #[must_use]
    pub fn sample_number(&self) -> u32 {
        self.sample
    }

    /// Whether it has had no sample yet.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.sample == 0
    }

    /// How many flows the newest sample had.
    #[must_use]
    pub fn present(&self) -> usize {
        self.present
    }

    /// `CLOCK_MONOTONIC` in nanoseconds of the newest sample.
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// The newest sample on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { us: self.at_us, ns: self.at_ns }
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

    /// How much time a window really covers, in seconds: less at the start, and more when nothing was read for long.
    #[must_use]
    pub fn covered_s(&self, window: Window) -> f64 {
        self.timeline.rates_of([Bytes::default(); 3]).covered_ns(window) as f64 / NS_PER_S as f64
    }

    /// Seconds in which nothing was read, where the window of 2 s has to cover them: then its rates are means over them.
    /// A recording has no such time.
    #[must_use]
    pub fn stalled_s(&self) -> Option<f64> {
        Some(self.covered_s(Window::S2)).filter(|covered_s| !self.is_recorded && *covered_s > STALL_S)
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

    /// Bytes since the start that the scope kept out of the totals.
    #[must_use]
    pub fn outside(&self) -> (Bytes, Rates) {
        (self.outside.bytes(), self.outside.rates(&self.timeline))
    }

    /// Each condition of the scope that has kept bytes out of the totals, and how many.
    pub fn kept_out(&self) -> impl Iterator<Item = (&str, Bytes)> {
        let names = self.scope.as_ref().map_or(&[][..], |scope| scope.conditions());
        let kept = names.iter().zip(self.outside.by_condition());
        kept.filter(|(_, bytes)| bytes.sum() > 0).map(|(name, bytes)| (name.as_str(), *bytes))
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

    /// [`Self::untracked`] with connections that stay on this host once, as in the totals, but for a scope, which cannot
    /// judge them: bytes since the start, and their rates; `None` where rates are of packets, which they lack.
    #[must_use]
    pub fn untracked_once(&self) -> (Bytes, Option<Rates>) {
        let rates = (!self.in_packets).then(|| self.untracked_traffic.rates(&self.timeline));
        (self.untracked_once, rates)
    }

    /// Connections of a record that it has summed up, with their bytes as far as they count; nothing otherwise. They are
    /// in the totals.
    #[must_use]
    pub fn summed_up(&self) -> &[Rest] {
        &self.summed_up
    }

    /// Losses: bytes or names that could not be counted or shown exactly.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Moves the time on; a clock that goes back stands still.
    fn pass_time(&mut self, at_ns: u64) {
        self.step_ns = at_ns.saturating_sub(self.at_ns);
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
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let all =
            Bytes { tx: grown(now.tx_bytes, before.tx_bytes), rx: grown(now.rx_bytes, before.rx_bytes) };
        if self.sample > 1 && !is_plausible(all, self.step_ns) {
            self.losses.implausible += 1;
            return;
        }
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

    /// Sums up what has been added to the totals of `before`. They only fall when this sample shows that two flows which
    /// were counted apart are the two ends of one connection; that is a correction, not a rate below zero.
    fn take_totals(&mut self, before: Moved) {
        self.count_untracked();
        let grown = self.total.since(before);
        self.traffic.add(&self.timeline, grown.in_windows(self.in_packets));
        self.peaks.note(&self.timeline, &self.traffic.rates(&self.timeline));
        self.traffic.forget_old(&self.timeline);
    }

    /// Counts what the untracked have moved, of connections that stay on this host once, and only where the scope
    /// need not look at each.
    fn count_untracked(&mut self) {
        let untracked = self.untracked();
        let all = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes };
        let mirrored = Bytes { tx: untracked.mirrored_tx_bytes, rx: untracked.mirrored_rx_bytes };
        let once = all.since(mirrored).max(self.untracked_once);
        let verdict = self.scope.as_ref().map_or(Verdict::ALL, |scope| scope.untracked());
        let grown = once.since(self.untracked_once);
        self.total.bytes += verdict.of(grown);
        self.untracked_once = once;
        self.untracked_traffic.add(&self.timeline, grown);
        self.untracked_traffic.forget_old(&self.timeline);
    }
}
