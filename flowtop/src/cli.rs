//! What was typed: every flag, once. Help is made from it.

use crate::core::number::Unit;
use crate::core::plan::Hooks;
use crate::core::view::{self, Grouping, PortDisplay, View};
use clap::{Args, Parser, Subcommand, ValueEnum};

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
    pub report: ReportArgs,
}

/// Commands beside the report.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what this kernel offers, which hooks work, and what is missing
    Doctor(DoctorArgs),
}

/// Flags of `flowtop doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub table: TableArgs,
}

/// Flags that size the kernel's tables.
#[derive(Clone, Copy, Debug, Args)]
pub struct TableArgs {
    /// Connections counted one by one; those beyond are counted together. 1,000 take 0.3 MiB of kernel memory, and
    /// 0.1 MiB more where a socket cannot hold its own state (Linux before 5.11, kprobe hooks)
    #[arg(long, value_name = "N", default_value_t = 131_072, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub max_flows: u32,
}

/// Flags of the report.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ReportArgs {
    /// Print text reports, without a screen
    #[arg(short = 't', long = "text")]
    pub text: bool,
    /// Print one report after N seconds and end; 0 prints one at every interval
    #[arg(short = 's', long, value_name = "N", default_value_t = 0)]
    pub seconds: u32,
    /// Connections to list, 0 for all [default: 10 in text, all in JSON]
    #[arg(short = 'L', long, value_name = "N")]
    pub limit: Option<usize>,
    /// Average to sort by
    #[arg(short = 'o', long, value_name = "WINDOW", default_value = "10s")]
    pub sort: Sort,
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub format: Format,
    /// Fields of JSON flows and CSV lines, in order [default: all]
    #[arg(long, value_name = "A,B,C")]
    pub fields: Option<String>,
    /// CSV without a line of field names
    #[arg(long)]
    pub no_header: bool,
    /// Only connections whose local address belongs to this interface; may be repeated, any is all
    #[arg(short = 'i', long, value_name = "IF")]
    pub interface: Vec<String>,
    /// Only what this expression matches, in the language of pcap-filter(7), each direction on its own; pid, comm, state
    /// and netns are words too
    #[arg(short = 'f', long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// IPv6 link-local connections as well
    #[arg(short = 'l', long)]
    pub link_local: bool,
    /// Show ports, and each connection in a row of its own
    #[arg(short = 'P', long)]
    pub ports: bool,
    /// Unit of the rates in text
    #[arg(short = 'u', long, value_name = "UNIT", default_value = "bits")]
    pub unit: UnitArg,
    /// Rates in bytes, as -u bytes
    #[arg(short = 'B', long)]
    pub bytes: bool,
    /// Names of hosts and services in text
    #[arg(long)]
    pub names: bool,
    /// Hosts as numbers
    #[arg(short = 'n', long)]
    pub numeric: bool,
    /// Ports as numbers
    #[arg(short = 'N', long)]
    pub numeric_ports: bool,
    /// Seconds between reports when there is no -s
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = interval)]
    pub interval: f64,
    /// Kernel hooks to use; auto takes the first that count
    #[arg(long, value_name = "HOOKS", default_value = "auto")]
    pub hooks: HooksArg,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub table: TableArgs,
}

/// Rows of a text report without `-L`, as in iftop.
const TEXT_ROWS: usize = 10;

impl ReportArgs {
    /// What is to be shown at the start.
    #[must_use]
    pub fn view(&self) -> View {
        let ports = if self.ports { PortDisplay::On } else { PortDisplay::Off };
        View {
            sort: self.sort.view(),
            limit: self.limit.or((self.format == Format::Text).then_some(TEXT_ROWS)),
            grouping: Grouping { ports, ..Grouping::default() },
            unit: if self.bytes { Unit::Bytes } else { self.unit.unit() },
            host_names: self.names && !self.numeric,
            service_names: self.names && !self.numeric_ports,
            ..View::default()
        }
    }
}

/// Values of `--sort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Rate over the last 2 seconds
    #[value(name = "2s")]
    Last2s,
    /// Rate over the last 10 seconds
    #[value(name = "10s")]
    Last10s,
    /// Rate over the last 40 seconds
    #[value(name = "40s")]
    Last40s,
    /// Name of the left host
    Source,
    /// Name of the right host
    Destination,
}

impl Sort {
    const fn view(self) -> view::Sort {
        match self {
            Self::Last2s => view::Sort::Last2s,
            Self::Last10s => view::Sort::Last10s,
            Self::Last40s => view::Sort::Last40s,
            Self::Source => view::Sort::Source,
            Self::Destination => view::Sort::Destination,
        }
    }
}

/// Values of `--unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnitArg {
    /// Bits, in steps of 1024
    Bits,
    /// Bytes, in steps of 1024
    Bytes,
    /// TCP segments, in steps of 1000
    Packets,
}

impl UnitArg {
    const fn unit(self) -> Unit {
        match self {
            Self::Bits => Unit::Bits,
            Self::Bytes => Unit::Bytes,
            Self::Packets => Unit::Packets,
        }
    }
}

/// Values of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The layout of iftop's text mode
    Text,
    /// One JSON object a line
    Json,
    /// One line a connection, with a line of names first
    Csv,
}

/// Values of `--hooks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HooksArg {
    /// The first of the following that loads, attaches and counts
    Auto,
    /// Trampolines
    Fentry,
    /// kprobes
    Kprobe,
    /// Tracepoints
    Tracepoint,
}

impl HooksArg {
    /// `None` for auto.
    #[must_use]
    pub const fn wanted(self) -> Option<Hooks> {
        match self {
            Self::Auto => None,
            Self::Fentry => Some(Hooks::Fentry),
            Self::Kprobe => Some(Hooks::Kprobe),
            Self::Tracepoint => Some(Hooks::Tracepoint),
        }
    }
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("an interval is 0.1 to 86400 seconds".to_owned())
    }
}
