//! Splits text into pieces with their positions, for the short languages of `flowtop watch`.

use flowtop_core::filter::FilterError;

/// Signs that stand for themselves, also without blanks around them.
const SIGNS: [char; 3] = ['<', '>', '='];

/// A piece of a text. At the end of the text it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Where it begins, in characters from 1.
    pub(super) column: usize,
}

impl Piece<'_> {
    pub(super) fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::spot(self.column, self.text.chars().count(), message)
    }

    /// Something else has to stand here: what, and how it could be written.
    pub(super) fn wrong(&self, what: &str, example: &str) -> FilterError {
        self.error(match self.text {
            "" => format!("{what} is missing at the end; write one like `{example}`"),
            text => format!("`{text}` is not {what}; write one like `{example}`"),
        })
    }
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next signs or the next word.
    pub(super) fn next(&mut self) -> Piece<'a> {
        let rest = self.text[self.at..].trim_start();
        let is_sign = rest.starts_with(SIGNS);
        let ends = |c: char| c.is_whitespace() || SIGNS.contains(&c) != is_sign;
        let text = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let begin = self.text.len() - rest.len();
        self.at = begin + text.len();
        Piece { text, column: self.chars_before(begin) + 1 }
    }

    /// The next word, and those behind it that begin with a digit: `1h 30m`.
    pub(super) fn next_with_numbers(&mut self) -> Piece<'a> {
        let first = self.next();
        let begin = self.at - first.text.len();
        while self.text[self.at..].trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            self.next();
        }
        Piece { text: &self.text[begin..self.at], ..first }
    }

    /// All that is left, without blanks around it.
    pub(super) fn rest(&mut self) -> Piece<'a> {
        let rest = self.text[self.at..].trim_start();
        let begin = self.text.len() - rest.len();
        self.at = self.text.len();
        Piece { text: rest.trim_end(), column: self.chars_before(begin) + 1 }
    }

    fn chars_before(&self, byte: usize) -> usize {
        self.text[..byte].chars().count()
    }
}
