//! Rows of `--by`: connections with the same keys, and their sum. Every connection is in exactly one row; where
//! a key tells owners apart, each of its ends on this host is.
//!
//! The rows and the others are the totals and, where rows are of ends, what was counted at both ends (`local_twice`).

use super::key::{Cell, Grouped, RowKey};
use super::sums::{Recipe, Sum, Sums, Wire};
use super::table::{self, Table};
use crate::column;
use crate::group::{self, Column, Group, Key};
use crate::ledger::Ledger;
use crate::value::Value;
use crate::view::View;
use crate::who::Who;
use crate::window::{Bytes, Rates, Window};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// Connections that have the keys of a group in common.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedRow {
    group: Group,
    key: RowKey,
    pub connections: u64,
    pub rates: Rates,
    /// The sum of their bytes since the start.
    pub bytes: Bytes,
    wire: Option<Wire>,
}

/// The rows of a report, and what stands beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    pub by: Group,
    pub rows: Vec<GroupedRow>,
    /// Sum of everything in no row: rows beyond the limit, and closed connections whose group is gone; `None` if
    /// empty.
    pub others: Option<ExtraSums>,
    /// Of rows of ends, what they have more than the totals.
    pub local_twice: Option<ExtraSums>,
}

/// Sums beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExtraSums {
    /// Connections, or ends of them.
    pub connections: u64,
    /// Bytes since the start.
    pub bytes: Bytes,
    pub rates: Rates,
}

impl ExtraSums {
    /// The same without one of the rows.
    #[must_use]
    pub fn less(self, connections: u64, bytes: Bytes, rates: &Rates) -> Self {
        Self {
            connections: self.connections.saturating_sub(connections),
            bytes: self.bytes.since(bytes),
            rates: self.rates.since(rates),
        }
    }

    /// Bytes that rows of ends count twice; `None` for other rows.
    #[must_use]
    pub fn local_twice(ledger: &Ledger, by: Group) -> Option<Self> {
        let (bytes, rates) = ledger.local_twice(by.groups_ends());
        (by.groups_ends() || bytes.sum() > 0).then_some(Self { connections: 0, bytes, rates })
    }
}

impl GroupedRow {
    fn new(group: Group, key: RowKey, sum: &Sum, wire: Option<Wire>) -> Self {
        let Sum { connections, rates, bytes, .. } = *sum;
        Self { group, key, connections: connections.into(), rates, bytes, wire }
    }

    /// The keys, each with what the connections have in common in its respect.
    fn cells(&self) -> impl Iterator<Item = (Key, &Cell)> {
        self.group.keys().zip(self.key.cells())
    }

    /// Values of the keys as one text; `-` for an unknown one.
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
        let life = self.wire.map_or([const { Value::Null }; 3], |wire| wire.life.map(Value::Integer));
        let on_wire = self.wire.and_then(|wire| wire.bytes);
        let on_wire =
            on_wire.map_or([const { Value::Null }; 2], |bytes| [bytes.tx, bytes.rx].map(Value::Integer));
        let sums = sums.chain(life).chain(on_wire);
        let is_of_none = self.key == RowKey::SummedUp;
        let owner = if is_of_none { Value::Word(SUMMED_UP_OWNER) } else { Value::Null };
        keys.chain(SUMS.into_iter().zip(sums)).chain([(OWNER, owner)]).collect()
    }
}

/// Title of a row that a sparse record has summed up.
pub const SUMMED_UP: &str = "summed up";

/// The field that says of a row without keys what it is.
pub const OWNER: &str = "owner";

/// Value of the field `owner` for [`SUMMED_UP`].
pub const SUMMED_UP_OWNER: &str = "summed_up";

/// The fields that are sums.
const SUMS: [&str; 14] = [
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
    "tx_wire_bytes",
    "rx_wire_bytes",
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

/// A list of fields that rows of a group do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongFields {
    #[error("unknown field {name:?}; the fields of --by {group} are {}", fields(group).join(","))]
    Unknown { name: String, group: Group },
    #[error("give each field once; {0} is there twice")]
    Twice(String),
}

/// The fields of `--fields` for a group's rows, in that order.
///
/// # Errors
/// The first name that is none of them, with those that are; or a name that is there twice.
pub fn parse_fields(group: &Group, names: &str) -> Result<Vec<&'static str>, WrongFields> {
    let known = fields(group);
    let find = |name: &str| {
        let found = known.iter().find(|field| **field == name);
        let unknown = || WrongFields::Unknown { name: name.to_owned(), group: *group };
        found.copied().ok_or_else(unknown)
    };
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    let fields = names.iter().copied().map(find).collect::<Result<_, _>>()?;
    column::doubled(&names).map_or(Ok(fields), |name| Err(WrongFields::Twice(name.to_owned())))
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

fn recipe(by: Group, who: Who<'_>) -> Recipe<'_> {
    Recipe { grouped: Grouped { by, ..Grouped::default() }, who, keep: None }
}

/// Has a table take in what the newest sample has removed from the ledger, so that its groups do not shrink.
pub fn follow(table: &mut Table, ledger: &Ledger, view: &View, who: Who<'_>) {
    table.follow(ledger, &recipe(view.by, who));
}

/// The report of a view that has a group, its rows sorted as connections are; where hosts are sorted, by what is common. A
/// table that follows the ledger has in its groups what has left it.
pub fn report(table: &mut Table, ledger: &Ledger, view: &View, who: Who<'_>) -> Groups {
    follow(table, ledger, view, who);
    let row = |row: table::Group<'_>| GroupedRow::new(view.by, row.key.clone(), &row.sum, None);
    let text = |key: &RowKey| GroupedRow::new(view.by, key.clone(), &Sum::default(), None).text();
    let recipe = recipe(view.by, who);
    let (all, rows) = table.first_rows(ledger, view, &recipe, &text);
    let rows = rows.map(row).collect();
    whole(&table.sums, ledger, view.by, &all, rows)
}

/// The rows of a report of a ledger that nothing has left.
#[cfg(any(test, feature = "fixture"))]
#[must_use]
pub fn rows(ledger: &Ledger, view: &View, who: Who<'_>) -> Vec<GroupedRow> {
    report(&mut Table::default(), ledger, view, who).rows
}

/// Rows with what they have put on the wire, and with what stands beside them. `all` is the sum of all rows there are.
fn whole(sums: &Sums, ledger: &Ledger, by: Group, all: &Sum, mut rows: Vec<GroupedRow>) -> Groups {
    let wire = wire(ledger, sums, rows.iter().map(|row| &row.key));
    for row in &mut rows {
        row.wire = sums.row(&row.key).and_then(|at| wire[at as usize]);
    }
    let local_twice = ExtraSums::local_twice(ledger, by).filter(|_| by.groups_ends());
    Groups { by, others: others(sums, ledger, all, &rows), rows, local_twice }
}

fn others(sums: &Sums, ledger: &Ledger, all: &Sum, rows: &[GroupedRow]) -> Option<ExtraSums> {
    let (connections, bytes) = sums.others(ledger);
    let mut others = ExtraSums {
        connections: connections + u64::from(all.connections),
        bytes: bytes + all.bytes,
        rates: all.rates,
    };
    for row in rows {
        others = others.less(row.connections, row.bytes, &row.rates);
    }
    (others.connections > 0).then_some(others)
}

/// What the connections of these rows have put on the wire, by row; `None` where a sparse record, which has none for its sums, or
/// a right end contributes.
fn wire<'a>(ledger: &Ledger, sums: &Sums, rows: impl Iterator<Item = &'a RowKey>) -> Vec<Option<Wire>> {
    let mut wire = vec![None; sums.len()];
    rows.filter_map(|key| sums.row(key)).for_each(|row| wire[row as usize] = sums.retained_wire(row));
    sums.summed_up_rows(ledger).for_each(|row| wire[row as usize] = None);
    for (place, row) in sums.members() {
        let its = &mut wire[row as usize];
        let Some((sum, (_, entry))) = its.as_mut().zip(ledger.at(place)) else { continue };
        if entry.is_turned() {
            *its = None;
            continue;
        }
        sum.add(&Wire::of(entry, ledger.on_wire(entry)));
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

    /// The frozen rows with the values of now, from a table that follows the ledger; none of another group.
    pub fn report(&self, table: &mut Table, ledger: &Ledger, view: &View, who: Who<'_>) -> Option<Groups> {
        if self.group != view.by {
            return None;
        }
        follow(table, ledger, view, who);
        let (all, _) = table.first_rows(ledger, view, &recipe(view.by, who), &|_| String::new());
        let sums = &table.sums;
        let now = |key: &RowKey| {
            let sum = sums.row(key).map_or_else(Sum::default, |row| sums.sum(&sums.tally(row)));
            GroupedRow::new(self.group, key.clone(), &sum, None)
        };
        let rows = self.rows.iter().map(now).collect();
        Some(whole(sums, ledger, view.by, &all, rows))
    }
}
