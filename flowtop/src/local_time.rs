//! Times in the time zone of this host.

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use flowtop_recording::replay::caption::{self, zoned};

/// A wall-clock time in the zone of `TZ` or the system.
#[must_use]
pub fn local(us: i64) -> ZonedDateTime {
    zoned(us, &TimeZone::system())
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
