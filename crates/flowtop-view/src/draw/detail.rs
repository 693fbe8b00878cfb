//! The pane about a row: facts, graphs, and its busiest connections.

use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::Canvas;
use super::graph;
use crate::state::detail::{Detail, Member};
use flowtop_core::number::number;
use flowtop_core::width::cut_middle;

const GAP: u16 = 3;
/// Columns in front of a graph.
const NAME: u16 = 13;
/// Columns behind a graph, for its maximum.
const MAX: u16 = 9;
/// Width from which on the graphs stand side by side.
const SIDE_BY_SIDE: u16 = 150;

impl Canvas<'_> {
    pub(super) fn detail(&mut self) {
        let (Some(detail), Some(pane)) = (&self.state.detail, self.layout.detail.clone()) else { return };
        for line in pane.clone() {
            self.blank(line, Style::new());
        }
        self.rule(pane.start, &[]);
        let title =
            cut_middle(&detail.title, usize::from(self.width()).saturating_sub(6), self.state.look.ascii);
        self.put(2, pane.start, &format!(" {title} "), self.theme.accent);
        let line = self.facts(pane.start + 1, pane.end, detail);
        // A record says nothing of the course within its window, or of what was before.
        let has_graphs = self.state.replay.is_none();
        let line = if has_graphs { self.graphs(line, pane.end, detail) } else { line };
        for (line, member) in (line..pane.end).zip(&detail.members) {
            self.member(line, member);
        }
    }

    /// Facts side by side; returns the line below them.
    fn facts(&mut self, first: u16, end: u16, detail: &Detail) -> u16 {
        let (mut line, mut column) = (first, 0_u16);
        for (name, value) in &detail.facts {
            let width = u16::try_from(name.width() + 1 + value.width()).unwrap_or(u16::MAX);
            if column > 0 && column.saturating_add(width) > self.width() {
                (line, column) = (line + 1, 0);
            }
            if line >= end {
                return end;
            }
            column = self.put(column, line, name, self.theme.dim) + 1;
            let room = usize::from(self.width().saturating_sub(column));
            column =
                self.put(column, line, &cut_middle(value, room, self.state.look.ascii), Style::new()) + GAP;
        }
        line + 1
    }

    /// Four graphs, as high as there is room for; returns the line below them.
    fn graphs(&mut self, first: u16, end: u16, detail: &Detail) -> u16 {
        let room = end.saturating_sub(first);
        let members = u16::try_from(detail.members.len()).unwrap_or(u16::MAX);
        let side_by_side = self.width() >= SIDE_BY_SIDE;
        let lines = if side_by_side { 2 } else { 4 };
        // Connections get their lines first, but not those of the lowest graphs.
        let height = (room.saturating_sub(members) / lines).clamp(1, 3);
        let (half, seconds, minutes) = (self.width() / 2, &detail.seconds, &detail.minutes);
        let all = [
            ("sent 40 s", &seconds.sent, 0, 0),
            ("recv 40 s", &seconds.received, 0, 1),
            ("sent 10 min", &minutes.sent, 1, 0),
            ("recv 10 min", &minutes.received, 1, 1),
        ];
        let mut below = first;
        for (name, values, column, row) in all {
            let (x, row) = if side_by_side { (half * column, row) } else { (0, column * 2 + row) };
            let width = if side_by_side { half } else { self.width() };
            let area = Rect::new(x, first + row * height, width, height);
            if area.bottom() <= end {
                self.graph(area, name, values);
                below = below.max(area.bottom());
            }
        }
        below
    }

    fn graph(&mut self, area: Rect, name: &str, values: &[f64]) {
        let max = values.iter().copied().fold(0.0, f64::max);
        let last = area.bottom() - 1;
        self.put(area.x, last, name, self.theme.dim);
        let room = area.width.saturating_sub(NAME + MAX);
        let width = u16::try_from(values.len()).unwrap_or(u16::MAX).min(room);
        let plot = Rect::new(area.x + NAME, area.y, width, area.height);
        let style = Style { fg: self.theme.accent.fg, ..Style::new() };
        graph::draw(self.buffer, plot, values, max, self.state.look.ascii, style);
        let text = format!("max {}", number(max, self.state.view.unit));
        self.put(plot.right() + 1, last, &text, self.theme.dim);
    }

    fn member(&mut self, line: u16, member: &Member) {
        let columns = self.layout.columns.clone();
        let ascii = self.state.look.ascii;
        let host = usize::from(columns.host);
        self.put(0, line, &member.source.fit(host, ascii), Style::new());
        self.put(columns.host, line, "<=> ", self.theme.dim);
        self.put(columns.destination, line, &member.destination.fit(host, ascii), Style::new());
        let (sent, received) = member.rates;
        let unit = self.state.view.unit;
        self.put_right(columns.end - 9, line, &number(sent, unit), Style::new());
        self.put_right(columns.end, line, &number(received, unit), Style::new());
        let owner = columns.destination + columns.host + 1;
        let room = usize::from(columns.end.saturating_sub(owner + 18));
        self.put(owner, line, &member.owner.fit(room, ascii), self.theme.dim);
    }
}
