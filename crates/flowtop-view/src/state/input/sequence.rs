//! Decodes control sequences into keys and mouse events.
//!
//! All other sequences yield nothing: replies to queries (cursor position, colours, modes, attributes), focus events,
//! and private sequences.

use vte::Params;

use super::Begins;
use super::Input;
use super::Key;
use super::kitty::{self, Press};

/// A control sequence, in the terms of ECMA-48.
pub(super) struct Sequence<'a> {
    /// `[` for CSI, `O` for SS3.
    pub(super) introducer: u8,
    pub(super) params: &'a Params,
    /// Includes the `<`, `=`, `>` or `?` of a private sequence.
    pub(super) intermediates: &'a [u8],
    pub(super) last: char,
}

impl Sequence<'_> {
    /// Input that the sequence starts.
    pub(super) fn begins(&self) -> Begins {
        match (self.introducer, self.intermediates, self.last) {
            (b'[', [], '~') if self.number(0) == 200 => Begins::Paste,
            // With more parameters it is a report in urxvt's form, which is complete.
            (b'[', [], 'M') if self.params.len() == 1 => Begins::Mouse,
            _ => Begins::Nothing,
        }
    }

    pub(super) fn inputs(&self) -> Vec<Input> {
        match (self.introducer, self.intermediates, self.last) {
            (b'O', [], last) => self.key(Some(application_key(last))),
            (b'[', [b'<'], 'M') => mouse(self.number(0), self.number(1), self.number(2)),
            (b'[', [], 'M') => mouse_from_32(self.number(0), self.number(1) + 32, self.number(2) + 32),
            (b'[', [], 'u') => self.key_press().inputs(),
            (b'[', [], '~') if self.number(0) == 27 => self.other_key().inputs(),
            // rxvt ends a key with Ctrl by `^`, and with Ctrl and Shift by `@`.
            (b'[', [], '~' | '^' | '@') => self.key(numbered(self.number(0))),
            // A cursor position report. xterm sends F3 with modifiers in the same form, so that one is lost.
            (b'[', [], 'R') if self.params.iter().count() > 1 => Vec::new(),
            (b'[', [], last) => self.key(lettered(last)),
            _ => Vec::new(),
        }
    }

    /// A parameter; 0 if it is missing.
    fn number(&self, at: usize) -> u16 {
        self.sub_number(at, 0)
    }

    fn sub_number(&self, at: usize, sub: usize) -> u16 {
        self.params.iter().nth(at).and_then(|numbers| numbers.get(sub)).copied().unwrap_or(0)
    }

    /// The input of a key with the modifiers of the second parameter.
    fn key(&self, key: Option<Key>) -> Vec<Input> {
        // Old terminals omit the first parameter, which is always 1 before a letter.
        let at = usize::from(self.params.iter().count() > 1 || !self.last.is_ascii_alphabetic());
        let press = Press { modifiers: self.number(at), event: self.sub_number(at, 1), ..Press::default() };
        key.and_then(|key| press.with(key)).into_iter().collect()
    }

    /// `CSI code:shifted:base ; modifiers:event ; text u` of kitty's keyboard protocol.
    fn key_press(&self) -> Press {
        Press {
            code: self.number(0),
            shifted: self.sub_number(0, 1),
            base: self.sub_number(0, 2),
            modifiers: self.number(1),
            event: self.sub_number(1, 1),
            text: kitty::text(self.params.iter().nth(2).unwrap_or_default()),
        }
    }

    /// `CSI 27 ; modifiers ; code ~` of xterm's modifyOtherKeys.
    fn other_key(&self) -> Press {
        Press { code: self.number(2), modifiers: self.number(1), ..Press::default() }
    }
}

fn lettered(last: char) -> Option<Key> {
    Some(match last {
        // rxvt sends lower case for arrows with Shift.
        'A' | 'a' => Key::Up,
        'B' | 'b' => Key::Down,
        'C' | 'c' => Key::Right,
        'D' | 'd' => Key::Left,
        'H' => Key::Home,
        'F' => Key::End,
        'Z' => Key::BackTab,
        'P' => Key::F(1),
        'Q' => Key::F(2),
        'R' => Key::F(3),
        'S' => Key::F(4),
        // The keypad's 5 without Num Lock.
        'E' | 'G' => Key::Other,
        _ => return None,
    })
}

/// The keys of the application modes, which send SS3; and rxvt's arrows with Ctrl.
fn application_key(last: char) -> Key {
    match last {
        'M' => Key::Enter,
        'I' => Key::Tab,
        'X' => Key::Char('='),
        // `*` to `9`, in the order of ASCII.
        'j'..='y' => Key::Char(char::from(last as u8 - b'j' + b'*')),
        _ => lettered(last).unwrap_or(Key::Other),
    }
}

fn numbered(number: u16) -> Option<Key> {
    Some(match number {
        1 | 7 => Key::Home,
        3 => Key::Delete,
        4 | 8 => Key::End,
        5 => Key::PageUp,
        6 => Key::PageDown,
        11..=15 => function(number - 10),
        17..=21 => function(number - 11),
        23..=26 => function(number - 12),
        28 | 29 => function(number - 13),
        31..=34 => function(number - 14),
        // The end marker of a paste that never began or was given up.
        201 => return None,
        _ => Key::Other,
    })
}

fn function(number: u16) -> Key {
    u8::try_from(number).map_or(Key::Other, Key::F)
}

/// A mouse report in X10's form, where 32 is added to each number.
pub(super) fn mouse_from_32(button: u16, column: u16, line: u16) -> Vec<Input> {
    match [button, column, line].map(|number| number.checked_sub(32)) {
        [Some(button), Some(column), Some(line)] => mouse(button, column, line),
        _ => Vec::new(),
    }
}

/// A mouse report in SGR's form. Cells count from 1.
fn mouse(button: u16, column: u16, line: u16) -> Vec<Input> {
    let input = match (button, column, line) {
        // `vte` caps numbers at `u16::MAX`.
        (_, 0 | u16::MAX, _) | (_, _, 0 | u16::MAX) => None,
        (0, ..) => Some(Input::Click { column: column - 1, line: line - 1 }),
        (64 | 65, ..) => Some(Input::Wheel { down: button == 65 }),
        _ => None,
    };
    input.into_iter().collect()
}
