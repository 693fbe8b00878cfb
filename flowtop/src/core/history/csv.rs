//! The report as CSV, quoted as RFC 4180 says: one line a row, then what is no row and the total. What is not known is
//! empty.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use jiff::Timestamp;

use super::Period;
use super::diff::{Diff, more};
use super::entries::{self, Entry};
use super::fields;
use super::report::Report;
use crate::core::column::Value;
use crate::core::group::Group;

/// In front of all fields.
const FRONT: [&str; 3] = ["from", "to", "kind"];

/// Behind the fields, where two periods are compared.
pub(super) const CHANGES: [&str; 6] =
    ["presence", "tx_bytes_before", "rx_bytes_before", "tx_bytes_more", "rx_bytes_more", "rate_more"];

/// The names, if asked for, and the lines of at most so many rows.
#[must_use]
pub fn report(report: &Report, rows: Option<usize>, with_names: bool) -> String {
    let names = with_names.then(|| names(report.by));
    let lines = entries::of_report(report, rows);
    let lines = lines.iter().map(|entry| values(report, entry).iter().map(Value::text).collect());
    text(names.into_iter().map(|names| names.iter().map(|&name| name.to_owned()).collect()).chain(lines))
}

/// The same of two periods.
#[must_use]
pub fn diff(diff: &Diff, rows: Option<usize>, with_names: bool) -> String {
    let names = with_names.then(|| [names(diff.now.by), CHANGES.to_vec()].concat());
    let entries = entries::of_diff(diff, rows);
    let lines = entries.iter().map(|entry| {
        let values = [values(&diff.now, entry), changes(diff, entry).to_vec()].concat();
        values.iter().map(Value::text).collect()
    });
    text(names.into_iter().map(|names| names.iter().map(|&name| name.to_owned()).collect()).chain(lines))
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

/// The values of [`CHANGES`].
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

/// A moment in UTC.
pub(super) fn rfc3339(us: i64) -> String {
    Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |at| at.to_string())
}

fn text(lines: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = WriterBuilder::new()
        .quote_style(QuoteStyle::Necessary)
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    for line in lines {
        out.write_record(line).expect("lines of one report have one length, and memory takes them");
    }
    let bytes = out.into_inner().expect("memory takes what is left");
    String::from_utf8(bytes).expect("fields are text")
}
