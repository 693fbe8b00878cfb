//! The step from one record of a boot to the next: how their windows lie to each other, and what a socket has moved
//! since the first one.

use std::cmp::Ordering;

use super::super::intervals::{Interval, by_end};
use super::super::moved::Moved;
use super::Socket;
use flowtop_core::record::limits::TrafficLimits;
use flowtop_core::record::{FlowRecord, Record, Span, is_step};
use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

/// How the window of a record relates to that of the previous record of the same boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// There is no previous record.
    First,
    /// It starts where the previous one ends.
    Next,
    /// It starts after the end of the previous one.
    Gap,
    /// It starts before the end of the previous one.
    Overlap,
    /// It ends no later than the previous one.
    Inside,
}

/// The contribution of one record, apart from the bytes of its sockets.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub join: Join,
    /// Sockets of the previous record that had not ended and are not in this one.
    pub ended_unseen: u64,
    /// Sockets whose bytes between the windows are unknown.
    pub unknown: u64,
    /// Bytes that may have been counted with the previous record.
    pub overlapping: Bytes,
    /// Whether the wall clock was set since the previous record.
    pub clock_stepped: bool,
    /// Whether the previous record was made with the same filters.
    pub same_limits: bool,
    /// Monotonic time in ns up to which everything has been counted.
    pub until_ns: u64,
}

impl Step {
    /// The step from the last record, if there was one, to the next. `limits` are those of the last record.
    pub fn new(last: Option<Span>, limits: &TrafficLimits, record: &Record) -> Self {
        let span = &record.span;
        let (until_ns, join) = match &last {
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
        let last_us =
            last.map_or_else(|| offset_us(span.start_us, span.start_ns), |s| offset_us(s.end_us, s.end_ns));
        let drift_us = offset_us(span.end_us, span.end_ns).saturating_sub(last_us);
        let over_ns = span.end_ns.saturating_sub(last.map_or(span.start_ns, |last| last.end_ns));
        Self {
            join,
            ended_unseen: 0,
            unknown: 0,
            overlapping: Bytes::default(),
            clock_stepped: is_step(drift_us.unsigned_abs(), over_ns),
            same_limits: *limits == record.limits,
            until_ns,
        }
    }

    /// The part of a window that no earlier record covers.
    pub fn window(&self, span: &Span) -> Interval {
        let whole = by_end(span);
        let known_us = match self.join {
            Join::Overlap => self.until_ns.saturating_sub(span.start_ns) / 1000,
            _ => 0,
        };
        Interval { start_us: whole.start_us.saturating_add_unsigned(known_us), ..whole }
    }

    /// Bytes of a socket since the last record. `same` is the socket as that record had it.
    pub fn moved(&self, flow: &FlowRecord, same: Option<&Socket>) -> SocketStep {
        let bytes = Moved { window: flow.bytes, between: Bytes::default() };
        match self.join {
            Join::First | Join::Next | Join::Inside => SocketStep { bytes, ..SocketStep::default() },
            Join::Gap => {
                let since = self.since(flow, same);
                let bytes = Moved { between: since.bytes.since(flow.bytes), ..bytes };
                SocketStep { bytes, is_unknown: !since.is_whole && !flow.is_right, ..SocketStep::default() }
            }
            Join::Overlap => {
                let since = self.since(flow, same);
                let window =
                    Bytes { tx: since.bytes.tx.min(flow.bytes.tx), rx: since.bytes.rx.min(flow.bytes.rx) };
                let may_be_known = !since.is_whole && !flow.is_right;
                let overlapping = if may_be_known { flow.bytes.since(window) } else { Bytes::default() };
                SocketStep { bytes: Moved { window, ..bytes }, is_unknown: false, overlapping }
            }
        }
    }

    /// Bytes since the end of the last record, as far as they are known from the lifetime counters.
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

/// Bytes of one socket in a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketStep {
    pub bytes: Moved,
    /// Whether more may have moved between the windows.
    pub is_unknown: bool,
    /// Bytes that may have been counted with the previous record.
    pub overlapping: Bytes,
}

/// Bytes since the last record.
struct Since {
    bytes: Bytes,
    /// Whether no further bytes count.
    is_whole: bool,
}
