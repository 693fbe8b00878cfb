//! Flags about owners (process, user, pod, …), and the arguments of `flowtop top`.

use clap::Args;

use super::ReportFlags;
use super::at_least_one;
use flowtop_view::settings::{Assignment, Origin, key};

/// Arguments of `flowtop top`: those of tcptop, and the report flags.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Time between reports, such as 5 or 500ms [default: 1]
    #[arg(id = "top_interval", value_name = "INTERVAL", conflicts_with = "interval")]
    pub interval: Option<String>,
    /// Exit after COUNT reports [default: run until interrupted]
    #[arg(id = "top_count", value_name = "COUNT", value_parser = at_least_one::<u32>)]
    pub count: Option<u32>,
    /// Do not clear the screen before each report
    #[arg(short = 'C', long)]
    pub noclear: bool,
    /// Omit the line with time and load average
    #[arg(short = 'S', long)]
    pub nosummary: bool,
    /// Do nothing; accepted for compatibility with tcptop
    #[arg(short = 'v', long, hide_short_help = true)]
    pub verbose: bool,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}

/// Gives the letters of tcptop their meaning there: those of bcc, then those of libbpf-tools that bcc does not have.
/// iftop's keep theirs where neither has one.
pub(super) fn as_tcptop(command: clap::Command) -> clap::Command {
    let without = ["promiscuous", "config", "seconds"];
    let command = without.into_iter().fold(command, |command, id| command.mut_arg(id, |arg| arg.short(None)));
    command
        .mut_arg("pid", |arg| arg.short('p'))
        .mut_arg("cgroup", |arg| arg.short('c'))
        .mut_arg("sort", |arg| arg.short_alias('s'))
        .mut_arg("rows", |arg| arg.short_alias('r'))
}

/// libbpf-tools' words for the order of rows.
pub(super) fn read_as_tcptop(assignment: &mut Assignment) {
    if assignment.key.name != "sort" {
        return;
    }
    for text in &mut assignment.texts {
        let here = match text.as_str() {
            "all" => "cumulative",
            "sent" => "tx",
            "received" => "rx",
            _ => continue,
        };
        here.clone_into(text);
    }
}

/// Flags that group rows and show owners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Owners")]
pub struct OwnerFlags {
    /// Sum connections by one or more keys, such as pod or pod,peer
    ///
    /// Up to four of flow, peer, host, local-port, remote-port, process, user, unit, container, pod, namespace, workload,
    /// netns, netns-pod, net/24, label and remote-pod. If both ends are on this host, the one that connected is the local one.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Show owners to the right of each row in text reports
    ///
    /// Connections of different owners then have separate rows, even between the same hosts.
    #[arg(long)]
    pub show_owner: bool,
    #[command(flatten)]
    pub processes: ProcessFlags,
}

/// Flags that select connections by owner, and say how owners are read and shown.
#[derive(Debug, Args)]
pub struct ProcessFlags {
    /// Count only connections of process PID
    ///
    /// Separate several with commas, or repeat the option.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<String>,
    /// Count only connections of processes in cgroup PATH or below it
    ///
    /// The path is relative to the root of the hierarchy, such as /system.slice/nginx.service. Can be repeated.
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub cgroup: Vec<String>,
    /// Count only connections of processes in the mount namespace with inode number INODE
    #[arg(long, value_name = "INODE", value_delimiter = ',', hide_short_help = true)]
    pub mntns: Vec<String>,
    /// Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"
    ///
    /// The longest matching prefix wins. Addresses that match no line are labelled loopback, same-host, link-local,
    /// private or public. Labels are available as a field, in filters and as a key of --by.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<String>,
    /// Do not show, export or record command lines
    ///
    /// Command lines can contain secrets. Without this option, flowtop masks the values of arguments that name a
    /// password, passwords in URLs and well-known kinds of tokens, but it cannot recognise every secret.
    #[arg(long, hide_short_help = true)]
    pub no_command_lines: bool,
    /// Directory where the root file system of the host is mounted [default: /]
    ///
    /// Set this if flowtop runs in a container. Names of processes, users, units, containers and pods are read below
    /// it.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub host_root: Option<String>,
}

/// The settings that `flowtop top` implies: text reports with owners, one a second unless an interval is given.
pub(super) fn of_top(top: &TopArgs, typed: &[Assignment]) -> Vec<Assignment> {
    let set = |name: &str, text: &str, origin: &str| {
        let origin = Origin::Flag(origin.to_owned());
        Some(Assignment { key: key(name)?, texts: vec![text.to_owned()], origin })
    };
    let has_interval = typed.iter().any(|assignment| assignment.key.name == "interval");
    let interval = top.interval.as_deref().or((!has_interval).then_some("1"));
    let interval = interval.and_then(|text| set("interval", text, "INTERVAL"));
    // A process's current name is only looked up with show-owner.
    forced(&["text", "show-owner"], "top").chain(interval).collect()
}

/// Settings that `command` switches on.
pub(super) fn forced(
    names: &'static [&'static str],
    command: &'static str,
) -> impl Iterator<Item = Assignment> {
    names.iter().filter_map(move |name| {
        let origin = Origin::Flag(command.to_owned());
        Some(Assignment { key: key(name)?, texts: vec!["true".to_owned()], origin })
    })
}
