//! The JSON contract: one object a report, on one line. Names are added, never changed or taken away.
//!
//! `null` means unknown. Bytes are integers and count from the start of flowtop, rates are bytes per second; the
//! segment and retransmission counters are over the life of the socket.

use std::io;

use serde::{Serialize, Serializer};

use flowtop_core::column::{ALL, Column, Source};
use flowtop_core::cost::Cost;
use flowtop_core::coverage::Coverage;
use flowtop_core::group::Group;
use flowtop_core::ledger::{Ledger, Losses};
use flowtop_core::record::Rest;
use flowtop_core::rows::grouped::{self, ExtraSums, GroupedRow};
use flowtop_core::rows::{beyond, rows};
use flowtop_core::trigger::Trigger;
use flowtop_core::view::View;
use flowtop_core::who::Who;
use flowtop_core::window::{Rates, Window};

#[cfg(test)]
mod tests;

/// Facts of a report that are not in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// Wall-clock time as RFC 3339 with its offset.
    pub time: &'a str,
    /// Since when bytes are counted, in the same form.
    pub start: &'a str,
    pub host: &'a str,
    /// The hook plan: `fentry`, `kprobe` or `tracepoint`.
    pub hooks: &'a str,
    /// The trigger in force, and the reason for it; `None` in replays and demos.
    pub trigger: Option<&'a (Trigger, String)>,
    pub who: Who<'a>,
    /// Cost of flowtop since the previous report; `None` without `--cost`.
    pub cost: Option<Cost>,
    /// The counters of the interfaces against the flows; `None` if they are not known.
    pub coverage: Option<&'a Coverage>,
}

/// The heading of the reports in tests.
#[cfg(test)]
pub(crate) fn heading() -> Heading<'static> {
    Heading {
        time: "2026-03-01T12:00:02.5+01:00",
        start: "2026-03-01T12:00:00.5+01:00",
        host: "gate",
        hooks: "fentry",
        trigger: None,
        who: Who::nobody(),
        cost: None,
        coverage: None,
    }
}

/// Writes one report as one line, its end included. Flows have the given fields, or all of them with those of the other
/// end in an object of their own. A row is written as soon as it is made: there may be more of them than memory should hold.
///
/// # Errors
/// A failed write to `out`.
pub fn report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    view: &View,
    fields: Option<&[&'static Column]>,
    mut out: impl io::Write,
) -> io::Result<()> {
    let all = rows(ledger, view);
    let others = beyond(ledger, view, &all);
    let (head, tail) = ends(heading, ledger, Lists::of_flows(ledger, others.as_ref()));
    out.write_all(head.as_bytes())?;
    out.write_all(b",\"flows\":[")?;
    let flow = Object::of_flow(fields);
    let mut text = String::new();
    for (index, row) in all.iter().enumerate() {
        text.clear();
        if index > 0 {
            text.push(',');
        }
        flow.write(&mut text, &Source::new(row, ledger.at_ns(), heading.who));
        out.write_all(text.as_bytes())?;
    }
    out.write_all(b"]")?;
    out.write_all(tail.as_bytes())
}

/// Writes one report of groups, in the same way; they stand where flows stood.
///
/// # Errors
/// A failed write to `out`.
pub fn grouped_report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    groups: &grouped::Groups,
    fields: Option<&[&'static str]>,
    mut out: impl io::Write,
) -> io::Result<()> {
    let lists = Lists {
        by: Some(groups.by.keys().map(|key| key.to_string()).collect()),
        groups: Some(Groups { rows: &groups.rows, fields }),
        others: groups.others.as_ref().map(OthersObject::from),
        local_twice: groups.local_twice.as_ref().map(AmountsObject::from),
    };
    let (head, tail) = ends(heading, ledger, lists);
    out.write_all(head.as_bytes())?;
    out.write_all(tail.as_bytes())
}

/// Why writing a report does not fail.
const JSON: &str = "names are text and rates are finite, so it is JSON, which is text";

/// Lists in place of flows.
#[derive(Default, Serialize)]
struct Lists<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Groups<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<OthersObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_twice: Option<AmountsObject>,
}

impl Lists<'_> {
    fn of_flows(ledger: &Ledger, others: Option<&ExtraSums>) -> Self {
        let local_twice = ExtraSums::local_twice(ledger, Group::default());
        Self {
            others: others.map(OthersObject::from),
            local_twice: local_twice.as_ref().map(AmountsObject::from),
            ..Self::default()
        }
    }
}

/// Connections that are in no row.
#[derive(Serialize)]
struct OthersObject {
    connections: u64,
    #[serde(flatten)]
    amounts: AmountsObject,
}

impl From<&ExtraSums> for OthersObject {
    fn from(sums: &ExtraSums) -> Self {
        Self { connections: sums.connections, amounts: sums.into() }
    }
}

#[derive(Serialize)]
struct AmountsObject {
    tx_bytes: u64,
    rx_bytes: u64,
    #[serde(flatten)]
    rates: RateFields,
}

impl From<&ExtraSums> for AmountsObject {
    fn from(sums: &ExtraSums) -> Self {
        let ExtraSums { bytes, rates, .. } = sums;
        Self { tx_bytes: bytes.tx, rx_bytes: bytes.rx, rates: rates.into() }
    }
}

/// The object without its flows: up to the comma before them, and from behind them to the end of the line.
fn ends(heading: &Heading<'_>, ledger: &Ledger, lists: Lists<'_>) -> (String, String) {
    let (untracked, (once, _)) = (ledger.untracked(), ledger.untracked_once());
    let head = Head {
        time: heading.time,
        start: heading.start,
        host: heading.host,
        elapsed_s: ledger.elapsed_s(),
        covered_s: Window::ALL.map(|window| ledger.covered_s(window)),
        hooks: heading.hooks,
        trigger: heading.trigger.map(|(trigger, _)| trigger.name()),
        trigger_reason: heading.trigger.map(|(_, reason)| &**reason),
        totals: totals(ledger),
        lists,
    };
    // Groups have it in their rows.
    let summed_up = if head.lists.groups.is_some() { None } else { SummedUp::of(ledger) };
    let tail = Tail {
        untracked: Untracked {
            flows: untracked.flows,
            tx_bytes: untracked.tx_bytes,
            rx_bytes: untracked.rx_bytes,
            tx_bytes_once: once.tx,
            rx_bytes_once: once.rx,
        },
        summed_up,
        losses: ledger.losses(),
        attribution: heading.who.trouble,
        coverage: heading.coverage.map(CoverageObject::from),
        cost: heading.cost,
    };
    let mut head = serde_json::to_string(&head).expect(JSON);
    head.pop();
    let tail = serde_json::to_string(&tail).expect(JSON);
    (head, tail.replacen('{', ",", 1) + "\n")
}

/// Keys before the flows.
#[derive(Serialize)]
struct Head<'a> {
    time: &'a str,
    start: &'a str,
    host: &'a str,
    elapsed_s: f64,
    covered_s: [f64; 3],
    hooks: &'a str,
    trigger: Option<&'a str>,
    trigger_reason: Option<&'a str>,
    totals: TotalsObject,
    #[serde(flatten)]
    lists: Lists<'a>,
}

/// Keys behind the flows.
#[derive(Serialize)]
struct Tail<'a> {
    untracked: Untracked,
    #[serde(skip_serializing_if = "Option::is_none")]
    summed_up: Option<SummedUp>,
    #[serde(serialize_with = "losses")]
    losses: Losses,
    #[serde(serialize_with = "counts")]
    attribution: [(&'static str, u64); 3],
    coverage: Option<CoverageObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

/// The counters of interfaces, and how much of it is TCP of this host.
#[derive(Serialize)]
struct CoverageObject<'a> {
    interfaces: &'a [String],
    tx_bytes: u64,
    rx_bytes: u64,
    tcp_tx_bytes: u64,
    tcp_rx_bytes: u64,
    rest_tx_bytes: u64,
    rest_rx_bytes: u64,
    excess_tx_bytes: u64,
    excess_rx_bytes: u64,
}

impl<'a> From<&'a Coverage> for CoverageObject<'a> {
    fn from(coverage: &'a Coverage) -> Self {
        let (all, tcp) = (coverage.interfaces, coverage.tcp);
        let (rest, excess) = (coverage.rest(), coverage.excess());
        Self {
            interfaces: &coverage.names,
            tx_bytes: all.tx,
            rx_bytes: all.rx,
            tcp_tx_bytes: tcp.tx,
            tcp_rx_bytes: tcp.rx,
            rest_tx_bytes: rest.tx,
            rest_rx_bytes: rest.rx,
            excess_tx_bytes: excess.tx,
            excess_rx_bytes: excess.rx,
        }
    }
}

/// Connections that a sparse record does not tell one by one.
#[derive(Serialize)]
struct SummedUp {
    connections: u64,
    tx_bytes: u64,
    rx_bytes: u64,
}

impl SummedUp {
    fn of(ledger: &Ledger) -> Option<Self> {
        let rests = ledger.summed_up();
        let sum = |of: fn(&Rest) -> u64| rests.iter().map(of).fold(0, u64::saturating_add);
        let [tx_bytes, rx_bytes] = [sum(|rest| rest.bytes.tx), sum(|rest| rest.bytes.rx)];
        (!rests.is_empty()).then(|| Self { connections: sum(|rest| rest.flows.into()), tx_bytes, rx_bytes })
    }
}

/// Serializes the rows of `--by`.
struct Groups<'a> {
    rows: &'a [GroupedRow],
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

/// An object whose names are written once for all rows: there may be ten thousands of them.
struct Object {
    /// Brace or comma, name and colon, and the field.
    fields: Vec<(String, &'static Column)>,
    /// The other end, where it is on this host.
    peer: Option<Box<Object>>,
}

impl Object {
    /// The given fields, or all of them with those of the other end in an object of their own.
    fn of_flow(fields: Option<&[&'static Column]>) -> Self {
        if let Some(fields) = fields {
            return Self::new(fields.iter().map(|&field| (field.name, field)), None);
        }
        let of_peer = ALL.iter().filter_map(|field| Some((field.in_peer()?, field)));
        let of_flow = ALL.iter().filter(|field| field.in_peer().is_none()).map(|field| (field.name, field));
        Self::new(of_flow, Some(Box::new(Self::new(of_peer, None))))
    }

    fn new(fields: impl Iterator<Item = (&'static str, &'static Column)>, peer: Option<Box<Self>>) -> Self {
        let prefix = |(index, (name, field)): (usize, (&str, _))| {
            let mark = if index == 0 { '{' } else { ',' };
            (format!("{mark}\"{name}\":"), field)
        };
        Self { fields: fields.enumerate().map(prefix).collect(), peer }
    }

    fn write(&self, out: &mut String, source: &Source<'_>) {
        for (prefix, field) in &self.fields {
            out.push_str(prefix);
            field.write_json(source, out);
        }
        if let Some(peer) = &self.peer {
            out.push_str(",\"peer\":");
            if source.has_peer() {
                peer.write(out, source);
            } else {
                out.push_str("null");
            }
        }
        out.push('}');
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

/// The rates of both directions over each window, in bytes (with `-u packets` packets) per second.
#[derive(Serialize)]
pub(super) struct RateFields {
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
    /// With connections that stay on this host once, as in the totals.
    tx_bytes_once: u64,
    rx_bytes_once: u64,
}

fn totals(ledger: &Ledger) -> TotalsObject {
    let totals = ledger.totals();
    TotalsObject {
        tx_bytes: totals.bytes.tx,
        rx_bytes: totals.bytes.rx,
        rates: (&totals.rates).into(),
        tx_peak: totals.peak.tx_per_s,
        rx_peak: totals.peak.rx_per_s,
    }
}

impl From<&Rates> for RateFields {
    fn from(rates: &Rates) -> Self {
        let [tx_rate_2s, tx_rate_10s, tx_rate_40s] = Window::ALL.map(|window| rates.tx_per_s(window));
        let [rx_rate_2s, rx_rate_10s, rx_rate_40s] = Window::ALL.map(|window| rates.rx_per_s(window));
        Self { tx_rate_2s, tx_rate_10s, tx_rate_40s, rx_rate_2s, rx_rate_10s, rx_rate_40s }
    }
}

/// Every kind of loss by its name, whether it has happened or not.
fn losses<S: Serializer>(losses: &Losses, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(losses.named())
}

fn counts<S: Serializer>(counts: &[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().copied())
}
