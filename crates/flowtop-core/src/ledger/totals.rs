//! Totals of a ledger.

use crate::window::{Bytes, Peak, Rates};

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
