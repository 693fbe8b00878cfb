//! iftop's number format: four significant places, a unit in steps of 1024, at most ten characters.

/// What a number is printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A rate: bytes in, bits out.
    Bits,
    /// An amount: bytes.
    Bytes,
}

/// The longest text in front of the units that iftop's buffer takes, its leading blank included.
const BUFFER_CHARS: usize = 9;

/// `bytes` in the given unit, without padding.
///
/// iftop calculates with 32-bit floats and chooses the unit before it rounds, hence `1000B` and `10.00KB`; it knows
/// no unit above G, and cuts what its buffer does not hold.
#[must_use]
pub fn number(bytes: f64, unit: Unit) -> String {
    let (factor, names) = match unit {
        Unit::Bits => (8.0, ["b", "Kb", "Mb", "Gb"]),
        Unit::Bytes => (1.0, ["B", "KB", "MB", "GB"]),
    };
    let value = in_32_bits(bytes) * factor;
    let (places, index) = scale(value);
    let scaled = value / f32::from(1024_u16).powi(i32::from(index));
    let text = format!(" {scaled:4.places$}{}", names[usize::from(index)]);
    let kept: String = text.chars().take(BUFFER_CHARS).collect();
    kept.trim_start().to_owned()
}

#[expect(clippy::cast_possible_truncation, reason = "iftop's own precision decides where its units change")]
fn in_32_bits(bytes: f64) -> f32 {
    bytes as f32
}

/// Decimals, and how many times 1024 goes into the unit.
fn scale(value: f32) -> (usize, u8) {
    let mut unit = 1.0;
    for index in 0..3 {
        if value < 1000.0 * unit {
            return (0, index);
        }
        unit *= 1024.0;
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

    proptest! {
        #[test]
        fn never_wider_than_a_cell(bytes: u64) {
            for unit in [Unit::Bits, Unit::Bytes] {
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
