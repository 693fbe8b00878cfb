//! Samples of a ledger → one record for each window of time.
//!
//! What a record says is a difference: the ledger at the end of the window less the ledger at its start, so the records of
//! a run add up to what the ledger has counted, whatever the flows do.
//!
//! Not in here: what is left out of a sparse record (`flowtop_recording::format::sparse`), the clock, and what is not in
//! the ledger: the
//! host, its interfaces, the kernel's table.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;

use flowtop_common::{Flow, FlowKey, Untracked, flags};
use foldhash::fast::RandomState;

use crate::flow::Tuple;
use crate::ledger::{Entry, Ledger, Losses};
use crate::moment::Moment;
use crate::on_wire::{Grown, wrapped};
use crate::owner::Identity;
use crate::record::{FlowRecord, Gap, Record, Rest, Span};
use crate::scope::Verdict;
use crate::who::Who;
use crate::window::Bytes;

#[cfg(test)]
mod tests;

const NS_PER_S: u64 = 1_000_000_000;
/// A sample may come this much after the one before and still stand for one second.
const SECOND_WITHIN_NS: u64 = NS_PER_S * 3 / 2;

/// One flow since the start of the window, by its place in the ledger.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    /// Flow at this place.
    key: FlowKey,
    is_taken: bool,
    /// Whether the totals contain the flow.
    counts: bool,
    /// Bytes of the ledger at the start, and at the newest sample.
    start: Bytes,
    newest: Bytes,
    peak: Bytes,
    /// Over the life of the socket, at the start and at the newest sample.
    retrans_start: u64,
    retrans: u64,
    /// What it had put on the wire at the start.
    on_wire_start: Grown,
}

impl Since {
    /// Takes what a sample has added in `interval_ns`.
    fn take(&mut self, key: &FlowKey, entry: &Entry, interval_ns: u64) {
        let bytes = entry.bytes();
        self.peak = self.peak.max(in_one_second(bytes.since(self.newest), interval_ns));
        self.newest = bytes;
        self.retrans = self.retrans.max(entry.flow().retrans_bytes);
        self.counts = entry.counts(key);
    }

    fn bytes(&self) -> Bytes {
        self.newest.since(self.start)
    }

    fn retrans_bytes(&self) -> u64 {
        self.retrans.saturating_sub(self.retrans_start)
    }

    /// The same flow in the next window, which `entry` is of if it is still there.
    fn next(self, entry: Option<&Entry>) -> Self {
        Self {
            start: self.newest,
            retrans_start: self.retrans,
            peak: Bytes::default(),
            on_wire_start: entry.map_or(self.on_wire_start, |entry| on_wire(&entry.flow())),
            ..self
        }
    }

    /// What has been put on the wire in the window up to these counters.
    fn grown(&self, flow: &Flow) -> Grown {
        let start = &self.on_wire_start;
        Grown {
            sent_bytes: flow.sent_bytes.saturating_sub(start.sent_bytes),
            segs_out: wrapped(start.segs_out, flow.segs_out),
            segs_in: wrapped(start.segs_in, flow.segs_in),
        }
    }
}

/// What a socket has put on the wire in its life.
fn on_wire(flow: &Flow) -> Grown {
    Grown { sent_bytes: flow.sent_bytes, segs_out: flow.segs_out, segs_in: flow.segs_in }
}

/// Lower bound of the busiest second in an interval of nominally 1 s. Of a longer interval it is the mean: some
/// second had that much.
fn in_one_second(bytes: Bytes, interval_ns: u64) -> Bytes {
    if interval_ns <= SECOND_WITHIN_NS {
        return bytes;
    }
    let mean = |bytes: u64| {
        let mean = u128::from(bytes) * u128::from(NS_PER_S) / u128::from(interval_ns);
        u64::try_from(mean).unwrap_or(u64::MAX)
    };
    Bytes { tx: mean(bytes.tx), rx: mean(bytes.rx) }
}

/// Makes records. It has to see the ledger after every sample that the ledger takes.
#[derive(Debug)]
pub struct Sampler {
    flows: Vec<Since>,
    /// Bytes in this window of flows that have left the ledger since.
    gone: Rest,
    /// At the start of the window.
    totals: Bytes,
    untracked: Untracked,
    losses: Losses,
    start: Moment,
    /// Totals at the newest sample.
    newest_totals: Bytes,
    newest: Moment,
    per_second: Vec<Bytes>,
    /// Gap before the window.
    gap: Option<Gap>,
}

impl Sampler {
    /// Starts a window with the newest sample of a ledger, which is not one that is seen from a border: the bytes of a
    /// record are those of its sockets.
    #[must_use]
    pub fn start(ledger: &Ledger) -> Self {
        let totals = ledger.totals().bytes;
        let mut sampler = Self {
            flows: Vec::new(),
            gone: Rest::default(),
            totals,
            untracked: ledger.untracked(),
            losses: ledger.losses(),
            start: ledger.moment(),
            newest_totals: totals,
            newest: ledger.moment(),
            per_second: Vec::new(),
            gap: None,
        };
        sampler.take_flows(ledger, 0, true);
        sampler.begin_window(ledger);
        sampler
    }

    /// Starts a later window with the newest sample, after one that was closed; what the ledger has counted in between
    /// is the gap before it.
    #[must_use]
    pub fn resume(&self, ledger: &Ledger) -> Self {
        let gap = Gap { start_ns: self.start.ns, totals: ledger.totals().bytes.since(self.totals) };
        let is_gap = gap.start_ns < ledger.at_ns() || gap.totals != Bytes::default();
        Self { gap: is_gap.then_some(gap), ..Self::start(ledger) }
    }

    /// Takes the newest sample of the ledger, about a second after the one before.
    pub fn sample(&mut self, ledger: &Ledger) {
        let interval_ns = ledger.at_ns().saturating_sub(self.newest.ns);
        self.take_flows(ledger, interval_ns, false);
        let totals = ledger.totals().bytes;
        self.per_second.push(totals.since(self.newest_totals));
        (self.newest_totals, self.newest) = (totals, ledger.moment());
    }

    /// When the window has begun, in ns of the monotonic clock.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.start.ns
    }

    /// Ends the window with the newest sample, and starts the next one.
    pub fn close(&mut self, ledger: &Ledger, who: Who<'_>) -> Record {
        let (untracked, losses) = (ledger.untracked(), ledger.losses());
        let gone = core::mem::take(&mut self.gone);
        let record = Record {
            span: Span::between(self.start, self.newest),
            flows: self.records(ledger, who),
            rest: if gone.flows == 0 { Vec::new() } else { vec![gone] },
            totals: self.newest_totals.since(self.totals),
            per_second: core::mem::take(&mut self.per_second),
            untracked: untracked_since(&untracked, &self.untracked),
            losses: losses_since(&losses, &self.losses),
            gap: self.gap.take(),
            ..Record::default()
        };
        self.begin_window(ledger);
        (self.totals, self.untracked, self.losses) = (self.newest_totals, untracked, losses);
        self.start = self.newest;
        record
    }

    /// Starts the window of each flow where the newest sample has it.
    fn begin_window(&mut self, ledger: &Ledger) {
        for (place, since) in (0..).zip(&mut self.flows) {
            let its = ledger.at(place).filter(|(key, _)| since.is_taken && **key == since.key);
            *since = since.next(its.map(|(_, entry)| entry));
        }
    }

    /// Takes what a sample has added in `interval_ns`; `is_start` says that it is the one at which the first window starts.
    fn take_flows(&mut self, ledger: &Ledger, interval_ns: u64, is_start: bool) {
        self.flows.resize_with(ledger.lines().len().max(self.flows.len()), Since::default);
        for (place, since) in (0..).zip(&mut self.flows) {
            let found = ledger.at(place);
            if since.is_taken && found.is_none_or(|(key, _)| *key != since.key) {
                add_gone(&mut self.gone, since);
                *since = Since::default();
            }
            let Some((key, entry)) = found else { continue };
            if !since.is_taken {
                // What an older socket has sent again before it was found is not of this window.
                let is_born = entry.flow().flags & flags::BORN != 0 && !is_start;
                let flow = entry.flow();
                let (retrans_start, on_wire_start) =
                    if is_born { (0, Grown::default()) } else { (flow.retrans_bytes, on_wire(&flow)) };
                *since =
                    Since { key: *key, is_taken: true, retrans_start, on_wire_start, ..Since::default() };
            }
            since.take(key, entry, interval_ns);
        }
    }

    /// The flows of the window, in the order of files.
    fn records(&self, ledger: &Ledger, who: Who<'_>) -> Vec<FlowRecord> {
        let taken = (0..).zip(&self.flows).filter(|(_, since)| since.is_taken);
        let found = taken.filter_map(|(place, since)| Some((since, ledger.at(place)?.1)));
        let in_window = found.filter(|(since, entry)| self.is_in_window(since, entry));
        let mut identities = Identities::default();
        let mut flows: Vec<_> = in_window
            .map(|(since, entry)| {
                let identity = who.owners.identity(&entry.owner(), entry.used_ns());
                let flow = record(since, entry, who);
                let identity = identity.map(|identity| identities.recorded(identity));
                (since.key, FlowRecord { identity, ..flow }.rounded())
            })
            .collect();
        flows.sort_unstable_by_key(|(_, flow)| (flow.key.id, flow.key));
        let places: HashMap<FlowKey, u32, RandomState> =
            (0..).zip(&flows).map(|(place, (key, _))| (*key, place)).collect();
        let peer = |key: &FlowKey| places.get(ledger.peer(ledger.get(key)?)?.0).copied();
        flows.into_iter().map(|(key, flow)| FlowRecord { peer: peer(&key), ..flow }).collect()
    }

    /// Whether a flow has moved something, or may: one that has not ended before, and is not kept out.
    fn is_in_window(&self, since: &Since, entry: &Entry) -> bool {
        let was_open = entry.closed_ns().is_none_or(|closed_ns| closed_ns > self.start.ns);
        since.bytes() != Bytes::default() || (was_open && entry.verdict() != Verdict::NONE)
    }
}

/// Cache of the recorded form of identities, made once for each.
#[derive(Default)]
struct Identities(HashMap<*const Identity, (Arc<Identity>, Arc<Identity>), RandomState>);

impl Identities {
    fn recorded(&mut self, identity: Arc<Identity>) -> Arc<Identity> {
        // The identity is kept with what is made of it, so that no other one can have its address.
        let made = self.0.entry(Arc::as_ptr(&identity)).or_insert_with(|| {
            let recorded = Arc::new(identity.recorded());
            (identity, recorded)
        });
        Arc::clone(&made.1)
    }
}

fn record(since: &Since, entry: &Entry, who: Who<'_>) -> FlowRecord {
    let (key, owner) = (&since.key, entry.owner());
    FlowRecord {
        key: *key,
        flow: Flow { pid: owner.pid, comm: owner.comm, cgroup_id: owner.cgroup_id, ..entry.flow() },
        bytes: since.bytes(),
        retrans_bytes: since.retrans_bytes(),
        grown: Some(since.grown(&entry.flow())),
        peak: since.peak,
        counts: entry.verdict(),
        peer: None,
        is_right: !since.counts,
        identity: None,
        users: entry.users().count(),
        label: who.labels.of(Tuple::of(key).remote.ip(), entry.is_on_host()).into(),
        remote_pod: who.owners.pod_at(Tuple::of(key).remote.ip()),
        netns_pod: who.owners.pod_in(key.netns),
    }
}

fn add_gone(gone: &mut Rest, since: &Since) {
    if since.counts && since.bytes() != Bytes::default() {
        // Its last counters are gone with it.
        gone.add(since.bytes(), since.retrans_bytes(), None);
    }
}

fn untracked_since(now: &Untracked, start: &Untracked) -> Untracked {
    Untracked {
        flows: now.flows.saturating_sub(start.flows),
        tx_bytes: now.tx_bytes.saturating_sub(start.tx_bytes),
        rx_bytes: now.rx_bytes.saturating_sub(start.rx_bytes),
        mirrored_tx_bytes: now.mirrored_tx_bytes.saturating_sub(start.mirrored_tx_bytes),
        mirrored_rx_bytes: now.mirrored_rx_bytes.saturating_sub(start.mirrored_rx_bytes),
    }
}

fn losses_since(now: &Losses, start: &Losses) -> Vec<(String, u64)> {
    let both = now.named().zip(start.named());
    let grown = both.map(|((name, now), (_, start))| (name.to_owned(), now.saturating_sub(start)));
    grown.filter(|(_, count)| *count > 0).collect()
}
