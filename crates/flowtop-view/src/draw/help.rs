//! The help: the table of keys, over the rows.

use ratatui::style::Style;

use super::Canvas;
use crate::state::keys::{Section, TABLE};
use flowtop_core::width::cut_end;

const NAME: usize = 9;
/// Columns of a key with its help.
const COLUMN: u16 = 40;

impl Canvas<'_> {
    pub(super) fn help(&mut self) {
        let Some(first) = self.state.help else { return };
        let lines = (1..self.layout.size.1).collect::<Vec<_>>();
        for line in &lines {
            self.blank(*line, Style::new());
        }
        let columns = (self.width() / COLUMN).clamp(1, 3);
        let width = self.width() / columns;
        let all = help_lines(self.state.replay.is_some());
        let height = all.len().div_ceil(columns.into()).max(lines.len() - 1);
        let most = height.saturating_sub(lines.len() - 1);
        let skipped = usize::from(first).min(most);
        for (column, part) in (0..columns).zip(all.chunks(height)) {
            for (line, (name, text)) in lines.iter().zip(part.iter().skip(skipped)).take(lines.len() - 1) {
                self.help_line(column * width, *line, width, name, text);
            }
        }
        let version = concat!("flowtop, version ", env!("CARGO_PKG_VERSION"));
        let more = if most > skipped { ", more with j" } else { "" };
        self.put(0, self.layout.size.1 - 1, &format!("{version}{more}"), self.theme.accent);
    }

    fn help_line(&mut self, column: u16, line: u16, width: u16, name: &str, text: &str) {
        if text.is_empty() {
            self.put(column, line, name, self.theme.accent);
            return;
        }
        let room = usize::from(width).saturating_sub(NAME + 1);
        self.put(column + 1, line, &format!("{name:<NAME$}"), self.theme.pinned);
        self.put(column + 10, line, cut_end(text, room), Style::new());
    }
}

/// Name and help of each key, under the headings of the sections; those of a replay only in one.
fn help_lines(in_replay: bool) -> Vec<(&'static str, &'static str)> {
    let section = |section: Section| {
        let keys = TABLE.iter().filter(move |binding| binding.section == section);
        std::iter::once((section.title(), "")).chain(keys.map(|binding| (binding.name, binding.help)))
    };
    let is_offered = |section: &Section| in_replay || *section != Section::Replay;
    Section::ALL.into_iter().filter(is_offered).flat_map(section).collect()
}
