//! A flow as a row of columns, with its class: which columns it has values in.

use std::ops::{Deref, DerefMut};

use flowtop_core::record::FlowRecord;
use flowtop_core::window::Bytes;

/// A flow, and what of it is not as it is in most.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) record: FlowRecord,
    /// Bits from the constants below.
    pub(super) class: u64,
}

/// The flow has ended.
pub(super) const ENDED: u64 = 1;
/// It has moved something in the window.
pub(super) const MOVED: u64 = 2;
/// Its bytes were not all in one second.
pub(super) const SPREAD: u64 = 4;
/// It has moved something before the window.
pub(super) const AGED: u64 = 8;
/// It has put something on the wire again.
pub(super) const REPEATED: u64 = 16;
/// Its bytes on the wire in the window are known.
pub(super) const GROWN: u64 = 32;

impl Row {
    pub(super) fn of(record: &FlowRecord) -> Self {
        let retrans = (record.retrans_bytes, record.flow.retrans_bytes, record.flow.retrans_segs);
        let bits = [
            (ENDED, record.has_ended()),
            (MOVED, record.bytes != Bytes::default()),
            (SPREAD, record.peak != record.bytes),
            (AGED, record.lifetime() != record.bytes),
            (REPEATED, retrans != (0, 0, 0)),
            (GROWN, record.grown.is_some()),
        ];
        let class = bits.into_iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| bit).sum();
        Self { record: record.clone(), class }
    }

    pub(super) fn is(&self, bit: u64) -> bool {
        self.class & bit != 0
    }
}

impl Deref for Row {
    type Target = FlowRecord;

    fn deref(&self) -> &FlowRecord {
        &self.record
    }
}

impl DerefMut for Row {
    fn deref_mut(&mut self) -> &mut FlowRecord {
        &mut self.record
    }
}
