//! A socket as the last record of its boot had it.

use flowtop_common::{FlowKey, flags};

use super::super::Question;
use super::super::intervals::by_end;
use super::super::moved::{Moved, NO_PAIR};
use super::super::pairs::{Pairs, Streams, may_be_of_two_hosts};
use super::super::rows::{Place, RowId};
use flowtop_core::record::{FlowRecord, Span};
use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

/// Flags about how a socket was opened. A recorder that was started later does not have them, an earlier one may.
const BIRTH: u32 = flags::BORN | flags::ACTIVE | flags::PASSIVE;

/// Flags of a socket, including those about its birth from the previous record.
pub fn flags_of(flow: &FlowRecord, same: Option<&Socket>) -> u32 {
    flow.flow.flags | same.map_or(0, |same| same.flags & BIRTH)
}

/// A socket as the last record had it.
#[derive(Clone, Debug)]
pub struct Socket {
    pub key: FlowKey,
    /// Its id in the first record that has it; each recorder assigns its own ids.
    pub first_id: u64,
    pub lifetime: Bytes,
    pub flags: u32,
    pub counts: Verdict,
    pub is_right: bool,
    /// Whether its other end may be on another recorded host.
    pub may_pair: bool,
    /// When it was opened in µs since 1970 UTC, or the start of the first window that has it.
    pub since_us: i64,
    /// The row that it was added to.
    pub place: Place,
    /// Its row if it may become an end of a pair.
    pub row: Option<RowId>,
    pub pair: u32,
    /// Lifetime counters from which on it has been counted outside a pair.
    pub counted_from: Bytes,
    /// Whether a socket with mirrored ends was found that could not be its other end, so the search goes on.
    pub searches_on: bool,
    /// Whether the filter of the report asks for this end by itself, if it tells ends apart.
    pub is_asked_for: Option<bool>,
    /// Its last state, if a filter lets it pass by itself: what another host records later may be its other end.
    pub flow: Option<Box<FlowRecord>>,
}

/// `counted_from` of a socket of which nothing has been counted.
const NOT_COUNTED: Bytes = Bytes { tx: u64::MAX, rx: u64::MAX };

impl Socket {
    pub fn of(flow: &FlowRecord, span: &Span) -> Self {
        Self {
            key: flow.key,
            first_id: flow.key.id,
            lifetime: flow.lifetime(),
            flags: flow.flow.flags,
            counts: flow.counts,
            is_right: flow.is_right,
            may_pair: may_be_of_two_hosts(flow),
            since_us: since_us(flow, span),
            place: Place::NONE,
            row: None,
            pair: NO_PAIR,
            counted_from: NOT_COUNTED,
            searches_on: false,
            is_asked_for: None,
            flow: None,
        }
    }

    /// Notes what the filter of a report says of it.
    pub fn judge(&mut self, question: &Question, flow: &FlowRecord) {
        self.is_asked_for = question.asks_for(flow);
        let passes = question.verdict_of(flow, None) != Verdict::NONE;
        self.flow = passes.then(|| Box::new(flow.clone()));
    }

    /// Takes over the state of the same socket from the previous record.
    pub fn go_on(&mut self, same: &mut Self) {
        self.first_id = same.first_id;
        self.flags |= same.flags & BIRTH;
        self.place = same.place;
        self.row = same.row.take();
        self.pair = same.pair;
        self.counted_from = same.counted_from;
        self.since_us = same.since_us;
        self.may_pair |= same.may_pair;
    }

    /// Whether its last bytes would be missed if it were not in the next record.
    pub fn waits(&self, pairs: &Pairs, life: usize) -> bool {
        self.may_go_on() && !(self.pair != NO_PAIR && pairs.has_other(self.pair, life))
    }

    /// Notes bytes that have been counted outside a pair.
    pub fn note_counted(&mut self, counted: &Moved) {
        let start = self.lifetime.since(counted.all());
        let first = |from: u64, start: u64, bytes: u64| if bytes > 0 { from.min(start) } else { from };
        let (from, bytes) = (self.counted_from, counted.all());
        self.counted_from =
            Bytes { tx: first(from.tx, start.tx, bytes.tx), rx: first(from.rx, start.rx, bytes.rx) };
    }

    /// Parts of its byte streams that were counted outside a pair.
    pub fn streams(&self) -> Streams {
        Streams::of_one(self.counted_from, self.lifetime)
    }

    /// A key that is the same in every pass over the records.
    pub fn first_key(&self) -> FlowKey {
        FlowKey { id: self.first_id, ..self.key }
    }

    /// Whether it may become an end of a pair and is in none.
    pub fn may_pair(&self) -> bool {
        self.may_pair && self.pair == NO_PAIR
    }

    pub fn order(key: &FlowKey) -> (u64, FlowKey) {
        (key.id, *key)
    }

    pub fn has_ended(&self) -> bool {
        self.flags & flags::ENDED != 0
    }

    /// Whether later records may have more bytes of it to count.
    pub fn may_go_on(&self) -> bool {
        !self.has_ended() && !self.is_right && self.counts != Verdict::NONE
    }
}

/// When a socket was opened in µs since 1970 UTC, or the start of the window if that is unknown.
pub fn since_us(flow: &FlowRecord, span: &Span) -> i64 {
    if !flow.is_born() {
        return by_end(span).start_us;
    }
    let age_us = i64::try_from(span.end_ns.saturating_sub(flow.flow.opened_ns) / 1000).unwrap_or(i64::MAX);
    span.end_us.saturating_sub(age_us)
}
