//! Losses: bytes or names that could not be counted or shown exactly.

use flowtop_common::Loss;

/// Losses: bytes or names that could not be counted or shown exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// In the kernel since the baseline, indexed by [`Loss`].
    pub kernel: [u64; Loss::COUNT],
    /// Closed flows that were dropped from the rows early to bound the memory. Their bytes stay in the totals.
    pub ledger: u64,
    /// Flows whose counters have claimed more than anything can move; that is not counted.
    pub implausible: u64,
}

impl Losses {
    /// Every kind of loss by its name, whether it has happened or not.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kernel = Loss::ALL.iter().map(|&(loss, name)| (name, self.kernel[loss as usize]));
        kernel.chain([("ledger", self.ledger), ("implausible", self.implausible)])
    }
}
