//! The report as JSON: one object on one line. Names are added, never changed or taken away; `null` means unknown.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::csv::{CHANGES, changes, rfc3339};
use super::diff::Diff;
use super::entries::{self, Entry, Kind, List};
use super::fields;
use super::paths::PathReport;
use super::report::{HostReport, NotCounted, Report};
use flowtop_core::window::Bytes;

/// Writes one report with at most so many rows, its end included. `zone` is the name of the zone that times were read in.
///
/// # Errors
/// A failed write to `out`.
pub fn report(report: &Report, rows: Option<usize>, zone: &str, out: impl io::Write) -> io::Result<()> {
    let list = entries::of_report(report, rows);
    let object = |entry| Object { report, entry, changes: None };
    one_line(&Whole { head: Head::of(report, zone), before: None, lists: Lists::of(&list, &object) }, out)
}

/// Writes two periods, one against the other.
///
/// # Errors
/// A failed write to `out`.
pub fn diff(diff: &Diff, rows: Option<usize>, zone: &str, out: impl io::Write) -> io::Result<()> {
    let list = entries::of_diff(diff, rows);
    let object = |entry| Object { report: &diff.now, entry, changes: Some(diff) };
    let before = Some(Head::of(&diff.before, zone));
    one_line(&Whole { head: Head::of(&diff.now, zone), before, lists: Lists::of(&list, &object) }, out)
}

fn one_line(whole: &Whole<'_>, mut out: impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, whole)?;
    out.write_all(b"\n")
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

/// Everything beside the sums.
#[derive(Serialize)]
struct Head<'a> {
    from: String,
    to: String,
    timezone: &'a str,
    by: Vec<String>,
    limit_bits_per_s: Option<u64>,
    counted_from: String,
    counted_to: String,
    counted_s: f64,
    /// All traffic of the period itself, where the windows that are counted reach out of it and their seconds tell.
    total_of_period: Option<BytesObject>,
    total_peak_is_exact: bool,
    /// Bytes that a row in `others` may have, where there are too many to be told apart.
    others_have_up_to_bytes: Option<u64>,
    hosts: Vec<HostObject<'a>>,
    paths: Vec<PathObject<'a>>,
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
            counted_from: rfc3339(report.counted_from_us),
            counted_to: rfc3339(report.counted_to_us),
            counted_s: seconds(report.counted_us),
            total_of_period: report.of_period.map(BytesObject::from),
            total_peak_is_exact: report.total_peak_is_exact,
            others_have_up_to_bytes: report.others.map(|others| others.bytes_each),
            hosts: report.hosts.iter().map(|host| HostObject::of(host, asked_us)).collect(),
            paths: report.paths.iter().map(PathObject::of).collect(),
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
    unread_records: u64,
    first: Option<String>,
    last: Option<String>,
    recorded_from: String,
    recorded_to: String,
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
            unread_records: host.unread,
            first: host.windows_us.map(|(first, _)| rfc3339(first)),
            last: host.windows_us.map(|(_, last)| rfc3339(last)),
            recorded_from: rfc3339(host.recorded_us.0),
            recorded_to: rfc3339(host.recorded_us.1),
            covered_s: seconds(host.covered_us),
            covered_share: host.covered_us as f64 / asked_us.max(1) as f64,
            gaps: host.gaps,
            longest_gap_s: seconds(host.longest_gap_us),
            reboots: host.reboots,
            clock_steps: host.clock_steps,
            repeated_s: seconds(host.repeated_us),
            unwritten_records: host.unwritten,
            turned_away: host.lock_conflicts,
            losses: &host.losses,
            limits: &host.limits,
        }
    }
}

#[derive(Serialize)]
struct PathObject<'a> {
    path: &'a str,
    records: u64,
    recorded_from: Option<String>,
    recorded_to: Option<String>,
    covered_s: f64,
    gaps: u64,
    longest_gap_s: f64,
    error: Option<&'a str>,
}

impl<'a> PathObject<'a> {
    fn of(path: &'a PathReport) -> Self {
        Self {
            path: &path.path,
            records: path.records,
            recorded_from: path.recorded_us.map(|(from, _)| rfc3339(from)),
            recorded_to: path.recorded_us.map(|(_, to)| rfc3339(to)),
            covered_s: seconds(path.covered_us),
            gaps: path.gaps,
            longest_gap_s: seconds(path.longest_gap_us),
            error: path.unreadable.as_deref(),
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
    gaps_without_totals: u64,
    gaps_without_totals_s: f64,
    at_the_edges: BytesObject,
    unjudged: BytesObject,
    filtered: BytesObject,
    overlapping: BytesObject,
    overlapped_records: u64,
    seen_from_two_hosts: u64,
    in_two_rows: u64,
    maybe_counted_twice: BytesObject,
}

impl NotCountedObject {
    fn of(what: &NotCounted) -> Self {
        Self {
            ended_in_gaps: what.ended_unseen,
            unknown_in_gaps: what.unknown,
            gaps_without_totals: what.open_gaps,
            gaps_without_totals_s: seconds(what.open_gaps_us),
            at_the_edges: what.at_the_edges.into(),
            unjudged: what.unjudged.into(),
            filtered: what.filtered.into(),
            overlapping: what.overlapping.into(),
            overlapped_records: what.overlapped_records,
            seen_from_two_hosts: what.twice,
            in_two_rows: what.turned,
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
    groups: Groups<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remainder: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untracked: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_twice: Option<Object<'a>>,
    total: Option<Object<'a>>,
}

impl<'a> Lists<'a> {
    fn of(list: &'a List<'a>, object: &'a dyn Fn(Entry<'a>) -> Object<'a>) -> Self {
        let behind = |kind| list.behind(kind).map(object);
        // A reader who adds up rows of ends needs to know that there is nothing to subtract.
        let local_twice = list.behind(Kind::LocalTwice).or_else(|| list.no_local_twice());
        Self {
            groups: Groups { list, object },
            others: behind(Kind::Others),
            remainder: behind(Kind::Remainder),
            untracked: behind(Kind::Untracked),
            local_twice: local_twice.map(object),
            total: behind(Kind::Total),
        }
    }
}

/// The rows, made one after another.
struct Groups<'a> {
    list: &'a List<'a>,
    object: &'a dyn Fn(Entry<'a>) -> Object<'a>,
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.list.rows().map(self.object))
    }
}

/// Serializes an entry with its fields.
struct Object<'a> {
    report: &'a Report,
    entry: Entry<'a>,
    /// The comparison that it is in.
    changes: Option<&'a Diff>,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (by, mut map) = (self.report.by, serializer.serialize_map(None)?);
        if let Some(row) = self.entry.row {
            for (name, value) in fields::id_names(by).iter().zip(fields::id(by, row)) {
                map.serialize_entry(name, &value)?;
            }
        }
        if self.entry.kind == Kind::Others {
            map.serialize_entry("rows", &self.entry.rows)?;
        }
        for (field, value) in fields::SUMS.iter().zip(fields::sums(self.report, &self.entry.sums)) {
            map.serialize_entry(field.name, &value)?;
        }
        if let Some(diff) = self.changes {
            for (name, value) in CHANGES.iter().zip(changes(diff, &self.entry)) {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}
