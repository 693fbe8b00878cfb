//! Command lines without what looks like a secret: they are shown, sent on and kept for weeks.
//!
//! What follows a name like `password` is replaced, and so are passwords in URLs and texts that can be recognised as
//! tokens. Where it is not clear how far a value goes, more is replaced rather than less.

mod names;
mod programs;
#[cfg(test)]
mod tests;

use names::{is_header, is_secret, is_secret_alone};
use programs::{Flag, Program};

/// Replacement of a secret; a shorter secret is replaced by as many asterisks.
const MASK: &[u8] = b"***";

/// Characters of a name in a URL from which on it is taken for a token.
const TOKEN_CHARS: usize = 20;

/// The arguments of a process, with each secret replaced. No argument is longer than it was.
#[must_use]
pub fn hide(arguments: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut scan = Scan::default();
    arguments.iter().map(|argument| scan.argument(argument)).collect()
}

/// How to treat the next argument, or the next word of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    /// The whole argument is a secret.
    Secret,
    /// The part behind this character is a secret, as in `name:password`.
    Behind(u8),
}

/// Goes through the arguments, and remembers what the ones before say of the next.
#[derive(Debug, Default)]
struct Scan {
    next: Next,
    /// The program whose short flags are known.
    program: Option<Program>,
    /// Whether the first argument, which is the program, has been seen.
    has_begun: bool,
}

impl Scan {
    fn argument(&mut self, argument: &[u8]) -> Vec<u8> {
        match std::mem::take(&mut self.next) {
            Next::Secret if !is_flag(argument) => return masked(argument),
            Next::Behind(separator) if !is_flag(argument) => return masked_behind(argument, separator),
            _ => {}
        }
        let hidden = self.text(argument);
        self.has_begun = true;
        hidden
    }

    /// An argument that is not a secret as a whole. It may be a command line itself, as behind `sh -c`.
    fn text(&mut self, text: &[u8]) -> Vec<u8> {
        let (mut hidden, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let end = at + text[at..].iter().take_while(|byte| is_name(**byte)).count();
            if end == at {
                hidden.push(text[at]);
                at += 1;
                continue;
            }
            let secret = self.secret_at(text, at, end);
            let (from, to) = secret.unwrap_or((end, end));
            hidden.extend(&text[at..from]);
            hidden.extend(masked(&text[from..to]));
            at = to;
        }
        hidden
    }

    /// Where the secret is that a name in a text tells of, if there is one. It may be the next argument instead.
    fn secret_at(&mut self, text: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
        let name = &text[at..end];
        self.notice_program(text, at, end);
        if let Some(secret) = names::token(text, at, end).or_else(|| url(text, at, end)) {
            return Some(secret);
        }
        if let Some(from) = value_of(text, at, end) {
            if from == text.len() {
                // `Authorization:` as an argument of its own; nothing behind `=` is no secret.
                self.next = if text[end..].contains(&b':') { Next::Secret } else { Next::Anything };
                return None;
            }
            return Some((from, value_end(text, at, from)));
        }
        if at > 0 && !text[at - 1].is_ascii_whitespace() {
            return None;
        }
        match self.program.and_then(|program| program.flag(&text[at..word_end(text, end)])) {
            Some(Flag::Glued(chars)) => return Some((at + chars, whole_end(text, at, at + chars))),
            Some(Flag::GluedBehind(separator)) => {
                return behind(text, at, whole_end(text, at, end), separator);
            }
            Some(Flag::Next) => return self.next_word(text, end, Next::Secret),
            Some(Flag::NextBehind(separator)) => return self.next_word(text, end, Next::Behind(separator)),
            None => {}
        }
        let is_key = (name.starts_with(b"-") && is_secret(name)) || is_secret_alone(name);
        if is_key && is_word_end(text, end) { self.next_word(text, end, Next::Secret) } else { None }
    }

    /// A word that is a program, rather than a part of a path or of a URL: the first one, one that stands alone, and one
    /// in a folder of programs.
    fn notice_program(&mut self, text: &[u8], at: usize, end: usize) {
        let is_alone = at == 0 || text[at - 1].is_ascii_whitespace();
        let is_place = is_alone || text[..at].ends_with(b"bin/") || (!self.has_begun && text[at - 1] == b'/');
        if is_place && is_word_end(text, end) {
            self.program = Program::of(&text[at..end], self.program);
        }
    }

    /// The word behind a flag, or the next argument.
    fn next_word(&mut self, text: &[u8], end: usize, next: Next) -> Option<(usize, usize)> {
        let from = end + text[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if from == text.len() {
            self.next = next;
            return None;
        }
        let to = quoted_end(text, from);
        match next {
            _ if is_flag(&text[from..to]) => None,
            Next::Behind(separator) => behind(text, from, to, separator),
            Next::Anything | Next::Secret => Some((from, to)),
        }
    }
}

/// A character of a name: `--db.password`, `AWS_SECRET_ACCESS_KEY`.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn is_quote(byte: u8) -> bool {
    b"\"'`".contains(&byte)
}

/// Whether an argument is a flag rather than the value of the one before: `-h` and `--host`, but not `-hunter2`.
fn is_flag(argument: &[u8]) -> bool {
    match argument {
        [b'-', letter] => letter.is_ascii_alphabetic(),
        [b'-', b'-', first, ..] => first.is_ascii_alphabetic(),
        _ => false,
    }
}

fn is_word_end(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(u8::is_ascii_whitespace)
}

fn word_end(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count()
}

/// The end of a value that may stand in quotes.
fn quoted_end(text: &[u8], from: usize) -> usize {
    match text.get(from).filter(|byte| is_quote(**byte)) {
        Some(quote) => closing(text, from + 1, *quote),
        None => word_end(text, from),
    }
}

/// The end of a value that begins within the word that begins at `at`: where that is the argument, all of it.
fn whole_end(text: &[u8], at: usize, from: usize) -> usize {
    if at == 0 { text.len() } else { quoted_end(text, from) }
}

/// Behind the quote that closes, or the end.
fn closing(text: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// Where the value of a secret's name begins: behind `=` or `:`.
fn value_of(text: &[u8], at: usize, end: usize) -> Option<usize> {
    let name = &text[at..end];
    if !(is_secret(name) || is_header(name)) {
        return None;
    }
    // As in `{"password":"…"}`.
    let is_quoted = at > 0 && text.get(end) == Some(&text[at - 1]) && is_quote(text[at - 1]);
    let separator = end + usize::from(is_quoted);
    let rest = text.get(separator + 1..)?;
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match text[separator] {
        b'=' => Some(separator + 1),
        // `secret:/etc/secret` is a volume of a container.
        b':' if !rest.starts_with(b"/") => Some(separator + 1 + blanks),
        _ => None,
    }
}

/// Where a value ends. What begins an argument is about all of it; all else ends with its word or its quote.
fn value_end(text: &[u8], at: usize, from: usize) -> usize {
    let before = at.checked_sub(1).map(|before| text[before]);
    let is_enclosed = |quote: &u8| is_quote(*quote) && !text[at..from].contains(quote);
    match before {
        None => text.len(),
        // Up to the quote, not with it.
        Some(quote) if is_enclosed(&quote) => closing(text, from, quote).saturating_sub(1).max(from),
        Some(_) if is_header(&text[at..from]) => text.len(),
        Some(_) => quoted_end(text, from),
    }
}

/// The password in `scheme://name:password@host`, and in `name:password@host`.
fn url(text: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
    let word = &text[..word_end(text, end)];
    let Some(authority) = word[end..].starts_with(b"://").then_some(end + 3) else {
        return without_scheme(word, at, end);
    };
    let ends = |byte: &u8| b"/?#".contains(byte) || is_quote(*byte);
    let stop = authority + word[authority..].iter().take_while(|byte| !ends(byte)).count();
    let Some(colon) = word[authority..stop].iter().position(|byte| *byte == b':') else {
        // A token in place of the name: no name is so long.
        let name_end = authority + word[authority..stop].iter().rposition(|byte| *byte == b'@')?;
        return (name_end - authority >= TOKEN_CHARS).then_some((authority, name_end));
    };
    let colon = authority + colon;
    if let Some(at_sign) = word[colon..stop].iter().rposition(|byte| *byte == b'@') {
        return Some((colon + 1, colon + at_sign));
    }
    // The next one of a list may follow.
    let mut behind_digits = word[colon + 1..stop].iter().skip_while(|byte| byte.is_ascii_digit());
    let is_port = behind_digits.next().is_none_or(|byte| b",;|)]}".contains(byte));
    let is_address = word[authority] == b'[';
    // A password with a slash in it, or one whose end is not there.
    let to =
        word[colon..].iter().rposition(|byte| *byte == b'@').map_or(word.len(), |at_sign| colon + at_sign);
    (!is_port && !is_address).then_some((colon + 1, to))
}

fn without_scheme(word: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
    let is_first = at == 0 || !b"/@:=".contains(&word[at - 1]);
    let rest = word.get(end..)?.strip_prefix(b":")?;
    let at_sign = rest.iter().position(|byte| b"@/".contains(byte)).filter(|place| rest[*place] == b'@')?;
    // An image of a container by its digest.
    let is_digest = rest[at_sign + 1..].starts_with(b"sha256:") || &word[at..end] == b"mailto";
    (is_first && at_sign > 0 && !is_digest).then_some((end + 1, end + 1 + at_sign))
}

/// Range behind a separator, unless it is a number, as the group in `1000:1000`.
fn behind(text: &[u8], from: usize, to: usize, separator: u8) -> Option<(usize, usize)> {
    let place = text[from..to].iter().position(|byte| *byte == separator)?;
    let value = (from + place + 1, to);
    (value.0 < to && !text[value.0..to].iter().all(u8::is_ascii_digit)).then_some(value)
}

fn masked_behind(argument: &[u8], separator: u8) -> Vec<u8> {
    let Some((from, to)) = behind(argument, 0, argument.len(), separator) else { return argument.to_vec() };
    [&argument[..from], &masked(&argument[from..to])].concat()
}

fn masked(secret: &[u8]) -> Vec<u8> {
    MASK[..MASK.len().min(secret.len())].to_vec()
}
