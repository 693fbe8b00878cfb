//! Flows that were removed from the ledger: their sums since the start, and those of the newest sample one by one, so
//! that groups that had them do not shrink.

use alloc::vec::Vec;
use flowtop_common::FlowKey;

use super::flows::{Flows, Line};
use super::{Entry, Ledger};
use crate::window::{Bytes, Rates};

/// A flow that the newest sample has removed.
#[derive(Clone, Debug)]
pub struct Departed {
    pub key: FlowKey,
    pub entry: Entry,
    pub line: Line,
    /// Its bytes on the wire since the start that count, as it sees them itself; `None` where they are not known.
    pub on_wire: Option<Bytes>,
    /// The other end, if it was in the ledger too.
    pub other: Option<(FlowKey, Entry)>,
}

/// Sums over flows that are not in the ledger any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    pub flows: u64,
    /// Their bytes, as they were in rows.
    pub bytes: Bytes,
    /// Of these, the bytes of ends whose other end the totals have.
    pub counted_elsewhere: Bytes,
}

impl Gone {
    fn add(&mut self, line: &Line) {
        let bytes = line.bytes_in_row();
        self.flows += 1;
        self.bytes += bytes;
        if line.is_counted_elsewhere() {
            self.counted_elsewhere += bytes;
        }
    }
}

/// Sums over flows that have left the ledger.
#[derive(Debug, Default)]
pub(super) struct AllDeparted {
    /// Whether each of them is kept for the sampler.
    pub(super) are_kept: bool,
    newest: Vec<Departed>,
    /// Of every connection the end that makes its row.
    connections: Gone,
    /// Sum over every end.
    ends: Gone,
}

impl AllDeparted {
    /// Starts a sample: forgets the flows that left in the one before.
    pub(super) fn begin(&mut self) {
        self.newest = Vec::new();
    }

    /// Takes a flow that is about to be removed.
    pub(super) fn take(&mut self, flows: &Flows, place: u32, in_wire: bool) {
        let Some(line) = flows.lines().get(place as usize).filter(|line| line.stamp > 0) else { return };
        self.ends.add(line);
        if !line.is_right() {
            self.connections.add(line);
        }
        let Some((key, entry)) = flows.at(place).filter(|_| self.are_kept) else { return };
        let other = entry.peer().and_then(|place| flows.at(place));
        self.newest.push(Departed {
            key: *key,
            entry: entry.clone(),
            line: line.clone(),
            on_wire: if in_wire { Some(entry.bytes()) } else { flows.on_wire(place) },
            other: other.map(|(key, entry)| (*key, entry.clone())),
        });
    }
}

impl Ledger {
    /// The same ledger that keeps what each sample removes until the next one, for [`Self::departed`].
    #[must_use]
    pub fn keeping_departed(mut self) -> Self {
        self.departed.are_kept = true;
        self
    }

    /// The flows that the newest sample has removed.
    #[must_use]
    pub fn departed(&self) -> &[Departed] {
        &self.departed.newest
    }

    /// Surplus of the rows over the totals: bytes of ends whose connection is counted at its other end, since the
    /// start and in the last 2, 10, 40 s. Rows of `ends` have both ends of a connection; of others only those have it
    /// whose left end found the kernel's table full.
    #[must_use]
    pub fn local_twice(&self, ends: bool) -> (Bytes, Rates) {
        let lines = self.lines().iter().filter(|line| ends || !line.is_right());
        let twice = lines.filter(|line| line.is_counted_elsewhere());
        let gone = self.gone(ends).counted_elsewhere;
        let (bytes, windows) = twice.fold((gone, [Bytes::default(); 3]), |(bytes, mut windows), line| {
            for (sum, more) in windows.iter_mut().zip(line.windows) {
                *sum += if line.is_turned() { more.mirror() } else { more };
            }
            (bytes + line.bytes_in_row(), windows)
        });
        (bytes, self.rates_of(windows))
    }

    /// Sums over all flows that have left: of connections, or of their ends one by one.
    #[must_use]
    pub fn gone(&self, ends: bool) -> Gone {
        if ends { self.departed.ends } else { self.departed.connections }
    }
}
