//! CSV: one line for each connection of each report, with the time of the report, its host and the start of its counting
//! in front, and lines for what stands beside the connections. What is not known is empty.

use std::io;

use super::json::Heading;
use flowtop_core::column::{Column, Source};
use flowtop_core::group::Group;
use flowtop_core::ledger::Ledger;
use flowtop_core::rows::{beyond, grouped, rows};
use flowtop_core::value::Value;
use flowtop_core::view::View;
use flowtop_core::window::{Bytes, Rates, Window};
use flowtop_recording::csv::Line;

#[cfg(test)]
mod tests;

/// Columns in front of the fields.
const REPORT_FIELDS: [&str; 4] = ["time", "elapsed_s", "host", "start"];

/// The values of [`REPORT_FIELDS`].
fn front(heading: &Heading<'_>, ledger: &Ledger) -> [Value; 4] {
    let text = |text: &str| Value::Text(text.to_owned());
    [text(heading.time), Value::Number(ledger.elapsed_s()), text(heading.host), text(heading.start)]
}

/// Writes the names of the fields as one line.
///
/// # Errors
/// What `out` does not take.
pub fn header(fields: &[&'static str], mut out: impl io::Write) -> io::Result<()> {
    let mut line = Line::after(&[]);
    for name in REPORT_FIELDS.iter().chain(fields) {
        line.push(|field| field.push_str(name));
    }
    line.end(&mut out)
}

/// Writes one report; nothing if there is nothing to list. A line is written as soon as it is made.
///
/// # Errors
/// A failed write to `out`.
pub fn report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    view: &View,
    fields: &[&'static Column],
    mut out: impl io::Write,
) -> io::Result<()> {
    let mut line = Line::after(&front(heading, ledger));
    let all = rows(ledger, view);
    for row in &all {
        let source = Source::new(row, ledger.at_ns(), heading.who);
        for column in fields {
            line.push(|field| column.write_csv(&source, field));
        }
        line.end(&mut out)?;
    }
    let twice = grouped::ExtraSums::local_twice(ledger, Group::default());
    let twice = twice.as_ref().map(|twice| ExtraLine::of(LOCAL_TWICE, twice));
    let others = beyond(ledger, view, &all).map(|others| ExtraLine::of(OTHERS, &others));
    for extra in
        [others, ExtraLine::untracked(ledger), ExtraLine::summed_up(ledger), twice].into_iter().flatten()
    {
        for column in fields {
            line.push(|field| extra.value(column.name).write_csv(field));
        }
        line.end(&mut out)?;
    }
    Ok(())
}

/// The owner of what is in no row.
const OTHERS: &str = "others";
/// The owner of what rows of ends have more than the totals.
const LOCAL_TWICE: &str = "local_twice";

/// A line beside the connections or groups of a report.
struct ExtraLine {
    /// Kind of the line, in the field `owner`.
    owner: &'static str,
    connections: Option<u64>,
    bytes: Bytes,
    rates: Option<Rates>,
}

impl ExtraLine {
    /// Sockets that found the kernel's table full, with their bytes as they are in the totals, so that the lines add
    /// up to the total.
    fn untracked(ledger: &Ledger) -> Option<Self> {
        let (bytes, rates) = ledger.untracked_once();
        let untracked = Self { owner: "untracked", connections: None, bytes, rates };
        (ledger.untracked().flows > 0).then_some(untracked)
    }

    /// Flows that a sparse record has summed up.
    fn summed_up(ledger: &Ledger) -> Option<Self> {
        let rests = ledger.summed_up();
        let bytes = rests.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
        // All of it has moved in the window of the record, which is each of the three.
        let rates = Some(ledger.rates_of([bytes; 3]));
        let summed_up = Self { owner: grouped::SUMMED_UP_OWNER, connections: None, bytes, rates };
        (!rests.is_empty()).then_some(summed_up)
    }

    fn of(owner: &'static str, sums: &grouped::ExtraSums) -> Self {
        let connections = Some(sums.connections).filter(|connections| *connections > 0);
        Self { owner, connections, bytes: sums.bytes, rates: Some(sums.rates) }
    }

    /// Its sums, and in `owner` what it is; nothing else is the same for all of them.
    fn value(&self, name: &str) -> Value {
        let rate = |per_s: fn(&Rates, Window) -> f64, window| {
            self.rates.map_or(Value::Null, |rates| Value::Number(per_s(&rates, window)))
        };
        match name {
            "connections" => self.connections.map_or(Value::Null, Value::Integer),
            "tx_bytes" => Value::Integer(self.bytes.tx),
            "rx_bytes" => Value::Integer(self.bytes.rx),
            "tx_rate_2s" => rate(Rates::tx_per_s, Window::S2),
            "tx_rate_10s" => rate(Rates::tx_per_s, Window::S10),
            "tx_rate_40s" => rate(Rates::tx_per_s, Window::S40),
            "rx_rate_2s" => rate(Rates::rx_per_s, Window::S2),
            "rx_rate_10s" => rate(Rates::rx_per_s, Window::S10),
            "rx_rate_40s" => rate(Rates::rx_per_s, Window::S40),
            grouped::OWNER => Value::Word(self.owner),
            _ => Value::Null,
        }
    }
}

/// Writes one report of groups: a line for each of them, and for what stands beside them.
///
/// # Errors
/// A failed write to `out`.
pub fn grouped_report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    groups: &grouped::Groups,
    fields: &[&'static str],
    mut out: impl io::Write,
) -> io::Result<()> {
    let mut line = Line::after(&front(heading, ledger));
    for row in &groups.rows {
        for (_, value) in grouped::picked(row, Some(fields)) {
            line.push(|field| value.write_csv(field));
        }
        line.end(&mut out)?;
    }
    let others = groups.others.as_ref().map(|others| ExtraLine::of(OTHERS, others));
    let twice = groups.local_twice.as_ref().filter(|twice| twice.bytes.sum() > 0);
    let twice = twice.map(|twice| ExtraLine::of(LOCAL_TWICE, twice));
    for extra in [others, ExtraLine::untracked(ledger), twice].into_iter().flatten() {
        for name in fields {
            line.push(|field| extra.value(name).write_csv(field));
        }
        line.end(&mut out)?;
    }
    Ok(())
}
