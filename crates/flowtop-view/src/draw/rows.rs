//! The rows: hosts, arrows, numbers, and the bars behind them.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Canvas;
use crate::state::layout::CELL;
use crate::state::scale::on_scale;
use flowtop_core::number::{Unit, number};
use flowtop_core::rows::table::Group;
use flowtop_core::view::LineDisplay;
use flowtop_core::window::{Bytes, Rates, Window};

/// Content of one line of a row.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Sent,
    Received,
    Both,
}

impl Direction {
    pub(super) fn per_s(self, rates: &Rates, window: Window) -> f64 {
        match self {
            Self::Sent => rates.tx_per_s(window),
            Self::Received => rates.rx_per_s(window),
            Self::Both => rates.sum_per_s(window),
        }
    }

    pub(super) fn bytes(self, bytes: Bytes) -> u64 {
        match self {
            Self::Sent => bytes.tx,
            Self::Received => bytes.rx,
            Self::Both => bytes.sum(),
        }
    }
}

/// The lines of a row with their arrows, as iftop has them.
const fn lines(display: LineDisplay) -> &'static [(Direction, &'static str)] {
    match display {
        LineDisplay::TwoLine => &[(Direction::Sent, " => "), (Direction::Received, " <= ")],
        LineDisplay::OneLineBoth => &[(Direction::Both, "<=> ")],
        LineDisplay::OneLineSent => &[(Direction::Sent, " => ")],
        LineDisplay::OneLineReceived => &[(Direction::Received, " <= ")],
    }
}

impl Canvas<'_> {
    pub(super) fn rows(&mut self) {
        let lines = lines(self.state.view.line_display);
        let mut line = self.layout.rows.start;
        for group in self.state.visible() {
            self.row(line, &group, lines);
            line += self.state.view.line_display.lines();
        }
    }

    fn row(&mut self, first: u16, group: &Group<'_>, lines: &[(Direction, &str)]) {
        let is_selected = self.state.selected.as_ref() == Some(group.key);
        for (line, (direction, arrow)) in (first..).zip(lines) {
            let area = Rect::new(0, line, self.width(), 1);
            if is_selected {
                self.buffer.set_style(area, self.theme.selected);
            }
            if line == first {
                self.ends(line, group);
            }
            self.put(self.layout.columns.host, line, arrow, Style::new());
            self.numbers(line, &group.sum.rates, group.sum.bytes, *direction);
            self.row_bar(line, &group.sum.rates, *direction);
        }
        if self.state.pinned.contains(group.key) {
            self.put(self.layout.columns.host, first, "*", self.theme.pinned);
        }
    }

    fn ends(&mut self, line: u16, group: &Group<'_>) {
        let columns = self.layout.columns.clone();
        let ascii = self.state.look.ascii;
        let pinned = self.state.pinned.contains(group.key);
        let style = if pinned { self.theme.pinned } else { Style::new() };
        let source = self.labels.source(group.key, group.sum.connections).fit(columns.host.into(), ascii);
        let destination = self.labels.destination(group.key, group.sum.connections);
        self.put(0, line, &source, style);
        self.put(columns.destination, line, &destination.fit(columns.host.into(), ascii), style);
        if let Some(owner) = columns.owner {
            let text = self.labels.owner(group.sum.owner).fit(owner.len(), ascii);
            self.put(owner.start, line, &text, style);
        }
    }

    /// The rates and, where it is shown, the amount; at the columns of the rows also in the footer.
    pub(super) fn numbers(&mut self, line: u16, rates: &Rates, bytes: Bytes, direction: Direction) {
        let columns = self.layout.columns.clone();
        if let Some(totals) = columns.totals {
            let amount = number(direction.bytes(bytes) as f64, Unit::Bytes);
            self.put_right(totals + CELL, line, &amount, Style::new());
        }
        for (window, column) in columns.rates {
            let rate = number(direction.per_s(rates, window), self.state.view.unit);
            self.put_right(column + CELL, line, &rate, Style::new());
        }
    }

    pub(super) fn row_bar(&mut self, line: u16, rates: &Rates, direction: Direction) {
        let look = &self.state.look;
        if !look.bars {
            return;
        }
        let rate = on_scale(direction.per_s(rates, look.window), self.state.view.unit);
        let style =
            if matches!(direction, Direction::Received) { self.theme.received } else { self.theme.sent };
        let ratio = if rate > 0.0 { look.scale.ratio(rate) } else { 0.0 };
        self.bar(line, ratio, style);
    }
}
