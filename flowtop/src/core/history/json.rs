//! The report as JSON: one object on one line. Names are added, never changed or taken away; `null` means unknown.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::csv::{CHANGES, changes, rfc3339};
use super::diff::Diff;
use super::entries::{self, Entry, Kind};
use super::fields;
use super::report::{HostReport, NotCounted, Report};
use crate::core::column::Value;
use crate::core::window::Bytes;

/// One report with at most so many rows, its end included. `zone` is the name of the zone that times were read in.
#[must_use]
pub fn report(report: &Report, rows: Option<usize>, zone: &str) -> String {
    let entries = entries::of_report(report, rows);
    let object = |entry| Object { report, entry, changes: None };
    one_line(&Whole { head: Head::of(report, zone), before: None, lists: Lists::of(&entries, object) })
}

/// Two periods, one against the other.
#[must_use]
pub fn diff(diff: &Diff, rows: Option<usize>, zone: &str) -> String {
    let entries = entries::of_diff(diff, rows);
    let object = |entry| Object { report: &diff.now, entry, changes: Some(changes(diff, entry)) };
    let before = Some(Head::of(&diff.before, zone));
    one_line(&Whole { head: Head::of(&diff.now, zone), before, lists: Lists::of(&entries, object) })
}

fn one_line(whole: &Whole<'_>) -> String {
    let mut text = serde_json::to_string(whole).expect("names are text and rates are finite, so it is JSON");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Head<'a>>,
    #[serde(flatten)]
    lists: Lists<'a>,
}

/// What is known beside the sums.
#[derive(Serialize)]
struct Head<'a> {
    from: String,
    to: String,
    timezone: &'a str,
    by: Vec<String>,
    limit_bits_per_s: Option<u64>,
    counted_s: f64,
    total_peak_is_exact: bool,
    hosts: Vec<HostObject<'a>>,
    not_counted: NotCountedObject,
    notes: &'a [String],
    damage: &'a [String],
}

impl<'a> Head<'a> {
    fn of(report: &'a Report, zone: &'a str) -> Self {
        let asked_us = report.period.to_us.saturating_sub(report.period.from_us);
        Self {
            from: rfc3339(report.period.from_us),
            to: rfc3339(report.period.to_us),
            timezone: zone,
            by: report.by.keys().map(|key| key.to_string()).collect(),
            limit_bits_per_s: report.limit_bits_per_s,
            counted_s: seconds(report.counted_us),
            total_peak_is_exact: report.total_peak_is_exact,
            hosts: report.hosts.iter().map(|host| HostObject::of(host, asked_us)).collect(),
            not_counted: NotCountedObject::of(&report.not_counted),
            notes: &report.notes,
            damage: &report.damage,
        }
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[derive(Serialize)]
struct HostObject<'a> {
    node: &'a str,
    machine_id: String,
    records: u64,
    first: String,
    last: String,
    covered_s: f64,
    covered_share: f64,
    gaps: u64,
    longest_gap_s: f64,
    reboots: u64,
    clock_steps: u64,
    repeated_s: f64,
    unwritten_records: u64,
    turned_away: u64,
    #[serde(serialize_with = "losses")]
    losses: &'a [(String, u64)],
    limits: &'a [String],
}

impl<'a> HostObject<'a> {
    fn of(host: &'a HostReport, asked_us: i64) -> Self {
        Self {
            node: &host.name,
            machine_id: format!("{:032x}", u128::from_be_bytes(host.machine_id)),
            records: host.records,
            first: rfc3339(host.first_us),
            last: rfc3339(host.last_us),
            covered_s: seconds(host.covered_us),
            covered_share: host.covered_us as f64 / asked_us.max(1) as f64,
            gaps: host.gaps,
            longest_gap_s: seconds(host.longest_gap_us),
            reboots: host.reboots,
            clock_steps: host.clock_steps,
            repeated_s: seconds(host.repeated_us),
            unwritten_records: host.unwritten,
            turned_away: host.turned_away,
            losses: &host.losses,
            limits: &host.limits,
        }
    }
}

fn losses<S: Serializer>(losses: &&[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(losses.iter().map(|(name, count)| (name, count)))
}

#[derive(Serialize)]
struct NotCountedObject {
    ended_in_gaps: u64,
    unknown_in_gaps: u64,
    at_the_edges: BytesObject,
    unjudged: BytesObject,
    overlapping: BytesObject,
    overlapped_records: u64,
    seen_from_two_hosts: u64,
    maybe_counted_twice: BytesObject,
}

impl NotCountedObject {
    fn of(what: &NotCounted) -> Self {
        Self {
            ended_in_gaps: what.ended_unseen,
            unknown_in_gaps: what.unknown,
            at_the_edges: what.at_the_edges.into(),
            unjudged: what.unjudged.into(),
            overlapping: what.overlapping.into(),
            overlapped_records: what.overlapped_records,
            seen_from_two_hosts: what.twice,
            maybe_counted_twice: what.maybe_twice.into(),
        }
    }
}

#[derive(Serialize)]
struct BytesObject {
    tx_bytes: u64,
    rx_bytes: u64,
}

impl From<Bytes> for BytesObject {
    fn from(bytes: Bytes) -> Self {
        Self { tx_bytes: bytes.tx, rx_bytes: bytes.rx }
    }
}

/// The rows, and everything else: absent if there is nothing in it, but for the total.
#[derive(Serialize)]
struct Lists<'a> {
    groups: Vec<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remainder: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untracked: Option<Object<'a>>,
    total: Option<Object<'a>>,
}

impl<'a> Lists<'a> {
    fn of(entries: &'a [Entry<'a>], object: impl Fn(&'a Entry<'a>) -> Object<'a>) -> Self {
        let find = |kind| entries.iter().find(|entry| entry.kind == kind).map(&object);
        Self {
            groups: entries.iter().filter(|entry| entry.kind == Kind::Row).map(&object).collect(),
            others: find(Kind::Others),
            remainder: find(Kind::Remainder),
            untracked: find(Kind::Untracked),
            total: find(Kind::Total),
        }
    }
}

/// An entry with its fields.
struct Object<'a> {
    report: &'a Report,
    entry: &'a Entry<'a>,
    changes: Option<[Value; 6]>,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(row) = self.entry.row {
            for (name, value) in fields::id_names(self.report.by).iter().zip(fields::id(self.report.by, row))
            {
                map.serialize_entry(name, &value)?;
            }
        }
        if self.entry.kind == Kind::Others {
            map.serialize_entry("rows", &self.entry.rows)?;
        }
        for (field, value) in fields::SUMS.iter().zip(fields::sums(self.report, &self.entry.sums)) {
            map.serialize_entry(field.name, &value)?;
        }
        for (name, value) in CHANGES.iter().zip(self.changes.iter().flatten()) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
