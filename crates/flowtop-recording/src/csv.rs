//! How CSV is quoted, in reports on recordings and in live ones.

use std::io;

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

/// The writer of all CSV, the only place that quotes. Guards against formulas are in the fields
/// (`flowtop_core::column::Value::write_csv`).
pub fn writer<W: io::Write>(out: W) -> Writer<W> {
    WriterBuilder::new()
        .quote_style(QuoteStyle::Necessary)
        .terminator(Terminator::Any(b'\n'))
        .from_writer(out)
}
