//! Follows the records of each boot: bytes of each socket in the window, and in the gap before it.
//!
//! The counters over the life of a socket decide. Between two windows they say what has moved in the gap; where two
//! recordings overlap, what has moved since the end of the first one.

use super::Question;
use super::intervals::{Interval, by_end};
use super::moved::{Moved, NO_PAIR};
use super::pairs::{Pair, Pairs, may_be_of_two_hosts};
use super::plan::Plan;
use super::rows::Rows;
use flowtop_core::record::limits::TrafficLimits;
use flowtop_core::record::{FlowRecord, Record, Span};
use matched::Matched;
pub(super) use socket::Socket;
pub(super) use step::{Join, Step};

mod left;
mod matched;
mod other_end;
mod socket;
mod step;

/// A record that has been read ahead and not counted yet. Its flows are sorted by [`Socket::order`].
#[derive(Debug)]
pub(super) struct Ahead {
    pub record: Record,
    /// Whether it belongs to the period of the report.
    pub is_inside: bool,
    step: Step,
    matched: Matched,
    /// The pair of each flow; empty if there cannot be any.
    pairs: Vec<u32>,
    /// Places of flows whose other end may be found with a later record, sorted.
    search_on: Vec<usize>,
}

impl Ahead {
    fn pair(&self, place: usize) -> u32 {
        self.pairs.get(place).copied().unwrap_or(NO_PAIR)
    }
}

#[derive(Debug)]
pub(super) struct Boots {
    lives: Vec<Boot>,
    pub pairs: Pairs,
    /// Whether there are several machines, so that there may be pairs.
    pub has_several: bool,
    /// Whether the report needs more of a pair than its bytes.
    keeps_flows: bool,
    question: Question,
}

/// State of one boot of one host.
#[derive(Debug, Default)]
struct Boot {
    machine: usize,
    /// Span of the last record.
    span: Option<Span>,
    was_inside: bool,
    /// Whether the last record has been counted.
    is_over: bool,
    limits: TrafficLimits,
    /// Sockets by id.
    sockets: Vec<Socket>,
    ahead: Option<Ahead>,
}

impl Boots {
    /// Nothing yet, of the lives that the plan tells.
    pub fn new(plan: &Plan, question: &Question) -> Self {
        let boot = |machine| Boot { machine, ..Boot::default() };
        Self {
            lives: plan.lives.iter().map(|life| boot(life.machine)).collect(),
            pairs: Pairs::default(),
            has_several: plan.machines.len() > 1,
            keeps_flows: question.has_filter(),
            question: question.clone(),
        }
    }

    pub fn machine(&self, life: usize) -> usize {
        self.lives[life].machine
    }

    /// Reads ahead the next record of a life, and searches for the other ends of its sockets.
    pub fn read(&mut self, life: usize, record: Record, is_inside: bool, rows: &mut Rows) {
        let is_sorted = record.flows.is_sorted_by_key(|flow| Socket::order(&flow.key));
        let record = if is_sorted { record } else { record.sorted().into_owned() };
        let boot = &self.lives[life];
        let step = Step::new(boot.span, &boot.limits, &record);
        let matched = Matched::new(&boot.sockets, &record.flows, step.until_ns);
        let mut ahead = Ahead { record, is_inside, step, matched, pairs: Vec::new(), search_on: Vec::new() };
        if self.has_several {
            if self.lives[life].span.is_none() {
                self.retire_before(life);
            }
            self.look_for_pairs(life, &mut ahead, rows);
        }
        self.lives[life].ahead = Some(ahead);
    }

    /// The record of a life that has been read ahead.
    pub fn take_ahead(&mut self, life: usize) -> Option<Ahead> {
        self.lives[life].ahead.take()
    }

    /// Forgets the sockets of earlier boots of the same machine.
    fn retire_before(&mut self, life: usize) {
        let machine = self.lives[life].machine;
        for other in 0..self.lives.len() {
            let boot = &mut self.lives[other];
            if boot.machine == machine && boot.is_over {
                for socket in std::mem::take(&mut boot.sockets) {
                    self.forget(other, &socket);
                }
            }
        }
    }

    /// Forgets a socket that no later record has.
    fn forget(&mut self, life: usize, socket: &Socket) {
        if socket.may_pair {
            self.pairs.forget(life, &socket.key);
        }
        if socket.pair != NO_PAIR {
            self.pairs.release(socket.pair, life);
        }
    }

    /// Whether the last record belonged to the period.
    pub fn was_inside(&self, life: usize) -> bool {
        self.lives[life].was_inside
    }

    /// The time between the last record and one that starts later.
    pub fn gap(&self, life: usize, span: &Span) -> Option<Interval> {
        let last = self.lives[life].span.filter(|last| last.end_ns < span.start_ns)?;
        let length_us = i64::try_from((span.start_ns - last.end_ns) / 1000).unwrap_or(i64::MAX);
        let end_us = by_end(span).start_us;
        Some(Interval { start_us: end_us.saturating_sub(length_us), end_us })
    }

    /// Counts a record that was read ahead; `is_last` says that it is the last one of its life. Calls `each` for every
    /// socket with its bytes and its pair, if it is in one.
    pub fn count(
        &mut self,
        life: usize,
        ahead: &Ahead,
        is_last: bool,
        mut each: impl FnMut(&FlowRecord, &Moved, &mut Socket, Option<&mut Pair>),
    ) -> Step {
        let (record, matched, mut step) = (&ahead.record, &ahead.matched, ahead.step);
        self.lives[life].is_over = is_last;
        if step.join == Join::Inside {
            self.pass_over(life, ahead);
            return step;
        }
        let mut before = std::mem::take(&mut self.lives[life].sockets);
        let waits = |socket: &Socket, pairs: &Pairs| step.join == Join::Gap && socket.waits(pairs, life);
        let waiting = before.iter().filter(|socket| waits(socket, &self.pairs)).count() as u64;
        let (mut found, mut last) = (0, None);
        let mut sockets = Vec::with_capacity(record.flows.len());
        for (place, flow) in record.flows.iter().enumerate() {
            if last.replace(flow.key) == Some(flow.key) {
                continue;
            }
            let mut socket = Socket::of(flow, &record.span);
            let same = matched.same(place);
            found += u64::from(same.is_some_and(|same| waits(&before[same], &self.pairs)));
            let moved = step.moved(flow, same.map(|same| &before[same]));
            if let Some(same) = same {
                socket.go_on(&mut before[same]);
            }
            if self.keeps_flows && socket.may_pair {
                socket.judge(&self.question, flow);
            }
            socket.searches_on = ahead.search_on.binary_search(&place).is_ok();
            let ahead_pair = ahead.pair(place);
            if socket.pair == NO_PAIR {
                socket.pair = ahead_pair;
            } else if ahead_pair != NO_PAIR && ahead_pair != socket.pair {
                self.pairs.release(ahead_pair, life);
            }
            let pair = self.pairs.get_mut(socket.pair);
            each(flow, &moved.bytes, &mut socket, pair);
            step.unknown += u64::from(moved.is_unknown);
            step.overlapping += moved.overlapping;
            sockets.push(socket);
        }
        step.ended_unseen = waiting.saturating_sub(found);
        if self.has_several {
            matched.gone(&before).for_each(|socket| self.forget(life, &socket));
        }
        let boot = &mut self.lives[life];
        (boot.sockets, boot.span, boot.was_inside) = (sockets, Some(record.span), ahead.is_inside);
        boot.limits.clone_from(&record.limits);
        step
    }

    /// Skips a record that the previous one covers, keeping the state of its sockets.
    fn pass_over(&mut self, life: usize, ahead: &Ahead) {
        if !self.has_several {
            return;
        }
        let mut last = None;
        for (place, flow) in ahead.record.flows.iter().enumerate() {
            if last.replace(flow.key) == Some(flow.key) || !may_be_of_two_hosts(flow) {
                continue;
            }
            let same = ahead.matched.same(place).map(|same| &mut self.lives[life].sockets[same]);
            if same.as_ref().is_none_or(|same| same.key != flow.key) {
                self.pairs.forget(life, &flow.key);
            }
            match same {
                Some(same) if same.pair == NO_PAIR => same.pair = ahead.pair(place),
                Some(same) if same.pair == ahead.pair(place) => {}
                _ => self.pairs.release(ahead.pair(place), life),
            }
        }
    }
}
