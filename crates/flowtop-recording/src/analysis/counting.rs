//! Adds the sockets of one record to the rows and to the total.

use super::Bytes;
use super::Question;
use super::boots::Socket;
use super::moved::Moved;
use super::pairs::{Pair, Side};
use super::rows::{Place, Resent, Rows, Tally};
use flowtop_core::record::{FlowRecord, Record};
use flowtop_core::scope::Verdict;

/// Sums over the sockets of one record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Windows {
    /// Of all of them, whether they count or not.
    pub of_all: Bytes,
    /// The same of the time before the window.
    pub explained: Bytes,
    /// Bytes in the directions that count.
    pub counted: Bytes,
    /// The same of the time before the window.
    pub between: Bytes,
    /// The largest peak of one of them.
    pub peak: Bytes,
}

/// How the gap before a window is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeBefore {
    /// The gap lies in the period and is counted.
    Counts,
    /// It is partly in the period: it cannot be counted, which is said.
    AtEdge,
    /// It is not of the period.
    Outside,
}

/// Adds up the sockets of one record.
pub(super) struct Counting<'a> {
    pub question: &'a Question,
    pub record: &'a Record,
    pub life: usize,
    pub machine: usize,
    /// Whether the report has several machines.
    pub has_several: bool,
    /// Whether the window belongs to the period.
    pub is_inside: bool,
    /// How the gap before it is counted.
    pub before: TimeBefore,
    pub rows: &'a mut Rows,
    pub total: &'a mut Tally,
    pub local_twice: &'a mut Bytes,
    pub at_the_edges: &'a mut Bytes,
    pub sums: Windows,
}

impl Counting<'_> {
    /// Takes what one socket has moved.
    pub fn take(&mut self, flow: &FlowRecord, moved: &Moved, socket: &mut Socket, pair: Option<&mut Pair>) {
        if flow.is_right {
            return self.take_right(flow, moved, socket);
        }
        self.sums.of_all += moved.window;
        self.sums.explained += moved.between;
        match pair {
            None => self.take_one(flow, moved, socket),
            Some(pair) => self.take_paired(flow, moved, socket, pair),
        }
    }

    /// A connection of which only this end is recorded, or both ends on this host, of which this one is left.
    fn take_one(&mut self, flow: &FlowRecord, moved: &Moved, socket: &mut Socket) {
        let verdict = self.question.verdict(self.record, flow);
        let moved = moved.of(verdict);
        if self.before == TimeBefore::AtEdge {
            *self.at_the_edges += moved.between;
        }
        let before = socket.place;
        if let Some(counted) = self.counted(&moved) {
            socket.note_counted(&counted);
            self.total.connections += u64::from(before == Place::NONE);
            self.total.resent.add(&Resent::of(flow, verdict));
            self.add_to_total(&counted, verdict.of(flow.peak));
            self.add_to_own_row(flow, &counted, verdict, socket);
        }
        let is_new = socket.row.is_none() || socket.place != before;
        if self.has_several && is_new && socket.may_pair() {
            socket.row = Some(self.rows.id_at(socket.place, self.machine, flow));
        }
    }

    /// A connection of which another host has recorded the other end. It stands in the row of the left end with what either
    /// end has seen; the right end is a row of its own where rows are of ends.
    fn take_paired(&mut self, flow: &FlowRecord, moved: &Moved, socket: &mut Socket, pair: &mut Pair) {
        let side = pair.side(self.life);
        let verdict = self.verdict_of_pair(flow, pair, side);
        let own_verdict = if side == Side::Left { verdict } else { verdict.mirror() };
        let Some(own) = self.counted(&moved.of(own_verdict)) else { return };
        let peak = if side == Side::Left { flow.peak } else { flow.peak.mirror() };
        let new = pair.take(side, flow.lifetime(), &own);
        self.total.connections += u64::from(!pair.is_counted);
        pair.is_counted = true;
        self.add_to_total(&new, verdict.of(peak));
        let place = self.seat_left(flow, pair, side);
        self.rows.add(place, &new, verdict.of(peak));
        if side == Side::Left {
            let resent = Resent::of(flow, verdict);
            self.total.resent.add(&resent);
            self.rows.add_connections(place, 0, &resent);
        } else if self.question.by.groups_ends() {
            *self.local_twice += own.all();
            self.add_to_own_row(flow, &own, own_verdict, socket);
        }
    }

    /// The right end of a connection whose left end is on this host too, or cannot be elsewhere.
    fn take_right(&mut self, flow: &FlowRecord, moved: &Moved, socket: &mut Socket) {
        if !self.question.by.groups_ends() {
            return;
        }
        let left = flow.peer.and_then(|place| self.record.flows.get(place as usize));
        let verdict = left.map_or_else(
            || self.question.verdict(self.record, flow),
            |left| self.question.verdict(self.record, left).mirror(),
        );
        let Some(own) = self.counted(&moved.of(verdict)) else { return };
        *self.local_twice += own.all();
        self.add_to_own_row(flow, &own, verdict, socket);
    }

    /// Traffic in the directions that count; `None` if there is none.
    fn counted(&self, moved: &Moved) -> Option<Moved> {
        let counts = self.before == TimeBefore::Counts;
        let between = if counts { moved.between } else { Bytes::default() };
        let counted = Moved { between, ..*moved };
        (self.is_inside && counted.sum() > 0).then_some(counted)
    }

    /// The verdict on a pair, as its left end sees it.
    fn verdict_of_pair(&self, flow: &FlowRecord, pair: &mut Pair, side: Side) -> Verdict {
        if !self.question.has_filter() {
            return Verdict::ALL;
        }
        pair.end(side).flow = Some(Box::new(flow.clone()));
        match pair.flows() {
            [Some(left), right] => self.question.verdict_of(left, right),
            [None, _] => self.question.verdict_of(flow, None).mirror(),
        }
    }

    /// The row of the left end of a pair.
    fn seat_left(&mut self, flow: &FlowRecord, pair: &mut Pair, side: Side) -> Place {
        let before = pair.place;
        pair.place = match side {
            Side::Left => self.rows.seat(self.machine, flow, before),
            Side::Right => self.rows.seat_again(&pair.row, before),
        };
        if pair.place != before {
            self.rows.add_connections(pair.place, 1, &Resent::default());
            if side == Side::Left {
                pair.row = self.rows.id_at(pair.place, self.machine, flow);
            }
        }
        pair.place
    }

    fn add_to_total(&mut self, counted: &Moved, peak: Bytes) {
        self.sums.counted += counted.window;
        self.sums.between += counted.between;
        self.sums.peak = self.sums.peak.max(peak);
    }

    fn add_to_own_row(&mut self, flow: &FlowRecord, counted: &Moved, verdict: Verdict, socket: &mut Socket) {
        let before = socket.place;
        socket.place = self.rows.seat(self.machine, flow, before);
        self.rows.add(socket.place, counted, verdict.of(flow.peak));
        let resent = Resent::of(flow, verdict);
        self.rows.add_connections(socket.place, u64::from(socket.place != before), &resent);
    }
}
