//! Rates and sizes as people type them: a number and a unit in steps of 1024, the same wherever one is asked for.
//!
//! Not in here: whether bits per second or bytes are meant, and how reports show numbers (`number`).

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

/// Units and the powers of two that they stand for. `B` is what `iftop -m` takes for a number without a unit.
const UNITS: [(char, u32); 6] = [('B', 0), ('K', 10), ('M', 20), ('G', 30), ('T', 40), ('P', 50)];

/// Digits behind the point: a trillionth is less than one of any unit.
const MAX_FRACTION_DIGITS: usize = 18;

/// The amount that a text stands for, without what is left below one: `4G`, `1.5M`, `500`. At most the largest integer
/// of TOML, in which settings are printed.
///
/// # Errors
/// The accepted forms, for the thing that `what` names.
pub fn parse(text: &str, what: &str) -> Result<u64, String> {
    let amount = amount(text).filter(|amount| i64::try_from(*amount).is_ok());
    amount.ok_or_else(|| {
        format!("give {what}: a number and at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G")
    })
}

fn amount(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let bits = match &text[digits.len()..] {
        "" => 0,
        unit => UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name.encode_utf8(&mut [0; 4])))?.1,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_fraction = digits.contains('.');
    if !(all_digits(whole) && all_digits(fraction)) || fraction.len() > MAX_FRACTION_DIGITS {
        return None;
    }
    let parts = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let number = u128::from(whole.parse::<u64>().ok()?) * parts + fraction.parse::<u128>().ok()?;
    let amount = u64::try_from(number.checked_mul(1 << bits)? / parts).ok()?;
    // Half a byte is a slip, and less than one is not 0, which often means something else.
    let is_whole = !has_fraction || bits > 0;
    (is_whole && (amount > 0 || number == 0)).then_some(amount)
}

/// The shortest text for an amount that says exactly that.
#[must_use]
pub fn show(amount: u64) -> String {
    let fits = |(_, bits): &&(char, u32)| amount > 0 && *bits > 0 && amount.trailing_zeros() >= *bits;
    match UNITS.iter().rev().find(fits) {
        Some((unit, bits)) => format!("{}{unit}", amount >> bits),
        None => amount.to_string(),
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
            assert_eq!(parse(text, "bytes"), Ok(*expected), "{text}");
        }
        assert!(parse(cases[cases.len() - 1].0, "bytes").is_err());
    }

    #[test]
    fn anything_else_is_told_what_is_right() {
        let right = "give bytes: a number and at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G";
        for text in [
            "",
            "G",
            "1.5",
            "1.5b",
            ".5G",
            "5.G",
            "1.2.3G",
            "1,5G",
            "-1",
            "+1",
            "1e6",
            "1GB",
            "1GiB",
            "1 G",
            "10X",
            "0.0001K",
            "8192P",
            "9223372036854775808",
            "99999999999999999999",
            "1.0000000000000000000G",
            "١G",
        ] {
            assert_eq!(parse(text, "bytes"), Err(right.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(amount in prop_oneof![
            0..=i64::MAX.unsigned_abs(),
            (0..1000_u64, 0..6_u32).prop_map(|(n, k)| n << (10 * k)),
        ]) {
            prop_assert_eq!(parse(&show(amount), "bytes"), Ok(amount));
        }

        #[test]
        fn a_fraction_is_that_part_of_the_unit(whole in 0..1000_u64, tenths in 0..10_u64, k in 1..6_u32) {
            let unit = 1_u64 << (10 * k);
            let name = UNITS[k as usize].0;
            let expected = whole * unit + tenths * unit / 10;
            prop_assert_eq!(parse(&format!("{whole}.{tenths}{name}"), "bytes"), Ok(expected));
        }

        #[test]
        fn no_text_upsets_it(text in "[0-9.]{0,25}[a-zA-Z]{0,2}|\\PC{0,10}") {
            let _ = parse(&text, "bytes");
        }
    }
}
