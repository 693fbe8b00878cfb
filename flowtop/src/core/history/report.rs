//! The report as a value: what text, JSON and CSV are made from.

use std::cmp::Reverse;

use super::above::{Piece, above_us};
use super::cover::Stretch;
use super::rows::{RowId, Tally};
use super::{History, Period};
use crate::core::group::Group;
use crate::core::rows::key::Cell;
use crate::core::window::Bytes;

/// Everything that is known of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The period that was asked for.
    pub period: Period,
    /// What rows are summed up by.
    pub by: Group,
    /// What a link carries in one direction, in bits per second.
    pub limit_bits_per_s: Option<u64>,
    /// The hosts, by name.
    pub hosts: Vec<HostReport>,
    /// The rows, the one with the most bytes first.
    pub rows: Vec<Row>,
    /// All of it: the rows, the remainder and the untracked.
    pub total: Sums,
    /// Whether the peaks of the total are those of seconds; else they are at least as high as they say.
    pub total_peak_is_exact: bool,
    /// Bytes of which it is not known to which row they belong.
    pub remainder: Bytes,
    /// Sockets that found the kernel's table full.
    pub untracked_flows: u64,
    /// Their bytes.
    pub untracked: Bytes,
    /// What could not be counted, and why.
    pub not_counted: NotCounted,
    /// Time that the bytes are of, in µs: windows, and gaps that have been closed, of any host, with the time that a
    /// clock has shown twice. What rates are over.
    pub counted_us: u64,
    /// What has to be said about how the period was read.
    pub notes: Vec<String>,
    /// What could not be read.
    pub damage: Vec<String>,
}

/// What records there are of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// Its name.
    pub name: String,
    /// `/etc/machine-id`.
    pub machine_id: [u8; 16],
    /// Records of the period.
    pub records: u64,
    /// Start of the first one, in µs since 1970 UTC.
    pub first_us: i64,
    /// End of the last one.
    pub last_us: i64,
    /// How much of the period their windows cover, in µs.
    pub covered_us: u64,
    /// Stretches of the period without a window, those at its ends included.
    pub gaps: u64,
    /// The longest of them, in µs.
    pub longest_gap_us: u64,
    /// How often it has been booted within the period.
    pub reboots: u64,
    /// How often somebody has set its clock.
    pub clock_steps: u64,
    /// Time that its clock has shown more than once for that, in µs.
    pub repeated_us: u64,
    /// Records that could not be written.
    pub unwritten: u64,
    /// Runs that found another one at work.
    pub turned_away: u64,
    /// What the kernel side could not do, by name.
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
    /// Bytes between the period and the records beside it.
    pub at_the_edges: Bytes,
    /// Bytes that a filter cannot judge: summed up in sparse records, or of untracked sockets.
    pub unjudged: Bytes,
    /// Bytes of overlapping recordings of one host that may have been counted before.
    pub overlapping: Bytes,
    /// Records that overlap others of the same host.
    pub overlapped_records: u64,
    /// Connections that are counted from another host.
    pub twice: u64,
    /// Bytes that only sums tell, of sparse records and untracked sockets: another host may have counted them too.
    pub maybe_twice: Bytes,
}

/// Sums over sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bytes of the period.
    pub bytes: Bytes,
    /// Bytes put on the wire again, in the windows.
    pub retrans_bytes: u64,
    /// Sockets that have moved something, left ends only.
    pub connections: u64,
    /// Bytes per second at least once: the largest second of one socket, or the largest mean of all over a window.
    pub peak: Bytes,
    /// Time in µs in which windows had a mean rate above 80 % of the limit: sent, received, one of them.
    pub above_us: Option<[u64; 3]>,
}

/// What sockets of the period have in common, and their sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// For each key what the sockets have in common.
    pub cells: Box<[Cell]>,
    /// The name of the host, where the keys mean something on one host only.
    pub host: Option<String>,
    /// The sums.
    pub sums: Sums,
}

impl Row {
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

    /// Records of all hosts.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.hosts.iter().map(|host| host.records).sum()
    }
}

impl History {
    /// What the records have said.
    #[must_use]
    pub fn report(self) -> Report {
        let period = self.question.period.stretch();
        let mut hosts: Vec<HostReport> = self.hosts.iter().map(|host| host.report(period)).collect();
        let names: Vec<String> = hosts.iter().map(|host| host.name.clone()).collect();
        hosts.retain(|host| host.records > 0);
        let total_peak_is_exact = self.seconds_are_all && hosts.iter().all(|host| host.gaps == 0);
        let summed_up = self.hosts.iter().fold(Bytes::default(), |sum, host| sum + host.summed_up);
        let maybe_twice = if hosts.len() > 1 { summed_up } else { Bytes::default() };
        hosts.sort_by(|a, b| (&a.name, a.machine_id).cmp(&(&b.name, b.machine_id)));
        let repeated_us = hosts.iter().map(|host| host.repeated_us).max().unwrap_or(0);
        let threshold = self.question.threshold();
        let peak = self.total_peak();
        let rows = self.rows.into_rows().into_iter().filter(|(_, tally)| tally.bytes.sum() > 0);
        let row = |(id, tally): (RowId, Tally)| Row {
            host: id.host.and_then(|host| names.get(host).cloned()),
            sums: sums(&tally, threshold),
            cells: id.cells,
        };
        let mut rows: Vec<Row> = rows.map(row).collect();
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        let connections = rows.iter().map(|row| row.sums.connections).sum();
        let retrans_bytes = rows.iter().map(|row| row.sums.retrans_bytes).sum();
        Report {
            period: self.question.period,
            by: self.question.by,
            limit_bits_per_s: self.question.limit_bits_per_s,
            hosts,
            rows,
            total: Sums { retrans_bytes, connections, peak, ..sums(&self.total, threshold) },
            total_peak_is_exact,
            remainder: self.remainder,
            untracked_flows: self.untracked.flows,
            untracked: Bytes { tx: self.untracked.tx_bytes, rx: self.untracked.rx_bytes },
            not_counted: NotCounted { twice: self.twice.len() as u64, maybe_twice, ..self.not_counted },
            counted_us: self.counted.total_us() + repeated_us,
            notes: Vec::new(),
            damage: Vec::new(),
        }
    }

    fn total_peak(&self) -> Bytes {
        self.seconds.values().fold(self.total.peak, |peak, bytes| peak.max(*bytes))
    }
}

fn sums(tally: &Tally, threshold: Option<u64>) -> Sums {
    let above = |threshold| above_us(&tally.pieces as &[Piece], threshold);
    Sums {
        bytes: tally.bytes,
        retrans_bytes: tally.retrans_bytes,
        connections: tally.connections,
        peak: tally.peak,
        above_us: threshold.map(above),
    }
}

impl super::Host {
    fn report(&self, period: Stretch) -> HostReport {
        let ends = self.windows.ends().unwrap_or_default();
        let holes = self.windows.holes(period);
        HostReport {
            name: self.name.clone(),
            machine_id: self.machine_id,
            records: self.records,
            first_us: ends.start_us,
            last_us: ends.end_us,
            covered_us: self.windows.covered_us(period),
            gaps: holes.len() as u64,
            longest_gap_us: holes.iter().map(|hole| hole.length_us()).max().unwrap_or(0),
            reboots: (self.boots.len() as u64).saturating_sub(1),
            clock_steps: self.clock_steps,
            repeated_us: self.repeated_us(),
            unwritten: self.unwritten,
            turned_away: self.turned_away,
            losses: self.losses.iter().map(|(name, count)| (name.clone(), *count)).collect(),
            limits: self.limits.iter().cloned().collect(),
        }
    }
}
