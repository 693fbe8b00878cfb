//! Who it was: records of any number of hosts in, the busiest of a period out.
//!
//! Each byte counts once. A window belongs to the period if its middle does. The time between two windows of one boot is
//! closed from the counters that sockets keep over their lives, as far as they are known at both ends; what cannot be
//! known is counted as unknown. Two recordings of one host may overlap, and a connection may be seen from two hosts.
//!
//! The bytes of all rows, of the remainder and of what was untracked are the total, always.
//!
//! Not in here: files (`crate::recordings`), and how a report looks (`text`, `json`, `csv`).

mod above;
mod boots;
mod cells;
mod cover;
pub mod csv;
pub mod diff;
mod entries;
pub mod fields;
pub mod json;
pub mod lines;
mod report;
mod rows;
pub mod text;
mod twice;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use flowtop_common::{FlowKey, Untracked};
use foldhash::fast::RandomState;

use super::filter::Filter;
use super::flow::stays_on_host;
use super::group::Group;
use super::owner::Seen;
use super::record::{FlowRecord, Record, Span};
use super::scope::{Subject, User, Verdict};
use super::window::Bytes;

use boots::{Boots, Join, Moved, Step};
use cover::{Cover, Stretch};
pub use report::{HostReport, NotCounted, Report, Row, Sums};
use rows::{Rows, Tally};
pub use twice::Twice;

/// Keys of `--by` where nobody has said others: who, and with whom.
pub const DEFAULT_BY: &str = "process,peer";

/// Above which part of `--limit` time counts.
pub const ABOVE_PERCENT: u64 = 80;

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

    fn stretch(&self) -> Stretch {
        Stretch { start_us: self.from_us, end_us: self.to_us }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Of which time.
    pub period: Period,
    /// What connections are summed up by.
    pub by: Group,
    /// Which directions of which connections count.
    pub filter: Filter,
    /// What a link carries in one direction, in bits per second.
    pub limit_bits_per_s: Option<u64>,
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
        if !self.has_filter() {
            return Verdict::ALL;
        }
        let peer = flow.peer.and_then(|place| record.flows.get(usize::try_from(place).ok()?));
        let comms = (cells::comm(flow), peer.and_then(cells::comm));
        let User { pid, comm, owner, used_ns, identity } = user(flow, comms.0.as_deref());
        self.filter.verdict(&Subject {
            tuple: flow.tuple(),
            both_here: flow.peer.is_some() || stays_on_host(&flow.key),
            pid,
            comm,
            state: flow.flow.state,
            netns: flow.key.netns,
            owner,
            used_ns,
            identity,
            peer: peer.map(|flow| user(flow, comms.1.as_deref())),
            label: Some(&flow.label),
            remote_pod: flow.remote_pod.as_deref(),
        })
    }
}

/// The process of a socket.
fn user<'a>(flow: &'a FlowRecord, comm: Option<&'a str>) -> User<'a> {
    let owner = Seen::of(&flow.flow);
    let pid = owner.is_user_process().then_some(owner.pid);
    User { pid, comm, owner, used_ns: 0, identity: flow.identity.as_deref() }
}

/// Sums up one record after another.
#[derive(Debug)]
pub struct History {
    question: Question,
    /// Sockets whose connection is counted from its other end, on another host, by number of their boot.
    twice: HashSet<(usize, FlowKey), RandomState>,
    boots: Boots,
    hosts: Vec<Host>,
    rows: Rows,
    total: Tally,
    remainder: Bytes,
    untracked: Untracked,
    not_counted: NotCounted,
    /// Bytes of all hosts by second of the wall clock.
    seconds: BTreeMap<i64, Bytes>,
    /// Whether they are those of all records.
    seconds_are_all: bool,
    /// Time that bytes are known of, of any host.
    counted: Cover,
}

/// One machine.
#[derive(Debug, Default)]
struct Host {
    name: String,
    machine_id: [u8; 16],
    records: u64,
    boots: BTreeSet<[u8; 16]>,
    windows: Cover,
    clock_steps: u64,
    /// Time that bytes are known of, and its length by the clock that nobody sets, in µs.
    counted: Cover,
    counted_us: u64,
    unwritten: u64,
    turned_away: u64,
    losses: BTreeMap<String, u64>,
    limits: BTreeSet<String>,
    /// Bytes of sockets that no record tells one by one.
    summed_up: Bytes,
    /// Up to where the seconds are taken.
    seconds_until: i64,
}

impl History {
    /// Nothing yet. `twice` has seen the same records in the same order.
    #[must_use]
    pub fn new(question: Question, twice: Twice) -> Self {
        let keeps_pieces = question.limit_bits_per_s.is_some();
        Self {
            rows: Rows::new(question.by, keeps_pieces),
            total: Tally::default(),
            question,
            twice: twice.dropped(),
            boots: Boots::default(),
            hosts: Vec::new(),
            remainder: Bytes::default(),
            untracked: Untracked::default(),
            not_counted: NotCounted::default(),
            seconds: BTreeMap::new(),
            seconds_are_all: true,
            counted: Cover::default(),
        }
    }

    /// One record. Those of one boot must come in their order; records beside the period are needed for the time between
    /// them and the first and last one in it.
    pub fn add(&mut self, record: &Record) {
        let is_inside = self.question.period.holds(&record.span);
        let number = self.boots.number(&record.host);
        let host = self.host(record);
        let was_inside = self.boots.was_inside(number);
        let gap = self.boots.gap(number, &record.span);
        let counts_gap = is_inside && was_inside;
        let touches = gap.is_some_and(|gap| gap.overlaps(self.question.period.stretch()));
        let Self { question, twice, boots, rows, not_counted, .. } = self;
        let mut sums = Windows::default();
        let step = boots.take(number, record, is_inside, |flow, moved, row| {
            sums.of_all += moved.window;
            if twice.contains(&(number, flow.key)) {
                return;
            }
            let verdict = question.verdict(record, flow);
            let moved = Moved { window: verdict.of(moved.window), between: verdict.of(moved.between) };
            if !counts_gap && touches {
                not_counted.at_the_edges += moved.between;
            }
            let between = if counts_gap { moved.between } else { Bytes::default() };
            if is_inside && moved.window.sum() + between.sum() > 0 {
                let peak = verdict.of(flow.peak);
                sums.counted += moved.window;
                sums.between += between;
                sums.peak = sums.peak.max(peak);
                rows.add(host, flow, row, &Moved { window: moved.window, between }, peak);
            }
        });
        if is_inside && step.join != Join::Inside {
            self.close(host, record, &sums, &step, gap.filter(|_| counts_gap));
        }
        self.note(host, record, &step, is_inside, counts_gap);
    }

    /// What stands beside the sockets of a record, and the end of its windows.
    fn close(&mut self, host: usize, record: &Record, sums: &Windows, step: &Step, gap: Option<Stretch>) {
        let window = step.window(&record.span);
        let mut all = sums.counted;
        let untracked = &record.untracked;
        let mirrored = Bytes { tx: untracked.mirrored_tx_bytes, rx: untracked.mirrored_rx_bytes };
        let once = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes }.since(mirrored);
        let rest = record.rest.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
        let left = record.totals.since(sums.of_all + rest + once);
        match () {
            () if step.join == Join::Overlap => self.not_counted.overlapping += rest + once,
            () if self.question.has_filter() => self.not_counted.unjudged += rest + once + left,
            () => {
                self.hosts[host].summed_up += rest + once;
                self.remainder += left + self.rows.add_rest(host, &record.rest);
                self.untracked.flows += untracked.flows;
                self.untracked.tx_bytes += once.tx;
                self.untracked.rx_bytes += once.rx;
                all += rest + once + left;
            }
        }
        self.rows.close(host, window, gap);
        self.total.add(&Moved { window: all, between: sums.between }, sums.peak);
        self.total.close(host, window, gap, self.question.limit_bits_per_s.is_some());
        for stretch in [Some(window), gap].into_iter().flatten() {
            self.counted.add(stretch);
            self.hosts[host].count(stretch);
        }
        self.seconds_are_all &= !step.clock_stepped;
        self.add_seconds(host, record);
    }

    /// The bytes of each second, unless a filter keeps some of them out.
    fn add_seconds(&mut self, host: usize, record: &Record) {
        // A sample that came late is not of one second.
        let has_all = record.per_second.len() as u64 >= record.span.length_ns() / 1_000_000_000;
        if !has_all || self.question.has_filter() || !self.twice.is_empty() {
            self.seconds_are_all = false;
            return;
        }
        let host = &mut self.hosts[host];
        let first = record.span.began_us().div_euclid(1_000_000);
        for (second, bytes) in (first..).zip(&record.per_second) {
            if second >= host.seconds_until {
                *self.seconds.entry(second).or_default() += *bytes;
                host.seconds_until = second + 1;
            }
        }
    }

    /// What a reader of the report has to know of a record.
    fn note(&mut self, host: usize, record: &Record, step: &Step, is_inside: bool, counts_gap: bool) {
        let of_host = &mut self.hosts[host];
        if is_inside {
            of_host.records += 1;
            of_host.boots.insert(record.host.boot_id);
            of_host.windows.add(cover::by_end(&record.span));
            of_host.clock_steps += u64::from(step.clock_stepped);
            of_host.unwritten += record.unwritten;
            of_host.turned_away += record.turned_away_us.len() as u64;
            of_host.limits.extend((!record.limits.is_empty()).then(|| record.limits.clone()));
            for (name, count) in &record.losses {
                *of_host.losses.entry(name.clone()).or_default() += count;
            }
            self.not_counted.overlapping += step.overlapping;
            self.not_counted.overlapped_records +=
                u64::from(matches!(step.join, Join::Overlap | Join::Inside));
        }
        if counts_gap {
            self.not_counted.ended_unseen += step.ended_unseen;
            self.not_counted.unknown += step.unknown;
        }
    }

    fn host(&mut self, record: &Record) -> usize {
        let of = &record.host;
        let is_it = |host: &Host| host.machine_id == of.machine_id && host.name == of.name;
        if let Some(known) = self.hosts.iter().position(is_it) {
            return known;
        }
        let new = Host {
            name: of.name.clone(),
            machine_id: of.machine_id,
            seconds_until: i64::MIN,
            ..Host::default()
        };
        self.hosts.push(new);
        self.hosts.len() - 1
    }
}

impl Host {
    fn count(&mut self, stretch: Stretch) {
        self.counted.add(stretch);
        self.counted_us += stretch.length_us();
    }

    /// Time that the clock has shown more than once, in µs.
    fn repeated_us(&self) -> u64 {
        let may_have_been_set = self.clock_steps > 0 || self.boots.len() > 1;
        let twice_us = self.counted_us.saturating_sub(self.counted.total_us());
        if may_have_been_set { twice_us } else { 0 }
    }
}

/// Sums over the sockets of one record.
#[derive(Debug, Default)]
struct Windows {
    /// Of all of them, whether they count or not.
    of_all: Bytes,
    /// Of those that count.
    counted: Bytes,
    /// Of the time before the window.
    between: Bytes,
    /// The largest peak of one of them.
    peak: Bytes,
}
