//! Spans of time as people type them: `60s`, `5m`, `1h30m`, `2d`, the same wherever one is asked for.
//!
//! Not in here: points in time (`when`).

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// A year is enough, and fits into every clock.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A text that is no span of whole seconds, or one that is too long. The sentence has the accepted forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a time as 10s, 5m, 1h30m or 2d")]
pub struct SpanError;

/// Whole seconds, at least one. Digits alone are seconds.
///
/// # Errors
/// A text that is no span, and one of more than 366 days.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let span = if is_plain(text) { text.parse().ok().map(Duration::from_secs) } else { with_units(text) };
    let fits =
        span.filter(|span| (Duration::from_secs(1)..=LONGEST).contains(span) && span.subsec_nanos() == 0);
    fits.ok_or(SpanError)
}

/// A text with units in jiff's friendly format. A day is the largest of them that is always as long.
#[must_use]
pub fn with_units(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok().filter(|_| !text.starts_with('+') && !text.ends_with("ago"))?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

/// A span of whole seconds as it is typed, in the largest unit that leaves nothing over.
#[must_use]
pub fn show(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(of_one, _)| seconds > 0 && seconds.is_multiple_of(*of_one));
    let (of_one, name) = unit.unwrap_or((1, 's'));
    format!("{}{name}", seconds / of_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_has_units_or_is_seconds() {
        for (text, seconds) in [
            ("90", 90),
            ("60s", 60),
            ("5m", 300),
            ("1h", 3600),
            ("36h", 129_600),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("1.5h", 5400),
            ("90 s", 90),
            ("5 minutes", 300),
            ("2d", 172_800),
            ("1d12h", 129_600),
            ("366d", 31_622_400),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_what_is_right() {
        for text in [
            "",
            "s",
            "0",
            "0s",
            "-1s",
            "+1s",
            "-5m",
            "5m ago",
            "soon",
            "100ms",
            "1500ms",
            "1.5",
            "1mo",
            "1y",
            "367d",
            "18446744073709551616",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(text), Err(SpanError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(seconds in 1..=31_622_400_u64) {
            let span = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&show(span)), Ok(span));
        }

        #[test]
        fn no_text_upsets_it(text in "[0-9smhd. -]{0,12}|\\PC{0,10}") {
            let _ = parse(&text);
        }
    }
}
