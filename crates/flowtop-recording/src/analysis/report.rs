//! The report as a value, which text, JSON and CSV write.

use std::cmp::Reverse;
use std::sync::Arc;

use super::History;
use super::Period;
use super::intervals::Interval;
use super::paths::PathReport;
use super::plan::Machine;
use super::rows::{Ended, RowId, Tally};
use flowtop_core::group::Group;
use flowtop_core::rows::key::Cell;
use flowtop_core::window::Bytes;

/// Everything that is known of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The period that was asked for.
    pub period: Period,
    /// Keys of `--by`.
    pub by: Group,
    /// Capacity of a link in one direction, in bits per second (`--limit`).
    pub limit_bits_per_s: Option<u64>,
    /// The hosts, by name; also those that have no record of the period.
    pub hosts: Vec<HostReport>,
    pub paths: Vec<PathReport>,
    /// From the start of the first window that is counted to the end of the last one, in µs since 1970 UTC: what the
    /// numbers are really of.
    pub counted_from_us: i64,
    /// The end of the last one.
    pub counted_to_us: i64,
    /// All traffic of the period itself, where windows reach out of it and the totals of each second tell.
    pub of_period: Option<Bytes>,
    /// The rows, the one with the most bytes first.
    pub rows: Vec<Row>,
    /// Rows that are not told apart, because there are too many.
    pub others: Option<Others>,
    /// All of it: the rows, the others, the remainder and the untracked, but for `local_twice`.
    pub total: Sums,
    /// Where rows are of ends: what the second end of connections has counted that are counted at both ends. The rows have
    /// so much more than the total.
    pub local_twice: Bytes,
    /// Whether the peaks of the total are those of seconds; else they are at least as high as they say.
    pub total_peak_is_exact: bool,
    /// Bytes of which it is not known to which row they belong.
    pub remainder: Bytes,
    /// Sockets that found the kernel's table full.
    pub untracked_flows: u64,
    pub untracked: Bytes,
    /// Traffic that could not be counted, by reason.
    pub not_counted: NotCounted,
    /// Time that the bytes are of, in µs: windows, and gaps that have been closed, of any host, with the time that a
    /// clock has shown twice. What rates are over.
    pub counted_us: u64,
    /// Notes on how the period was understood.
    pub notes: Vec<String>,
    /// Damaged parts of files, one line each.
    pub damage: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    pub name: String,
    /// `/etc/machine-id`.
    pub machine_id: [u8; 16],
    pub records: u64,
    /// Records of the period that could not be read.
    pub unread: u64,
    /// From the start of the first one to the end of the last one, in µs since 1970 UTC, if there is any.
    pub windows_us: Option<(i64, i64)>,
    pub longest_window_us: u64,
    /// Time of the period in windows that do not belong to it, since their middle does not, in µs.
    pub left_out_us: u64,
    /// From the start of the first of all of its records to the end of the last one, also outside the period.
    pub recorded_us: (i64, i64),
    /// How much of the period their windows cover, in µs.
    pub covered_us: u64,
    /// Stretches of the period without a window, those at its ends included.
    pub gaps: u64,
    /// The longest of them, in µs.
    pub longest_gap_us: u64,
    /// How often it has been booted within the period.
    pub reboots: u64,
    /// How often its clock was set.
    pub clock_steps: u64,
    /// Time that its clock has shown more than once for that, in µs.
    pub repeated_us: u64,
    /// Records that could not be written.
    pub unwritten: u64,
    /// Runs that found another one at work.
    pub lock_conflicts: u64,
    /// Losses of the kernel side, by name.
    pub losses: Vec<(String, u64)>,
    /// Settings of the recorder that kept traffic out.
    pub limits: Vec<String>,
}

/// Bytes and sockets that are not in the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotCounted {
    /// Sockets that were open at the start of a gap and gone at its end: their last bytes are not known.
    pub ended_unseen: u64,
    /// Sockets that were there at the end of a gap, of which it is not known what they had moved in it.
    pub unknown: u64,
    /// Gaps without totals: connections that began and ended in them are not known.
    pub open_gaps: u64,
    /// How long they are together, in µs.
    pub open_gaps_us: u64,
    /// Bytes between the period and the records beside it.
    pub at_the_edges: Bytes,
    /// Bytes that a filter cannot judge: summed up in sparse records, or of untracked sockets.
    pub unjudged: Bytes,
    /// Bytes in the windows that the filter keeps out.
    pub filtered: Bytes,
    /// Bytes of overlapping recordings of one host that may have been counted before.
    pub overlapping: Bytes,
    /// Records that overlap others of the same host.
    pub overlapped_records: u64,
    /// Connections of which two hosts have recorded an end.
    pub twice: u64,
    /// Of those, connections that stand in two rows: there are too many whose left end was recorded later.
    pub turned: u64,
    /// Bytes that only sums tell, of sparse records and untracked sockets: another host may have counted them too.
    pub maybe_twice: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub bytes: Bytes,
    /// Bytes put on the wire again, in the windows.
    pub retrans_bytes: u64,
    /// Bytes on the wire in the windows; `None` where a record does not tell those of a socket.
    pub on_wire: Option<Bytes>,
    /// Sockets that have moved something, left ends only.
    pub connections: u64,
    /// Bytes per second at least once: the largest second of one socket, or the largest mean of all over a window.
    pub peak: Bytes,
    /// Time in µs in which windows had a mean rate above 80 % of the limit: sent, received, one of them.
    pub above_us: Option<[u64; 3]>,
}

/// Rows that are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Sum of the rows.
    pub sums: Sums,
    /// Most bytes that one of them may have: a row with no more may be smaller than one of these.
    pub bytes_each: u64,
}

/// A row of the report: sockets with the same keys, and their sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// For each key what the sockets have in common.
    pub cells: Arc<[Cell]>,
    /// The name of the host, where the keys mean something on one host only.
    pub host: Option<Arc<str>>,
    pub sums: Sums,
}

impl Row {
    #[must_use]
    pub fn key(&self) -> (Arc<[Cell]>, Option<Arc<str>>) {
        (Arc::clone(&self.cells), self.host.clone())
    }

    /// The most bytes first; then by what it shows.
    fn order(&self) -> (Reverse<u64>, &[Cell], Option<&str>) {
        (Reverse(self.sums.bytes.sum()), &self.cells, self.host.as_deref())
    }
}

impl Report {
    /// Bytes per second over the time that is known of.
    #[must_use]
    pub fn rate(&self, bytes: u64) -> f64 {
        if self.counted_us == 0 { 0.0 } else { bytes as f64 * 1e6 / self.counted_us as f64 }
    }

    /// Number of records of all hosts.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.hosts.iter().map(|host| host.records).sum()
    }
}

impl History {
    /// The report after the last record.
    #[must_use]
    pub fn report(self) -> Report {
        let period = self.question.period.interval();
        let machines = self.plan.machines.iter();
        let mut hosts: Vec<_> =
            self.hosts.iter().zip(machines).map(|(host, machine)| host.report(machine, period)).collect();
        let names: Vec<Arc<str>> = hosts.iter().map(|host| host.name.as_str().into()).collect();
        hosts.sort_by(|a, b| (&a.name, a.machine_id).cmp(&(&b.name, b.machine_id)));
        let recorded = hosts.iter().filter(|host| host.records > 0).count() as u64;
        let summed_up = self.hosts.iter().fold(Bytes::default(), |sum, host| sum + host.summed_up);
        let repeated_us = hosts.iter().map(|host| host.repeated_us).max().unwrap_or(0);
        let windows = || hosts.iter().filter_map(|host| host.windows_us);
        let reaches_out = windows().any(|(from, to)| from < period.start_us || to > period.end_us);
        let Ended { rows, others } = self.rows.end();
        let row = |(id, tally): (RowId, Tally)| Row {
            host: id.machine.and_then(|machine| names.get(machine as usize).cloned()),
            sums: sums(tally),
            cells: id.cells,
        };
        let mut rows: Vec<Row> = rows.into_iter().map(row).collect();
        rows.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        let pairs = &self.boots.pairs;
        let has_unknown = self.remainder.sum() + self.untracked.tx_bytes + self.untracked.rx_bytes > 0;
        let total = Sums { peak: self.total.peak.max(self.seconds.peak()), ..sums(self.total) };
        let total = Sums { on_wire: total.on_wire.filter(|_| !has_unknown), ..total };
        Report {
            period: self.question.period,
            by: self.question.by,
            limit_bits_per_s: self.question.limit_bits_per_s,
            counted_from_us: windows().map(|(from, _)| from).min().unwrap_or(period.start_us),
            counted_to_us: windows().map(|(_, to)| to).max().unwrap_or(period.end_us),
            of_period: self.seconds.of_period(recorded).filter(|_| reaches_out),
            rows,
            others: others.map(|(tally, bytes_each)| Others { sums: sums(tally), bytes_each }),
            total,
            local_twice: self.local_twice,
            total_peak_is_exact: self.seconds.are_all() && hosts.iter().all(|host| host.gaps == 0),
            remainder: self.remainder,
            untracked_flows: self.untracked.flows,
            untracked: Bytes { tx: self.untracked.tx_bytes, rx: self.untracked.rx_bytes },
            not_counted: NotCounted {
                twice: pairs.formed,
                turned: pairs.forgotten_late,
                maybe_twice: if recorded > 1 { summed_up } else { Bytes::default() },
                ..self.not_counted
            },
            counted_us: self.counted.total_us() + repeated_us,
            hosts,
            paths: Vec::new(),
            notes: Vec::new(),
            damage: Vec::new(),
        }
    }
}

fn sums(tally: Tally) -> Sums {
    Sums {
        bytes: tally.bytes,
        retrans_bytes: tally.resent.retrans_bytes,
        on_wire: tally.resent.on_wire(),
        connections: tally.connections,
        peak: tally.peak,
        above_us: tally.above.map(|above| above.end()),
    }
}

impl super::Host {
    fn report(&self, machine: &Machine, period: Interval) -> HostReport {
        let ends = self.windows.ends();
        let holes = self.windows.holes(period);
        HostReport {
            name: machine.name.clone(),
            machine_id: machine.id,
            records: self.records,
            unread: machine.inside.saturating_sub(self.records),
            windows_us: ends.map(|ends| (ends.start_us, ends.end_us)),
            longest_window_us: self.longest_window_us,
            left_out_us: if self.records > 0 { machine.left_out_us } else { 0 },
            recorded_us: (machine.recorded.start_us, machine.recorded.end_us),
            covered_us: self.windows.covered_us(period),
            gaps: holes.len() as u64,
            longest_gap_us: holes.iter().map(|hole| hole.length_us()).max().unwrap_or(0),
            reboots: (self.boots.len() as u64).saturating_sub(1),
            clock_steps: self.clock_steps,
            repeated_us: self.repeated_us(),
            unwritten: self.unwritten,
            lock_conflicts: self.lock_conflicts,
            losses: self.losses.iter().map(|(name, count)| (name.clone(), *count)).collect(),
            limits: self.limits.iter().cloned().collect(),
        }
    }
}
