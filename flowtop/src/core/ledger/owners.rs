//! Owners in the ledger: who is new, who holds a socket, and what had to wait for their names.

use flowtop_common::FlowKey;

use super::Ledger;
use crate::core::owner::Seen;

impl Ledger {
    /// Processes that the newest sample shows as owners for the first time, each with the moment of its use in
    /// nanoseconds of the monotonic clock.
    pub fn new_owners(&self) -> impl Iterator<Item = (&Seen, u64)> {
        self.new_owners.iter().map(|(seen, used_ns)| (seen, *used_ns))
    }

    /// Counts what has waited, as far as its scope knows enough by now.
    pub fn settle(&mut self) {
        if self.flows.values().any(|entry| entry.held) {
            self.judge();
            self.count();
            self.take_totals();
        }
    }

    /// Takes in who has which socket open. A flow that nobody has been seen to use is theirs.
    pub fn take_holders(&mut self, holders: &[(FlowKey, Seen)]) {
        for (key, seen) in holders {
            let Some(entry) = self.flows.get_mut(key) else { continue };
            let before = entry.users.current();
            entry.users.held_by(*seen);
            entry.judged &= entry.users.current() == before;
            self.new_owners.push((*seen, self.at_ns));
        }
    }
}
