//! Patterns for the names of processes: `*` is any text, `?` any one character, `\` escapes the next one.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Char(char),
    One,
    Any,
}

/// A pattern that the whole of a text has to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Step>);

impl Glob {
    /// Reads a pattern; every text is one.
    pub(super) fn parse(text: &str) -> Self {
        let (mut steps, mut chars) = (Vec::new(), text.chars());
        while let Some(c) = chars.next() {
            steps.push(match c {
                '\\' => Step::Char(chars.next().unwrap_or('\\')),
                '*' => Step::Any,
                '?' => Step::One,
                c => Step::Char(c),
            });
        }
        // `**` says nothing that `*` does not.
        steps.dedup_by(|b, a| (*a, *b) == (Step::Any, Step::Any));
        Self(steps)
    }

    /// The pattern that only this text matches.
    pub(super) fn exactly(text: &str) -> Self {
        Self(text.chars().map(Step::Char).collect())
    }

    /// Characters of the shortest text that matches.
    pub(super) fn shortest_chars(&self) -> usize {
        self.0.iter().filter(|step| **step != Step::Any).count()
    }

    /// The only text that matches, if there is only one.
    pub(super) fn literal(&self) -> Option<String> {
        let char_of = |step: &Step| if let Step::Char(c) = step { Some(*c) } else { None };
        self.0.iter().map(char_of).collect()
    }

    /// Whether no text but the empty one matches.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text matches. Goes back to the last `*` only, so the work is at most pattern times text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (mut at, mut rest) = (0, text);
        let mut last_any: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.0.get(at), next) {
                (None, None) => return true,
                (Some(Step::Any), _) => {
                    at += 1;
                    last_any = Some((at, rest));
                }
                (Some(Step::One), Some(c)) => (at, rest) = (at + 1, &rest[c.len_utf8()..]),
                (Some(Step::Char(wanted)), Some(c)) if *wanted == c => {
                    (at, rest) = (at + 1, &rest[c.len_utf8()..]);
                }
                _ => {
                    // Let the last `*` take one character more.
                    let Some((after, from)) = last_any else { return false };
                    let Some(c) = from.chars().next() else { return false };
                    rest = &from[c.len_utf8()..];
                    (at, last_any) = (after, Some((after, rest)));
                }
            }
        }
    }
}

/// As the filter language writes it, quotes included.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for step in &self.0 {
            match step {
                Step::Any => f.write_str("*")?,
                Step::One => f.write_str("?")?,
                Step::Char(c @ ('*' | '?' | '\\' | '"')) => write!(f, "\\{c}")?,
                Step::Char(c) => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}
