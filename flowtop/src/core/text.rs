//! iftop's text report, byte for byte: two lines a connection, totals, peak, cumulative.
//!
//! Not in here: which rows there are (`core::rows`) and how a number is written (`core::number`).

use std::net::SocketAddr;

use super::ledger::{Ledger, Losses, Totals};
use super::number::{Unit, number};
use super::rows::{Row, View, rows};
use super::window::{Bytes, Window};

#[cfg(test)]
mod tests;

/// Columns of a line with a host in it, and of the rules between the parts.
const LINE_CHARS: usize = 92;
/// Columns of a host.
const HOST_CHARS: usize = 40;

/// One block: from the header to the rule at its end and the empty line after that.
#[must_use]
pub fn report(ledger: &Ledger, view: &View) -> String {
    let divider = "-".repeat(LINE_CHARS);
    let mut block = String::new();
    let out = &mut block;
    line(out, &header());
    line(out, &divider);
    for (index, row) in rows(ledger, view).iter().enumerate() {
        write_row(out, index + 1, row);
    }
    line(out, &divider);
    let totals = ledger.totals();
    write_totals(out, &totals);
    line(out, &divider);
    write_sums(out, &totals);
    write_untracked(out, ledger);
    write_losses(out, &ledger.losses());
    line(out, &"=".repeat(LINE_CHARS));
    line(out, "");
    block
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Titles over the columns.
///
/// ```text
///    # Host name (port/service if enabled)            last 2s   last 10s   last 40s cumulative
/// 0  3 5                                         49      58 60      69 71      80 82      91
/// ```
fn header() -> String {
    let host = "Host name (port/service if enabled)";
    format!("{:>4} {host:<39}    {}", "#", cells(&["last 2s", "last 10s", "last 40s", "cumulative"]))
}

/// Cells of ten columns, each with a blank in front.
fn cells(texts: &[impl AsRef<str>]) -> String {
    texts.iter().fold(String::new(), |cells, text| cells + &format!(" {:>10}", text.as_ref()))
}

/// The line of what the left end sent and the line of what it received.
fn write_row(out: &mut String, index: usize, row: &Row<'_>) {
    let bytes = row.entry.bytes();
    let sent = Window::ALL.map(|window| row.rates.tx_per_s(window));
    let received = Window::ALL.map(|window| row.rates.rx_per_s(window));
    line(out, &format!("{index:>4} {} =>{}", host(row.tuple.local), rates_and_amount(sent, bytes.tx)));
    line(out, &format!("     {} <={}", host(row.tuple.remote), rates_and_amount(received, bytes.rx)));
}

fn rates_and_amount(per_s: [f64; 3], bytes: u64) -> String {
    rates(per_s) + &cells(&[number(bytes as f64, Unit::Bytes)])
}

fn rates(per_s: [f64; 3]) -> String {
    cells(&per_s.map(|rate| number(rate, Unit::Bits)))
}

/// An address with its port in exactly [`HOST_CHARS`] columns. Where it does not fit the address is cut, closing
/// bracket included, so that the port survives.
fn host(end: SocketAddr) -> String {
    let address = match end {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    let port = format!(":{}", end.port());
    let kept = address.len().min(HOST_CHARS - port.len());
    format!("{:<HOST_CHARS$}", format!("{}{port}", &address[..kept]))
}

/// A line of the lower parts: a label in 48 columns and three cells.
fn write_sum(out: &mut String, label: &str, cells: &str) {
    line(out, &format!("{label:<48}{cells}"));
}

fn write_totals(out: &mut String, totals: &Totals) {
    let of = |per_s: fn(&Totals, Window) -> f64| rates(Window::ALL.map(|window| per_s(totals, window)));
    write_sum(out, "Total send rate:", &of(|totals, window| totals.rates.tx_per_s(window)));
    write_sum(out, "Total receive rate:", &of(|totals, window| totals.rates.rx_per_s(window)));
    write_sum(out, "Total send and receive rate:", &of(|totals, window| totals.rates.sum_per_s(window)));
}

fn write_sums(out: &mut String, totals: &Totals) {
    let peak = &totals.peak;
    let peaks = rates([peak.tx_per_s, peak.rx_per_s, peak.sum_per_s]);
    write_sum(out, "Peak rate (sent/received/total):", &peaks);
    write_sum(out, "Cumulative (sent/received/total):", &amounts(totals.bytes));
}

/// Sent, received, both.
fn amounts(bytes: Bytes) -> String {
    cells(&[bytes.tx, bytes.rx, bytes.sum()].map(|bytes| number(bytes as f64, Unit::Bytes)))
}

/// What found the kernel's table full. iftop has no such line: programs that read a report look for labels which
/// this one must not contain.
fn write_untracked(out: &mut String, ledger: &Ledger) {
    let untracked = ledger.untracked();
    if untracked.flows > 0 {
        let bytes = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes };
        let label = format!("Untracked (sent/received/both), {} sockets:", untracked.flows);
        write_sum(out, &label, &amounts(bytes));
    }
}

/// One line for each kind of loss that has happened; the count stands in the last cell.
fn write_losses(out: &mut String, losses: &Losses) {
    for (name, count) in losses.named().filter(|(_, count)| *count > 0) {
        write_sum(
            out,
            &format!("Losses ({name}):"),
            &cells(&[String::new(), String::new(), count.to_string()]),
        );
    }
}
