//! One flow of the ledger: where its counting starts, what it has moved, whether it is closed.

use std::ops::{Add, AddAssign};

use flowtop_common::{Flow, FlowKey, flags};

use super::flows::Face;
use super::pairs::Link;
use crate::core::filter::Side;
use crate::core::flow::{Role, Tuple, stays_on_host};
use crate::core::owner::Seen;
use crate::core::owner::users::Users;
use crate::core::scope::{Scope, Subject, Verdict};
use crate::core::window::{Bytes, Traffic};

/// An amount of traffic, in bytes and in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) bytes: Bytes,
    /// TCP segments.
    pub(super) packets: Bytes,
}

impl Moved {
    /// What the windows take.
    pub(super) fn in_windows(self, in_packets: bool) -> Bytes {
        if in_packets { self.packets } else { self.bytes }
    }
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
    /// What samples have added and nobody has judged yet.
    grown: Moved,
    /// Who uses the socket.
    pub(super) users: Users,
    pub(super) verdict: Verdict,
    /// Whether the verdict is on what is known of the flow now.
    pub(super) judged: bool,
    /// Whether the scope has to learn more first: until then nothing is counted, and nothing is lost.
    pub(super) held: bool,
    pub(super) traffic: Traffic,
    pub(super) link: Link,
    /// Where the flow stands to the border of the ledger.
    pub(super) side: Side,
    /// Number of the newest sample that had the flow.
    pub(super) seen: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub(super) closed_ns: Option<u64>,
    /// How it looked when its line was drawn last, and the number of that look.
    pub(super) face: Face,
    pub(super) stamp: u64,
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
            users: Users::default(),
            verdict: Verdict::ALL,
            judged: false,
            held: false,
            traffic: Traffic::default(),
            link: Link::Alone,
            side,
            seen: 0,
            closed_ns: None,
            face: Face::default(),
            stamp: 0,
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
        counters(&self.flow).since(self.base).since(self.grown.bytes)
    }

    /// The process that the flow is shown with: of several the busiest.
    #[must_use]
    pub fn owner(&self) -> Seen {
        self.users.busiest()
    }

    /// Every process that uses the socket.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// When the socket was in use for sure: the last segment, or its opening, in nanoseconds of the monotonic clock.
    #[must_use]
    pub fn used_ns(&self) -> u64 {
        self.flow.opened_ns.max(self.flow.last_us.saturating_mul(1000))
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
    pub(in crate::core) fn counts(&self, key: &FlowKey) -> bool {
        match self.link {
            Link::Left(_) => true,
            Link::Right(_) => false,
            Link::Alone => {
                let leads = || Role::of(self.flow.flags).leads(Role::Unknown, &Tuple::of(key));
                !stays_on_host(key) || self.side.is_left(leads())
            }
        }
    }

    /// Which directions count.
    pub(in crate::core) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub(in crate::core) fn closed_ns(&self) -> Option<u64> {
        self.closed_ns
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
        let grown = Moved {
            bytes: now.since(counters(old)),
            packets: Bytes { tx: sent.into(), rx: received.into() },
        };
        self.grown += grown;
        let user = self.users.current();
        self.users.used_by(Seen::of(flow), grown.bytes.sum());
        self.judged &= (user, old.state) == (self.users.current(), flow.state);
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
        // Not the busiest: what has just been moved is the last one's.
        let owner = self.users.current();
        let comm = owner.comm_text();
        let subject = Subject {
            pid: owner.is_user_process().then_some(owner.pid),
            comm: comm.as_deref(),
            state: self.flow.state,
            netns: key.netns,
            owner,
            used_ns: self.used_ns(),
            both_here: self.is_on_host(key),
            ..Subject::of(Tuple::of(key))
        };
        self.verdict = scope.verdict(&subject);
        self.held = scope.waits(&subject);
        self.judged = !self.held;
    }

    /// Whether both ends are known to be on this host.
    pub(in crate::core) fn is_on_host(&self, key: &FlowKey) -> bool {
        self.peer().is_some() || stays_on_host(key)
    }

    /// Takes what the newest sample has added into the flow's own count, as far as it counts. Returns that, and what
    /// does not count.
    pub(super) fn count(&mut self) -> (Moved, Moved) {
        if self.held {
            return (Moved::default(), Moved::default());
        }
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
