//! The JSON contract: one object a report, on one line. Names are added, never changed or taken away.
//!
//! `null` means unknown. Bytes are integers and count from the start of flowtop, rates are bytes per second; the
//! segment and retransmission counters are over the life of the socket.

use std::net::IpAddr;

use flowtop_common::{FlowKey, flags};
use serde::{Serialize, Serializer};

use super::flow::Role;
use super::ledger::{Entry, Ledger, Losses};
use super::rows::{Row, View, rows};
use super::window::{Rates, Window};
use super::wire::{comm_text, state_name};

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
}

/// One report as one line, without the newline.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "names are text and rates are finite, so it is always JSON")]
pub fn report(heading: &Heading<'_>, ledger: &Ledger, view: &View) -> String {
    let untracked = ledger.untracked();
    let report = Report {
        time: heading.time,
        host: heading.host,
        elapsed_s: ledger.elapsed_s(),
        hooks: heading.hooks,
        totals: totals(ledger),
        flows: Flows { rows: rows(ledger, view), at_ns: ledger.at_ns() },
        untracked: Untracked {
            flows: untracked.flows,
            tx_bytes: untracked.tx_bytes,
            rx_bytes: untracked.rx_bytes,
        },
        losses: ledger.losses(),
    };
    serde_json::to_string(&report).expect("a report is JSON")
}

#[derive(Serialize)]
struct Report<'a> {
    time: &'a str,
    host: &'a str,
    elapsed_s: f64,
    hooks: &'a str,
    totals: TotalsObject,
    flows: Flows<'a>,
    untracked: Untracked,
    #[serde(serialize_with = "losses")]
    losses: Losses,
}

/// The rows, each made into an object when its turn to be written has come.
struct Flows<'a> {
    rows: Vec<Row<'a>>,
    at_ns: u64,
}

impl Serialize for Flows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| flow(row, self.at_ns)))
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
struct FlowObject {
    local_addr: IpAddr,
    local_port: u16,
    remote_addr: IpAddr,
    remote_port: u16,
    #[serde(flatten)]
    end: EndFields,
    #[serde(flatten)]
    rates: RateFields,
    initiator: Option<bool>,
    srtt_us: Option<u32>,
    retrans_bytes: u64,
    retrans_segs: u32,
    segs_in: u32,
    segs_out: u32,
    sent_bytes: u64,
    cgroup_id: Option<u64>,
    age_s: Option<f64>,
    idle_s: Option<f64>,
    peer: Option<EndFields>,
}

/// What both ends of a connection have.
#[derive(Serialize)]
struct EndFields {
    netns: u32,
    pid: Option<u32>,
    comm: Option<String>,
    state: &'static str,
    tx_bytes: u64,
    rx_bytes: u64,
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

fn flow(row: &Row<'_>, at_ns: u64) -> FlowObject {
    let flow = row.entry.flow();
    FlowObject {
        local_addr: row.tuple.local.ip(),
        local_port: row.tuple.local.port(),
        remote_addr: row.tuple.remote.ip(),
        remote_port: row.tuple.remote.port(),
        end: end(row.key, row.entry),
        rates: rates(&row.rates),
        initiator: Role::of(flow.flags).connected(),
        // Eighths, to the whole microsecond below.
        srtt_us: known(flow.srtt_us_x8).map(|eighths| eighths / 8),
        retrans_bytes: flow.retrans_bytes,
        retrans_segs: flow.retrans_segs,
        segs_in: flow.segs_in,
        segs_out: flow.segs_out,
        sent_bytes: flow.sent_bytes,
        cgroup_id: known(flow.cgroup_id),
        // Of an older socket only the time since flowtop found it is known.
        age_s: (flow.flags & flags::BORN != 0).then(|| seconds(at_ns.saturating_sub(flow.opened_ns))),
        idle_s: known(flow.last_us)
            .map(|last_us| seconds(at_ns.saturating_sub(last_us.saturating_mul(1000)))),
        peer: row.peer.map(|(key, entry)| end(key, entry)),
    }
}

fn end(key: &FlowKey, entry: &Entry) -> EndFields {
    let (flow, bytes) = (entry.flow(), entry.bytes());
    EndFields {
        netns: key.netns,
        pid: known(flow.pid),
        comm: comm_text(&flow.comm),
        state: state_name(flow.state),
        tx_bytes: bytes.tx,
        rx_bytes: bytes.rx,
    }
}

/// The wire says 0 for what has not been seen.
fn known<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Every kind of loss by its name, whether it has happened or not.
fn losses<S: Serializer>(losses: &Losses, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(losses.named())
}
