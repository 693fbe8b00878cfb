//! Conditions of `--when`: `tx > 4G for 10s and port 443`.
//!
//! Not in here: whether it has come about (`watch::trigger`), and the language of the filter (`flowtop_core::filter`).

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use super::scanner::{Piece, Scanner};
use flowtop_core::filter::{Filter, FilterError, Names};
use flowtop_core::quantity;
use flowtop_core::window::Bytes;
use flowtop_recording::span;

/// Example in error messages.
const EXAMPLE: &str = "tx > 4G for 10s and port 443";

/// Measured direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Tx,
    Rx,
    /// Sum of both.
    Total,
}

impl Measure {
    const WORDS: [(&'static str, Self); 3] = [("tx", Self::Tx), ("rx", Self::Rx), ("total", Self::Total)];

    #[must_use]
    pub fn of(self, bytes: Bytes) -> u64 {
        match self {
            Self::Tx => bytes.tx,
            Self::Rx => bytes.rx,
            Self::Total => bytes.sum(),
        }
    }
}

/// On which side of the rate it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
}

impl Bound {
    const SIGNS: [(&'static str, Self); 3] = [(">", Self::Above), (">=", Self::AtLeast), ("<", Self::Below)];
}

/// A condition: a rate that stays beyond a bound for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Measured direction.
    pub measure: Measure,
    /// On which side of the rate.
    pub bound: Bound,
    /// The rate in bits per second.
    pub bits_per_s: u64,
    /// For how long without a break.
    pub held_for: Duration,
    /// Of which traffic; `None` for all that counts.
    pub filter: Option<Filter>,
}

impl Condition {
    /// Reads a condition and looks the names in its filter up.
    ///
    /// # Errors
    /// The mistake, with its position.
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self, FilterError> {
        let mut pieces = Scanner::new(text);
        let measure = word(pieces.next(), &Measure::WORDS, "`tx`, `rx` or `total`")?;
        let bound = word(pieces.next(), &Bound::SIGNS, "`>`, `>=` or `<`")?;
        let bits_per_s = rate(pieces.next())?;
        word(pieces.next(), &[("for", ())], "`for`")?;
        let time = pieces.next_with_numbers();
        let held_for = span::parse(time.text).map_err(|_| time.wrong("a time", "10s"))?;
        Ok(Self { measure, bound, bits_per_s, held_for, filter: filter(&mut pieces, names)? })
    }

    /// Whether so many bytes in `ns` nanoseconds are beyond the bound. In no time there is no rate.
    #[must_use]
    pub fn holds(&self, bytes: Bytes, ns: u64) -> bool {
        const NS_PER_S: u128 = 1_000_000_000;
        let moved = u128::from(self.measure.of(bytes)) * 8 * NS_PER_S;
        let order = moved.cmp(&(u128::from(self.bits_per_s) * u128::from(ns)));
        ns > 0
            && match self.bound {
                Bound::Above => order == Ordering::Greater,
                Bound::AtLeast => order != Ordering::Less,
                Bound::Below => order == Ordering::Less,
            }
    }
}

/// A text that reads as the same condition.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measure, bound) = (name(&Measure::WORDS, self.measure), name(&Bound::SIGNS, self.bound));
        write!(
            f,
            "{measure} {bound} {} for {}",
            quantity::show(self.bits_per_s, quantity::Measure::BitsPerSecond),
            span::show(self.held_for)
        )?;
        match &self.filter {
            Some(filter) => write!(f, " and {filter}"),
            None => Ok(()),
        }
    }
}

/// The value of one of a few words.
fn word<T: Copy>(piece: Piece<'_>, words: &[(&str, T)], what: &str) -> Result<T, FilterError> {
    let found = words.iter().find(|(word, _)| *word == piece.text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let here =
            if piece.text.is_empty() { String::new() } else { format!("`{}` is not it; ", piece.text) };
        piece.error(format!("{what} has to stand here; {here}write a condition like `{EXAMPLE}`"))
    })
}

fn name<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}

/// A rate in bits per second.
fn rate(piece: Piece<'_>) -> Result<u64, FilterError> {
    if piece.text.is_empty() {
        return Err(piece.wrong("a rate", "4G"));
    }
    let wrong = |right| piece.error(format!("`{}` is not a rate; {right}", piece.text));
    quantity::parse(piece.text, quantity::Measure::BitsPerSecond).map_err(wrong)
}

/// Parses the filter behind the time.
fn filter(pieces: &mut Scanner<'_>, names: &dyn Names) -> Result<Option<Filter>, FilterError> {
    let and = pieces.next();
    if and.text.is_empty() {
        return Ok(None);
    }
    if and.text != "and" {
        return Err(and.error(format!(
            "`{}` does not follow from what is before it; a filter is joined with `and`",
            and.text
        )));
    }
    let rest = pieces.rest();
    if rest.text.is_empty() {
        return Err(rest.wrong("a filter", "port 443"));
    }
    Filter::parse(rest.text, names).map(Some).map_err(|error| error.behind(rest.column - 1))
}
