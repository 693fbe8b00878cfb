//! Recycles slots of the flow table: which go back to the kernel side, and when.
//!
//! The kernel side takes slots from a counter and from a ring without a compare-and-swap (`flowtop-ebpf/src/slots.rs`):
//! when two processors take one at the same moment, a number can be skipped and stay unused. Such a slot is known by
//! this: it has been taken, it is not in the ring, and no flow opens in it. Not in here: the memory of the tables.

use flowtop_common::Allocation;
use std::ops::Range;

/// Reads during which a taken slot may stay empty before it counts as lost. Whoever takes a slot opens it at once,
/// within one run of a program; one read can fall between the two, two cannot.
const EMPTY_READS: u8 = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Position in the ring plus one, 0 if it never was there.
    position: u64,
    /// Reads in a row that found it taken and empty.
    empty_reads: u8,
}

#[derive(Debug, Default)]
pub struct Recycler {
    /// As far as slots have been empty.
    known: Vec<Known>,
    lost: Vec<usize>,
}

impl Recycler {
    /// The slots that have ever been taken. Slot 0 is none.
    #[must_use]
    pub fn used(allocation: &Allocation, slots: usize) -> Range<usize> {
        let taken = usize::try_from(allocation.next).unwrap_or(usize::MAX);
        1..taken.saturating_add(1).min(slots)
    }

    /// A read found the slot empty. An open one need not be told: it is empty again only after it has been given back.
    pub fn saw_empty(&mut self, number: usize, allocation: &Allocation) {
        let known = self.known_mut(number);
        if known.position > allocation.head {
            known.empty_reads = 0;
            return;
        }
        known.empty_reads = known.empty_reads.saturating_add(1);
        if known.empty_reads > EMPTY_READS {
            known.empty_reads = 0;
            self.lost.push(number);
        }
    }

    /// Puts these slots and the lost ones into the ring, with `put` for each position; the new end of the ring, if it
    /// has changed. A head that was pushed beyond the tail takes the tail along.
    ///
    /// # Errors
    /// That of `put`; the slots from there on are lost until the next calls find them.
    pub fn give_back<E>(
        &mut self,
        slots: &[usize],
        allocation: &Allocation,
        mut put: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<Option<u64>, E> {
        let mut tail = allocation.tail.max(allocation.head);
        for number in slots.iter().copied().chain(std::mem::take(&mut self.lost)) {
            // Positions wrap with the ring long before this word does.
            put(usize::try_from(tail).unwrap_or_default(), number)?;
            tail += 1;
            *self.known_mut(number) = Known { position: tail, empty_reads: 0 };
        }
        Ok((tail != allocation.tail).then_some(tail))
    }

    fn known_mut(&mut self, number: usize) -> &mut Known {
        if number >= self.known.len() {
            self.known.resize(number + 1, Known::default());
        }
        &mut self.known[number]
    }
}

#[cfg(test)]
mod tests;
