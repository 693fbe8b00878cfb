//! Every field of a row in the machine formats, once.

use super::lines;
use super::report::{Report, Row, Sums};
use flowtop_core::group::Group;
use flowtop_core::rows::grouped::text_of;
use flowtop_core::rows::key::Cell;
use flowtop_core::value::Value;

/// A field: its name, its type with `?` where it may be unknown, what it says.
pub struct Field {
    /// Name in the formats; never changes.
    pub name: &'static str,
    /// Its type, with `?` where it may be unknown.
    pub kind: &'static str,
    /// One line for the reference.
    pub doc: &'static str,
    value: fn(&Report, &Sums) -> Value,
}

const fn field(
    name: &'static str,
    kind: &'static str,
    doc: &'static str,
    value: fn(&Report, &Sums) -> Value,
) -> Field {
    Field { name, kind, doc, value }
}

/// In front of the fields of the keys.
pub(super) const NODE: &str = "node";

/// Fields of the sums of a row.
pub static SUMS: [Field; 18] = [
    field(
        "connections",
        "integer",
        "Connections that have moved bytes; ends of them where the keys are of an end's owner",
        |_, s| Value::Integer(s.connections),
    ),
    field("tx_bytes", "integer", "Bytes sent in the period", |_, s| Value::Integer(s.bytes.tx)),
    field("rx_bytes", "integer", "Bytes received", |_, s| Value::Integer(s.bytes.rx)),
    field("bytes", "integer", "Both together", |_, s| Value::Integer(s.bytes.sum())),
    field(
        "tx_rate",
        "number",
        "Bytes sent per second, over the time that is known of (`counted_s`)",
        |r, s| Value::Number(r.rate(s.bytes.tx)),
    ),
    field("rx_rate", "number", "Bytes received per second, likewise", |r, s| {
        Value::Number(r.rate(s.bytes.rx))
    }),
    field("rate", "number", "Both together", |r, s| Value::Number(r.rate(s.bytes.sum()))),
    field(
        "tx_peak",
        "integer",
        "At least so many bytes sent in a second: the largest second of one socket, or the largest mean over a window",
        |_, s| Value::Integer(s.peak.tx),
    ),
    field("rx_peak", "integer", "Bytes received, likewise", |_, s| Value::Integer(s.peak.rx)),
    field("tx_share", "number?", "Part of all bytes sent, 0 to 1", |r, s| {
        share(s.bytes.tx, r.total.bytes.tx)
    }),
    field("rx_share", "number?", "Part of all bytes received", |r, s| share(s.bytes.rx, r.total.bytes.rx)),
    field("share", "number?", "Part of all bytes", |r, s| share(s.bytes.sum(), r.total.bytes.sum())),
    field(
        "tx_above_s",
        "number?",
        "Seconds of windows in which it sent above 80 % of `--limit` on average",
        |_, s| above(s, 0),
    ),
    field("rx_above_s", "number?", "Seconds in which it received above that", |_, s| above(s, 1)),
    field("above_s", "number?", "Seconds in which it did one of them", |_, s| above(s, 2)),
    field("retrans_bytes", "integer", "Bytes put on the wire again, in the windows", |_, s| {
        Value::Integer(s.retrans_bytes)
    }),
    field(
        "tx_wire_bytes",
        "integer?",
        "Bytes put on the wire in the windows: payload, repeats and headers",
        |_, s| s.on_wire.map_or(Value::Null, |bytes| Value::Integer(bytes.tx)),
    ),
    field("rx_wire_bytes", "integer?", "Bytes taken from the wire in the windows, likewise", |_, s| {
        s.on_wire.map_or(Value::Null, |bytes| Value::Integer(bytes.rx))
    }),
];

fn share(part: u64, whole: u64) -> Value {
    if whole == 0 { Value::Null } else { Value::Number(part as f64 / whole as f64) }
}

fn above(sums: &Sums, which: usize) -> Value {
    sums.above_us.map_or(Value::Null, |above_us| Value::Number(above_us[which] as f64 / 1e6))
}

/// The names of the fields that say which row it is.
pub(super) fn id_names(by: Group) -> Vec<&'static str> {
    std::iter::once(NODE).chain(by.columns().map(|column| column.name)).collect()
}

/// The names of all fields of a row.
pub(super) fn names(by: Group) -> Vec<&'static str> {
    id_names(by).into_iter().chain(SUMS.iter().map(|field| field.name)).collect()
}

/// The values that say which row it is.
pub(super) fn id(by: Group, row: &Row) -> Vec<Value> {
    let node = row.host.as_deref().map_or(Value::Null, |host| Value::Text(host.to_owned()));
    let cells: Vec<_> = row.cells.iter().map(Cell::values).collect();
    std::iter::once(node).chain(by.columns().map(|column| cells[column.key][column.value].clone())).collect()
}

pub(super) fn sums(report: &Report, sums: &Sums) -> Vec<Value> {
    SUMS.iter().map(|field| (field.value)(report, sums)).collect()
}

/// Title of a row; `-` for an unknown value.
pub(super) fn title(by: Group, row: &Row, with_host: bool) -> String {
    let host = row.host.iter().filter(|_| with_host).map(ToString::to_string);
    let cells = by.keys().zip(row.cells.iter()).map(|(key, cell)| text_of(key, &cell.values()));
    if row.cells.is_empty() {
        return "all".to_owned();
    }
    lines::shown(&host.chain(cells).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// The page is written by hand, except between these markers.
    const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference.md"));
    const MARKERS: [&str; 2] = ["<!-- report fields -->\n", "<!-- /report fields -->\n"];

    #[test]
    fn the_reference_has_every_field() {
        let mut table = "| field | type | content |\n|---|---|---|\n".to_owned();
        for Field { name, kind, doc, .. } in &SUMS {
            writeln!(table, "| `{name}` | {kind} | {doc} |").unwrap();
        }
        let written = REFERENCE.split_once(MARKERS[0]).and_then(|(_, rest)| rest.split_once(MARKERS[1]));
        assert_eq!(
            written.map(|(table, _)| table),
            Some(&table[..]),
            "docs/reference.md must have this table:\n{table}"
        );
    }

    #[test]
    fn a_field_of_a_key_is_no_sum() {
        let keys = ["flow,process,user,unit", "container,pod,netns,label", "net/24,peer"]
            .map(|by| Group::parse(by).unwrap());
        for names in keys.map(id_names) {
            assert!(names.iter().all(|name| SUMS.iter().all(|field| field.name != *name)));
        }
    }
}
