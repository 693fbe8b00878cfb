//! Flags of `flowtop record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::KernelFlags;
use super::ProcessFlags;
use super::SettingsFlags;
use super::TrafficFlags;
use super::at_least_one;
use flowtop_core::quantity;
use flowtop_recording::span;

/// Flags of `flowtop record`: when, how much, for how long; and those of the report that say what counts.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Directory to write to [default: /var/lib/flowtop as root]
    ///
    /// It is made if there is none, for its owner only. Others than root have ~/.local/state/flowtop, a service the state
    /// directory that systemd gives it. Nobody else may be able to change it, or one above it. One file an hour, named by it
    /// in UTC. One run writes to it at a time; another one waits for 3 s, then ends with exit code 0 and leaves a mark.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Time from record to record, as 60s or 5m [default: 60s]
    ///
    /// Records end when the clock shows a multiple of it, as cron starts: with 60s on the minute. The first one may be half a
    /// period shorter or longer.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
    /// Time that a record is about, if it is shorter than the time between them [default: all of it]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub length: Option<Duration>,
    /// Records, then end [default: without end]
    ///
    /// Where another run still writes to the directory, this one waits as long as its own records would take, and writes
    /// those that are left then.
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub count: Option<u64>,
    /// Only the N connections with most bytes one by one, and the N that repeat most
    ///
    /// All others are summed up by process, user, unit, container, pod and label, so totals stay exact.
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>)]
    pub top: Option<u32>,
    /// Only connections with so many bytes in a record one by one, as 10M; added to --top
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub over: Option<u64>,
    #[command(flatten)]
    pub retention: RetentionFlags,
    /// Nothing on stderr but what goes wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// Made-up traffic, without any rights
    #[arg(long, hide_short_help = true)]
    pub demo: bool,
    #[command(flatten)]
    pub traffic: TrafficFlags,
    #[command(flatten, next_help_heading = "Who")]
    pub processes: ProcessFlags,
    #[command(flatten)]
    pub kernel: KernelFlags,
    #[command(flatten)]
    pub settings: SettingsFlags,
}

/// What is kept of a recording.
#[derive(Clone, Copy, Debug, Args)]
pub struct RetentionFlags {
    /// Remove files that are older
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = at_least_one::<u32>)]
    pub keep_days: u32,
    /// Most bytes of all files, 0 for no limit; the oldest are removed before it is exceeded
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = size)]
    pub max_size: u64,
    /// Bytes to leave free in the file system; the oldest files are removed for it
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size)]
    pub min_free: u64,
}

/// A time of a day at most.
fn duration(text: &str) -> Result<Duration, String> {
    let time = span::parse(text)?;
    (time <= Duration::from_hours(24))
        .then_some(time)
        .ok_or_else(|| "give a time of a day at most".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    quantity::parse(text, "bytes")
}
