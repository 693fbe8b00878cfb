//! State → rows: which connections are in, which rows are left out, in which order, and what the footer says of them.

use std::cell::Cell;

use regex::{Regex, RegexBuilder};

use super::label::Labels;
use super::scale::on_scale;
use super::{Footer, Frozen, State, total};
use crate::core::ledger::Totals;
use crate::core::names::Names;
use crate::core::rows::Row;
use crate::core::rows::groups::{Group, Grouped, Key, Sum};
use crate::core::rows::table::Table;
use crate::core::view::{LineDisplay, Sort};
use crate::core::window::{Peak, Rates, Window};
use crate::core::wire::comm_text;

/// A pattern as iftop's screen filter takes it; `None` for an empty one.
///
/// # Errors
/// What is wrong with it.
pub fn pattern(text: &str) -> Result<Option<Regex>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let built = RegexBuilder::new(text).case_insensitive(true).size_limit(1 << 20).build();
    built.map(Some).map_err(|error| last_line(&error.to_string()))
}

/// What is wrong stands in the last line of the crate's explanation.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl State {
    /// Makes the rows anew from the ledger, unless they are paused.
    pub(super) fn refresh_rows(&mut self, names: &dyn Names) {
        if !self.view.paused {
            self.thaw();
            let grouped = self.grouped();
            self.fill_table(grouped, names);
            self.freeze(grouped);
        }
        self.settle();
    }

    /// Ends a frozen order when the view has.
    fn thaw(&mut self) {
        if !self.view.order_frozen {
            self.frozen = None;
        }
    }

    /// Remembers the order when it has just been frozen, and the peaks since then.
    fn freeze(&mut self, grouped: Grouped) {
        if self.view.order_frozen && self.frozen.is_none() {
            self.table.sort_first(usize::MAX);
            let order = self.table.all().map(|group| group.key).collect();
            self.frozen = Some(Frozen { grouped, order, peak: Peak::default() });
        }
        if let Some(frozen) = &mut self.frozen {
            frozen.peak = frozen.peak.max(peak_of(&self.footer.shown.rates));
            self.footer.shown.peak = frozen.peak;
        }
    }

    fn fill_table(&mut self, grouped: Grouped, names: &dyn Names) {
        let mut sums = std::mem::take(&mut self.spare);
        sums.give_back(std::mem::take(&mut self.table).into_groups());
        let labels = self.labels(names);
        let search = Search::new(&self.filters.search, &labels);
        let all = Cell::new(0_u32);
        sums = grouped.sums_in(sums, &self.ledger, &|row| {
            all.set(all.get() + 1);
            search.finds(row)
        });
        let keep = |group: &Group| self.keeps(group, &labels);
        let (table, shown) = if let Some(frozen) = &self.frozen {
            let now = |key: &Key| Group { key: *key, sum: sums.get(*key, grouped) };
            let groups: Vec<_> = frozen.order.iter().map(now).filter(keep).collect();
            let kept = sums.take(keep);
            (Table::in_order(groups), total(kept.iter().map(|group| &group.sum)))
        } else {
            let host_text = |key: &Key| sort_text(self.view.sort, key, &labels);
            let groups = sums.take(keep);
            let shown = total(groups.iter().map(|group| &group.sum));
            (Table::new(groups, &self.view, &self.pinned, &host_text), shown)
        };
        let footer = self.footer(&shown, all.get());
        self.table = table;
        self.spare = sums;
        self.footer = footer;
        self.admit_to_scale();
    }

    fn footer(&mut self, shown: &Sum, all_connections: u32) -> Footer {
        let totals = self.ledger.totals();
        let (hidden_bytes, hidden_rates) = self.ledger.outside();
        let connections = shown.connections;
        let mut footer = Footer { shown: totals, hidden_bytes, hidden_rates, connections, all_connections };
        if self.filters.hide_rows() {
            footer.hidden_bytes += totals.bytes.since(shown.bytes);
            footer.hidden_rates += totals.rates.since(&shown.rates);
            let peak = self.note_recent(&shown.rates);
            footer.shown = Totals { bytes: shown.bytes, rates: shown.rates, peak };
        } else {
            self.recent.clear();
        }
        footer
    }

    /// In a pause only the amounts go on.
    pub(super) fn grow_footer(&mut self) {
        let totals = self.ledger.totals().bytes;
        let (outside, _) = self.ledger.outside();
        if self.filters.hide_rows() {
            self.footer.hidden_bytes = outside + totals.since(self.footer.shown.bytes);
        } else {
            self.footer.shown.bytes = totals;
            self.footer.hidden_bytes = outside;
        }
    }

    /// Peaks of what is shown go back to when something else was shown, 40 s at most.
    fn note_recent(&mut self, rates: &Rates) -> Peak {
        let now_ns = self.ledger.at_ns();
        self.recent.retain(|(at_ns, _)| now_ns.saturating_sub(*at_ns) < Window::S40.ns());
        self.recent.push((now_ns, peak_of(rates)));
        self.recent.iter().fold(Peak::default(), |peak, (_, other)| peak.max(*other))
    }

    /// The bars of the footer are the longest.
    fn admit_to_scale(&mut self) {
        let rates = &self.footer.shown.rates;
        let window = self.look.window;
        let rate = match self.view.line_display {
            LineDisplay::OneLineBoth => rates.sum_per_s(window),
            _ => rates.tx_per_s(window).max(rates.rx_per_s(window)),
        };
        self.look.scale.admit(on_scale(rate, self.view.unit));
    }

    /// Whether a row is shown, as far as the row itself decides that.
    fn keeps(&self, group: &Group, labels: &Labels<'_>) -> bool {
        if self.pinned.contains(&group.key) {
            return true;
        }
        let rate = group.sum.rates.sum_per_s(Window::S10);
        if self.filters.threshold > 0.0 && on_scale(rate, self.view.unit) < self.filters.threshold {
            return false;
        }
        self.filters.screen.as_ref().is_none_or(|pattern| {
            pattern.is_match(&labels.source(&group.key).text())
                || pattern.is_match(&labels.destination(&group.key, group.sum.connections).text())
        })
    }

    /// Keeps selection, first row and sorted part where they must be.
    pub(super) fn settle(&mut self) {
        let rows = self.table.len();
        if self.selected.is_some_and(|key| self.table.position(&key).is_none()) {
            self.selected = None;
            self.detail = None;
        }
        self.offset = self.offset.min(rows.saturating_sub(1));
        self.sort_visible();
    }

    /// Sorts as far as the screen shows.
    pub(super) fn sort_visible(&mut self) {
        let page = self.page();
        self.table.sort_first(self.offset + page);
    }

    /// Rows that fit on the screen.
    pub(super) fn page_or_none(&self) -> usize {
        let lines = self.view.line_display.lines();
        self.layout().map_or(0, |layout| layout.visible(lines))
    }

    /// Rows that fit on the screen, at least one.
    pub(super) fn page(&self) -> usize {
        self.page_or_none().max(1)
    }
}

/// The rates over 2 s.
fn peak_of(rates: &Rates) -> Peak {
    let window = Window::S2;
    Peak {
        tx_per_s: rates.tx_per_s(window),
        rx_per_s: rates.rx_per_s(window),
        sum_per_s: rates.sum_per_s(window),
    }
}

/// What a row is sorted by where names are.
fn sort_text(sort: Sort, key: &Key, labels: &Labels<'_>) -> String {
    match sort {
        Sort::Source => labels.source(key).text(),
        Sort::Destination => labels.destination(key, 0).text(),
        _ => String::new(),
    }
}

/// A text that is looked for in everything that names a connection.
struct Search<'a> {
    wanted: &'a str,
    labels: &'a Labels<'a>,
}

impl<'a> Search<'a> {
    fn new(wanted: &'a str, labels: &'a Labels<'a>) -> Self {
        Self { wanted, labels }
    }

    fn finds(&self, row: &Row<'_>) -> bool {
        self.wanted.is_empty() || self.in_ends(row) || self.in_commands(row)
    }

    fn in_ends(&self, row: &Row<'_>) -> bool {
        [row.tuple.local, row.tuple.remote].into_iter().any(|end| {
            let name = self.labels.names.host(end.ip()).filter(|_| self.labels.view.host_names);
            let service = self.labels.names.service(end.port()).filter(|_| self.labels.view.service_names);
            self.is_in(&end.to_string())
                || name.is_some_and(|name| self.is_in(&format!("{name}:{}", end.port())))
                || service.is_some_and(|service| self.is_in(service))
        })
    }

    fn in_commands(&self, row: &Row<'_>) -> bool {
        let peer = row.peer.map(|(_, entry)| entry);
        [Some(row.entry), peer].into_iter().flatten().any(|entry| {
            let flow = entry.flow();
            let comm = comm_text(&flow.comm).unwrap_or_default();
            flow.pid != 0 && self.is_in(&format!("{comm}[{}]", flow.pid))
        })
    }

    fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(self.wanted)
    }
}
