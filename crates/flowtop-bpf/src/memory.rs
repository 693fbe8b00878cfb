//! Whether the tables of the kernel side fit into memory, before they are made.
//!
//! Not in here: how large the tables of a plan are (`load`), and where the facts come from (`probe`).

/// Memory available for the tables, in bytes; `None` where it is unknown or unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// `RLIMIT_MEMLOCK`, where the kernel counts tables as locked memory (before Linux 5.11) and we may not raise it.
    pub memlock_bytes: Option<u64>,
    /// `MemAvailable` of the host.
    pub available_bytes: Option<u64>,
    /// Memory that our cgroup, or one above it, still allows.
    pub cgroup_bytes: Option<u64>,
}

/// Largest `--max-flows` that is proposed, as a power of two.
const MOST_FLOWS_LOG2: u32 = 24;

impl Room {
    /// One sentence if the tables for `max_flows` connections do not fit: what they take, what there is, and what would
    /// fit. `table_bytes` says how large they are for a number of connections, and grows with it.
    #[must_use]
    pub fn refusal(&self, max_flows: u32, table_bytes: impl Fn(u32) -> u64) -> Option<String> {
        let (wanted, (least, limit)) = (table_bytes(max_flows), self.least()?);
        if wanted <= least {
            return None;
        }
        let fits =
            (0..=MOST_FLOWS_LOG2).rev().map(|log2| 1 << log2).find(|flows| table_bytes(*flows) <= least);
        let next = match fits {
            Some(flows) => format!("--max-flows {flows} fits"),
            None => "not even those of one fit".to_owned(),
        };
        let (wanted, least) = (wanted.div_ceil(1 << 20), least >> 20);
        Some(format!(
            "the tables for {max_flows} connections take {wanted} MiB of kernel memory, and {limit} {least} MiB; {next}"
        ))
    }

    /// The smallest of what there is, and who sets it.
    fn least(&self) -> Option<(u64, &'static str)> {
        let limits = [
            (self.memlock_bytes, "RLIMIT_MEMLOCK (ulimit -l) allows"),
            (self.available_bytes, "the host has"),
            (self.cgroup_bytes, "the memory limit of the cgroup leaves"),
        ];
        limits.into_iter().filter_map(|(bytes, limit)| Some((bytes?, limit))).min()
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
#[must_use]
pub fn available_bytes(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.strip_suffix("kB"))?;
    value.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Memory that a cgroup still allows: its limit less its usage without inactive file pages, which the kernel
/// reclaims. `None` without a limit.
#[must_use]
pub fn cgroup_bytes(limit: &str, used: &str, stat: &str) -> Option<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    // Version 1 writes no limit as a very large one.
    let limit = number(limit).filter(|limit| *limit < 1 << 60)?;
    let idle =
        |line: &str| number(line.strip_prefix("total_").unwrap_or(line).strip_prefix("inactive_file ")?);
    // Version 1 has the line twice; the sum over the tree below comes last.
    let idle = stat.lines().filter_map(idle).next_back().unwrap_or_default();
    Some(limit.saturating_sub(number(used)?.saturating_sub(idle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// 1 KiB for each connection and 1 MiB for all of them.
    fn table_bytes(flows: u32) -> u64 {
        u64::from(flows) * 1024 + MIB
    }

    fn said(memlock: Option<u64>, available: Option<u64>, cgroup: Option<u64>) -> Option<String> {
        let bytes = |mib: Option<u64>| mib.map(|mib| mib * MIB);
        let (memlock_bytes, available_bytes, cgroup_bytes) =
            (bytes(memlock), bytes(available), bytes(cgroup));
        Room { memlock_bytes, available_bytes, cgroup_bytes }.refusal(100 * 1024, table_bytes)
    }

    #[test]
    fn what_does_not_fit_is_said_with_what_would() {
        let tables = "the tables for 102400 connections take 101 MiB of kernel memory, and";
        for (memlock, available, cgroup, expected) in [
            (None, None, None, None),
            (Some(101), Some(101), Some(101), None),
            (None, Some(100), Some(200), Some("the host has 100 MiB; --max-flows 65536 fits")),
            (
                Some(8),
                Some(100),
                None,
                Some("RLIMIT_MEMLOCK (ulimit -l) allows 8 MiB; --max-flows 4096 fits"),
            ),
            (
                None,
                Some(500),
                Some(65),
                Some("the memory limit of the cgroup leaves 65 MiB; --max-flows 65536 fits"),
            ),
            (
                None,
                Some(500),
                Some(64),
                Some("the memory limit of the cgroup leaves 64 MiB; --max-flows 32768 fits"),
            ),
            (None, Some(1), None, Some("the host has 1 MiB; not even those of one fit")),
            (
                None,
                None,
                Some(0),
                Some("the memory limit of the cgroup leaves 0 MiB; not even those of one fit"),
            ),
        ] {
            let expected = expected.map(|rest| format!("{tables} {rest}"));
            assert_eq!(said(memlock, available, cgroup), expected);
        }
    }

    #[test]
    fn what_is_available_is_a_line_of_meminfo() {
        let meminfo = "MemTotal:       24684048 kB\nMemFree:        1 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_bytes(meminfo), Some(2 * MIB));
        for text in ["", "MemAvailable: x kB", "MemAvailable: 1", "MemAvailable: 99999999999999999999 kB"] {
            assert_eq!(available_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_cgroup_has_room_up_to_its_limit_and_in_idle_file_pages() {
        let v1 = "inactive_file 7\ntotal_inactive_file 100\n";
        for (limit, used, stat, expected) in [
            ("max\n", "5", "", None),
            ("9223372036854771712", "5", "", None),
            ("1000", "400\n", "", Some(600)),
            ("1000", "400", "anon 1\ninactive_file 100\nactive_file 5\n", Some(700)),
            ("1000", "400", v1, Some(700)),
            ("1000", "2000", "", Some(0)),
            ("1000", "50", v1, Some(1000)),
            ("1000", "?", "", None),
        ] {
            assert_eq!(cgroup_bytes(limit, used, stat), expected, "{limit} {used} {stat}");
        }
    }
}
