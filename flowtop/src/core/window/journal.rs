//! What each tick has added, flow by flow, for as long as it is in a window. The windows of a flow are sums that take
//! in the newest tick and give back the ones that leave.
//!
//! A flow that moves nothing costs nothing, and what one has moved in a tick takes about six bytes.

use std::collections::VecDeque;

use super::{Bytes, SLOTS, Timeline, Window};

/// What one tick has added.
#[derive(Debug)]
struct Run {
    number: u32,
    slot: u64,
    /// For each flow that has moved bytes: how far its place is from the one before, bytes sent, bytes received.
    records: Vec<u8>,
    last_place: u32,
}

/// The ticks of the longest window.
#[derive(Debug, Default)]
pub struct Journal {
    runs: VecDeque<Run>,
    /// The first slot of each window.
    starts: [u64; 3],
    ticks: u32,
}

impl Journal {
    /// Number of the newest tick.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Begins a tick of `timeline`. What is not in a window any more is handed to `leave`: the number of its tick, the
    /// place of the flow, the window, the bytes.
    pub fn tick(&mut self, timeline: &Timeline, mut leave: impl FnMut(u32, u32, Window, Bytes)) {
        let starts = timeline.spans.map(|span| timeline.opened - span.slots);
        let before = std::mem::replace(&mut self.starts, starts);
        for window in Window::ALL {
            let left = before[window as usize]..starts[window as usize];
            for run in self.runs.iter().filter(|run| left.contains(&run.slot)) {
                Records::of(run).for_each(|(place, bytes)| leave(run.number, place, window, bytes));
            }
        }
        self.runs.retain(|run| run.slot >= starts[Window::S40 as usize] && !run.records.is_empty());
        if let Some(newest) = self.runs.back_mut() {
            newest.records.shrink_to_fit();
        }
        self.ticks += 1;
        let slot = timeline.opened.saturating_sub(1);
        self.runs.push_back(Run { number: self.ticks, slot, records: Vec::new(), last_place: 0 });
    }

    /// Adds what the flow at a place has moved in the newest tick. Neighbours after one another take least.
    pub fn add(&mut self, place: u32, bytes: Bytes) {
        let Some(run) = self.runs.back_mut().filter(|_| bytes != Bytes::default()) else { return };
        let far = i64::from(place) - i64::from(std::mem::replace(&mut run.last_place, place));
        for number in [zigzag(far), bytes.tx, bytes.rx] {
            write(&mut run.records, number);
        }
    }

    /// The slots of the longest window, the newest last: how long each took, in nanoseconds, and the bytes that the flow
    /// at a place has moved in it since tick `since`.
    pub fn slots(
        &self,
        timeline: &Timeline,
        place: u32,
        since: u32,
    ) -> impl Iterator<Item = (u64, Bytes)> + use<> {
        let first = timeline.opened - timeline.spans[Window::S40 as usize].slots;
        let mut slots: Vec<_> = (first..timeline.opened)
            .map(|slot| (timeline.slot_ns[super::index(slot)], Bytes::default()))
            .collect();
        for run in self.runs.iter().filter(|run| run.number >= since && run.slot >= first) {
            let its = Records::of(run).filter(|(other, _)| *other == place);
            let moved = its.fold(Bytes::default(), |sum, (_, bytes)| sum + bytes);
            let at = usize::try_from(run.slot - first).unwrap_or(SLOTS);
            if let Some((_, bytes)) = slots.get_mut(at) {
                *bytes += moved;
            }
        }
        slots.into_iter()
    }
}

/// The records of a run: places and bytes.
struct Records<'a> {
    rest: &'a [u8],
    place: i64,
}

impl<'a> Records<'a> {
    fn of(run: &'a Run) -> Self {
        Self { rest: &run.records, place: 0 }
    }
}

impl Iterator for Records<'_> {
    type Item = (u32, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        self.place += unzigzag(read(&mut self.rest)?);
        let place = u32::try_from(self.place).ok()?;
        Some((place, Bytes { tx: read(&mut self.rest)?, rx: read(&mut self.rest)? }))
    }
}

/// Small numbers of either sign as small ones.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Seven bits a byte, the lowest first; all bytes but the last have the highest bit set.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::window::Traffic;
    use proptest::prelude::*;

    /// Tenths of a second, and what has moved after them: place, bytes sent, bytes received.
    type Tick = (u64, Vec<(u32, u64, u64)>);

    fn ticks() -> impl Strategy<Value = Vec<Tick>> {
        let amount = || prop_oneof![Just(0), 0..300_u64, 0..1_u64 << 40];
        let moved = prop::collection::vec((0..5_u32, amount(), amount()), 0..6);
        prop::collection::vec((prop_oneof![0..30_u64, 0..600_u64], moved), 1..80)
    }

    proptest! {
        /// A ring of its own for each flow has the same sums.
        #[test]
        fn what_entered_a_window_and_has_not_left_is_in_it(ticks in ticks()) {
            let (mut timeline, mut journal) = (Timeline::default(), Journal::default());
            let (mut windows, mut rings) = ([[Bytes::default(); 3]; 5], vec![Traffic::default(); 5]);
            for (tenths, moved) in ticks {
                timeline.tick(tenths * 100_000_000);
                journal.tick(&timeline, |_, place, window, bytes| {
                    let sum = &mut windows[place as usize][window as usize];
                    *sum = sum.since(bytes);
                });
                for (place, tx, rx) in moved {
                    let bytes = Bytes { tx, rx };
                    journal.add(place, bytes);
                    windows[place as usize].iter_mut().for_each(|sum| *sum += bytes);
                    rings[place as usize].add(&timeline, bytes);
                }
                for (place, (windows, ring)) in (0..).zip(windows.iter().zip(&mut rings)) {
                    ring.forget_old(&timeline);
                    prop_assert_eq!(ring.rates(&timeline), timeline.rates_of(*windows));
                    let slots = journal.slots(&timeline, place, 0).collect::<Vec<_>>();
                    prop_assert_eq!(slots, ring.slots(&timeline).collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn numbers_of_any_size_are_read_as_they_were_written(numbers: Vec<u64>, far: i64) {
            let mut bytes = Vec::new();
            for number in &numbers {
                write(&mut bytes, *number);
            }
            let mut rest = &bytes[..];
            let back: Vec<_> = std::iter::from_fn(|| read(&mut rest)).collect();
            prop_assert_eq!(back, numbers);
            prop_assert_eq!(unzigzag(zigzag(far)), far);
        }
    }

    #[test]
    fn what_has_left_every_window_takes_no_memory() {
        let (mut timeline, mut journal) = (Timeline::default(), Journal::default());
        for second in 0..200 {
            timeline.tick(1_000_000_000);
            journal.tick(&timeline, |_, _, _, _| ());
            if second < 100 {
                journal.add(7, Bytes { tx: 1, rx: 0 });
            }
        }
        assert_eq!(journal.runs.len(), 1);
    }
}
