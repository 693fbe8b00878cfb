//! Flags about who is behind the traffic, and tcptop's way to ask.

use clap::Args;

use super::ReportFlags;
use super::at_least_one;
use flowtop_view::settings::{Assignment, Origin, key};

/// Flags of `flowtop top`: tcptop's, and all of the report's.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Time between reports, as 5 or 500ms [default: 1]
    #[arg(id = "top_interval", value_name = "INTERVAL", conflicts_with = "interval")]
    pub interval: Option<String>,
    /// Reports, then end [default: without end]
    #[arg(id = "top_count", value_name = "COUNT", value_parser = at_least_one::<u32>)]
    pub count: Option<u32>,
    /// Do not clear the screen before a report
    #[arg(short = 'C', long)]
    pub noclear: bool,
    /// No line with time and load
    #[arg(short = 'S', long)]
    pub nosummary: bool,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}

/// Who is behind the connections, and what they are summed up by.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who")]
pub struct OwnerFlags {
    /// Sum up by what connections have in common, as pod or pod,peer
    ///
    /// flow, peer, host, local-port, remote-port, process, user, unit, container, pod, namespace, netns, net/24, label or
    /// remote-pod; up to four of them. What is local is the left end: the one that connected, where both are on this host.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Owners to the right of the rows of a text report
    ///
    /// What is shown tells rows apart: two processes between the same hosts are two rows.
    #[arg(long)]
    pub show_owner: bool,
    #[command(flatten)]
    pub processes: ProcessFlags,
}

/// Whose connections count, and what is known of them.
#[derive(Debug, Args)]
pub struct ProcessFlags {
    /// Only connections of process PID
    ///
    /// Several with commas between, or repeated.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<String>,
    /// Only connections of the processes in a cgroup
    ///
    /// And in those below it, as /system.slice/nginx.service. May be repeated.
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub cgroup: Vec<String>,
    /// Only connections of the processes in a mount namespace, by its inode number
    #[arg(long, value_name = "INODE", value_delimiter = ',', hide_short_help = true)]
    pub mntns: Vec<String>,
    /// Labels for networks: a file with lines like 10.0.0.0/8 vpc
    ///
    /// The longest prefix wins. Addresses without a line are loopback, same-host, link-local, private or public. A label
    /// is a field, a word of filters and a key of --by.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<String>,
    /// Processes without their command lines
    ///
    /// They may hold secrets. Values of arguments that name a password, passwords in URLs and known tokens are replaced in any
    /// case, as far as they can be recognised; with this, no command line is shown, sent on or recorded.
    #[arg(long, hide_short_help = true)]
    pub no_command_lines: bool,
    /// Where the file system of the host is [default: /]
    ///
    /// For flowtop in a container.
    /// Names of processes, users, units, containers and pods are read below it.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub host_root: Option<String>,
}

/// What `flowtop top` sets: it only prints reports, one a second if nobody says otherwise.
pub(super) fn of_top(top: &TopArgs, typed: &[Assignment]) -> Vec<Assignment> {
    let set = |name: &str, text: &str, origin: &str| {
        let origin = Origin::Flag(origin.to_owned());
        Some(Assignment { key: key(name)?, texts: vec![text.to_owned()], origin })
    };
    let has_interval = typed.iter().any(|assignment| assignment.key.name == "interval");
    let interval = top.interval.as_deref().or((!has_interval).then_some("1"));
    let interval = interval.and_then(|text| set("interval", text, "INTERVAL"));
    // Names of processes as they are now come with owners.
    forced(&["text", "show-owner"], "top").chain(interval).collect()
}

/// What a command switches on.
pub(super) fn forced(
    names: &'static [&'static str],
    command: &'static str,
) -> impl Iterator<Item = Assignment> {
    names.iter().filter_map(move |name| {
        let origin = Origin::Flag(command.to_owned());
        Some(Assignment { key: key(name)?, texts: vec!["true".to_owned()], origin })
    })
}
