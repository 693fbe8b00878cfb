//! Owners in the ledger: new processes, holders of sockets, and bytes held back until a name is known.

use flowtop_common::FlowKey;

use super::marks::Mark;
use super::status::is_open;
use super::{Entry, Ledger};
use crate::owner::Seen;

impl Ledger {
    /// Processes that the newest sample shows as owners for the first time, each with the moment of its use in
    /// nanoseconds of the monotonic clock.
    pub fn new_owners(&self) -> impl Iterator<Item = (&Seen, u64)> {
        self.new_owners.iter().map(|(seen, used_ns)| (seen, *used_ns))
    }

    /// Counts what has waited, as far as its scope knows enough by now.
    pub fn settle(&mut self) {
        let before = self.total;
        self.settle_flows();
        self.take_totals(before);
    }

    /// Whether nobody is known who uses one of the sockets. Of one that its process has closed nobody will be.
    #[must_use]
    pub fn has_unowned(&self) -> bool {
        let open = |entry: &Entry| entry.closed_ns.is_none() && is_open(entry.state());
        self.flows.values().any(|entry| !entry.owner().is_process() && open(entry))
    }

    /// Where a flow stands, if the ledger has it.
    #[must_use]
    pub fn place_of(&self, key: &FlowKey) -> Option<usize> {
        Some(self.flows.get(key)?.place as usize)
    }

    /// Whether its scope may ask for processes; see [`Scope::asks_processes`](crate::scope::Scope::asks_processes).
    #[must_use]
    pub fn asks_processes(&self) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.asks_processes())
    }

    pub fn open_flows(&self) -> impl Iterator<Item = &FlowKey> {
        let open = |entry: &Entry| entry.closed_ns.is_none() && is_open(entry.state());
        self.flows.iter().filter(move |(_, entry)| open(entry)).map(|(key, _)| key)
    }

    /// Takes a holder of a socket. It becomes the owner of a flow that no process was seen to use.
    pub fn take_holder(&mut self, key: &FlowKey, seen: Seen) {
        let Self { flows, processes, .. } = self;
        let Some(entry) = flows.get_mut(key) else { return };
        entry.change_users(|users| users.held_by(seen, processes));
        let place = entry.place;
        if !entry.marks.has(Mark::Judged) {
            self.unsettled.push(place);
        }
        self.flows.draw_line(place);
        // They come process by process.
        if self.new_owners.last().is_none_or(|(last, _)| *last != seen) {
            self.new_owners.push((seen, self.at_ns));
        }
    }
}
