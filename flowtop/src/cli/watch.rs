//! Flags of `flowtop watch`.

use std::path::PathBuf;

use clap::Args;

use super::ReportFlags;
use super::RetentionFlags;
use super::at_least_one;

/// Flags of `flowtop watch`: its conditions and actions, and the report flags.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Condition to wait for, such as 'tx > 4G for 10s and port 443'; can be repeated
    ///
    /// A condition is tx, rx or total, then >, >= or <, then a rate in bits per second with an optional K, M, G, T or P
    /// in steps of 1024, then "for" and the time that it has to hold without interruption. An optional "and" with a
    /// filter in the syntax of -f measures only the traffic that matches. Traffic that -f and similar options exclude
    /// is not measured either. Each condition is checked independently.
    #[arg(long, value_name = "CONDITION", required = true)]
    pub when: Vec<String>,
    /// Action to perform when a condition is met: record TIME, exec CMD or print; can be repeated
    ///
    /// record writes the time kept by --before and TIME after it to a recording. print prints a report of that moment.
    /// exec runs CMD with the shell in the background, with these environment variables: `FLOWTOP_WHEN` (the
    /// condition),
    /// `FLOWTOP_TIME`, `FLOWTOP_HOST`, `FLOWTOP_NUMBER` (how often this condition has been met), `FLOWTOP_RATE` (bits
    /// per second), `FLOWTOP_PROCESS`, `FLOWTOP_PID` and `FLOWTOP_PEER` (the process and the remote address with most
    /// traffic), `FLOWTOP_PROCESS_SHARE` and `FLOWTOP_PEER_SHARE` (their share in percent). Any user can choose the
    /// name of a process, such as `-f` or `$(reboot)`: put the variables in double quotes after --, as in
    /// `exec logger -- "$FLOWTOP_PROCESS"`, and never in text that another program interprets as commands.
    #[arg(long = "then", value_name = "ACTION", required = true)]
    pub actions: Vec<String>,
    /// Time before a condition is met that record includes
    ///
    /// It is kept in memory as compressed records of 10 seconds, up to 64 MiB. If that is not enough, flowtop reports
    /// how much is missing when it writes the recording.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub before: String,
    /// Time until a condition can trigger again [default: 1m, or the time that is recorded]
    #[arg(long, value_name = "TIME")]
    pub hold_off: Option<String>,
    /// Exit after conditions have been met N times [default: run until interrupted]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub count: Option<u64>,
    /// Directory for recordings [default: watch in the directory of flowtop record]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub retention: RetentionFlags,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}
