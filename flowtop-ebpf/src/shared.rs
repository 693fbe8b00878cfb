//! Memory that others write at the same moment: other processors, and user space through its mapping.
//!
//! No reference to such memory promises that it stays as it is. A field is a [`Shared`] word behind `&`, and each access
//! is one load, one store or one atomic add of the whole word.

use core::cell::UnsafeCell;

/// One naturally aligned word that others may write at any time.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: every access is a single instruction on an aligned word, so none sees or leaves half of a value.
unsafe impl<T: Word> Sync for Shared<T> {}

/// An integer that one BPF instruction loads or stores.
pub trait Word: Copy {}
impl Word for u8 {}
impl Word for u32 {}
impl Word for u64 {}

impl<T: Word> Shared<T> {
    /// The value now. Volatile rather than `AtomicU64`: this target has atomics of 64 bits alone, and both are the same
    /// instruction.
    #[inline(always)]
    pub fn get(&self) -> T {
        // SAFETY: the word lies behind a reference, so it is mapped and aligned.
        unsafe { self.0.get().read_volatile() }
    }

    #[inline(always)]
    pub fn set(&self, value: T) {
        // SAFETY: as for `get`; the cell allows writes behind `&`.
        unsafe { self.0.get().write_volatile(value) }
    }
}

impl Shared<u64> {
    /// Adds in one instruction, and so never loses what another processor adds.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        // SAFETY: the cell allows writes behind `&`.
        unsafe { add(self.0.get(), n) }
    }

    /// Sets the value in one instruction if it is `before`; whether it was. Linux 5.12.
    #[inline(always)]
    pub fn exchange(&self, before: u64, value: u64) -> bool {
        let found: u64;
        // SAFETY: the word lies behind a reference; the instruction touches these 8 bytes only.
        unsafe {
            core::arch::asm!(
                "r0 = cmpxchg_64({word} + 0, r0, {value})",
                word = in(reg) self.0.get(),
                value = in(reg) value,
                inlateout("r0") before => found,
                options(nostack, preserves_flags),
            );
        }
        found == before
    }
}

impl Shared<u32> {
    /// Adds 1, likewise.
    #[inline(always)]
    pub fn increment(&self) {
        // SAFETY: the word lies behind a reference; the instruction touches these 4 bytes only.
        unsafe {
            core::arch::asm!(
                "lock *(u32 *)({counter} + 0) += {n}",
                counter = in(reg) self.0.get(),
                n = in(reg) 1_u64,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Adds `n` to a counter in one instruction.
///
/// Rust has no atomic add for this target; the oldest BPF atomic is written by hand. On x86-64 it is a full memory
/// barrier as well, which `refresh::is_stored_last` relies on.
///
/// # Safety
/// `counter` comes from a successful lookup in this program, so it is aligned and stays mapped until the program ends.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, n: u64) {
    // SAFETY: as above; the instruction touches these 8 bytes only.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {n}",
            counter = in(reg) counter,
            n = in(reg) n,
            options(nostack, preserves_flags),
        );
    }
}
