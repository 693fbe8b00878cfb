//! Flags of `flowtop replay`.

use std::path::PathBuf;

use clap::Args;

use super::ReportFlags;

/// Arguments of `flowtop replay`: its recordings, and the report flags.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recordings: directories of flowtop record, or single files [default: this host's directory]
    ///
    /// Recordings of several hosts can be given.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Start at the record of TIME; with -t, print only that record
    ///
    /// TIME is 08:00, 'yesterday 08:00', '3m ago', '2026-11-20 08:00' or RFC 3339. A clock time without a date refers
    /// to the last day in the recordings.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub report: Box<ReportFlags>,
}
