//! Splits text into tokens, with pcap's rules for what is a number, an address or a name.
//!
//! The first thing that is no token ends the list as [`Lexeme::Bad`]; the parser reports it when it gets there, so
//! of two mistakes the first one is told.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::suggestion;
use super::words::{self, Keyword};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) lexeme: Lexeme,
    /// As written; empty at the end.
    pub(super) text: &'a str,
    /// Where it begins, in characters from 1.
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lexeme {
    Keyword(Keyword),
    /// A word without a meaning of its own, without the backslash it may have had.
    Name(String),
    Number(u32),
    /// Two to four numbers with dots between: `10.1`, `10.1.2.3`; whether they are small enough is not looked at.
    Dotted,
    Ip6(Ipv6Addr),
    Mac,
    /// Text between quotes, without them.
    Quoted(String),
    /// A word with `*` or `?` in it.
    Pattern,
    Open,
    Close,
    Slash,
    And,
    Or,
    Not,
    End,
    /// No token; the message says why.
    Bad(String),
}

const CONTROL: &str = "a name here has a control character in it; write `?` for it";

/// All tokens of an expression; the last one is [`Lexeme::End`] or [`Lexeme::Bad`].
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut rest, mut column, mut tokens) = (text, 1, Vec::new());
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        column += rest.len() - trimmed.len();
        let (lexeme, bytes) = first(trimmed, tokens.last());
        let (text, behind) = trimmed.split_at(bytes);
        let last = matches!(lexeme, Lexeme::End | Lexeme::Bad(_));
        tokens.push(Token { lexeme, text, column });
        if last {
            return tokens;
        }
        column += text.chars().count();
        rest = behind;
    }
}

/// The first lexeme of a text that begins with no white space, and its length in bytes.
fn first(text: &str, before: Option<&Token<'_>>) -> (Lexeme, usize) {
    let symbols = [("&&", Lexeme::And), ("||", Lexeme::Or), ("!", Lexeme::Not), ("(", Lexeme::Open)];
    let more = [(")", Lexeme::Close), ("/", Lexeme::Slash)];
    if let Some((symbol, lexeme)) =
        symbols.into_iter().chain(more).find(|(symbol, _)| text.starts_with(symbol))
    {
        return (lexeme, symbol.len());
    }
    match text.chars().next() {
        None => (Lexeme::End, 0),
        Some(quote @ ('"' | '\'')) => quoted(text, quote),
        Some('\\') => escaped(text),
        Some(c) if c.is_ascii_alphanumeric() || ":*?".contains(c) => {
            let run = run(text);
            let lexeme = word(run);
            let zone = if matches!(lexeme, Lexeme::Ip6(_)) { zone(&text[run.len()..]) } else { "" };
            (lexeme, run.len() + zone.len())
        }
        Some(c) => {
            let message = suggestion::sign(c, text, before).unwrap_or_else(|| foreign(c));
            (Lexeme::Bad(message), c.len_utf8())
        }
    }
}

/// Why a character begins no token.
fn foreign(c: char) -> String {
    if "[]=<>+-%&|^".contains(c) {
        return format!(
            "`{c}` is arithmetic on the bytes of packets, and flowtop counts TCP sockets, which keep none; remove it"
        );
    }
    format!("`{}` means nothing here; a name with such a character is written in quotes", c.escape_default())
}

/// The zone id behind an IPv6 address, with its `%`: the interface of a link-local one.
fn zone(text: &str) -> &str {
    let Some(name) = text.strip_prefix('%') else { return "" };
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let end = name.find(|c| !is_of_name(c)).unwrap_or(name.len());
    if end == 0 { "" } else { &text[..=end] }
}

/// The longest word at the beginning. Like pcap's, it ends in no `-` or `_`.
fn run(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.:*?".contains(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['-', '_'])
}

pub(super) fn word(run: &str) -> Lexeme {
    if is_mac(run) {
        Lexeme::Mac
    } else if run.contains(':') {
        let bad = || {
            Lexeme::Bad(match suggestion::with_colon(run) {
                Some(right) => format!("`{run}` is no address; write `{right}`"),
                None => format!("`{run}` is no IPv6 address; write one like `2001:db8::1`"),
            })
        };
        run.parse().map_or_else(|_| bad(), Lexeme::Ip6)
    } else if run.contains(['*', '?']) {
        Lexeme::Pattern
    } else if let Some(number) = number(run) {
        number.map_or_else(|error| Lexeme::Bad(error.to_string()), Lexeme::Number)
    } else if is_dotted(run) {
        Lexeme::Dotted
    } else {
        match run {
            "and" => Lexeme::And,
            "or" => Lexeme::Or,
            "not" => Lexeme::Not,
            _ => words::keyword(run).map_or_else(|| Lexeme::Name(run.to_owned()), Lexeme::Keyword),
        }
    }
}

/// Digits that are no number.
#[derive(Debug, thiserror::Error)]
enum NumberError {
    #[error("`{0}` is no octal number, which is what a leading 0 makes it; remove the 0")]
    Octal(String),
    #[error("`{0}` does not fit into 32 bits; write a smaller number")]
    TooLarge(String),
}

/// A number as C writes it: `0x50`, `0120`, `80`. `None` if the word is none.
fn number(word: &str) -> Option<Result<u32, NumberError>> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).filter(|digits| !digits.is_empty());
    let (digits, radix) = match (hex, word.strip_prefix('0')) {
        (Some(digits), _) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => (digits, 16),
        _ if !word.bytes().all(|b| b.is_ascii_digit()) => return None,
        (_, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (word, 10),
    };
    let number = u32::from_str_radix(digits, radix);
    Some(number.map_err(|_| match radix {
        8 => NumberError::Octal(word.to_owned()),
        _ => NumberError::TooLarge(word.to_owned()),
    }))
}

fn is_dotted(word: &str) -> bool {
    let parts = word.split('.').count();
    (2..=4).contains(&parts) && word.split('.').all(|part| number(part).is_some() && !part.is_empty())
}

/// A link-layer address in one of the forms that pcap takes.
fn is_mac(word: &str) -> bool {
    let groups = |separator: char, count: usize, digits: core::ops::RangeInclusive<usize>| {
        let hex = |group: &str| group.bytes().all(|b| b.is_ascii_hexdigit()) && digits.contains(&group.len());
        word.split(separator).count() == count && word.split(separator).all(hex)
    };
    [':', '-', '.'].into_iter().any(|separator| groups(separator, 6, 1..=2))
        || groups('.', 3, 4..=4)
        || groups('.', 1, 12..=12)
}

/// A backslash and what follows: a name, whatever the word means otherwise.
fn escaped(text: &str) -> (Lexeme, usize) {
    let end = text.find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(text.len());
    match &text[1..end] {
        "" => (Lexeme::Bad("a name is missing behind the backslash".to_owned()), 1),
        name if name.contains(char::is_control) => (Lexeme::Bad(CONTROL.to_owned()), 1),
        name => (Lexeme::Name(name.to_owned()), end),
    }
}

/// Text in quotes; a backslash takes the next character along.
fn quoted(text: &str, quote: char) -> (Lexeme, usize) {
    let mut skip = false;
    for (at, c) in text.char_indices().skip(1) {
        if c.is_control() {
            return (Lexeme::Bad(CONTROL.to_owned()), at);
        }
        if c == quote && !skip {
            return (Lexeme::Quoted(text[1..at].to_owned()), at + 1);
        }
        skip = c == '\\' && !skip;
    }
    (Lexeme::Bad(format!("the quote is not closed; write {quote} at the end of the name")), 1)
}
