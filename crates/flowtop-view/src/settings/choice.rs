//! Settings that are one of a few words, and the words.

use super::value::{AUTO, Value, ValueError, quoted};
use flowtop_core::hooks::Hooks;
use flowtop_core::number::Unit;
use flowtop_core::trigger::{Trigger, Wanted};
use flowtop_core::view::{LineDisplay, PortDisplay, Sort};

/// A setting whose value is one of a fixed list of words.
pub trait Choice: Copy + PartialEq + 'static {
    /// Each word, its value and its description for the help.
    const WORDS: &'static [(&'static str, Self, &'static str)];
}

impl<T: Choice> Value for T {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let words = || T::WORDS.iter().map(|(word, ..)| *word).collect();
        let found = T::WORDS.iter().find(|(word, ..)| *word == text);
        found.map(|(_, value, _)| *value).ok_or_else(|| ValueError::Word(words()))
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
        ("cumulative", Self::Cumulative, "Bytes since the start"),
        ("tx", Self::Tx, "Bytes sent since the start"),
        ("rx", Self::Rx, "Bytes received since the start"),
        ("source", Self::Source, "Left host, as shown"),
        ("destination", Self::Destination, "Right host, as shown"),
    ];
}

impl Choice for PortDisplay {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("off", Self::Off, "No ports: one row for each pair of hosts"),
        ("source-only", Self::SourceOnly, "Ports of the left hosts"),
        ("destination-only", Self::DestinationOnly, "Ports of the right hosts"),
        ("on", Self::On, "Both ports: one row for each connection"),
    ];
}

impl Choice for LineDisplay {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("two-line", Self::TwoLine, "One line for each direction"),
        ("one-line-both", Self::OneLineBoth, "One line with the sum of both"),
        ("one-line-sent", Self::OneLineSent, "One line with the bytes sent"),
        ("one-line-received", Self::OneLineReceived, "One line with the bytes received"),
    ];
}

impl Choice for Unit {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("bits", Self::Bits, "Bits, K = 1024"),
        ("bytes", Self::Bytes, "Bytes, K = 1024"),
        ("packets", Self::Packets, "TCP segments, K = 1000"),
        ("wire", Self::Wire, "Bytes on the wire: payload, repeats and headers, also in all amounts"),
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
        ("text", Self::Text, "Text in the layout of iftop's text mode"),
        ("json", Self::Json, "One JSON object for each report"),
        ("csv", Self::Csv, "One row for each connection, with a header"),
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
        (AUTO, Self::Auto, "Chosen by NO_COLOR, COLORTERM, TERM and COLORFGBG"),
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

impl Choice for Wanted {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Cheaper, "What costs less, second by second"),
        (Trigger::Events.name(), Self::Only(Trigger::Events), "Hooks of what applications send and receive"),
        (Trigger::Sweep.name(), Self::Only(Trigger::Sweep), "One pass over all sockets before each refresh"),
        ("alternate", Self::Alternate, "The other one every 50 ms, to test that both count alike"),
    ];
}

/// How flowtop finds the processes that hold sockets which have not been used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldersChoice {
    /// By the BPF iterator over open files if the kernel has one, otherwise by `/proc`.
    #[default]
    Auto,
    /// By the links in `/proc/PID/fd`.
    Proc,
}

impl Choice for HoldersChoice {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Auto, "BPF iterator over all open files (Linux 5.11), otherwise proc"),
        ("proc", Self::Proc, "Links in /proc/PID/fd, which is slower"),
    ];
}

impl Choice for HooksChoice {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (AUTO, Self::Auto, "First of the following that loads, attaches and counts"),
        (Hooks::Fentry.name(), Self::Only(Hooks::Fentry), "BPF trampolines"),
        (Hooks::Kprobe.name(), Self::Only(Hooks::Kprobe), "Kprobes"),
        (Hooks::Tracepoint.name(), Self::Only(Hooks::Tracepoint), "Tracepoints"),
    ];
}
