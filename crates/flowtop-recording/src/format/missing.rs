//! Records of a run that are not in its recording: how many, and what moved in their time, until the next one tells.

use flowtop_core::record::{Gap, Record};

/// Missing records that the next record has to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub records: u64,
    gap: Option<Gap>,
}

impl Missing {
    /// Has a record tell what is missing before it.
    pub fn tell(&self, record: &mut Record) {
        record.unwritten += self.records;
        record.gap = match (self.gap, record.gap) {
            (Some(earlier), Some(later)) => Some(Gap { totals: earlier.totals + later.totals, ..earlier }),
            (earlier, later) => earlier.or(later),
        };
    }

    /// The missing records once this one, which would have reported those before it, could not be written either.
    #[must_use]
    pub fn with(record: &Record) -> Self {
        let gap = record.gap.unwrap_or(Gap { start_ns: record.span.start_ns, ..Gap::default() });
        let totals = gap.totals + record.totals;
        Self { records: record.unwritten + 1, gap: Some(Gap { totals, ..gap }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::record::fixture;
    use flowtop_core::window::Bytes;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_told_where_nothing_is_missing() {
        let mut record = fixture::record(3, vec![]);
        Missing::default().tell(&mut record);
        assert_eq!(record, fixture::record(3, vec![]));
    }

    proptest! {
        /// Whichever records are written, they and their gaps cover the run from the first one to the last and have all
        /// of its bytes.
        #[test]
        fn what_is_written_has_all_bytes(
            minutes in prop::collection::vec((any::<bool>(), 0..100_u64, prop::option::of(0..100_u64)), 1..20)
        ) {
            let (mut missing, mut minute) = (Missing::default(), 0);
            let (mut all, mut told, mut until_ns) = ((0, Bytes::default()), (0, Bytes::default()), None);
            for (is_written, tx, gap) in minutes {
                let mut record = fixture::record(minute, vec![]);
                let gap = gap.map(|rx| {
                    minute += 1;
                    let gap = Gap { start_ns: record.span.start_ns, totals: Bytes { tx: 0, rx } };
                    record = fixture::record(minute, vec![]);
                    gap
                });
                minute += 1;
                let start_ns = gap.map_or(record.span.start_ns, |gap| gap.start_ns);
                until_ns = until_ns.or(Some(start_ns));
                record = Record { totals: Bytes { tx, rx: 0 }, gap, ..record };
                all = (all.0 + 1, all.1 + record.totals + gap.unwrap_or_default().totals);
                missing.tell(&mut record);
                if is_written {
                    missing = Missing::default();
                    told.0 += 1 + record.unwritten;
                    told.1 += record.totals + record.gap.unwrap_or_default().totals;
                    let covered_from = record.gap.map_or(record.span.start_ns, |gap| gap.start_ns);
                    prop_assert_eq!(Some(covered_from), until_ns);
                    until_ns = Some(record.span.end_ns);
                } else {
                    missing = Missing::with(&record);
                }
            }
            let mut last = fixture::record(minute, vec![]);
            missing.tell(&mut last);
            told = (told.0 + last.unwritten, told.1 + last.gap.unwrap_or_default().totals);
            prop_assert_eq!(told, all);
        }
    }
}
