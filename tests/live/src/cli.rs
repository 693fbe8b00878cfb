//! The command line: what was typed, checked as far as that needs no look at the host.

use std::path::PathBuf;

#[cfg(test)]
mod tests;

/// The names that `--hooks` takes, in the order in which flowtop prefers them.
pub const PLANS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];

/// Which hook plans the suite runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plans {
    /// Those that `flowtop doctor` says load here; the others are printed as skipped.
    Available,
    /// These, by name; one that does not load is a failure. May contain `auto`.
    Named(Vec<String>),
}

/// The parsed arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The program under test. None on a dry run, which only checks that both ends of every workload agree.
    pub flowtop: Option<PathBuf>,
    /// The hook plans to run.
    pub plans: Plans,
    /// Value of flowtop's `--trigger`; none to let it choose.
    pub trigger: Option<String>,
    /// Only cases whose name contains this.
    pub case: Option<String>,
    /// Times that each plan runs the cases, for what fails rarely.
    pub repeat: u32,
    /// Print the table of cases and end.
    pub list: bool,
    /// After the plans, run a few cases with ftrace switched off.
    pub without_ftrace: bool,
    /// After the plans, run sensitive cases with events and passes in turn, where there are passes.
    pub alternating: bool,
    /// Connections in the case of many short ones.
    pub short_connections: usize,
    /// Bytes that a connection has carried before flowtop starts.
    pub history_bytes: u64,
    /// Processes in the case of many.
    pub processes: u32,
    /// Processors that the kernel must have room for; nothing is run where it has not.
    pub possible_cpus: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flowtop: None,
            plans: Plans::Available,
            trigger: None,
            case: None,
            repeat: 1,
            list: false,
            without_ftrace: false,
            alternating: false,
            short_connections: 50_000,
            // Beyond 2^32, so that a sequence number has wrapped.
            history_bytes: 4_400_000_003,
            processes: 20_000,
            possible_cpus: None,
        }
    }
}

/// Reads the arguments (without the program's name).
///
/// # Errors
/// One sentence that names the argument.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments;
    let mut dry_run = false;
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--flowtop" => options.flowtop = Some(value()?.into()),
            "--hooks" => options.plans = plans(&value()?)?,
            "--trigger" => options.trigger = Some(value()?),
            "--case" => options.case = Some(value()?),
            "--repeat" => options.repeat = number(&flag, &value()?)?,
            "--list" => options.list = true,
            "--dry-run" => dry_run = true,
            "--alternating" => options.alternating = true,
            "--without-ftrace" => options.without_ftrace = true,
            "--short-connections" => options.short_connections = number(&flag, &value()?)?,
            "--processes" => options.processes = number(&flag, &value()?)?,
            "--possible-cpus" => options.possible_cpus = Some(number(&flag, &value()?)?),
            "--history-bytes" => options.history_bytes = number(&flag, &value()?)?,
            _ => return Err(format!("unknown argument {flag}; the flags are in src/cli.rs")),
        }
    }
    if dry_run {
        options.flowtop = None;
    } else if options.flowtop.is_none() && !options.list {
        return Err("--flowtop PATH is missing; give the program to test, or --dry-run".to_owned());
    }
    Ok(options)
}

fn plans(text: &str) -> Result<Plans, String> {
    if text == "available" {
        return Ok(Plans::Available);
    }
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| *name != "auto" && !PLANS.contains(&name.as_str())) {
        Some(name) => Err(format!("--hooks {name} is unknown; use available, auto or {}", PLANS.join(","))),
        None => Ok(Plans::Named(names)),
    }
}

fn number<T: std::str::FromStr>(flag: &str, text: &str) -> Result<T, String> {
    text.replace('_', "").parse().map_err(|_| format!("{flag} {text} is not a whole number"))
}
