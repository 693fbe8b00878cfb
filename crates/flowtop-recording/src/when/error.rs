//! Reasons why a time or a period cannot be used.

/// The flag that a time belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    From,
    To,
    /// The start of a period that is written in one text.
    Start,
    End,
    /// `--at`.
    At,
}

impl Edge {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::From => "--from",
            Self::To => "--to",
            Self::Start => "the start",
            Self::End => "the end",
            Self::At => "--at",
        }
    }

    pub(super) const fn is_end(self) -> bool {
        matches!(self, Self::To | Self::End)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("\"{}\" is no period; write one like 08:00..09:00", .0.escape_debug())]
    NoPeriod(String),
    #[error(
        "{}: \"{}\" is no time; write one like 08:00, \"yesterday 08:00\", 2026-11-20, \"2026-11-20 08:00\", \
         \"3m ago\", now or 2026-11-20T08:00:00+01:00",
        .edge.name(),
        .text.escape_debug()
    )]
    NoTime { edge: Edge, text: String },
    #[error("{}: the time is outside the years that can be written; give one nearer to now", .0.name())]
    OutOfRange(Edge),
    #[error("{} {time} is not before now, {now}; give an earlier one", .edge.name())]
    NotBeforeNow { edge: Edge, time: String, now: String },
    /// The notes say how skipped or repeated times were understood.
    #[error(
        "{} {from} is not before {} {to}{}; {}",
        .edges[0].name(),
        .edges[1].name(),
        in_parentheses(.notes),
        if *.is_empty { "the period is empty" } else { "swap them" }
    )]
    NotBefore { edges: [Edge; 2], from: String, to: String, notes: Vec<String>, is_empty: bool },
    /// Two clock times without a day that are swapped or equal: it is ambiguous which of two days is meant.
    #[error(
        "{}: without a day both are times of one day, and {from} is not before {to}; swap them, or for a period over \
         midnight name the day, as {}",
        .edge.both(from, to),
        .edge.both_with_day(from, to)
    )]
    OfOneDay { edge: Edge, from: String, to: String },
    #[error(
        "{} {text} is of the day of {from}, and not after it; the next one has not come ({next}): write its day",
        .edge.name()
    )]
    NotYet { edge: Edge, text: String, from: String, next: String },
}

impl Edge {
    /// A period as it is typed if this is its end.
    fn both(self, from: &str, to: &str) -> String {
        match self {
            Self::End => format!("{from}..{to}"),
            _ => format!("--from {from} --to {to}"),
        }
    }

    fn both_with_day(self, from: &str, to: &str) -> String {
        match self {
            Self::End => format!("'yesterday {from}..{to}'"),
            _ => format!("--from 'yesterday {from}' --to {to}"),
        }
    }
}

fn in_parentheses(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}
