//! What a ledger says of everything together.

use flowtop_common::Loss;

use crate::core::window::{Bytes, Peak, Rates};

/// All traffic of the host since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Bytes since the start.
    pub bytes: Bytes,
    /// Bytes of the last 2, 10, 40 s.
    pub rates: Rates,
    /// The largest rates over 2 s within the last 40 s.
    pub peak: Peak,
}

/// What could not be counted or shown as it should have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// In the kernel since the baseline, indexed by [`Loss`].
    pub kernel: [u64; Loss::COUNT],
    /// Closed flows that were dropped from the rows early to bound the memory. Their bytes stay in the totals.
    pub ledger: u64,
}

impl Losses {
    /// Every kind of loss by its name, whether it has happened or not.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kernel = Loss::ALL.iter().map(|&(loss, name)| (name, self.kernel[loss as usize]));
        kernel.chain([("ledger", self.ledger)])
    }
}
