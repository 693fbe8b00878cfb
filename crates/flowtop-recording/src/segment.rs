//! The files of a recording: one for each hour in UTC, named by it, or several where the bytes are limited.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the names of all of them begin and end.
const PREFIX: &str = "flowtop-";
const SUFFIX: &str = ".rec";
const HOUR: &str = "%Y%m%dT%HZ";
const HOUR_US: i64 = 3_600_000_000;

/// A file of a recording. They sort by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentName {
    /// The start of its hour, in µs since 1970 UTC.
    pub hour_us: i64,
    /// Which of the files of that hour, from 0 on.
    pub number: u32,
}

impl SegmentName {
    /// The first file of the hour in which a window starts, in µs since 1970 UTC.
    #[must_use]
    pub fn of(start_us: i64) -> Self {
        Self { hour_us: start_us.div_euclid(HOUR_US) * HOUR_US, number: 0 }
    }

    /// The next file of the same hour.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// When the last window in it may have started, in µs since 1970 UTC.
    #[must_use]
    pub fn until_us(self) -> i64 {
        self.hour_us.saturating_add(HOUR_US)
    }

    /// As it is written. `None` for a time outside the calendar.
    #[must_use]
    pub fn file(self) -> Option<String> {
        let hour = Timestamp::from_microsecond(self.hour_us).ok()?.strftime(HOUR);
        let number = if self.number == 0 { String::new() } else { format!("-{}", self.number) };
        Some(format!("{PREFIX}{hour}{number}{SUFFIX}"))
    }

    /// Of the name of a file, if it is one of these.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        let (hour, number) = match middle(file)?.split_once('-') {
            Some((hour, number)) => (hour, number.parse().ok()?),
            None => (middle(file)?, 0),
        };
        let hour = DateTime::strptime(HOUR, hour).ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
        let name = Self { hour_us: hour.timestamp().as_microsecond(), number };
        (name.file()? == file).then_some(name)
    }
}

fn middle(file: &str) -> Option<&str> {
    file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
}

/// Whether a file of this name belongs to a recording, also after it was renamed to another name of the kind.
#[must_use]
pub fn is_segment(file: &str) -> bool {
    middle(file).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_named_by_its_hour_in_utc() {
        let name = SegmentName::of(1_793_606_400_000_000 + 59 * 60 * 1_000_000);
        assert_eq!(name.file().unwrap(), "flowtop-20261102T08Z.rec");
        assert_eq!(name.next().next().file().unwrap(), "flowtop-20261102T08Z-2.rec");
        assert_eq!(name.until_us() - name.hour_us, HOUR_US);
        assert_eq!(SegmentName::of(-1).file().unwrap(), "flowtop-19691231T23Z.rec");
        assert_eq!(SegmentName::of(i64::MAX).file(), None);
    }

    #[test]
    fn other_files_may_lie_beside() {
        assert!(is_segment("flowtop-of-march.rec"));
        for other in ["flowtop.lock", "flowtop-20261102T08Z.rec.gz", "notes.rec", ".flowtop-1.rec"] {
            assert!(!is_segment(other));
        }
        for other in ["flowtop-of-march.rec", "flowtop-20261102T08Z-0.rec", "flowtop-20261102T25Z.rec"] {
            assert_eq!(SegmentName::parse(other), None);
        }
    }

    proptest! {
        #[test]
        fn names_come_back_and_sort_by_time(times in any::<[i32; 2]>(), number in 0..1000_u32) {
            let [one, other] = times.map(|s| SegmentName { number, ..SegmentName::of(i64::from(s) * 1_000_000) });
            prop_assert_eq!(SegmentName::parse(&one.file().unwrap()), Some(one));
            prop_assert_eq!(one.hour_us.cmp(&other.hour_us), one.file().cmp(&other.file()));
        }
    }
}
