//! Follows the records of each boot: bytes of each socket in the window, and in the gap before it.
//!
//! The counters over the life of a socket decide. Between two windows they say what has moved in the gap; where two
//! recordings overlap, what has moved since the end of the first one.

use std::cmp::Ordering;
use std::collections::HashMap;

use flowtop_common::{FlowKey, flags};
use foldhash::fast::RandomState;

use super::intervals::{Interval, by_end};
use super::moved::{Moved, NO_PAIR};
use super::pairs::{Known, Late, Pair, Pairs, Side, Streams, have_same_ends, may_be_of_two_hosts, mirrored};
use super::plan::Plan;
use super::rows::{Place, RowId, Rows};
use flowtop_core::flow::Role;
use flowtop_core::record::{FlowRecord, Record, Span, is_step};
use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

/// Flags on the birth of a socket. A recorder that finds it open does not have them, another one may.
const BIRTH: u32 = flags::BORN | flags::ACTIVE | flags::PASSIVE;

/// The flags of a socket, with what the record before knew.
fn flags_of(flow: &FlowRecord, same: Option<&Socket>) -> u32 {
    flow.flow.flags | same.map_or(0, |same| same.flags & BIRTH)
}

/// How much later the clock of one host may say that a connection was opened than that of another one, in µs. Clocks that
/// are kept by NTP are well within it.
const SKEW_US: u64 = 5_000_000;

/// How a window lies to the one before, of the same boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// There is no record before it.
    First,
    /// It starts where the other ends.
    Next,
    /// Time passed between the two records.
    Gap,
    /// It starts before the other ends.
    Overlap,
    /// It lies within the time of the one before.
    Inside,
}

/// Time that one record adds, beside the bytes of its sockets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// How it lies to the one before.
    pub join: Join,
    /// Sockets of the record before that are not in this one, and had not ended.
    pub ended_unseen: u64,
    /// Sockets whose bytes between the windows are not known.
    pub unknown: u64,
    /// Bytes that may have been counted with the record before.
    pub overlapping: Bytes,
    /// Whether the clock was set since the record before.
    pub clock_stepped: bool,
    /// Whether the same traffic counted in the record before.
    pub same_limits: bool,
    /// Monotonic time up to which all had been counted, in ns.
    pub until_ns: u64,
}

impl Step {
    /// The part of a window that no earlier record covers.
    pub fn window(&self, span: &Span) -> Interval {
        let whole = by_end(span);
        let known_us = match self.join {
            Join::Overlap => self.until_ns.saturating_sub(span.start_ns) / 1000,
            _ => 0,
        };
        Interval { start_us: whole.start_us.saturating_add_unsigned(known_us), ..whole }
    }
}

/// A socket as the last record had it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    key: FlowKey,
    /// The id in the first record that it was in: each recorder gives its own.
    first_id: u64,
    lifetime: Bytes,
    flags: u32,
    counts: Verdict,
    is_right: bool,
    /// Whether its other end may be on another host.
    may_pair: bool,
    /// When it was opened; if that was not seen, the start of the first window that it was in.
    since_us: i64,
    /// The row that it was added to.
    pub place: Place,
    /// Its row, if it may become an end of a pair.
    pub row: Option<RowId>,
    pair: u32,
    /// From where on it has been counted while it was in no pair.
    counted_from: Bytes,
    /// Whether another socket had its ends mirrored and could not be taken for its other end.
    looks_on: bool,
}

/// The start of what has not been counted.
const NOT_COUNTED: Bytes = Bytes { tx: u64::MAX, rx: u64::MAX };

impl Socket {
    fn of(flow: &FlowRecord, span: &Span) -> Self {
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
            looks_on: false,
        }
    }

    /// Notes what has been counted of it while it is in no pair.
    pub fn note_counted(&mut self, counted: &Moved) {
        let start = self.lifetime.since(counted.all());
        let first = |from: u64, start: u64, bytes: u64| if bytes > 0 { from.min(start) } else { from };
        let (from, bytes) = (self.counted_from, counted.all());
        self.counted_from =
            Bytes { tx: first(from.tx, start.tx, bytes.tx), rx: first(from.rx, start.rx, bytes.rx) };
    }

    /// Byte streams counted while it was in no pair.
    fn streams(&self) -> Streams {
        Streams::of_one(self.counted_from, self.lifetime)
    }

    /// Key of the socket that is the same in every pass.
    fn first_key(&self) -> FlowKey {
        FlowKey { id: self.first_id, ..self.key }
    }

    /// Whether it may become an end of a pair, and is in none.
    pub fn may_pair(&self) -> bool {
        self.may_pair && self.pair == NO_PAIR
    }

    fn order(key: &FlowKey) -> (u64, FlowKey) {
        (key.id, *key)
    }

    fn has_ended(&self) -> bool {
        self.flags & flags::ENDED != 0
    }

    /// Whether more may come of it that counts.
    fn may_go_on(&self) -> bool {
        !self.has_ended() && !self.is_right && self.counts != Verdict::NONE
    }
}

/// When a socket was opened by the wall clock; if that was not seen, the start of the window.
fn since_us(flow: &FlowRecord, span: &Span) -> i64 {
    if !flow.is_born() {
        return by_end(span).start_us;
    }
    let age_us = i64::try_from(span.end_ns.saturating_sub(flow.flow.opened_ns) / 1000).unwrap_or(i64::MAX);
    span.end_us.saturating_sub(age_us)
}

/// A record that has been read and not counted. Its flows are in order.
#[derive(Debug)]
pub(super) struct Ahead {
    pub record: Record,
    /// Whether it belongs to the period.
    pub is_inside: bool,
    /// How its window lies to the record before.
    step: Step,
    /// Which of its sockets are in the record before.
    matched: Matched,
    /// The pair of each flow, if there may be any.
    pairs: Vec<u32>,
    /// Flows whose other end may come to light in a later record, in order.
    look_on: Vec<usize>,
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
    /// Whether the report has more of a pair than its bytes.
    keeps_flows: bool,
}

/// State of one boot of one host.
#[derive(Debug, Default)]
struct Boot {
    machine: usize,
    /// Span of the last record.
    span: Option<Span>,
    was_inside: bool,
    /// Whether there is no record after that.
    is_over: bool,
    limits: String,
    /// Sockets by id.
    sockets: Vec<Socket>,
    ahead: Option<Ahead>,
}

/// Where something is among others that are in the order of their ids.
fn find<T>(all: &[T], id: u64, key: fn(&T) -> &FlowKey, is_it: impl Fn(&FlowKey) -> bool) -> Option<usize> {
    let first = all.partition_point(|one| key(one).id < id);
    let place = all[first..].iter().take_while(|one| key(one).id == id).position(|one| is_it(key(one)))?;
    Some(first + place)
}

/// Result of the search for the other end of a socket.
enum Found {
    /// Number of the pair of both ends.
    Pair(u32),
    /// Sockets with the same ends, none of which can be taken for it.
    NotYet,
    Nothing,
}

/// A socket that may be the other end of one that is looked at.
#[derive(Clone, Copy, Debug)]
struct Other {
    life: usize,
    /// Its place in the record that has been read.
    ahead: Option<usize>,
    /// Its place among the sockets of the record before.
    state: Option<usize>,
    pair: u32,
    flags: u32,
    since_us: i64,
    until_us: i64,
}

/// The end that is looked at.
struct One<'a> {
    life: usize,
    flow: &'a FlowRecord,
    span: &'a Span,
    /// The same in the record before.
    same: Option<&'a Socket>,
}

impl One<'_> {
    fn first_key(&self) -> FlowKey {
        self.same.map_or(self.flow.key, Socket::first_key)
    }

    fn flags(&self) -> u32 {
        flags_of(self.flow, self.same)
    }

    fn since_us(&self) -> i64 {
        self.same.map_or_else(|| since_us(self.flow, self.span), |same| same.since_us)
    }

    fn until_us(&self) -> i64 {
        if self.flow.has_ended() { self.span.end_us } else { i64::MAX }
    }

    /// How far apart the two were opened, if that says or does not exclude that they are one connection.
    fn apart_us(&self, other: &Other) -> Option<u64> {
        let have_births = self.flags() & other.flags & flags::BORN != 0;
        let apart_us = if have_births { self.since_us().abs_diff(other.since_us) } else { u64::MAX };
        let overlap = self.since_us() < other.until_us && other.since_us < self.until_us();
        (overlap || apart_us <= SKEW_US).then_some(apart_us)
    }
}

impl Boots {
    /// Those of a plan. `keeps_flows` says that more is asked of a pair than its bytes.
    pub fn new(plan: &Plan, keeps_flows: bool) -> Self {
        let boot = |machine| Boot { machine, ..Boot::default() };
        Self {
            lives: plan.lives.iter().map(|life| boot(life.machine)).collect(),
            pairs: Pairs::default(),
            has_several: plan.machines.len() > 1,
            keeps_flows,
        }
    }

    pub fn machine(&self, life: usize) -> usize {
        self.lives[life].machine
    }

    /// Takes in the next record of a life, which is counted later, and looks for the other ends of its sockets.
    pub fn read(&mut self, life: usize, record: Record, is_inside: bool, rows: &mut Rows) {
        let is_sorted = record.flows.is_sorted_by_key(|flow| Socket::order(&flow.key));
        let record = if is_sorted { record } else { record.sorted().into_owned() };
        let boot = &self.lives[life];
        let step = boot.step(&record);
        let matched = Matched::new(&boot.sockets, &record.flows, step.until_ns);
        let mut ahead = Ahead { record, is_inside, step, matched, pairs: Vec::new(), look_on: Vec::new() };
        if self.has_several {
            if self.lives[life].span.is_none() {
                self.retire_before(life);
            }
            self.look_for_pairs(life, &mut ahead, rows);
        }
        self.lives[life].ahead = Some(ahead);
    }

    /// The record of a life that has been read.
    pub fn take_ahead(&mut self, life: usize) -> Option<Ahead> {
        self.lives[life].ahead.take()
    }

    /// Forgets the sockets of earlier lives of the same machine.
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

    /// A socket is in no record any more.
    fn forget(&mut self, life: usize, socket: &Socket) {
        if socket.may_pair {
            self.pairs.forget(life, &socket.key);
        }
        if socket.pair != NO_PAIR {
            self.pairs.release(socket.pair, life);
        }
    }

    fn look_for_pairs(&mut self, life: usize, ahead: &mut Ahead, rows: &mut Rows) {
        ahead.pairs = vec![NO_PAIR; ahead.record.flows.len()];
        let sockets = std::mem::take(&mut self.lives[life].sockets);
        let was_inside = self.lives[life].was_inside;
        let mut last = None;
        for place in 0..ahead.record.flows.len() {
            let flow = &ahead.record.flows[place];
            let is_twice = last.replace(flow.key) == Some(flow.key);
            if is_twice || !may_be_of_two_hosts(flow) {
                continue;
            }
            let same = ahead.matched.same(place).map(|same| &sockets[same]);
            if same.is_none_or(|same| !same.may_pair || same.key != flow.key) {
                self.pairs.learn(life, &flow.key);
            }
            let pair = same.map_or(NO_PAIR, |same| same.pair);
            // Of two sockets the one that comes later looks for the other.
            let looks = !was_inside || same.is_none_or(|same| same.looks_on || !same.may_pair);
            ahead.pairs[place] = if pair == NO_PAIR && ahead.is_inside && looks {
                match self.pair(&One { life, flow, span: &ahead.record.span, same }, rows) {
                    Found::Pair(pair) => pair,
                    Found::NotYet => {
                        ahead.look_on.push(place);
                        NO_PAIR
                    }
                    Found::Nothing => NO_PAIR,
                }
            } else {
                pair
            };
        }
        self.lives[life].sockets = sockets;
    }

    /// The pair of a socket that is in none, if its other end is known.
    fn pair(&mut self, one: &One<'_>, rows: &mut Rows) -> Found {
        if let Some(late) = self.pairs.expected.get(&(one.life, one.first_key())) {
            let Late { life, row, flow } = late.clone();
            return Found::Pair(self.expect(one, [life, one.life], row, flow));
        }
        let (other, is_any) = self.other_end(one);
        let pair = other.and_then(|other| {
            if other.pair == NO_PAIR {
                return self.form(one, &other, rows);
            }
            // A first pass has seen that this end would come.
            let pair = self.pairs.get_mut(other.pair)?;
            pair.is_expected = false;
            pair.end(Side::Left).is_held = true;
            Some(other.pair)
        });
        let nothing = if is_any { Found::NotYet } else { Found::Nothing };
        pair.map_or(nothing, Found::Pair)
    }

    fn expect(&mut self, one: &One<'_>, lives: [usize; 2], row: RowId, flow: Option<Box<FlowRecord>>) -> u32 {
        let keeps_flows = self.keeps_flows;
        let (number, pair) = self.pairs.form(lives, row, Streams::default());
        pair.is_expected = true;
        (pair.end(Side::Left).is_held, pair.end(Side::Left).flow) = (false, flow);
        pair.end(Side::Right).flow = keeps_flows.then(|| Box::new(one.flow.clone()));
        number
    }

    /// The socket on another host that is most likely the other end: of those that were open at the same time, the one that
    /// was opened at nearly the same time. And whether there is any with the same ends.
    fn other_end(&self, one: &One<'_>) -> (Option<Other>, bool) {
        let (machine, mirror) = (self.lives[one.life].machine, mirrored(&one.flow.key));
        let (mut best, mut is_any) = (None, false);
        for known in self.pairs.with_ends(&mirror) {
            if self.lives[known.life as usize].machine == machine {
                continue;
            }
            is_any = true;
            let Some(other) = self.known(&known, &mirror).filter(|other| self.is_free(other, one.life))
            else {
                continue;
            };
            let Some(apart_us) = one.apart_us(&other) else { continue };
            let order = |other: &Other| (other.life, other.state, other.ahead);
            if best.as_ref().is_none_or(|(us, known)| (apart_us, order(&other)) < (*us, order(known))) {
                best = Some((apart_us, other));
            }
        }
        (best.map(|(_, other)| other), is_any)
    }

    /// Whether a socket is in no pair yet, or in one whose other end has been expected from this life.
    fn is_free(&self, other: &Other, life: usize) -> bool {
        let expects = |pair: &Pair| pair.is_expected && pair.side(life) == Side::Left;
        other.pair == NO_PAIR || self.pairs.get(other.pair).is_some_and(expects)
    }

    /// A socket with these ends in the newest records of its life, as far as they belong to the period.
    fn known(&self, known: &Known, ends: &FlowKey) -> Option<Other> {
        let life = known.life as usize;
        let boot = &self.lives[life];
        let is_it = |key: &FlowKey| key.id == known.id && have_same_ends(key, ends);
        if let Some(ahead) = boot.ahead.as_ref().filter(|ahead| ahead.is_inside) {
            let (flows, span) = (&ahead.record.flows, &ahead.record.span);
            if let Some(place) = find(flows, known.id, |flow| &flow.key, is_it) {
                let flow = &flows[place];
                let state = ahead.matched.same(place);
                let socket = state.map(|state| &boot.sockets[state]);
                let since_us = socket.map_or_else(|| since_us(flow, span), |socket| socket.since_us);
                let until_us = if flow.has_ended() { span.end_us } else { i64::MAX };
                let of_state = socket.map_or(NO_PAIR, |socket| socket.pair);
                let pair = if of_state == NO_PAIR { ahead.pair(place) } else { of_state };
                let flags = flags_of(flow, socket);
                return Some(Other { life, ahead: Some(place), state, pair, flags, since_us, until_us });
            }
        }
        let state = find(&boot.sockets, known.id, |socket| &socket.key, is_it);
        let has_moved_on = |state: usize| {
            boot.ahead.as_ref().is_some_and(|ahead| ahead.matched.moved_on.binary_search(&state).is_ok())
        };
        let socket = &boot.sockets[state.filter(|state| boot.was_inside && !has_moved_on(*state))?];
        let until_us = if socket.has_ended() { boot.span?.end_us } else { i64::MAX };
        let Socket { pair, flags, since_us, .. } = *socket;
        Some(Other { life, ahead: None, state, pair, flags, since_us, until_us })
    }

    /// Makes a pair of two ends, unless more is asked of the left one than is known.
    fn form(&mut self, one: &One<'_>, other: &Other, rows: &mut Rows) -> Option<u32> {
        let is_left = Role::of(one.flags()).leads(Role::of(other.flags), &one.flow.tuple());
        let boot = &self.lives[other.life];
        let there = other.ahead.zip(boot.ahead.as_ref()).map(|(place, ahead)| &ahead.record.flows[place]);
        let state = other.state.map(|state| &boot.sockets[state]);
        let row = match (is_left, there) {
            (true, _) => rows.id(self.machine(one.life), one.flow),
            (false, Some(flow)) => rows.id(boot.machine, flow),
            (false, None) => state?.row.clone().filter(|_| !self.keeps_flows)?,
        };
        let kept = |flow: &FlowRecord| Box::new(flow.clone());
        let mut flows = [Some(one.flow), there].map(|flow| flow.filter(|_| self.keeps_flows).map(kept));
        let streams = [one.same, state].map(|socket| socket.map(Socket::streams).unwrap_or_default());
        let places = [one.same, state].map(|socket| socket.map_or(Place::NONE, |socket| socket.place));
        let (left, right) = if is_left { (0, 1) } else { (1, 0) };
        let lives = [one.life, other.life];
        if streams[right].are_counted() {
            let key = if is_left { state.map(Socket::first_key) } else { Some(one.first_key()) };
            let late = Late { life: lives[left], row: row.clone(), flow: flows[left].clone() };
            self.pairs.note_late((lives[right], key?), late);
        }
        let counted = streams[left].clone().join(&streams[right].clone().mirror());
        let (number, pair) = self.pairs.form([lives[left], lives[right]], row, counted);
        pair.place = places[left];
        pair.is_counted = places.iter().any(|place| *place != Place::NONE);
        (pair.end(Side::Left).flow, pair.end(Side::Right).flow) = (flows[left].take(), flows[right].take());
        let boot = &mut self.lives[other.life];
        match (other.ahead.zip(boot.ahead.as_mut()), other.state) {
            (Some((place, ahead)), _) => ahead.pairs[place] = number,
            (None, Some(state)) => boot.sockets[state].pair = number,
            (None, None) => {}
        }
        Some(number)
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

    /// Counts the record of a life that had been read; `is_last` says that there is none behind it. `each` gets every
    /// socket with what it has moved, and its pair if it is in one.
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
            socket.looks_on = ahead.look_on.binary_search(&place).is_ok();
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

    /// A record brings nothing new: its sockets are those of the record before.
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

impl Socket {
    /// Takes over what is known of the same socket from the record before.
    fn go_on(&mut self, same: &mut Self) {
        self.first_id = same.first_id;
        self.flags |= same.flags & BIRTH;
        self.place = same.place;
        self.row = same.row.take();
        self.pair = same.pair;
        self.counted_from = same.counted_from;
        self.since_us = same.since_us;
        self.may_pair |= same.may_pair;
    }

    /// Whether its end would go unseen if it were not in the next record.
    fn waits(&self, pairs: &Pairs, life: usize) -> bool {
        self.may_go_on() && !(self.pair != NO_PAIR && pairs.has_other(self.pair, life))
    }
}

impl Boot {
    fn step(&self, record: &Record) -> Step {
        let span = &record.span;
        let (until_ns, join) = match &self.span {
            None => (0, Join::First),
            Some(last) if span.end_ns <= last.end_ns || span.start_ns < last.start_ns => {
                (last.end_ns, Join::Inside)
            }
            Some(last) => match span.start_ns.cmp(&last.end_ns) {
                Ordering::Less => (last.end_ns, Join::Overlap),
                Ordering::Equal => (last.end_ns, Join::Next),
                Ordering::Greater => (last.end_ns, Join::Gap),
            },
        };
        let offset_us = |us: i64, ns: u64| us.saturating_sub(i64::try_from(ns / 1000).unwrap_or(i64::MAX));
        let last_us = self
            .span
            .map_or_else(|| offset_us(span.start_us, span.start_ns), |s| offset_us(s.end_us, s.end_ns));
        let drift_us = offset_us(span.end_us, span.end_ns).saturating_sub(last_us);
        let over_ns = span.end_ns.saturating_sub(self.span.map_or(span.start_ns, |last| last.end_ns));
        Step {
            join,
            ended_unseen: 0,
            unknown: 0,
            overlapping: Bytes::default(),
            clock_stepped: is_step(drift_us.unsigned_abs(), over_ns),
            same_limits: self.limits == record.limits,
            until_ns,
        }
    }
}

/// Which sockets of a record are in the one before.
#[derive(Debug)]
struct Matched {
    /// For each flow its place there.
    same: Vec<u32>,
    /// Those there that are not found under their key.
    not_found: Vec<usize>,
    /// Those there that are found under another id, in order.
    moved_on: Vec<usize>,
}

/// The place of a socket that was not there.
const NO_PLACE: u32 = u32::MAX;

impl Matched {
    /// Compares sockets and flows, both in order.
    fn new(sockets: &[Socket], flows: &[FlowRecord], until_ns: u64) -> Self {
        let mut matched =
            Self { same: Vec::with_capacity(flows.len()), not_found: Vec::new(), moved_on: Vec::new() };
        let (mut passed, mut by_tuple) = (0, None);
        for flow in flows {
            let found = matched
                .pass(sockets, &mut passed, &flow.key)
                .or_else(|| matched.by_tuple(sockets, &mut by_tuple, flow, until_ns));
            matched.same.push(found.map_or(NO_PLACE, |place| u32::try_from(place).unwrap_or(NO_PLACE)));
        }
        matched.not_found.extend(passed..sockets.len());
        matched.moved_on.sort_unstable();
        matched
    }

    fn same(&self, place: usize) -> Option<usize> {
        self.same.get(place).filter(|place| **place != NO_PLACE).map(|place| *place as usize)
    }

    /// Finds the socket with this key.
    fn pass(&mut self, sockets: &[Socket], passed: &mut usize, key: &FlowKey) -> Option<usize> {
        while let Some(socket) = sockets.get(*passed) {
            match Socket::order(&socket.key).cmp(&Socket::order(key)) {
                Ordering::Less => self.not_found.push(*passed),
                Ordering::Equal => {
                    *passed += 1;
                    return Some(*passed - 1);
                }
                Ordering::Greater => break,
            }
            *passed += 1;
        }
        None
    }

    /// The same socket under another id: each run of a recorder gives its own to those that it finds, or sees born. Of all
    /// sockets that were open at the end of the last record, one has this tuple; and it has moved no more than this one.
    fn by_tuple(
        &mut self,
        sockets: &[Socket],
        by_tuple: &mut Option<HashMap<FlowKey, usize, RandomState>>,
        flow: &FlowRecord,
        until_ns: u64,
    ) -> Option<usize> {
        let is_new = flow.is_born() && flow.flow.opened_ns >= until_ns;
        if is_new || sockets.is_empty() {
            return None;
        }
        let by_tuple = by_tuple.get_or_insert_with(|| {
            let open = sockets.iter().enumerate().filter(|(_, socket)| !socket.has_ended());
            open.map(|(place, socket)| (FlowKey { id: 0, ..socket.key }, place)).collect()
        });
        let place = *by_tuple.get(&FlowKey { id: 0, ..flow.key })?;
        let socket = &sockets[place];
        let (then, now) = (socket.lifetime, flow.lifetime());
        let is_it = socket.key.id != flow.key.id && then.tx <= now.tx && then.rx <= now.rx;
        is_it.then(|| {
            self.moved_on.push(place);
            place
        })
    }

    /// The sockets that are in the next record no more. Of one that has moved on, only its old id is gone.
    fn gone<'a>(&'a self, sockets: &'a [Socket]) -> impl Iterator<Item = Socket> + 'a {
        self.not_found.iter().map(|place| {
            let socket = sockets[*place].clone();
            let has_moved_on = self.moved_on.binary_search(place).is_ok();
            if has_moved_on { Socket { pair: NO_PAIR, ..socket } } else { socket }
        })
    }
}

/// Traffic of one socket, and how much of it cannot be placed.
#[derive(Clone, Copy, Debug, Default)]
struct OfOne {
    bytes: Moved,
    /// Whether more may have moved between the windows.
    is_unknown: bool,
    /// Bytes that may have been counted with the record before.
    overlapping: Bytes,
}

impl Step {
    /// Traffic of an end since the last record.
    fn moved(&self, flow: &FlowRecord, same: Option<&Socket>) -> OfOne {
        let bytes = Moved { window: flow.bytes, between: Bytes::default() };
        match self.join {
            Join::First | Join::Next | Join::Inside => OfOne { bytes, ..OfOne::default() },
            Join::Gap => {
                let since = self.since(flow, same);
                let bytes = Moved { between: since.bytes.since(flow.bytes), ..bytes };
                OfOne { bytes, is_unknown: !since.is_whole && !flow.is_right, ..OfOne::default() }
            }
            Join::Overlap => {
                let since = self.since(flow, same);
                let window =
                    Bytes { tx: since.bytes.tx.min(flow.bytes.tx), rx: since.bytes.rx.min(flow.bytes.rx) };
                let may_be_known = !since.is_whole && !flow.is_right;
                let overlapping = if may_be_known { flow.bytes.since(window) } else { Bytes::default() };
                OfOne { bytes: Moved { window, ..bytes }, is_unknown: false, overlapping }
            }
        }
    }

    /// Bytes since the end of the last record, as far as they are known.
    fn since(&self, flow: &FlowRecord, same: Option<&Socket>) -> Since {
        let unknown = Since { bytes: Bytes::default(), is_whole: flow.counts == Verdict::NONE };
        let now = flow.lifetime();
        let is_new = flow.is_born() && flow.flow.opened_ns >= self.until_ns;
        match same {
            _ if !self.same_limits => unknown,
            None if is_new => Since { bytes: flow.counts.of(now), is_whole: true },
            None => unknown,
            Some(then) if then.is_right != flow.is_right => unknown,
            Some(then) if then.lifetime.tx > now.tx || then.lifetime.rx > now.rx => unknown,
            Some(then) => {
                let bytes = then.counts.and(flow.counts).of(now.since(then.lifetime));
                Since { bytes, is_whole: then.counts == flow.counts }
            }
        }
    }
}

/// Bytes since the last record.
struct Since {
    bytes: Bytes,
    /// Whether these are all that count.
    is_whole: bool,
}
