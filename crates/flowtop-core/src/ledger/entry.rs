//! One flow of the ledger: its baseline, its bytes, and whether it is closed.

use alloc::string::String;
use core::num::NonZeroU64;
use core::ops::{Add, AddAssign};

use flowtop_common::{Flow, FlowKey, flags};

use super::kept::{Kept, Status, counters};
use super::marks::{Mark, Marks};
use super::status::is_open;
use crate::filter::Side;
use crate::flow::{Role, Tuple, stays_on_host};
use crate::on_wire::{Carried, Header};
use crate::owner::Seen;
use crate::owner::processes::Processes;
use crate::owner::users::Users;
use crate::plausible::is_plausible;
use crate::scope::{Scope, Subject, User, Verdict};
use crate::window::Bytes;

/// An amount of traffic, in the bytes that the ledger counts, in packets, and on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) bytes: Bytes,
    pub(super) packets: Bytes,
    pub(super) wire: Bytes,
}

impl Moved {
    /// Bytes or segments, whichever the windows count.
    pub(super) fn in_windows(self, in_packets: bool) -> Bytes {
        if in_packets { self.packets } else { self.bytes }
    }

    /// The same of each of its three amounts.
    fn map(self, of: impl Fn(Bytes) -> Bytes) -> Self {
        Self { bytes: of(self.bytes), packets: of(self.packets), wire: of(self.wire) }
    }

    /// What has been added to `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes.since(earlier.bytes),
            packets: self.packets.since(earlier.packets),
            wire: self.wire.since(earlier.wire),
        }
    }
}

impl Add for Moved {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            packets: self.packets + other.packets,
            wire: self.wire + other.wire,
        }
    }
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The socket of a flow and the process that used it last.
#[derive(Clone, Debug)]
pub(super) struct OwnEnd {
    owner: Seen,
    comm: Option<String>,
    state: u32,
    netns: u32,
    used_ns: u64,
}

impl OwnEnd {
    pub(super) fn user(&self) -> User<'_> {
        let Self { owner, comm, state, netns, used_ns } = self;
        let pid = owner.number();
        User {
            pid,
            comm: comm.as_deref(),
            state: *state,
            netns: *netns,
            owner: *owner,
            used_ns: *used_ns,
            identity: None,
        }
    }
}

/// The time of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Its number.
    pub(super) sample: u32,
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub(super) at_ns: u64,
    /// Nanoseconds since the sample before.
    pub(super) elapsed_ns: u64,
    /// Whether the ledger counts bytes on the wire.
    pub(super) in_wire: bool,
}

/// Which end of a connection a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The only one that is here.
    Only,
    /// The left one of two ends on this host.
    Left,
    /// The right one of two ends on this host.
    Right,
}

/// Place that stands for no flow.
const NO_PLACE: u32 = u32::MAX;

/// One flow: the kernel's last word and what flowtop made of it. A million of them are to fit into memory.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) kept: Kept,
    /// Where counting starts; it moves along with the bytes that do not count, or not yet, and where bytes on the wire are
    /// counted with what these are more than payload: then it may be below zero, and wraps.
    base: Bytes,
    pub(super) users: Users,
    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub(super) closed_ns: Option<NonZeroU64>,
    /// Number of the newest sample that had the flow.
    pub(super) seen: u32,
    /// Where its other end is in the ledger.
    peer: u32,
    /// Where it is in the ledger.
    pub(super) place: u32,
    status: Status,
    end: End,
    pub(super) verdict: Verdict,
    /// The condition of the scope that keeps something of it out, where the verdict is not on all.
    pub(super) keeper_out: u8,
    pub(super) marks: Marks,
    /// Where the flow stands to the border of the ledger.
    pub(super) side: Side,
}

impl Entry {
    /// The entry of a flow that was not known, as it stood where its counting starts; its first update follows.
    pub(super) fn open(key: &FlowKey, flow: &Flow, baseline: bool, side: Side) -> Self {
        let at_opening = Bytes { tx: flow.base_tx_bytes, rx: flow.base_rx_bytes };
        let base = if baseline { counters(flow) } else { at_opening };
        // How many packets an older socket had moved before its entry was opened is unknown.
        let all_count = !baseline && flow.flags & flags::BORN != 0;
        let start = if all_count { Carried::default() } else { Carried::of(flow) };
        let Carried { sent_bytes, segs_out, segs_in, .. } = start;
        Self {
            kept: Kept { bytes: base, sent_bytes, segs_out, segs_in, ..Kept::default() },
            base,
            users: Users::default(),
            closed_ns: None,
            seen: 0,
            peer: NO_PLACE,
            place: NO_PLACE,
            status: Status::default(),
            end: End::Only,
            verdict: Verdict::ALL,
            keeper_out: 0,
            marks: Marks::default().with(Mark::HasChanged, true).with(Mark::StaysHere, stays_on_host(key)),
            side,
        }
    }

    /// The kernel's last word, with the process that used the socket last: the counters in it are over the life of the
    /// socket. What they were when the entry was opened is not in it.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.kept.flow(self.status, &self.users.current())
    }

    /// TCP state as the kernel numbers it.
    #[must_use]
    pub fn state(&self) -> u32 {
        self.status.state()
    }

    /// Bytes since the start of flowtop that count: payload, unless its ledger counts bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        back(self.kept.bytes, self.base)
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
        self.kept.used_ns()
    }

    /// Whether the other end of the connection is known to be on this host too. Once it is, that stays.
    #[must_use]
    pub fn has_peer(&self) -> bool {
        self.end != End::Only
    }

    /// The place of the other end. Links are mutual as long as both are in the ledger.
    pub(super) fn peer(&self) -> Option<u32> {
        (self.peer != NO_PLACE).then_some(self.peer)
    }

    /// Links it with the other end of its connection, which may be known and not in the ledger.
    pub(super) fn join(&mut self, peer: Option<u32>, is_right: bool) {
        self.peer = peer.unwrap_or(NO_PLACE);
        self.end = if is_right { End::Right } else { End::Left };
        self.marks.set(Mark::HasChanged);
        // The left end's verdict is now that of both.
        self.marks.clear(Mark::Judged);
    }

    /// Its other end has left the ledger.
    pub(super) fn forget_peer(&mut self) {
        self.peer = NO_PLACE;
    }

    /// Whether this is the right end of a connection whose left end is here too.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        self.end == End::Right
    }

    /// Whether this is the right end of a connection whose left end, which is inside, is not here.
    #[must_use]
    pub fn is_turned(&self) -> bool {
        !self.has_peer() && matches!(self.side, Side::RemoteInside)
    }

    /// Whether the totals of the host contain this flow. The right end of a connection that cannot have left the host
    /// does not count even when the left one is not visible: that one is among the untracked.
    pub fn counts(&self, key: &FlowKey) -> bool {
        if self.has_peer() {
            return !self.is_peer();
        }
        let leads = || self.role().leads(Role::Unknown, &Tuple::of(key));
        !self.marks.has(Mark::StaysHere) || self.side.is_left(leads())
    }

    /// The role of this end when the connection was opened.
    pub(super) fn role(&self) -> Role {
        Role::of(self.flow_flags())
    }

    /// Some of [`flags`], as the kernel's entry has them.
    pub(super) fn flow_flags(&self) -> u32 {
        self.status.flags()
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// `CLOCK_MONOTONIC` in nanoseconds of the sample that showed it closed.
    pub fn closed_ns(&self) -> Option<u64> {
        self.closed_ns.map(NonZeroU64::get)
    }

    /// Notes that it is closed; the first nanosecond after the boot is taken for the second one.
    pub(super) fn close(&mut self, at_ns: u64) {
        self.closed_ns = Some(NonZeroU64::new(at_ns).unwrap_or(NonZeroU64::MIN));
    }

    /// Whether the kernel has said that nothing changes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.status.flags() & flags::ENDED != 0
    }

    /// Notes that a sample has the flow, exactly as it was; false if it was otherwise.
    pub(super) fn is_seen_again(&mut self, flow: &Flow, sample: u32) -> bool {
        let is_same = (Kept::of(flow), Status::of(flow)) == (self.kept, self.status)
            && (flow.pid == 0 || Seen::of(flow) == self.users.current())
            && (self.has_ended() || self.closed_ns.is_none());
        if is_same {
            self.seen = sample;
        }
        is_same
    }

    /// Takes a newer copy from the kernel, which has had `elapsed_ns` for it, and returns what it has added. A counter that
    /// went back stays, and so do both counters where one has grown by more than anything can move.
    pub(super) fn update(
        &mut self,
        key: &FlowKey,
        flow: &Flow,
        clock: Clock,
        processes: &mut Processes,
    ) -> Moved {
        let old = self.kept;
        let claimed = counters(flow).max(old.bytes);
        let is_refused = !is_plausible(claimed.since(old.bytes), clock.elapsed_ns);
        let now = if is_refused { old.bytes } else { claimed };
        let segments = Carried::of(flow).since(old.carried());
        let kept = Kept {
            bytes: now,
            sent_bytes: flow.sent_bytes.max(old.sent_bytes),
            segs_out: old.segs_out.wrapping_add(segments.segs_out),
            segs_in: old.segs_in.wrapping_add(segments.segs_in),
            ..Kept::of(flow)
        };
        let wire = kept.carried().on_wire_since(old.carried(), Header::of(key), flow.flags);
        let is_wire_refused = is_refused || !is_plausible(wire, clock.elapsed_ns);
        let wire = if is_wire_refused { Bytes::default() } else { wire };
        let is_refused = is_refused || clock.in_wire && is_wire_refused;
        let payload = now.since(old.bytes);
        let bytes = if clock.in_wire { wire } else { payload };
        self.base = back(on(self.base, payload), bytes);
        let packets = Bytes { tx: segments.segs_out.into(), rx: segments.segs_in.into() };
        let grown = Moved { bytes, packets, wire };
        let (old, status) = (self.status, Status::of(flow));
        if old.state() != status.state() {
            self.marks.clear(Mark::Judged);
        }
        if is_open(old.state()) != is_open(status.state()) {
            self.marks.set(Mark::HasChanged);
        }
        (self.kept, self.status) = (kept, status);
        let (user, bytes) = (Seen::of(flow), grown.bytes.sum());
        if !self.users.goes_on(&user, bytes) {
            self.change_users(|users| users.used_by(user, bytes, processes));
        }
        self.seen = clock.sample;
        if is_refused {
            self.marks.set(Mark::Refused);
        }
        if !self.has_ended() {
            self.closed_ns = None;
        } else if self.closed_ns.is_none() {
            self.close(clock.at_ns);
        }
        grown
    }

    /// Takes in who uses the socket.
    pub(super) fn change_users(&mut self, change: impl FnOnce(&mut Users)) {
        let (judged_by, shown) = (self.users.current(), (self.users.busiest(), self.users.count()));
        change(&mut self.users);
        if judged_by != self.users.current() {
            self.marks.clear(Mark::Judged);
        }
        if shown != (self.users.busiest(), self.users.count()) {
            self.marks.set(Mark::HasChanged);
        }
    }

    /// Its socket and the process that used it last. Not the busiest one: what has just been moved is the last one's.
    pub(super) fn socket(&self, key: &FlowKey) -> OwnEnd {
        let owner = self.users.current();
        OwnEnd {
            owner,
            comm: owner.comm_text(),
            state: self.state(),
            netns: key.netns,
            used_ns: self.used_ns(),
        }
    }

    /// The flow with one of its ends for a scope, without the other one.
    pub(super) fn subject<'a>(&self, key: &FlowKey, own: &'a OwnEnd) -> Subject<'a> {
        let User { pid, comm, state, netns, owner, used_ns, identity } = own.user();
        let both_here = self.is_on_host();
        let of_tuple = Subject::of(Tuple::of(key));
        Subject { both_here, pid, comm, state, netns, owner, used_ns, identity, ..of_tuple }
    }

    /// Asks the scope about the flow as it is now, with its other end if that is on this host.
    pub(super) fn judge(&mut self, key: &FlowKey, peer: Option<&OwnEnd>, scope: &dyn Scope) {
        let own = self.socket(key);
        let subject = Subject { peer: peer.map(OwnEnd::user), ..self.subject(key, &own) };
        self.verdict = scope.verdict(&subject);
        self.keeper_out = if self.verdict == Verdict::ALL { 0 } else { scope.keeper_out(&subject) };
    }

    /// Whether both ends are known to be on this host.
    pub fn is_on_host(&self) -> bool {
        self.has_peer() || self.marks.has(Mark::StaysHere)
    }

    /// Keeps what has been added from being counted yet.
    pub(super) fn hold(&mut self, bytes: Bytes) {
        self.base = on(self.base, bytes);
    }

    /// Counts bytes that were held back.
    pub(super) fn release(&mut self, bytes: Bytes) {
        self.base = back(self.base, bytes);
    }

    /// Takes what has been added into the flow's own count, as far as it counts. Returns that, and what does not count.
    pub(super) fn count(&mut self, grown: Moved) -> (Moved, Moved) {
        let counted = grown.map(|amount| self.verdict.of(amount));
        let outside = grown.since(counted);
        self.base = on(self.base, outside.bytes);
        let bytes = self.bytes();
        if bytes.sum() > 0 && bytes.since(counted.bytes).sum() == 0 {
            self.marks.set(Mark::HasChanged);
        }
        if counted.bytes.sum() > 0 {
            self.marks.set(Mark::HasCounted);
        }
        (counted, outside)
    }

    /// Traffic of this end with the directions of the left end.
    pub(super) fn seen_from_left(&self, moved: Moved) -> Moved {
        if self.is_turned() { moved.map(Bytes::mirror) } else { moved }
    }

    /// Its share of the totals, as the left end sees it.
    pub(super) fn share(&self, key: &FlowKey) -> Bytes {
        match self.bytes() {
            _ if !self.counts(key) => Bytes::default(),
            bytes if self.is_turned() => bytes.mirror(),
            bytes => bytes,
        }
    }
}

/// A place in the numbers of bytes, so much further on; it wraps.
fn on(place: Bytes, bytes: Bytes) -> Bytes {
    Bytes { tx: place.tx.wrapping_add(bytes.tx), rx: place.rx.wrapping_add(bytes.rx) }
}

/// The same, so much further back; also the way from one place to another.
fn back(place: Bytes, bytes: Bytes) -> Bytes {
    Bytes { tx: place.tx.wrapping_sub(bytes.tx), rx: place.rx.wrapping_sub(bytes.rx) }
}
