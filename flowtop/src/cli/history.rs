//! Flags of `flowtop report`.

use std::path::PathBuf;

use clap::Args;

use super::value;
use flowtop_core::group::Group;
use flowtop_recording::analysis::DEFAULT_BY;
use flowtop_view::settings::choice::Format;
use flowtop_view::settings::quantity::{BitsPerSecond, Limit};

/// Who it was, between two points in time.
#[derive(Debug, Args)]
#[command(after_help = TIMES)]
pub struct ReportArgs {
    /// Directories that `flowtop record` has written to, or files out of them, of any hosts [default: its own]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Start of the period [default: that of the first record]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// End of the period [default: now; without --from that of the last record]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Whose clock is meant, as Europe/Berlin [default: TZ, or that of this system]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Compare with another period, as 'yesterday 08:00..09:00'
    #[arg(long, value_name = "FROM..TO")]
    pub diff: Option<String>,
    /// Sum up by what connections have in common, as pod,peer
    ///
    /// The keys are those of flowtop --by.
    #[arg(long, value_name = "KEYS", default_value = DEFAULT_BY, value_parser = value::<Group>)]
    pub by: Group,
    /// What a link carries in one direction, as 5G: tells how long 80 % of it were exceeded
    ///
    /// In bits per second; K = 1024, as rates are shown.
    #[arg(long, value_name = "RATE", value_parser = value::<BitsPerSecond>)]
    pub limit: Option<BitsPerSecond>,
    /// Only what the filter expression lets pass
    ///
    /// The language is that of flowtop -f.
    #[arg(short, long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Most rows to list, 0 for all [default: 10 in text, else all]
    #[arg(short = 'L', long = "rows", value_name = "N", value_parser = value::<Limit>)]
    pub rows: Option<Limit>,
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json", "csv"])]
    format: String,
    /// Rates in bytes, not in bits, in text
    #[arg(short = 'B', long)]
    pub bytes: bool,
    /// CSV without its line of names
    #[arg(long)]
    pub no_header: bool,
}

impl ReportArgs {
    /// Form of the report.
    #[must_use]
    pub fn format(&self) -> Format {
        value(&self.format).unwrap_or(Format::Text)
    }
}

/// What a TIME is.
const TIMES: &str = "\
TIME is 08:00, 'yesterday 08:00', 'today 08:00', 2026-11-20, '2026-11-20 08:00', '3m ago', now, or RFC 3339 as \
2026-11-20T08:00:00+01:00. A clock time without a day is its latest occurrence; in --to it is of the day of --from, and \
behind a --from with a day the first one after it. So a period over midnight names its day: \
--from 'yesterday 23:00' --to 01:00.";
