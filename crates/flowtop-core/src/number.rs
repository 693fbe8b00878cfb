//! iftop's number format: four significant places, a unit in steps of 1024 (packets: 1000), at most ten characters. And
//! numbers and addresses as the standard library writes them, but faster: a report may have ten thousands of them.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Write as _;
use core::net::IpAddr;

/// Unit of a printed number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// A rate: bytes in, bits out.
    #[default]
    Bits,
    /// A rate or an amount: bytes.
    Bytes,
    /// A rate: packets in, packets out.
    Packets,
    /// A rate or an amount: bytes on the wire.
    Wire,
}

/// Characters that iftop's buffer holds between the leading blank and the NUL.
const BUFFER_CHARS: usize = 8;

/// `amount` (bytes, or packets) in the given unit, without padding.
///
/// iftop calculates with 32-bit floats and chooses the unit before it rounds, hence `1000B` and `10.00KB`; it knows
/// no unit above G, calls a thousand million packets a `GB`, and cuts what its buffer does not hold.
#[must_use]
pub fn number(amount: f64, unit: Unit) -> String {
    let mut text = String::with_capacity(BUFFER_CHARS);
    write_number(&mut text, amount, unit);
    text
}

/// [`number`] at the end of `out`.
pub fn write_number(out: &mut String, amount: f64, unit: Unit) {
    let (factor, step, names) = match unit {
        Unit::Bits => (8.0, 1024.0, ["b", "Kb", "Mb", "Gb"]),
        Unit::Bytes | Unit::Wire => (1.0, 1024.0, ["B", "KB", "MB", "GB"]),
        Unit::Packets => (1.0, 1000.0, ["p", "Kp", "Mp", "GB"]),
    };
    let value = in_32_bits(amount) * factor;
    let (places, index, unit) = scale(value, step);
    let start = out.len();
    write_rounded(out, value / unit, places);
    out.push_str(names[index]);
    out.truncate(start + BUFFER_CHARS);
}

/// As `{:.places$}` with up to two places, but faster.
fn write_rounded(out: &mut String, value: f32, places: u32) {
    let parts = 10_u64.pow(places);
    // A product of 24 bits and 7 bits is exact in 53.
    let rounded = rounded(f64::from(value) * parts as f64);
    write_integer(out, rounded / parts);
    if places > 0 {
        out.push('.');
        let fraction = rounded % parts;
        if places > 1 && fraction < 10 {
            out.push('0');
        }
        write_integer(out, fraction);
    }
}

/// The nearest whole number, the even one of two, as C's `printf` rounds: without the standard library there is no
/// `f64::round_ties_even`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below 0")]
#[expect(clippy::float_cmp, reason = "a half is exact")]
fn rounded(number: f64) -> u64 {
    let below = number as u64;
    let rest = number - below as f64;
    let is_up = rest > 0.5 || (rest == 0.5 && !below.is_multiple_of(2));
    below + u64::from(is_up)
}

/// Appends a number in decimal digits, without the machinery of `core::fmt`.
pub fn write_integer(out: &mut String, value: u64) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// An address as the standard library writes it, which takes its time for IPv4.
pub fn write_address(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, byte) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                write_integer(out, byte.into());
            }
        }
        // Writing to a string does not fail.
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
}

/// A rate of a scale (bits, or packets) in steps of 1000, as iftop labels its logarithmic scale. With bytes as the unit
/// the bits are made bytes first.
#[must_use]
pub fn thousands(rate: f64, unit: Unit) -> String {
    let (divisor, names) = match unit {
        Unit::Bits => (1.0, ["b", "Kb", "Mb", "Gb"]),
        Unit::Bytes | Unit::Wire => (8.0, ["B", "KB", "MB", "GB"]),
        Unit::Packets => (1.0, ["p", "Kp", "Mp", "GB"]),
    };
    let value = in_32_bits(rate / divisor);
    let (places, index, unit) = scale(value, 1000.0);
    let mut text = String::with_capacity(BUFFER_CHARS);
    write_rounded(&mut text, value / unit, places);
    text.push_str(names[index]);
    text
}

#[expect(clippy::cast_possible_truncation, reason = "iftop's own precision decides where its units change")]
fn in_32_bits(amount: f64) -> f32 {
    amount as f32
}

/// Decimals, how many times `step` goes into the unit, and the unit.
fn scale(value: f32, step: f32) -> (u32, usize, f32) {
    let mut unit = 1.0;
    for index in 0..3 {
        if value < 1000.0 * unit {
            return (0, index, unit);
        }
        unit *= step;
        if value < 10.0 * unit {
            return (2, index + 1, unit);
        }
        if value < 100.0 * unit {
            return (1, index + 1, unit);
        }
    }
    (0, 3, unit)
}

/// `1 connection`, `2 connections`.
#[must_use]
pub fn count(n: impl Into<u64>, what: &str) -> String {
    let n = n.into();
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A number with commas between its thousands.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// bytes, as an amount, as a rate (empty where iftop's answer is not recorded).
    const VECTORS: &str = include_str!("testdata/iftop-numbers.tsv");

    #[test]
    fn the_texts_are_iftops() {
        let mut compared = 0;
        for line in VECTORS.lines().skip(1) {
            let [bytes, as_bytes, as_bits] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let bytes: f64 = bytes.parse().unwrap();
            assert_eq!(number(bytes, Unit::Bytes), as_bytes, "{line}");
            if !as_bits.is_empty() {
                assert_eq!(number(bytes, Unit::Bits), as_bits, "{line}");
            }
            compared += 1;
        }
        assert_eq!(compared, 23);
    }

    #[test]
    fn packets_go_in_thousands() {
        for (packets, text) in [
            (0.0, "0p"),
            (999.0, "999p"),
            (1000.0, "1.00Kp"),
            (12_345.0, "12.3Kp"),
            (5e6, "5.00Mp"),
            (2e9, "2.00GB"),
        ] {
            assert_eq!(number(packets, Unit::Packets), text);
        }
    }

    proptest! {
        #[test]
        fn rounding_is_that_of_the_standard_library(bits in 0..f32::INFINITY.to_bits(), places in 0..3_u32) {
            let value = f32::from_bits(bits);
            prop_assume!(value < 1e15);
            let mut text = String::new();
            write_rounded(&mut text, value, places);
            prop_assert_eq!(text, format!("{value:.0$}", places as usize));
        }

        #[test]
        fn integers_and_addresses_are_those_of_the_standard_library(integer: u64, v4: u32, v6: u128) {
            let mut text = String::new();
            write_integer(&mut text, integer);
            prop_assert_eq!(&text, &integer.to_string());
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                text.clear();
                write_address(&mut text, address);
                prop_assert_eq!(&text, &address.to_string());
            }
        }

        #[test]
        fn rounding_of_short_numbers_too(eighths in 0..1_u32 << 16, places in 0..3_u32) {
            let value = f32::from(u16::try_from(eighths).unwrap()) / 8.0;
            let mut text = String::new();
            write_rounded(&mut text, value, places);
            prop_assert_eq!(text, format!("{value:.0$}", places as usize));
        }

        #[test]
        fn never_wider_than_a_cell(bytes: u64) {
            for unit in [Unit::Bits, Unit::Bytes, Unit::Packets] {
                let text = number(bytes as f64, unit);
                prop_assert!(!text.is_empty() && text.len() <= 10, "{}", text);
            }
        }

        #[test]
        fn the_first_three_digits_are_right(bytes in 0..1_u64 << 44) {
            let text = number(bytes as f64, Unit::Bytes);
            let digits = text.trim_end_matches(char::is_alphabetic);
            let step = match text[digits.len()..].chars().next() {
                Some('K') => 1_u64 << 10,
                Some('M') => 1 << 20,
                Some('G') => 1 << 30,
                _ => 1,
            };
            let shown = digits.parse::<f64>().unwrap() * step as f64;
            prop_assert!((shown - bytes as f64).abs() <= bytes as f64 * 0.006, "{}", text);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 7, 999, 1_000, 65_536, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "65,536", "1,234,567"]);
        assert_eq!([count(1_u32, "flow"), count(1200_u32, "flow")], ["1 flow", "1,200 flows"]);
    }
}
