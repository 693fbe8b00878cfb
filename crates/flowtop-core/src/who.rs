//! Sources of names beside the ledger: owners of sockets, and labels of addresses.

use crate::label::Labels;
use crate::owner::{NoOwners, Owners};

/// Sources of names beside the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub owners: &'a dyn Owners,
    pub labels: &'a Labels,
    /// How often something about owners could not be read, or not be shown as it is.
    pub trouble: [(&'static str, u64); 3],
}

static NO_LABELS: Labels = Labels::NONE;

impl Who<'static> {
    /// No owners, and only the built-in labels of addresses.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            owners: &NoOwners,
            labels: &NO_LABELS,
            trouble: [("unreadable", 0), ("replaced", 0), ("cut", 0)],
        }
    }
}
