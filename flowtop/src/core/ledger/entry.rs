//! One flow of the ledger: where its counting starts, what it has moved, whether it is closed.

use std::ops::{Add, AddAssign};

use flowtop_common::{Flow, FlowKey, flags};

use super::pairs::Link;
use crate::core::filter::Side;
use crate::core::flow::{Role, Tuple};
use crate::core::scope::{Scope, Subject, Verdict};
use crate::core::window::{Bytes, Traffic};
use crate::core::wire::comm_text;

/// An amount of traffic, in bytes and in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) bytes: Bytes,
    /// TCP segments.
    pub(super) packets: Bytes,
}

impl Add for Moved {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, packets: self.packets + other.packets }
    }
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// One flow: the kernel's last word on it and what flowtop made of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) flow: Flow,
    /// Where counting starts; it moves along with the bytes that do not count.
    base: Bytes,
    /// Packets since the start that count.
    packets: Bytes,
    /// What the newest sample has added and nobody has judged yet.
    grown: Moved,
    pub(super) verdict: Verdict,
    /// Whether the verdict is on what is known of the flow now.
    pub(super) judged: bool,
    pub(super) traffic: Traffic,
    pub(super) link: Link,
    /// Where the flow stands to the border of the ledger.
    pub(super) side: Side,
    /// Number of the newest sample that had the flow.
    pub(super) seen: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub(super) closed_ns: Option<u64>,
}

impl Entry {
    /// The entry of a flow that was not known, as it stood where its counting starts; its first update follows.
    pub(super) fn open(flow: &Flow, baseline: bool, side: Side) -> Self {
        let at_opening = Bytes { tx: flow.base_tx_bytes, rx: flow.base_rx_bytes };
        let base = if baseline { counters(flow) } else { at_opening };
        // How many packets an older socket had moved before its entry was opened, nobody knows.
        let all_count = !baseline && flow.flags & flags::BORN != 0;
        let (segs_out, segs_in) = if all_count { (0, 0) } else { (flow.segs_out, flow.segs_in) };
        Self {
            flow: Flow { tx_bytes: base.tx, rx_bytes: base.rx, segs_out, segs_in, ..Flow::default() },
            base,
            packets: Bytes::default(),
            grown: Moved::default(),
            verdict: Verdict::ALL,
            judged: false,
            traffic: Traffic::default(),
            link: Link::Alone,
            side,
            seen: 0,
            closed_ns: None,
        }
    }

    /// The kernel's last word: the counters in it are over the life of the socket.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Bytes since the start of flowtop that count.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        counters(&self.flow).since(self.base)
    }

    /// The other end of the connection, if it is on this host too.
    #[must_use]
    pub fn peer(&self) -> Option<&FlowKey> {
        self.link.peer()
    }

    /// Whether this is the right end of a connection whose left end is here too.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        matches!(self.link, Link::Right(_))
    }

    /// Whether this is the right end of a connection whose left end, which is inside, is not here.
    #[must_use]
    pub fn is_turned(&self) -> bool {
        matches!((&self.link, self.side), (Link::Alone, Side::RemoteInside))
    }

    /// Whether the totals of the host contain this flow. The right end of a connection that cannot have left the host
    /// does not count even when the left one is not visible: that one is among the untracked.
    pub(super) fn counts(&self, key: &FlowKey) -> bool {
        match self.link {
            Link::Left(_) => true,
            Link::Right(_) => false,
            Link::Alone => {
                let tuple = Tuple::of(key);
                let leads = || Role::of(self.flow.flags).leads(Role::Unknown, &tuple);
                !tuple.stays_on_host() || self.side.is_left(leads())
            }
        }
    }

    /// Whether the kernel has said that nothing changes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.flow.flags & flags::ENDED != 0
    }

    /// Takes a newer copy from the kernel. A counter that went back stays.
    pub(super) fn update(&mut self, flow: &Flow, sample: u64, at_ns: u64) {
        let old = &self.flow;
        let now = counters(flow).max(counters(old));
        let sent = wrapped(old.segs_out, flow.segs_out);
        let received = wrapped(old.segs_in, flow.segs_in);
        self.grown = Moved {
            bytes: now.since(counters(old)),
            packets: Bytes { tx: sent.into(), rx: received.into() },
        };
        self.judged &= (old.pid, old.comm, old.state) == (flow.pid, flow.comm, flow.state);
        self.flow = Flow {
            tx_bytes: now.tx,
            rx_bytes: now.rx,
            segs_out: old.segs_out.wrapping_add(sent),
            segs_in: old.segs_in.wrapping_add(received),
            ..*flow
        };
        self.seen = sample;
        self.closed_ns = if self.has_ended() { self.closed_ns.or(Some(at_ns)) } else { None };
    }

    /// Asks the scope about the flow as it is now.
    pub(super) fn judge(&mut self, key: &FlowKey, scope: &dyn Scope) {
        let comm = comm_text(&self.flow.comm);
        self.verdict = scope.verdict(&Subject {
            tuple: Tuple::of(key),
            both_here: self.peer().is_some(),
            pid: (self.flow.pid != 0).then_some(self.flow.pid),
            comm: comm.as_deref(),
            state: self.flow.state,
            netns: key.netns,
        });
        self.judged = true;
    }

    /// Takes what the newest sample has added into the flow's own count, as far as it counts. Returns that, and what
    /// does not count.
    pub(super) fn count(&mut self) -> (Moved, Moved) {
        let grown = std::mem::take(&mut self.grown);
        let counted = Moved { bytes: self.verdict.of(grown.bytes), packets: self.verdict.of(grown.packets) };
        let outside =
            Moved { bytes: grown.bytes.since(counted.bytes), packets: grown.packets.since(counted.packets) };
        self.base += outside.bytes;
        self.packets += counted.packets;
        (counted, outside)
    }

    /// What this end has moved, as the left end sees it.
    pub(super) fn seen_from_left(&self, moved: Moved) -> Moved {
        let Moved { bytes, packets } = moved;
        if self.is_turned() { Moved { bytes: bytes.mirror(), packets: packets.mirror() } } else { moved }
    }

    /// Everything since the start that counts, as the left end sees it.
    pub(super) fn moved(&self) -> Moved {
        self.seen_from_left(Moved { bytes: self.bytes(), packets: self.packets })
    }
}

/// What a counter that wraps at 2^32 has grown by; 0 if it went back.
fn wrapped(before: u32, now: u32) -> u32 {
    let grown = now.wrapping_sub(before);
    if grown < 1 << 31 { grown } else { 0 }
}

/// The counters of a flow that make its bytes.
fn counters(flow: &Flow) -> Bytes {
    Bytes { tx: flow.tx_bytes, rx: flow.rx_bytes }
}
