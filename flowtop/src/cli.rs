//! The command line: defines every flag once. Help, man pages and completions are generated from here.
//!
//! Not in here: parsing and checking the values of settings. They are passed on as text to `flowtop_view::settings`,
//! because configuration files have the same settings and `--lenient` turns some errors into warnings.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use flowtop_core::number::Unit;
use flowtop_core::trigger::Wanted;
use flowtop_core::view::{PortDisplay, Sort};
use flowtop_view::settings::choice::{Format, HoldersChoice, HooksChoice, Theme};
use flowtop_view::settings::quantity::FlowCount;
use flowtop_view::settings::{Assignment, KEYS, Origin, key};

mod history;
mod man;
mod owners;
mod record;
mod replay;
mod suggestion;
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
    after_help = "Totals are payload bytes that applications have sent and received since flowtop started."
)]
pub struct Cli {
    /// `None` for the live view or reports.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub report: ReportFlags,
}

/// Subcommands. Without one, flowtop shows the live view or prints reports.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the traffic of each connection and its process every second, like tcptop
    Top(TopArgs),
    /// Summarise the traffic of a period from the recordings of one or more hosts
    Report(Box<ReportArgs>),
    /// Show recordings in the interactive view, or with -t as reports
    Replay(ReplayArgs),
    /// Record the traffic of each connection to a directory, one record a minute
    Record(Box<RecordArgs>),
    /// Wait until a rate stays above a threshold, then record, run a command or print a report
    Watch(WatchArgs),
    /// Check which hooks work on this kernel and which privileges are missing
    Doctor(DoctorArgs),
    /// Print a man page
    #[command(hide = true)]
    Man(ManArgs),
    /// Print shell completions
    #[command(hide = true)]
    Completions { shell: clap_complete::Shell },
}

impl Command {
    /// The name of a command that is about all traffic, so that nobody expects a file of iftop's to narrow it.
    #[must_use]
    pub fn of_all_traffic(&self) -> Option<&'static str> {
        match self {
            Self::Top(_) => Some("top"),
            Self::Record(_) => Some("record"),
            Self::Watch(_) => Some("watch"),
            Self::Report(_) | Self::Replay(_) | Self::Doctor(_) | Self::Man(_) | Self::Completions { .. } => {
                None
            }
        }
    }
}

/// Flags of `flowtop doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub table: TableArgs,
}

/// Flags that size the flow table in the kernel.
#[derive(Clone, Copy, Debug, Args)]
pub struct TableArgs {
    /// Track at most N connections individually
    ///
    /// Further connections are counted together in one entry. 1,000 connections take 0.3 MiB of kernel memory, and
    /// 0.1 MiB more with kprobe hooks or before Linux 5.11, where state cannot be stored in the socket.
    #[arg(long, value_name = "N", default_value_t = FlowCount::DEFAULT.0, value_parser = flow_count)]
    #[arg(hide_short_help = true)]
    pub max_flows: u32,
}

/// Flags of the live view and the reports, by heading of the help.
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

/// Flags that select connections.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct TrafficFlags {
    /// Count only connections over interface IF, or "any" for all
    ///
    /// IF belongs to flowtop's network namespace; the kernel's routes say which connections are on it. Can be repeated.
    #[arg(short, long, value_name = "IF")]
    pub interface: Vec<String>,
    /// Count only traffic that matches the filter EXPR, such as 'port 80 or 443'
    ///
    /// The syntax is that of pcap-filter(7), with the additional primitives pid, comm, state, netns, user, unit, pod,
    /// ns, container and label. Each direction of a connection is matched on its own.
    #[arg(short, long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8
    ///
    /// Traffic that leaves the network is sent, traffic that enters it is received. If repeated, the networks form one.
    /// The mask can also be written as 255.0.0.0. IPv6 traffic is not affected.
    #[arg(short = 'F', long, value_name = "NET")]
    pub net: Vec<String>,
    /// Count only IPv6 traffic entering or leaving NET
    ///
    /// The IPv6 counterpart of -F, with a prefix length of 1 to 128.
    #[arg(short = 'G', long, value_name = "NET")]
    pub net6: Vec<String>,
    /// Count only IPv4 traffic
    #[arg(short = '4', long)]
    pub ipv4: bool,
    /// Count only IPv6 traffic
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Also count IPv6 link-local connections
    ///
    /// Only reports with -t leave them out, as iftop does, and say on stderr how much they moved.
    #[arg(short, long, hide_short_help = true)]
    pub link_local: bool,
    /// Do nothing; accepted for compatibility with iftop
    ///
    /// flowtop reads socket counters and captures no packets, so it needs no promiscuous mode.
    #[arg(short, long, hide_short_help = true)]
    pub promiscuous: bool,
}

/// Flags that select and format columns and rows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Display")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DisplayFlags {
    /// Show addresses instead of host names
    #[arg(short, long)]
    pub numeric: bool,
    /// Show port numbers instead of service names
    #[arg(short = 'N', long)]
    pub numeric_ports: bool,
    /// Show host and service names in text reports too
    #[arg(long)]
    pub names: bool,
    /// Show ports
    ///
    /// Without a value, both ports are shown. Connections that differ only in hidden parts share a row: with -P each
    /// connection has a row, without it each pair of hosts.
    #[arg(short = 'P', long, value_name = "WHICH", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "off", default_missing_value = "on", hide_default_value = true)]
    #[arg(value_parser = Words::of::<PortDisplay>())]
    pub ports: String,
    /// Unit of rates
    #[arg(short, long, value_name = "UNIT", default_value = "bits", value_parser = Words::of::<Unit>())]
    pub unit: String,
    /// Show rates in bytes, same as -u bytes
    #[arg(short = 'B', long, overrides_with = "unit")]
    pub bytes: bool,
    /// Sort order of rows
    ///
    /// A single report (-t -s) is sorted by the bytes of its whole time unless this is given.
    #[arg(short = 'o', long, value_name = "BY", default_value = "10s", value_parser = Words::of::<Sort>())]
    pub sort: String,
    /// Print at most N rows, 0 for all [default: 10 for text, otherwise all]
    #[arg(short = 'L', long, value_name = "N", allow_negative_numbers = true)]
    pub rows: Option<String>,
}

/// Flags of the interactive view.
#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
pub struct ScreenFlags {
    /// Hide the bars
    #[arg(short = 'b', long)]
    pub no_bars: bool,
    /// Full scale of the bars in bit/s, such as 10M [default: auto]
    ///
    /// 1M is 1024K as in iftop, 1Mbit is 1,000,000.
    #[arg(short, long, value_name = "RATE")]
    pub max_bandwidth: Option<String>,
    /// Colour theme
    #[arg(long, value_name = "COLOURS", default_value = "auto", value_parser = Words::of::<Theme>())]
    #[arg(hide_short_help = true)]
    pub theme: String,
    /// Draw with ASCII only, without line and block characters
    ///
    /// This is the default if the locale does not use UTF-8.
    #[arg(long, hide_short_help = true)]
    pub ascii: bool,
    /// Show generated traffic, for a first look without privileges
    #[arg(long)]
    pub demo: bool,
}

/// Flags that time and format reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct FormFlags {
    /// Print reports to stdout instead of showing the interactive view
    #[arg(short, long)]
    pub text: bool,
    /// Print one report after TIME, such as 60 or 5m, and exit
    ///
    /// A number without a unit is in seconds. 0 prints reports until interrupted.
    #[arg(
        short,
        long,
        value_name = "TIME",
        default_value = "0",
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    pub seconds: String,
    /// Time between reports without -s, such as 2 or 500ms
    #[arg(long, value_name = "TIME", default_value = "2", allow_negative_numbers = true)]
    pub interval: String,
    /// Format of the reports
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = Words::of::<Format>())]
    pub format: String,
    /// Fields of CSV rows and JSON flows, in this order [default: all]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Add a row for everything that is in no row of a text report
    ///
    /// JSON, CSV and reports with --by always have it.
    #[arg(long, hide_short_help = true)]
    pub show_others: bool,
    /// Print the period, the time zone and the host before each text report
    #[arg(long, hide_short_help = true)]
    pub show_time: bool,
    /// Write the latest report to FILE instead of stdout
    ///
    /// The file is replaced as a whole, so that a reader never finds a part of a report. It keeps its mode; a new one is
    /// readable for its owner only.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub write: Option<String>,
    /// Omit the CSV header
    #[arg(long, hide_short_help = true)]
    pub no_header: bool,
    /// Add flowtop's own resource usage to JSON reports
    ///
    /// CPU time, memory and the run time of its BPF programs. To measure the run time, flowtop enables BPF statistics
    /// of the kernel while it runs, which adds about 20 ns to each run of every BPF program on the host.
    #[arg(long, hide_short_help = true)]
    pub cost: bool,
}

/// Flags of the BPF programs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Counting")]
pub struct KernelFlags {
    /// Kernel hooks that trigger reading a connection's counters
    ///
    /// flowtop doctor shows which hooks work on this kernel.
    #[arg(long, value_name = "HOOKS", default_value = "auto", value_parser = Words::of::<HooksChoice>())]
    #[arg(hide_short_help = true)]
    pub hooks: String,
    /// What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets
    ///
    /// Both count the same bytes. Hooks cost with each call of the applications, passes with the number of sockets. A pass
    /// needs Linux 5.12 and the fentry or tracepoint hooks; where there is none, hooks count.
    #[arg(long, value_name = "TRIGGER", default_value = "events", value_parser = Words::of::<Wanted>())]
    #[arg(hide_short_help = true)]
    pub trigger: String,
    /// How to find the process of a socket that has not been used since flowtop started
    #[arg(long, value_name = "WAY", default_value = "auto", hide_short_help = true)]
    #[arg(value_parser = Words::of::<HoldersChoice>())]
    pub holders: String,
    #[command(flatten)]
    pub table: TableArgs,
}

/// Flags about configuration files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFlags {
    /// Read FILE instead of ~/.iftoprc
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Warn about invalid values that iftop only warns about, instead of exiting
    ///
    /// Applies to -F, -G, -L, -m, -o, -s and -c, and to the same settings in configuration files.
    #[arg(long, hide_short_help = true)]
    pub lenient: bool,
    /// Print every setting with its origin and exit
    #[arg(long)]
    pub print_config: bool,
}

/// The parsed command line.
#[derive(Debug)]
pub struct Typed {
    /// The subcommand, and the flags that are not settings.
    pub cli: Cli,
    /// The settings given as flags, unparsed.
    pub assignments: Vec<Assignment>,
}

impl Typed {
    /// Parses the arguments of the process. On `--help`, `--version` or a usage error, prints clap's text and exits,
    /// with code 2 on an error.
    #[must_use]
    pub fn read() -> Self {
        let matches = command().try_get_matches().map_err(|error| suggestion::improve(error, &command()));
        matches.and_then(|matches| Self::of(&matches)).unwrap_or_else(|error| error.exit())
    }

    fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        let of_command = WITH_REPORT_FLAGS.iter().find_map(|name| matches.subcommand_matches(name));
        let of_command = of_command.unwrap_or(matches);
        let mut assignments = assignments(of_command);
        // Move the flags of the subcommand to where the flags without one are, so that callers look in one place.
        match &mut cli.command {
            Some(Command::Top(top)) => {
                std::mem::swap(&mut cli.report, &mut top.report);
                assignments.iter_mut().for_each(owners::read_as_tcptop);
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

/// iftop's flags of which the last occurrence wins, as with `getopt`. A second occurrence of any other flag with a
/// value is a usage error, because one of the two values would be ignored silently.
const LAST_HOLDS: [&str; 7] = ["sort", "rows", "max_bandwidth", "seconds", "config", "ports", "unit"];

/// The definition of all commands and flags, including which flags can be repeated.
#[must_use]
pub fn command() -> clap::Command {
    repeatable(Cli::command()).mut_subcommand("top", owners::as_tcptop)
}

/// Lets switches be repeated, and iftop's flags with the last value winning.
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

/// Subcommands that also take report flags.
const WITH_REPORT_FLAGS: [&str; 4] = ["top", "replay", "record", "watch"];

/// The settings that are on the command line, without clap's defaults.
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
