//! Header, scale, and the heads of the columns.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::Canvas;
use crate::state::layout::CELL;
use crate::state::{OwnCost, State};
use flowtop_core::group::Key;
use flowtop_core::number::grouped;
use flowtop_core::number::{Unit, number};
use flowtop_core::trigger::Trigger;
use flowtop_core::view::Sort;
use flowtop_core::width::{cut_end, cut_middle};
use flowtop_core::window::Window;

/// A part of the header; where there is no room for all, those with the highest number go first.
struct Part {
    order: u8,
    text: String,
    style: Style,
}

impl Canvas<'_> {
    /// The header: message, host, hook plan, filters, time.
    pub(super) fn header(&mut self) {
        self.blank(0, Style::new());
        let time_width = u16::try_from(self.state.time.width()).unwrap_or_default();
        let end = self.width().saturating_sub(time_width + 1);
        let separator = if self.state.look.ascii { " | " } else { " · " };
        let mut parts = self.parts();
        let start = self.message();
        let width = |parts: &[Part]| parts.iter().map(|part| part.text.width() + 3).sum::<usize>();
        while parts.len() > usize::from(start == 0) && width(&parts) > usize::from(end.saturating_sub(start))
        {
            let least = parts.iter().enumerate().max_by_key(|(_, part)| part.order).map_or(0, |(at, _)| at);
            parts.remove(least);
        }
        let mut column = start;
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                column = self.put(column, 0, separator, self.theme.rule);
            }
            let room = usize::from(end.saturating_sub(column));
            column = self.put(column, 0, &cut_middle(&part.text, room, self.state.look.ascii), part.style);
        }
        self.put_right(self.width(), 0, &self.state.time, self.theme.dim);
    }

    /// The message of the program, at the left as in iftop. Returns the column where the rest begins.
    fn message(&mut self) -> u16 {
        let Some(message) = self.state.message() else { return 0 };
        let text = format!(" {message} ");
        self.put(0, 0, cut_end(&text, self.width().into()), self.theme.message) + 1
    }

    fn parts(&self) -> Vec<Part> {
        let state = self.state;
        let footer = &state.footer;
        let part = |order, text: String, style| Part { order, text, style };
        let (shown, all) = (footer.connections, footer.all_connections);
        let counts = format!("{} of {} flows", grouped(shown.into()), grouped(all.into()));
        let mut parts = vec![
            part(4, state.session.host.clone(), self.theme.header),
            part(5, counting(state), self.theme.dim),
            part(1, counts, Style::new()),
        ];
        let by = state.by();
        if by.is_some() {
            parts.push(part(3, by.names(), self.theme.accent));
        }
        parts.extend(self.filters().into_iter().map(|text| part(2, text, self.theme.accent)));
        if let OwnCost::Shown(cost) = state.own_cost {
            parts.push(part(1, cost.text(), self.theme.accent));
        }
        if let Some(coverage) = &state.coverage {
            // The first to go where there is no room.
            parts.push(part(6, coverage.text(), self.theme.dim));
        }
        if let Some(seconds) = state.ledger.stalled_s() {
            parts.push(part(0, format!("{seconds:.0} s without a sample"), self.theme.warning));
        }
        parts.extend(self.losses().map(|text| part(0, text, self.theme.warning)));
        parts
    }

    fn filters(&self) -> Vec<String> {
        let filters = &self.state.filters;
        let mut texts = Vec::new();
        if !self.state.session.limits.is_empty() {
            texts.push(self.state.session.limits.clone());
        }
        if !filters.net.is_empty() {
            texts.push(format!("filter {}", filters.net));
        }
        if let Some(screen) = &filters.screen {
            texts.push(format!("rows {}", screen.as_str()));
        }
        if !filters.search.is_empty() {
            texts.push(format!("/{}", filters.search));
        }
        if filters.threshold > 0.0 {
            texts.push(format!("from {} on", self.threshold(filters.threshold)));
        }
        texts
    }

    fn threshold(&self, rate: f64) -> String {
        match self.state.view.unit {
            Unit::Packets => number(rate, Unit::Packets),
            unit => number(rate / 8.0, unit),
        }
    }

    /// Note on losses; `None` if all numbers are exact.
    fn losses(&self) -> Option<String> {
        let ledger = &self.state.ledger;
        let losses = ledger.losses();
        let mut texts: Vec<String> = losses
            .named()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {}", grouped(count)))
            .collect();
        let untracked = ledger.untracked().flows;
        if untracked > 0 {
            texts.push(format!("untracked {}", grouped(untracked)));
        }
        (!texts.is_empty()).then(|| format!("losses: {}", texts.join(", ")))
    }

    /// The scale above the bars: each label ends at its mark.
    pub(super) fn scale(&mut self) {
        let mut marks = Vec::new();
        if let Some(line) = self.layout.scale {
            let mut taken = 0;
            for (at, text) in self.state.look.scale.labels(self.state.view.unit) {
                let mark = self.mark(at);
                marks.push(mark);
                let width = u16::try_from(text.width()).unwrap_or_default();
                if mark >= taken + width {
                    self.put_right(mark, line, &text, self.theme.dim);
                    taken = mark + 1;
                }
            }
        }
        self.rule(self.layout.rule, &marks);
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the width")]
    fn mark(&self, ratio: f64) -> u16 {
        let exact = (ratio * f64::from(self.width())).round() as u16;
        exact.saturating_sub(1).min(self.width() - 1)
    }

    /// Names over the columns; the one that sorts has a mark.
    pub(super) fn heads(&mut self) {
        let Some(line) = self.layout.heads else { return };
        let columns = self.layout.columns.clone();
        let [left, right] = self.sides();
        self.head(0, line, &left, self.is_sorted(Sort::Source));
        self.head(columns.destination, line, &right, self.is_sorted(Sort::Destination));
        if let Some(owner) = columns.owner {
            self.head(owner.start, line, "process", false);
        }
        if let Some(totals) = columns.totals {
            self.put_right(totals + CELL, line, "cum", self.theme.dim);
        }
        for (window, column) in columns.rates {
            let (name, sort) = match window {
                Window::S2 => ("2s", Sort::Last2s),
                Window::S10 => ("10s", Sort::Last10s),
                Window::S40 => ("40s", Sort::Last40s),
            };
            let (text, style) = self.head_text(name, self.is_sorted(sort));
            self.put_right(column + CELL, line, &text, style);
        }
    }

    /// Titles of the two columns of cells.
    fn sides(&self) -> [String; 2] {
        let by = self.state.by();
        if !by.is_some() || by.keys().any(|key| key == Key::Flow) {
            return ["source".to_owned(), "destination".to_owned()];
        }
        [false, true].map(|is_remote| {
            let its = by.keys().filter(|key| key.is_remote() == is_remote);
            its.map(|key| key.names()[0]).collect::<Vec<_>>().join(", ")
        })
    }

    fn is_sorted(&self, sort: Sort) -> bool {
        self.state.view.sort == sort
    }

    fn head(&mut self, column: u16, line: u16, name: &str, is_sorted: bool) {
        let (text, style) = self.head_text(name, is_sorted && !name.is_empty());
        self.put(column, line, &text, style);
    }

    fn head_text(&self, name: &str, is_sorted: bool) -> (String, Style) {
        let mark = if self.state.look.ascii { "v" } else { "▼" };
        if is_sorted {
            (format!("{mark}{name}"), self.theme.accent)
        } else {
            (name.to_owned(), self.theme.dim)
        }
    }
}

/// The hooks, and that they are not what keeps the counters current, if so.
fn counting(state: &State) -> String {
    let hooks = &state.session.hooks;
    match state.trigger {
        Some(Trigger::Sweep) => format!("{hooks}, {}", Trigger::Sweep),
        Some(Trigger::Events) | None => hooks.clone(),
    }
}
