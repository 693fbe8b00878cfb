//! The last ten minutes of flows, in slots of ten seconds, because the windows of the ledger end at 40 s.
//!
//! Kept for the busiest flows only, so that the memory has a bound.

use std::collections::HashMap;

use flowtop_common::FlowKey;

use flowtop_core::ledger::Ledger;
use flowtop_core::window::{Bytes, Window};

/// Length of a slot, in nanoseconds.
pub const SLOT_NS: u64 = 10_000_000_000;
/// Slots of 10 s: ten minutes.
pub const SLOTS: usize = 60;
/// Flows remembered; each takes about 1 kB.
const MAX_FLOWS: usize = 8192;

/// Bytes of one flow; slot `n` is at `n % SLOTS`.
#[derive(Clone, Debug)]
struct Past {
    newest: u64,
    bytes: [Bytes; SLOTS],
}

/// Bytes of the last ten minutes.
#[derive(Clone, Debug, Default)]
pub struct History {
    slots: u64,
    flows: HashMap<FlowKey, Box<Past>>,
}

impl History {
    /// Takes what the ledger knows of the last ten seconds, when ten seconds are over.
    pub fn take(&mut self, ledger: &Ledger) {
        let slots = ledger.elapsed_ns() / SLOT_NS;
        if slots <= self.slots {
            return;
        }
        self.slots = slots;
        self.flows.retain(|_, past| past.newest + SLOTS as u64 > slots);
        for (key, bytes) in self.candidates(ledger) {
            self.add(key, bytes);
        }
    }

    /// Flows with traffic in the last ten seconds, as many as there is room for.
    fn candidates(&self, ledger: &Ledger) -> Vec<(FlowKey, Bytes)> {
        let moved = ledger.entries().filter_map(|(key, entry)| {
            let bytes = ledger.rates(entry).bytes(Window::S10);
            (bytes.sum() > 0).then_some((*key, bytes))
        });
        let (mut known, mut new): (Vec<_>, Vec<_>) = moved.partition(|(key, _)| self.flows.contains_key(key));
        let room = MAX_FLOWS.saturating_sub(self.flows.len());
        if new.len() > room {
            new.sort_unstable_by_key(|(key, bytes)| (std::cmp::Reverse(bytes.sum()), *key));
            new.truncate(room);
        }
        known.append(&mut new);
        known
    }

    fn add(&mut self, key: FlowKey, bytes: Bytes) {
        let slot = self.slots - 1;
        let empty = || Box::new(Past { newest: slot, bytes: [Bytes::default(); SLOTS] });
        let past = self.flows.entry(key).or_insert_with(empty);
        for stale in (past.newest + 1..=slot).rev().take(SLOTS) {
            past.bytes[index(stale)] = Bytes::default();
        }
        past.newest = slot;
        past.bytes[index(slot)] = bytes;
    }

    /// Bytes of a flow, slot by slot up to now; no more slots than have passed.
    #[must_use]
    pub fn of(&self, key: &FlowKey) -> Vec<Bytes> {
        let slots = self.slots.saturating_sub(SLOTS as u64)..self.slots;
        let past = self.flows.get(key);
        let in_slot = |slot| match past {
            Some(past) if slot <= past.newest && slot + SLOTS as u64 > past.newest => past.bytes[index(slot)],
            _ => Bytes::default(),
        };
        slots.map(in_slot).collect()
    }
}

/// Index of a slot in the ring.
fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS as u64).expect("a remainder of SLOTS fits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::fixture::{CONNECTED, flow, key, sample};
    use flowtop_core::wire::Sample;

    fn remote(id: u64) -> FlowKey {
        key(1, "192.0.2.1:40000", "198.51.100.7:443", id)
    }

    /// A flow that sends 100 bytes a second from `from_s` to `to_s`.
    fn watched(from_s: u64, to_s: u64, end_s: u64) -> History {
        let (mut ledger, mut history) = (Ledger::new(1000, 10_000), History::default());
        ledger.apply(&Sample::default());
        for at_s in 1..=end_s {
            let sent = 100 * (at_s.clamp(from_s, to_s) - from_s);
            ledger.apply(&sample(at_s, &[(remote(1), flow(CONNECTED, sent, 0))]));
            history.take(&ledger);
        }
        history
    }

    #[test]
    fn a_slot_is_ten_seconds() {
        let sent: Vec<u64> = watched(10, 30, 50).of(&remote(1)).iter().map(|bytes| bytes.tx).collect();
        assert_eq!(sent, [0, 1000, 1000, 0, 0]);
    }

    #[test]
    fn ten_minutes_later_it_is_forgotten() {
        let history = watched(0, 10, 650);
        assert_eq!(history.of(&remote(1)), vec![Bytes::default(); SLOTS]);
        assert!(history.flows.is_empty());
        assert_eq!(watched(0, 10, 590).of(&remote(1))[0].tx, 1000);
    }

    #[test]
    fn the_memory_has_a_bound() {
        let mut ledger = Ledger::new(100_000, 0);
        let mut history = History::default();
        ledger.apply(&Sample::default());
        let flows: Vec<_> = (0..10_000).map(|id| (remote(id), flow(CONNECTED, id + 1, 0))).collect();
        ledger.apply(&sample(10, &flows));
        history.take(&ledger);
        assert_eq!(history.flows.len(), MAX_FLOWS);
        assert!(history.flows.contains_key(&remote(9_999)) && !history.flows.contains_key(&remote(0)));
    }
}
