//! Times in the time zone of this host.

use std::env;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use crate::stderr;
use flowtop_recording::replay::caption::{self, zoned};

/// Names that mean UTC, which a system without a database of zones does not know.
const UTC: [&str; 8] = ["UTC", "UCT", "GMT", "Zulu", "Etc/UTC", "Etc/UCT", "Etc/GMT", "Universal"];

/// The zone of `TZ` or the system, or UTC where neither tells one.
#[must_use]
pub fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// Says on stderr that `TZ` names no zone, if it does not: `date` and all others take UTC then without a word.
pub fn warn() {
    if let Some(warning) = warning() {
        stderr::print(&format!("flowtop: {warning}\n"));
    }
}

fn warning() -> Option<String> {
    let value = env::var_os("TZ").filter(|value| !value.is_empty())?;
    let value = value.to_string_lossy().into_owned();
    let is_utc = UTC.contains(&value.strip_prefix(':').unwrap_or(&value));
    let is_unknown = !is_utc && TimeZone::try_system().is_err();
    is_unknown.then(|| {
        let right = "give one like Europe/Berlin, whose file is in /usr/share/zoneinfo, or like IST-5:30";
        format!(
            "this system does not know the time zone \"{}\" of TZ, times are in UTC; {right}",
            value.escape_debug()
        )
    })
}

/// A wall-clock time in the zone of `TZ` or the system.
#[must_use]
pub fn local(us: i64) -> ZonedDateTime {
    zoned(us, &zone())
}

/// RFC 3339 to the millisecond, with the offset of the time zone.
#[must_use]
pub fn rfc3339(us: i64) -> String {
    caption::rfc3339(&local(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_with_its_offset() {
        assert!(rfc3339(0).ends_with(":00") && rfc3339(0).contains(".000"), "{}", rfc3339(0));
    }
}
