//! A graph of columns with steps of an eighth of a line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII: [&str; 9] = [" ", ".", ".", ":", "-", "=", "+", "*", "#"];

/// Draws the newest values that have room, the newest at the right; `max` is as high as the area.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, values: &[f64], max: f64, ascii: bool, style: Style) {
    let symbols = if ascii { &ASCII } else { &BLOCKS };
    let shown = values.len().min(area.width.into());
    let columns = (area.left()..area.right()).skip(usize::from(area.width) - shown);
    for (column, value) in columns.zip(&values[values.len() - shown..]) {
        let height = steps(*value, max, area.height);
        for (above, line) in (area.top()..area.bottom()).rev().enumerate() {
            let part = height.saturating_sub(above * 8).min(8);
            buffer[(column, line)].set_symbol(symbols[part]).set_style(style);
        }
    }
}

/// Height of a value in eighths of a line; anything above zero has at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 8 times the lines"
)]
fn steps(value: f64, max: f64, lines: u16) -> usize {
    if value <= 0.0 || max <= 0.0 {
        return 0;
    }
    let most = f64::from(lines) * 8.0;
    (value / max * most).round().clamp(1.0, most) as usize
}
