//! The position of a replay: steps, jumps, playing at a speed. Time is passed in.
//!
//! Of several hosts one is shown at a time, and all but [`Player::turn`] and a jump stay with it.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use flowtop_core::record::{Host, Span};

/// How many times as fast as it was.
pub const SPEEDS: [u32; 6] = [1, 10, 60, 300, 600, 3600];
const US_PER_S: i64 = 1_000_000;

/// When and where one record was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub host: Arc<Host>,
    pub span: Span,
}

impl Moment {
    fn is_beside(&self, other: &Self) -> bool {
        (&self.host.machine_id, &self.host.name) == (&other.host.machine_id, &other.host.name)
    }
}

/// The records there are, host by host in their order, and which of them is shown.
#[derive(Clone, Debug)]
pub struct Player {
    moments: Vec<Moment>,
    at: usize,
    speed: usize,
    /// How long the record has been shown while playing, in ns.
    shown_ns: Option<u64>,
}

/// Time of a host that no record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// So many ns between two records.
    Missing(u64),
    /// The host was started anew in it.
    Reboot,
}

impl Player {
    /// The first of these records, not playing, at 60 times the speed; `None` if there is no record.
    #[must_use]
    pub fn new(moments: Vec<Moment>) -> Option<Self> {
        (!moments.is_empty()).then_some(Self { moments, at: 0, speed: 2, shown_ns: None })
    }

    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The number of the record that is shown, from 0.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// When and where it was made.
    #[must_use]
    pub fn moment(&self) -> &Moment {
        &self.moments[self.at]
    }

    /// How many times as fast as it was.
    #[must_use]
    pub fn speed(&self) -> u32 {
        SPEEDS[self.speed]
    }

    /// Whether time goes on by itself.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.shown_ns.is_some()
    }

    /// The records of the host that is shown.
    #[must_use]
    pub fn of_host(&self) -> Range<usize> {
        let is_other = |moment: &Moment| !moment.is_beside(self.moment());
        let start = self.moments[..self.at].iter().rposition(is_other).map_or(0, |at| at + 1);
        let end =
            self.moments[self.at..].iter().position(is_other).map_or(self.moments.len(), |n| self.at + n);
        start..end
    }

    /// The next record, or the one before. Whether there is one.
    pub fn step(&mut self, forward: bool) -> bool {
        let to = if forward { self.at + 1 } else { self.at.wrapping_sub(1) };
        self.of_host().contains(&to) && self.go(to)
    }

    /// The first record, or the last one.
    pub fn go_to_end(&mut self, last: bool) -> bool {
        let host = self.of_host();
        self.go(if last { host.end - 1 } else { host.start })
    }

    /// The record of a time, in µs since 1970 UTC: the one that it is in, here or on another host; else the next one, else
    /// the last one.
    pub fn jump(&mut self, us: i64) -> bool {
        let host = self.of_host();
        let holds = |at: &usize| {
            let span = &self.moments[*at].span;
            (span.began_us()..span.end_us).contains(&us)
        };
        let within = host.clone().find(holds).or_else(|| (0..self.moments.len()).find(holds));
        let start_us = |at: &usize| self.moments[*at].span.began_us();
        let later = || host.clone().filter(|at| start_us(at) >= us).min_by_key(start_us);
        self.go(within.or_else(later).unwrap_or(host.end - 1))
    }

    /// The same time on the next host; on the first one behind the last. Whether there is another one.
    pub fn turn(&mut self) -> bool {
        let middle_us = self.moment().span.middle_us();
        let next = self.of_host().end;
        let first = if next == self.moments.len() { 0 } else { next };
        let is_beside = |at: &usize| self.moments[*at].is_beside(&self.moments[first]);
        let host = (first..self.moments.len()).take_while(is_beside);
        let nearest = host.min_by_key(|at| self.moments[*at].span.middle_us().abs_diff(middle_us));
        let is_other = !self.of_host().contains(&first);
        is_other && nearest.is_some_and(|to| self.go(to))
    }

    /// The next record behind a gap, or the one before. Whether there is one.
    pub fn go_to_gap(&mut self, forward: bool) -> bool {
        let host = self.of_host();
        let is_behind = |at: &usize| self.gap_before(*at).is_some();
        let to = if forward {
            (self.at + 1..host.end).find(is_behind)
        } else {
            (host.start..self.at).rev().find(is_behind)
        };
        to.is_some_and(|to| self.go(to))
    }

    pub fn toggle(&mut self) {
        self.shown_ns = if self.is_playing() { None } else { Some(0) };
    }

    /// Another speed. Whether there is one.
    pub fn change_speed(&mut self, faster: bool) -> bool {
        let to = if faster { self.speed + 1 } else { self.speed.wrapping_sub(1) };
        let exists = to < SPEEDS.len();
        if exists {
            self.speed = to;
        }
        exists
    }

    /// Lets so many ns pass. Whether another record is shown then; at the end it stops.
    pub fn pass(&mut self, ns: u64) -> bool {
        let Some(shown_ns) = self.shown_ns else { return false };
        let end = self.of_host().end;
        let (before, mut played_ns) =
            (self.at, shown_ns.saturating_add(ns.saturating_mul(self.speed().into())));
        while played_ns >= self.length_ns(self.at) {
            played_ns -= self.length_ns(self.at);
            if self.at + 1 == end {
                self.shown_ns = None;
                return self.at != before;
            }
            self.at += 1;
        }
        self.shown_ns = Some(played_ns);
        self.at != before
    }

    /// Gap between a record and the previous one of the same host.
    #[must_use]
    pub fn gap_before(&self, at: usize) -> Option<Gap> {
        let this = self.moments.get(at)?;
        let before = self.moments.get(at.checked_sub(1)?).filter(|before| before.is_beside(this))?;
        if before.host.boot_id != this.host.boot_id {
            return Some(Gap::Reboot);
        }
        let missing_ns = this.span.start_ns.saturating_sub(before.span.end_ns);
        (missing_ns > 0).then_some(Gap::Missing(missing_ns))
    }

    /// The first and the last time of all records, in µs since 1970 UTC.
    #[must_use]
    pub fn time_us(&self) -> (i64, i64) {
        let spans = || self.moments.iter().map(|moment| &moment.span);
        let (first, last) = (spans().map(Span::began_us).min(), spans().map(|span| span.end_us).max());
        (first.unwrap_or_default(), last.unwrap_or_default())
    }

    /// How much of each of `cells` equal parts of the whole time was recorded on the host that is shown, 0 to 1, and
    /// in which of them the record begins that is shown. By the clock on the wall.
    #[must_use]
    pub fn track(&self, cells: usize) -> (Vec<f64>, usize) {
        let ends = |moment: &Moment| [moment.span.began_us(), moment.span.end_us].map(i128::from);
        let [start_us, end_us] = <[i64; 2]>::from(self.time_us()).map(i128::from);
        let scale = Scale { start_us, length_us: (end_us - start_us).max(US_PER_S.into()), cells };
        let mut covered = vec![0.0; cells];
        for moment in &self.moments[self.of_host()] {
            scale.cover(&mut covered, ends(moment));
        }
        (covered, scale.cell(ends(self.moment())[0]))
    }

    fn go(&mut self, to: usize) -> bool {
        let moves = to < self.moments.len() && to != self.at;
        if moves {
            self.at = to;
            self.shown_ns = self.shown_ns.map(|_| 0);
        }
        moves
    }

    /// How long a record is shown at the speed of life: until the next one begins, but no longer than it took.
    fn length_ns(&self, at: usize) -> u64 {
        let Moment { span, .. } = &self.moments[at];
        let until_next =
            self.moments.get(at + 1).map(|next| next.span.start_us.saturating_sub(span.start_us));
        let next_ns = until_next.and_then(|us| u64::try_from(us).ok()).map(|us| us.saturating_mul(1000));
        // A record of no time must not be shown for no time: playing would not end.
        next_ns.map_or(span.length_ns(), |ns| ns.min(span.length_ns())).max(1_000_000)
    }
}

/// Divides a time into equal parts.
struct Scale {
    start_us: i128,
    length_us: i128,
    cells: usize,
}

impl Scale {
    /// The part that a time is in.
    fn cell(&self, us: i128) -> usize {
        let at = (us - self.start_us) * self.count() / self.length_us;
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(self.cells.saturating_sub(1))
    }

    fn count(&self) -> i128 {
        i128::try_from(self.cells).unwrap_or_default()
    }

    /// Adds the time between two ends to the parts that it is in.
    fn cover(&self, covered: &mut [f64], [from_us, to_us]: [i128; 2]) {
        for (cell, part) in (0..).zip(covered).skip(self.cell(from_us)) {
            let edge_us = |cell: i128| self.start_us + self.length_us * cell / self.count();
            let [left, right] = [edge_us(cell), edge_us(cell + 1)];
            if left >= to_us {
                return;
            }
            let both_us = to_us.min(right) - from_us.max(left);
            *part = (*part + both_us.max(0) as f64 / (right - left).max(1) as f64).min(1.0);
        }
    }
}
