//! flowtop's own configuration file: keys of TOML, named as the long flags, to assignments.
//!
//! Not in here: what the values mean (`settings`) and where the file is (`config`).

use super::settings::{Assignment, KEYS, Origin, key};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

#[cfg(test)]
mod tests;

/// Likeness from which on another name is worth a mention (1 for the same word), as clap has it for flags.
const LIKENESS: f64 = 0.7;

/// A line that sets nothing: in which file, as the user calls it, and which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {mistake}")]
pub struct ConfigError {
    file: String,
    line: usize,
    mistake: Mistake,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Mistake {
    /// With the parser's reason.
    #[error("{0}")]
    Syntax(String),
    #[error("unknown key \"{0}\"; {advice}", advice = advice(.0))]
    UnknownKey(String),
    #[error("{0} takes no such value; give text, a number, true, false or a list")]
    Type(String),
}

/// Reads the text of the file that the user calls `file`.
///
/// # Errors
/// Invalid TOML, an unknown setting or a value of the wrong type, with file and line.
pub fn parse(text: &str, file: &str) -> Result<Vec<Assignment>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let mistake = Mistake::Syntax(error.message().replace('\n', ", "));
        ConfigError { file: file.to_owned(), line: line_of(text, at), mistake }
    })?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_unstable_by_key(|(name, _)| name.span().start);
    entries.into_iter().map(|(name, value)| assignment(text, file, name, value)).collect()
}

fn assignment(
    text: &str,
    file: &str,
    name: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Assignment, ConfigError> {
    let line = line_of(text, name.span().start);
    let word = name.get_ref().as_ref();
    let wrong = |mistake| ConfigError { file: file.to_owned(), line, mistake };
    let key = key(word).ok_or_else(|| wrong(Mistake::UnknownKey(word.to_owned())))?;
    let texts = texts(value.get_ref()).ok_or_else(|| wrong(Mistake::Type(word.to_owned())))?;
    Ok(Assignment { key, texts, origin: Origin::Line { file: file.to_owned(), line, word: word.to_owned() } })
}

/// Line of a byte offset, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The name that was meant, or where the names are.
fn advice(word: &str) -> String {
    let likeness = |name: &str| strsim::jaro_winkler(word, name);
    let names = KEYS.iter().map(|key| key.name);
    let nearest =
        names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) >= LIKENESS);
    nearest.map_or_else(
        || "flowtop --print-config lists the keys".to_owned(),
        |name| format!("did you mean {name}?"),
    )
}

/// The texts of a list, or the one of anything else; `None` for what no setting takes.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| one_text(value.get_ref())).collect(),
        value => Some(vec![one_text(value)?]),
    }
}

fn one_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
