//! iftop's configuration file: `directive: value` lines to assignments and warnings.
//!
//! Not in here: what the values mean (`settings`) and where the file is (`config`).

use std::borrow::Cow;

use super::settings::{Assignment, Directive, KEYS, Key, Origin};

#[cfg(test)]
mod tests;

/// Result of reading an `.iftoprc`: settings, and iftop's messages on stderr.
#[derive(Debug, Default)]
pub struct Iftoprc {
    pub assignments: Vec<Assignment>,
    /// Warnings; nothing in the syntax is an error.
    pub warnings: Vec<String>,
}

/// Reads the text of the file that the user calls `file`. `taken` are settings that the command line has set: there
/// they hold, here they are repeated.
#[must_use]
pub fn parse(text: &str, file: &str, taken: &[&Key]) -> Iftoprc {
    let mut found = Iftoprc::default();
    for (line, statement) in statements(text) {
        let Some((name, value)) = split(&statement) else { continue };
        let mut warn =
            |what| found.warnings.push(format!("{file}:{line}: warning: {what} directive \"{name}\""));
        let Some((key, directive)) = lookup(name) else {
            warn("unknown");
            continue;
        };
        let is_key = |other: &Key| other.name == key.name;
        if taken.iter().any(|taken| is_key(taken)) || found.assignments.iter().any(|a| is_key(a.key)) {
            warn("repeated");
            continue;
        }
        let origin = Origin::Line { file: file.to_owned(), line, word: name.to_owned() };
        found.assignments.push(Assignment { key, texts: vec![directive.translate(value)], origin });
    }
    found
}

fn lookup(name: &str) -> Option<(&'static Key, Directive)> {
    let directives =
        KEYS.iter().flat_map(|key| key.directives.iter().map(move |directive| (key, *directive)));
    directives.into_iter().find(|(_, directive)| directive.name() == name)
}

/// Lines with the lines that continue them, each with the number of the first. (iftop's own numbers leave the
/// continuations out, which points at the wrong line.)
fn statements(text: &str) -> Vec<(usize, Cow<'_, str>)> {
    let mut statements = Vec::<(usize, Cow<'_, str>)>::new();
    let mut continues = false;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let part = line.strip_suffix('\\').unwrap_or(line);
        match statements.last_mut() {
            Some((_, statement)) if continues => statement.to_mut().push_str(part),
            _ => statements.push((number, Cow::Borrowed(part))),
        }
        continues = part.len() < line.len();
    }
    statements
}

/// The directive and its value, without the comment; `None` where there is no colon or nothing before it.
fn split(statement: &str) -> Option<(&str, &str)> {
    let blank = [' ', '\t'];
    let text = statement.split('#').next().unwrap_or_default();
    let (head, value) = text.split_once(':')?;
    let name = head.trim_start_matches(blank).split(blank).next().filter(|name| !name.is_empty())?;
    Some((name, value.trim_matches(blank)))
}
