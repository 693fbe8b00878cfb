//! One flow of the ledger: where its counting starts, what it has moved, whether it is closed.

use flowtop_common::{Flow, FlowKey, flags};

use super::pairs::Link;
use crate::core::flow::{Role, Tuple};
use crate::core::window::{Bytes, Traffic};

/// One flow: the kernel's last word on it and what flowtop made of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) flow: Flow,
    /// Where counting starts.
    base: Bytes,
    pub(super) traffic: Traffic,
    pub(super) link: Link,
    /// Number of the newest sample that had the flow.
    pub(super) seen: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub(super) closed_ns: Option<u64>,
}

impl Entry {
    /// The entry of a flow that was not known, as it stood where its counting starts; its first update follows.
    pub(super) fn open(flow: &Flow, baseline: bool) -> Self {
        let at_opening = Bytes { tx: flow.base_tx_bytes, rx: flow.base_rx_bytes };
        let base = if baseline { counters(flow) } else { at_opening };
        Self {
            flow: Flow { tx_bytes: base.tx, rx_bytes: base.rx, ..Flow::default() },
            base,
            traffic: Traffic::default(),
            link: Link::Alone,
            seen: 0,
            closed_ns: None,
        }
    }

    /// The kernel's last word: the counters in it are over the life of the socket.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Bytes since the start of flowtop.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        counters(&self.flow).since(self.base)
    }

    /// The other end of the connection, if it is on this host too.
    #[must_use]
    pub fn peer(&self) -> Option<&FlowKey> {
        self.link.peer()
    }

    /// Whether this is the accepting end of a connection whose other end is here too.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        matches!(self.link, Link::Acceptor(_))
    }

    /// Whether the totals of the host contain this flow. An acceptor whose connection cannot have left the host does
    /// not count even when its initiator is not visible: that one is among the untracked.
    pub(super) fn counts(&self, key: &FlowKey) -> bool {
        match self.link {
            Link::Initiator(_) => true,
            Link::Acceptor(_) => false,
            Link::Alone => {
                let tuple = Tuple::of(key);
                !tuple.stays_on_host() || Role::of(self.flow.flags).leads(Role::Unknown, &tuple)
            }
        }
    }

    /// Whether the kernel has said that nothing changes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.flow.flags & flags::ENDED != 0
    }

    /// Takes a newer copy from the kernel and returns what was added. A counter that went back stays.
    pub(super) fn update(&mut self, flow: &Flow, sample: u64, at_ns: u64) -> Bytes {
        let before = counters(&self.flow);
        let now = counters(flow).max(before);
        self.flow = Flow { tx_bytes: now.tx, rx_bytes: now.rx, ..*flow };
        self.seen = sample;
        self.closed_ns = if self.has_ended() { self.closed_ns.or(Some(at_ns)) } else { None };
        now.since(before)
    }
}

/// The counters of a flow that make its bytes.
fn counters(flow: &Flow) -> Bytes {
    Bytes { tx: flow.tx_bytes, rx: flow.rx_bytes }
}
