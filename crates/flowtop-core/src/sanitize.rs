//! Texts that others wrote (names of processes, users, hosts and interfaces, files, records) made fit for a screen and
//! a report: nothing in them moves the cursor, turns text around or is invisible, and they are no longer than there is
//! room.
//!
//! Everything that shows a foreign text goes through [`sanitize`] or one of its short forms.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use once_cell::race::OnceBox;
use regex_syntax::hir::{Class, HirKind};

#[cfg(test)]
mod tests;

/// The characters that stay. Each of the others is replaced by one that is among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Those of any script, but for what [`breaks_a_screen`]; U+FFFD for the others.
    Unicode,
    /// Printable ASCII and the space; `?` for the others.
    Ascii,
    /// Printable ASCII without the space, for reports that are read word by word; `?` for the others.
    AsciiWord,
}

impl Charset {
    fn has(self, c: char) -> bool {
        match self {
            Self::Unicode => c != char::REPLACEMENT_CHARACTER && !breaks_a_screen(c),
            Self::Ascii => c == ' ' || c.is_ascii_graphic(),
            Self::AsciiWord => c.is_ascii_graphic(),
        }
    }

    const fn replacement(self) -> char {
        match self {
            Self::Unicode => char::REPLACEMENT_CHARACTER,
            Self::Ascii | Self::AsciiWord => '?',
        }
    }

    /// Stands at the end of a text that was cut.
    const fn ellipsis(self) -> char {
        match self {
            Self::Unicode => '…',
            Self::Ascii | Self::AsciiWord => '~',
        }
    }
}

/// A text that may be shown, and what had to be done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sanitized {
    pub text: String,
    /// Whether characters were replaced, here or before.
    pub replaced: bool,
    /// Whether its end was cut off.
    pub cut: bool,
}

/// The first `max_chars` characters; if there were more, the last of them is `…` (in ASCII `~`). What is not UTF-8, and
/// characters that `charset` does not have, are replaced one by one.
#[must_use]
pub fn sanitize(bytes: &[u8], charset: Charset, max_chars: usize) -> Sanitized {
    // A character has at most four bytes: more of them cannot be shown.
    let room = max_chars.saturating_mul(4).saturating_add(4);
    let kept = &bytes[..bytes.len().min(room)];
    let lossy = String::from_utf8_lossy(kept);
    let fits = kept.len() == bytes.len() && lossy.chars().count() <= max_chars;
    let shown = if fits { max_chars } else { max_chars.saturating_sub(1) };
    let mut text = String::with_capacity(kept.len());
    let mut replaced = false;
    for c in lossy.chars().take(shown) {
        let is_good = charset.has(c);
        replaced |= !is_good;
        text.push(if is_good { c } else { charset.replacement() });
    }
    if !fits && max_chars > 0 {
        text.push(charset.ellipsis());
    }
    Sanitized { text, replaced, cut: !fits }
}

/// [`sanitize`] for a text of any script.
#[must_use]
pub fn clean(bytes: &[u8], max_chars: usize) -> Sanitized {
    sanitize(bytes, Charset::Unicode, max_chars)
}

/// [`sanitize`] for a text of any script and length.
#[must_use]
pub fn harmless(text: &str) -> String {
    match unchanged(text, Charset::Unicode) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

/// [`harmless`] for each line of a text whose line breaks are our own.
#[must_use]
pub fn harmless_lines(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(|line| matches!(unchanged(line, Charset::Unicode), Cow::Borrowed(_))) {
        return text.into();
    }
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n").into()
}

/// [`sanitize`] for one word of ASCII of any length.
#[must_use]
pub fn printable(text: &str) -> String {
    unchanged(text, Charset::AsciiWord).into_owned()
}

/// [`sanitize`] for a line of ASCII of any length.
#[must_use]
pub fn to_ascii(text: &str) -> String {
    unchanged(text, Charset::Ascii).into_owned()
}

/// The same text if nothing in it had to be replaced, which is usual.
fn unchanged(text: &str, charset: Charset) -> Cow<'_, str> {
    if text.chars().all(|c| charset.has(c)) {
        return text.into();
    }
    sanitize(text.as_bytes(), charset, usize::MAX).text.into()
}

/// Whether a screen would not show a character as what it is, in its place. These are not shown:
///
/// - control characters (C0, DEL, C1), which move the cursor or switch modes of the terminal;
/// - line and paragraph separators (U+2028, U+2029);
/// - format characters (category Cf): they turn text around (U+061C, U+200E, U+202A to U+202E, U+2066 to U+2069), join
///   or hide it (U+200B to U+200D, U+00AD, U+FEFF, tags), or annotate it (U+FFF9 to U+FFFB). The prepended marks such as
///   U+0600 ARABIC NUMBER SIGN are visible and stay;
/// - whatever else is invisible (`Default_Ignorable_Code_Point`), as variation selectors and the Hangul fillers: two
///   names that differ in it alone would look the same, and terminals do not agree about its width;
/// - private-use characters, which every font shows otherwise, and unassigned ones, about which neither fonts nor
///   terminals agree. What a later Unicode assigns stays when `regex-syntax` knows it.
///
/// So names that are spelled with U+200C and U+200D, as some of Persian and of Indic scripts, show U+FFFD there: told from
/// outside, an honest one is the same as one that hides behind another name.
#[must_use]
pub fn breaks_a_screen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let hidden = HIDDEN.get_or_init(|| Box::new(find_hidden()));
    let at = hidden.partition_point(|range| range.1 < c);
    hidden.get(at).is_some_and(|range| range.0 <= c)
}

/// First and last of each run of characters that break a screen, in order.
static HIDDEN: OnceBox<Vec<(char, char)>> = OnceBox::new();

fn find_hidden() -> Vec<(char, char)> {
    const CLASS: &str =
        r"[\p{Other}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--\p{Prepended_Concatenation_Mark}]";
    let class = regex_syntax::parse(CLASS).map(regex_syntax::hir::Hir::into_kind);
    match class {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        other => unreachable!("{CLASS} is a class of characters: {other:?}"),
    }
}
