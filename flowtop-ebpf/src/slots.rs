//! A free slot for a new flow.
//!
//! BPF has an atomic add on every kernel, but one that returns the old value only since Linux 5.12. So a counter is
//! read, increased and read again: whoever finds it increased by exactly one has had nobody beside it, and the value it
//! read first is its own. Whoever does not has lost a number that nobody uses; user space finds such slots again.

use crate::{
    constants::constant,
    maps::{ALLOCATION, FREE, add},
};
use core::ptr;
use flowtop_common::Constant;

/// Slot 0 is never used, so that a state of all zeros has none.
pub const NONE: u64 = 0;

/// Attempts before a flow is given up, each against another processor that opens one at the same moment.
const ATTEMPTS: u32 = 8;

/// The number of a slot that is the caller's alone, or [`NONE`]. A function of its own, since it is needed rarely and
/// is long when unrolled.
#[inline(never)]
pub fn take() -> u64 {
    let Some(allocation) = ALLOCATION.get_ptr_mut(0) else { return NONE };
    // SAFETY: the lookup succeeded; others change the fields at any time, hence volatile.
    let (next, head, tail) =
        unsafe { (&raw mut (*allocation).next, &raw mut (*allocation).head, &raw mut (*allocation).tail) };
    for _ in 0..ATTEMPTS {
        // SAFETY: as above.
        let (taken, given) = unsafe { (ptr::read_volatile(head), ptr::read_volatile(tail)) };
        if taken < given {
            let slot = FREE.get((taken & constant(Constant::FreeMask)) as u32).copied();
            if claim(head, taken) {
                return slot.unwrap_or(NONE);
            }
            continue;
        }
        // SAFETY: as above.
        let fresh = unsafe { ptr::read_volatile(next) };
        if fresh >= constant(Constant::SlotCount) {
            return NONE;
        }
        if claim(next, fresh) {
            return fresh + 1;
        }
    }
    NONE
}

/// Increases a counter; true if nobody else did since it was `before`.
#[inline(always)]
fn claim(counter: *mut u64, before: u64) -> bool {
    // SAFETY: the counter is part of a map element; the add is a full barrier.
    unsafe {
        add(counter, 1);
        ptr::read_volatile(counter) == before + 1
    }
}
