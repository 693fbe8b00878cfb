//! A text handed on in parts: a report of many rows is never in memory as a whole.

/// Bytes gathered before they are handed on.
const PART_BYTES: usize = 64 << 10;

/// Gathers text and hands it on.
pub struct Parts<'a> {
    text: String,
    hand_on: &'a mut dyn FnMut(&str),
}

impl<'a> Parts<'a> {
    /// For one that takes parts.
    pub fn new(hand_on: &'a mut dyn FnMut(&str)) -> Self {
        Self { text: String::new(), hand_on }
    }

    /// Where to write the next row, or whatever is short.
    pub fn row(&mut self) -> &mut String {
        if self.text.len() >= PART_BYTES {
            (self.hand_on)(&self.text);
            self.text.clear();
        }
        &mut self.text
    }
}

/// The rest goes on when nothing more can come.
impl Drop for Parts<'_> {
    fn drop(&mut self) {
        (self.hand_on)(&self.text);
    }
}

/// What is written, as one text.
pub fn whole(write: impl FnOnce(&mut Parts<'_>)) -> String {
    let mut text = String::new();
    write(&mut Parts::new(&mut |part| text.push_str(part)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_the_text_and_small(rows in prop::collection::vec((0..40_000_usize, b'a'..=b'z'), 0..12)) {
            let rows: Vec<_> = rows.into_iter().map(|(length, letter)| char::from(letter).to_string().repeat(length)).collect();
            let mut parts = Vec::new();
            {
                let mut hand_on = |part: &str| parts.push(part.to_owned());
                let mut out = Parts::new(&mut hand_on);
                for row in &rows {
                    out.row().push_str(row);
                }
            }
            prop_assert_eq!(parts.concat(), rows.concat());
            prop_assert!(parts.iter().all(|part| part.len() < PART_BYTES + 40_000));
        }
    }
}
