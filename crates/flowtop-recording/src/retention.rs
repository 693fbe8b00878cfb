//! Retention: which segments to delete before a record is written, so that no limit is ever exceeded.
//!
//! Not in here: the files, and how much room there is.

use flowtop_core::moment::Moment;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// A segment goes when everything in it is older than this, in µs.
    pub keep_us: Option<i64>,
    /// Limit of the bytes of all segments together.
    pub max_bytes: Option<u64>,
    /// Bytes that stay free in the file system.
    pub min_free_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When the last record in it may have been written, in µs since 1970 UTC.
    pub until_us: i64,
    pub bytes: u64,
}

/// When the last record of a segment was written, by the wall clock of `now`, in µs since 1970 UTC: of this boot, where it
/// ended at `end_ns`, by the monotonic clock; of one before by the name, but not after this boot began.
#[must_use]
pub fn until_us(now: Moment, name_until_us: i64, end_ns: Option<u64>) -> i64 {
    let ago_us = |ns: u64| i64::try_from(now.ns.saturating_sub(ns) / 1000).unwrap_or(i64::MAX);
    match end_ns {
        Some(end_ns) => now.us.saturating_sub(ago_us(end_ns)),
        None => name_until_us.min(now.us.saturating_sub(ago_us(0))),
    }
}

/// Steps before a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// So many of the oldest segments go.
    pub remove: usize,
    /// Whether the record can be written then.
    pub fits: bool,
}

impl Limits {
    /// Decides for a record of `incoming` bytes at `now_us`. Segments are the oldest first; `free_bytes` is what the file
    /// system has left, as far as it is known.
    #[must_use]
    pub fn decide(
        &self,
        segments: &[Segment],
        incoming: u64,
        free_bytes: Option<u64>,
        now_us: i64,
    ) -> Decision {
        let is_old = |segment: &Segment| self.keep_us.is_some_and(|keep| segment.until_us < now_us - keep);
        let old = segments.iter().take_while(|segment| is_old(segment)).count();
        let mut kept: u64 = segments[old..].iter().map(|segment| segment.bytes).sum();
        let mut free = free_bytes.map(|free| free + bytes_of(&segments[..old]));
        let mut remove = old;
        while remove < segments.len() && !self.has_room(kept, incoming, free) {
            let bytes = segments[remove].bytes;
            (kept, free) = (kept - bytes, free.map(|free| free + bytes));
            remove += 1;
        }
        Decision { remove, fits: self.has_room(kept, incoming, free) }
    }

    fn has_room(&self, kept: u64, incoming: u64, free: Option<u64>) -> bool {
        let within_max = self.max_bytes.is_none_or(|max| kept.saturating_add(incoming) <= max);
        let needed = self.min_free_bytes.saturating_add(incoming);
        within_max && (self.min_free_bytes == 0 || free.is_none_or(|free| free >= needed))
    }

    /// Whether a segment of so many bytes takes no more, so that what goes with the oldest one is not too much at once.
    #[must_use]
    pub fn is_full(&self, segment_bytes: u64, incoming: u64) -> bool {
        const SEGMENTS_AT_LEAST: u64 = 8;
        let part = self.max_bytes.map(|max| max / SEGMENTS_AT_LEAST);
        segment_bytes > 0 && part.is_some_and(|part| segment_bytes.saturating_add(incoming) > part)
    }
}

fn bytes_of(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn hours(bytes: &[u64]) -> Vec<Segment> {
        (1..).zip(bytes).map(|(hour, bytes)| Segment { until_us: hour * HOUR_US, bytes: *bytes }).collect()
    }

    #[test]
    fn the_oldest_go_first_and_no_more_than_needed() {
        let segments = hours(&[10, 10, 10]);
        let limits = |keep_hours: Option<i64>, max_bytes, min_free_bytes| Limits {
            keep_us: keep_hours.map(|hours| hours * HOUR_US),
            max_bytes,
            min_free_bytes,
        };
        let decide = |limits: Limits, free| {
            let Decision { remove, fits } = limits.decide(&segments, 5, free, 4 * HOUR_US);
            (remove, fits)
        };
        assert_eq!(decide(Limits::default(), Some(0)), (0, true));
        assert_eq!(decide(limits(Some(2), None, 0), None), (1, true));
        assert_eq!(decide(limits(None, Some(35), 0), None), (0, true));
        assert_eq!(decide(limits(None, Some(34), 0), None), (1, true));
        assert_eq!(decide(limits(None, Some(4), 0), None), (3, false));
        assert_eq!(decide(limits(None, None, 7), Some(1)), (2, true));
        assert_eq!(decide(limits(None, None, 100), Some(1)), (3, false));
        assert_eq!(decide(limits(None, None, 100), None), (0, true));
    }

    #[test]
    fn a_clock_that_was_set_does_not_move_what_was_written() {
        let now = Moment { us: 1000 * HOUR_US, ns: 10 * 3_600_000_000_000 };
        let hours = |name: i64, end_ns: Option<u64>| until_us(now, name * HOUR_US, end_ns) / HOUR_US;
        let two_hours_ago = Some(8 * 3_600_000_000_000);
        for name in [0, 998, 5000] {
            assert_eq!(hours(name, two_hours_ago), 998);
        }
        assert_eq!([0, 980, 995, 5000].map(|name| hours(name, None)), [0, 980, 990, 990]);
    }

    proptest! {
        #[test]
        fn no_limit_is_exceeded_after_a_record(
            sizes in vec(0..1000_u64, 0..20),
            incoming in 1..1000_u64,
            max_bytes in prop::option::of(0..10_000_u64),
            min_free_bytes in 0..2000_u64,
            free in 0..2000_u64,
        ) {
            let segments = hours(&sizes);
            let limits = Limits { keep_us: None, max_bytes, min_free_bytes };
            let Decision { remove, fits } = limits.decide(&segments, incoming, Some(free), 0);
            let kept: u64 = sizes[remove..].iter().sum();
            let freed: u64 = sizes[..remove].iter().sum();
            if fits {
                prop_assert!(max_bytes.is_none_or(|max| kept + incoming <= max));
                prop_assert!(min_free_bytes == 0 || free + freed >= incoming + min_free_bytes);
            } else {
                prop_assert_eq!(remove, sizes.len());
            }
            // One less would not have been enough.
            if let Some(last) = remove.checked_sub(1) {
                let (kept, freed) = (kept + sizes[last], freed - sizes[last]);
                let too_large = max_bytes.is_some_and(|max| kept + incoming > max);
                prop_assert!(too_large || free + freed < incoming + min_free_bytes);
            }
        }
    }
}
