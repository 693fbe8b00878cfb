//! Bytes over the last 2, 10 and 40 seconds: a timeline of slots, a ring of bytes for the sums over all flows,
//! and a journal of what each flow has moved. Fed with durations and bytes; never reads a clock.
//!
//! A rate is the bytes of some newest slots divided by the time those slots really took, so a late tick, a short
//! start or a tick longer than the window change what is averaged, never the truth of the average.

use alloc::boxed::Box;
use core::ops::{Add, AddAssign};

use ring::Ring;

pub mod journal;
mod ring;
#[cfg(test)]
mod tests;

/// A slot takes ticks until it is this long. Below 1 s, so that a timer of 1 s that fires a little early still fills
/// one slot a tick.
const SLOT_NS: u64 = 900_000_000;
/// Slots remembered: enough of the shortest ones to cover the longest window.
const SLOTS: usize = 45;
const NS_PER_S: u64 = 1_000_000_000;

const _: () = assert!(SLOTS as u64 * SLOT_NS >= Window::S40.ns());

/// Payload bytes in both directions, as the local end sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pub tx: u64,
    pub rx: u64,
}

impl Bytes {
    /// Sum of both directions.
    #[must_use]
    pub fn sum(self) -> u64 {
        self.tx.saturating_add(self.rx)
    }

    /// Growth since `earlier` per direction; 0 where `earlier` is larger.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { tx: self.tx.saturating_sub(earlier.tx), rx: self.rx.saturating_sub(earlier.rx) }
    }

    /// The same as the other end sees it.
    #[must_use]
    pub fn mirror(self) -> Self {
        Self { tx: self.rx, rx: self.tx }
    }

    /// Maximum per direction.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { tx: self.tx.max(other.tx), rx: self.rx.max(other.rx) }
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { tx: self.tx.saturating_add(other.tx), rx: self.rx.saturating_add(other.rx) }
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// One of the three windows of a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    #[default]
    S2,
    S10,
    S40,
}

impl Window {
    /// The windows from the shortest to the longest; `window as usize` indexes it.
    pub const ALL: [Self; 3] = [Self::S2, Self::S10, Self::S40];

    #[must_use]
    pub const fn ns(self) -> u64 {
        match self {
            Self::S2 => 2 * NS_PER_S,
            Self::S10 => 10 * NS_PER_S,
            Self::S40 => 40 * NS_PER_S,
        }
    }
}

/// The newest slots that stand for one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    slots: u64,
    /// Actual length in ns.
    ns: u64,
}

/// The slots of time that all flows share.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Length of slot `n` at index `n % SLOTS`.
    slot_ns: [u64; SLOTS],
    /// Slots opened since the start: the newest one is `opened - 1`.
    opened: u64,
    spans: [Span; 3],
}

impl Default for Timeline {
    fn default() -> Self {
        Self { slot_ns: [0; SLOTS], opened: 0, spans: [Span::default(); 3] }
    }
}

impl Timeline {
    /// Lets `dt_ns` pass. Bytes added afterwards belong to that time.
    pub fn tick(&mut self, dt_ns: u64) {
        if self.opened == 0 || (dt_ns > 0 && self.slot_ns[index(self.opened - 1)] >= SLOT_NS) {
            self.slot_ns[index(self.opened)] = 0;
            self.opened += 1;
        }
        let newest = &mut self.slot_ns[index(self.opened - 1)];
        *newest = newest.saturating_add(dt_ns);
        self.spans = Window::ALL.map(|window| self.measure(window.ns()));
    }

    /// Rates over the windows of now, with these bytes in them.
    #[must_use]
    pub fn rates_of(&self, bytes: [Bytes; 3]) -> Rates {
        Rates { bytes, covered_ns: self.spans.map(|span| span.ns) }
    }

    /// The newest slots that come nearest to `target_ns`: an early or late tick must not make the window of 2 s take in
    /// a second slot of 2 s. At least a full one: the moment after a tick of minutes is not all that there is to say.
    fn measure(&self, target_ns: u64) -> Span {
        let mut span = Span::default();
        let oldest = self.opened.saturating_sub(SLOTS as u64);
        for slot in (oldest..self.opened).rev() {
            let longer_ns = span.ns.saturating_add(self.slot_ns[index(slot)]);
            let missing_ns = target_ns.saturating_sub(span.ns);
            if span.ns >= SLOT_NS && longer_ns.saturating_sub(target_ns) > missing_ns {
                break;
            }
            span = Span { slots: span.slots + 1, ns: longer_ns };
        }
        span
    }
}

/// Index of a slot in the ring.
fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS as u64).expect("a remainder of SLOTS fits")
}

/// Bytes of all flows, slot by slot. Costs nothing while there are none in the last 40 s.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    ring: Option<Box<Ring>>,
}

impl Traffic {
    /// Adds bytes to the newest slot; `timeline` must have ticked.
    pub fn add(&mut self, timeline: &Timeline, bytes: Bytes) {
        if bytes == Bytes::default() {
            return;
        }
        let slot = timeline.opened.saturating_sub(1);
        self.ring.get_or_insert_with(|| Box::new(Ring::new(slot))).add(slot, bytes);
    }

    /// Gives the memory back when nothing is left in the longest window.
    pub fn forget_old(&mut self, timeline: &Timeline) {
        let kept = timeline.spans[Window::S40 as usize].slots;
        self.ring.take_if(|ring| ring.newest() + kept < timeline.opened);
    }

    /// Whether no byte is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_none()
    }

    /// The slots of the longest window, the newest last: how long each took, in nanoseconds, and its bytes.
    pub fn slots(&self, timeline: &Timeline) -> impl Iterator<Item = (u64, Bytes)> {
        let slots = timeline.opened - timeline.spans[Window::S40 as usize].slots..timeline.opened;
        slots.map(|slot| {
            let bytes = self.ring.as_ref().map_or(Bytes::default(), |ring| ring.get(slot));
            (timeline.slot_ns[index(slot)], bytes)
        })
    }

    /// The bytes of each window, and the time that they took.
    #[must_use]
    pub fn rates(&self, timeline: &Timeline) -> Rates {
        let bytes =
            |span: Span| self.ring.as_ref().map_or(Bytes::default(), |ring| ring.sum(timeline.opened, span));
        Rates { bytes: timeline.spans.map(bytes), covered_ns: timeline.spans.map(|span| span.ns) }
    }
}

/// Bytes of the three windows with the time they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    bytes: [Bytes; 3],
    covered_ns: [u64; 3],
}

impl Rates {
    /// Bytes in a window, not divided by its length.
    #[must_use]
    pub fn bytes(&self, window: Window) -> Bytes {
        self.bytes[window as usize]
    }

    /// The same windows with these bytes in them.
    #[must_use]
    pub fn with(&self, bytes: [Bytes; 3]) -> Self {
        Self { bytes, ..*self }
    }

    /// How long the window really was, in nanoseconds.
    #[must_use]
    pub fn covered_ns(&self, window: Window) -> u64 {
        self.covered_ns[window as usize]
    }

    /// The same as the other end sees it.
    #[must_use]
    pub fn mirror(self) -> Self {
        Self { bytes: self.bytes.map(Bytes::mirror), ..self }
    }

    /// Rates without those of `part`, over the same time.
    #[must_use]
    pub fn since(&self, part: &Self) -> Self {
        let mut rest = *self;
        for (bytes, part) in rest.bytes.iter_mut().zip(part.bytes) {
            *bytes = bytes.since(part);
        }
        rest
    }

    /// Bytes sent per second.
    #[must_use]
    pub fn tx_per_s(&self, window: Window) -> f64 {
        self.per_s(window, self.bytes(window).tx)
    }

    /// Bytes received per second.
    #[must_use]
    pub fn rx_per_s(&self, window: Window) -> f64 {
        self.per_s(window, self.bytes(window).rx)
    }

    /// Bytes sent and received per second.
    #[must_use]
    pub fn sum_per_s(&self, window: Window) -> f64 {
        self.per_s(window, self.bytes(window).sum())
    }

    /// No time has passed, no rate: 0, never infinity.
    fn per_s(&self, window: Window, bytes: u64) -> f64 {
        match self.covered_ns(window) {
            0 => 0.0,
            ns => bytes as f64 * NS_PER_S as f64 / ns as f64,
        }
    }
}

impl AddAssign for Rates {
    /// Rates of the same moment, so over the same time.
    fn add_assign(&mut self, other: Self) {
        for (bytes, more) in self.bytes.iter_mut().zip(other.bytes) {
            *bytes += more;
        }
        for (covered_ns, other_ns) in self.covered_ns.iter_mut().zip(other.covered_ns) {
            *covered_ns = (*covered_ns).max(other_ns);
        }
    }
}

/// The largest rates over 2 s, in bytes per second, each direction and their sum for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peak {
    /// Largest rate of bytes sent.
    pub tx_per_s: f64,
    /// Largest rate of bytes received.
    pub rx_per_s: f64,
    /// Largest rate of both directions together.
    pub sum_per_s: f64,
}

impl Peak {
    /// Maximum of each field.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            tx_per_s: self.tx_per_s.max(other.tx_per_s),
            rx_per_s: self.rx_per_s.max(other.rx_per_s),
            sum_per_s: self.sum_per_s.max(other.sum_per_s),
        }
    }
}

/// The rates over 2 s that each slot of the last 40 s ended with.
#[derive(Clone, Debug)]
pub struct Peaks([Peak; SLOTS]);

impl Default for Peaks {
    fn default() -> Self {
        Self([Peak::default(); SLOTS])
    }
}

impl Peaks {
    /// Notes the rates of this tick. While a slot is still filling, the newest tick replaces the ones before it: over
    /// its first milliseconds a rate says little.
    pub fn note(&mut self, timeline: &Timeline, rates: &Rates) {
        let window = Window::S2;
        self.0[index(timeline.opened.saturating_sub(1))] = Peak {
            tx_per_s: rates.tx_per_s(window),
            rx_per_s: rates.rx_per_s(window),
            sum_per_s: rates.sum_per_s(window),
        };
    }

    /// Notes that the rates of the newest slot were this large in a part of it.
    pub fn raise(&mut self, timeline: &Timeline, peak: Peak) {
        let newest = &mut self.0[index(timeline.opened.saturating_sub(1))];
        *newest = newest.max(peak);
    }

    /// The largest of the last 40 s.
    #[must_use]
    pub fn largest(&self, timeline: &Timeline) -> Peak {
        let slots = timeline.opened - timeline.spans[Window::S40 as usize].slots..timeline.opened;
        slots.fold(Peak::default(), |peak, slot| peak.max(self.0[index(slot)]))
    }
}
