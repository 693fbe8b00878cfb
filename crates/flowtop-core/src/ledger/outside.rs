//! Bytes that the scope keeps out of the totals: not counted, but reported, so that no byte vanishes.

use super::entry::Moved;
use crate::window::{Bytes, Rates, Timeline, Traffic};

/// Traffic that does not count. Of a connection with both ends here it is what its left end sees.
#[derive(Debug, Default)]
pub(super) struct Outside {
    total: Moved,
    newest: Moved,
    traffic: Traffic,
}

impl Outside {
    /// Takes what one flow has moved since the sample before.
    pub(super) fn add(&mut self, moved: Moved) {
        self.newest += moved;
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
