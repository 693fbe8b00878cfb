//! The value of a field, as each machine format writes it. Written for speed: a report can have ten thousands of rows
//! with dozens of fields.

use alloc::string::String;
use core::fmt::Write as _;
use core::net::IpAddr;

use serde::Serialize;

use crate::number::{write_address, write_integer};

/// The value of a field. In JSON it is what it is, in CSV its text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// JSON `null`, an empty CSV cell.
    Null,
    Bool(bool),
    Integer(u64),
    /// A difference of two counts.
    Signed(i64),
    /// A rate or a time in the unit of the field's name.
    Number(f64),
    /// A word of the program's own, never foreign text.
    Word(&'static str),
    /// Foreign text, such as a name.
    Text(String),
    Address(IpAddr),
}

impl Value {
    /// Plain text; empty for what is not known.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text);
        text
    }

    /// [`Self::text`] at the end of `out`.
    pub fn write_text(&self, out: &mut String) {
        match self {
            Self::Null => {}
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => write_integer(out, *value),
            Self::Signed(value) => out.push_str(itoa::Buffer::new().format(*value)),
            Self::Number(value) => write_plain(out, *value),
            Self::Word(value) => out.push_str(value),
            Self::Text(value) => out.push_str(value),
            Self::Address(value) => write_address(out, *value),
        }
    }

    /// The value as a field of CSV, at the end of `out`. Only texts from outside may have to be quoted.
    pub fn write_csv(&self, out: &mut String) {
        match self {
            Self::Text(text) => write_csv_text(out, text),
            _ => self.write_text(out),
        }
    }

    /// In JSON, at the end of `out`, as `serde_json` writes it, but faster. What is no number there is null.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Number(value) if value.is_finite() => {
                out.push_str(zmij::Buffer::new().format_finite(*value));
            }
            Self::Null | Self::Number(_) => out.push_str("null"),
            Self::Text(text) => write_json_text(out, text),
            Self::Bool(_) | Self::Integer(_) | Self::Signed(_) => self.write_text(out),
            Self::Word(_) | Self::Address(_) => {
                out.push('"');
                self.write_text(out);
                out.push('"');
            }
        }
    }
}

/// A text as a field of CSV, at the end of `out`: quoted as RFC 4180 says, if it has to be, and with `'` before it where a
/// spreadsheet would take it for a formula. Names of processes and pods are chosen by whoever runs them. The `csv` crate
/// takes 10 ns for each field to see whether it has to be quoted, also for numbers, and there may be millions of them.
pub(crate) fn write_csv_text(out: &mut String, text: &str) {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.bytes().any(|byte| b"\",\n\r".contains(&byte)) {
        out.extend(["\"", guard, &text.replace('"', "\"\""), "\""]);
    } else {
        out.push_str(guard);
        out.push_str(text);
    }
}

/// A text in JSON, at the end of `out`.
pub(crate) fn write_json_text(out: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return out.push_str(&serde_json::to_string(text).expect("text is JSON"));
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Without an exponent and without a fraction that is 0, as `{}`, but faster.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "whole, and in the range"
)]
fn write_plain(out: &mut String, value: f64) {
    // In these ranges the one writes no exponent and the other is exact.
    match value {
        0.0..1e15 if value as u64 as f64 == value && value.is_sign_positive() => {
            write_integer(out, value as u64);
        }
        1e-3..1e15 => out.push_str(zmij::Buffer::new().format_finite(value)),
        // Writing to a string does not fail.
        _ => {
            let _ = write!(out, "{value}");
        }
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}
