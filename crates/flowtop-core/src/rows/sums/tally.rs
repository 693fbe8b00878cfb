//! Sums over the connections of a row, and their owner.

use crate::ledger::Line;
use crate::owner::Seen;
use crate::record::Rest;
use crate::window::{Bytes, Rates, Window};

/// A process as the kernel saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Its id, 0 where none has been seen.
    pub pid: u32,
    /// Its name, NUL-padded.
    pub comm: [u8; 16],
}

impl Process {
    fn of(seen: &Seen) -> Self {
        Self { pid: seen.pid, comm: seen.comm }
    }
}

/// Whose the connections of a row are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// No process was seen.
    #[default]
    Unknown,
    One(Process),
    Several,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub rates: Rates,
    /// Their bytes since the start.
    pub bytes: Bytes,
    pub connections: u32,
    pub owner: Owner,
}

/// The same, as small as can be.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rows) struct Tally {
    windows: [Bytes; 3],
    bytes: Bytes,
    pub connections: u32,
    process: Process,
    several: bool,
}

impl Tally {
    pub fn add_line(&mut self, line: &Line) {
        let process = line.owner.as_deref().map_or_else(Process::default, Process::of);
        let its = Self { windows: line.windows, bytes: line.bytes, connections: 1, process, several: false };
        self.add(&if line.is_turned() { its.mirror() } else { its });
    }

    pub fn add(&mut self, other: &Self) {
        for (bytes, more) in self.windows.iter_mut().zip(other.windows) {
            *bytes += more;
        }
        self.bytes += other.bytes;
        self.connections = self.connections.saturating_add(other.connections);
        self.several |= other.several;
        if self.process.pid == 0 {
            self.process = other.process;
        } else {
            self.several |= other.process.pid != 0 && other.process.pid != self.process.pid;
        }
    }

    /// All of it has moved in the window of the record, which is each of the three.
    pub fn of_rest(rest: &Rest) -> Self {
        Self { windows: [rest.bytes; 3], bytes: rest.bytes, connections: rest.flows, ..Self::default() }
    }

    /// Sum of connections that have left the ledger; their windows are empty.
    pub fn of_departed(connections: u32, bytes: Bytes) -> Self {
        Self { bytes, connections, ..Self::default() }
    }

    pub fn mirror(&self) -> Self {
        Self { windows: self.windows.map(Bytes::mirror), bytes: self.bytes.mirror(), ..*self }
    }

    pub const fn window(&self, window: Window) -> Bytes {
        self.windows[window as usize]
    }

    pub const fn bytes(&self) -> Bytes {
        self.bytes
    }

    pub fn sum(&self, clock: &Rates) -> Sum {
        let owner = match self.process {
            _ if self.several => Owner::Several,
            Process { pid: 0, .. } => Owner::Unknown,
            process => Owner::One(process),
        };
        let rates = clock.with(self.windows);
        Sum { rates, bytes: self.bytes, connections: self.connections, owner }
    }
}
