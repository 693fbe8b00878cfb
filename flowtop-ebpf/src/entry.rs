//! Where the bytes of a socket go.

use crate::{
    layout::{SharedDetail, SharedSlot, SocketState, socket},
    maps::{DETAILS, SLOTS},
    slots,
};

/// The entry of a flow.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What most events touch. The element of an array, which stays mapped as long as the program is loaded.
    pub slot: &'static SharedSlot,
    /// Number of the slot.
    pub number: u32,
}

impl Entry {
    /// An entry by its number.
    #[inline(always)]
    pub fn at(number: u32) -> Option<Self> {
        Some(Self { slot: SLOTS.get(number)?, number })
    }

    /// The rest of it.
    #[inline(always)]
    pub fn detail(self) -> Option<&'static SharedDetail> {
        DETAILS.get(self.number)
    }
}

/// Where the bytes of a socket go.
pub enum Target {
    /// Into the entry of its flow.
    Entry(Entry),
    /// Into the reserved entry: the flow table was full.
    Untracked(&'static SocketState),
    /// Nowhere: it has no flow or is not of interest, or another event is opening it just now; then the next event, or
    /// the end of the flow, brings what this one would have.
    Miss,
}

impl Target {
    /// The target of a socket with this state.
    #[inline(always)]
    pub fn of(state: &'static SocketState) -> Self {
        if state.has(socket::UNTRACKED) {
            return Self::Untracked(state);
        }
        let number = state.slot.get();
        if number == slots::NONE as u32 {
            return Self::Miss;
        }
        Entry::at(number).map_or(Self::Miss, Self::Entry)
    }
}
