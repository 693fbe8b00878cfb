//! The bytes of one flow, slot by slot over the longest window. Most flows never move 4 GiB in one slot, so a ring
//! starts with half the memory and is widened by the first slot that needs more.

use super::{Bytes, SLOTS, Span, index};

/// The slots of one flow.
#[derive(Clone, Debug)]
pub(super) enum Ring {
    Narrow(Box<Slots<[u32; 2]>>),
    Wide(Box<Slots<Bytes>>),
}

/// What a slot is stored as.
pub(super) trait Cell: Copy + Default {
    fn get(self) -> Bytes;
    /// None where it does not fit.
    fn from(bytes: Bytes) -> Option<Self>;
}

impl Cell for Bytes {
    fn get(self) -> Bytes {
        self
    }

    fn from(bytes: Bytes) -> Option<Self> {
        Some(bytes)
    }
}

impl Cell for [u32; 2] {
    fn get(self) -> Bytes {
        Bytes { tx: self[0].into(), rx: self[1].into() }
    }

    fn from(Bytes { tx, rx }: Bytes) -> Option<Self> {
        Some([tx.try_into().ok()?, rx.try_into().ok()?])
    }
}

#[derive(Clone, Debug)]
pub(super) struct Slots<C> {
    /// The newest slot with bytes in it; later slots are empty whatever the array says.
    newest: u64,
    cells: [C; SLOTS],
}

impl<C: Cell> Slots<C> {
    /// Adds bytes to `slot`, which is the newest; what did not fit is returned with all of that slot.
    fn add(&mut self, slot: u64, bytes: Bytes) -> Result<(), Bytes> {
        let stale = (slot - self.newest).min(SLOTS as u64);
        for stale_slot in slot - stale..slot {
            self.cells[index(stale_slot + 1)] = C::default();
        }
        self.newest = slot;
        let cell = &mut self.cells[index(slot)];
        let sum = cell.get() + bytes;
        *cell = C::from(sum).ok_or(sum)?;
        Ok(())
    }

    fn sum(&self, opened: u64, span: Span) -> Bytes {
        let slots = opened - span.slots..=self.newest;
        slots.fold(Bytes::default(), |sum, slot| sum + self.cells[index(slot)].get())
    }

    fn get(&self, slot: u64) -> Bytes {
        if slot <= self.newest { self.cells[index(slot)].get() } else { Bytes::default() }
    }
}

impl Ring {
    /// An empty ring, from `slot` on.
    pub(super) fn new(slot: u64) -> Self {
        Self::Narrow(Box::new(Slots { newest: slot, cells: [Default::default(); SLOTS] }))
    }

    /// Adds bytes to `slot`, which is the newest.
    pub(super) fn add(&mut self, slot: u64, bytes: Bytes) {
        match self {
            // It saturates and so always fits.
            Self::Wide(slots) => slots.add(slot, bytes).unwrap_or_default(),
            Self::Narrow(slots) => {
                if let Err(sum) = slots.add(slot, bytes) {
                    let mut cells = slots.cells.map(Cell::get);
                    cells[index(slot)] = sum;
                    *self = Self::Wide(Box::new(Slots { newest: slot, cells }));
                }
            }
        }
    }

    /// The newest slot with bytes in it.
    pub(super) fn newest(&self) -> u64 {
        match self {
            Self::Narrow(slots) => slots.newest,
            Self::Wide(slots) => slots.newest,
        }
    }

    /// Sum of the slots of `span`, which ends where `opened` does.
    pub(super) fn sum(&self, opened: u64, span: Span) -> Bytes {
        match self {
            Self::Narrow(slots) => slots.sum(opened, span),
            Self::Wide(slots) => slots.sum(opened, span),
        }
    }

    /// The bytes of one of the remembered slots.
    pub(super) fn get(&self, slot: u64) -> Bytes {
        match self {
            Self::Narrow(slots) => slots.get(slot),
            Self::Wide(slots) => slots.get(slot),
        }
    }
}
