//! Takes a flow of a sample into the ledger: its new bytes, its other end, and whether it counts.

use alloc::vec::Vec;
use flowtop_common::{Flow, FlowKey, flags};

use super::entry::{Clock, Moved};
use super::marks::Mark;
use super::origins::Origins;
use super::{Entry, Ledger, pairs};
use crate::flow::Tuple;
use crate::owner::Seen;

impl Ledger {
    /// Takes in one flow of the table. What is as it was is left alone.
    pub(super) fn take_flow(&mut self, key: &FlowKey, flow: &Flow) {
        self.present += 1;
        let clock = self.clock();
        let Some(entry) = self.flows.next(key) else { return self.open(key, flow) };
        let is_removable = entry.has_ended() && flow.flags & flags::ENDED != 0;
        let is_same = entry.is_seen_again(flow, clock.sample);
        if is_removable {
            self.removable.push(*key);
        }
        if is_same {
            return;
        }
        let (user, was_closed) = (entry.users.current(), entry.closed_ns.is_some());
        let (place, share) = (entry.place, entry.share(key));
        let was_refused = entry.marks.has(Mark::Refused);
        let grown = entry.update(key, flow, clock, &mut self.processes);
        if entry.marks.has(Mark::Refused) && !was_refused {
            self.refused.push(*key);
        }
        // The verdict on a connection may change with its other end, which comes later in the sample.
        let is_settled = self.scope.is_none() || (entry.marks.has(Mark::Judged) && !entry.has_peer());
        if !was_closed && entry.closed_ns.is_some() {
            self.closed.push(place);
        }
        if entry.users.current() != user {
            note_owner(&mut self.new_owners, entry.users.current(), entry.used_ns());
        }
        self.total.bytes = self.total.bytes.since(share);
        if is_settled {
            self.count(place, grown);
        } else {
            entry.marks.set(Mark::Waits);
            self.waiting.push((place, grown));
        }
    }

    /// The time of the sample that is taken in.
    fn clock(&self) -> Clock {
        Clock { sample: self.sample, at_ns: self.at_ns, elapsed_ns: self.step_ns, in_wire: self.in_wire }
    }

    /// Takes in a flow that was not known. Whether it has another end here is found out when all are in.
    fn open(&mut self, key: &FlowKey, flow: &Flow) {
        let side = self.side(key);
        let mut entry = Entry::open(key, flow, self.sample == 1, side);
        let grown = entry.update(key, flow, self.clock(), &mut self.processes);
        if entry.marks.has(Mark::Refused) {
            self.refused.push(*key);
        }
        entry.marks.set(Mark::Waits);
        if entry.users.current().is_process() {
            note_owner(&mut self.new_owners, entry.users.current(), entry.used_ns());
        }
        let is_closed = entry.closed_ns.is_some();
        let place = self.flows.open(key, entry, Origins::of(flow), self.journal.ticks());
        self.closed.extend(is_closed.then_some(place));
        self.newborn.push(place);
        self.waiting.push((place, grown));
    }

    /// Links the newborn flows with their other ends.
    pub(super) fn join_pairs(&mut self) {
        let mut newborn = core::mem::take(&mut self.newborn);
        newborn.sort_unstable();
        self.link(pairs::pairs(&self.flows, &newborn, self.sample));
        // Their sockets ended before this sample: the other end would have come.
        for place in self.removable.iter().filter_map(|key| self.flows.place(key)).collect::<Vec<_>>() {
            self.flows.give_up_other_end(place);
        }
    }

    /// Links left ends with their right ends, by their places.
    pub(super) fn link(&mut self, pairs: impl IntoIterator<Item = (u32, u32)>) {
        for (left, right) in pairs {
            for (place, peer, is_right) in [(left, right, false), (right, left, true)] {
                if self.flows.at(peer).is_none() {
                    continue;
                }
                self.wait_for(place);
                self.flows.give_up_other_end(place);
                if let Some((_, entry)) = self.flows.at_mut(place) {
                    entry.join(Some(peer), is_right);
                }
            }
        }
    }

    /// Has the scope asked about a flow before anything more of it is counted. Its share is out of the totals meanwhile.
    fn wait_for(&mut self, place: u32) {
        let Some((key, entry)) = self.flows.at_mut(place) else { return };
        if !entry.marks.replace(Mark::Waits, true) {
            self.total.bytes = self.total.bytes.since(entry.share(key));
            self.waiting.push((place, Moved::default()));
        }
    }

    /// Asks the scope about the flows that wait for it, and counts what it can judge.
    pub(super) fn settle_flows(&mut self) {
        for place in core::mem::take(&mut self.unsettled) {
            self.wait_for(place);
        }
        let waiting = core::mem::take(&mut self.waiting);
        self.judge(&waiting);
        for (place, grown) in waiting {
            let grown = grown + self.flows.release(place);
            if self.flows.hold(place, grown) {
                self.unsettled.push(place);
                self.count(place, Moved::default());
            } else {
                self.count(place, grown);
            }
        }
    }

    /// Asks the scope about the flows that are new or have changed. Both ends of a connection have one verdict, on the left
    /// one.
    fn judge(&mut self, waiting: &[(u32, Moved)]) {
        let Some(scope) = &self.scope else { return };
        for (place, _) in waiting {
            let Some(place) = self.flows.unjudged(*place) else { continue };
            let waits = self.flows.waits(place, &**scope);
            let place = if waits { place } else { self.flows.turn_towards(place, &**scope) };
            let peer = self.flows.at(place).and_then(|(_, entry)| entry.peer());
            let right = peer.and_then(|place| self.flows.at(place));
            let right = right.map(|(key, entry)| entry.socket(key));
            let Some((key, entry)) = self.flows.at_mut(place) else { continue };
            entry.judge(key, right.as_ref(), &**scope);
            entry.marks = entry.marks.with(Mark::Held, waits).with(Mark::Judged, !waits);
            let (verdict, keeper_out) = (entry.verdict.mirror(), entry.keeper_out);
            if let Some((_, entry)) = peer.and_then(|place| self.flows.at_mut(place)) {
                (entry.verdict, entry.keeper_out) = (verdict, keeper_out);
                entry.marks = entry.marks.with(Mark::Held, waits).with(Mark::Judged, true);
            }
        }
    }

    /// Counts what a flow has moved, as far as it counts, and puts its share back into the totals.
    fn count(&mut self, place: u32, grown: Moved) {
        let Some((key, entry)) = self.flows.at_mut(place) else { return };
        let leaves = || match &self.carriers {
            Some(carriers) => carriers.carry(key.netns, &Tuple::of(key)),
            None => !entry.is_on_host(),
        };
        if grown.wire.sum() > 0 && leaves() {
            self.on_interfaces += grown.wire;
        }
        let (counted, outside) = entry.count(grown);
        entry.marks.clear(Mark::Waits);
        self.total.bytes += entry.share(key);
        if entry.counts(key) {
            self.total.packets += entry.seen_from_left(counted).packets;
            self.outside.add_for(entry.keeper_out, entry.seen_from_left(outside));
        }
        let bytes = counted.in_windows(self.in_packets);
        self.flows.add_on_wire(place, counted.wire);
        self.journal.add(place, bytes);
        self.flows.enter_windows(place, bytes);
        self.flows.draw_line(place);
    }
}

/// Processes often come one after the other with all of their sockets.
fn note_owner(owners: &mut Vec<(Seen, u64)>, seen: Seen, used_ns: u64) {
    if owners.last().is_none_or(|(last, _)| *last != seen) {
        owners.push((seen, used_ns));
    }
}
