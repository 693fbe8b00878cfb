//! A recorded window as a ledger: a baseline at its start and the counters at its end. So a recording is shown by
//! the same code as what is counted now.

use alloc::boxed::Box;
use alloc::vec::Vec;
use flowtop_common::{FlowKey, Loss};

use super::Ledger;
use super::entry::Moved;
use crate::filter::Boundary;
use crate::flow::stays_on_host;
use crate::record::{FlowRecord, Record, Rest};
use crate::scope::{Scope, Verdict};
use crate::window::{Bytes, Peak};
use crate::wire::Sample;

/// Slots of one flow more than a record has are not needed, but there has to be one.
const ONE: usize = 1;

impl Ledger {
    /// The window of a record: its bytes, its connections, its losses. Rates are means over the window, peaks are those
    /// of its seconds as long as nothing else is left out. What `scope` keeps out is outside the totals, and so is what
    /// the record has summed up, where the scope would have to look at each connection of it.
    #[must_use]
    pub fn of_record(record: &Record, boundary: Boundary, scope: Option<Box<dyn Scope>>) -> Self {
        let ledger = Self::new(record.flows.len().max(ONE), 0);
        let ledger = if record.tells_wire_of_flows() { ledger.keeping_wire() } else { ledger };
        ledger.seen_from(boundary).with_record(record, scope)
    }

    /// The same in bytes on the wire; `None` if the record does not tell them. Peaks are means over the window: the seconds
    /// of a record are of payload.
    #[must_use]
    pub fn of_record_in_wire(
        record: &Record,
        boundary: Boundary,
        scope: Option<Box<dyn Scope>>,
    ) -> Option<Self> {
        let ledger = Self::new(record.flows.len().max(ONE), 0).in_wire();
        record.tells_wire().then(|| ledger.seen_from(boundary).with_record(record, scope))
    }

    fn with_record(self, record: &Record, scope: Option<Box<dyn Scope>>) -> Self {
        let is_all = scope.is_none() && !self.in_wire;
        let mut ledger = Self { is_recorded: true, ..self };
        ledger.set_scope(scope);
        ledger.take_start(record);
        ledger.take_end(record);
        ledger.take_users(record);
        ledger.losses.ledger = loss(record, "ledger");
        ledger.losses.implausible = loss(record, "implausible");
        if is_all {
            ledger.peaks.raise(&ledger.timeline, peak_of(record));
        }
        ledger
    }

    /// Takes in how it stood at the start. Which flows are the two ends of one connection is recorded.
    fn take_start(&mut self, record: &Record) {
        let start = start_of(record);
        self.begin(&start);
        self.take(&start.flows);
        for (left, right) in pairs_of(record) {
            match (self.flows.place(&left), self.flows.place(&right)) {
                (Some(left), Some(right)) => self.link([(left, right)]),
                (Some(_), None) => {
                    if let Some(entry) = self.flows.get_mut(&left) {
                        entry.join(None, false);
                    }
                }
                (None, _) => {}
            }
        }
        self.newborn.clear();
        self.finish();
    }

    fn take_end(&mut self, record: &Record) {
        let end = end_of(record);
        self.begin(&end);
        self.take_rest(record);
        self.take(&end.flows);
        self.finish();
    }

    /// Counts the groups of a sparse record.
    fn take_rest(&mut self, record: &Record) {
        let verdict = self.scope.as_ref().map_or(Verdict::ALL, |scope| scope.untracked());
        let in_unit = |rest: &Rest| Rest {
            bytes: if self.in_wire { rest.on_wire.unwrap_or_default() } else { rest.bytes },
            ..rest.clone()
        };
        let all: Vec<Rest> = record.rest.iter().map(in_unit).collect();
        let counted = all.iter().map(|rest| Rest { bytes: verdict.of(rest.bytes), ..rest.clone() });
        self.summed_up = counted.filter(|rest| rest.bytes.sum() > 0).collect();
        let sum = |rests: &[Rest]| rests.iter().fold(Bytes::default(), |sum, rest| sum + rest.bytes);
        let (all, counted) = (sum(&all), sum(&self.summed_up));
        self.total.bytes += counted;
        self.outside.add(Moved { bytes: all.since(counted), ..Moved::default() });
    }

    fn take_users(&mut self, record: &Record) {
        for flow in &record.flows {
            if let Some(entry) = self.flows.get_mut(&flow.key) {
                entry.change_users(|users| users.set_count(flow.users));
                let place = entry.place;
                self.flows.draw_line(place);
            }
        }
    }
}

/// The left and right ends of the connections that have both here. What was a left end stays one where the other is not
/// in the record.
fn pairs_of(record: &Record) -> Vec<(FlowKey, FlowKey)> {
    let left = (0..).zip(&record.flows).filter(|(_, flow)| !flow.is_right);
    let pair = |(at, flow): (u32, &FlowRecord)| {
        let absent = || stays_on_host(&flow.key).then(|| flow.tuple().mirror().key());
        let right = partner(record, at, flow).map(|right| right.key).or_else(absent)?;
        Some((flow.key, right))
    };
    left.filter_map(pair).collect()
}

/// The other end, if both say so and one of them is right.
fn partner<'a>(record: &'a Record, at: u32, flow: &FlowRecord) -> Option<&'a FlowRecord> {
    let other = record.flows.get(flow.peer? as usize)?;
    (other.peer == Some(at) && other.is_right != flow.is_right && other.key != flow.key).then_some(other)
}

/// Every flow, but for right ends whose left end was summed up: their bytes are in that sum.
fn flows_of(record: &Record) -> impl Iterator<Item = &FlowRecord> {
    let all = (0..).zip(&record.flows);
    all.filter(|(at, flow)| !flow.is_right || partner(record, *at, flow).is_some()).map(|(_, flow)| flow)
}

/// The sample at the start of the window: each counter less its growth in the window.
fn start_of(record: &Record) -> Sample {
    let flow = |flow: &FlowRecord| (flow.key, flow.at_start());
    let flows = flows_of(record).map(flow).collect();
    Sample { at_ns: record.span.start_ns, at_us: record.span.start_us, flows, ..Sample::default() }
}

/// The sample at the end of the window.
fn end_of(record: &Record) -> Sample {
    let flow = |flow: &FlowRecord| {
        let after = flow.lifetime().since(flow.bytes) + flow.bytes;
        let mut later = flow.flow;
        (later.tx_bytes, later.rx_bytes) = (after.tx, after.rx);
        (flow.key, later)
    };
    let flows = flows_of(record).map(flow).collect();
    let (span, untracked) = (&record.span, record.untracked);
    let mut sample = Sample { at_ns: span.end_ns, at_us: span.end_us, flows, untracked, ..Sample::default() };
    for (kind, name) in Loss::ALL {
        sample.set_loss(*kind, [loss(record, name)]);
    }
    sample
}

fn loss(record: &Record, name: &str) -> u64 {
    record.losses.iter().filter(|(known, _)| known == name).map(|(_, count)| *count).sum()
}

/// The largest second of each direction, and of both together, in bytes per second. The seconds of a window are taken
/// for equally long.
fn peak_of(record: &Record) -> Peak {
    let per_s = record.per_second.len() as f64 * 1e9 / record.span.length_ns().max(1) as f64;
    let most =
        |of: fn(&Bytes) -> u64| record.per_second.iter().map(of).max().unwrap_or_default() as f64 * per_s;
    Peak { tx_per_s: most(|b| b.tx), rx_per_s: most(|b| b.rx), sum_per_s: most(|b| b.sum()) }
}
