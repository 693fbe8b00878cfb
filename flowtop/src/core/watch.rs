//! `flowtop watch`: what is watched for, when that has come about, what is done then, and what is kept for it.
//!
//! Not in here: the clock, processes that are started, and files (`crate::watch`).

pub mod action;
pub mod before;
pub mod condition;
pub mod news;
mod scanner;
pub mod trigger;

use std::time::Duration;

/// Spans of time as they are typed: a whole number and a unit, as 10s, 5m, 1h or 2d.
///
/// # Errors
/// What would be right.
pub fn span(text: &str) -> Result<Duration, String> {
    let right = || "give a time as 10s, 5m, 1h or 2d".to_owned();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds_of_one = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(right()),
    };
    // `parse` takes a plus sign, which no one means.
    let number: Option<u64> = digits.parse().ok().filter(|_| !digits.starts_with('+'));
    let seconds = number.and_then(|number| number.checked_mul(seconds_of_one));
    // A year is more than anybody waits, and fits into every clock.
    seconds.filter(|s| (1..=366 * 86_400).contains(s)).map(Duration::from_secs).ok_or_else(right)
}

/// A span of whole seconds as it is typed, in the largest unit that leaves nothing over.
#[must_use]
pub fn show_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(of_one, _)| seconds > 0 && seconds.is_multiple_of(*of_one));
    let (of_one, name) = unit.unwrap_or((1, 's'));
    format!("{}{name}", seconds / of_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_is_shown() {
        for text in ["1s", "10s", "90s", "5m", "1h", "36h", "2d"] {
            assert_eq!(show_span(span(text).unwrap()), text);
        }
        assert_eq!(show_span(span("60s").unwrap()), "1m");
        for text in ["", "s", "10", "0s", "1.5m", "-1s", "+1s", "10 s", "1w", "99999999999999999999d", "400d"]
        {
            assert_eq!(span(text), Err("give a time as 10s, 5m, 1h or 2d".to_owned()), "{text}");
        }
    }
}
