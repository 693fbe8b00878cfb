//! Bytes of connections that have left the ledger, by their row.

use super::Tally;
use crate::ledger::{Departed, Entry};
use crate::window::Bytes;
use alloc::vec::Vec;

/// What connections have put on the wire and taken from it. Unknown where that of one of them is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Bytes put on the wire, bytes and segments put there again, in the lives of sockets.
    pub life: [u64; 3],
    /// Bytes on the wire since the start that count.
    pub bytes: Option<Bytes>,
}

impl Default for Wire {
    fn default() -> Self {
        Self { life: [0; 3], bytes: Some(Bytes::default()) }
    }
}

impl Wire {
    /// That of one end, with its bytes on the wire.
    #[must_use]
    pub fn of(entry: &Entry, bytes: Option<Bytes>) -> Self {
        let flow = entry.flow();
        Self { life: [flow.sent_bytes, flow.retrans_bytes, flow.retrans_segs.into()], bytes }
    }

    pub fn add(&mut self, more: &Self) {
        for (sum, more) in self.life.iter_mut().zip(more.life) {
            *sum = sum.saturating_add(more);
        }
        self.bytes = self.bytes.zip(more.bytes).map(|(sum, more)| sum + more);
    }
}

/// Sum of the connections that have left a row.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    connections: u32,
    bytes: Bytes,
    wire: Wire,
    has_unknown_wire: bool,
}

/// Sums of rows over what is not in the ledger any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Retained {
    /// By row.
    kept: Vec<Kept>,
    /// Number of rows that have some.
    rows: usize,
    connections: u64,
    bytes: Bytes,
    /// The newest sample that was taken in.
    sample: u32,
}

impl Retained {
    /// Whether this sample has not been taken in yet.
    pub fn is_due(&mut self, sample: u32) -> bool {
        core::mem::replace(&mut self.sample, sample) != sample
    }

    pub fn add(&mut self, row: u32, gone: &Departed) {
        let kept = Kept {
            connections: 1,
            bytes: gone.line.bytes_in_row(),
            wire: Wire::of(&gone.entry, gone.on_wire),
            has_unknown_wire: gone.entry.is_turned(),
        };
        self.add_kept(row, &kept);
    }

    fn add_kept(&mut self, row: u32, more: &Kept) {
        let at = row as usize;
        if at >= self.kept.len() {
            self.kept.resize(at + 1, Kept::default());
        }
        let kept = &mut self.kept[at];
        self.rows += usize::from(kept.connections == 0 && more.connections > 0);
        kept.connections = kept.connections.saturating_add(more.connections);
        kept.bytes += more.bytes;
        kept.has_unknown_wire |= more.has_unknown_wire;
        kept.wire.add(&more.wire);
        self.connections += u64::from(more.connections);
        self.bytes += more.bytes;
    }

    /// Gives every row what is kept of it.
    pub fn start(&self, tallies: &mut Vec<Tally>) {
        tallies.fill(Tally::default());
        tallies.resize(tallies.len().max(self.kept.len()), Tally::default());
        for (tally, kept) in tallies.iter_mut().zip(&self.kept) {
            *tally = Tally::of_departed(kept.connections, kept.bytes);
        }
    }

    /// Number of rows with connections that have left.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows with connections that have left.
    pub fn filled(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.kept).filter(|(_, kept)| kept.connections > 0).map(|(row, _)| row)
    }

    /// Connections and bytes of all rows.
    pub fn sum(&self) -> (u64, Bytes) {
        (self.connections, self.bytes)
    }

    /// Connections and bytes of a row.
    pub fn of(&self, row: u32) -> (u32, Bytes) {
        self.kept.get(row as usize).map(|kept| (kept.connections, kept.bytes)).unwrap_or_default()
    }

    /// `None` where it is not known.
    pub fn wire(&self, row: u32) -> Option<Wire> {
        let kept = self.kept.get(row as usize).copied().unwrap_or_default();
        (!kept.has_unknown_wire).then_some(kept.wire)
    }

    /// Lets go of the rows with the fewest bytes, so that seven eighths of `max` are left, or those that have connections
    /// in the ledger: of these a sum may not shrink. `tallies` are the sums with both, and lose what goes.
    pub fn fold_smallest(&mut self, tallies: &mut [Tally], max: usize) {
        let is_live = |(row, kept): &(usize, &Kept)| tallies[*row].connections > kept.connections;
        let mut idle: Vec<(u64, usize)> = (self.kept.iter().enumerate())
            .filter(|(_, kept)| kept.connections > 0)
            .filter(|row| !is_live(row))
            .map(|(row, kept)| (kept.bytes.sum(), row))
            .collect();
        let excess = self.rows.saturating_sub(max - max / 8).min(idle.len());
        if excess == 0 {
            return;
        }
        idle.select_nth_unstable(excess - 1);
        for (_, row) in &idle[..excess] {
            let kept = core::mem::take(&mut self.kept[*row]);
            self.rows -= 1;
            self.connections -= u64::from(kept.connections);
            self.bytes = self.bytes.since(kept.bytes);
            tallies[*row] = Tally::default();
        }
    }

    /// Takes over what others have kept of a row.
    pub fn take_over(&mut self, row: u32, other: &Self, its: u32) {
        if let Some(kept) = other.kept.get(its as usize).filter(|kept| kept.connections > 0) {
            self.add_kept(row, kept);
        }
    }

    /// Has taken in the samples that others have.
    pub fn seen_as(&mut self, other: &Self) {
        self.sample = other.sample;
    }

    pub fn clear(&mut self) {
        *self = Self { sample: self.sample, ..Self::default() };
    }
}
