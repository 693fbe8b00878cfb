//! Analysis of recordings: takes records of any number of hosts, and finds the busiest rows of a period.
//!
//! Each byte counts once. A window belongs to the period if its middle does; of a host whose windows are longer than the
//! period those that overlap it. The time between two windows of one boot is closed from the counters that sockets keep
//! over their lives, as far as they are known at both ends, and from the totals of that time, where the recorder has
//! counted them; what cannot be known is counted as unknown. Two recordings of one host may overlap, and a connection may
//! be seen from two hosts.
//!
//! The bytes of all rows, of the remainder and of what was untracked are the total, always; where rows are of ends, with
//! what both ends of a connection have counted on top.
//!
//! Memory is that of the newest record of each host and of a bounded number of rows, however long the period is.
//!
//! Not in here: files (`flowtop`'s `recordings`), and how a report looks (`text`, `json`, `csv`).

mod boots;
mod cells;
mod counting;
pub mod csv;
pub mod diff;
mod entries;
pub mod fields;
mod intervals;
pub mod json;
pub mod lines;
mod moved;
mod pairs;
pub mod paths;
pub mod plan;
mod report;
mod rows;
mod seconds;
pub mod text;
mod threshold;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowtop_common::Untracked;

use flowtop_core::filter::Filter;
use flowtop_core::flow::stays_on_host;
use flowtop_core::group::Group;
use flowtop_core::owner::Seen;
use flowtop_core::record::{FlowRecord, Record, Span};
use flowtop_core::scope::{Scope as _, Subject, User, Verdict};
use flowtop_core::window::Bytes;

use boots::{Boots, Join, Step};
use counting::{Counting, TimeBefore, Windows};
use intervals::{Interval, Intervals};
use pairs::LateEnds;
use plan::Plan;
pub use report::{HostReport, NotCounted, Others, Report, Row, Sums};
use rows::{Candidates, Resent, Rows, Tally, Times};
use seconds::{Fit, Seconds};

/// Default keys of `--by`: the process and the peer.
pub const DEFAULT_BY: &str = "process,peer";

/// Above which part of `--limit` time counts.
pub const ABOVE_PERCENT: u64 = 80;

/// Most rows that are kept apart. One takes 300 to 600 bytes.
pub const MAX_ROWS: usize = 200_000;

/// A period of time by the wall clock: its start is in it, its end is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The start in µs since 1970 UTC.
    pub from_us: i64,
    /// The end in µs since 1970 UTC.
    pub to_us: i64,
}

impl Period {
    /// Whether a window belongs to it: its middle does.
    #[must_use]
    pub fn holds(&self, span: &Span) -> bool {
        (self.from_us..self.to_us).contains(&span.middle_us())
    }

    fn interval(&self) -> Interval {
        Interval { start_us: self.from_us, end_us: self.to_us }
    }
}

/// A question to the recordings.
#[derive(Clone, Debug)]
pub struct Question {
    pub period: Period,
    /// Keys of `--by`.
    pub by: Group,
    /// Which directions of which connections count.
    pub filter: Filter,
    /// Capacity of a link in one direction, in bits per second (`--limit`).
    pub limit_bits_per_s: Option<u64>,
    /// Most rows that are kept apart: those with the most bytes. All others are one.
    pub max_rows: usize,
}

impl Question {
    /// Bytes per second above which time counts, if there is a limit.
    fn threshold(&self) -> Option<u64> {
        self.limit_bits_per_s.map(|bits| bits / 8 * ABOVE_PERCENT / 100)
    }

    fn has_filter(&self) -> bool {
        self.filter != Filter::default()
    }

    /// Which directions of a socket of this record the filter lets pass.
    fn verdict(&self, record: &Record, flow: &FlowRecord) -> Verdict {
        let peer = flow.peer.and_then(|place| record.flows.get(usize::try_from(place).ok()?));
        self.verdict_of(flow, peer)
    }

    /// The same, of a socket whose other end is known, on whichever host.
    fn verdict_of(&self, flow: &FlowRecord, peer: Option<&FlowRecord>) -> Verdict {
        if !self.has_filter() {
            return Verdict::ALL;
        }
        with_subject(flow, peer, |subject| self.filter.verdict(subject))
    }

    /// Lets the end stand left that the filter asks for, of each connection with both ends in the record, unless a border
    /// had decided it.
    fn turn(&self, record: &mut Record) {
        if !self.filter.tells_ends_apart() {
            return;
        }
        let border = record.limits.border();
        for place in 0..record.flows.len() {
            let left = &record.flows[place];
            if !border.side(&left.tuple()).leaves_it_open() {
                continue;
            }
            let Some(peer) = left.peer.and_then(|peer| usize::try_from(peer).ok()) else { continue };
            let Some(right) = record.flows.get(peer).filter(|right| right.is_right && !left.is_right) else {
                continue;
            };
            if self.prefers_second(left, right) == Some(true) {
                record.flows[place].is_right = true;
                record.flows[peer].is_right = false;
            }
        }
    }

    /// Whether the filter asks for this end by itself; `None` if it does not tell ends apart.
    fn asks_for(&self, flow: &FlowRecord) -> Option<bool> {
        with_subject(flow, None, |subject| self.filter.asks_for(subject))
    }

    /// Which of the two ends of a connection the filter asks for, if for one alone.
    fn prefers_second(&self, first: &FlowRecord, second: &FlowRecord) -> Option<bool> {
        with_subject(first, None, |first| {
            with_subject(second, None, |second| self.filter.prefers_second(first, second))
        })
    }
}

/// A socket as a filter sees it, with its other end where that is known.
fn with_subject<T>(flow: &FlowRecord, peer: Option<&FlowRecord>, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
    let comms = (cells::comm(flow), peer.and_then(cells::comm));
    let User { pid, comm, state, netns, owner, used_ns, identity } = user(flow, comms.0.as_deref());
    ask(&Subject {
        tuple: flow.tuple(),
        both_here: flow.peer.is_some() || stays_on_host(&flow.key),
        pid,
        comm,
        state,
        netns,
        owner,
        used_ns,
        identity,
        peer: peer.map(|flow| user(flow, comms.1.as_deref())),
        netns_pods: [Some(flow), peer].map(|flow| flow?.netns_pod.as_deref()),
        label: Some(&flow.label),
        remote_pod: flow.remote_pod.as_deref(),
    })
}

fn user<'a>(flow: &'a FlowRecord, comm: Option<&'a str>) -> User<'a> {
    let owner = Seen::of(&flow.flow);
    let (state, netns) = (flow.flow.state, flow.key.netns);
    User { pid: owner.number(), comm, state, netns, owner, used_ns: 0, identity: flow.identity.as_deref() }
}

/// Findings of one pass over the records that the next pass needs.
#[derive(Clone, Debug, Default)]
pub struct Clues {
    /// Left ends that came late.
    late: LateEnds,
    /// The rows to count, if there are too many.
    candidates: Option<Candidates>,
}

impl Clues {
    /// Adds the rows of another period that is compared with this one, so that each is told exactly in both.
    pub fn add_rows_of(&mut self, other: &History) {
        if let Some(candidates) = &mut self.candidates {
            candidates.add(other.rows.candidates());
        }
    }
}

/// Sums up one record after another, as a [`Plan`] says.
#[derive(Debug)]
pub struct History {
    question: Question,
    plan: Arc<Plan>,
    boots: Boots,
    hosts: Vec<Host>,
    rows: Rows,
    total: Tally,
    /// Bytes of connections that are counted at both ends, as the second end has counted them.
    local_twice: Bytes,
    remainder: Bytes,
    untracked: Untracked,
    not_counted: NotCounted,
    seconds: Seconds,
    /// Time that bytes are known of, of any host.
    counted: Intervals,
}

/// State of one machine.
#[derive(Debug, Default)]
struct Host {
    records: u64,
    boots: BTreeSet<[u8; 16]>,
    windows: Intervals,
    /// The longest of them, in µs.
    longest_window_us: u64,
    clock_steps: u64,
    /// Time that bytes are known of, and its length by the monotonic clock, in µs.
    counted: Intervals,
    counted_us: u64,
    unwritten: u64,
    lock_conflicts: u64,
    losses: BTreeMap<String, u64>,
    limits: BTreeSet<String>,
    /// Bytes of sockets that no record tells one by one.
    summed_up: Bytes,
    /// Up to where the seconds are taken.
    seconds_until: i64,
}

impl History {
    /// Nothing yet, of records that this plan tells.
    #[must_use]
    pub fn new(question: Question, plan: Arc<Plan>) -> Self {
        let threshold = question.threshold();
        let host = || Host { seconds_until: i64::MIN, ..Host::default() };
        Self {
            rows: Rows::new(question.by, threshold, question.max_rows),
            total: Tally::new(threshold),
            boots: Boots::new(&plan, &question),
            hosts: plan.machines.iter().map(|_| host()).collect(),
            local_twice: Bytes::default(),
            remainder: Bytes::default(),
            untracked: Untracked::default(),
            not_counted: NotCounted::default(),
            seconds: Seconds::new(&question),
            counted: Intervals::default(),
            question,
            plan,
        }
    }

    /// A history for another pass, with the clues of the one before.
    #[must_use]
    pub fn again(question: Question, plan: Arc<Plan>, clues: Clues) -> Self {
        let mut history = Self::new(question, plan);
        if let Some(candidates) = &clues.candidates {
            history.rows = history.rows.given(candidates);
        }
        history.boots.pairs.expected = clues.late;
        history
    }

    /// Clues for another pass, so that every connection between two hosts is shown from one end; `None` if no other
    /// pass is needed. Asked after the first pass.
    #[must_use]
    pub fn late_clues(&mut self) -> Option<Clues> {
        let late = std::mem::take(&mut self.boots.pairs.late);
        (!late.is_empty()).then_some(Clues { late, candidates: None })
    }

    /// Clues for another pass with exact sums; `None` if no other pass is needed. Asked after the first pass.
    #[must_use]
    pub fn row_clues(&mut self) -> Option<Clues> {
        let late = std::mem::take(&mut self.boots.pairs.expected);
        self.rows.are_folded().then(|| Clues { late, candidates: Some(self.rows.candidates()) })
    }

    /// Frees the memory of a pass that another one replaces.
    pub fn forget(&mut self) {
        *self = Self::new(self.question.clone(), Arc::clone(&self.plan));
    }

    /// Takes in the next record of a life of a host. It is counted in its turn.
    pub fn read(&mut self, life: usize, mut record: Record) {
        self.question.turn(&mut record);
        let is_inside = self.plan.holds(self.boots.machine(life), &record.span);
        self.boots.read(life, record, is_inside, &mut self.rows);
    }

    /// Counts the record of a life that has been read, if there is one. Records beside the period are needed for the time
    /// between them and the first and last one in it. No later record has time before `low_us`.
    ///
    /// Returns the record, which is not needed any more.
    pub fn count(&mut self, life: usize, low_us: i64, is_last: bool) -> Option<Record> {
        let ahead = self.boots.take_ahead(life)?;
        let (record, is_inside) = (&ahead.record, ahead.is_inside);
        let machine = self.boots.machine(life);
        let counts_gap = is_inside && self.boots.was_inside(life);
        let gap = self.boots.gap(life, &record.span);
        let touches = gap.is_some_and(|gap| gap.overlaps(self.question.period.interval()));
        let before = match touches {
            _ if counts_gap => TimeBefore::Counts,
            true => TimeBefore::AtEdge,
            false => TimeBefore::Outside,
        };
        let Self { question, boots, rows, total, local_twice, not_counted, .. } = self;
        let mut counting = Counting {
            question,
            record,
            life,
            machine,
            has_several: boots.has_several,
            is_inside,
            before,
            rows,
            total,
            local_twice,
            at_the_edges: &mut not_counted.at_the_edges,
            sums: Windows::default(),
        };
        let step = boots.count(life, &ahead, is_last, |flow, moved, socket, pair| {
            counting.take(flow, moved, socket, pair);
        });
        let sums = counting.sums;
        if is_inside && step.join != Join::Inside {
            let window = step.window(&record.span);
            let times = Times { machine, window, gap: gap.filter(|_| counts_gap), low_us };
            self.close(record, &sums, &step, &times);
        }
        if before == TimeBefore::AtEdge && !self.question.has_filter() {
            self.not_counted.at_the_edges += InGap::of(record, &sums, &step).beyond;
        }
        self.note(machine, record, &step, is_inside, counts_gap);
        Some(ahead.record)
    }

    /// Counts the parts of a record beside its sockets, and closes its windows.
    fn close(&mut self, record: &Record, sums: &Windows, step: &Step, times: &Times) {
        let (machine, mut all) = (times.machine, sums.counted);
        let untracked = &record.untracked;
        let mirrored = Bytes { tx: untracked.mirrored_tx_bytes, rx: untracked.mirrored_rx_bytes };
        let once = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes }.since(mirrored);
        let rest = record.rest.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
        let left = record.totals.since(sums.of_all + rest + once);
        let in_gap = self.close_gap(record, sums, step, times);
        match () {
            () if step.join == Join::Overlap => self.not_counted.overlapping += rest + once,
            () if self.question.has_filter() => {
                self.not_counted.unjudged += rest + once + left + in_gap;
                self.not_counted.filtered += sums.of_all.since(sums.counted);
            }
            () => {
                self.hosts[machine].summed_up += rest + once + in_gap;
                let unknown = self.add_rest(record, machine);
                self.remainder += left + unknown + in_gap;
                self.untracked.flows += untracked.flows;
                self.untracked.tx_bytes += once.tx;
                self.untracked.rx_bytes += once.rx;
                all += rest + once + left;
            }
        }
        let in_gap = if self.question.has_filter() { Bytes::default() } else { in_gap };
        self.rows.close(times);
        self.total.peak = self.total.peak.max(sums.peak);
        self.total.add(&moved::Moved { window: all, between: sums.between + in_gap }, times);
        for interval in [Some(times.window), times.gap].into_iter().flatten() {
            self.counted.add(interval);
            self.hosts[machine].count(interval);
        }
        let fit = Fit {
            is_whole: !step.clock_stepped && self.boots.pairs.formed == 0,
            overlaps: step.join == Join::Overlap,
            low_us: times.low_us,
        };
        self.seconds.take(record, &mut self.hosts[machine].seconds_until, &fit);
    }

    /// Bytes of the gap before a record beyond those that its sockets explain: connections that opened and closed in
    /// the gap.
    fn close_gap(&mut self, record: &Record, sums: &Windows, step: &Step, times: &Times) -> Bytes {
        if times.gap.is_none() {
            return Bytes::default();
        }
        let InGap { beyond, open_us } = InGap::of(record, sums, step);
        self.not_counted.open_gaps += u64::from(open_us > 0);
        self.not_counted.open_gaps_us += open_us;
        beyond
    }

    /// Adds what a sparse record has summed up to the rows that it says; the bytes of the rest come back.
    fn add_rest(&mut self, record: &Record, machine: usize) -> Bytes {
        let mut left = Bytes::default();
        for rest in &record.rest {
            if self.rows.add_rest(machine, rest) {
                self.total.connections += u64::from(rest.flows);
                self.total.resent.add(&Resent::sum(rest.retrans_bytes, rest.on_wire));
            } else {
                left += rest.bytes;
            }
        }
        left
    }

    /// Notes the losses and limits of a record for the report.
    fn note(&mut self, machine: usize, record: &Record, step: &Step, is_inside: bool, counts_gap: bool) {
        let of_host = &mut self.hosts[machine];
        if is_inside {
            let window = intervals::by_end(&record.span);
            of_host.records += 1;
            of_host.boots.insert(record.host.boot_id);
            of_host.windows.add(window);
            of_host.longest_window_us = of_host.longest_window_us.max(window.length_us());
            of_host.clock_steps += u64::from(step.clock_stepped);
            of_host.unwritten += record.unwritten;
            of_host.lock_conflicts += record.lock_conflicts_us.len() as u64;
            of_host.limits.extend((!record.limits.is_empty()).then(|| record.limits.to_string()));
            for (name, count) in &record.losses {
                *of_host.losses.entry(name.clone()).or_default() += count;
            }
            self.not_counted.overlapping += step.overlapping;
            self.not_counted.overlapped_records +=
                u64::from(matches!(step.join, Join::Overlap | Join::Inside));
        }
        if counts_gap && InGap::of(record, &Windows::default(), step).open_us > 0 {
            self.not_counted.ended_unseen += step.ended_unseen;
            self.not_counted.unknown += step.unknown;
        }
    }
}

/// Traffic between a record and the one before.
struct InGap {
    /// Bytes beyond those that the sockets of the record explain.
    beyond: Bytes,
    /// Time whose totals were not counted, in µs.
    open_us: u64,
}

impl InGap {
    fn of(record: &Record, sums: &Windows, step: &Step) -> Self {
        if step.join != Join::Gap {
            return Self { beyond: Bytes::default(), open_us: 0 };
        }
        // The totals may be of a part of the time: then they are no more than those of all of it.
        let told = record.gap.filter(|gap| gap.start_ns >= step.until_ns && step.same_limits);
        let open_until_ns = told.map_or(record.span.start_ns, |gap| gap.start_ns);
        let beyond = told.map_or(Bytes::default(), |gap| gap.totals.since(sums.explained));
        Self { beyond, open_us: open_until_ns.saturating_sub(step.until_ns).div_ceil(1000) }
    }
}

impl Host {
    fn count(&mut self, interval: Interval) {
        self.counted.add(interval);
        self.counted_us += interval.length_us();
    }

    /// Time that the clock has shown more than once, in µs.
    fn repeated_us(&self) -> u64 {
        let may_have_been_set = self.clock_steps > 0 || self.boots.len() > 1;
        let twice_us = self.counted_us.saturating_sub(self.counted.total_us());
        if may_have_been_set { twice_us } else { 0 }
    }
}
