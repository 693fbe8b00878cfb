//! Reading and writing of values as texts, the same on the command line and in both files.
//!
//! Not in here: which settings there are (`settings`), words to choose from (`choice`), numbers (`quantity`).

use flowtop_core::group::{Group, GroupError};
use flowtop_core::quantity::QuantityError;

/// A text that is no value of its setting. The sentence says what is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Of a setting that is no list.
    #[error("give one value")]
    Several,
    #[error("give numbers")]
    Numbers,
    #[error("give true or false")]
    Switch,
    /// With all words of the choice.
    #[error("give one of {}", .0.join(", "))]
    Word(Vec<&'static str>),
    #[error("give whole seconds as 60, 90s or 5m, 0 for reports without end")]
    Seconds,
    #[error("give a number of rows, 0 for all")]
    Rows,
    #[error("give 0.1 to 86400 seconds, or a time as 500ms or 5m")]
    Interval,
    #[error("give 1 to {} connections", super::quantity::MAX_FLOW_COUNT)]
    FlowCount,
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    #[error(transparent)]
    Group(#[from] GroupError),
}

pub trait Value: Sized {
    /// The value that a text stands for.
    ///
    /// # Errors
    /// A text that is none, with the accepted values.
    fn parse(text: &str) -> Result<Self, ValueError>;

    fn show(&self) -> String;

    /// The value that several texts stand for.
    ///
    /// # Errors
    /// Those of [`Self::parse`], and several texts for a value that takes one.
    fn read(texts: &[&str]) -> Result<Self, ValueError> {
        match texts {
            [text] => Self::parse(text),
            _ => Err(ValueError::Several),
        }
    }

    /// The value that iftop takes for a wrong text without a warning.
    #[must_use]
    fn as_iftop(_text: &str) -> Option<Self> {
        None
    }

    /// iftop's warning about a wrong text before it ignores it.
    #[must_use]
    fn warning(_text: &str, _directive: &str) -> Option<String> {
        None
    }
}

/// The word for a value that flowtop finds by itself.
pub const AUTO: &str = "auto";

impl<T: Value> Value for Option<T> {
    fn parse(text: &str) -> Result<Self, ValueError> {
        if text == AUTO { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quoted(AUTO), Value::show)
    }

    fn as_iftop(text: &str) -> Option<Self> {
        T::as_iftop(text).map(Some)
    }

    fn warning(text: &str, directive: &str) -> Option<String> {
        T::warning(text, directive)
    }
}

impl Value for Vec<String> {
    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::read(&[text])
    }

    fn show(&self) -> String {
        let texts: Vec<_> = self.iter().map(|text| quoted(text)).collect();
        format!("[{}]", texts.join(", "))
    }

    fn read(texts: &[&str]) -> Result<Self, ValueError> {
        Ok(texts.iter().map(|&text| text.to_owned()).collect())
    }
}

/// Numbers of processes and of namespaces.
impl Value for Vec<u64> {
    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::read(&[text])
    }

    fn show(&self) -> String {
        let texts: Vec<_> = self.iter().map(u64::to_string).collect();
        format!("[{}]", texts.join(", "))
    }

    fn read(texts: &[&str]) -> Result<Self, ValueError> {
        let number = |text: &&str| text.parse().ok().filter(|_| !text.starts_with('+'));
        texts.iter().map(number).collect::<Option<_>>().ok_or(ValueError::Numbers)
    }
}

impl Value for Group {
    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self::parse(text)?)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }

    fn read(texts: &[&str]) -> Result<Self, ValueError> {
        Ok(Self::parse(&texts.join(","))?)
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, ValueError> {
        text.parse().map_err(|_| ValueError::Switch)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A basic string of TOML. JSON's escapes are among TOML's, which wants DEL escaped as well.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
