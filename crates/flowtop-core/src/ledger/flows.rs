//! The flows of a ledger by their keys, each at a fixed place; and the lines of the rows, close together in memory.
//!
//! Of 100,000 flows the entries are 19 MB. A frame that had to look at all of them would take longer to fetch than to
//! sum up, so what it adds up stands apart, in 8 MB.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{BuildHasher as _, Hasher as _};
use hashbrown::HashMap;

use flowtop_common::FlowKey;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;

use super::entry::{Moved, OwnEnd};
use super::marks::Mark;
use super::origins::Origins;
use super::{Entry, Ledger};
use crate::owner::Seen;
use crate::scope::{Scope, Subject};
use crate::window::{Bytes, Rates, Window};

/// The bit of a stamp that says that the flow is the right end of a connection whose left end is not here: which end it
/// is changes with its row only.
const TURNED: u32 = 1;
/// The bit that says that it is the right end of a connection whose left end is here too.
const RIGHT: u32 = 2;
/// The bit that says that the totals have the bytes of the connection from its other end.
const COUNTED_ELSEWHERE: u32 = 4;
const NEXT_STAMP: u32 = 8;

/// Contribution of one end of a connection to its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Bytes since the start, as the flow itself sees them.
    pub bytes: Bytes,
    /// Bytes in the last 2, 10, 40 s, likewise.
    pub windows: [Bytes; 3],
    /// Another number whenever it may belong to another row: when the place has been given to another connection, or
    /// something has become known of who it belongs to. 0 where there is no row; it starts again after 2^29 changes.
    pub stamp: u32,
    /// Number of the tick that opened the flow of this place.
    since: u32,
    /// The process that it is shown with.
    pub owner: Option<Arc<Seen>>,
}

impl Line {
    /// Whether the flow is the right end of a connection whose left end is not here.
    #[must_use]
    pub const fn is_turned(&self) -> bool {
        self.stamp & TURNED != 0
    }

    /// Whether the flow is the right end of a connection whose left end is here too: rows of connections leave it out,
    /// rows of ends have it.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.stamp & RIGHT != 0
    }

    /// Whether the totals do not have these bytes, because they have those of the other end.
    #[must_use]
    pub const fn is_counted_elsewhere(&self) -> bool {
        self.stamp & COUNTED_ELSEWHERE != 0
    }

    /// Contribution to a row, with the directions of the row's left end.
    #[must_use]
    pub fn bytes_in_row(&self) -> Bytes {
        if self.is_turned() { self.bytes.mirror() } else { self.bytes }
    }
}

const _: () =
    assert!(size_of::<(FlowKey, Entry)>() <= 192 && size_of::<Line>() <= 80, "a million are to fit");

/// Entries by key. A place is given again only after its flow has been removed.
#[derive(Debug, Default)]
pub(super) struct Flows {
    places: HashTable<u32>,
    /// Flows whose other end may still come, by their two ends, whichever of them they are.
    single: HashTable<u32>,
    hasher: RandomState,
    slots: Slab<(FlowKey, Entry)>,
    lines: Vec<Line>,
    /// Where the sequence numbers of each flow began, by place: apart, since only looking for the other end needs them.
    origins: Vec<Origins>,
    /// Traffic of flows while they were held back, by place.
    held: HashMap<u32, Moved, RandomState>,
    /// Bytes on the wire since the start that count, by place; `None` where they are not kept.
    on_wire: Option<Vec<Bytes>>,
    stamp: u32,
    /// Where the next flow of a sample may be. Flows come in the order of the kernel's table, which they keep.
    guess: usize,
}

impl Flows {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn place(&self, key: &FlowKey) -> Option<u32> {
        self.places.find(of_key(&self.hasher, key), |place| self.slots[*place as usize].0 == *key).copied()
    }

    pub(super) fn get(&self, key: &FlowKey) -> Option<&Entry> {
        self.at(self.place(key)?).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, key: &FlowKey) -> Option<&mut Entry> {
        self.at_mut(self.place(key)?).map(|(_, entry)| entry)
    }

    /// The place of the end that has to be judged because of the flow at `place`: its own, or that of its left end.
    pub(super) fn unjudged(&self, place: u32) -> Option<u32> {
        let (_, entry) = self.at(place).filter(|(_, entry)| !entry.marks.has(Mark::Judged))?;
        if entry.is_peer() { entry.peer() } else { Some(place) }
    }

    pub(super) fn at(&self, place: u32) -> Option<(&FlowKey, &Entry)> {
        self.slots.get(place as usize).map(|(key, entry)| (key, entry))
    }

    pub(super) fn at_mut(&mut self, place: u32) -> Option<(&FlowKey, &mut Entry)> {
        self.slots.get_mut(place as usize).map(|(key, entry)| (&*key, entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&FlowKey, &Entry)> {
        self.slots.iter().map(|(_, (key, entry))| (key, entry))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.iter().map(|(_, entry)| entry)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slots.iter_mut().map(|(_, (_, entry))| entry)
    }

    /// Where the sequence numbers of a flow began.
    pub(super) fn origins(&self, place: u32) -> Origins {
        self.origins.get(place as usize).copied().unwrap_or_default()
    }

    /// The first flow of a table will be asked for.
    pub(super) fn rewind(&mut self) {
        self.guess = 0;
    }

    /// So many flows will not be asked for.
    pub(super) fn pass(&mut self, flows: usize) {
        self.guess += flows;
    }

    /// The flow with this key; most often it is behind the one that was asked for before.
    pub(super) fn next(&mut self, key: &FlowKey) -> Option<&mut Entry> {
        let is_guessed = self.slots.get(self.guess).is_some_and(|(other, _)| other == key);
        let place = if is_guessed { self.guess } else { self.place(key)? as usize };
        self.guess = place + 1;
        self.slots.get_mut(place).map(|(_, entry)| entry)
    }

    /// Opens the entry of a key that is not here, in tick `since`, and returns its place.
    ///
    /// # Panics
    /// With 2^32 flows.
    pub(super) fn open(&mut self, key: &FlowKey, mut entry: Entry, origins: Origins, since: u32) -> u32 {
        let number = self.slots.vacant_key();
        let place = u32::try_from(number).expect("fewer flows than 2^32");
        entry.place = place;
        self.slots.insert((*key, entry));
        self.guess = number + 1;
        let (hasher, slots) = (&self.hasher, &self.slots);
        let key_at = |place: &u32| &slots[*place as usize].0;
        self.places.insert_unique(of_key(hasher, key), place, |place| of_key(hasher, key_at(place)));
        self.single.insert_unique(of_ends(hasher, key), place, |place| of_ends(hasher, key_at(place)));
        if number == self.lines.len() {
            self.lines.push(Line::default());
            self.origins.push(Origins::default());
            self.on_wire.iter_mut().for_each(|all| all.push(Bytes::default()));
        }
        self.origins[number] = origins;
        self.lines[number] = Line { since, ..Line::default() };
        if let Some(its) = self.on_wire_mut(place) {
            *its = Bytes::default();
        }
        place
    }

    pub(super) fn remove(&mut self, place: u32) {
        self.give_up_other_end(place);
        let Some((key, entry)) = self.slots.try_remove(place as usize) else { return };
        if let Some((_, peer)) = entry.peer().and_then(|peer| self.at_mut(peer)) {
            peer.forget_peer();
        }
        if let Ok(found) = self.places.find_entry(of_key(&self.hasher, &key), |other| *other == place) {
            found.remove();
        }
        self.lines[place as usize] = Line::default();
        self.held.remove(&place);
    }

    /// Keeps the bytes on the wire of each flow from now on.
    pub(super) fn keep_on_wire(&mut self) {
        self.on_wire.get_or_insert_default().resize(self.lines.len(), Bytes::default());
    }

    pub(super) fn add_on_wire(&mut self, place: u32, bytes: Bytes) {
        if let Some(its) = self.on_wire_mut(place) {
            *its += bytes;
        }
    }

    /// Bytes on the wire since the start that count; `None` where they are not kept.
    pub(super) fn on_wire(&self, place: u32) -> Option<Bytes> {
        self.on_wire.as_ref()?.get(place as usize).copied()
    }

    fn on_wire_mut(&mut self, place: u32) -> Option<&mut Bytes> {
        self.on_wire.as_mut()?.get_mut(place as usize)
    }

    /// Keeps what a flow has moved from being counted, if it is held.
    pub(super) fn hold(&mut self, place: u32, moved: Moved) -> bool {
        let Some((_, entry)) = self.at_mut(place).filter(|(_, entry)| entry.marks.has(Mark::Held)) else {
            return false;
        };
        entry.hold(moved.bytes);
        self.held.insert(place, moved);
        true
    }

    /// Takes the traffic that a flow moved while it was held back; the caller counts it or holds it again.
    pub(super) fn release(&mut self, place: u32) -> Moved {
        let Some(held) = self.held.remove(&place) else { return Moved::default() };
        if let Some((_, entry)) = self.at_mut(place) {
            entry.release(held.bytes);
        }
        held
    }

    /// Whether the scope has to learn more about one of the ends. It is asked before anything else: an answer that comes in
    /// between must not be taken for part of the verdict.
    pub(super) fn waits(&self, left: u32, scope: &dyn Scope) -> bool {
        let Some((key, entry)) = self.at(left) else { return false };
        let own = entry.socket(key);
        let peer = entry.peer().and_then(|place| self.at(place)).map(|(key, peer)| peer.socket(key));
        scope.waits(&Subject { peer: peer.as_ref().map(OwnEnd::user), ..entry.subject(key, &own) })
    }

    /// Of two ends here, lets the one stand left that the scope asks for, unless a border has decided or something is counted
    /// already: totals must not change their directions. Returns the place of the left end.
    pub(super) fn turn_towards(&mut self, left: u32, scope: &dyn Scope) -> u32 {
        let Some(right) = self.right_end_to_prefer(left, scope) else { return left };
        for (place, peer, is_right) in [(right, left, false), (left, right, true)] {
            if let Some((_, entry)) = self.at_mut(place) {
                entry.join(Some(peer), is_right);
            }
        }
        right
    }

    fn right_end_to_prefer(&self, left: u32, scope: &dyn Scope) -> Option<u32> {
        let (left_key, left) = self.at(left)?;
        let (right_key, right) = self.at(left.peer()?)?;
        let may_turn = [left, right].iter().all(|end| end.side.leaves_it_open())
            && ![left, right].iter().any(|end| end.marks.has(Mark::HasCounted));
        let ends = || (left.socket(left_key), right.socket(right_key));
        let prefers_second = |(first, second): (OwnEnd, OwnEnd)| {
            scope.prefers_second(&left.subject(left_key, &first), &right.subject(right_key, &second))
        };
        (may_turn && prefers_second(ends()) == Some(true)).then_some(right.place)
    }

    /// The other end of this flow has come, or will not come any more.
    pub(super) fn give_up_other_end(&mut self, place: u32) {
        let number = self.number_of_ends(place);
        if let Ok(found) = self.single.find_entry(number, |other| *other == place) {
            found.remove();
        }
    }

    /// The same number for all flows between two ends, seldom the same for others.
    pub(super) fn number_of_ends(&self, place: u32) -> u64 {
        self.slots.get(place as usize).map_or(0, |(key, _)| of_ends(&self.hasher, key))
    }

    /// The flows with this number whose other end may still come.
    pub(super) fn single(&self, number: u64) -> impl Iterator<Item = &Entry> {
        // The table returns some with another number, too.
        let same = self.single.iter_hash(number).filter(move |place| self.number_of_ends(**place) == number);
        same.filter_map(|place| Some(self.at(*place)?.1))
    }

    /// Lines of the rows, by place.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The windows of a flow as it sees them itself.
    pub(super) fn windows(&self, place: u32) -> [Bytes; 3] {
        self.lines.get(place as usize).map(|line| line.windows).unwrap_or_default()
    }

    /// Number of the tick that opened a flow.
    pub(super) fn since(&self, place: u32) -> u32 {
        self.lines.get(place as usize).map_or(0, |line| line.since)
    }

    /// Bytes come into all windows of a flow.
    pub(super) fn enter_windows(&mut self, place: u32, bytes: Bytes) {
        self.lines[place as usize].windows.iter_mut().for_each(|window| *window += bytes);
    }

    /// Bytes that a flow has moved in tick `number` leave one of its windows. The flow may have gone before them.
    pub(super) fn leave_window(&mut self, number: u32, place: u32, window: Window, bytes: Bytes) {
        let line = &mut self.lines[place as usize];
        if line.since <= number {
            let sum = &mut line.windows[window as usize];
            *sum = sum.since(bytes);
        }
    }

    /// Makes the line of one flow anew. What one end has become may change the row of the other one.
    pub(super) fn draw_line(&mut self, place: u32) {
        let Some((_, entry)) = self.slots.get_mut(place as usize) else { return };
        let has_changed = entry.marks.replace(Mark::HasChanged, false);
        let other = if has_changed { entry.peer() } else { None };
        self.draw_own_line(place, has_changed);
        if let Some(other) = other {
            self.draw_own_line(other, true);
        }
    }

    fn draw_own_line(&mut self, place: u32, has_changed: bool) {
        let Some((key, entry)) = self.slots.get(place as usize) else { return };
        let (bytes, owner) = (entry.bytes(), entry.users.busiest_process());
        let end =
            [(TURNED, entry.is_turned()), (RIGHT, entry.is_peer()), (COUNTED_ELSEWHERE, !entry.counts(key))];
        let end: u32 = end.into_iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| bit).sum();
        let peer = if bytes.sum() == 0 { entry.peer() } else { None };
        let has_row = bytes.sum() > 0
            || peer.and_then(|peer| self.at(peer)).is_some_and(|(_, peer)| peer.bytes().sum() > 0);
        let line = &mut self.lines[place as usize];
        line.bytes = bytes;
        if line.owner.as_ref().map(Arc::as_ptr) != owner.map(Arc::as_ptr) {
            line.owner = owner.cloned();
        }
        if !has_row {
            line.stamp = 0;
        } else if has_changed || line.stamp == 0 {
            self.stamp = self.stamp.wrapping_add(NEXT_STAMP).max(NEXT_STAMP);
            line.stamp = self.stamp | end;
        }
    }
}

fn of_key(hasher: &RandomState, key: &FlowKey) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u128(u128::from_ne_bytes(key.local_addr));
    hasher.write_u128(u128::from_ne_bytes(key.remote_addr));
    hasher.write_u32(u32::from(key.local_port) << 16 | u32::from(key.remote_port));
    hasher.write_u32(key.netns);
    hasher.write_u64(key.id);
    hasher.finish()
}

fn of_ends(hasher: &RandomState, key: &FlowKey) -> u64 {
    let end = |address: [u8; 16], port: u16| {
        let mut hasher = hasher.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(address));
        hasher.write_u16(port);
        hasher.finish()
    };
    end(key.local_addr, key.local_port).wrapping_add(end(key.remote_addr, key.remote_port))
}

impl Ledger {
    /// Every flow of the ledger, in no order.
    pub fn entries(&self) -> impl Iterator<Item = (&FlowKey, &Entry)> {
        self.flows.iter()
    }

    #[must_use]
    pub fn get(&self, key: &FlowKey) -> Option<&Entry> {
        self.flows.get(key)
    }

    /// The other end of its connection, if it is in the ledger too.
    #[must_use]
    pub fn peer(&self, entry: &Entry) -> Option<(&FlowKey, &Entry)> {
        self.flows.at(entry.peer()?)
    }

    /// Bytes on the wire of one flow since the start that count, as the flow itself sees them; `None` where the ledger does not
    /// keep them, or the record of it has none.
    #[must_use]
    pub fn on_wire(&self, entry: &Entry) -> Option<Bytes> {
        if self.in_wire { Some(entry.bytes()) } else { self.flows.on_wire(entry.place) }
    }

    /// Bytes of one flow in the last 2, 10, 40 s.
    #[must_use]
    pub fn rates(&self, entry: &Entry) -> Rates {
        self.timeline.rates_of(self.flows.windows(entry.place))
    }

    /// The slots of the last 40 s of one flow, the newest last: how long each took, in nanoseconds, and its bytes.
    pub fn slots<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = (u64, Bytes)> + 'a {
        self.journal.slots(&self.timeline, entry.place, self.flows.since(entry.place))
    }

    /// Lines of the rows: one for every end of a connection with bytes since the start, at its place, and empty ones
    /// between them.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        self.flows.lines()
    }

    /// The flow at the place of a line.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<(&FlowKey, &Entry)> {
        self.flows.at(place)
    }

    /// How long the windows of every flow are, with this much in them.
    #[must_use]
    pub fn rates_of(&self, windows: [Bytes; 3]) -> Rates {
        self.timeline.rates_of(windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ACCEPTED, CONNECTED, flow, key, ledger_of, sample};
    use flowtop_common::Flow;

    fn stamps(ledger: &Ledger) -> Vec<u32> {
        ledger.lines().iter().map(|line| line.stamp).collect()
    }

    #[test]
    fn a_stamp_stays_until_somebody_else_is_seen() {
        let remote = key(1, "192.0.2.1:40000", "198.51.100.7:443", 1);
        let of = |pid, sent| sample(sent, &[(remote, Flow { pid, ..flow(CONNECTED, sent, 0) })]);
        let mut ledger = ledger_of(&[of(7, 1)]);
        let first = stamps(&ledger);
        ledger.apply(&of(7, 2));
        assert_eq!(stamps(&ledger), first);
        ledger.apply(&of(8, 9));
        assert!(stamps(&ledger)[0] > first[0]);
        let line = &ledger.lines()[0];
        assert_eq!((line.owner.as_ref().map(|owner| owner.pid), line.bytes.tx), (Some(8), 9));
    }

    #[test]
    fn what_the_right_end_becomes_is_news_of_the_left_one() {
        let (left, right) =
            (key(1, "127.0.0.1:40000", "127.0.0.1:80", 1), key(1, "127.0.0.1:80", "127.0.0.1:40000", 2));
        let both = |at_s, pid| {
            sample(at_s, &[(left, flow(CONNECTED, 5, 0)), (right, Flow { pid, ..flow(ACCEPTED, 0, 5) })])
        };
        let mut ledger = ledger_of(&[both(1, 0)]);
        let first = stamps(&ledger);
        assert_eq!(first.iter().filter(|stamp| **stamp > 0).count(), 2);
        let is_right: Vec<_> = ledger.lines().iter().map(Line::is_right).collect();
        assert_eq!(is_right.iter().filter(|is_right| **is_right).count(), 1);
        ledger.apply(&both(2, 9));
        assert_ne!(stamps(&ledger), first);
    }

    #[test]
    fn a_place_that_is_given_again_has_another_stamp() {
        let one = |id| key(1, "192.0.2.1:40000", "198.51.100.7:443", id);
        let mut ledger = ledger_of(&[sample(1, &[(one(1), flow(CONNECTED, 1, 0))])]);
        let first = stamps(&ledger);
        for at_s in 50..60 {
            ledger.apply(&sample(at_s, &[]));
        }
        for at_s in 100..102 {
            ledger.apply(&sample(at_s, &[]));
        }
        assert_eq!(stamps(&ledger), [0]);
        ledger.apply(&sample(103, &[(one(2), flow(CONNECTED, 1, 0))]));
        assert!(stamps(&ledger).len() == 1 && stamps(&ledger)[0] > first[0]);
    }
}
