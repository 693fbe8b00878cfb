//! iftop's text report, byte for byte: two lines a row, totals, peak, cumulative.
//!
//! Not in here: which rows there are (`core::rows::merged`) and how a number is written (`core::number`).

use std::iter::repeat_n;

use super::column::Who;
use super::ledger::{Ledger, Losses, Totals};
use super::names::{Names, printable};
use super::number::{Unit, number};
use super::owner::Identity;
use super::rows::grouped::{self, GroupedRow};
use super::rows::merged::{End, EndOwner, Frozen, Host, MergedRow, rows};
use super::view::View;
use super::window::{Bytes, Rates, Window};

#[cfg(test)]
mod tests;

/// Columns of a line with a host in it, and of the rules between the parts.
const LINE_CHARS: usize = 92;
/// Columns of a number.
const CELL_CHARS: usize = 10;
/// Columns of a host.
const HOST_CHARS: usize = 40;
/// What is kept of a host's name.
const NAME_CHARS: usize = HOST_CHARS - 1;

/// Over the owners, which stand to the right of iftop's columns.
const OWNER_TITLE: &str = "  owner";

/// The first line of a run: where the traffic comes from. No names are all interfaces.
#[must_use]
pub fn listening_on(interfaces: &[String]) -> String {
    let names = if interfaces.is_empty() { "any".to_owned() } else { interfaces.join(",") };
    format!("Listening on {names}\n")
}

/// Makes one report after another, and keeps what is frozen in between.
#[derive(Debug, Default)]
pub struct Reports {
    frozen: Option<Frozen>,
    frozen_groups: Option<grouped::Frozen>,
}

impl Reports {
    /// One block: from the header to the rule at its end and the empty line after that.
    pub fn report(&mut self, ledger: &Ledger, view: &View, names: &dyn Names, who: Who<'_>) -> String {
        let writer = Writer { view, names, who };
        let mut rows = String::new();
        if view.by.is_some() {
            for (index, row) in self.groups(ledger, &writer).iter().enumerate() {
                writer.write_group(&mut rows, index + 1, row);
            }
        } else {
            for (index, row) in self.rows(ledger, &writer).iter().enumerate() {
                writer.write_row(&mut rows, index + 1, row);
            }
        }
        writer.block(ledger, &rows)
    }

    fn rows(&mut self, ledger: &Ledger, writer: &Writer<'_>) -> Vec<MergedRow> {
        self.frozen = self.frozen.take().filter(|_| writer.view.order_frozen);
        if let Some(frozen) = &self.frozen {
            return frozen.rows(ledger);
        }
        let rows = rows(ledger, writer.view, |host| writer.host(host));
        self.frozen = writer.view.order_frozen.then(|| Frozen::new(writer.view, &rows));
        rows
    }

    fn groups(&mut self, ledger: &Ledger, writer: &Writer<'_>) -> Vec<GroupedRow> {
        let Writer { view, who, .. } = writer;
        self.frozen_groups = self.frozen_groups.take().filter(|_| view.order_frozen);
        if let Some(rows) = self.frozen_groups.as_ref().and_then(|frozen| frozen.rows(ledger, view, *who)) {
            return rows;
        }
        let rows = grouped::rows(ledger, view, *who);
        self.frozen_groups = view.order_frozen.then(|| grouped::Frozen::new(view, &rows));
        rows
    }
}

/// What a block is written with.
struct Writer<'a> {
    view: &'a View,
    names: &'a dyn Names,
    who: Who<'a>,
}

impl Writer<'_> {
    fn block(&self, ledger: &Ledger, rows: &str) -> String {
        let divider = "-".repeat(LINE_CHARS);
        let mut block = String::new();
        let out = &mut block;
        let shows_owners = self.view.grouping.owners && !self.view.by.is_some();
        line(out, &(header() + if shows_owners { OWNER_TITLE } else { "" }));
        line(out, &divider);
        out.push_str(rows);
        line(out, &divider);
        let totals = ledger.totals();
        self.write_totals(out, &totals);
        line(out, &divider);
        self.write_sums(out, &totals);
        write_untracked(out, ledger);
        write_losses(out, &ledger.losses());
        if self.view.grouping.owners || self.view.by.asks_owner() {
            self.write_trouble(out);
        }
        line(out, &"=".repeat(LINE_CHARS));
        line(out, "");
        block
    }

    /// What connections have in common with what they send and, below, how many they are with what they receive.
    fn write_group(&self, out: &mut String, index: usize, row: &GroupedRow) {
        let direction = |per_s: fn(&Rates, Window) -> f64, bytes: u64| {
            let rates = self.rates(Window::ALL.map(|window| per_s(&row.rates, window)));
            rates + &cells(&[amount(bytes)])
        };
        let words: Vec<_> = row.text().split(' ').map(printable).collect();
        let plural = if row.connections == 1 { "" } else { "s" };
        let count = format!("{} connection{plural}", row.connections);
        let sent = direction(Rates::tx_per_s, row.bytes.tx);
        let received = direction(Rates::rx_per_s, row.bytes.rx);
        line(out, &format!("{index:>4} {} =>{sent}", fit(&words.join(" "), "")));
        line(out, &format!("     {} <={received}", fit(&count, "")));
    }

    /// What files about owners could not be read, or not be shown as they are.
    fn write_trouble(&self, out: &mut String) {
        for (name, count) in self.who.trouble.iter().filter(|(_, count)| *count > 0) {
            write_sum(
                out,
                &format!("Owners ({name}):"),
                &cells(&[String::new(), String::new(), count.to_string()]),
            );
        }
    }

    /// Behind the numbers: `PID/COMMAND USER PLACE`, and how many more use the socket; or why nobody is known.
    fn owner(&self, end: End) -> String {
        let Some(EndOwner { seen, users, why }) = end.owner else { return String::new() };
        if !seen.is_user_process() {
            return format!("  {why}");
        }
        let identity = self.who.owners.identity(&seen, u64::MAX);
        let known = |text: fn(&Identity) -> Option<String>| identity.as_deref().and_then(text);
        let comm = known(|identity| identity.comm.clone()).or_else(|| seen.comm_text());
        let process = format!("{}/{}", seen.pid, comm.unwrap_or_default());
        let parts = [Some(process), known(|identity| identity.user.clone()), known(Identity::place)];
        let texts: Vec<_> = parts.iter().flatten().map(|text| printable(text)).collect();
        let more = if users > 1 { format!(" (+{})", users - 1) } else { String::new() };
        format!("  {}{more}", texts.join(" "))
    }

    /// The left host with what it sends and, below, the right one with what it sends.
    fn write_row(&self, out: &mut String, index: usize, row: &MergedRow) {
        let direction = |per_s: fn(&Rates, Window) -> f64, bytes: u64| {
            let rates = self.rates(Window::ALL.map(|window| per_s(&row.rates, window)));
            rates + &cells(&[amount(bytes)])
        };
        let sent = direction(Rates::tx_per_s, row.bytes.tx);
        let received = direction(Rates::rx_per_s, row.bytes.rx);
        let (left, right) = (row.ends.source, row.ends.destination);
        line(out, &format!("{index:>4} {} =>{sent}{}", self.end(left), self.owner(left)));
        line(out, &format!("     {} <={received}{}", self.end(right), self.owner(right)));
    }

    /// Three cells of rates.
    fn rates(&self, per_s: [f64; 3]) -> String {
        cells(&per_s.map(|rate| number(rate, self.view.unit)))
    }

    /// A host as it is displayed, without its port.
    fn host(&self, host: Host) -> String {
        let Host::Shown(address) = host else { return " * ".to_owned() };
        let mut name = self.view.host_names.then(|| self.names.host(address)).flatten();
        if let Some(name) = &mut name {
            name.truncate(name.floor_char_boundary(NAME_CHARS));
        }
        name.unwrap_or_else(|| address.to_string())
    }

    fn port(&self, port: u16) -> String {
        let name = self.view.service_names.then(|| self.names.service(port)).flatten();
        name.map_or_else(|| format!(":{port}"), |name| format!(":{name}"))
    }

    /// A host with its port, if that is shown, in exactly [`HOST_CHARS`] columns. Where it does not fit the host is
    /// cut, closing bracket included, so that the port survives.
    fn end(&self, end: End) -> String {
        let host = self.host(end.host);
        let Some(port) = end.port else { return fit(&host, "") };
        let host = if end.host.is_ipv6() { format!("[{host}]") } else { host };
        fit(&host, &self.port(port))
    }

    fn write_totals(&self, out: &mut String, totals: &Totals) {
        let of = |per_s: fn(&Rates, Window) -> f64| {
            self.rates(Window::ALL.map(|window| per_s(&totals.rates, window)))
        };
        write_sum(out, "Total send rate:", &of(Rates::tx_per_s));
        write_sum(out, "Total receive rate:", &of(Rates::rx_per_s));
        write_sum(out, "Total send and receive rate:", &of(Rates::sum_per_s));
    }

    fn write_sums(&self, out: &mut String, totals: &Totals) {
        let peak = &totals.peak;
        let peaks = self.rates([peak.tx_per_s, peak.rx_per_s, peak.sum_per_s]);
        write_sum(out, "Peak rate (sent/received/total):", &peaks);
        write_sum(out, "Cumulative (sent/received/total):", &amounts(totals.bytes));
    }
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
    let mut cells = String::with_capacity(texts.len() * (1 + CELL_CHARS));
    for text in texts.iter().map(AsRef::as_ref) {
        cells.extend(repeat_n(' ', 1 + CELL_CHARS.saturating_sub(text.len())));
        cells.push_str(text);
    }
    cells
}

/// A host with what follows it in [`HOST_CHARS`] columns, at the host's expense.
fn fit(host: &str, suffix: &str) -> String {
    let suffix = &suffix[..suffix.floor_char_boundary(HOST_CHARS)];
    let mut cell = String::with_capacity(HOST_CHARS);
    cell.push_str(&host[..host.floor_char_boundary(HOST_CHARS - suffix.len())]);
    cell.push_str(suffix);
    cell.extend(repeat_n(' ', HOST_CHARS - cell.len()));
    cell
}

/// Bytes since the start, in bytes whatever the rates are in.
fn amount(bytes: u64) -> String {
    number(bytes as f64, Unit::Bytes)
}

/// Sent, received, both.
fn amounts(bytes: Bytes) -> String {
    cells(&[bytes.tx, bytes.rx, bytes.sum()].map(amount))
}

/// A line of the lower parts: a label in 48 columns and three cells.
fn write_sum(out: &mut String, label: &str, cells: &str) {
    line(out, &format!("{label:<48}{cells}"));
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
