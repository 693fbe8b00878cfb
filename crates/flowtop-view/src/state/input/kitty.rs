//! Key presses in kitty's keyboard protocol, of which xterm's modifyOtherKeys is a subset.
//!
//! Source of names and numbers: <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>.

use super::Input;
use super::Key;
use super::control;

/// A key press. Missing numbers are 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Press {
    /// The character without modifiers, or the number of a key without one.
    pub(super) code: u16,
    /// Character with Shift.
    pub(super) shifted: u16,
    /// The character at the same position of a US keyboard, if it differs.
    pub(super) base: u16,
    /// 1 + the bits of the modifiers.
    pub(super) modifiers: u16,
    /// 1 for press, 2 for repeat, 3 for release.
    pub(super) event: u16,
    pub(super) text: String,
}

const SHIFT: u16 = 1;
const ALT: u16 = 2;
const CTRL: u16 = 4;
/// Super, Hyper and Meta. For xterm Meta is 8.
const OTHERS: u16 = 8 | 16 | 32;
const CAPS_LOCK: u16 = 64;

const RELEASED: u16 = 3;

/// The symbol keys of a US keyboard, without and with Shift.
const US: [&str; 2] = ["`1234567890-=[]\\;',./", "~!@#$%^&*()_+{}|:\"<>?"];

/// Text from its code points.
pub(super) fn text(numbers: &[u16]) -> String {
    numbers.iter().filter_map(|number| character(*number)).collect()
}

/// The character of a code point, if it is printable. `vte` caps code points at `u16::MAX`, so larger ones are lost.
fn character(number: u16) -> Option<char> {
    char::from_u32(number.into()).filter(|c| !c.is_control() && number != u16::MAX)
}

impl Press {
    pub(super) fn inputs(&self) -> Vec<Input> {
        if !self.has(CTRL | ALT | OTHERS) && (self.code == 0 || self.text.chars().nth(1).is_some()) {
            return self.text.chars().map(|c| Input::Key(Key::Char(c))).collect();
        }
        self.key().and_then(|key| self.with(key)).into_iter().collect()
    }

    /// The input of a key with the modifiers and event type of this press.
    pub(super) fn with(&self, key: Key) -> Option<Input> {
        match key {
            _ if self.event == RELEASED => None,
            _ if self.has(OTHERS) => Some(Input::Key(Key::Other)),
            _ if self.has(ALT) => Some(Input::Alt(key)),
            _ => Some(Input::Key(key)),
        }
    }

    fn has(&self, modifiers: u16) -> bool {
        self.modifiers.saturating_sub(1) & modifiers != 0
    }

    /// The key; none for a lone modifier.
    fn key(&self) -> Option<Key> {
        Some(match self.code {
            0 => return None,
            9 if self.has(SHIFT) => Key::BackTab,
            9 => Key::Tab,
            13 => Key::Enter,
            27 => Key::Esc,
            8 | 127 => Key::Backspace,
            57344..=63743 => return functional(self.code),
            _ if self.has(CTRL) => self.with_ctrl(),
            _ => self.typed().map_or(Key::Other, |typed| self.in_layout(typed)),
        })
    }

    /// The same key as in a terminal without the protocol, where Ctrl-I is Tab and Ctrl-[ is Escape.
    fn with_ctrl(&self) -> Key {
        let letter = character(self.code).filter(|c| is_latin(*c)).or(character(self.base));
        match letter.map(|letter| letter.to_ascii_lowercase()) {
            Some(letter @ ('a'..='z' | '[')) if !self.has(SHIFT) => control(letter as u8 & 0x1f),
            _ => Key::Other,
        }
    }

    /// Character that the key produces.
    fn typed(&self) -> Option<char> {
        let c = character(self.code)?;
        let shifted = character(self.shifted);
        match self.text.chars().next() {
            Some(typed) => Some(typed),
            None if c.is_alphabetic() && self.is_upper() => shifted.or(Some(upper(c))),
            // Without `shifted` only the layout could tell which one.
            None if self.has(SHIFT) && US[0].contains(c) => shifted,
            None => Some(c),
        }
    }

    fn is_upper(&self) -> bool {
        self.has(SHIFT) != self.has(CAPS_LOCK)
    }

    /// The character, with its base-layout key if it is not Latin: all commands are Latin letters.
    fn in_layout(&self, typed: char) -> Key {
        match character(self.base).filter(char::is_ascii) {
            Some(base) if !is_latin(typed) => Key::Layout { typed, latin: self.on_us_keyboard(base) },
            _ => Key::Char(typed),
        }
    }

    fn on_us_keyboard(&self, base: char) -> char {
        let shifted = US[0].find(base).filter(|_| self.has(SHIFT)).and_then(|at| US[1][at..].chars().next());
        shifted.unwrap_or(if self.is_upper() { base.to_ascii_uppercase() } else { base })
    }
}

/// Whether it is before the Greek block, or in Latin Extended Additional.
fn is_latin(c: char) -> bool {
    c < '\u{370}' || ('\u{1e00}'..'\u{1f00}').contains(&c)
}

/// The upper case of a character, if that is a single one.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
}

/// Functional keys, which have numbers in the private use area of Unicode.
fn functional(code: u16) -> Option<Key> {
    Some(match code {
        // Caps Lock, Scroll Lock and Num Lock; Shift, Ctrl, Alt and other modifiers.
        57358..=57360 | 57441..=57454 => return None,
        57364..=57398 => u8::try_from(code - 57363).map_or(Key::Other, Key::F),
        57399..=57408 => character(code - 57399 + u16::from(b'0')).map_or(Key::Other, Key::Char),
        57409 => Key::Char('.'),
        57410 => Key::Char('/'),
        57411 => Key::Char('*'),
        57412 => Key::Char('-'),
        57413 => Key::Char('+'),
        57414 => Key::Enter,
        57415 => Key::Char('='),
        57416 => Key::Char(','),
        57417 => Key::Left,
        57418 => Key::Right,
        57419 => Key::Up,
        57420 => Key::Down,
        57421 => Key::PageUp,
        57422 => Key::PageDown,
        57423 => Key::Home,
        57424 => Key::End,
        57426 => Key::Delete,
        _ => Key::Other,
    })
}
