//! kprobe plan: a return probe does not see the arguments, so the entry probe remembers the socket of the call.

use crate::maps::{CALLS, count_loss};
use aya_ebpf::{bindings::BPF_ANY, helpers::bpf_get_current_pid_tgid};
use core::ffi::c_void;
use flowtop_common::Loss;

/// kprobe plan: the current thread enters a send function.
#[inline(always)]
pub fn enter(sk: *const c_void) {
    if CALLS.insert(&bpf_get_current_pid_tgid(), &(sk as u64), BPF_ANY as u64).is_err() {
        count_loss(Loss::Call);
    }
}

/// kprobe plan: the current thread leaves it again; the socket it was called for.
#[inline(always)]
pub fn leave() -> Option<*const c_void> {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes the entry, and the value is copied before the entry goes.
    let sk = unsafe { CALLS.get(&thread) }.copied()?;
    let _ = CALLS.remove(&thread);
    Some(sk as *const c_void)
}
