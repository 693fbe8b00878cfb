//! One record after another of each boot: what each socket has moved in the window, and in the time before it.
//!
//! The counters over the life of a socket decide. Between two windows they say what has moved in the gap; where two
//! recordings overlap, what has moved since the end of the first one.

use std::cmp::Ordering;
use std::collections::HashMap;

use flowtop_common::FlowKey;
use foldhash::fast::RandomState;

use super::cover::{Stretch, by_end};
use crate::core::record::{FlowRecord, Host, Record, STEP_US, Span};
use crate::core::scope::Verdict;
use crate::core::window::Bytes;

/// A row that no socket has been given.
pub(super) const NO_ROW: u32 = u32::MAX;

/// What a socket has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// In the window.
    pub window: Bytes,
    /// Between the end of the window before and the start of this one.
    pub between: Bytes,
}

/// How a window lies to the one before, of the same boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// There is none before.
    First,
    /// It starts where the other ends.
    Next,
    /// There is time between them.
    Gap,
    /// It starts before the other ends.
    Overlap,
    /// It brings nothing new.
    Inside,
}

/// What one record has brought, beside the bytes of sockets.
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
    /// Whether somebody has set the clock since the record before.
    pub clock_stepped: bool,
    /// Monotonic time up to which all had been counted, in ns.
    until_ns: u64,
}

impl Step {
    /// What is new of a window.
    pub fn window(&self, span: &Span) -> Stretch {
        let whole = by_end(span);
        let known_us = match self.join {
            Join::Overlap => self.until_ns.saturating_sub(span.start_ns) / 1000,
            _ => 0,
        };
        Stretch { start_us: whole.start_us.saturating_add_unsigned(known_us), ..whole }
    }
}

/// A socket as the last record had it.
#[derive(Clone, Copy, Debug)]
struct Socket {
    key: FlowKey,
    lifetime: Bytes,
    counts: Verdict,
    is_right: bool,
    has_ended: bool,
    /// The row that it was added to.
    row: u32,
}

impl Socket {
    fn of(flow: &FlowRecord) -> Self {
        Self {
            key: flow.key,
            lifetime: flow.lifetime(),
            counts: flow.counts,
            is_right: flow.is_right,
            has_ended: flow.has_ended(),
            row: NO_ROW,
        }
    }

    fn order(key: &FlowKey) -> (u64, FlowKey) {
        (key.id, *key)
    }
}

/// The boots of all hosts.
#[derive(Debug, Default)]
pub(super) struct Boots(Vec<Boot>);

/// One boot of one host.
#[derive(Debug, Default)]
struct Boot {
    host: Host,
    /// The last record.
    span: Option<Span>,
    was_inside: bool,
    limits: String,
    /// Its sockets, by id.
    sockets: Vec<Socket>,
}

impl Boots {
    /// The number of a boot.
    pub fn number(&mut self, host: &Host) -> usize {
        if let Some(known) = self.0.iter().position(|boot| boot.host == *host) {
            return known;
        }
        self.0.push(Boot { host: host.clone(), ..Boot::default() });
        self.0.len() - 1
    }

    /// Whether the last record belonged to the period.
    pub fn was_inside(&self, number: usize) -> bool {
        self.0[number].was_inside
    }

    /// The time between the last record and one that starts later.
    pub fn gap(&self, number: usize, span: &Span) -> Option<Stretch> {
        let last = self.0[number].span.filter(|last| last.end_ns < span.start_ns)?;
        let length_us = i64::try_from((span.start_ns - last.end_ns) / 1000).unwrap_or(i64::MAX);
        let end_us = by_end(span).start_us;
        Some(Stretch { start_us: end_us.saturating_sub(length_us), end_us })
    }

    /// Takes the next record of a boot. `each` gets every left end with what it has moved, and the row that it was added to
    /// last time.
    pub fn take(
        &mut self,
        number: usize,
        record: &Record,
        is_inside: bool,
        mut each: impl FnMut(&FlowRecord, Moved, &mut u32),
    ) -> Step {
        let boot = &mut self.0[number];
        let mut step = boot.step(&record.span);
        if step.join == Join::Inside {
            return step;
        }
        let before = Before::new(boot, &step, record);
        let mut flows: Vec<&FlowRecord> = record.flows.iter().collect();
        if !record.flows.is_sorted_by_key(|flow| Socket::order(&flow.key)) {
            flows.sort_by_key(|flow| Socket::order(&flow.key));
        }
        flows.dedup_by_key(|flow| flow.key);
        let mut sockets = Vec::with_capacity(flows.len());
        let (mut by_key, mut found) = (before.sockets.iter().peekable(), 0);
        let mut by_tuple = None;
        for flow in flows {
            let same = next_is(&mut by_key, &flow.key).or_else(|| before.by_tuple(&mut by_tuple, flow));
            found += u64::from(same.is_some_and(Socket::may_go_on));
            let mut socket = Socket { row: same.map_or(NO_ROW, |same| same.row), ..Socket::of(flow) };
            if !flow.is_right {
                let moved = before.moved(flow, same, &mut step);
                each(flow, moved, &mut socket.row);
            }
            sockets.push(socket);
        }
        let waiting = before.sockets.iter().filter(|socket| socket.may_go_on()).count() as u64;
        step.ended_unseen = if step.join == Join::Gap { waiting.saturating_sub(found) } else { 0 };
        boot.sockets = sockets;
        boot.span = Some(record.span);
        boot.was_inside = is_inside;
        boot.limits.clone_from(&record.limits);
        step
    }
}

impl Socket {
    /// Whether more may come of it that counts.
    fn may_go_on(&self) -> bool {
        !self.has_ended && !self.is_right && self.counts != Verdict::NONE
    }
}

impl Boot {
    fn step(&self, span: &Span) -> Step {
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
        let clock_stepped = drift_us.unsigned_abs() > STEP_US;
        Step { join, ended_unseen: 0, unknown: 0, overlapping: Bytes::default(), clock_stepped, until_ns }
    }
}

/// The last record, as the next one looks at it.
struct Before {
    sockets: Vec<Socket>,
    /// Whether the same traffic counted.
    same_limits: bool,
    until_ns: u64,
    join: Join,
}

impl Before {
    fn new(boot: &mut Boot, step: &Step, record: &Record) -> Self {
        let sockets = std::mem::take(&mut boot.sockets);
        Self { sockets, same_limits: boot.limits == record.limits, until_ns: step.until_ns, join: step.join }
    }

    /// The same socket under another id: each run of a recorder gives its own to those that it finds, or sees born. Of all
    /// sockets that were open at the end of the last record, one has this tuple; and it has moved no more than this one.
    fn by_tuple(
        &self,
        tuples: &mut Option<HashMap<FlowKey, usize, RandomState>>,
        flow: &FlowRecord,
    ) -> Option<&Socket> {
        let is_new = flow.is_born() && flow.flow.opened_ns >= self.until_ns;
        if is_new || self.join == Join::Next || self.sockets.is_empty() {
            return None;
        }
        let tuples = tuples.get_or_insert_with(|| {
            let open = self.sockets.iter().enumerate().filter(|(_, socket)| !socket.has_ended);
            open.map(|(place, socket)| (FlowKey { id: 0, ..socket.key }, place)).collect()
        });
        let socket = &self.sockets[*tuples.get(&FlowKey { id: 0, ..flow.key })?];
        let (then, now) = (socket.lifetime, flow.lifetime());
        (socket.key.id != flow.key.id && then.tx <= now.tx && then.rx <= now.rx).then_some(socket)
    }

    /// What a left end has moved since the last record.
    fn moved(&self, flow: &FlowRecord, same: Option<&Socket>, step: &mut Step) -> Moved {
        let since = self.since(flow, same);
        match self.join {
            Join::First | Join::Next | Join::Inside => {
                Moved { window: flow.bytes, between: Bytes::default() }
            }
            Join::Gap => {
                step.unknown += u64::from(!since.is_whole);
                Moved { window: flow.bytes, between: since.bytes.since(flow.bytes) }
            }
            Join::Overlap => {
                let window =
                    Bytes { tx: since.bytes.tx.min(flow.bytes.tx), rx: since.bytes.rx.min(flow.bytes.rx) };
                if !since.is_whole {
                    step.overlapping += flow.bytes.since(window);
                }
                Moved { window, between: Bytes::default() }
            }
        }
    }

    /// What has moved since the end of the last record, as far as that is known.
    fn since(&self, flow: &FlowRecord, same: Option<&Socket>) -> Since {
        let unknown = Since { bytes: Bytes::default(), is_whole: flow.counts == Verdict::NONE };
        let now = flow.lifetime();
        let is_new = flow.is_born() && flow.flow.opened_ns >= self.until_ns;
        match same {
            _ if !self.same_limits => unknown,
            None if is_new => Since { bytes: flow.counts.of(now), is_whole: true },
            None => unknown,
            Some(then) if then.is_right || then.lifetime.tx > now.tx || then.lifetime.rx > now.rx => unknown,
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

/// The socket of this key, where sockets come in the order of flows.
fn next_is<'a>(
    sockets: &mut std::iter::Peekable<std::slice::Iter<'a, Socket>>,
    key: &FlowKey,
) -> Option<&'a Socket> {
    while sockets.next_if(|socket| Socket::order(&socket.key) < Socket::order(key)).is_some() {}
    sockets.next_if(|socket| socket.key == *key)
}
