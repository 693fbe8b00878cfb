//! Computes the rows from the state: search and filters, order, and the numbers of the footer.

use std::cell::RefCell;
use std::net::SocketAddr;

use regex::{Regex, RegexBuilder};

use super::Footer;
use super::Frozen;
use super::RowInputs;
use super::State;
use super::label::Labels;
use super::scale::on_scale;
use flowtop_core::ledger::{Entry, Totals};
use flowtop_core::names::Names;
use flowtop_core::number::{write_address, write_integer};
use flowtop_core::owner::Identity;
use flowtop_core::rows::Row;
use flowtop_core::rows::key::{Grouped, IdentityCache, RowKey};
use flowtop_core::rows::sums::{Keep, Recipe, Sum, Sums};
use flowtop_core::rows::table::{Group, Order, Table};
use flowtop_core::view::{LineDisplay, Sort};
use flowtop_core::window::{Peak, Rates, Window};

/// A text that is no regular expression. Has the mistake, as the parser calls it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// A pattern as iftop's screen filter takes it; `None` for an empty one.
///
/// # Errors
/// The mistake, in one sentence.
pub fn pattern(text: &str) -> Result<Option<Regex>, PatternError> {
    if text.is_empty() {
        return Ok(None);
    }
    let built = RegexBuilder::new(text).case_insensitive(true).size_limit(1 << 20).build();
    built.map(Some).map_err(|error| PatternError(last_line(&error.to_string())))
}

/// The last line of a regex error, which names the mistake.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl State {
    /// Makes the rows anew from the ledger, unless they are paused.
    pub(super) fn refresh_rows(&mut self, names: &dyn Names) {
        if !self.view.paused {
            self.thaw();
            let grouped = self.next_grouped();
            self.fill_table(grouped, names);
            self.freeze(grouped);
        }
        self.settle();
    }

    /// Has the groups keep what the newest sample has removed from the ledger.
    pub(super) fn retain_departed(&mut self) {
        let mut table = std::mem::take(&mut self.table);
        let recipe = Recipe { grouped: table.sums.grouped(), who: self.who(), keep: None };
        table.follow(&self.ledger, &recipe);
        self.table = table;
    }

    /// Ends a frozen order when the view has.
    fn thaw(&mut self) {
        if !self.view.order_frozen {
            self.frozen = None;
            self.table.thaw();
        }
    }

    /// Remembers the order when it has just been frozen, and the peaks since then.
    fn freeze(&mut self, grouped: Grouped) {
        if self.view.order_frozen && self.frozen.is_none() {
            self.table.freeze();
            self.frozen = Some(Frozen { grouped, peak: Peak::default() });
        }
        if let Some(frozen) = &mut self.frozen {
            frozen.peak = frozen.peak.max(peak_of(&self.footer.shown.rates));
            self.footer.shown.peak = frozen.peak;
        }
    }

    fn fill_table(&mut self, grouped: Grouped, names: &dyn Names) {
        let mut table = std::mem::take(&mut self.table);
        self.forget_what_was_looked_for(&mut table);
        let labels = self.labels_by(grouped.by, names);
        let search = Search::new(&self.filters.search, &labels);
        let finds = |row: &Row<'_>, cache: &mut IdentityCache<'_>| search.finds(row, cache);
        let keep = (!self.filters.search.is_empty()).then_some(&finds as &Keep<'_>);
        let all = table.sums.fill(&self.ledger, &Recipe { grouped, who: self.who(), keep });
        let matches = |group: &Group<'_>| self.matches(group, &labels);
        let shown = table.arrange(&Order {
            view: &self.view,
            pinned: &self.pinned,
            is_enough: &|sum| self.is_enough(sum),
            is_wanted: if self.filters.screen.is_some() { Some(&matches) } else { None },
            text: &|key| sort_text(self.view.sort, key, &labels),
        });
        self.footer = self.footer(&table.sums, &shown, all);
        self.table = table;
        self.admit_to_scale();
    }

    fn forget_what_was_looked_for(&mut self, table: &mut Table) {
        let now = RowInputs {
            search: self.filters.search.clone(),
            pattern: self.filters.screen.as_ref().map_or("", Regex::as_str).to_owned(),
            host_names: self.view.host_names,
            service_names: self.view.service_names,
            sort: self.view.sort,
        };
        let before = std::mem::replace(&mut self.looked_for, now);
        if before != self.looked_for {
            table.forget_texts();
            let by_name = !before.search.is_empty() && before.host_names != self.view.host_names;
            let by_service = !before.search.is_empty() && before.service_names != self.view.service_names;
            if before.search != self.looked_for.search || by_name || by_service {
                table.sums.forget_members();
            }
        }
    }

    fn footer(&mut self, sums: &Sums, shown: &Sum, all_connections: u32) -> Footer {
        let totals = self.ledger.totals();
        let (hidden_bytes, hidden_rates) = self.ledger.outside();
        let by = sums.grouped().by;
        let mut footer = Footer {
            shown: totals,
            hidden_bytes,
            hidden_rates,
            connections: all_connections,
            all_connections,
            ..Footer::default()
        };
        if by.is_some() && !self.filters.hide_rows() {
            footer.others_bytes = sums.others(&self.ledger).1;
            (footer.local_twice_bytes, footer.local_twice_rates) = self.ledger.local_twice(by.groups_ends());
        }
        if self.filters.hide_rows() {
            let shown = self.once(sums, shown);
            footer.connections = shown.connections.min(all_connections);
            footer.hidden_bytes += totals.bytes.since(shown.bytes);
            footer.hidden_rates += totals.rates.since(&shown.rates);
            let peak = self.note_recent(&shown.rates);
            footer.shown = Totals { bytes: shown.bytes, rates: shown.rates, peak };
        } else {
            self.recent.clear();
        }
        footer
    }

    /// Sum of the shown rows, with connections that are in two of them counted once. Where a filter hides rows by
    /// name or rate, it is not known of which connections both ends are shown: then it is the plain sum.
    fn once(&self, sums: &Sums, shown: &Sum) -> Sum {
        if self.filters.screen.is_some() || self.filters.threshold > 0.0 {
            return *shown;
        }
        let twice = sums.counted_elsewhere();
        Sum {
            bytes: shown.bytes.since(twice.bytes),
            rates: shown.rates.since(&twice.rates),
            connections: shown.connections.saturating_sub(twice.connections),
            ..*shown
        }
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

    /// Whether a row moves enough to be shown.
    fn is_enough(&self, sum: &Sum) -> bool {
        let per_s = || on_scale(sum.rates.sum_per_s(Window::S10), self.view.unit);
        self.filters.threshold <= 0.0 || per_s() >= self.filters.threshold
    }

    /// Whether one of the two cells of a row matches the pattern.
    fn matches(&self, group: &Group<'_>, labels: &Labels<'_>) -> bool {
        self.filters.screen.as_ref().is_none_or(|pattern| {
            let cells = [
                labels.source(group.key, group.sum.connections),
                labels.destination(group.key, group.sum.connections),
            ];
            cells.iter().any(|cell| pattern.is_match(&cell.text()))
        })
    }

    /// Keeps selection, first row and sorted part where they must be.
    pub(super) fn settle(&mut self) {
        let rows = self.table.len();
        if self.selected.as_ref().is_some_and(|key| self.table.position(key).is_none()) {
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

fn peak_of(rates: &Rates) -> Peak {
    let window = Window::S2;
    Peak {
        tx_per_s: rates.tx_per_s(window),
        rx_per_s: rates.rx_per_s(window),
        sum_per_s: rates.sum_per_s(window),
    }
}

/// Sort text of a row, where rows are sorted by name.
fn sort_text(sort: Sort, key: &RowKey, labels: &Labels<'_>) -> String {
    match sort {
        Sort::Source => labels.source(key, 0).text(),
        Sort::Destination => labels.destination(key, 0).text(),
        _ => String::new(),
    }
}

/// A text that is looked for in everything that names a connection.
struct Search<'a> {
    wanted: &'a str,
    labels: &'a Labels<'a>,
    /// Memory for what it is looked for in.
    text: RefCell<String>,
}

impl<'a> Search<'a> {
    fn new(wanted: &'a str, labels: &'a Labels<'a>) -> Self {
        Self { wanted, labels, text: RefCell::default() }
    }

    fn finds(&self, row: &Row<'_>, cache: &mut IdentityCache<'_>) -> bool {
        let mut text = self.text.borrow_mut();
        text.clear();
        self.write_end(&mut text, row.tuple.local);
        self.write_end(&mut text, row.tuple.remote);
        line(&mut text, [cache.label(row)]);
        if let Some(pod) = cache.remote_pod(row) {
            line(&mut text, [&pod.text()]);
        }
        let peer = row.peer.map(|(_, entry)| entry);
        for entry in [Some(row.entry), peer].into_iter().flatten() {
            write_owner(&mut text, entry, cache);
        }
        if text.is_ascii() {
            text.make_ascii_lowercase();
            text.contains(self.wanted)
        } else {
            text.to_lowercase().contains(self.wanted)
        }
    }

    /// Number and name, each with its port.
    fn write_end(&self, text: &mut String, end: SocketAddr) {
        let brackets = if end.is_ipv6() { ["[", "]"] } else { ["", ""] };
        text.push_str(brackets[0]);
        write_address(text, end.ip());
        text.push_str(brackets[1]);
        text.push(':');
        write_integer(text, end.port().into());
        text.push('\n');
        let Labels { view, names, .. } = self.labels;
        if let Some(name) = view.host_names.then(|| names.host(end.ip())).flatten() {
            line(text, [&name, ":", &end.port().to_string()]);
        }
        if let Some(service) = view.service_names.then(|| names.service(end.port())).flatten() {
            line(text, [service]);
        }
    }
}

fn line<const N: usize>(text: &mut String, parts: [&str; N]) {
    for part in parts {
        text.push_str(part);
    }
    text.push('\n');
}

/// The process of an end, and everything that files say of it.
fn write_owner(text: &mut String, entry: &Entry, cache: &mut IdentityCache<'_>) {
    let seen = entry.owner();
    if !seen.is_process() {
        return;
    }
    let identity = cache.identity(entry);
    let now = identity.as_deref().and_then(|identity| identity.comm.as_deref());
    let comm = seen.comm_text().unwrap_or_default();
    text.push_str(now.unwrap_or(&comm));
    text.push('[');
    if let Some(pid) = seen.number() {
        write_integer(text, pid.into());
    }
    text.push_str("]\n");
    let Some(identity) = identity else { return };
    let Identity { command, user, unit, container_id, container, pod, namespace, .. } = &*identity;
    for known in [command, user, unit, container_id, container, pod, namespace].into_iter().flatten() {
        line(text, [known]);
    }
}
