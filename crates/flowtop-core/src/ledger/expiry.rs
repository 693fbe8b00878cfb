//! How connections leave the ledger: when they have been complete for long enough, or when there are too many.

use alloc::vec::Vec;
use flowtop_common::FlowKey;

use super::{ABSENT_SAMPLES, Entry, Ledger};

impl Ledger {
    /// When the connection of this flow was complete on every end that is here: closed, and gone from the kernel's
    /// table. Before that an entry must stay, or the next sample would count the flow anew.
    fn complete_ns(&self, entry: &Entry) -> Option<u64> {
        let complete = |entry: &Entry| entry.closed_ns().filter(|_| entry.seen < self.sample);
        match self.peer_of(entry) {
            None => complete(entry),
            Some(peer) => Some(complete(entry)?.max(complete(peer)?)),
        }
    }

    fn peer_of(&self, entry: &Entry) -> Option<&Entry> {
        Some(self.flows.at(entry.peer()?)?.1)
    }

    /// Notes which flows are closed: those that have ended, and those that vanished from the table without a sign. Nobody
    /// knows of the latter where only changes are told.
    pub(super) fn close(&mut self) {
        let Self { flows, closed, sample, at_ns, unchanged, .. } = self;
        closed.retain(|place| flows.at(*place).is_some_and(|(_, entry)| entry.closed_ns.is_some()));
        let absent =
            closed.iter().filter_map(|place| flows.at(*place)).filter(|(_, e)| e.seen < *sample).count();
        if *unchanged > 0 || self.present + absent >= flows.len() {
            return;
        }
        for entry in flows.values_mut().filter(|entry| entry.closed_ns.is_none()) {
            if *sample - entry.seen > ABSENT_SAMPLES {
                entry.close(*at_ns);
                closed.push(entry.place);
            }
        }
    }

    /// Folds the connections away that have been complete for long enough, and so have left every window.
    pub(super) fn expire(&mut self) {
        let expired = |entry: &Entry| {
            self.complete_ns(entry).is_some_and(|ns| self.at_ns.saturating_sub(ns) >= self.retain_closed_ns)
        };
        // Both ends of a connection give the same answer, so they go together.
        let places: Vec<u32> =
            self.closed().filter(|(_, entry)| expired(entry)).map(|(_, entry)| entry.place).collect();
        self.remove_all(&places);
    }

    /// Folds the oldest complete connections away while there are too many entries. Their bytes stay in the totals.
    pub(super) fn evict(&mut self) {
        if self.flows.len() <= self.max_entries {
            return;
        }
        let heads = self.closed().filter(|(_, entry)| !entry.is_peer());
        let mut complete: Vec<(u64, FlowKey, u32)> =
            heads.filter_map(|(key, entry)| Some((self.complete_ns(entry)?, *key, entry.place))).collect();
        complete.sort_unstable();
        for (_, _, place) in &complete {
            if self.flows.len() <= self.max_entries {
                break;
            }
            let peer = self.flows.at(*place).and_then(|(_, entry)| entry.peer());
            let ends: Vec<u32> = [Some(*place), peer].into_iter().flatten().collect();
            self.losses.ledger += ends.len() as u64;
            self.remove_all(&ends);
        }
    }

    /// Removes flows. Sums of groups see them first, both ends of a connection still together.
    fn remove_all(&mut self, places: &[u32]) {
        for place in places {
            self.departed.take(&self.flows, *place, self.in_wire);
        }
        for place in places {
            self.flows.remove(*place);
        }
    }

    fn closed(&self) -> impl Iterator<Item = (&FlowKey, &Entry)> {
        self.closed.iter().filter_map(|place| self.flows.at(*place))
    }
}
