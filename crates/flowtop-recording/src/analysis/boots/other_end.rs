//! Finds the other end of a socket among those of other hosts, and makes a pair of the two.

use flowtop_common::{FlowKey, flags};

use super::super::moved::NO_PAIR;
use super::super::pairs::{Known, Late, Pair, Side, Streams, have_same_ends, may_be_of_two_hosts, mirrored};
use super::super::rows::{Place, RowId, Rows};
use super::socket::{flags_of, since_us};
use super::{Ahead, Boots, Socket};
use flowtop_core::record::limits::TrafficLimits;
use flowtop_core::record::{FlowRecord, Record, Span};

/// How much later the clock of one host may say that a connection was opened than that of another one, in µs. Clocks
/// that are kept by NTP are well within it.
const SKEW_US: u64 = 5_000_000;

/// Index of an element in `all`, which is sorted by id.
fn find<T>(all: &[T], id: u64, key: fn(&T) -> &FlowKey, is_it: impl Fn(&FlowKey) -> bool) -> Option<usize> {
    let first = all.partition_point(|one| key(one).id < id);
    let place = all[first..].iter().take_while(|one| key(one).id == id).position(|one| is_it(key(one)))?;
    Some(first + place)
}

/// Result of the search for the other end of a socket.
enum Found {
    /// Number of the pair of both ends.
    Pair(u32),
    /// There are sockets with the same ends, but none qualifies yet.
    NotYet,
    Nothing,
}

/// A candidate for the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Other {
    pub life: usize,
    /// Its place in the record that has been read ahead.
    pub ahead: Option<usize>,
    /// Its place among the sockets of the previous record.
    pub state: Option<usize>,
    pair: u32,
    pub flags: u32,
    since_us: i64,
    until_us: i64,
}

/// The end whose other end is searched.
pub(super) struct One<'a> {
    pub life: usize,
    pub flow: &'a FlowRecord,
    span: &'a Span,
    /// Settings of the recorder, as its record has them.
    pub limits: &'a TrafficLimits,
    /// The same socket in the previous record.
    same: Option<&'a Socket>,
}

impl One<'_> {
    fn first_key(&self) -> FlowKey {
        self.same.map_or(self.flow.key, Socket::first_key)
    }

    pub fn flags(&self) -> u32 {
        flags_of(self.flow, self.same)
    }

    fn since_us(&self) -> i64 {
        self.same.map_or_else(|| since_us(self.flow, self.span), |same| same.since_us)
    }

    fn until_us(&self) -> i64 {
        if self.flow.has_ended() { self.span.end_us } else { i64::MAX }
    }

    /// Difference in µs between the times at which the two were opened, `u64::MAX` if unknown. `None` if they cannot be
    /// one connection.
    fn apart_us(&self, other: &Other) -> Option<u64> {
        let have_births = self.flags() & other.flags & flags::BORN != 0;
        let apart_us = if have_births { self.since_us().abs_diff(other.since_us) } else { u64::MAX };
        let overlap = self.since_us() < other.until_us && other.since_us < self.until_us();
        (overlap || apart_us <= SKEW_US).then_some(apart_us)
    }
}

impl Boots {
    pub(super) fn look_for_pairs(&mut self, life: usize, ahead: &mut Ahead, rows: &mut Rows) {
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
            // Of two ends, the one that is recorded later searches for the other.
            let searches = !was_inside || same.is_none_or(|same| same.searches_on || !same.may_pair);
            ahead.pairs[place] = if pair == NO_PAIR && ahead.is_inside && searches {
                let Record { span, limits, .. } = &ahead.record;
                match self.pair(&One { life, flow, span, limits, same }, rows) {
                    Found::Pair(pair) => pair,
                    Found::NotYet => {
                        ahead.search_on.push(place);
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

    /// Finds or makes the pair of a socket that is in none.
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
            // The first pass announced this end.
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

    /// The most likely other end: of the sockets that were open at the same time, the one whose opening time is
    /// nearest. Also whether there is any socket with the same ends.
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

    /// Whether a socket is in no pair, or in one that expects its other end from this life.
    fn is_free(&self, other: &Other, life: usize) -> bool {
        let expects = |pair: &Pair| pair.is_expected && pair.side(life) == Side::Left;
        other.pair == NO_PAIR || self.pairs.get(other.pair).is_some_and(expects)
    }

    /// The socket with these ends in the newest records of its life that belong to the period.
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

    /// Makes a pair of two ends. `None` if the report needs the flow of the left one, and it is not known any more.
    fn form(&mut self, one: &One<'_>, other: &Other, rows: &mut Rows) -> Option<u32> {
        let is_left = self.is_left(one, other);
        let boot = &self.lives[other.life];
        let state = other.state.map(|state| &boot.sockets[state]);
        let ahead = other.ahead.zip(boot.ahead.as_ref()).map(|(place, ahead)| &ahead.record.flows[place]);
        let there = ahead.or_else(|| state?.flow.as_deref());
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
        // What the filter has refused of the right end alone, it may let pass where the left one is known.
        let was_judged_alone =
            self.keeps_flows && self.lives[lives[right]].was_inside && [one.same, state][right].is_some();
        if streams[right].are_counted() || was_judged_alone {
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
}
