//! Saves the screen as JSON. As text it is the screen itself.

use serde::Serialize;

use super::Labels;
use super::State;
use crate::json::RateFields;
use flowtop_core::ledger::Totals;
use flowtop_core::names::Names;
use flowtop_core::rows::sums::Owner;
use flowtop_core::rows::table::Group;
use flowtop_core::window::{Bytes, Rates};

#[derive(Serialize)]
struct Screen<'a> {
    time: &'a str,
    host: &'a str,
    hooks: &'a str,
    elapsed_s: f64,
    rows_are: String,
    filter: &'a str,
    pattern: Option<&'a str>,
    search: &'a str,
    connections: u32,
    all_connections: u32,
    shown: Amounts,
    hidden: Amounts,
    local_twice: Amounts,
    others: OthersObject,
    rows: Vec<RowObject>,
}

#[derive(Serialize)]
struct Amounts {
    tx_bytes: u64,
    rx_bytes: u64,
    #[serde(flatten)]
    rates: RateFields,
}

/// Bytes of groups that had to go.
#[derive(Serialize)]
struct OthersObject {
    tx_bytes: u64,
    rx_bytes: u64,
}

#[derive(Serialize)]
struct RowObject {
    source: String,
    destination: String,
    connections: u32,
    pid: Option<u32>,
    comm: Option<String>,
    #[serde(flatten)]
    amounts: Amounts,
}

/// The rows on the screen, the footer and what they depend on, as one object. Bytes count from the start, rates are
/// bytes (with `-u packets` packets) per second.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "names are text and rates are finite, so it is always JSON")]
pub fn json(state: &State, names: &dyn Names) -> String {
    let labels = state.labels(names);
    let footer = &state.footer;
    let Totals { bytes, rates, .. } = footer.shown;
    let screen = Screen {
        time: &state.time,
        host: &state.session.host,
        hooks: &state.session.hooks,
        elapsed_s: state.ledger.elapsed_s(),
        rows_are: state.by().names(),
        filter: &state.filters.net,
        pattern: state.filters.screen.as_ref().map(regex::Regex::as_str),
        search: &state.filters.search,
        connections: footer.connections,
        all_connections: footer.all_connections,
        shown: amounts(bytes, &rates),
        hidden: amounts(footer.hidden_bytes, &footer.hidden_rates),
        local_twice: amounts(footer.local_twice_bytes, &footer.local_twice_rates),
        others: OthersObject { tx_bytes: footer.others_bytes.tx, rx_bytes: footer.others_bytes.rx },
        rows: state.visible().map(|group| row(&group, &labels)).collect(),
    };
    serde_json::to_string_pretty(&screen).expect("a screen is JSON") + "\n"
}

fn row(group: &Group<'_>, labels: &Labels<'_>) -> RowObject {
    let sum = &group.sum;
    let process = if let Owner::One(process) = sum.owner { Some(process) } else { None };
    RowObject {
        source: labels.source(group.key, sum.connections).text(),
        destination: labels.destination(group.key, sum.connections).text(),
        connections: sum.connections,
        pid: process.and_then(|process| {
            flowtop_core::owner::Seen { pid: process.pid, comm: process.comm, cgroup_id: 0 }.number()
        }),
        comm: process.and_then(|process| flowtop_core::owner::comm_text(&process.comm)),
        amounts: amounts(sum.bytes, &sum.rates),
    }
}

fn amounts(bytes: Bytes, rates: &Rates) -> Amounts {
    Amounts { tx_bytes: bytes.tx, rx_bytes: bytes.rx, rates: rates.into() }
}
