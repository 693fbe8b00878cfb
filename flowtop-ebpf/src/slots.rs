//! A free slot for a new flow.
//!
//! BPF has an atomic add on every kernel, but one that returns the old value only since Linux 5.12. So a counter is
//! read, increased and read again: whoever finds it increased by exactly one has had nobody beside it, and the value it
//! read first is its own. Whoever does not has lost a number that nobody uses; user space finds such slots again.

use crate::{
    constants::constant,
    maps::{ALLOCATION, FREE},
    shared::Shared,
};
use flowtop_common::Constant;

/// Slot 0 is never used, so that a state of all zeros has none.
pub const NONE: u64 = 0;

/// Attempts before a flow is given up, each against another processor that opens one at the same moment.
const ATTEMPTS: u32 = 8;

/// The number of a slot that is the caller's alone, or [`NONE`]. A function of its own, since it is needed rarely and
/// is long when unrolled.
#[inline(never)]
pub fn allocate() -> u64 {
    let Some(allocation) = ALLOCATION.get(0) else { return NONE };
    for _ in 0..ATTEMPTS {
        let (taken, given) = (allocation.head.get(), allocation.tail.get());
        if taken < given {
            let slot = FREE.get((taken & constant(Constant::FreeMask)) as u32).map(Shared::get);
            if claim(&allocation.head, taken) {
                return slot.unwrap_or(NONE);
            }
            continue;
        }
        let fresh = allocation.next.get();
        if fresh >= constant(Constant::SlotCount) {
            return NONE;
        }
        if claim(&allocation.next, fresh) {
            return fresh + 1;
        }
    }
    NONE
}

/// Increases a counter, which is a full barrier; true if nobody else did since it was `before`.
#[inline(always)]
fn claim(counter: &Shared<u64>, before: u64) -> bool {
    counter.add(1);
    counter.get() == before + 1
}
