//! Actions of `--then`: `record 5m`, `exec CMD`, `print`.

use std::time::Duration;

use super::scanner::Scanner;
use flowtop_core::filter::FilterError;
use flowtop_recording::span;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the time before and so much of the time after.
    Record(Duration),
    /// Run a shell command.
    Exec(String),
    /// Print the report of the moment.
    Print,
}

impl Action {
    /// Reads an action.
    ///
    /// # Errors
    /// The mistake, with its position.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut pieces = Scanner::new(text);
        let word = pieces.next();
        let rest = pieces.rest();
        match word.text {
            "record" => {
                span::parse(rest.text).map(Self::Record).map_err(|_| rest.wrong("a time", "record 5m"))
            }
            "exec" if rest.text.is_empty() => Err(rest.wrong("a command", "exec logger overload")),
            "exec" => Ok(Self::Exec(rest.text.to_owned())),
            "print" if rest.text.is_empty() => Ok(Self::Print),
            "print" => Err(rest.error(format!("`print` stands alone; remove `{}`", rest.text))),
            _ => Err(word.wrong("something to do", "record 5m`, `exec CMD` or `print")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_actions() {
        let minutes = |minutes: u64| Action::Record(Duration::from_secs(minutes * 60));
        assert_eq!(Action::parse("record 5m"), Ok(minutes(5)));
        assert_eq!(Action::parse(" print "), Ok(Action::Print));
        let command = "a=1; logger \"$FLOWTOP_RATE > x\"";
        assert_eq!(Action::parse(&format!("exec {command}")), Ok(Action::Exec(command.to_owned())));
    }

    #[test]
    fn an_error_points_at_its_place() {
        let wrong = |text: &str| {
            let error = Action::parse(text).unwrap_err();
            format!("{error}\n{}", error.pointer(text))
        };
        let cases = [
            (
                "mail me",
                "column 1: `mail` is not something to do; write one like `record 5m`, `exec CMD` or `print`\nmail \
                 me\n^^^^",
            ),
            ("record", "column 7: a time is missing at the end; write one like `record 5m`\nrecord\n      ^"),
            (
                "record five",
                "column 8: `five` is not a time; write one like `record 5m`\nrecord five\n       ^^^^",
            ),
            (
                "exec ",
                "column 6: a command is missing at the end; write one like `exec logger overload`\nexec \n     ^",
            ),
            ("print it", "column 7: `print` stands alone; remove `it`\nprint it\n      ^^"),
        ];
        for (text, expected) in cases {
            assert_eq!(wrong(text), expected);
        }
    }
}
