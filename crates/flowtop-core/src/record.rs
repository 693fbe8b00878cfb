//! One window of time on one host: the value that `flowtop record` writes, and that `flowtop report` and
//! `flowtop replay` read.
//!
//! A record stands for itself. Texts that are gone when it is read (pods, commands, labels) are in it, and
//! counters over the life of each socket, so that the time between two records is not lost.
//!
//! Not in here: how a record is made (`sampler`), how it looks as bytes (`flowtop_recording::format::frame`), and files.

#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod hosts;
pub mod limits;

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use flowtop_common::{Flow, FlowKey, Untracked, flags};

use super::flow::Tuple;
use super::moment::Moment;
use super::on_wire::{Carried, Grown, Header};
use super::owner::{Identity, Pod};
use super::scope::Verdict;
use super::window::Bytes;
use limits::TrafficLimits;

/// One window of time on one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub host: Host,
    pub span: Span,
    /// Every socket that was open at the end of the window or ended within it, one each; of a connection with both
    /// ends here there are two. Those in `rest` are not in it.
    pub flows: Vec<FlowRecord>,
    /// Flows that a sparse record has summed up.
    pub rest: Vec<Rest>,
    /// All traffic of the window: of the flows that are not right ends, of `rest`, and of untracked sockets.
    pub totals: Bytes,
    /// The totals of each second of the window, in order; as many as there were samples.
    pub per_second: Vec<Bytes>,
    /// Sockets that found the kernel's table full, and their bytes in this window.
    pub untracked: Untracked,
    /// Losses of the kernel side in this window, by name; only those above 0.
    pub losses: Vec<(String, u64)>,
    /// Records that were made before this one and could not be written.
    pub unwritten: u64,
    /// Entries in use of the kernel's table, and how many it has.
    pub table: Fill,
    /// The interfaces' own counters in this window.
    pub interfaces: Vec<InterfaceRecord>,
    /// Settings that kept traffic out.
    pub limits: TrafficLimits,
    /// Runs that found the directory locked before this record, in µs since 1970 UTC.
    pub lock_conflicts_us: Vec<i64>,
    /// Traffic between the previous record of the same run and this one: in a pause, or in records that could not be
    /// written. `None` where they follow each other without a gap, in the first record of a run, and in records of a
    /// flowtop that did not count it.
    pub gap: Option<Gap>,
}

/// The time before a window in which the same run counted, and which is in no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// `CLOCK_MONOTONIC` at its start, in ns: the end of the record before, or the start of a run whose first records could
    /// not be written. It ends where the window starts.
    pub start_ns: u64,
    /// All traffic of that time, as in [`Record::totals`]: also of connections that were born and ended in it.
    pub totals: Bytes,
}

impl Record {
    /// Whether it tells of each of its flows what it has put on the wire.
    #[must_use]
    pub fn tells_wire_of_flows(&self) -> bool {
        self.flows.iter().all(|flow| flow.grown.is_some())
    }

    /// Whether it tells so of what it has summed up too.
    #[must_use]
    pub fn tells_wire(&self) -> bool {
        self.tells_wire_of_flows() && self.rest.iter().all(|rest| rest.on_wire.is_some())
    }

    /// The same with its flows by the id of the socket, as they come out of a file.
    #[must_use]
    pub fn sorted(&self) -> Cow<'_, Self> {
        let order = |flow: &FlowRecord| (flow.key.id, flow.key);
        if self.flows.is_sorted_by_key(order) {
            return Cow::Borrowed(self);
        }
        let mut places: Vec<usize> = (0..self.flows.len()).collect();
        places.sort_by_key(|place| order(&self.flows[*place]));
        let mut now_at = vec![0; places.len()];
        for (now, before) in (0..).zip(&places) {
            now_at[*before] = now;
        }
        let peer_of =
            |flow: &FlowRecord| flow.peer.map(|peer| now_at.get(peer as usize).copied().unwrap_or(peer));
        let flow = |place: &usize| {
            let flow = &self.flows[*place];
            FlowRecord { peer: peer_of(flow), ..flow.clone() }
        };
        Cow::Owned(Self { flows: places.iter().map(flow).collect(), ..self.without_flows() })
    }

    fn without_flows(&self) -> Self {
        Self {
            host: self.host.clone(),
            rest: self.rest.clone(),
            per_second: self.per_second.clone(),
            losses: self.losses.clone(),
            interfaces: self.interfaces.clone(),
            limits: self.limits.clone(),
            lock_conflicts_us: self.lock_conflicts_us.clone(),
            flows: Vec::new(),
            ..*self
        }
    }
}

/// A host, in one of its lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    pub name: String,
    /// `/etc/machine-id`, zeros where there is none.
    pub machine_id: [u8; 16],
    /// `/proc/sys/kernel/random/boot_id`: the monotonic clock and the keys of flows are of this boot.
    pub boot_id: [u8; 16],
}

/// How much the two clocks may drift apart from one moment of a recording to the next, in µs, before one of
/// them must have been set: see [`is_step`].
pub const STEP_US: u64 = 500_000;
/// How much faster or slower a clock runs at most while it is slewed, in parts per million (`MAXFREQ` of the kernel).
const SLEWED_PPM: u64 = 500;

/// Whether the wall clock must have been set, given the drift between the two clocks in this time. Both clocks of a
/// moment are read together, so only slewing drives them apart: 0.5 s in a quarter of an hour, 43 s in a day.
#[must_use]
pub fn is_step(drift_us: u64, over_ns: u64) -> bool {
    let slewed_us = u128::from(over_ns / 1000) * u128::from(SLEWED_PPM) / 1_000_000;
    u128::from(drift_us) > u128::from(STEP_US) + slewed_us
}

/// A window of time on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// `CLOCK_REALTIME` at the start, in µs since 1970 UTC.
    pub start_us: i64,
    /// Wall clock at the end, in µs since 1970 UTC; before the start if the clock was set back.
    pub end_us: i64,
    /// `CLOCK_MONOTONIC` at the start, in ns.
    pub start_ns: u64,
    /// `CLOCK_MONOTONIC` at the end, in ns.
    pub end_ns: u64,
}

impl Span {
    #[must_use]
    pub fn between(start: Moment, end: Moment) -> Self {
        Self { start_us: start.us, end_us: end.us, start_ns: start.ns, end_ns: end.ns }
    }

    #[must_use]
    pub fn end(&self) -> Moment {
        Moment { us: self.end_us, ns: self.end_ns }
    }

    /// Length in ns, by the monotonic clock.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    /// Where it began by the clock at its end, in µs since 1970 UTC: its start, unless the clock was set since.
    #[must_use]
    pub fn began_us(&self) -> i64 {
        let length_us = i64::try_from(self.length_ns() / 1000).unwrap_or(i64::MAX);
        let began_us = self.end_us.saturating_sub(length_us);
        if is_step(began_us.abs_diff(self.start_us), self.length_ns()) { began_us } else { self.start_us }
    }

    /// The middle by the clock at its end, in µs since 1970 UTC: where it is, the window belongs.
    #[must_use]
    pub fn middle_us(&self) -> i64 {
        self.began_us().midpoint(self.end_us)
    }
}

/// A socket in the window of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRecord {
    /// Who it is. `id` tells sockets on one tuple apart, within one boot.
    pub key: FlowKey,
    /// The kernel's last word in this window, with the busiest of its processes. Counters are over the life of the socket.
    pub flow: Flow,
    /// Bytes of this window that count.
    pub bytes: Bytes,
    /// Bytes of this window that were put on the wire again.
    pub retrans_bytes: u64,
    /// What it has put on the wire in this window; `None` in records of a flowtop that did not tell.
    pub grown: Option<Grown>,
    /// Most bytes in one second of the window, each direction for itself.
    pub peak: Bytes,
    pub counts: Verdict,
    /// The other end, if it is on this host too: its place in [`Record::flows`].
    pub peer: Option<u32>,
    /// Whether this is the right end of a connection whose left end is here too, or cannot be elsewhere. Its bytes are
    /// those of the left end.
    pub is_right: bool,
    /// Identity of the process; `None` if its files could not be read.
    pub identity: Option<Arc<Identity>>,
    /// Processes that used the socket or had it open.
    pub users: u32,
    pub label: Arc<str>,
    /// The pod of this host that had the remote address.
    pub remote_pod: Option<Arc<Pod>>,
    /// The pod that had the network namespace of the socket.
    pub netns_pod: Option<Arc<Pod>>,
}

impl Default for FlowRecord {
    /// A socket without owner or label, which counts.
    fn default() -> Self {
        Self {
            key: FlowKey::default(),
            flow: Flow::default(),
            bytes: Bytes::default(),
            retrans_bytes: 0,
            grown: None,
            peak: Bytes::default(),
            counts: Verdict::ALL,
            peer: None,
            is_right: false,
            identity: None,
            users: 0,
            label: Arc::from(""),
            remote_pod: None,
            netns_pod: None,
        }
    }
}

impl FlowRecord {
    /// To how many ns the birth of a socket is recorded, in `key.id` and `flow.opened_ns`. Hardly any tuple is used twice in
    /// that time; if one is, its two sockets have one key.
    pub const OPENED_WITHIN_NS: u64 = 1_000_000;
    /// To how many µs the last segment is recorded; the kernel side looks at it once a second.
    pub const LAST_WITHIN_US: u64 = 2_000_000;

    /// How many binary digits of the round-trip time are recorded, and of a peak that is not all of the bytes.
    pub const DIGITS: u32 = 5;

    /// The same with the precision of records, which keeps them small: times are rounded down, the round-trip time
    /// and a peak that is not all of the bytes, to some 3 %.
    #[must_use]
    pub fn rounded(self) -> Self {
        let down = |number: u64, to: u64| number - number % to;
        // The id of an older socket is no time.
        let id = if self.is_born() { down(self.key.id, Self::OPENED_WITHIN_NS) } else { self.key.id };
        let flow = Flow {
            opened_ns: down(self.flow.opened_ns, Self::OPENED_WITHIN_NS),
            last_us: down(self.flow.last_us, Self::LAST_WITHIN_US),
            srtt_us_x8: u32::try_from(down_to_digits(self.flow.srtt_us_x8.into())).unwrap_or(u32::MAX),
            uses: 0,
            ..self.flow
        };
        let peak = |peak: u64, bytes: u64| {
            if peak == bytes { peak } else { down_to_digits(peak) }
        };
        let peak = Bytes { tx: peak(self.peak.tx, self.bytes.tx), rx: peak(self.peak.rx, self.bytes.rx) };
        Self { key: FlowKey { id, ..self.key }, flow, peak, ..self }
    }

    /// The socket as it stood at the start of the window.
    #[must_use]
    pub fn at_start(&self) -> Flow {
        let bytes = self.lifetime().since(self.bytes);
        let before = self.grown.unwrap_or_default().before(&self.flow);
        Flow { tx_bytes: bytes.tx, rx_bytes: bytes.rx, ..before }
    }

    /// Bytes on the wire in this window that count (see [`crate::on_wire`]); `None` where the record does not tell.
    #[must_use]
    pub fn on_wire(&self) -> Option<Bytes> {
        self.grown?;
        let [start, end] = [self.at_start(), self.flow].map(|flow| Carried::of(&flow));
        let header = Header::of(&self.key);
        Some(self.counts.of(end.on_wire_since(start, header, self.flow.flags)))
    }

    #[must_use]
    pub fn tuple(&self) -> Tuple {
        Tuple::of(&self.key)
    }

    /// Bytes over the life of the socket, at the end of the window.
    #[must_use]
    pub fn lifetime(&self) -> Bytes {
        Bytes { tx: self.flow.tx_bytes, rx: self.flow.rx_bytes }
    }

    /// Whether the birth of the socket was seen: all of its bytes are its own.
    #[must_use]
    pub fn is_born(&self) -> bool {
        self.flow.flags & flags::BORN != 0
    }

    /// Whether the socket has ended within the window.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.flow.flags & flags::ENDED != 0
    }
}

/// A number of which only the highest binary digits are kept.
fn down_to_digits(number: u64) -> u64 {
    number >> below_digits(number) << below_digits(number)
}

/// How many binary digits stand below those.
#[must_use]
pub fn below_digits(number: u64) -> u32 {
    (u64::BITS - number.leading_zeros()).saturating_sub(FlowRecord::DIGITS)
}

impl Identity {
    /// The part of an identity that is recorded: the path of the cgroup is long and repeats the rest, and outputs
    /// show only the first digits of a container's id.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let container_id = self.short_container_id().map(str::to_owned);
        Self { container_id, cgroup: None, ..self.clone() }
    }
}

/// Flows that a sparse record leaves out, summed up by owner and remote label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    pub comm: Option<String>,
    pub user: Option<String>,
    pub unit: Option<String>,
    pub container: Option<String>,
    pub pod: Option<String>,
    pub namespace: Option<String>,
    pub label: Arc<str>,
    pub flows: u32,
    pub bytes: Bytes,
    /// Of these, put on the wire again.
    pub retrans_bytes: u64,
    /// Bytes on the wire in the window; `None` where one of the flows does not tell.
    pub on_wire: Option<Bytes>,
}

impl Rest {
    /// Takes a flow in.
    pub fn add(&mut self, bytes: Bytes, retrans_bytes: u64, on_wire: Option<Bytes>) {
        let before = if self.flows == 0 { Some(Bytes::default()) } else { self.on_wire };
        self.on_wire = before.zip(on_wire).map(|(sum, more)| sum + more);
        self.flows = self.flows.saturating_add(1);
        self.bytes += bytes;
        self.retrans_bytes = self.retrans_bytes.saturating_add(retrans_bytes);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    pub used: u32,
    /// Capacity in entries.
    pub max: u32,
}

/// Counters of one network interface over a window, from `/sys/class/net/IF/statistics`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceRecord {
    pub name: String,
    /// Bytes with all headers, as the interface counts them.
    pub bytes: Bytes,
    pub packets: Bytes,
    pub drops: Bytes,
}
