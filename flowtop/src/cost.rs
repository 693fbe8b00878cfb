//! flowtop's own resource usage, as the kernel measures it. BPF statistics add about 20 ns to each run of every BPF
//! program on the host, so they are enabled only while they are shown.

use std::fs;
use std::os::fd::OwnedFd;

use aya::sys::{Stats, enable_stats};

use crate::source::Source;
use flowtop_core::cost::{Cost, Counters, resident_bytes};
use flowtop_sys::clock;

/// Reads the counters at intervals.
#[derive(Debug)]
pub struct Meter {
    /// BPF statistics are enabled while this is open. `None` if the kernel refuses (before Linux 5.8, or without
    /// `CAP_SYS_ADMIN`).
    statistics: Option<OwnedFd>,
    before: Option<Counters>,
}

impl Meter {
    /// Enables BPF statistics; dropping the meter disables them.
    #[must_use]
    pub fn new() -> Self {
        Self { statistics: enable_stats(Stats::RunTime).ok(), before: None }
    }

    /// Cost since the previous call; zero on the first. `table` is the number of connections in the kernel's table and
    /// its capacity.
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
