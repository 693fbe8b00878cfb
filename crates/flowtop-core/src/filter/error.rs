//! Errors of filter expressions, with their position.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;

use super::lexer::{Lexeme, Token};
use super::suggestion;
use super::words::{Keyword, Kind, Layer};

/// A rejected filter expression. The text says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    column: usize,
    width: usize,
    message: String,
}

impl FilterError {
    /// An error about one token. What is no token at all says itself what is wrong with it.
    pub(super) fn at(token: &Token<'_>, message: impl Into<String>) -> Self {
        let message = match &token.lexeme {
            Lexeme::Bad(reason) => reason.clone(),
            _ => message.into(),
        };
        Self { column: token.column, width: token.text.chars().count().max(1), message }
    }

    /// An error about a piece of text that is `width` characters long, from character `column` on, counted from 1. For
    /// expressions that have a filter as a part.
    pub fn spot(column: usize, width: usize, message: impl Into<String>) -> Self {
        Self { column, width: width.max(1), message: message.into() }
    }

    /// The same error where so many characters stand before the filter.
    pub fn behind(self, chars: usize) -> Self {
        Self { column: self.column + chars, ..self }
    }

    /// Where the offending text begins, in characters from 1; one past the end if something is missing there.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The expression and, on a second line, carets under the offending text. No newline at the end.
    #[must_use]
    pub fn pointer(&self, expression: &str) -> String {
        // One column a character: a tab or a newline in the expression would move the carets.
        let line: String = expression.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{line}\n{}{}", " ".repeat(self.column - 1), "^".repeat(self.width))
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl core::error::Error for FilterError {}

/// Constructors, one per kind of mistake.
impl FilterError {
    /// A value that no word explains, and what stands behind it.
    pub(super) fn bare(tokens: &[Token<'_>]) -> Self {
        let (token, question) = (&tokens[0], suggestion::question(tokens));
        let value = token.text;
        let message = match (&token.lexeme, suggestion::word(value), suggestion::flag(value)) {
            (Lexeme::Name(_), Some(word), _) => {
                format!(
                    "`{value}` is no word of filters; write `{word}`, or `host {value}` for a host of that name"
                )
            }
            (Lexeme::Name(_), None, Some(flag)) => {
                format!("`{value}` is no word of filters; use the flag {flag}")
            }
            (Lexeme::Name(_), None, None) if question.starts_with("host ") => format!(
                "`{value}` needs a word that says what it is: write `{question}`, or `comm {value}` for a process"
            ),
            _ => format!("`{value}` needs a word that says what it is: write `{question}`"),
        };
        Self::at(token, message)
    }

    /// A value is missing at this token.
    pub(super) fn missing(token: &Token<'_>, what: &str, example: &str) -> Self {
        let before = match token.lexeme {
            Lexeme::End => "at the end".to_owned(),
            _ => format!("before `{}`", token.text),
        };
        Self::at(token, format!("{what} is missing {before}; write one like `{example}`"))
    }

    /// An expression is complete, and something stands behind it.
    pub(super) fn behind_an_expression(token: &Token<'_>) -> Self {
        let text = token.text;
        let message = match token.lexeme {
            Lexeme::Close => "this parenthesis closes nothing; remove it".to_owned(),
            Lexeme::Name(_) if ["and", "or", "not"].contains(&text.to_ascii_lowercase().as_str()) => {
                format!("words are in lower case; write `{}`", text.to_ascii_lowercase())
            }
            _ => format!("`{text}` does not follow from what is before it; join the two with `and` or `or`"),
        };
        Self::at(token, message)
    }

    /// A parenthesis has not been closed.
    pub(super) fn unclosed(token: &Token<'_>) -> Self {
        let text = token.text;
        let message = match token.lexeme {
            Lexeme::End => "a parenthesis is not closed; write `)` here".to_owned(),
            _ => {
                format!("`{text}` does not belong into this parenthesis; write `and`, `or` or `)` before it")
            }
        };
        Self::at(token, message)
    }

    /// A word with the wrong words before it.
    pub(super) fn misplaced(token: &Token<'_>, kind: Kind) -> Self {
        let (word, example) = (token.text, kind.example());
        let right = match token.lexeme {
            Lexeme::Keyword(Keyword::Protocol(_)) => format!("`{word} and {example}`"),
            _ => format!("`{example}` alone"),
        };
        Self::at(token, format!("`{word}` cannot stand before a value like `{example}`; write {right}"))
    }

    /// A word of the language where a value has to stand.
    pub(super) fn keyword_as_value(token: &Token<'_>, kind: Kind) -> Self {
        let (word, example) = (token.text, kind.example());
        Self::at(
            token,
            format!("`{word}` is a word of the language; write a value (`{example}`) or `\\{word}`"),
        )
    }

    /// A value of another kind than its words ask for.
    pub(super) fn wrong(token: &Token<'_>, kind: Kind) -> Self {
        let (text, example) = (token.text, kind.example());
        Self::at(token, format!("`{text}` is not what belongs here; write one like `{example}`"))
    }

    /// A word of pcap's that asks what a TCP socket does not know.
    pub(super) fn refused(token: &Token<'_>, layer: Layer) -> Self {
        let word = token.text;
        let about = match layer {
            Layer::Packet => "single packets",
            Layer::Link => "what is below IP",
        };
        Self::at(
            token,
            format!("`{word}` asks about {about}, but flowtop counts bytes of TCP sockets; remove it"),
        )
    }
}
