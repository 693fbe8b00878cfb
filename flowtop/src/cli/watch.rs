//! Flags of `flowtop watch`.

use std::path::PathBuf;

use clap::Args;

use super::ReportFlags;
use super::RetentionFlags;
use super::at_least_one;

/// Flags of `flowtop watch`: for what, what then, and all of the report's.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What is watched for, as 'tx > 4G for 10s and port 443'; may be repeated
    ///
    /// tx, rx or total; >, >= or <; a rate in bits per second with at most one of K, M, G, T, P in steps of 1024; how long
    /// it has to hold without a break. Behind `and` stands a filter in the language of -f: then only its traffic is
    /// measured. What -f and its kind keep out is not measured either. Of several conditions each is watched for by
    /// itself.
    #[arg(long, value_name = "CONDITION", required = true)]
    pub when: Vec<String>,
    /// What is done then: record 5m, exec CMD or print; may be repeated
    ///
    /// record writes the time before and so much of the time after. print prints the report of that moment. exec runs a
    /// line of shell in the background, with these variables in its environment: `FLOWTOP_WHEN` (the condition),
    /// `FLOWTOP_TIME`, `FLOWTOP_HOST`, `FLOWTOP_NUMBER` (of this time), `FLOWTOP_RATE` (bits per second); of the process
    /// and the remote address that move most `FLOWTOP_PROCESS`, `FLOWTOP_PID`, `FLOWTOP_PEER`, and their share in percent
    /// `FLOWTOP_PROCESS_SHARE`, `FLOWTOP_PEER_SHARE`. A process is called what those who run it like, also `-f` or `$(reboot)`:
    /// put the variables in double quotes behind --, as in `exec logger -- "$FLOWTOP_PROCESS"`, and never into a text that a
    /// program takes for commands.
    #[arg(long = "then", value_name = "ACTION", required = true)]
    pub actions: Vec<String>,
    /// Time before that is kept in memory for record
    ///
    /// As compressed records of 10 seconds. There are never more than 64 MiB of them: what does not fit is said when they are
    /// written.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub before: String,
    /// Time after which it can happen again [default: 1m, or as long as it records]
    #[arg(long, value_name = "TIME")]
    pub hold_off: Option<String>,
    /// Times that it may happen, then end [default: without end]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub count: Option<u64>,
    /// Directory for record [default: watch in the directory of flowtop record]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub retention: RetentionFlags,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}
