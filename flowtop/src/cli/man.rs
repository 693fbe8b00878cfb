//! Arguments of `flowtop man`.

use std::ffi::OsStr;
use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command, CommandFactory as _, Error};

use super::Cli;

/// Arguments of `flowtop man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command to print the man page of [default: flowtop itself]
    #[arg(value_name = "COMMAND", value_parser = CommandName)]
    pub command: Option<String>,
}

/// Accepts the names of the commands that the help lists.
#[derive(Clone)]
struct CommandName;

impl CommandName {
    fn all() -> impl Iterator<Item = &'static str> {
        // Possible values have to outlive the parser.
        static CLI: LazyLock<Command> = LazyLock::new(Cli::command);
        CLI.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name)
    }
}

impl TypedValueParser for CommandName {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        PossibleValuesParser::new(Self::all()).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Self::all().map(PossibleValue::new)))
    }
}
