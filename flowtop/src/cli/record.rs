//! Flags of `flowtop record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::KernelFlags;
use super::ProcessFlags;
use super::SettingsFlags;
use super::TrafficFlags;
use super::at_least_one;
use flowtop_core::quantity::{self, QuantityError};
use flowtop_recording::span::{self, SpanError};

/// Flags of `flowtop record`, and the report flags that select connections.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Directory to write to [default: /var/lib/flowtop for root]
    ///
    /// A service defaults to its systemd state directory, any other user to ~/.local/state/flowtop. The directory is
    /// created if it does not exist, with access for its owner only. No other user may have write access to it or its
    /// parents. It gets one file an hour, named by the hour in UTC. If another run is writing to the same directory,
    /// flowtop waits for 3 s, notes that in the directory and exits with code 0.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Time between the ends of two records, such as 60s or 5m [default: 60s]
    ///
    /// Records end at multiples of TIME on the clock, such as full minutes for 60s. The first record can be up to half
    /// of TIME shorter or longer.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
    /// Time that each record covers, at most that of --every [default: all of it]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub length: Option<Duration>,
    /// Exit after N records [default: run until interrupted]
    ///
    /// If another run is writing to the same directory, flowtop waits for at most the time of its own N records, and
    /// writes those that remain.
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub count: Option<u64>,
    /// Record only the N connections with most bytes and the N with most retransmits individually
    ///
    /// All others are summed by process, user, unit, container, pod and label, so totals stay exact.
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>)]
    pub top: Option<u32>,
    /// Record only connections with at least BYTES in a record individually, such as 10M; adds to --top
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub over: Option<u64>,
    #[command(flatten)]
    pub retention: RetentionFlags,
    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Record generated traffic, which needs no privileges
    #[arg(long, hide_short_help = true)]
    pub demo: bool,
    #[command(flatten)]
    pub traffic: TrafficFlags,
    #[command(flatten, next_help_heading = "Owners")]
    pub processes: ProcessFlags,
    #[command(flatten)]
    pub kernel: KernelFlags,
    #[command(flatten)]
    pub settings: SettingsFlags,
}

/// Flags that limit the age and size of recordings.
#[derive(Clone, Copy, Debug, Args)]
pub struct RetentionFlags {
    /// Remove files older than DAYS
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = at_least_one::<u32>)]
    pub keep_days: u32,
    /// Maximum size of all files, 0 for no limit; the oldest files are removed to stay below it
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = size)]
    pub max_size: u64,
    /// Space to keep free in the file system; the oldest files are removed to keep it
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size)]
    pub min_free: u64,
}

/// A text that is no length of a record.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum LengthError {
    #[error(transparent)]
    NoSpan(#[from] SpanError),
    #[error("give a time of a day at most")]
    TooLong,
}

/// Parses a duration of up to 24 h.
fn duration(text: &str) -> Result<Duration, LengthError> {
    let time = span::parse(text)?;
    (time <= Duration::from_hours(24)).then_some(time).ok_or(LengthError::TooLong)
}

fn size(text: &str) -> Result<u64, QuantityError> {
    quantity::parse(text, quantity::Measure::Bytes)
}
