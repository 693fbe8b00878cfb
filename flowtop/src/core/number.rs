//! iftop's number format: four significant places, a unit in steps of 1024 (packets: 1000), at most ten characters.

/// What a number is printed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// A rate: bytes in, bits out.
    #[default]
    Bits,
    /// A rate or an amount: bytes.
    Bytes,
    /// A rate: packets in, packets out.
    Packets,
}

/// What iftop's buffer takes of a text, behind the leading blank and before the NUL in it.
const BUFFER_CHARS: usize = 8;

/// `amount` (bytes, or packets) in the given unit, without padding.
///
/// iftop calculates with 32-bit floats and chooses the unit before it rounds, hence `1000B` and `10.00KB`; it knows
/// no unit above G, calls a thousand million packets a `GB`, and cuts what its buffer does not hold.
#[must_use]
pub fn number(amount: f64, unit: Unit) -> String {
    let (factor, step, names) = match unit {
        Unit::Bits => (8.0, 1024.0, ["b", "Kb", "Mb", "Gb"]),
        Unit::Bytes => (1.0, 1024.0, ["B", "KB", "MB", "GB"]),
        Unit::Packets => (1.0, 1000.0, ["p", "Kp", "Mp", "GB"]),
    };
    let value = in_32_bits(amount) * factor;
    let (places, index) = scale(value, step);
    let scaled = value / f32::powi(step, i32::from(index));
    let mut text = format!("{scaled:.places$}{}", names[usize::from(index)]);
    text.truncate(BUFFER_CHARS);
    text
}

/// A rate of a scale (bits, or packets) in steps of 1000, as iftop labels its logarithmic scale. With bytes as the unit
/// the bits are made bytes first.
#[must_use]
pub fn thousands(rate: f64, unit: Unit) -> String {
    let (divisor, names) = match unit {
        Unit::Bits => (1.0, ["b", "Kb", "Mb", "Gb"]),
        Unit::Bytes => (8.0, ["B", "KB", "MB", "GB"]),
        Unit::Packets => (1.0, ["p", "Kp", "Mp", "GB"]),
    };
    let value = in_32_bits(rate / divisor);
    let (places, index) = scale(value, 1000.0);
    let scaled = value / f32::powi(1000.0, i32::from(index));
    format!("{scaled:.places$}{}", names[usize::from(index)])
}

#[expect(clippy::cast_possible_truncation, reason = "iftop's own precision decides where its units change")]
fn in_32_bits(amount: f64) -> f32 {
    amount as f32
}

/// Decimals, and how many times `step` goes into the unit.
fn scale(value: f32, step: f32) -> (usize, u8) {
    let mut unit = 1.0;
    for index in 0..3 {
        if value < 1000.0 * unit {
            return (0, index);
        }
        unit *= step;
        if value < 10.0 * unit {
            return (2, index + 1);
        }
        if value < 100.0 * unit {
            return (1, index + 1);
        }
    }
    (0, 3)
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
}
