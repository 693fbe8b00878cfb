//! How long something was above a rate, by what it has moved in stretches of time.

use std::collections::BTreeSet;

use super::cover::Stretch;
use crate::core::window::Bytes;

/// Bytes of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The number of the host.
    pub host: usize,
    pub stretch: Stretch,
    pub bytes: Bytes,
}

impl Piece {
    /// Bytes per second on average; nothing of a stretch that is shorter than a second, whose average is no rate over one.
    pub fn mean(&self) -> Bytes {
        let length_us = self.stretch.length_us();
        if length_us < 1_000_000 {
            return Bytes::default();
        }
        let per_s = |bytes: u64| {
            u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(length_us)).unwrap_or(u64::MAX)
        };
        Bytes { tx: per_s(self.bytes.tx), rx: per_s(self.bytes.rx) }
    }

    /// Bytes of one direction per second. The stretch has a length.
    fn per_s(&self, of: fn(Bytes) -> u64) -> f64 {
        of(self.bytes) as f64 * 1e6 / self.stretch.length_us() as f64
    }
}

/// Time in µs in which the mean rates of these pieces, those of several hosts at the same time added up, were above so
/// many bytes per second: sent, received, and one of them. Those of one host are in the order in which they came about.
pub(super) fn above_us(pieces: &[Piece], threshold: u64) -> [u64; 3] {
    let mut moments: Vec<(i64, bool, usize)> = Vec::with_capacity(pieces.len() * 2);
    for (place, piece) in pieces.iter().enumerate().filter(|(_, piece)| piece.stretch.length_us() > 0) {
        moments.push((piece.stretch.start_us, true, place));
        moments.push((piece.stretch.end_us, false, place));
    }
    moments.sort_unstable();
    let (mut open, mut passes) = (BTreeSet::new(), Vec::new());
    let (mut above, mut since_us) = ([0; 3], 0);
    for (at_us, opens, place) in moments {
        let passed_us = Stretch { start_us: since_us, end_us: at_us }.length_us();
        if passed_us > 0 {
            add_up(&open, pieces, &mut passes);
            for [tx, rx] in passes.iter().map(|rates| rates.map(|rate| rate > threshold as f64)) {
                for (sum, is_above) in above.iter_mut().zip([tx, rx, tx || rx]) {
                    *sum += if is_above { passed_us } else { 0 };
                }
            }
        }
        since_us = at_us;
        let key = (pieces[place].host, place);
        if opens {
            open.insert(key);
        } else {
            open.remove(&key);
        }
    }
    above
}

/// Bytes per second of all hosts together, sent and received, once for each time that a clock has shown this moment. What
/// one host has moved in two windows of the same time, it has moved one after the other: somebody has set its clock back.
fn add_up(open: &BTreeSet<(usize, usize)>, pieces: &[Piece], passes: &mut Vec<[f64; 2]>) {
    passes.clear();
    let (mut last, mut pass) = (None, 0);
    for (host, place) in open {
        pass = if last == Some(host) { pass + 1 } else { 0 };
        last = Some(host);
        if pass == passes.len() {
            passes.push([0.0; 2]);
        }
        passes[pass][0] += pieces[*place].per_s(|bytes| bytes.tx);
        passes[pass][1] += pieces[*place].per_s(|bytes| bytes.rx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start_s: i64, end_s: i64, tx: u64, rx: u64) -> Piece {
        let stretch = Stretch { start_us: start_s * 1_000_000, end_us: end_s * 1_000_000 };
        Piece { host: 0, stretch, bytes: Bytes { tx, rx } }
    }

    fn of_other(piece: Piece) -> Piece {
        Piece { host: 1, ..piece }
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
    fn a_mean_needs_a_second() {
        assert_eq!(piece(0, 2, 7, 1).mean(), Bytes { tx: 3, rx: 0 });
        assert_eq!(piece(1, 1, 7, 1).mean(), Bytes::default());
        assert_eq!(piece(2, 1, 7, 1).mean(), Bytes::default());
    }
}
