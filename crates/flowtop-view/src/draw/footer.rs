//! The totals of shown rows, and the sum of hidden ones.

use ratatui::style::Style;

use super::Canvas;
use super::rows::Direction;
use crate::state::layout::CELL;
use flowtop_core::number::{Unit, number};

/// Width from which on everything stands where iftop has it.
const WIDE: u16 = 80;
/// Width from which on there is room for the peak.
const MEDIUM: u16 = 60;

/// First columns of `cum:` and `peak:`; their values end 14 columns further.
fn places(width: u16) -> (u16, Option<u16>) {
    match width {
        WIDE.. => (16, Some(32)),
        MEDIUM.. => (7, Some(21)),
        _ => (7, None),
    }
}

impl Canvas<'_> {
    pub(super) fn footer(&mut self) {
        self.rule(self.layout.footer_rule, &[]);
        let shown = self.state.footer.shown;
        let peak = &shown.peak;
        let lines = [
            ("TX:", Direction::Sent, peak.tx_per_s),
            ("RX:", Direction::Received, peak.rx_per_s),
            ("TOTAL:", Direction::Both, peak.sum_per_s),
        ];
        for (line, (name, direction, peak)) in self.layout.totals.clone().zip(lines) {
            self.amount(line, name, direction.bytes(shown.bytes));
            self.peak(line, peak);
            self.rates(line, "rates:");
            self.footer_rates(line, |window| direction.per_s(&shown.rates, window));
            if !matches!(direction, Direction::Both) {
                self.row_bar(line, &shown.rates, direction);
            }
        }
        self.extra_lines();
    }

    fn extra_lines(&mut self) {
        for (line, extra) in self.layout.extra_lines.clone().zip(self.state.extra_lines()) {
            let [name, short] = extra.names;
            self.amount(line, if self.width() >= WIDE { name } else { short }, extra.bytes.sum());
            if let Some(rates) = extra.rates {
                self.rates(line, "rates:");
                self.footer_rates(line, |window| rates.sum_per_s(window));
            }
        }
    }

    fn amount(&mut self, line: u16, name: &str, bytes: u64) {
        let (cum, _) = places(self.width());
        self.put(0, line, name, self.theme.accent);
        let number = number(bytes as f64, Unit::Bytes);
        if self.width() >= WIDE && name.len() < usize::from(cum) {
            self.put(cum, line, "cum:", self.theme.dim);
        } else if self.width() >= WIDE {
            let end = u16::try_from(name.len()).unwrap_or(cum);
            self.put(end, line, ":", self.theme.dim);
        }
        self.put_right(cum + 13, line, &number, Style::new());
    }

    fn peak(&mut self, line: u16, per_s: f64) {
        let (_, Some(peak)) = places(self.width()) else { return };
        self.put(peak, line, "peak:", self.theme.dim);
        self.put_right(peak + 14, line, &number(per_s, self.state.view.unit), Style::new());
    }

    fn rates(&mut self, line: u16, name: &str) {
        let first = self.layout.columns.rates.first().map_or(0, |(_, column)| *column);
        if self.width() >= WIDE {
            self.put(first.saturating_sub(CELL), line, name, self.theme.dim);
        }
    }

    fn footer_rates(&mut self, line: u16, per_s: impl Fn(flowtop_core::window::Window) -> f64) {
        for (window, column) in self.layout.columns.rates.clone() {
            self.put_right(column + CELL, line, &number(per_s(window), self.state.view.unit), Style::new());
        }
    }
}
