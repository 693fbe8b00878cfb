//! Flags of `flowtop report`.

use std::path::PathBuf;

use clap::Args;

use super::value;
use flowtop_core::group::Group;
use flowtop_recording::analysis::DEFAULT_BY;
use flowtop_view::settings::choice::Format;
use flowtop_view::settings::quantity::{BitsPerSecond, Limit};

/// Flags of `flowtop report`.
#[derive(Debug, Args)]
#[command(after_help = TIMES)]
pub struct ReportArgs {
    /// Recordings: directories of flowtop record, or single files [default: this host's directory]
    ///
    /// Recordings of several hosts can be given.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Start of the period [default: start of the first record]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// End of the period [default: now, or without --from the end of the last record]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Time zone of all times, such as Europe/Berlin [default: TZ, or the zone of this system]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Compare with another period, such as 'yesterday 08:00..09:00'
    #[arg(long, value_name = "FROM..TO")]
    pub diff: Option<String>,
    /// Sum connections by one or more keys, such as pod,peer
    ///
    /// The keys are those of flowtop --by.
    #[arg(long, value_name = "KEYS", default_value = DEFAULT_BY, value_parser = value::<Group>)]
    pub by: Group,
    /// Capacity of a link in one direction, such as 5Gbit, to report how long 80 % of it was exceeded
    ///
    /// In bits per second. 5Gbit is 5,000,000,000, as links are sold; 5G is in steps of 1024 as in iftop, which is 7 %
    /// more. Recordings hold payload, which is some 5 % less than what a link carries.
    #[arg(long, value_name = "RATE", value_parser = value::<BitsPerSecond>)]
    pub limit: Option<BitsPerSecond>,
    /// Count only traffic that matches the filter EXPR
    ///
    /// The syntax is that of flowtop -f.
    #[arg(short, long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Print at most N rows, 0 for all [default: 10 for text, otherwise all]
    #[arg(short = 'L', long = "rows", value_name = "N", value_parser = value::<Limit>)]
    pub rows: Option<Limit>,
    /// Format of the report
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json", "csv"])]
    format: String,
    /// Show rates in bytes instead of bits in text
    #[arg(short = 'B', long)]
    pub bytes: bool,
    /// Omit the CSV header
    #[arg(long)]
    pub no_header: bool,
}

impl ReportArgs {
    #[must_use]
    pub fn format(&self) -> Format {
        value(&self.format).unwrap_or(Format::Text)
    }
}

/// Explains the syntax of TIME below the help.
const TIMES: &str = "\
TIME is 08:00, 'yesterday 08:00', 'today 08:00', 2026-11-20, '2026-11-20 08:00', '3m ago', now, or RFC 3339 as \
2026-11-20T08:00:00+01:00. A clock time without a date means its latest occurrence. In --to it means the same day as \
--from or, if --from names a date, the first occurrence after it. For a period over midnight, give a date: \
--from 'yesterday 23:00' --to 01:00.";
