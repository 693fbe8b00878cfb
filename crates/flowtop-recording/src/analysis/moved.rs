//! Bytes of one socket, as one record tells them.

use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

/// Number that stands for no pair.
pub(super) const NO_PAIR: u32 = u32::MAX;

/// Traffic of one socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Bytes in the window.
    pub window: Bytes,
    /// Between the end of the window before and the start of this one.
    pub between: Bytes,
}

impl Moved {
    /// The bytes that count.
    pub fn of(&self, verdict: Verdict) -> Self {
        Self { window: verdict.of(self.window), between: verdict.of(self.between) }
    }

    /// The same, seen from the other end.
    pub fn mirror(&self) -> Self {
        Self { window: self.window.mirror(), between: self.between.mirror() }
    }

    pub fn add(&mut self, other: &Self) {
        self.window += other.window;
        self.between += other.between;
    }

    pub fn all(&self) -> Bytes {
        self.window + self.between
    }

    pub fn sum(&self) -> u64 {
        self.all().sum()
    }
}
