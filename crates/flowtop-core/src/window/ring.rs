//! The bytes of everything together, slot by slot over the longest window.

use super::{Bytes, SLOTS, Span, index};

#[derive(Clone, Debug)]
pub(super) struct Ring {
    /// The newest slot with bytes in it; later slots are empty whatever the array says.
    newest: u64,
    cells: [Bytes; SLOTS],
}

impl Ring {
    /// An empty ring, from `slot` on.
    pub(super) fn new(slot: u64) -> Self {
        Self { newest: slot, cells: [Bytes::default(); SLOTS] }
    }

    /// Adds bytes to `slot`, which is the newest.
    pub(super) fn add(&mut self, slot: u64, bytes: Bytes) {
        let stale = (slot - self.newest).min(SLOTS as u64);
        for stale_slot in slot - stale..slot {
            self.cells[index(stale_slot + 1)] = Bytes::default();
        }
        self.newest = slot;
        self.cells[index(slot)] += bytes;
    }

    /// The newest slot with bytes in it.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Sum of the slots of `span`, which ends where `opened` does.
    pub(super) fn sum(&self, opened: u64, span: Span) -> Bytes {
        let slots = opened - span.slots..=self.newest;
        slots.fold(Bytes::default(), |sum, slot| sum + self.cells[index(slot)])
    }

    /// The bytes of one of the remembered slots.
    pub(super) fn get(&self, slot: u64) -> Bytes {
        if slot <= self.newest { self.cells[index(slot)] } else { Bytes::default() }
    }
}
