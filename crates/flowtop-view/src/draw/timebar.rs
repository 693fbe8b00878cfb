//! The time bar of a replay: caption, and position in the recording.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::Canvas;
use crate::state::replay::Replay;
use flowtop_core::number::grouped;
use flowtop_core::width::cut_end;
use flowtop_recording::replay::caption::zoned;
use flowtop_recording::replay::player::Player;

/// How the parts of the track look: not recorded, partly, all of it, and the record that is shown.
const TRACK: [&str; 4] = [" ", "┄", "━", "●"];
const ASCII_TRACK: [&str; 4] = [" ", "-", "=", "O"];

impl Canvas<'_> {
    pub(super) fn time_bar(&mut self) {
        let Some(replay) = &self.state.replay else { return };
        let mut lines = self.layout.bar.clone();
        if let Some(line) = lines.next() {
            self.caption(line, replay);
        }
        if let Some(line) = lines.next() {
            self.track(line, replay);
        }
    }

    /// The caption of the record, the most important part first.
    fn caption(&mut self, line: u16, replay: &Replay) {
        let Replay { player, caption, .. } = replay;
        let theme = self.theme;
        let mut parts = vec![(state_of(player), theme.message), (caption.start.clone(), theme.header)];
        parts.push((caption.mean.clone(), theme.dim));
        parts.extend(caption.notes.iter().map(|note| (note.clone(), theme.warning)));
        parts.push((place_of(player), theme.dim));
        let mut column = 0;
        for (text, style) in parts {
            let room = usize::from(self.width().saturating_sub(column));
            // A part that is cut would be another number.
            if text.width() > room {
                continue;
            }
            column = self.put(column, line, &text, style);
            column = self.put(column, line, "  ", Style::new());
        }
    }

    /// The whole time, with what is missing of it and where we are; the times of its ends where there is room.
    fn track(&mut self, line: u16, replay: &Replay) {
        const MIN_TRACK: u16 = 20;
        let [first, last] = ends(replay);
        let room = self.width().saturating_sub(width(&first) + width(&last) + 2);
        let has_ends = room >= MIN_TRACK;
        let (start, cells) = if has_ends { (width(&first) + 1, room) } else { (0, self.width()) };
        if has_ends {
            self.put(0, line, &first, self.theme.dim);
            self.put_right(self.width(), line, &last, self.theme.dim);
        }
        let (covered, at) = replay.player.track(cells.into());
        let symbols = if self.state.look.ascii { ASCII_TRACK } else { TRACK };
        for (cell, part) in covered.iter().enumerate() {
            let symbol = match *part {
                _ if cell == at => symbols[3],
                part if part >= 1.0 - 1e-6 => symbols[2],
                part if part > 0.0 => symbols[1],
                _ => symbols[0],
            };
            let style = if cell == at { self.theme.accent } else { self.theme.rule };
            let column = start + u16::try_from(cell).unwrap_or_default();
            self.put(column, line, symbol, style);
        }
    }
}

fn state_of(player: &Player) -> String {
    if player.is_playing() { format!("playing {}x", player.speed()) } else { "stopped".to_owned() }
}

/// Position of the record, as `record 3 of 60`.
fn place_of(player: &Player) -> String {
    let host = player.of_host();
    let number = |number: usize| grouped(u64::try_from(number).unwrap_or_default());
    format!("record {} of {}", number(player.at() - host.start + 1), number(host.len()))
}

/// The first and the last time of all recordings, with the day where that is not the same.
fn ends(replay: &Replay) -> [String; 2] {
    let (first_us, last_us) = replay.player.time_us();
    let [first, last] = [first_us, last_us].map(|us| zoned(us, replay.zone()));
    let form = if first.date() == last.date() { "%H:%M" } else { "%F %H:%M" };
    [first, last].map(|end| cut_end(&end.strftime(form).to_string(), 16).to_owned())
}

fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}
