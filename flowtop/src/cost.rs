//! flowtop's own cost, by the kernel's count. Statistics about BPF programs cost some 20 ns a run, for all
//! programs of the host, so they are on only while the cost is shown.

use std::fs;
use std::os::fd::OwnedFd;

use aya::sys::{Stats, enable_stats};

use crate::source::Source;
use flowtop_core::cost::{Cost, Counters, resident_bytes};
use flowtop_sys::clock;

/// Looks at the counters from time to time.
#[derive(Debug)]
pub struct Meter {
    /// Statistics are on while this is open; `None` where the kernel does not let us (before Linux 5.8, or without
    /// `CAP_SYS_ADMIN`).
    statistics: Option<OwnedFd>,
    before: Option<Counters>,
}

impl Meter {
    /// Switches statistics on; dropping the meter switches them off.
    #[must_use]
    pub fn new() -> Self {
        Self { statistics: enable_stats(Stats::RunTime).ok(), before: None }
    }

    /// The cost since the last call; zero at the first one. `table` is how many connections are in the
    /// kernel's table, and how many can be.
    pub fn read(&mut self, source: &Source, table: (usize, u32)) -> Cost {
        let now = self.counters(source, table);
        let before = self.before.replace(now).unwrap_or(now);
        Cost::between(&before, &now)
    }

    fn counters(&self, source: &Source, (table_used, table_size): (usize, u32)) -> Counters {
        let (at_ns, process_ns) = clock::processor_ns();
        let programs = self.statistics.as_ref().and_then(|_| source.program_costs());
        Counters {
            at_ns,
            process_ns,
            programs,
            resident_bytes: resident_bytes(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
            table_used: table_used as u64,
            table_size: table_size.into(),
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}
