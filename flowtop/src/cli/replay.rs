//! Flags of `flowtop replay`.

use std::path::PathBuf;

use clap::Args;

use super::ReportFlags;

/// Flags of `flowtop replay`: where the records are, and all of the report's.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recordings: files, or directories that flowtop record has written to [default: the one it writes to]
    ///
    /// Those of several hosts may be given.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Begin at the record of this time; with -t it is the only one
    ///
    /// As 08:00, "yesterday 08:00", "3m ago", "2026-11-20 08:00" or RFC 3339. A clock time is of the last day in the
    /// recordings.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}
