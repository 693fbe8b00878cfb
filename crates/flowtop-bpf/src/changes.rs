//! Changed entries of the flow table: the only ones that a sample has in full.
//!
//! Of a million flows most are as they were. A slot of 64 bytes says so by itself; only for the others are the details
//! fetched. Not in here: the memory of the tables.

use flowtop_common::{Slot, flags};

/// The fields of a slot when it was last reported. Everything else of an entry changes only with these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    tx_bytes: u64,
    rx_bytes: u64,
    /// Generation, TCP state and flags, side by side.
    others: u64,
}

impl Told {
    fn of(slot: &Slot) -> Self {
        let others = u64::from(slot.generation) << 16 | u64::from(slot.state) << 8 | u64::from(slot.flags);
        Self { tx_bytes: slot.tx_bytes, rx_bytes: slot.rx_bytes, others }
    }
}

/// Remembers what has been told, by the number of the slot.
#[derive(Debug, Default)]
pub struct Changes {
    told: Vec<Told>,
}

impl Changes {
    /// Whether this slot has to be told of; if so, it has been from now on. A flow that has ended is told of every time,
    /// because it is complete only when it has been read twice.
    pub fn has_changed(&mut self, number: usize, slot: &Slot) -> bool {
        if number >= self.told.len() {
            self.told.resize(number + 1, Told::default());
        }
        let now = Told::of(slot);
        std::mem::replace(&mut self.told[number], now) != now || slot.has(flags::ENDED)
    }

    /// The slot has been given back: the next flow in it is another one.
    pub fn forget(&mut self, number: usize) {
        if let Some(told) = self.told.get_mut(number) {
            *told = Told::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A change of a slot by the kernel side.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Send(u64),
        Receive(u64),
        Refresh,
        State(u8),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0..3_u64).prop_map(Event::Send),
            (0..3_u64).prop_map(Event::Receive),
            Just(Event::Refresh),
            (1..13_u8).prop_map(Event::State),
        ]
    }

    fn apply(slot: &mut Slot, event: Event) {
        match event {
            Event::Send(bytes) => slot.tx_bytes += bytes,
            Event::Receive(bytes) => slot.rx_bytes += bytes,
            Event::Refresh => (slot.generation, slot.last_us) = (slot.generation + 1, slot.last_us + 7),
            Event::State(state) => slot.state = state,
        }
    }

    fn opened() -> Slot {
        Slot { generation: 1, state: 1, flags: flags::byte(flags::OPEN), ..Slot::default() }
    }

    proptest! {
        #[test]
        fn what_is_not_told_is_as_it_was(events in prop::collection::vec((0..3_usize, prop::option::of(event())), 0..60)) {
            let (mut changes, mut slots, mut known) = (Changes::default(), [opened(); 3], [None; 3]);
            for (number, event) in events {
                if let Some(event) = event {
                    apply(&mut slots[number], event);
                } else {
                    let has_changed = changes.has_changed(number, &slots[number]);
                    prop_assert_eq!(has_changed, known[number] != Some(slots[number]));
                    known[number] = Some(slots[number]);
                }
            }
        }
    }

    #[test]
    fn a_flow_that_has_ended_is_told_of_again() {
        let mut changes = Changes::default();
        let ended = Slot { flags: flags::byte(flags::OPEN | flags::ENDED), ..opened() };
        assert!(changes.has_changed(1, &ended) && changes.has_changed(1, &ended));
    }

    #[test]
    fn the_next_flow_of_a_slot_has_changed_even_if_it_looks_the_same() {
        let mut changes = Changes::default();
        assert!(changes.has_changed(1, &opened()) && !changes.has_changed(1, &opened()));
        changes.forget(1);
        assert!(changes.has_changed(1, &opened()));
        changes.forget(99);
    }
}
