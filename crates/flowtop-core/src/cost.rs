//! The cost of flowtop itself: the difference of two readings of its counters, and its text.
//!
//! Not in here: where the counters come from (`flowtop`'s `cost`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use serde::Serialize;

/// Counters of this process and of its programs in the kernel, at a moment. They only grow, but for memory and table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub at_ns: u64,
    /// Processor time of this process, in nanoseconds.
    pub process_ns: u64,
    /// Of the programs, in nanoseconds, and how often they ran; `None` where the kernel does not tell.
    pub programs: Option<(u64, u64)>,
    /// Resident memory in bytes, `None` where the kernel does not tell.
    pub resident_bytes: Option<u64>,
    /// Entries in use of the kernel's flow table.
    pub table_used: u64,
    /// Connections that there is room for.
    pub table_size: u64,
}

/// Cost of flowtop between two readings. `None` where the kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Length of that time, in seconds.
    pub over_s: f64,
    /// CPU seconds of this process.
    pub process_s: f64,
    /// Processor time of its programs in the kernel, with what measuring them takes.
    pub programs_s: Option<f64>,
    /// Runs of all BPF programs.
    pub program_runs: Option<u64>,
    /// Resident set size at the later reading.
    pub resident_bytes: Option<u64>,
    /// Connections in the kernel's table now.
    pub table_used: u64,
    /// Connections that there is room for.
    pub table_size: u64,
}

impl Cost {
    /// The difference of two readings.
    #[must_use]
    pub fn between(before: &Counters, now: &Counters) -> Self {
        let seconds = |ns: u64| ns as f64 / 1e9;
        let programs = before.programs.zip(now.programs);
        let grown =
            programs.map(|(before, now)| (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1)));
        Self {
            over_s: seconds(now.at_ns.saturating_sub(before.at_ns)),
            process_s: seconds(now.process_ns.saturating_sub(before.process_ns)),
            programs_s: grown.map(|(ns, _)| seconds(ns)),
            program_runs: grown.map(|(_, runs)| runs),
            resident_bytes: now.resident_bytes,
            table_used: now.table_used,
            table_size: now.table_size,
        }
    }

    /// For a line on the screen: percent of one processor for the process and for the programs, nanoseconds a run, memory
    /// in 10^6 bytes, fill of the table.
    #[must_use]
    pub fn text(&self) -> String {
        let percent = |seconds: f64| match self.over_s {
            over_s if over_s > 0.0 => format!("{:.1}%", 100.0 * seconds / over_s),
            _ => UNKNOWN.to_owned(),
        };
        let each = self.programs_s.zip(self.program_runs).filter(|(_, runs)| *runs > 0);
        let each = each.map(|(seconds, runs)| format!(" ({:.0} ns a run)", seconds * 1e9 / runs as f64));
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        format!(
            "cpu {} bpf {}{} mem {} table {:.0}%",
            percent(self.process_s),
            self.programs_s.map_or_else(|| UNKNOWN.to_owned(), percent),
            each.unwrap_or_default(),
            self.resident_bytes.map_or_else(|| UNKNOWN.to_owned(), megabytes),
            100.0 * self.table_used as f64 / self.table_size.max(1) as f64,
        )
    }
}

/// Shown for a number that the kernel does not tell.
const UNKNOWN: &str = "?";

/// Resident memory in bytes by a process's `status` file.
#[must_use]
pub fn resident_bytes(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"))?;
    value.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(at_s: u64, programs: Option<(u64, u64)>) -> Counters {
        Counters {
            at_ns: at_s * 1_000_000_000,
            process_ns: at_s * 3_000_000,
            programs,
            resident_bytes: Some(26_300_000),
            table_used: 1311,
            table_size: 131_072,
        }
    }

    #[test]
    fn two_looks_make_a_cost() {
        let cost = Cost::between(&counters(10, Some((0, 50))), &counters(20, Some((99_000_000, 3_000_050))));
        assert_eq!(cost.text(), "cpu 0.3% bpf 1.0% (33 ns a run) mem 26.3 MB table 1%");
        assert_eq!((cost.programs_s, cost.program_runs), (Some(0.099), Some(3_000_000)));
    }

    #[test]
    fn what_is_not_known_is_said_to_be() {
        let (before, now) = (counters(1, None), counters(2, Some((5, 5))));
        let cost = Cost::between(&before, &Counters { resident_bytes: None, ..now });
        assert_eq!(cost.text(), "cpu 0.3% bpf ? mem ? table 1%");
        assert_eq!(Cost::between(&now, &now).text(), "cpu ? bpf ? mem 26.3 MB table 1%");
        let json = serde_json::to_value(cost).unwrap();
        assert_eq!(
            (&json["programs_s"], &json["resident_bytes"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
    }

    #[test]
    fn resident_memory_is_a_line_of_status() {
        assert_eq!(resident_bytes("VmHWM:\t  9 kB\nVmRSS:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(resident_bytes("Name:\tflowtop\n"), None);
    }
}
