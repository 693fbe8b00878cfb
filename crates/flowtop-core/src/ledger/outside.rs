//! Bytes that the scope keeps out of the totals: not counted, but reported, so that no byte vanishes.

use alloc::vec::Vec;

use super::entry::Moved;
use crate::window::{Bytes, Rates, Timeline, Traffic};

/// Traffic that does not count. Of a connection with both ends here it is what its left end sees.
#[derive(Debug, Default)]
pub(super) struct Outside {
    total: Moved,
    newest: Moved,
    traffic: Traffic,
    /// Bytes by the condition of the scope that has kept them out.
    by_condition: Vec<Bytes>,
}

impl Outside {
    /// Takes what one flow has moved since the sample before.
    pub(super) fn add(&mut self, moved: Moved) {
        self.newest += moved;
    }

    /// The same, for a condition.
    pub(super) fn add_for(&mut self, condition: u8, moved: Moved) {
        self.add(moved);
        let place = usize::from(condition);
        if moved.bytes.sum() > 0 {
            self.by_condition.resize(self.by_condition.len().max(place + 1), Bytes::default());
            self.by_condition[place] += moved.bytes;
        }
    }

    /// Bytes by condition, which is another one from now on.
    pub(super) fn forget_conditions(&mut self) {
        self.by_condition.clear();
    }

    /// Bytes since the scope was set, by its conditions.
    pub(super) fn by_condition(&self) -> &[Bytes] {
        &self.by_condition
    }

    /// Books what has been added since the last call.
    pub(super) fn close_slot(&mut self, timeline: &Timeline, in_packets: bool) {
        let newest = core::mem::take(&mut self.newest);
        self.total += newest;
        self.traffic.add(timeline, newest.in_windows(in_packets));
        self.traffic.forget_old(timeline);
    }

    /// Bytes since the start.
    pub(super) fn bytes(&self) -> Bytes {
        self.total.bytes
    }

    /// Bytes of the last 2, 10, 40 s.
    pub(super) fn rates(&self, timeline: &Timeline) -> Rates {
        self.traffic.rates(timeline)
    }
}
