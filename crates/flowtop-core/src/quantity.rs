//! Rates and sizes as people type them, the same wherever one is asked for. A bare letter (`5G`) is in steps of 1024, as in
//! iftop; a letter with its unit (`5Gbit`, `600MB`) in steps of 1000, as links and disks are sold; `Gi` is always 1024.
//!
//! Not in here: how reports show numbers (`number`).

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

/// Letters and their powers.
const LETTERS: [(char, u32); 5] = [('K', 1), ('M', 2), ('G', 3), ('T', 4), ('P', 5)];

/// Digits behind the point: a trillionth is less than one of any unit.
const MAX_FRACTION_DIGITS: usize = 18;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    BitsPerSecond,
    Bytes,
}

impl Measure {
    const fn name(self) -> &'static str {
        match self {
            Self::BitsPerSecond => "bits per second",
            Self::Bytes => "bytes",
        }
    }

    /// A decimal amount with its unit.
    const fn decimal(self) -> (&'static str, &'static str) {
        match self {
            Self::BitsPerSecond => ("bit", "5Gbit"),
            Self::Bytes => ("B", "600MB"),
        }
    }

    /// How many of it there are in a unit, times eight; `None` if that is no unit of it. `b` is a bit and `B` a byte.
    fn eighths(self, unit: &str) -> Option<u64> {
        let unit = match self {
            Self::BitsPerSecond => {
                unit.strip_suffix("/s").or_else(|| unit.strip_suffix("ps")).unwrap_or(unit)
            }
            Self::Bytes => unit,
        };
        let is_byte = match unit {
            "b" | "bit" | "bits" | "Bit" | "Bits" => false,
            "B" | "byte" | "bytes" | "Byte" | "Bytes" => true,
            _ => return None,
        };
        Some(match (self, is_byte) {
            (Self::BitsPerSecond, true) => 64,
            (Self::Bytes, false) => 1,
            _ => 8,
        })
    }
}

/// A text that is no amount of its measure. The sentence has the accepted forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give {}: a number with at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G, or with its unit in steps of \
     1000, as {}",
    .0.name(),
    .0.decimal().1
)]
pub struct QuantityError(Measure);

/// The amount that a text stands for, without what is left below one: `4G`, `1.5M`, `500`, `5Gbit`, `600MB`. At most the
/// largest integer of TOML, in which settings are printed.
///
/// # Errors
/// A text that is no amount, or one that does not fit.
pub fn parse(text: &str, measure: Measure) -> Result<u64, QuantityError> {
    let amount = amount(text, measure).filter(|amount| i64::try_from(*amount).is_ok());
    amount.ok_or(QuantityError(measure))
}

/// What a unit stands for: a factor, and eighths of the measure.
fn factor(unit: &str, measure: Measure) -> Option<(u64, u64)> {
    // What iftop takes for a number without a unit.
    if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
        return Some((1, 8));
    }
    let letter = unit.chars().next()?.to_ascii_uppercase();
    let Some((_, power)) = LETTERS.iter().find(|(name, _)| *name == letter) else {
        return Some((1, measure.eighths(unit)?));
    };
    match &unit[1..] {
        "" | "i" => Some((1024_u64.pow(*power), 8)),
        rest => match rest.strip_prefix('i') {
            Some(unit) => Some((1024_u64.pow(*power), measure.eighths(unit)?)),
            None => Some((1000_u64.pow(*power), measure.eighths(rest)?)),
        },
    }
}

fn amount(text: &str, measure: Measure) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '/');
    let (factor, eighths) = factor(&text[digits.len()..], measure)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_fraction = digits.contains('.');
    if !(all_digits(whole) && all_digits(fraction)) || fraction.len() > MAX_FRACTION_DIGITS {
        return None;
    }
    let parts = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let number = u128::from(whole.parse::<u64>().ok()?) * parts + fraction.parse::<u128>().ok()?;
    let amount = number.checked_mul(factor.into())?.checked_mul(eighths.into())? / parts / 8;
    let amount = u64::try_from(amount).ok()?;
    // Half a byte is a slip, and less than one is not 0, which often means something else.
    let is_whole = !has_fraction || factor > 1;
    (is_whole && (amount > 0 || number == 0)).then_some(amount)
}

/// The shortest text for an amount that says exactly that.
#[must_use]
pub fn show(amount: u64, measure: Measure) -> String {
    let of = |step: u64| {
        let fits = move |(_, power): &&(char, u32)| amount > 0 && amount.is_multiple_of(step.pow(*power));
        LETTERS.iter().rev().find(fits).map(|(letter, power)| (amount / step.pow(*power), letter))
    };
    match (of(1024), of(1000)) {
        (Some((number, letter)), _) => format!("{number}{letter}"),
        (None, Some((number, letter))) => format!("{number}{letter}{}", measure.decimal().0),
        (None, None) => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_has_at_most_one_unit_in_steps_of_1024() {
        let cases = [
            ("0", 0),
            ("007", 7),
            ("500", 500),
            ("500b", 500),
            ("500B", 500),
            ("2k", 2048),
            ("1.5M", 3 << 19),
            ("5.5G", 11 << 29),
            ("1T", 1 << 40),
            ("0.25P", 1 << 48),
            ("0.1K", 102),
            ("7P", 7 << 50),
            ("9223372036854775807", i64::MAX.unsigned_abs()),
            ("0.000000000000000001P", 0),
        ];
        for (text, expected) in &cases[..cases.len() - 1] {
            assert_eq!(parse(text, Measure::Bytes), Ok(*expected), "{text}");
        }
        assert!(parse(cases[cases.len() - 1].0, Measure::Bytes).is_err());
    }

    #[test]
    fn a_unit_that_is_named_is_in_steps_of_1000() {
        for text in
            ["5Gbit", "5Gb", "5Gbps", "5Gbit/s", "5gbit", "5000Mbit", "625MB/s", "0.625GB", "5000000000bit"]
        {
            assert_eq!(parse(text, Measure::BitsPerSecond), Ok(5_000_000_000), "{text}");
        }
        let bits = |text| parse(text, Measure::BitsPerSecond);
        assert_eq!((bits("5G"), bits("5Gi"), bits("5Gibit")), (Ok(5 << 30), Ok(5 << 30), Ok(5 << 30)));
        assert_eq!(
            (bits("1KiB/s"), bits("1kB"), bits("10b"), bits("10B")),
            (Ok(8192), Ok(8000), Ok(10), Ok(10))
        );
        let bytes = |text| parse(text, Measure::Bytes);
        assert_eq!((bytes("2GB"), bytes("2GiB"), bytes("2G")), (Ok(2_000_000_000), Ok(2 << 30), Ok(2 << 30)));
        assert_eq!((bytes("8Mbit"), bytes("100bytes")), (Ok(1_000_000), Ok(100)));
    }

    #[test]
    fn an_amount_is_shown_with_its_unit_where_it_is_decimal() {
        let shown = |amount| show(amount, Measure::BitsPerSecond);
        assert_eq!(
            ["5Gbit", "5G", "1500Mbit", "999", "0"],
            [5_000_000_000, 5 << 30, 1_500_000_000, 999, 0].map(shown)
        );
        assert_eq!(show(600_000_000, Measure::Bytes), "600MB");
    }

    #[test]
    fn anything_else_is_told_what_is_right() {
        let right = "give bytes: a number with at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G, or with its unit in steps of 1000, as 600MB";
        for text in [
            "",
            "G",
            "1.5",
            "1.5b",
            "1.5bit",
            ".5G",
            "5.G",
            "1.2.3G",
            "1,5G",
            "-1",
            "+1",
            "1e6",
            "1GB/s",
            "1Gx",
            "1Gib/",
            "1iB",
            "1 G",
            "10X",
            "0.0001K",
            "8192P",
            "9223372036854775808",
            "99999999999999999999",
            "1.0000000000000000000G",
            "١G",
        ] {
            assert_eq!(parse(text, Measure::Bytes).unwrap_err().to_string(), right, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(amount in prop_oneof![
            0..=i64::MAX.unsigned_abs(),
            (0..1000_u64, 0..6_u32).prop_map(|(n, k)| n << (10 * k)),
        ]) {
            prop_assert_eq!(parse(&show(amount, Measure::Bytes), Measure::Bytes), Ok(amount));
        }

        #[test]
        fn a_fraction_is_that_part_of_the_unit(whole in 0..1000_u64, tenths in 0..10_u64, k in 1..6_u32) {
            let unit = 1_u64 << (10 * k);
            let name = LETTERS[k as usize - 1].0;
            let expected = whole * unit + tenths * unit / 10;
            prop_assert_eq!(parse(&format!("{whole}.{tenths}{name}"), Measure::Bytes), Ok(expected));
        }

        #[test]
        fn no_text_upsets_it(text in "[0-9.]{0,25}[a-zA-Z/]{0,4}|\\PC{0,10}") {
            let _ = parse(&text, Measure::Bytes);
            let _ = parse(&text, Measure::BitsPerSecond);
        }
    }
}
