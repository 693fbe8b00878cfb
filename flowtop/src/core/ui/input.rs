//! What a terminal sends → keys and clicks. Fed with bytes as they come; never waits.
//!
//! A lone Esc is the beginning of every other key's bytes: [`Decoder::flush`] says that nothing more has come.

#[cfg(test)]
mod tests;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// One that writes a character.
    Char(char),
    /// A letter with Ctrl, in lower case.
    Ctrl(char),
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Tab with Shift.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Escape.
    Esc,
    /// A key that flowtop has no name for.
    Other,
}

/// Something that a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Pressed a key.
    Key(Key),
    /// Pressed the left button, at a cell counted from 0.
    Click {
        /// Its column.
        column: u16,
        /// Its line.
        line: u16,
    },
    /// Turned the wheel by a notch.
    Wheel {
        /// Towards the end of the list.
        down: bool,
    },
}

/// Longest sequence that is waited for; more is no key of any terminal.
const MAX_SEQUENCE: usize = 32;

/// The bytes that have come and are not yet a key.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

/// What the pending bytes begin with.
enum Step {
    /// So many bytes that mean this.
    Done(usize, Option<Input>),
    /// The beginning of something.
    More,
}

impl Decoder {
    /// Takes bytes; returns what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.pending.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        while let Step::Done(taken, input) = step(&self.pending) {
            self.pending.drain(..taken);
            inputs.extend(input);
        }
        inputs
    }

    /// Whether the last bytes may be the beginning of a key.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing more has come: a lone Esc is the key, anything else that is unfinished is dropped.
    pub fn flush(&mut self) -> Option<Input> {
        let pending = std::mem::take(&mut self.pending);
        (pending == [0x1b]).then_some(Input::Key(Key::Esc))
    }
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] => Step::More,
        [0x1b, b'[', rest @ ..] => sequence(rest),
        [0x1b, b'O', rest @ ..] => match rest.first() {
            None => Step::More,
            Some(&last) => key(3, named(last).unwrap_or(Key::Other)),
        },
        // Esc and then another key, at once. With Alt it looks the same, and no key of flowtop has that.
        [0x1b, ..] => key(1, Key::Esc),
        [first, ..] if *first < 0x20 || *first == 0x7f => key(1, control(*first)),
        _ => character(bytes),
    }
}

fn key(taken: usize, key: Key) -> Step {
    Step::Done(taken, Some(Input::Key(key)))
}

fn control(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        1..=26 => Key::Ctrl(char::from(b'a' + byte - 1)),
        _ => Key::Other,
    }
}

/// A character of UTF-8; bytes that are none are dropped one by one.
fn character(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return Step::Done(1, None),
    };
    let is_continued = bytes.iter().take(length).skip(1).all(|byte| byte & 0xc0 == 0x80);
    if !is_continued {
        return Step::Done(1, None);
    }
    let Some(bytes) = bytes.get(..length) else { return Step::More };
    let c = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
    Step::Done(length, c.map(|c| Input::Key(Key::Char(c))))
}

/// What follows `ESC [`: parameters, intermediates and a final byte, as ECMA-48 has them.
fn sequence(rest: &[u8]) -> Step {
    // The console of Linux sends F1 to F5 as `ESC [ [ A`.
    if let [b'[', tail @ ..] = rest {
        return if tail.is_empty() { Step::More } else { key(4, Key::Other) };
    }
    let Some(at) = rest.iter().position(|byte| !(0x20..0x40).contains(byte)) else {
        let too_long = rest.len() > MAX_SEQUENCE;
        return if too_long { Step::Done(2 + rest.len(), None) } else { Step::More };
    };
    let (parameters, last) = (&rest[..at], rest[at]);
    let taken = 2 + at + 1;
    if !(0x40..0x7f).contains(&last) {
        return Step::Done(taken - 1, None);
    }
    match parameters {
        [b'<', mouse @ ..] if matches!(last, b'M' | b'm') => Step::Done(taken, click(mouse, last == b'M')),
        _ if last == b'~' => key(taken, numbered(parameters)),
        _ => key(taken, named(last).unwrap_or(Key::Other)),
    }
}

fn named(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'Z' => Key::BackTab,
        b'M' => Key::Enter,
        _ => return None,
    })
}

fn numbered(parameters: &[u8]) -> Key {
    match parameters.split(|byte| *byte == b';').next() {
        Some(b"1" | b"7") => Key::Home,
        Some(b"3") => Key::Delete,
        Some(b"4" | b"8") => Key::End,
        Some(b"5") => Key::PageUp,
        Some(b"6") => Key::PageDown,
        _ => Key::Other,
    }
}

/// `button;column;line` of SGR's mouse reports, which count from 1.
fn click(parameters: &[u8], is_pressed: bool) -> Option<Input> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(';').map(str::parse::<u16>);
    let (button, column, line) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    match button {
        0 if is_pressed => Some(Input::Click { column: column.checked_sub(1)?, line: line.checked_sub(1)? }),
        64 | 65 if is_pressed => Some(Input::Wheel { down: button == 65 }),
        _ => None,
    }
}
