//! A line to be typed, with the keys of iftop's line editor.

use super::input::Key;
use flowtop_core::sanitize::breaks_a_screen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A filter of connections, in the language of `-f`.
    Filter,
    ScreenFilter,
    /// A text to look for while it is typed.
    Search,
    /// The rate below which rows are hidden.
    Threshold,
    SaveTo,
    /// The time to go to in a replay.
    Time,
}

impl Ask {
    /// Text before the line; the first two are iftop's.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Filter => "Net filter> ",
            Self::ScreenFilter => "Screen filter> ",
            Self::Search => "Search> ",
            Self::Threshold => "Hide rows below (bit/s)> ",
            Self::Time => "Go to (as 08:00 or 2026-11-20 08:00)> ",
            Self::SaveTo => "Save to (.txt or .json)> ",
        }
    }
}

/// Effect of a key on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    Nothing,
    Changed,
    /// Enter: take the text.
    Accepted,
    /// Esc: drop the text.
    Cancelled,
}

/// A line that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub ask: Ask,
    /// Why the last text was not taken.
    pub error: Option<String>,
    /// Value before the prompt, restored if a search is cancelled.
    pub before: String,
    text: Vec<char>,
    cursor: usize,
}

impl Prompt {
    /// A line with a text to start from.
    #[must_use]
    pub fn new(ask: Ask, text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { ask, error: None, before: text.to_owned(), cursor: chars.len(), text: chars }
    }

    #[must_use]
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    #[must_use]
    pub fn before_cursor(&self) -> String {
        self.text[..self.cursor].iter().collect()
    }

    pub fn press(&mut self, key: Key) -> Edited {
        match key {
            Key::Enter => return Edited::Accepted,
            Key::Esc | Key::Ctrl('g') => return Edited::Cancelled,
            Key::Left | Key::Ctrl('b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Ctrl('f') => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            _ => return self.edit(key),
        }
        Edited::Nothing
    }

    /// Inserts a pasted text as one line: line breaks and tabs become spaces, line breaks at its ends are dropped.
    pub fn paste(&mut self, text: &str) -> Edited {
        let line = text.trim_matches(['\r', '\n']).replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
        let chars: Vec<char> = line.chars().filter(|c| !c.is_control()).collect();
        let length = chars.len();
        self.text.splice(self.cursor..self.cursor, chars);
        self.cursor += length;
        if length == 0 { Edited::Nothing } else { Edited::Changed }
    }

    fn edit(&mut self, key: Key) -> Edited {
        let length = self.text.len();
        match key {
            Key::Char(c) if !breaks_a_screen(c) => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace if self.cursor > 0 => self.remove(self.cursor - 1),
            Key::Delete | Key::Ctrl('d') if self.cursor < length => {
                self.text.remove(self.cursor);
            }
            Key::Ctrl('u') => {
                self.text.clear();
                self.cursor = 0;
            }
            Key::Ctrl('w') => self.remove(self.word_start()),
            _ => {}
        }
        if self.text.len() == length { Edited::Nothing } else { Edited::Changed }
    }

    /// Removes what is between a place and the cursor.
    fn remove(&mut self, from: usize) {
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }

    fn word_start(&self) -> usize {
        let before = &self.text[..self.cursor];
        let word_end = before.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
        before[..word_end].iter().rposition(|c| *c == ' ').map_or(0, |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(start: &str, keys: &[Key]) -> (String, usize) {
        let mut prompt = Prompt::new(Ask::Filter, start);
        for key in keys {
            prompt.press(*key);
        }
        (prompt.text(), prompt.cursor)
    }

    #[test]
    fn the_line_editor_has_iftops_keys() {
        for (start, keys, expected, cursor) in [
            ("port 80", vec![Key::Backspace, Key::Char('1')], "port 81", 7),
            ("port 80", vec![Key::Home, Key::Delete], "ort 80", 0),
            ("port 80", vec![Key::Ctrl('a'), Key::Right, Key::Char('x')], "pxort 80", 2),
            ("port 80", vec![Key::Ctrl('u')], "", 0),
            ("port 80", vec![Key::Ctrl('w')], "port ", 5),
            ("port  ", vec![Key::Ctrl('w')], "", 0),
            ("a b", vec![Key::Left, Key::Ctrl('u'), Key::End], "", 0),
            ("", vec![Key::Backspace, Key::Delete, Key::Left, Key::Ctrl('w')], "", 0),
            ("é", vec![Key::Char('数'), Key::Left, Key::Backspace], "数", 0),
        ] {
            assert_eq!(typed(start, &keys), (expected.to_owned(), cursor), "{start:?} {keys:?}");
        }
    }

    #[test]
    fn enter_takes_and_esc_or_ctrl_g_forgets() {
        let mut prompt = Prompt::new(Ask::Search, "x");
        assert_eq!(prompt.press(Key::Enter), Edited::Accepted);
        assert_eq!([Key::Esc, Key::Ctrl('g')].map(|key| prompt.press(key)), [Edited::Cancelled; 2]);
        assert_eq!(prompt.press(Key::Char('y')), Edited::Changed);
        assert_eq!(prompt.press(Key::Up), Edited::Nothing);
    }

    #[test]
    fn a_pasted_text_is_one_line_at_the_cursor() {
        for (pasted, expected) in [
            ("tcp and ", "tcp and port 80"),
            ("tcp\r\nand\tnot\n", "tcp and notport 80"),
            ("\x1b[31mq\x07", "[31mqport 80"),
            ("\r", "port 80"),
        ] {
            let mut prompt = Prompt::new(Ask::Filter, "port 80");
            prompt.press(Key::Home);
            let edited = prompt.paste(pasted);
            assert_eq!(prompt.text(), expected, "{pasted:?}");
            assert_eq!(edited, if expected == "port 80" { Edited::Nothing } else { Edited::Changed });
            assert_eq!(prompt.before_cursor() + "port 80", expected);
        }
    }

    proptest! {
        #[test]
        fn the_cursor_stays_in_the_line(keys in proptest::collection::vec(0..9_usize, 0..60)) {
            let all = [
                Key::Char('a'), Key::Char(' '), Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::Ctrl('w'),
                Key::Home, Key::Ctrl('u'),
            ];
            let mut prompt = Prompt::new(Ask::Filter, "tcp port 80");
            for key in keys {
                prompt.press(all[key]);
                prop_assert!(prompt.cursor <= prompt.text.len());
            }
        }
    }
}
