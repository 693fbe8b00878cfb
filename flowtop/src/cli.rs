//! What was typed: every flag, once. Help, man page and completions are made from it.
//!
//! Not in here: what a value means and whether it is right. Flags of settings are passed on as texts
//! (`flowtop_view::settings`), since the files have the same settings and `--lenient` has a say.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use flowtop_core::number::Unit;
use flowtop_core::view::{PortDisplay, Sort};
use flowtop_view::settings::choice::{Format, HoldersChoice, HooksChoice, Theme};
use flowtop_view::settings::quantity::FlowCount;
use flowtop_view::settings::{Assignment, KEYS, Origin, key};

mod history;
mod man;
mod owners;
mod record;
mod replay;
#[cfg(test)]
mod tests;
mod values;
mod watch;

pub use history::ReportArgs;
pub use man::ManArgs;
pub use owners::{OwnerFlags, ProcessFlags, TopArgs};
use owners::{forced, of_top};
pub use record::{RecordArgs, RetentionFlags};
pub use replay::ReplayArgs;
pub use values::value;
use values::{Words, at_least_one, flow_count};
pub use watch::WatchArgs;

/// Show TCP traffic per connection, exact to the byte, in all network namespaces of this host.
#[derive(Debug, Parser)]
#[command(name = "flowtop", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Counts payload bytes as the applications sent and received them, from the start of flowtop on."
)]
pub struct Cli {
    /// A command other than the report.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The report.
    #[command(flatten)]
    pub report: ReportFlags,
}

/// Commands beside the report.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Report as tcptop does: what each connection has moved, by process, every second
    Top(TopArgs),
    /// Say who moved how much between two points in time, from recordings of any hosts
    Report(Box<ReportArgs>),
    /// Show what was recorded: in the view, or with -t as reports
    Replay(ReplayArgs),
    /// Record what connections move, minute by minute, to a directory
    Record(Box<RecordArgs>),
    /// Wait for a rate that stays above a bound, then record, run a command or print
    Watch(WatchArgs),
    /// Say what this kernel offers, which hooks work, and what is missing
    Doctor(DoctorArgs),
    /// Print a man page
    #[command(hide = true)]
    Man(ManArgs),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
}

/// Flags of `flowtop doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub table: TableArgs,
}

/// Flags that size the kernel's tables.
#[derive(Clone, Copy, Debug, Args)]
pub struct TableArgs {
    /// Connections counted one by one
    ///
    /// Those beyond are counted together. 1,000 take 0.3 MiB of kernel memory, and 0.1 MiB more where a socket cannot
    /// hold its own state (Linux before 5.11, kprobe hooks).
    #[arg(long, value_name = "N", default_value_t = FlowCount::DEFAULT.0, value_parser = flow_count, hide_short_help = true)]
    pub max_flows: u32,
}

/// Flags of the report, by what they are about.
#[derive(Debug, Args)]
pub struct ReportFlags {
    #[command(flatten)]
    pub traffic: TrafficFlags,
    #[command(flatten)]
    pub display: DisplayFlags,
    #[command(flatten)]
    pub owners: OwnerFlags,
    #[command(flatten)]
    pub screen: ScreenFlags,
    #[command(flatten)]
    pub form: FormFlags,
    #[command(flatten)]
    pub kernel: KernelFlags,
    #[command(flatten)]
    pub settings: SettingsFlags,
}

/// Which connections count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which traffic")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct TrafficFlags {
    /// Only sockets with an address of interface IF; any is all
    ///
    /// May be repeated.
    #[arg(short, long, value_name = "IF")]
    pub interface: Vec<String>,
    /// Only what the filter expression lets pass, as 'port 80 or 443'
    ///
    /// In the language of pcap-filter(7), asked for each direction on its own; pid, comm, state, netns, user, unit, pod, ns,
    /// container and label are words too.
    #[arg(short, long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Only IPv4 traffic across the border of NET, as 10.0.0.0/8
    ///
    /// What the inside sends is sent. May be repeated: inside is inside one of them. The mask may be written as
    /// 255.0.0.0, and traffic of IPv6 is left alone.
    #[arg(short = 'F', long, value_name = "NET")]
    pub net: Vec<String>,
    /// Only IPv6 traffic across the border of NET
    ///
    /// As -F, with a prefix length of 1 to 128.
    #[arg(short = 'G', long, value_name = "NET")]
    pub net6: Vec<String>,
    /// Only IPv4
    #[arg(short = '4', long)]
    pub ipv4: bool,
    /// Only IPv6
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// IPv6 link-local connections as well
    #[arg(short, long, hide_short_help = true)]
    pub link_local: bool,
    /// Accepted for iftop's sake
    ///
    /// Nothing is captured, so there is nothing to switch on.
    #[arg(short, long, hide_short_help = true)]
    pub promiscuous: bool,
}

/// How they are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is shown")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DisplayFlags {
    /// Hosts by address, not by name
    #[arg(short, long)]
    pub numeric: bool,
    /// Ports by number, not by service
    #[arg(short = 'N', long)]
    pub numeric_ports: bool,
    /// Names of hosts and services in text mode too
    #[arg(long)]
    pub names: bool,
    /// Show ports
    ///
    /// Both of them without a value. What is not shown does not tell rows apart: with -P each connection is a row,
    /// without it each pair of hosts.
    #[arg(short = 'P', long, value_name = "WHICH", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "off", default_missing_value = "on", hide_default_value = true, value_parser = Words::of::<PortDisplay>())]
    pub ports: String,
    /// Rates in
    #[arg(short, long, value_name = "UNIT", default_value = "bits", value_parser = Words::of::<Unit>())]
    pub unit: String,
    /// Rates in bytes, as -u bytes
    #[arg(short = 'B', long, overrides_with = "unit")]
    pub bytes: bool,
    /// Sort by
    #[arg(short = 'o', long, value_name = "BY", default_value = "10s", value_parser = Words::of::<Sort>())]
    pub sort: String,
    /// Most rows to list, 0 for all [default: 10 in text, else all]
    #[arg(short = 'L', long, value_name = "N", allow_negative_numbers = true)]
    pub rows: Option<String>,
}

/// What only a screen has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
pub struct ScreenFlags {
    /// No bars
    #[arg(short = 'b', long)]
    pub no_bars: bool,
    /// Full scale of the bars in bit/s, as 10M; M = 1024 K [default: auto]
    #[arg(short, long, value_name = "RATE")]
    pub max_bandwidth: Option<String>,
    /// Colours
    #[arg(long, value_name = "COLOURS", default_value = "auto", value_parser = Words::of::<Theme>(), hide_short_help = true)]
    pub theme: String,
    /// ASCII alone, without lines and blocks
    ///
    /// The default where the locale is not one of UTF-8.
    #[arg(long, hide_short_help = true)]
    pub ascii: bool,
    /// Made-up traffic, for a first look without any rights
    #[arg(long)]
    pub demo: bool,
}

/// When and in which form.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub struct FormFlags {
    /// Reports on stdout, without a screen
    #[arg(short, long)]
    pub text: bool,
    /// One report after TIME, as 60 or 5m, then end; 0 for reports without end
    ///
    /// A number alone is in seconds.
    #[arg(
        short,
        long,
        value_name = "TIME",
        default_value = "0",
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    pub seconds: String,
    /// Time between reports without end, as 2 or 500ms
    #[arg(long, value_name = "TIME", default_value = "2", allow_negative_numbers = true)]
    pub interval: String,
    /// Form of the reports
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = Words::of::<Format>())]
    pub format: String,
    /// Fields of CSV lines and JSON flows, in order [default: all]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// CSV without its line of names
    #[arg(long, hide_short_help = true)]
    pub no_header: bool,
    /// Add what flowtop itself costs to JSON reports
    ///
    /// Processor time, memory, and the run time of its BPF programs, which the kernel measures for all programs of the host
    /// as long as flowtop runs: some 20 ns a run.
    #[arg(long, hide_short_help = true)]
    pub cost: bool,
}

/// How the kernel counts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Counting")]
pub struct KernelFlags {
    /// Hooks
    ///
    /// What in the kernel says that a connection has moved bytes. flowtop doctor tells which hooks work here.
    #[arg(long, value_name = "HOOKS", default_value = "auto", value_parser = Words::of::<HooksChoice>(), hide_short_help = true)]
    pub hooks: String,
    /// How to find out who has a socket open that nobody has used yet
    #[arg(long, value_name = "WAY", default_value = "auto", hide_short_help = true)]
    #[arg(value_parser = Words::of::<HoldersChoice>())]
    pub holders: String,
    #[command(flatten)]
    pub table: TableArgs,
}

/// Where the other flags can come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFlags {
    /// Read FILE instead of ~/.iftoprc
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Warn where iftop warns and goes on, instead of ending
    ///
    /// For -F, -G, -L, -m, -o, -s and -c, and the same in files.
    #[arg(long, hide_short_help = true)]
    pub lenient: bool,
    /// Print every setting and where it comes from, then end
    #[arg(long)]
    pub print_config: bool,
}

/// The command line: what it asks for, and what it sets.
#[derive(Debug)]
pub struct Typed {
    /// The flags that are no settings, and the command.
    pub cli: Cli,
    /// The flags that are settings.
    pub assignments: Vec<Assignment>,
}

impl Typed {
    /// Reads the program's arguments. Help and the version, or clap's error, are printed and end the program, an error
    /// with exit code 2.
    #[must_use]
    pub fn read() -> Self {
        Self::of(&command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        let of_command = WITH_REPORT_FLAGS.iter().find_map(|name| matches.subcommand_matches(name));
        let of_command = of_command.unwrap_or(matches);
        let mut assignments = assignments(of_command);
        // They are the same flags in another place.
        match &mut cli.command {
            Some(Command::Top(top)) => {
                std::mem::swap(&mut cli.report, &mut top.report);
                assignments.extend(of_top(top, &assignments));
            }
            Some(Command::Watch(watch)) => {
                std::mem::swap(&mut cli.report, &mut watch.report);
                assignments.extend(forced(&["text"], "watch"));
            }
            Some(Command::Replay(replay)) => std::mem::swap(&mut cli.report, &mut replay.report),
            Some(Command::Record(record)) => std::mem::swap(&mut cli.report.settings, &mut record.settings),
            _ => {}
        }
        Ok(Self { cli, assignments })
    }
}

/// iftop's flags with a value of which the last one holds, as `getopt` reads them. Of the others a second one would be
/// lost without a word.
const LAST_HOLDS: [&str; 7] = ["sort", "rows", "max_bandwidth", "seconds", "config", "ports", "unit"];

/// All flags, with what clap cannot be told where they are: which of them may be there more than once.
#[must_use]
pub fn command() -> clap::Command {
    repeatable(Cli::command())
}

/// Switches say the same twice. Flags of iftop's take the last value.
fn repeatable(command: clap::Command) -> clap::Command {
    let of_iftop = command.get_arguments().any(|arg| arg.get_id() == "sort");
    let command = command.mut_args(|arg| {
        let is_switch = matches!(arg.get_action(), clap::ArgAction::SetTrue);
        let id = arg.get_id().clone();
        let last_holds = of_iftop && LAST_HOLDS.contains(&id.as_str());
        if is_switch || last_holds { arg.overrides_with(id) } else { arg }
    });
    command.mut_subcommands(repeatable)
}

/// Commands that take the flags of the report.
const WITH_REPORT_FLAGS: [&str; 4] = ["top", "replay", "record", "watch"];

/// Settings that somebody typed.
fn assignments(matches: &ArgMatches) -> Vec<Assignment> {
    let typed = |id: &str| {
        let source = matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id));
        matches.try_get_raw(id).ok().flatten().filter(|_| source == Some(ValueSource::CommandLine))
    };
    let assignment = |id: &str, name: &str| {
        let texts = typed(id)?.map(|text| text.to_string_lossy().into_owned()).collect();
        Some(Assignment { key: key(name)?, texts, origin: Origin::Flag(format!("--{name}")) })
    };
    let settings = KEYS.iter().filter_map(|key| assignment(&key.name.replace('-', "_"), key.name));
    let bytes = typed("bytes").and(key("unit")).map(|key| Assignment {
        key,
        texts: vec!["bytes".to_owned()],
        origin: Origin::Flag("--bytes".to_owned()),
    });
    settings.chain(bytes).collect()
}
