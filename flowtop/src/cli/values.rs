//! Parsers of flag values.

use clap::Arg;
use clap::builder::{PossibleValue, TypedValueParser};

use flowtop_view::settings::choice::Choice;
use flowtop_view::settings::quantity::FlowCount;
use flowtop_view::settings::value::{Value, ValueError};

/// Parses a value as the setting of the same type does.
///
/// # Errors
/// If `text` is not a valid value; says which values are valid.
pub fn value<T: Value>(text: &str) -> Result<T, ValueError> {
    T::parse(text)
}

/// A text that is no whole number above 0, or too large for its flag. Has the largest one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("give a whole number from 1 to {0}")]
pub(super) struct CountError(u64);

/// A whole number above 0.
pub(super) fn at_least_one<N: TryFrom<u64>>(text: &str) -> Result<N, CountError> {
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    let most = u64::MAX >> (64 - 8 * size_of::<N>());
    number.and_then(|number| number.try_into().ok()).ok_or(CountError(most))
}

pub(super) fn flow_count(text: &str) -> Result<u32, ValueError> {
    value::<FlowCount>(text).map(|count| count.0)
}

/// Lists the words of a choice in help and completions but accepts any text, which the settings check later.
#[derive(Clone)]
pub(super) struct Words(Vec<PossibleValue>);

impl Words {
    pub fn of<T: Choice>() -> Self {
        let words = T::WORDS.iter();
        Self(words.map(|(word, _, help)| PossibleValue::new(*word).help(*help)).collect())
    }
}

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().cloned()))
    }
}
