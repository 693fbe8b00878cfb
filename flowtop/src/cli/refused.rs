//! What clap refuses, in one sentence: what is wrong, and what to do.

use std::error::Error as _;

use clap::CommandFactory as _;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use crate::Usage;

/// The error as this program says it.
pub(super) fn usage(error: &Error) -> Usage {
    Usage(sentence(error))
}

fn sentence(error: &Error) -> String {
    let said = match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => bad_value(error),
        ErrorKind::UnknownArgument => unknown(error),
        ErrorKind::InvalidSubcommand => unknown_command(error),
        ErrorKind::MissingRequiredArgument => missing(error),
        ErrorKind::TooManyValues => too_much(error),
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::InvalidUtf8 => Some("an argument is not UTF-8; write it in UTF-8".to_owned()),
        _ => None,
    };
    said.unwrap_or_else(|| as_clap(error))
}

fn bad_value(error: &Error) -> Option<String> {
    let arg = text(error, ContextKind::InvalidArg)?;
    let value = text(error, ContextKind::InvalidValue)?;
    let valid = texts(error, ContextKind::ValidValue);
    let right = match error.source() {
        Some(right) => right.to_string(),
        None if valid.is_empty() => format!("give {}", plain(arg)),
        None => format!("give one of {}", valid.join(", ")),
    };
    let wrong = if value.is_empty() && error.kind() == ErrorKind::InvalidValue {
        "a value is missing".to_owned()
    } else {
        format!("invalid value {}", quoted(value))
    };
    Some(format!("{wrong} for {}: {right}", name(arg)))
}

fn unknown(error: &Error) -> Option<String> {
    let arg = text(error, ContextKind::InvalidArg)?;
    let what = if arg.starts_with('-') {
        format!("flag {}", shown(arg))
    } else {
        format!("argument {}", quoted(arg))
    };
    Some(format!("unknown {what}; {}", next_step(error, ContextKind::SuggestedArg)))
}

fn unknown_command(error: &Error) -> Option<String> {
    let command = text(error, ContextKind::InvalidSubcommand)?;
    Some(format!(
        "unknown command {}; {}",
        quoted(command),
        next_step(error, ContextKind::SuggestedSubcommand)
    ))
}

fn missing(error: &Error) -> Option<String> {
    let needed: Vec<_> = texts(error, ContextKind::InvalidArg).iter().map(|arg| plain(arg)).collect();
    let needed = (!needed.is_empty()).then(|| needed.join(" and "))?;
    Some(format!("missing {needed}; {}", see_help(error)))
}

fn too_much(error: &Error) -> Option<String> {
    let arg = text(error, ContextKind::InvalidArg)?;
    let value = text(error, ContextKind::InvalidValue)?;
    Some(format!("{} takes no value; leave out {}", name(arg), quoted(value)))
}

fn conflict(error: &Error) -> Option<String> {
    let Some(arg) = text(error, ContextKind::InvalidArg) else { return before_command(error) };
    let others = texts(error, ContextKind::PriorArg);
    if others.iter().any(|other| other != arg) {
        let others: Vec<_> = others.iter().map(|other| name(other)).collect();
        return Some(format!("{} cannot stand beside {}; leave one out", name(arg), others.join(" and ")));
    }
    // What is a list may be repeated.
    let instead = match name(arg).as_str() {
        "--filter" => "give one expression, as '(port 80) or (port 443)'",
        "--by" => "give all keys at once, as pod,peer",
        _ => "give it once",
    };
    Some(format!("{} is given more than once; {instead}", name(arg)))
}

/// Flags before a command are those of the report without one.
fn before_command(error: &Error) -> Option<String> {
    let command = text(error, ContextKind::InvalidSubcommand)?;
    if Cli::command().find_subcommand(command).is_none() {
        return Some(format!("unknown argument {}; {}", quoted(command), see_help(error)));
    }
    let flags: Vec<_> = texts(error, ContextKind::PriorArg).iter().map(|arg| name(arg)).collect();
    let flags = if flags.is_empty() { "flags".to_owned() } else { flags.join(" and ") };
    Some(format!("{flags} cannot stand before the command {command}; write its flags behind it"))
}

/// What no flag of today can cause: clap's own words without usage and tips.
fn as_clap(error: &Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = first.trim_start_matches("error: ").split_whitespace().collect();
    format!("{}; {}", words.join(" "), see_help(error))
}

/// What is alike, else where to look.
fn next_step(error: &Error, alike: ContextKind) -> String {
    // The first tip to an unknown flag is how to name a file so, which nobody has meant.
    let tip = || texts(error, ContextKind::Suggested).into_iter().find(|tip| !tip.starts_with("to pass "));
    match texts(error, alike).as_slice() {
        [] => tip().map_or_else(|| see_help(error), |tip| tip.replace('\'', "`")),
        names => format!("did you mean {}?", names.join(" or ")),
    }
}

fn see_help(error: &Error) -> String {
    format!("see {} --help", command_line(error))
}

/// The command that was read, which an error tells in its line of usage alone.
fn command_line(error: &Error) -> String {
    let usage = texts(error, ContextKind::Usage).concat();
    let mut command = Cli::command();
    let mut line = vec![command.get_name().to_owned()];
    for word in usage.split_whitespace().skip_while(|word| *word != "flowtop").skip(1) {
        let Some(found) = command.find_subcommand(word).cloned() else { break };
        line.push(word.to_owned());
        command = found;
    }
    line.join(" ")
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn texts(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// `--when <CONDITION>` → `--when CONDITION`, `[COUNT]` → `COUNT`.
fn plain(arg: &str) -> String {
    arg.replace(['<', '>', '[', ']'], "").trim_end_matches("...").to_owned()
}

/// The flag or operand without what it takes.
fn name(arg: &str) -> String {
    let plain = plain(arg);
    plain.split([' ', '=']).next().unwrap_or_default().to_owned()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, Command};

    use super::*;

    fn refused(command: Command, line: &[&str]) -> String {
        let line = std::iter::once("flowtop").chain(line.iter().copied());
        sentence(&command.try_get_matches_from(line).unwrap_err())
    }

    fn switch(name: &'static str) -> Arg {
        Arg::new(name).long(name).action(ArgAction::SetTrue)
    }

    #[test]
    fn what_no_flag_of_today_causes_is_one_line_all_the_same() {
        let others = [switch("this"), switch("that")];
        let command =
            Command::new("flowtop").args(others).arg(switch("other").conflicts_with_all(["this", "that"]));
        let said = refused(command, &["--other", "--this", "--that"]);
        assert_eq!(said, "--other cannot stand beside --this and --that; leave one out");
        let pair = Command::new("flowtop").arg(Arg::new("pair").long("pair").num_args(2));
        let said = refused(pair, &["--pair", "1"]);
        assert_eq!(
            said,
            "2 values required for '--pair <pair> <pair>' but 1 was provided; see flowtop --help"
        );
    }

    #[test]
    fn what_flags_take_is_told_apart_from_their_names() {
        for (arg, expected_plain, expected_name) in [
            ("--max-flows <N>", "--max-flows N", "--max-flows"),
            ("--ports[=<WHICH>]", "--ports=WHICH", "--ports"),
            ("[COUNT]", "COUNT", "COUNT"),
            ("[PATH]...", "PATH", "PATH"),
            ("--text", "--text", "--text"),
        ] {
            assert_eq!((plain(arg).as_str(), name(arg).as_str()), (expected_plain, expected_name));
        }
    }
}
