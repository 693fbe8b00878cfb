//! Texts from outside made fit for a screen and a report: no control characters, nothing that is not UTF-8, not longer
//! than there is room.

use crate::core::wire::breaks_a_screen;

/// A text that may be shown, and what had to be done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clean {
    /// The text.
    pub text: String,
    /// Whether characters were replaced.
    pub replaced: bool,
    /// Whether its end was cut off.
    pub cut: bool,
}

/// The first `max_chars` characters; the last of them is `…` if there were more. What is not UTF-8, and what would move
/// the cursor or turn the text around, becomes U+FFFD.
#[must_use]
pub fn clean(bytes: &[u8], max_chars: usize) -> Clean {
    // A character has at most four bytes: more of them cannot be shown.
    let room = max_chars.saturating_mul(4).saturating_add(4);
    let kept = &bytes[..bytes.len().min(room)];
    let lossy = String::from_utf8_lossy(kept);
    let fits = kept.len() == bytes.len() && lossy.chars().count() <= max_chars;
    let shown = if fits { max_chars } else { max_chars.saturating_sub(1) };
    let mut text = String::with_capacity(kept.len().min(room));
    let mut replaced = false;
    for c in lossy.chars().take(shown) {
        let bad = c == char::REPLACEMENT_CHARACTER || breaks_a_screen(c);
        replaced |= bad;
        text.push(if bad { char::REPLACEMENT_CHARACTER } else { c });
    }
    if !fits {
        text.push('…');
    }
    Clean { text, replaced, cut: !fits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_harmless_stays() {
        let clean = clean("größe 日本".as_bytes(), 40);
        assert_eq!(clean, Clean { text: "größe 日本".to_owned(), replaced: false, cut: false });
    }

    #[test]
    fn what_is_not_is_replaced_or_cut() {
        assert_eq!(clean(b"a\x1b[2J\n\xff", 40).text, "a\u{fffd}[2J\u{fffd}\u{fffd}");
        let long = clean(b"abcdef", 4);
        assert_eq!((long.text.as_str(), long.cut), ("abc…", true));
        assert!(clean(&vec![b'x'; 1 << 20], 10).cut);
    }

    proptest! {
        #[test]
        fn every_text_comes_out_fit(bytes: Vec<u8>, max_chars in 1..40_usize) {
            let clean = clean(&bytes, max_chars);
            prop_assert!(clean.text.chars().count() <= max_chars);
            prop_assert!(!clean.text.chars().any(breaks_a_screen));
        }
    }
}
