//! How connections leave the ledger: when they have been complete for long enough, or when there are too many.

use flowtop_common::FlowKey;

use super::{Entry, Ledger};

impl Ledger {
    /// When the connection of this flow was complete on every end that is here: closed, and gone from the kernel's
    /// table. Before that an entry must stay, or the next sample would count the flow anew.
    fn complete_ns(&self, entry: &Entry) -> Option<u64> {
        let complete = |entry: &Entry| entry.closed_ns.filter(|_| entry.seen < self.sample);
        match self.peer_of(entry) {
            None => complete(entry),
            Some(peer) => Some(complete(entry)?.max(complete(peer)?)),
        }
    }

    fn peer_of(&self, entry: &Entry) -> Option<&Entry> {
        self.flows.get(entry.peer()?)
    }

    /// Folds the connections away that have been complete for long enough, and so have left every window.
    pub(super) fn expire(&mut self) {
        let expired = |entry: &Entry| {
            self.complete_ns(entry).is_some_and(|ns| self.at_ns.saturating_sub(ns) >= self.retain_closed_ns)
        };
        // Both ends of a connection give the same answer, so they go together.
        let keys: Vec<FlowKey> =
            self.flows.iter().filter(|(_, entry)| expired(entry)).map(|(key, _)| *key).collect();
        for key in &keys {
            self.fold(key);
        }
    }

    /// Folds the oldest complete connections away while there are too many entries.
    pub(super) fn evict(&mut self) {
        if self.flows.len() <= self.max_entries {
            return;
        }
        let heads = self.flows.iter().filter(|(_, entry)| !entry.is_peer());
        let mut complete: Vec<(u64, FlowKey)> =
            heads.filter_map(|(key, entry)| Some((self.complete_ns(entry)?, *key))).collect();
        complete.sort_unstable();
        for (_, key) in &complete {
            if self.flows.len() <= self.max_entries {
                break;
            }
            let peer = self.flows.get(key).and_then(Entry::peer).copied();
            for end in [Some(*key), peer].into_iter().flatten() {
                self.fold(&end);
                self.losses.ledger += 1;
            }
        }
    }

    /// Forgets a flow; its bytes stay in the totals.
    fn fold(&mut self, key: &FlowKey) {
        if let Some(entry) = self.flows.remove(key)
            && entry.counts(key)
        {
            self.apart += entry.moved();
        }
    }
}
