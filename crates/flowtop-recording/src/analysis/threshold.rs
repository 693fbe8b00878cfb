//! Time above a rate (`--limit`), from the bytes in intervals of time.
//!
//! Time is judged once no more can be added to it, so that only the newest intervals are kept.

use std::collections::BTreeSet;

use super::intervals::Interval;
use flowtop_core::window::Bytes;

/// Bytes of an interval of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub machine: usize,
    pub interval: Interval,
    pub bytes: Bytes,
}

impl Piece {
    /// Bytes per second on average; 0 in an interval shorter than a second, whose mean is no rate over one.
    pub fn mean(&self) -> Bytes {
        let length_us = self.interval.length_us();
        if length_us < 1_000_000 {
            return Bytes::default();
        }
        let per_s = |bytes: u64| {
            u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(length_us)).unwrap_or(u64::MAX)
        };
        Bytes { tx: per_s(self.bytes.tx), rx: per_s(self.bytes.rx) }
    }
}

/// An interval of time in which a machine has moved so much per second, sent and received.
#[derive(Clone, Copy, Debug)]
struct Rate {
    machine: usize,
    interval: Interval,
    per_s: [f64; 2],
}

impl Rate {
    /// Of a piece that has a length.
    fn of(piece: &Piece) -> Self {
        let length_us = piece.interval.length_us() as f64;
        let per_s = [piece.bytes.tx, piece.bytes.rx].map(|bytes| bytes as f64 * 1e6 / length_us);
        Self { machine: piece.machine, interval: piece.interval, per_s }
    }
}

/// Time in which mean rates, those of several machines at the same time added up, were above so many bytes per second.
#[derive(Clone, Debug)]
pub(super) struct TimeAbove {
    threshold: u64,
    /// Up to where time has been judged.
    judged_us: i64,
    /// In µs: sent, received, and one of them.
    us: [u64; 3],
    /// Rates not judged up to their end, in the order of arrival.
    rates: Vec<Rate>,
}

impl TimeAbove {
    pub fn new(threshold: u64) -> Self {
        Self { threshold, judged_us: i64::MIN, us: [0; 3], rates: Vec::new() }
    }

    /// Adds a piece. Time before `low_us` will not get another one, unless a clock was set back.
    pub fn add(&mut self, piece: &Piece, low_us: i64) {
        if piece.interval.length_us() == 0 || piece.bytes.sum() == 0 {
            return;
        }
        let mut rate = Rate::of(piece);
        if rate.interval.start_us < self.judged_us {
            // A clock has shown this time before: what was moved then is not moved now.
            let end_us = rate.interval.end_us.min(self.judged_us);
            self.judge(
                &[Rate { interval: Interval { end_us, ..rate.interval }, ..rate }],
                i64::MIN,
                i64::MAX,
            );
            rate.interval.start_us = end_us;
        }
        if rate.interval.length_us() > 0 {
            if self.rates.is_empty() {
                // Most rows never have more than one, and there are many rows.
                self.rates.reserve_exact(1);
            }
            self.rates.push(rate);
        }
        self.judge_until(low_us);
    }

    /// The time in µs: sent, received, and one of them.
    pub fn end(mut self) -> [u64; 3] {
        self.judge_until(i64::MAX);
        self.us
    }

    fn judge_until(&mut self, until_us: i64) {
        let is_new = |rate: &Rate| rate.interval.start_us < until_us;
        if until_us <= self.judged_us || !self.rates.iter().any(is_new) {
            return;
        }
        let mut rates = std::mem::take(&mut self.rates);
        self.judge(&rates, self.judged_us, until_us);
        rates.retain(|rate| rate.interval.end_us > until_us);
        (self.rates, self.judged_us) = (rates, until_us);
    }

    /// Adds the time between two moments in which these are above the threshold.
    fn judge(&mut self, rates: &[Rate], from_us: i64, until_us: i64) {
        let cut = |interval: Interval| Interval {
            start_us: interval.start_us.max(from_us),
            end_us: interval.end_us.min(until_us),
        };
        if let [rate] = rates {
            return self.count(&[rate.per_s], cut(rate.interval).length_us());
        }
        let mut moments: Vec<(i64, bool, usize)> = Vec::with_capacity(rates.len() * 2);
        for (place, rate) in rates.iter().enumerate() {
            let interval = cut(rate.interval);
            if interval.length_us() > 0 {
                moments.extend([(interval.start_us, true, place), (interval.end_us, false, place)]);
            }
        }
        moments.sort_unstable();
        let (mut open, mut passes, mut since_us) = (BTreeSet::new(), Vec::new(), 0);
        for (at_us, opens, place) in moments {
            let passed_us = Interval { start_us: since_us, end_us: at_us }.length_us();
            if passed_us > 0 && !open.is_empty() {
                add_up(&open, rates, &mut passes);
                self.count(&passes, passed_us);
            }
            since_us = at_us;
            let key = (rates[place].machine, place);
            if opens {
                open.insert(key);
            } else {
                open.remove(&key);
            }
        }
    }

    fn count(&mut self, passes: &[[f64; 2]], passed_us: u64) {
        for [tx, rx] in passes.iter().map(|rates| rates.map(|rate| rate > self.threshold as f64)) {
            for (us, is_above) in self.us.iter_mut().zip([tx, rx, tx || rx]) {
                *us += if is_above { passed_us } else { 0 };
            }
        }
    }
}

/// Bytes per second of all machines together, sent and received, once for each time that a clock has shown this moment.
/// Two windows of one machine at the same time came one after the other: its clock was set back between them.
fn add_up(open: &BTreeSet<(usize, usize)>, rates: &[Rate], passes: &mut Vec<[f64; 2]>) {
    passes.clear();
    let (mut last, mut pass) = (None, 0);
    for (machine, place) in open {
        pass = if last == Some(machine) { pass + 1 } else { 0 };
        last = Some(machine);
        if pass == passes.len() {
            passes.push([0.0; 2]);
        }
        passes[pass][0] += rates[*place].per_s[0];
        passes[pass][1] += rates[*place].per_s[1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000;

    fn piece(start_s: i64, end_s: i64, tx: u64, rx: u64) -> Piece {
        let interval = Interval { start_us: start_s * S, end_us: end_s * S };
        Piece { machine: 0, interval, bytes: Bytes { tx, rx } }
    }

    fn of_other(piece: Piece) -> Piece {
        Piece { machine: 1, ..piece }
    }

    fn above_us(pieces: &[Piece], threshold: u64) -> [u64; 3] {
        let mut above = TimeAbove::new(threshold);
        for piece in pieces {
            above.add(piece, i64::MIN);
        }
        above.end()
    }

    #[test]
    fn time_above_is_that_of_the_windows_whose_mean_is_above() {
        let none = piece(30, 30, 1 << 40, 0);
        let pieces = [piece(0, 60, 6001, 0), none, piece(60, 120, 6000, 6060), piece(180, 190, 2000, 2000)];
        assert_eq!(above_us(&pieces, 100), [70_000_000, 70_000_000, 130_000_000]);
        assert_eq!(above_us(&pieces, u64::MAX), [0; 3]);
        assert_eq!(above_us(&[], 0), [0; 3]);
    }

    #[test]
    fn what_two_hosts_move_at_one_time_is_added_up() {
        let pieces = [piece(0, 60, 3600, 0), of_other(piece(30, 90, 3600, 0))];
        assert_eq!(above_us(&pieces, 100), [30_000_000, 0, 30_000_000]);
        assert_eq!(above_us(&pieces, 59), [90_000_000, 0, 90_000_000]);
    }

    #[test]
    fn what_one_host_moves_at_one_time_of_its_clock_is_not_added_up() {
        let pieces = [piece(0, 60, 3600, 0), piece(30, 90, 3600, 0)];
        assert_eq!(above_us(&pieces, 100), [0; 3]);
        assert_eq!(above_us(&pieces, 59), [120_000_000, 0, 120_000_000]);
        // What another host has moved was beside one of them, and beside the second alone from 60 s on.
        let pieces = [pieces[0], of_other(piece(0, 90, 5400, 0)), pieces[1]];
        assert_eq!(above_us(&pieces, 100), [90_000_000, 0, 90_000_000]);
    }

    #[test]
    fn time_that_comes_again_after_it_was_judged_is_judged_alone() {
        let mut above = TimeAbove::new(100);
        above.add(&piece(0, 60, 3600, 0), 60 * S);
        above.add(&of_other(piece(60, 120, 3600, 0)), 60 * S);
        // The clock of the first host was set back by 30 s.
        above.add(&piece(30, 90, 3600, 0), 90 * S);
        assert_eq!(above.end(), [30_000_000, 0, 30_000_000]);
    }

    #[test]
    fn a_mean_needs_a_second() {
        assert_eq!(piece(0, 2, 7, 1).mean(), Bytes { tx: 3, rx: 0 });
        assert_eq!(piece(1, 1, 7, 1).mean(), Bytes::default());
        assert_eq!(piece(2, 1, 7, 1).mean(), Bytes::default());
    }

    proptest! {
        /// It makes no difference when time is judged, as long as nothing is added to it afterwards; and what has been
        /// judged is not kept.
        #[test]
        fn when_time_is_judged_makes_no_difference(
            intervals in prop::collection::vec((0..3_usize, 1..9_i64, 0..3_i64, 0..1000_u64, 0..1000_u64), 0..30),
        ) {
            let mut ends = [0; 3];
            let mut pieces: Vec<Piece> = intervals.into_iter().map(|(machine, length, gap, tx, rx)| {
                let start = ends[machine] + gap;
                ends[machine] = start + length;
                Piece { machine, ..piece(start, start + length, tx, rx) }
            }).collect();
            pieces.sort_by_key(|piece| piece.interval.end_us);
            let mut above = TimeAbove::new(100);
            for (number, piece) in pieces.iter().enumerate() {
                let low_us = pieces[number + 1..].iter().map(|next| next.interval.start_us).min();
                let low_us = low_us.unwrap_or(i64::MAX);
                above.add(piece, low_us);
                prop_assert!(piece.bytes.sum() == 0 || above.rates.iter().all(|rate| rate.interval.end_us > low_us));
            }
            prop_assert_eq!(above.end(), above_us(&pieces, 100));
        }
    }
}
