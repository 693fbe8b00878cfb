//! Pieces of the time before a firing, limited in time and in memory.

use std::collections::VecDeque;
use std::time::Duration;

/// A kept piece of the past.
#[derive(Clone, Debug)]
struct Kept<T> {
    /// `CLOCK_MONOTONIC` at its end, in ns.
    end_ns: u64,
    bytes: usize,
    value: T,
}

/// The newest pieces of the past, in order.
#[derive(Clone, Debug)]
pub struct Before<T> {
    length_ns: u64,
    max_bytes: usize,
    kept: VecDeque<Kept<T>>,
    bytes: usize,
    cut: u64,
}

impl<T> Before<T> {
    /// Keeps what ended within the last `length`, in at most `max_bytes`.
    #[must_use]
    pub fn new(length: Duration, max_bytes: usize) -> Self {
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self { length_ns, max_bytes, kept: VecDeque::new(), bytes: 0, cut: 0 }
    }

    /// Takes the next piece, which ended at `end_ns` and has so many bytes, and lets go of what is too old or too much.
    /// A piece that is too large by itself is not kept.
    pub fn push(&mut self, end_ns: u64, bytes: usize, value: T) {
        self.kept.push_back(Kept { end_ns, bytes, value });
        self.bytes += bytes;
        while self.first_is_too_old(end_ns) {
            self.forget_first();
        }
        while self.bytes > self.max_bytes {
            self.forget_first();
            self.cut += 1;
        }
    }

    /// Takes everything out, the oldest first.
    pub fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.bytes = 0;
        std::mem::take(&mut self.kept).into_iter().map(|kept| kept.value)
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Pieces that had to go before their time since this was asked last.
    pub fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }

    fn first_is_too_old(&self, now_ns: u64) -> bool {
        self.kept.front().is_some_and(|first| first.end_ns.saturating_add(self.length_ns) <= now_ns)
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.kept.pop_front() {
            self.bytes -= first.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_are_kept_in_order_and_come_out_once() {
        let mut before = Before::new(Duration::from_nanos(20), 100);
        for end_ns in [10, 20, 30, 40] {
            before.push(end_ns, 10, end_ns);
        }
        assert_eq!((before.bytes(), before.take_cut()), (20, 0));
        assert_eq!(before.take().collect::<Vec<_>>(), [30, 40]);
        assert_eq!((before.bytes(), before.take().count()), (0, 0));
    }

    #[test]
    fn nothing_is_kept_of_no_time() {
        let mut before = Before::new(Duration::ZERO, 100);
        before.push(10, 1, ());
        assert_eq!((before.take().count(), before.take_cut()), (0, 0));
    }

    #[test]
    fn what_is_cut_for_its_size_is_told_once() {
        let mut before = Before::new(Duration::from_secs(1), 25);
        for (end_ns, bytes) in [(1, 10), (2, 10), (3, 10), (4, 26)] {
            before.push(end_ns, bytes, end_ns);
        }
        assert_eq!((before.bytes(), before.take_cut(), before.take_cut()), (0, 4, 0));
    }

    proptest! {
        #[test]
        fn both_bounds_hold_and_no_more_is_lost_than_they_ask_for(
            pieces in prop::collection::vec((0..5_u64, 0..30_usize), 1..50),
            length_ns in 0..20_u64,
            max_bytes in 0..100_usize,
        ) {
            let mut before = Before::new(Duration::from_nanos(length_ns), max_bytes);
            let (mut now_ns, mut all) = (0, Vec::new());
            for (step_ns, bytes) in pieces {
                now_ns += step_ns;
                before.push(now_ns, bytes, (now_ns, bytes));
                all.push((now_ns, bytes));
                prop_assert!(before.bytes() <= max_bytes);
            }
            let kept: Vec<_> = before.clone().take().collect();
            prop_assert!(all.ends_with(&kept));
            prop_assert!(kept.iter().all(|(end_ns, _)| end_ns + length_ns > now_ns));
            prop_assert_eq!(kept.iter().map(|(_, bytes)| bytes).sum::<usize>(), before.bytes());
        }
    }
}
