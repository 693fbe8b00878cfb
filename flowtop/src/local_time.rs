//! Times of the wall clock as people of this host read them.

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use flowtop_recording::replay::caption::{self, zoned};

/// A time of the wall clock in the zone of `TZ` or the system.
#[must_use]
pub fn local(us: i64) -> ZonedDateTime {
    zoned(us, &TimeZone::system())
}

/// The same as RFC 3339 has it, to the millisecond, with the offset of the zone.
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
