//! The report as CSV: one line per row, then the sums beside the rows and the total. An unknown value is empty.

use std::io;

use jiff::Timestamp;

use super::Period;
use super::diff::{Diff, more};
use super::entries::{self, Entry};
use super::fields;
use super::report::Report;
use crate::csv::Line;
use flowtop_core::group::Group;
use flowtop_core::value::Value;

/// Columns in front of all fields.
const FRONT: [&str; 3] = ["from", "to", "kind"];

/// Behind the fields, where two periods are compared.
pub(super) const CHANGES: [&str; 6] =
    ["presence", "tx_bytes_before", "rx_bytes_before", "tx_bytes_more", "rx_bytes_more", "rate_more"];

/// Writes the names, if asked for, and the lines of at most so many rows.
///
/// # Errors
/// A failed write to `out`.
pub fn report(report: &Report, rows: Option<usize>, with_names: bool, out: impl io::Write) -> io::Result<()> {
    let list = entries::of_report(report, rows);
    let names = with_names.then(|| names(report.by));
    text(names, list.iter().map(|entry| values(report, &entry)), out)
}

/// Writes a comparison of two periods.
///
/// # Errors
/// As for [`report`].
pub fn diff(diff: &Diff, rows: Option<usize>, with_names: bool, out: impl io::Write) -> io::Result<()> {
    let list = entries::of_diff(diff, rows);
    let names = with_names.then(|| [names(diff.now.by), CHANGES.to_vec()].concat());
    let line = |entry: Entry<'_>| [values(&diff.now, &entry), changes(diff, &entry).to_vec()].concat();
    text(names, list.iter().map(line), out)
}

fn names(by: Group) -> Vec<&'static str> {
    FRONT.into_iter().chain(fields::names(by)).collect()
}

fn values(report: &Report, entry: &Entry<'_>) -> Vec<Value> {
    let Period { from_us, to_us } = report.period;
    let front = [Value::Text(rfc3339(from_us)), Value::Text(rfc3339(to_us)), Value::Word(entry.kind.word())];
    let id = entry.row.map_or_else(
        || vec![Value::Null; fields::id_names(report.by).len()],
        |row| fields::id(report.by, row),
    );
    [front.to_vec(), id, fields::sums(report, &entry.sums)].concat()
}

pub(super) fn changes(diff: &Diff, entry: &Entry<'_>) -> [Value; 6] {
    let (now, before) = (entry.sums.bytes, entry.before.bytes);
    [
        Value::Word(entry.presence.word()),
        Value::Integer(before.tx),
        Value::Integer(before.rx),
        Value::Signed(more(now.tx, before.tx)),
        Value::Signed(more(now.rx, before.rx)),
        Value::Number(diff.more_per_s(now.sum(), before.sum())),
    ]
}

/// A time in µs since 1970 as RFC 3339 in UTC.
pub(super) fn rfc3339(us: i64) -> String {
    Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |at| at.to_string())
}

fn text(
    names: Option<Vec<&'static str>>,
    lines: impl Iterator<Item = Vec<Value>>,
    mut out: impl io::Write,
) -> io::Result<()> {
    let mut line = Line::after(&[]);
    if let Some(names) = names {
        for name in names {
            line.push(|field| field.push_str(name));
        }
        line.end(&mut out)?;
    }
    for values in lines {
        for value in values {
            line.push(|field| value.write_csv(field));
        }
        line.end(&mut out)?;
    }
    Ok(())
}
