//! Whether the owner of a flow is known, and why not.

use super::Entry;

/// Who owns a flow, or why its owner is not known: the field `owner`. Rows that are equal in all else stand in this
/// order, which is that of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnerStatus {
    /// Not known: the process had closed the socket before flowtop saw the flow.
    Closed,
    /// The kernel itself, such as NFS or iSCSI.
    Kernel,
    Process,
    /// Not known although bytes move: kernel TLS and socket maps move them without the process.
    Unattributed,
    /// Not known because no process has used the socket since flowtop started: it waits for `accept`, or its holder
    /// could not be found.
    Unused,
}

impl OwnerStatus {
    /// The status of a flow, from the newest sample.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let owner = entry.owner();
        match () {
            () if owner.is_kernel() => Self::Kernel,
            () if owner.is_process() => Self::Process,
            () if !is_open(entry.state()) => Self::Closed,
            () if entry.bytes().sum() > 0 => Self::Unattributed,
            () => Self::Unused,
        }
    }

    /// The word that every output shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Kernel => "kernel",
            Self::Closed => "closed",
            Self::Unattributed => "unattributed",
            Self::Unused => "unused",
        }
    }
}

/// Whether a process may still have a socket of this TCP state open that nobody has been seen to use: `ESTABLISHED` or
/// `CLOSE_WAIT`. In all others it has been closed or shut down.
#[must_use]
pub fn is_open(tcp_state: u32) -> bool {
    matches!(tcp_state, 1 | 8)
}
