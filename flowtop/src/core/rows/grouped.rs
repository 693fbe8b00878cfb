//! Rows of `--by`: connections that have something in common, and their sum. Every connection is in exactly one row.

use super::key::{Cell, Grouped, RowKey};
use super::sums::{Recipe, Sum, Sums};
use super::table::{self, Table};
use crate::core::column::{Value, Who};
use crate::core::group::{self, Column, Group, Key};
use crate::core::ledger::Ledger;
use crate::core::view::View;
use crate::core::window::{Bytes, Rates, Window};

#[cfg(test)]
mod tests;

/// Connections that have the keys of a group in common.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedRow {
    group: Group,
    key: RowKey,
    /// How many they are.
    pub connections: u64,
    /// The sum of their rates.
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
    wire: Option<Wire>,
}

/// Bytes put on the wire, bytes and segments put there again, in the lives of the sockets. Not known where that of one of
/// them is not.
type Wire = [u64; 3];

impl GroupedRow {
    fn new(group: Group, key: RowKey, sum: &Sum, wire: Option<Wire>) -> Self {
        let Sum { connections, rates, bytes, .. } = *sum;
        Self { group, key, connections: connections.into(), rates, bytes, wire }
    }

    /// The keys, each with what the connections have in common in its respect.
    fn cells(&self) -> impl Iterator<Item = (Key, &Cell)> {
        self.group.keys().zip(self.key.cells())
    }

    /// What the connections have in common, as one text; `-` for what is not known.
    #[must_use]
    pub fn text(&self) -> String {
        if self.key == RowKey::SummedUp {
            return SUMMED_UP.to_owned();
        }
        let texts: Vec<_> = self.cells().map(|(key, cell)| text_of(key, &cell.values())).collect();
        texts.join(" ")
    }

    /// Every field with its name: those of the keys, then the sums, then what a row without keys is.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let cells: Vec<_> = self.key.cells().iter().map(Cell::values).collect();
        // Of what was summed up nothing is known but the sums.
        let value = |at: &Column| cells.get(at.key).map_or(Value::Null, |values| values[at.value].clone());
        let keys = self.group.columns().map(|column| (column.name, value(&column)));
        let integers = [self.connections, self.bytes.tx, self.bytes.rx];
        let rates = [Rates::tx_per_s, Rates::rx_per_s]
            .into_iter()
            .flat_map(|per_s| Window::ALL.map(|window| Value::Number(per_s(&self.rates, window))));
        let sums = integers.into_iter().map(Value::Integer).chain(rates);
        let wire = self.wire.map_or([const { Value::Null }; 3], |wire| wire.map(Value::Integer));
        let sums = sums.chain(wire);
        let is_of_none = self.key == RowKey::SummedUp;
        let owner = if is_of_none { Value::Word(SUMMED_UP_OWNER) } else { Value::Null };
        keys.chain(SUMS.into_iter().zip(sums)).chain([(OWNER, owner)]).collect()
    }
}

/// What a row is called whose connections a sparse record has summed up.
pub const SUMMED_UP: &str = "summed up";

/// The field that says of a row without keys what it is.
pub const OWNER: &str = "owner";

/// What it says of [`SUMMED_UP`].
pub const SUMMED_UP_OWNER: &str = "summed_up";

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
    group.columns().map(|column| column.name).chain(SUMS).chain([OWNER]).collect()
}

/// Whether rows of some group have a field of this name that connections do not have.
#[must_use]
pub fn has_field(name: &str) -> bool {
    group::is_net_field(name) || SUMS.contains(&name)
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
#[must_use]
pub fn text_of(key: Key, values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(Value::text).collect();
    let known: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    match (key, &known[..]) {
        (_, []) => "-".to_owned(),
        (Key::Flow, [local, local_port, remote, remote_port, ..]) => {
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
    rows_in(&mut Table::default(), ledger, view, who)
}

/// The same where a table remembers the rows of the last report of this ledger.
pub fn rows_in(table: &mut Table, ledger: &Ledger, view: &View, who: Who<'_>) -> Vec<GroupedRow> {
    let recipe = Recipe { grouped: Grouped { by: view.by, ..Grouped::default() }, who, keep: None };
    let row = |row: table::Group<'_>| GroupedRow::new(view.by, row.key.clone(), &row.sum, None);
    let text = |key: &RowKey| GroupedRow::new(view.by, key.clone(), &Sum::default(), None).text();
    let mut rows: Vec<_> = table.first_rows(ledger, view, &recipe, &text).map(row).collect();
    let wire = wire(ledger, &table.sums, rows.iter().map(|row| &row.key));
    for row in &mut rows {
        row.wire = table.sums.row(&row.key).and_then(|at| wire[at as usize]);
    }
    rows
}

/// What the connections of these rows have put on the wire, by row. What the right end puts there is not what the left one
/// does, and a sparse record does not tell it of what it has summed up.
fn wire<'a>(ledger: &Ledger, sums: &Sums, rows: impl Iterator<Item = &'a RowKey>) -> Vec<Option<Wire>> {
    let mut wire = vec![None; sums.len()];
    rows.filter_map(|key| sums.row(key)).for_each(|row| wire[row as usize] = Some([0_u64; 3]));
    sums.summed_up_rows(ledger).for_each(|row| wire[row as usize] = None);
    for (place, row) in sums.members() {
        let its = &mut wire[row as usize];
        let Some((sum, (_, entry))) = its.as_mut().zip(ledger.at(place)) else { continue };
        if entry.is_turned() {
            *its = None;
            continue;
        }
        let flow = entry.flow();
        let more = [flow.sent_bytes, flow.retrans_bytes, flow.retrans_segs.into()];
        for (sum, more) in sum.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
    }
    wire
}

/// The rows of the moment when the order was frozen. They stay, in their order, and their values go on.
#[derive(Clone, Debug)]
pub struct Frozen {
    group: Group,
    rows: Vec<RowKey>,
}

impl Frozen {
    /// Freezes these rows of a view.
    #[must_use]
    pub fn new(view: &View, rows: &[GroupedRow]) -> Self {
        Self { group: view.by, rows: rows.iter().map(|row| row.key.clone()).collect() }
    }

    /// The frozen rows with the values of now; none of another group.
    #[must_use]
    pub fn rows(&self, ledger: &Ledger, view: &View, who: Who<'_>) -> Option<Vec<GroupedRow>> {
        if self.group != view.by {
            return None;
        }
        let sums = Sums::of(ledger, Grouped { by: self.group, ..Grouped::default() }, who);
        let wire = wire(ledger, &sums, self.rows.iter());
        let now = |key: &RowKey| {
            let row = sums.row(key);
            let sum = row.map_or_else(Sum::default, |row| sums.sum(&sums.tally(row)));
            let wire = row.and_then(|row| wire[row as usize]);
            GroupedRow::new(self.group, key.clone(), &sum, wire)
        };
        Some(self.rows.iter().map(now).collect())
    }
}
