//! The JSON contract: one object a report, on one line. Names are added, never changed or taken away.
//!
//! `null` means unknown. Bytes are integers and count from the start of flowtop, rates are bytes per second; the
//! segment and retransmission counters are over the life of the socket.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::column::{ALL, Column, Source, Who};
use super::ledger::{Ledger, Losses};
use super::rows::grouped::{self, GroupedRow};
use super::rows::{Row, rows};
use super::view::View;
use super::window::{Rates, Window};

#[cfg(test)]
mod tests;

/// What the ledger cannot know of a report.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// Wall-clock time as RFC 3339 with its offset.
    pub time: &'a str,
    /// Name of this host.
    pub host: &'a str,
    /// The hook plan: `fentry`, `kprobe` or `tracepoint`.
    pub hooks: &'a str,
    /// Who is behind the flows.
    pub who: Who<'a>,
}

/// One report as one line, without the newline. Flows have the given fields, or all of them with those of the other
/// end in an object of their own.
#[must_use]
pub fn report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    view: &View,
    fields: Option<&[&'static Column]>,
) -> String {
    let flows = Flows { rows: rows(ledger, view), at_ns: ledger.at_ns(), who: heading.who, fields };
    line(heading, ledger, Lists { by: None, groups: None, flows: Some(flows) })
}

/// One report of a view with a group, in the same way; groups stand where flows stood.
#[must_use]
pub fn grouped_report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    view: &View,
    fields: Option<&[&'static str]>,
) -> String {
    let groups = Groups { rows: grouped::rows(ledger, view, heading.who), fields };
    let by = view.by.keys().map(|key| key.to_string()).collect();
    line(heading, ledger, Lists { by: Some(by), groups: Some(groups), flows: None })
}

/// What is listed.
struct Lists<'a> {
    by: Option<Vec<String>>,
    groups: Option<Groups<'a>>,
    flows: Option<Flows<'a>>,
}

fn line(heading: &Heading<'_>, ledger: &Ledger, lists: Lists<'_>) -> String {
    let untracked = ledger.untracked();
    let report = Report {
        time: heading.time,
        host: heading.host,
        elapsed_s: ledger.elapsed_s(),
        hooks: heading.hooks,
        totals: totals(ledger),
        by: lists.by,
        groups: lists.groups,
        flows: lists.flows,
        untracked: Untracked {
            flows: untracked.flows,
            tx_bytes: untracked.tx_bytes,
            rx_bytes: untracked.rx_bytes,
        },
        losses: ledger.losses(),
        attribution: heading.who.trouble,
    };
    serde_json::to_string(&report).expect("names are text and rates are finite, so it is JSON")
}

#[derive(Serialize)]
struct Report<'a> {
    time: &'a str,
    host: &'a str,
    elapsed_s: f64,
    hooks: &'a str,
    totals: TotalsObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Groups<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Flows<'a>>,
    untracked: Untracked,
    #[serde(serialize_with = "losses")]
    losses: Losses,
    #[serde(serialize_with = "counts")]
    attribution: [(&'static str, u64); 3],
}

/// The rows of `--by`.
struct Groups<'a> {
    rows: Vec<GroupedRow>,
    fields: Option<&'a [&'static str]>,
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| GroupObject { row, fields: self.fields }))
    }
}

struct GroupObject<'a> {
    row: &'a GroupedRow,
    fields: Option<&'a [&'static str]>,
}

impl Serialize for GroupObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(grouped::picked(self.row, self.fields))
    }
}

/// The rows, each made into an object when its turn to be written has come.
struct Flows<'a> {
    rows: Vec<Row<'a>>,
    at_ns: u64,
    who: Who<'a>,
    fields: Option<&'a [&'static Column]>,
}

impl Serialize for Flows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rows, at_ns, who, fields } = self;
        let object = |row| FlowObject { source: Source::new(row, *at_ns, *who), fields: *fields };
        serializer.collect_seq(rows.iter().map(object))
    }
}

struct FlowObject<'a> {
    source: Source<'a>,
    fields: Option<&'a [&'static Column]>,
}

impl Serialize for FlowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { source, fields } = self;
        if let Some(fields) = fields {
            return serializer.collect_map(fields.iter().map(|field| (field.name, field.value(source))));
        }
        let mut object = serializer.serialize_map(None)?;
        for field in ALL.iter().filter(|field| field.in_peer().is_none()) {
            object.serialize_entry(field.name, &field.value(source))?;
        }
        object.serialize_entry("peer", &source.has_peer().then_some(PeerObject { source }))?;
        object.end()
    }
}

/// The other end, where it is on this host.
struct PeerObject<'a> {
    source: &'a Source<'a>,
}

impl Serialize for PeerObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = ALL.iter().filter_map(|field| Some((field.in_peer()?, field)));
        serializer.collect_map(fields.map(|(name, field)| (name, field.value(self.source))))
    }
}

#[derive(Serialize)]
struct TotalsObject {
    tx_bytes: u64,
    rx_bytes: u64,
    #[serde(flatten)]
    rates: RateFields,
    tx_peak: f64,
    rx_peak: f64,
}

#[derive(Serialize)]
struct RateFields {
    tx_rate_2s: f64,
    tx_rate_10s: f64,
    tx_rate_40s: f64,
    rx_rate_2s: f64,
    rx_rate_10s: f64,
    rx_rate_40s: f64,
}

#[derive(Serialize)]
struct Untracked {
    flows: u64,
    tx_bytes: u64,
    rx_bytes: u64,
}

fn totals(ledger: &Ledger) -> TotalsObject {
    let totals = ledger.totals();
    TotalsObject {
        tx_bytes: totals.bytes.tx,
        rx_bytes: totals.bytes.rx,
        rates: rates(&totals.rates),
        tx_peak: totals.peak.tx_per_s,
        rx_peak: totals.peak.rx_per_s,
    }
}

fn rates(rates: &Rates) -> RateFields {
    let [tx_rate_2s, tx_rate_10s, tx_rate_40s] = Window::ALL.map(|window| rates.tx_per_s(window));
    let [rx_rate_2s, rx_rate_10s, rx_rate_40s] = Window::ALL.map(|window| rates.rx_per_s(window));
    RateFields { tx_rate_2s, tx_rate_10s, tx_rate_40s, rx_rate_2s, rx_rate_10s, rx_rate_40s }
}

/// Every kind of loss by its name, whether it has happened or not.
fn losses<S: Serializer>(losses: &Losses, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(losses.named())
}

fn counts<S: Serializer>(counts: &[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().copied())
}
