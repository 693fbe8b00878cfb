//! Decodes the bytes of a terminal into keys, mouse events and pasted text. Does no I/O and has no clock.
//!
//! The `vte` crate parses UTF-8 and control sequences. It is made for the output of programs, so this module handles
//! what is different in input: the Escape key, Alt (an ESC before the key), sequences of keys and of the mouse that go
//! on after the final byte of ECMA-48, and bracketed paste. Control strings (OSC, DCS, APC, PM, SOS) are replies to
//! queries, never keys: they are discarded up to their terminator, without buffering.
//!
//! The result depends on the bytes alone, not on how they are split over reads. The exception is an ESC without more
//! bytes, which is the Escape key; only a clock can tell, and the caller has it: [`Decoder::awaits`] says what to wait
//! for, and [`Decoder::flush`] ends the wait.

mod kitty;
mod paste;
mod sequence;
#[cfg(test)]
mod tests;

use vte::{Params, Parser, Perform};

use paste::Paste;
pub use paste::PasteError;
use sequence::Sequence;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A printable character.
    Char(char),
    /// A character that is not Latin, from a terminal that also reports the base-layout key.
    Layout {
        /// The character of the active layout, such as `й`.
        typed: char,
        /// The character at the same position of a US keyboard, such as `q`.
        latin: char,
    },
    /// A letter with Ctrl, in lower case.
    Ctrl(char),
    /// Function key: 1 for F1.
    F(u8),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Enter,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Esc,
    /// A key that flowtop has no name for.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    /// Pressed a key while holding Alt.
    Alt(Key),
    /// Pasted a text, which may contain line breaks and control characters.
    Paste(Result<String, PasteError>),
    /// Pressed the left button, at a cell counted from 0.
    Click {
        column: u16,
        line: u16,
    },
    /// Turned the wheel by a notch.
    Wheel {
        /// Towards the end of the list.
        down: bool,
    },
}

/// An incomplete input. Each kind deserves another timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Possibly complete: Escape, or Alt with a character that also introduces sequences.
    Key,
    /// The rest of a sequence or control string. Terminals send it at once, but a network may split it.
    Sequence,
    /// The rest of a pasted text.
    Paste,
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Where in the input the decoder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two inputs, or inside a UTF-8 character.
    #[default]
    Ground,
    Escape,
    /// After `ESC [` (CSI) or `ESC O` (SS3), up to the final byte.
    Sequence(Begun),
    /// After `ESC [ [`: the Linux console sends F1 to F5 as `ESC [ [ A` to `ESC [ [ E`.
    Console,
    /// After `ESC ]` or another introducer of a control string.
    ControlString(Begun),
    /// After `ESC` in a control string: `ESC \` terminates it.
    StringEscape(Begun),
    /// After `ESC [ 200 ~`, in pasted text.
    Paste,
    /// After `ESC [ M`: an X10 mouse report has three more bytes, which need not be UTF-8.
    Mouse {
        bytes: [u8; 3],
        len: usize,
    },
}

/// The part of a sequence or control string that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    introducer: u8,
    content: Content,
}

/// Parameter bytes after the introducer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// None. If no more bytes come, the user pressed Alt with the introducer.
    Empty,
    /// Digits only.
    Number,
    Mixed,
}

impl Begun {
    const fn by(introducer: u8) -> Self {
        Self { introducer, content: Content::Empty }
    }

    fn with(self, byte: u8) -> Self {
        let is_number = byte.is_ascii_digit() && self.content != Content::Mixed;
        Self { content: if is_number { Content::Number } else { Content::Mixed }, ..self }
    }

    fn is_empty(self) -> bool {
        self.content == Content::Empty
    }

    /// Whether this byte may follow the introducer of a sequence.
    fn may_continue_with(self, byte: u8) -> bool {
        match self.introducer {
            b'O' => matches!(byte, b'0'..=b'9' | b';' | 0x40..0x7f),
            _ => (0x20..0x7f).contains(&byte),
        }
    }
}

#[derive(Default)]
pub struct Decoder {
    /// Needs no buffer for control strings, since they do not reach it.
    parser: Parser<0>,
    state: State,
    paste: Paste,
    found: Found,
}

impl Decoder {
    /// Decodes bytes and returns the inputs that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        for byte in bytes {
            self.take(*byte);
        }
        std::mem::take(&mut self.found.inputs)
    }

    /// The incomplete input, if any. The caller waits for its rest and then calls [`Self::flush`].
    #[must_use]
    pub fn awaits(&self) -> Option<Awaited> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(Awaited::Key),
            State::Sequence(begun) | State::ControlString(begun) if begun.is_empty() => Some(Awaited::Key),
            State::Paste => Some(Awaited::Paste),
            _ => Some(Awaited::Sequence),
        }
    }

    /// Ends an incomplete input because no more bytes came: a lone ESC is the Escape key, ESC and an introducer are Alt
    /// with that character, anything else is discarded.
    pub fn flush(&mut self) -> Vec<Input> {
        match self.state {
            State::Escape => self.found.report([Input::Key(Key::Esc)]),
            State::Paste => self.found.report([Input::Paste(Err(PasteError::CutOff))]),
            _ => self.abandon(),
        }
        self.parser = Parser::default();
        self.state = State::Ground;
        self.found.is_after_esc = false;
        std::mem::take(&mut self.found.inputs)
    }

    fn take(&mut self, byte: u8) {
        match self.state {
            State::Ground => self.ground(byte),
            State::Escape => self.escape(byte),
            State::Sequence(begun) => self.sequence(begun, byte),
            State::Console => self.console(byte),
            State::ControlString(begun) => self.control_string(begun, byte),
            State::StringEscape(begun) => self.string_escape(begun, byte),
            State::Paste => self.pasted(byte),
            State::Mouse { bytes, len } => self.mouse(bytes, len, byte),
        }
    }

    fn ground(&mut self, byte: u8) {
        if byte == ESC {
            self.state = State::Escape;
            self.found.is_after_esc = false;
        } else {
            self.parse(byte);
        }
    }

    fn parse(&mut self, byte: u8) {
        self.parser.advance(&mut self.found, &[byte]);
    }

    fn escape(&mut self, byte: u8) {
        // Forget a UTF-8 character that the ESC has cut off.
        self.parser = Parser::default();
        self.state = State::Ground;
        match byte {
            b'[' | b'O' => {
                self.parser.advance(&mut self.found, b"\x1b[");
                self.found.introducer = byte;
                self.state = State::Sequence(Begun::by(byte));
            }
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::ControlString(Begun::by(byte)),
            // The last ESC of several may be Alt; those before are the Escape key.
            ESC => {
                self.found.report_escape_key();
                self.found.is_after_esc = true;
                self.state = State::Escape;
            }
            _ => {
                self.found.report_escape_key();
                self.found.is_after_esc = true;
                self.parse(byte);
            }
        }
    }

    fn sequence(&mut self, begun: Begun, byte: u8) {
        self.state = State::Sequence(begun.with(byte));
        match (byte, begun.content) {
            (ESC, _) => self.abandon_for(begun, byte),
            (_, Content::Empty) if !begun.may_continue_with(byte) => self.abandon_for(begun, byte),
            (b'[', Content::Empty) if begun.introducer == b'[' => self.state = State::Console,
            // rxvt ends a key with Shift by `$`, which is not a final byte in ECMA-48.
            (b'$', Content::Number) => self.end_sequence(b'~'),
            // A final byte, or CAN or SUB, which cancel the sequence.
            (0x40..0x7f | 0x18 | 0x1a, _) => self.end_sequence(byte),
            _ => self.parse(byte),
        }
    }

    fn end_sequence(&mut self, last: u8) {
        self.state = State::Ground;
        self.parse(last);
        self.found.is_after_esc = false;
        match std::mem::take(&mut self.found.begins) {
            Begins::Nothing => {}
            Begins::Paste => self.state = State::Paste,
            Begins::Mouse => self.state = State::Mouse { bytes: [0; 3], len: 0 },
        }
    }

    fn console(&mut self, byte: u8) {
        self.state = State::Ground;
        match byte {
            ESC => self.abandon_for(Begun::by(b'[').with(b'['), byte),
            b'A'..=b'E' => self.found.report([Input::Key(Key::F(byte - b'A' + 1))]),
            _ => self.found.report([Input::Key(Key::Other)]),
        }
    }

    fn control_string(&mut self, begun: Begun, byte: u8) {
        match byte {
            // xterm accepts BEL as terminator of an OSC query, and replies in kind.
            BEL if begun.introducer == b']' => self.end_string(),
            ESC => self.state = State::StringEscape(begun),
            _ => self.state = State::ControlString(begun.with(byte)),
        }
    }

    fn string_escape(&mut self, begun: Begun, byte: u8) {
        match byte {
            b'\\' => self.end_string(),
            ESC => {}
            // The string lacks its terminator, and a new sequence begins.
            _ => {
                self.abandon_for(begun, ESC);
                self.take(byte);
            }
        }
    }

    fn end_string(&mut self) {
        self.state = State::Ground;
        self.found.report([]);
    }

    fn pasted(&mut self, byte: u8) {
        if self.paste.take(byte) {
            self.state = State::Ground;
            let text = std::mem::take(&mut self.paste).text();
            self.found.report([Input::Paste(text)]);
        }
    }

    fn mouse(&mut self, mut bytes: [u8; 3], len: usize, byte: u8) {
        if byte == ESC {
            self.state = State::Escape;
            return;
        }
        bytes[len] = byte;
        self.state = State::Mouse { bytes, len: len + 1 };
        if len + 1 == bytes.len() {
            self.state = State::Ground;
            let [button, column, line] = bytes.map(u16::from);
            self.found.report(sequence::mouse_from_32(button, column, line));
        }
    }

    /// Gives up an incomplete input because this byte begins another one.
    fn abandon_for(&mut self, begun: Begun, byte: u8) {
        self.state = State::Sequence(begun);
        self.abandon();
        self.parser = Parser::default();
        self.state = State::Ground;
        self.take(byte);
    }

    /// Gives up an incomplete sequence or control string.
    fn abandon(&mut self) {
        match self.state {
            State::Sequence(begun) | State::ControlString(begun) if begun.is_empty() => {
                self.found.report([Input::Alt(Key::Char(char::from(begun.introducer)))]);
            }
            _ => self.found.report([]),
        }
        self.paste = Paste::default();
    }
}

/// Input that a sequence starts.
#[derive(Clone, Copy, Debug, Default)]
enum Begins {
    #[default]
    Nothing,
    Paste,
    Mouse,
}

/// Collects the inputs that `vte` dispatches.
#[derive(Default)]
struct Found {
    inputs: Vec<Input>,
    begins: Begins,
    /// The byte after `ESC` of the current sequence.
    introducer: u8,
    /// An ESC came right before the current input and is not reported yet.
    is_after_esc: bool,
}

impl Found {
    /// Reports a pending ESC as the Escape key.
    fn report_escape_key(&mut self) {
        if std::mem::take(&mut self.is_after_esc) {
            self.inputs.push(Input::Key(Key::Esc));
        }
    }

    /// Reports inputs. A pending ESC is Alt if a key comes first, else the Escape key.
    fn report(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs = inputs.into_iter().peekable();
        if let Some(Input::Key(key)) = inputs.peek().filter(|_| self.is_after_esc)
            && *key != Key::Esc
        {
            self.is_after_esc = false;
            self.inputs.push(Input::Alt(*key));
            inputs.next();
        }
        self.report_escape_key();
        self.inputs.extend(inputs);
    }
}

impl Perform for Found {
    fn print(&mut self, c: char) {
        match c {
            // `vte` prints it for invalid UTF-8.
            char::REPLACEMENT_CHARACTER => self.is_after_esc = false,
            '\x7f' => self.report([Input::Key(Key::Backspace)]),
            // C1 controls, which no key sends.
            _ if c.is_control() => self.is_after_esc = false,
            _ => self.report([Input::Key(Key::Char(c))]),
        }
    }

    fn execute(&mut self, byte: u8) {
        if byte < 0x20 {
            self.report([Input::Key(control(byte))]);
        }
        self.is_after_esc = false;
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], is_cut: bool, last: char) {
        let sequence = Sequence { introducer: self.introducer, params, intermediates, last };
        match sequence.begins() {
            Begins::Nothing if is_cut => self.report([]),
            Begins::Nothing => self.report(sequence.inputs()),
            begins => {
                self.report_escape_key();
                self.begins = begins;
            }
        }
    }
}

/// The key that sends this control character.
fn control(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 => Key::Backspace,
        1..=26 => Key::Ctrl(char::from(b'a' + byte - 1)),
        ESC => Key::Esc,
        _ => Key::Other,
    }
}
