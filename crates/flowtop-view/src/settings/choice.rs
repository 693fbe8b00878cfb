//! Settings that are one of a few words, and the words.

use super::value::{AUTO, Value, quoted};
use flowtop_core::hooks::Hooks;
use flowtop_core::number::Unit;
use flowtop_core::view::{LineDisplay, PortDisplay, Sort};

/// A value that is one of a few words.
pub trait Choice: Copy + PartialEq + 'static {
    /// Each word, what it stands for, and what that is, for the help.
    const WORDS: &'static [(&'static str, Self, &'static str)];
}

impl<T: Choice> Value for T {
    fn parse(text: &str) -> Result<Self, String> {
        let words = || T::WORDS.iter().map(|(word, ..)| *word).collect::<Vec<_>>().join(", ");
        let found = T::WORDS.iter().find(|(word, ..)| *word == text);
        found.map(|(_, value, _)| *value).ok_or_else(|| format!("give one of {}", words()))
    }

    fn show(&self) -> String {
        let found = T::WORDS.iter().find(|(_, value, _)| value == self);
        quoted(found.map_or("", |(word, ..)| word))
    }

    fn warning(text: &str, directive: &str) -> Option<String> {
        Some(format!("Invalid enumeration value \"{text}\" for directive \"{directive}\""))
    }
}

impl Choice for Sort {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("2s", Self::Last2s, "Rate over the last 2 seconds"),
        ("10s", Self::Last10s, "Rate over the last 10 seconds"),
        ("40s", Self::Last40s, "Rate over the last 40 seconds"),
        ("source", Self::Source, "Left host, as it is shown"),
        ("destination", Self::Destination, "Right host, as it is shown"),
    ];
}

impl Choice for PortDisplay {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("off", Self::Off, "None: the connections of two hosts are one row"),
        ("source-only", Self::SourceOnly, "Those of the left hosts"),
        ("destination-only", Self::DestinationOnly, "Those of the right hosts"),
        ("on", Self::On, "Both: each connection is a row"),
    ];
}

impl Choice for LineDisplay {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("two-line", Self::TwoLine, "One line for each direction"),
        ("one-line-both", Self::OneLineBoth, "One line with the sum of both"),
        ("one-line-sent", Self::OneLineSent, "One line with what is sent"),
        ("one-line-received", Self::OneLineReceived, "One line with what is received"),
    ];
}

impl Choice for Unit {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("bits", Self::Bits, "Bits, K = 1024"),
        ("bytes", Self::Bytes, "Bytes, K = 1024"),
        ("packets", Self::Packets, "TCP segments, K = 1000"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One JSON object per report.
    Json,
    /// One line per connection.
    Csv,
}

impl Choice for Format {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("text", Self::Text, "The layout of iftop's text mode"),
        ("json", Self::Json, "One JSON object a report"),
        ("csv", Self::Csv, "One line a connection, with a line of names first"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Chosen by the environment of the terminal.
    Auto,
    /// Of 256 colours, for a dark background.
    Dark,
    /// Of 256 colours, for a light background.
    Light,
    /// Of the terminal's own 16 colours.
    Ansi,
    Mono,
}

impl Choice for Theme {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Auto, "What NO_COLOR, COLORTERM, TERM and COLORFGBG say of the terminal"),
        ("dark", Self::Dark, "256 colours on a dark background"),
        ("light", Self::Light, "256 colours on a light background"),
        ("ansi", Self::Ansi, "The 16 colours of the terminal"),
        ("mono", Self::Mono, "No colours"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HooksChoice {
    /// The first family that loads, attaches and counts.
    Auto,
    Only(Hooks),
}

impl HooksChoice {
    /// `None` for auto.
    #[must_use]
    pub const fn wanted(self) -> Option<Hooks> {
        match self {
            Self::Auto => None,
            Self::Only(hooks) => Some(hooks),
        }
    }
}

/// How holders of sockets are found that no process was seen to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldersChoice {
    /// By the kernel's iterator if it has one, or else by `/proc`.
    #[default]
    Auto,
    /// By the links in `/proc/PID/fd`.
    Proc,
}

impl Choice for HoldersChoice {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Auto, "A walk of the kernel over all open files (Linux 5.11), or else proc"),
        ("proc", Self::Proc, "The links in /proc/PID/fd, which takes longer"),
    ];
}

impl Choice for HooksChoice {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Auto, "The first of the following that loads, attaches and counts"),
        (Hooks::Fentry.name(), Self::Only(Hooks::Fentry), "Trampolines"),
        (Hooks::Kprobe.name(), Self::Only(Hooks::Kprobe), "kprobes"),
        (Hooks::Tracepoint.name(), Self::Only(Hooks::Tracepoint), "Tracepoints"),
    ];
}
