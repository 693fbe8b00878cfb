//! Journal of the bytes that each tick added, flow by flow, for as long as it is in a window. The windows of a flow
//! are sums that add the newest tick and subtract the ones that leave.
//!
//! A flow that moves nothing costs nothing, and what one has moved in a tick takes about six bytes. Flows that are
//! neighbours share what says where they are.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::{Bytes, SLOTS, Timeline, Window};
use crate::varint::{self, unzigzag, zigzag};

/// One tick of the journal.
#[derive(Debug)]
struct Run {
    number: u32,
    slot: u64,
    /// For each stretch of places one after the other: how far its first is from the end of the stretch before, and,
    /// unless it is of one place, how many they are.
    stretches: Vec<u8>,
    /// For each place bytes sent and bytes received.
    amounts: Vec<u8>,
    /// The stretch that may go on.
    newest: Range<u32>,
    /// Where the previous stretch ended.
    before: u32,
}

impl Run {
    fn new(number: u32, slot: u64) -> Self {
        Self { number, slot, stretches: Vec::new(), amounts: Vec::new(), newest: 0..0, before: 0 }
    }

    fn add(&mut self, place: u32, bytes: Bytes) {
        if place == self.newest.end {
            self.newest.end += 1;
        } else {
            self.end_stretch();
            self.newest = place..place + 1;
        }
        varint::put(&mut self.amounts, bytes.tx);
        varint::put(&mut self.amounts, bytes.rx);
    }

    fn end_stretch(&mut self) {
        let length = u64::from(self.newest.end - self.newest.start);
        let far = zigzag(self.before.into(), self.newest.start.into()) << 1;
        match length {
            0 => return,
            1 => varint::put(&mut self.stretches, far),
            _ => {
                varint::put(&mut self.stretches, far | IS_LONG);
                varint::put(&mut self.stretches, length);
            }
        }
        self.before = self.newest.end;
        self.newest = self.before..self.before;
    }

    /// Closes the tick: nothing more is added.
    fn end(&mut self) {
        self.end_stretch();
        self.stretches.shrink_to_fit();
        self.amounts.shrink_to_fit();
    }
}

/// The bit that says that the length of a stretch follows.
const IS_LONG: u64 = 1;

/// Flows are handed out for all windows before the next of so many places are: what belongs to them is fetched once.
const STEP: usize = 1024;

/// The ticks of the longest window.
#[derive(Debug, Default)]
pub struct Journal {
    runs: VecDeque<Run>,
    /// The first slot of each window.
    starts: [u64; 3],
    ticks: u32,
}

impl Journal {
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Begins a tick of `timeline`. What is not in a window any more is handed to `leave`: the number of its tick, the
    /// place of the flow, the window, the bytes.
    pub fn tick(&mut self, timeline: &Timeline, mut leave: impl FnMut(u32, u32, Window, Bytes)) {
        let starts = timeline.spans.map(|span| timeline.opened - span.slots);
        let before = core::mem::replace(&mut self.starts, starts);
        if let Some(newest) = self.runs.back_mut() {
            newest.end();
        }
        let mut leaving = Vec::new();
        for window in Window::ALL {
            let left = before[window as usize]..starts[window as usize];
            let runs = self.runs.iter().filter(|run| left.contains(&run.slot));
            leaving.extend(runs.map(|run| (run.number, window, Records::of(run))));
        }
        for end in (STEP..).step_by(STEP) {
            if leaving.is_empty() {
                break;
            }
            leaving.retain_mut(|(number, window, records)| {
                let until = u32::try_from(end).unwrap_or(u32::MAX);
                records.take_until(until, |place, bytes| leave(*number, place, *window, bytes))
            });
        }
        self.runs.retain(|run| run.slot >= starts[Window::S40 as usize] && !run.amounts.is_empty());
        self.ticks += 1;
        self.runs.push_back(Run::new(self.ticks, timeline.opened.saturating_sub(1)));
    }

    /// Adds what the flow at a place has moved in the newest tick. Neighbours after one another take least.
    pub fn add(&mut self, place: u32, bytes: Bytes) {
        let Some(run) = self.runs.back_mut().filter(|_| bytes != Bytes::default()) else { return };
        run.add(place, bytes);
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
    stretches: &'a [u8],
    amounts: &'a [u8],
    /// Places of the current stretch that are still to come.
    places: Range<u32>,
    /// The stretch that is not among the others yet.
    newest: Range<u32>,
}

impl<'a> Records<'a> {
    fn of(run: &'a Run) -> Self {
        Self { stretches: &run.stretches, amounts: &run.amounts, places: 0..0, newest: run.newest.clone() }
    }

    fn next_stretch(&mut self) -> Option<Range<u32>> {
        let Some(head) = varint::take(&mut self.stretches) else {
            return Some(core::mem::take(&mut self.newest)).filter(|newest| !newest.is_empty());
        };
        let length = if head & IS_LONG == 0 { 1 } else { varint::take(&mut self.stretches)? };
        let start = unzigzag(self.places.end.into(), head >> 1);
        Some(u32::try_from(start).ok()?..u32::try_from(start.checked_add(length)?).ok()?)
    }

    /// Hands out what comes before a place from `end` on does; false if that was all.
    fn take_until(&mut self, end: u32, mut take: impl FnMut(u32, Bytes)) -> bool {
        loop {
            if self.places.is_empty() {
                let Some(places) = self.next_stretch() else { return false };
                self.places = places;
            }
            if self.places.start >= end {
                return true;
            }
            let (Some(tx), Some(rx)) = (varint::take(&mut self.amounts), varint::take(&mut self.amounts))
            else {
                return false;
            };
            take(self.places.start, Bytes { tx, rx });
            self.places.start += 1;
        }
    }
}

impl Iterator for Records<'_> {
    type Item = (u32, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        if self.places.is_empty() {
            self.places = self.next_stretch()?;
        }
        let place = self.places.next()?;
        Some((place, Bytes { tx: varint::take(&mut self.amounts)?, rx: varint::take(&mut self.amounts)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Traffic;
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
    }

    #[test]
    fn neighbours_take_no_room_for_their_places() {
        let mut run = Run::new(1, 0);
        (100..100_000).for_each(|place| run.add(place, Bytes { tx: 1, rx: 1 }));
        run.add(7, Bytes { tx: 1, rx: 1 });
        run.end();
        assert!(run.stretches.len() < 10 && run.amounts.len() == 2 * 99_901);
        let places: Vec<_> = Records::of(&run).map(|(place, _)| place).collect();
        assert_eq!(places, (100..100_000).chain([7]).collect::<Vec<_>>());
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
