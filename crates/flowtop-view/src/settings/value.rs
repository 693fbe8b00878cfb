//! Reading and writing of values as texts, the same on the command line and in both files.
//!
//! Not in here: which settings there are (`settings`), words to choose from (`choice`), numbers (`quantity`).

use flowtop_core::group::Group;

pub trait Value: Sized {
    /// The value that a text stands for.
    ///
    /// # Errors
    /// The accepted values.
    fn parse(text: &str) -> Result<Self, String>;

    fn show(&self) -> String;

    /// The value that several texts stand for.
    ///
    /// # Errors
    /// The accepted values.
    fn read(texts: &[&str]) -> Result<Self, String> {
        match texts {
            [text] => Self::parse(text),
            _ => Err("give one value".to_owned()),
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
    fn parse(text: &str) -> Result<Self, String> {
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
    fn parse(text: &str) -> Result<Self, String> {
        Self::read(&[text])
    }

    fn show(&self) -> String {
        let texts: Vec<_> = self.iter().map(|text| quoted(text)).collect();
        format!("[{}]", texts.join(", "))
    }

    fn read(texts: &[&str]) -> Result<Self, String> {
        Ok(texts.iter().map(|&text| text.to_owned()).collect())
    }
}

/// Numbers of processes and of namespaces.
impl Value for Vec<u64> {
    fn parse(text: &str) -> Result<Self, String> {
        Self::read(&[text])
    }

    fn show(&self) -> String {
        let texts: Vec<_> = self.iter().map(u64::to_string).collect();
        format!("[{}]", texts.join(", "))
    }

    fn read(texts: &[&str]) -> Result<Self, String> {
        let number = |text: &&str| text.parse().ok().filter(|_| !text.starts_with('+'));
        texts.iter().map(number).collect::<Option<_>>().ok_or_else(|| "give numbers".to_owned())
    }
}

impl Value for Group {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }

    fn read(texts: &[&str]) -> Result<Self, String> {
        Self::parse(&texts.join(","))
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "give true or false".to_owned())
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
