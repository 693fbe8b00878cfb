//! Draws a state into a buffer of cells. Reads the state and changes nothing.
//!
//! Not in here: where things stand (`state::layout`), and the terminal (`tui`).

mod detail;
mod footer;
mod graph;
mod head;
mod help;
mod rows;
pub mod theme;
mod timebar;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::state::State;
use crate::state::label::Labels;
use crate::state::layout::{Layout, MIN};
use crate::state::scale::eighths;
use flowtop_core::names::Names;
use flowtop_core::width::{cut_end, cut_middle};
use theme::Theme;

/// Target and styles of one frame.
struct Canvas<'a> {
    buffer: &'a mut Buffer,
    state: &'a State,
    labels: Labels<'a>,
    layout: &'a Layout,
    theme: &'a Theme,
}

/// Draws the whole screen. Returns where the cursor is while a line is being typed.
pub fn draw(state: &State, names: &dyn Names, theme: &Theme, buffer: &mut Buffer) -> Option<Position> {
    draw_rows(state, names, theme, buffer);
    let layout = state.layout()?;
    let mut canvas = Canvas { buffer, state, labels: state.labels(names), layout: &layout, theme };
    canvas.help();
    canvas.prompt()
}

/// Draws the screen without what may lie over it: help, and the line that is being typed.
pub fn draw_rows(state: &State, names: &dyn Names, theme: &Theme, buffer: &mut Buffer) {
    buffer.reset();
    let Some(layout) = state.layout() else { return draw_hint(state, buffer) };
    let mut canvas = Canvas { buffer, state, labels: state.labels(names), layout: &layout, theme };
    canvas.scale();
    canvas.heads();
    canvas.rows();
    canvas.detail();
    canvas.footer();
    canvas.time_bar();
    canvas.header();
}

/// The text of a buffer: its lines without the blanks at their ends.
#[must_use]
pub fn text(buffer: &Buffer) -> String {
    let line = |line: u16| {
        let mut text = String::new();
        let mut column = 0;
        while column < buffer.area.width {
            let symbol = buffer[(column, line)].symbol();
            text.push_str(symbol);
            // The cells behind a wide character are not printed.
            column += u16::try_from(symbol.width().max(1)).unwrap_or(1);
        }
        text.trim_end().to_owned() + "\n"
    };
    (0..buffer.area.height).map(line).collect()
}

/// A screen that is too small says so, as far as there is room for that.
fn draw_hint(state: &State, buffer: &mut Buffer) {
    let (width, height) = state.size;
    let hint = format!("{width}x{height} is too small: flowtop needs {}x{}", MIN.0, MIN.1);
    let mut words = hint.split(' ').peekable();
    for line in 0..height.min(buffer.area.height) {
        let mut text = words.next().unwrap_or_default().to_owned();
        while let Some(word) = words.next_if(|word| text.width() + 1 + word.width() <= width.into()) {
            text = format!("{text} {word}");
        }
        buffer.set_stringn(0, line, &text, width.into(), Style::new());
    }
}

impl Canvas<'_> {
    fn width(&self) -> u16 {
        self.layout.size.0
    }

    /// Writes a text and returns the column after it.
    fn put(&mut self, column: u16, line: u16, text: &str, style: Style) -> u16 {
        let room = self.width().saturating_sub(column);
        self.buffer.set_stringn(column, line, text, room.into(), style).0
    }

    /// Writes a text that ends before a column.
    fn put_right(&mut self, end: u16, line: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(end.saturating_sub(width), line, text, style);
    }

    /// A line across the screen, with marks at some columns.
    fn rule(&mut self, line: u16, marks: &[u16]) {
        let (dash, mark, corner) =
            if self.state.look.ascii { ("-", "+", "+") } else { ("─", "┴", "└") };
        for column in 0..self.width() {
            let is_corner = column == 0 && !marks.is_empty();
            let symbol = if is_corner { corner } else { dash };
            let symbol = if marks.contains(&column) { mark } else { symbol };
            self.put(column, line, symbol, self.theme.rule);
        }
    }

    /// A bar behind what is written on a line.
    fn bar(&mut self, line: u16, ratio: f64, style: Style) {
        let length = eighths(ratio, self.width());
        let (full, rest) = ((length / 8).try_into().unwrap_or(u16::MAX), length % 8);
        for column in 0..full {
            self.tint(column, line, style);
        }
        if rest == 0 || full >= self.width() {
            return;
        }
        let cell = &mut self.buffer[(full, line)];
        if cell.symbol() == " " && !self.state.look.ascii {
            const PARTS: [&str; 8] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
            cell.set_symbol(PARTS[rest as usize]);
            if let Some(colour) = style.bg {
                cell.set_fg(colour);
            }
        } else if rest >= 4 || full == 0 {
            self.tint(full, line, style);
        }
    }

    fn tint(&mut self, column: u16, line: u16, style: Style) {
        self.buffer[(column, line)].set_style(style);
    }

    /// The line that is being typed, over the header, with what is wrong below it.
    fn prompt(&mut self) -> Option<Position> {
        let prompt = self.state.prompt.as_ref()?;
        let label = prompt.ask.label();
        let room = usize::from(self.width()).saturating_sub(label.width() + 1);
        self.blank(0, self.theme.prompt);
        let column = self.put(0, 0, label, self.theme.prompt.add_modifier(Modifier::BOLD));
        // What is before the cursor scrolls out to the left.
        let before = prompt.before_cursor();
        let hidden = before.width().saturating_sub(room);
        let skipped = cut_end(&prompt.text(), hidden).len();
        let shown = prompt.text().split_off(skipped);
        let cursor = column + u16::try_from(before.width() - hidden).unwrap_or_default();
        self.put(column, 0, &shown, self.theme.prompt);
        if let Some(error) = &prompt.error {
            self.blank(1, self.theme.warning);
            let text = cut_middle(error, self.width().into(), self.state.look.ascii);
            self.put(0, 1, &text, self.theme.warning);
        }
        Some(Position::new(cursor.min(self.width().saturating_sub(1)), 0))
    }

    fn blank(&mut self, line: u16, style: Style) {
        let area = Rect::new(0, line, self.width(), 1);
        for column in area.left()..area.right() {
            self.buffer[(column, line)].reset();
        }
        self.buffer.set_style(area, style);
    }
}
