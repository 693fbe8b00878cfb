//! iftop's text report, byte for byte: two lines a row, totals, peak, cumulative.
//!
//! Not in here: which rows there are (`flowtop_core::rows::merged`) and how a number is written (`flowtop_core::number`).

use std::fmt::Write as _;

use flowtop_core::ledger::{Ledger, Losses, Totals};
use flowtop_core::names::Names;
use flowtop_core::number::{Unit, write_address, write_integer, write_number};
use flowtop_core::owner::{Identity, Pod};
use flowtop_core::rows::grouped::{self, ExtraSums, GroupedRow, Groups};
use flowtop_core::rows::merged::{End, EndOwner, Frozen, Host, MergedRow, rows, rows_in};
use flowtop_core::rows::table::Table;
use flowtop_core::sanitize::printable;
use flowtop_core::view::View;
use flowtop_core::who::Who;
use flowtop_core::window::{Bytes, Rates, Window};

#[cfg(test)]
mod tests;

/// Columns of a line with a host in it, and of the rules between the parts.
const LINE_CHARS: usize = 92;
const CELL_CHARS: usize = 10;
const HOST_CHARS: usize = 40;
/// Characters of a host's name that are kept.
const NAME_CHARS: usize = HOST_CHARS - 1;

/// Below the rows: what is in none of them.
const OTHERS_TITLE: &str = "others";
/// Below groups of ends: connections with both ends here are in the group of each, and in the totals once.
const LOCAL_TWICE_TITLE: &str = "counted at both ends";
const LOCAL_TWICE_NOTE: &str = "(in the rows, once in the totals)";

/// Over the owners, which stand to the right of iftop's columns.
const OWNER_TITLE: &str = "  owner";

/// The first line of a run: where the traffic comes from. No names are all interfaces.
#[must_use]
pub fn listening_on(interfaces: &[String]) -> String {
    let names = if interfaces.is_empty() { "any".to_owned() } else { interfaces.join(",") };
    format!("Listening on {names}\n")
}

/// Asks for the names of hosts that a report of now would show. Nothing waits for an answer.
pub fn ask_names(ledger: &Ledger, view: &View, names: &dyn Names) {
    if !view.host_names || view.by.is_some() {
        return;
    }
    let writer = Writer { view, names, who: Who::nobody() };
    for row in rows(ledger, view, |host| writer.host(host)) {
        for end in [row.ends.source, row.ends.destination] {
            writer.host(end.host);
        }
    }
}

/// Makes one report after another, and keeps what is frozen in between.
#[derive(Debug, Default)]
pub struct Reports {
    frozen: Option<Frozen>,
    frozen_groups: Option<grouped::Frozen>,
    /// The rows of the last report.
    table: Table,
}

impl Reports {
    /// Forgets which rows the connections of the last ledger belong to: the next report is of another one.
    pub fn forget_ledger(&mut self) {
        self.table.sums.forget_members();
    }

    /// One block: from the header to the rule at its end and the empty line after that.
    pub fn report(&mut self, ledger: &Ledger, view: &View, names: &dyn Names, who: Who<'_>) -> String {
        let writer = Writer { view, names, who };
        let mut rows = String::new();
        if view.by.is_some() {
            let groups = self.groups(ledger, view, who);
            for (index, row) in groups.rows.iter().enumerate() {
                writer.write_group(&mut rows, index + 1, row);
            }
            writer.write_others(&mut rows, &groups);
        } else {
            let (shown, others) = self.rows(ledger, &writer);
            for (index, row) in shown.iter().enumerate() {
                writer.write_row(&mut rows, index + 1, row);
            }
            if let Some(others) = others.filter(|_| view.others) {
                writer.write_pair(
                    &mut rows,
                    "",
                    OTHERS_TITLE,
                    &Writer::connections(others.connections),
                    &others,
                );
            }
        }
        writer.block(ledger, &rows)
    }

    /// Has groups keep what the newest sample has removed from the ledger. To be called after each sample.
    pub fn follow(&mut self, ledger: &Ledger, view: &View, who: Who<'_>) {
        if view.by.is_some() {
            grouped::follow(&mut self.table, ledger, view, who);
        }
    }

    /// The report of a view that has a group, for every format.
    pub fn groups(&mut self, ledger: &Ledger, view: &View, who: Who<'_>) -> Groups {
        self.frozen_groups = self.frozen_groups.take().filter(|_| view.order_frozen);
        let frozen = self.frozen_groups.as_ref();
        let frozen = frozen.and_then(|frozen| frozen.report(&mut self.table, ledger, view, who));
        if let Some(groups) = frozen {
            return groups;
        }
        let groups = grouped::report(&mut self.table, ledger, view, who);
        self.frozen_groups = view.order_frozen.then(|| grouped::Frozen::new(view, &groups.rows));
        groups
    }

    fn rows(&mut self, ledger: &Ledger, writer: &Writer<'_>) -> (Vec<MergedRow>, Option<ExtraSums>) {
        self.frozen = self.frozen.take().filter(|_| writer.view.order_frozen);
        if let Some(frozen) = &self.frozen {
            // Their order and number are those of then.
            return (frozen.rows(ledger), None);
        }
        let (rows, others) = rows_in(&mut self.table, ledger, writer.view, |host| writer.host(host));
        self.frozen = writer.view.order_frozen.then(|| Frozen::new(writer.view, &rows));
        (rows, others)
    }
}

struct Writer<'a> {
    view: &'a View,
    names: &'a dyn Names,
    who: Who<'a>,
}

impl Writer<'_> {
    fn block(&self, ledger: &Ledger, rows: &str) -> String {
        let divider = "-".repeat(LINE_CHARS);
        // The lines around the rows are fewer than 20.
        let mut block = String::with_capacity(rows.len() + 20 * (LINE_CHARS + 1));
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
        if !self.view.by.is_some() {
            write_summed_up(out, ledger);
        }
        write_losses(out, &ledger.losses());
        write_stall(out, ledger);
        if self.view.grouping.owners || self.view.by.asks_owner() {
            self.write_trouble(out);
        }
        line(out, &"=".repeat(LINE_CHARS));
        line(out, "");
        block
    }

    /// The values of a group with the sent bytes and, below, the number of connections with the received bytes.
    fn write_group(&self, out: &mut String, index: usize, row: &GroupedRow) {
        let words: Vec<_> = row.text().split(' ').map(printable).collect();
        let GroupedRow { connections, bytes, rates, .. } = *row;
        let of = Self::connections(connections);
        self.write_pair(
            out,
            &format!("{index:>4}"),
            &words.join(" "),
            &of,
            &ExtraSums { connections, bytes, rates },
        );
    }

    /// Below the rows of groups: what is in none of them, and what they count twice.
    fn write_others(&self, out: &mut String, groups: &Groups) {
        if let Some(others) = &groups.others {
            self.write_pair(out, "", OTHERS_TITLE, &Self::connections(others.connections), others);
        }
        if let Some(twice) = groups.local_twice.as_ref().filter(|twice| twice.bytes.sum() > 0) {
            self.write_pair(out, "", LOCAL_TWICE_TITLE, LOCAL_TWICE_NOTE, twice);
        }
    }

    fn connections(connections: u64) -> String {
        format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
    }

    /// A line with what is sent and, below, one with what is received.
    fn write_pair(&self, out: &mut String, index: &str, name: &str, below: &str, sums: &ExtraSums) {
        let _ = write!(out, "{index:>4} ");
        write_cut(out, name);
        let sent = Window::ALL.map(|window| sums.rates.tx_per_s(window));
        self.write_numbers(out, " =>", sent, sums.bytes.tx);
        let _ = write!(out, "\n     ");
        write_cut(out, below);
        let received = Window::ALL.map(|window| sums.rates.rx_per_s(window));
        self.write_numbers(out, " <=", received, sums.bytes.rx);
        out.push('\n');
    }

    /// Counts of files about owners that could not be read or shown exactly.
    fn write_trouble(&self, out: &mut String) {
        for (name, count) in self.who.trouble.iter().filter(|(_, count)| *count > 0) {
            write_count(out, &format!("Owners ({name}):"), *count);
        }
    }

    /// Behind the numbers: `PID/COMMAND USER PLACE`, and how many more use the socket; or why the owner is unknown. Of
    /// an end that has no socket here, the pod with its address.
    fn owner(&self, end: End) -> String {
        let Some(EndOwner { seen, users, status }) = end.owner else { return self.pod_at(end.host) };
        if !seen.is_user_process() {
            return format!("  {}", status.name());
        }
        let identity = self.who.owners.identity(&seen, u64::MAX);
        let known = |text: fn(&Identity) -> Option<String>| identity.as_deref().and_then(text);
        let comm = known(|identity| identity.comm.clone()).or_else(|| seen.comm_text());
        let number = seen.number().map_or_else(|| "?".to_owned(), |pid| pid.to_string());
        let process = format!("{number}/{}", comm.unwrap_or_default());
        let parts = [Some(process), known(|identity| identity.user.clone()), known(Identity::place)];
        let texts: Vec<_> = parts.iter().flatten().map(|text| printable(text)).collect();
        let more = if users > 1 { format!(" (+{})", users - 1) } else { String::new() };
        format!("  {}{more}", texts.join(" "))
    }

    fn pod_at(&self, host: Host) -> String {
        let Host::Shown(address) = host else { return String::new() };
        let pod = || self.who.owners.pod_at(address);
        let pod = self.view.grouping.owners.then(pod).flatten();
        pod.as_deref().map(Pod::text).map_or_else(String::new, |text| format!("  {}", printable(&text)))
    }

    /// The left host with what it sends and, below, the right one with what it sends.
    fn write_row(&self, out: &mut String, index: usize, row: &MergedRow) {
        let _ = write!(out, "{index:>4} ");
        let sent = Window::ALL.map(|window| row.rates.tx_per_s(window));
        self.write_end(out, row.ends.source);
        self.write_numbers(out, " =>", sent, row.bytes.tx);
        line(out, &self.owner(row.ends.source));
        out.push_str("     ");
        let received = Window::ALL.map(|window| row.rates.rx_per_s(window));
        self.write_end(out, row.ends.destination);
        self.write_numbers(out, " <=", received, row.bytes.rx);
        line(out, &self.owner(row.ends.destination));
    }

    /// An arrow, the rates of its direction and its bytes since the start.
    fn write_numbers(&self, out: &mut String, arrow: &str, per_s: [f64; 3], bytes: u64) {
        out.push_str(arrow);
        self.write_rates(out, per_s);
        write_amounts(out, [bytes]);
    }

    fn write_rates(&self, out: &mut String, per_s: [f64; 3]) {
        for rate in per_s {
            write_cell(out, |out| write_number(out, rate, self.view.unit));
        }
    }

    /// A host as it is displayed, without its port.
    fn host(&self, host: Host) -> String {
        let mut text = String::new();
        self.write_host(&mut text, host);
        text
    }

    fn write_host(&self, out: &mut String, host: Host) {
        let Host::Shown(address) = host else { return out.push_str(" * ") };
        match self.view.host_names.then(|| self.names.host(address)).flatten() {
            Some(name) => out.push_str(&name[..name.floor_char_boundary(NAME_CHARS)]),
            None => write_address(out, address),
        }
    }

    fn write_port(&self, out: &mut String, port: u16) {
        out.push(':');
        match self.view.service_names.then(|| self.names.service(port)).flatten() {
            Some(name) => out.push_str(name),
            None => write_integer(out, port.into()),
        }
    }

    /// A host with its port, if that is shown, in exactly [`HOST_CHARS`] columns. Where it does not fit the host is
    /// cut, closing bracket included, so that the port survives.
    fn write_end(&self, out: &mut String, end: End) {
        let start = out.len();
        let brackets = if end.port.is_some() && end.host.is_ipv6() { ["[", "]"] } else { ["", ""] };
        out.push_str(brackets[0]);
        self.write_host(out, end.host);
        out.push_str(brackets[1]);
        let host_end = out.len();
        if let Some(port) = end.port {
            self.write_port(out, port);
        }
        fit(out, start, host_end);
    }

    fn write_totals(&self, out: &mut String, totals: &Totals) {
        let mut write = |label: &str, per_s: fn(&Rates, Window) -> f64| {
            let rates = Window::ALL.map(|window| per_s(&totals.rates, window));
            write_sum(out, label, |out| self.write_rates(out, rates));
        };
        write("Total send rate:", Rates::tx_per_s);
        write("Total receive rate:", Rates::rx_per_s);
        write("Total send and receive rate:", Rates::sum_per_s);
    }

    fn write_sums(&self, out: &mut String, totals: &Totals) {
        let (peak, bytes) = (&totals.peak, totals.bytes);
        let peaks = [peak.tx_per_s, peak.rx_per_s, peak.sum_per_s];
        write_sum(out, "Peak rate (sent/received/total):", |out| self.write_rates(out, peaks));
        let sums = [bytes.tx, bytes.rx, bytes.sum()];
        write_sum(out, "Cumulative (sent/received/total):", |out| write_amounts(out, sums));
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
    let mut header = format!("{:>4} {:<39}    ", "#", "Host name (port/service if enabled)");
    for title in ["last 2s", "last 10s", "last 40s", "cumulative"] {
        write_cell(&mut header, |out| out.push_str(title));
    }
    header
}

/// As many blanks as any gap has.
const BLANKS: &str = "                                                ";

/// A cell of ten columns with a blank in front, its text to the right.
fn write_cell(out: &mut String, write: impl FnOnce(&mut String)) {
    let start = out.len();
    write(out);
    let blanks = 1 + CELL_CHARS.saturating_sub(out.len() - start);
    out.insert_str(start, &BLANKS[..blanks]);
}

/// Brings a host and what follows it, which stand at the end of `out`, to [`HOST_CHARS`] columns, at the host's expense.
fn fit(out: &mut String, start: usize, host_end: usize) {
    let used = out.len() - start;
    if used > HOST_CHARS {
        let suffix = &out[host_end..];
        let suffix = suffix[..suffix.floor_char_boundary(HOST_CHARS)].to_owned();
        let room = HOST_CHARS - suffix.len();
        let host = &out[start..host_end];
        out.truncate(start + host.floor_char_boundary(room));
        out.push_str(&suffix);
    }
    out.push_str(&BLANKS[..HOST_CHARS - (out.len() - start)]);
}

fn write_cut(out: &mut String, text: &str) {
    let start = out.len();
    out.push_str(text);
    fit(out, start, start + text.len());
}

/// Cells of bytes since the start, in bytes whatever the rates are in.
fn write_amounts<const N: usize>(out: &mut String, bytes: [u64; N]) {
    for bytes in bytes {
        write_cell(out, |out| write_number(out, bytes as f64, Unit::Bytes));
    }
}

/// A line of the lower parts: a label in 48 columns and three cells.
fn write_sum(out: &mut String, label: &str, cells: impl FnOnce(&mut String)) {
    out.push_str(label);
    out.push_str(&BLANKS[..BLANKS.len().saturating_sub(label.len())]);
    cells(out);
    out.push('\n');
}

/// A line of the lower parts with a count in its last cell.
fn write_count(out: &mut String, label: &str, count: u64) {
    write_sum(out, label, |out| {
        out.push_str(&BLANKS[..2 * (1 + CELL_CHARS)]);
        write_cell(out, |out| write_integer(out, count));
    });
}

/// Sockets that found the kernel's table full. iftop has no such line: programs that read a report look for labels
/// which this one must not contain.
fn write_untracked(out: &mut String, ledger: &Ledger) {
    let untracked = ledger.untracked();
    if untracked.flows > 0 {
        let bytes = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes };
        let label = format!("Untracked (sent/received/both), {} sockets:", untracked.flows);
        write_sum(out, &label, |out| write_amounts(out, [bytes.tx, bytes.rx, bytes.sum()]));
    }
}

/// Flows that a sparse record has summed up, where no row can show them.
fn write_summed_up(out: &mut String, ledger: &Ledger) {
    let rests = ledger.summed_up();
    let flows: u64 = rests.iter().map(|rest| u64::from(rest.flows)).sum();
    if flows > 0 {
        let bytes = rests.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
        let label = format!("Summed up (sent/received/both), {flows} flows:");
        write_sum(out, &label, |out| write_amounts(out, [bytes.tx, bytes.rx, bytes.sum()]));
    }
}

/// One line for each kind of loss that has happened; the count stands in the last cell.
fn write_losses(out: &mut String, losses: &Losses) {
    for (name, count) in losses.named().filter(|(_, count)| *count > 0) {
        write_count(out, &format!("Losses ({name}):"), count);
    }
}

/// How long the rates are means over, after a time in which nothing was read.
fn write_stall(out: &mut String, ledger: &Ledger) {
    if ledger.stalled_s().is_some() {
        write_sum(out, "Seconds covered, after standing still:", |out| {
            for window in Window::ALL {
                let _ = write!(out, " {:>CELL_CHARS$.0}", ledger.covered_s(window));
            }
        });
    }
}
