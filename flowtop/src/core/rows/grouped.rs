//! Rows of `--by`: connections that have something in common, and their sum. Every connection is in exactly one row.

use std::collections::HashMap;

use super::{Rank, Row, arrange, connections};
use crate::core::column::{self, Column, Source, Value, Who};
use crate::core::group::{Group, Key, NET_FIELD, network};
use crate::core::ledger::Ledger;
use crate::core::view::{Sort, View};
use crate::core::window::{Bytes, Rates, Window};

#[cfg(test)]
mod tests;

/// What tells one row from another: the fields of its keys, as text that is only compared.
type Identity = String;

/// Connections that have the keys of a group in common.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedRow {
    identity: Identity,
    /// What they have in common, for each key its values.
    cells: Vec<(Key, Vec<Value>)>,
    /// How many they are.
    pub connections: u64,
    /// The sum of their rates.
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
    /// Bytes put on the wire, bytes and segments put there again, in the lives of the sockets.
    wire: [u64; 3],
}

impl GroupedRow {
    fn new(identity: Identity, cells: Vec<(Key, Vec<Value>)>) -> Self {
        let (rates, bytes) = Default::default();
        Self { identity, cells, connections: 0, rates, bytes, wire: [0; 3] }
    }

    fn add(&mut self, row: &Row<'_>) {
        self.connections += 1;
        self.rates += row.rates;
        self.bytes += row.bytes;
        // What the right end puts on the wire is not what the left one does.
        if row.turned {
            return;
        }
        let flow = row.entry.flow();
        let wire = [flow.sent_bytes, flow.retrans_bytes, flow.retrans_segs.into()];
        for (sum, more) in self.wire.iter_mut().zip(wire) {
            *sum = sum.saturating_add(more);
        }
    }

    /// What the connections have in common, as one text; `-` for what is not known.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<_> = self.cells.iter().map(|(key, values)| text_of(*key, values)).collect();
        texts.join(" ")
    }

    /// Every field with its name: those of the keys, then the sums.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let keys = self
            .cells
            .iter()
            .flat_map(|(key, values)| key.fields().iter().copied().zip(values.iter().cloned()));
        let integers = [self.connections, self.bytes.tx, self.bytes.rx];
        let rates = [Rates::tx_per_s, Rates::rx_per_s]
            .into_iter()
            .flat_map(|per_s| Window::ALL.map(|window| Value::Number(per_s(&self.rates, window))));
        let sums = integers.into_iter().map(Value::Integer).chain(rates);
        let sums = sums.chain(self.wire.into_iter().map(Value::Integer));
        keys.chain(SUMS.into_iter().zip(sums)).collect()
    }
}

/// The fields that are sums.
const SUMS: [&str; 12] = [
    "connections",
    "tx_bytes",
    "rx_bytes",
    "tx_rate_2s",
    "tx_rate_10s",
    "tx_rate_40s",
    "rx_rate_2s",
    "rx_rate_10s",
    "rx_rate_40s",
    "sent_bytes",
    "retrans_bytes",
    "retrans_segs",
];

/// The names of all fields of a group's rows.
#[must_use]
pub fn fields(group: &Group) -> Vec<&'static str> {
    group.keys().flat_map(|key| key.fields().iter().copied()).chain(SUMS).collect()
}

/// Whether rows of some group have a field of this name that connections do not have.
#[must_use]
pub fn has_field(name: &str) -> bool {
    name == NET_FIELD || SUMS.contains(&name)
}

/// The fields of `--fields` for a group's rows, in that order.
///
/// # Errors
/// The first name that is none of them, with those that are.
pub fn parse_fields(group: &Group, names: &str) -> Result<Vec<&'static str>, String> {
    let known = fields(group);
    let find = |name: &str| {
        let found = known.iter().find(|field| **field == name);
        let unknown =
            || format!("unknown field {name:?}; the fields of --by {group} are {}", known.join(","));
        found.copied().ok_or_else(unknown)
    };
    names.split(',').map(str::trim).map(find).collect()
}

/// The given fields of a row in that order, or all of them.
#[must_use]
pub fn picked(row: &GroupedRow, fields: Option<&[&'static str]>) -> Vec<(&'static str, Value)> {
    let all = row.fields();
    let Some(fields) = fields else { return all };
    let find = |field: &&'static str| all.iter().find(|(name, _)| name == field).cloned();
    fields.iter().filter_map(find).collect()
}

/// `default/web-0`, `nginx[42]`, `192.0.2.1:80`: as people write it.
fn text_of(key: Key, values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(Value::text).collect();
    let known: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    match (key, &known[..]) {
        (_, []) => "-".to_owned(),
        (Key::Flow, [local, local_port, remote, remote_port, _]) => {
            format!("{} {}", end(local, local_port), end(remote, remote_port))
        }
        (Key::Process, [pid, comm]) => format!("{comm}[{pid}]"),
        (Key::Container, [_, name]) => (*name).to_owned(),
        (Key::LocalPort | Key::RemotePort, [port]) => format!(":{port}"),
        (Key::Netns, [inode]) => format!("net:[{inode}]"),
        _ => known.join("/"),
    }
}

fn end(address: &str, port: &str) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The rows of a view that has a group, sorted as connections are. Where hosts are sorted it is by what is common.
#[must_use]
pub fn rows(ledger: &Ledger, view: &View, who: Who<'_>) -> Vec<GroupedRow> {
    let sorts_by_text = matches!(view.sort, Sort::Source | Sort::Destination);
    let ranked = sums(ledger, view.by, who).into_values().map(|row| {
        let text = if sorts_by_text { row.text() } else { String::new() };
        (Rank::new(view, text, &row.rates, row.bytes), row)
    });
    arrange(ranked.collect(), view.limit, |row| row.identity.clone())
}

fn sums(ledger: &Ledger, group: Group, who: Who<'_>) -> HashMap<Identity, GroupedRow> {
    let keys: Vec<(Key, Vec<&'static Column>)> = group.keys().map(|key| (key, columns(key))).collect();
    let (mut sums, mut identity) = (HashMap::<Identity, GroupedRow>::new(), Identity::new());
    for row in connections(ledger) {
        let source = Source::new(&row, ledger.at_ns(), who);
        let cells: Vec<_> =
            keys.iter().map(|(key, columns)| (*key, values(*key, columns, &source, &row))).collect();
        write_identity(&mut identity, &cells);
        // Asked by reference first: most rows have a sum already, and need no text of their own.
        if !sums.contains_key(&identity) {
            sums.insert(identity.clone(), GroupedRow::new(identity.clone(), cells));
        }
        if let Some(sum) = sums.get_mut(&identity) {
            sum.add(&row);
        }
    }
    sums
}

fn columns(key: Key) -> Vec<&'static Column> {
    let named = |name: &&str| column::ALL.iter().find(|column| column.name == *name);
    key.fields().iter().filter_map(named).collect()
}

fn values(key: Key, columns: &[&Column], source: &Source<'_>, row: &Row<'_>) -> Vec<Value> {
    match key {
        Key::Net(bits) => vec![Value::Text(network(row.tuple.remote.ip(), bits))],
        _ => columns.iter().map(|column| column.value(source)).collect(),
    }
}

/// Values in a form in which different ones differ: texts are free of control characters.
fn write_identity(identity: &mut Identity, cells: &[(Key, Vec<Value>)]) {
    identity.clear();
    for value in cells.iter().flat_map(|(_, values)| values) {
        if *value != Value::Null {
            identity.push('\u{1}');
            identity.push_str(&value.text());
        }
        identity.push('\0');
    }
}

/// The rows of the moment when the order was frozen. They stay, in their order, and their values go on.
#[derive(Clone, Debug)]
pub struct Frozen {
    group: Group,
    rows: Vec<GroupedRow>,
}

impl Frozen {
    /// Freezes these rows of a view.
    #[must_use]
    pub fn new(view: &View, rows: &[GroupedRow]) -> Self {
        Self { group: view.by, rows: rows.to_vec() }
    }

    /// The frozen rows with the values of now; none of another group.
    #[must_use]
    pub fn rows(&self, ledger: &Ledger, view: &View, who: Who<'_>) -> Option<Vec<GroupedRow>> {
        if self.group != view.by {
            return None;
        }
        let mut sums = sums(ledger, self.group, who);
        let now = |row: &GroupedRow| {
            let empty = || GroupedRow::new(row.identity.clone(), row.cells.clone());
            sums.remove(&row.identity).unwrap_or_else(empty)
        };
        Some(self.rows.iter().map(now).collect())
    }
}
