//! tcptop's report: bytes of each connection since the previous report, with its process, busiest first.
//!
//! Unlike tcptop's, a connection is one row, whichever threads work for it and also when both of its ends are here.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use flowtop_common::FlowKey;

use flowtop_core::column::{Source, named};
use flowtop_core::ledger::Ledger;
use flowtop_core::rows::{Row, rows};
use flowtop_core::value::Value;
use flowtop_core::view::{Sort, View};
use flowtop_core::who::Who;
use flowtop_core::window::Bytes;

/// Default rows of a report.
pub const ROWS: usize = 20;

#[derive(Debug, Default)]
pub struct Reports {
    /// Bytes of each connection at the report before.
    before: HashMap<FlowKey, Bytes>,
}

impl Reports {
    /// One report; `summary` is its first line. Rates are no order here: what has moved is of one interval.
    pub fn report(
        &mut self,
        ledger: &Ledger,
        limit: Option<usize>,
        who: Who<'_>,
        sort: Sort,
        summary: Option<&str>,
    ) -> String {
        let all = rows(ledger, &View::default());
        let mut moved: Vec<(Bytes, &Row<'_>)> = all.iter().map(|row| (self.since_before(row), row)).collect();
        moved.retain(|(bytes, _)| bytes.sum() > 0);
        moved.sort_by_key(|(bytes, _)| Reverse(sort.of_total(*bytes).unwrap_or_else(|| bytes.sum())));
        moved.truncate(limit.unwrap_or(usize::MAX));
        let mut out = summary.map(|line| format!("{line}\n\n")).unwrap_or_default();
        for family in [Family::V4, Family::V6] {
            let of_family =
                |(_, row): &&(Bytes, &Row<'_>)| row.tuple.local.is_ipv4() == (family == Family::V4);
            let lines: Vec<_> = moved.iter().filter(of_family).collect();
            if family == Family::V4 || !lines.is_empty() {
                family.write_title(&mut out);
                for (bytes, row) in lines {
                    family.write_line(&mut out, *bytes, &Source::new(row, ledger.at_ns(), who), row);
                }
                out.push('\n');
            }
        }
        self.before = all.iter().map(|row| (*row.key, row.bytes)).collect();
        out
    }

    fn since_before(&self, row: &Row<'_>) -> Bytes {
        row.bytes.since(self.before.get(row.key).copied().unwrap_or_default())
    }
}

/// Each family is a table of its own, since its addresses have a width of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn address_chars(self) -> usize {
        match self {
            Self::V4 => 21,
            Self::V6 => 47,
        }
    }

    fn write_title(self, out: &mut String) {
        let suffix = if self == Self::V4 { "" } else { "6" };
        let (local, remote) = (format!("LADDR{suffix}"), format!("RADDR{suffix}"));
        self.write(out, &["PID", "COMM", &local, &remote, "RX_KB", "TX_KB"]);
    }

    fn write_line(self, out: &mut String, bytes: Bytes, source: &Source<'_>, row: &Row<'_>) {
        let known = |name| match named(source, name) {
            Value::Null => "-".to_owned(),
            value => value.text(),
        };
        let kibibytes = |bytes: u64| (bytes / 1024).to_string();
        let (local, remote) = (row.tuple.local.to_string(), row.tuple.remote.to_string());
        let (received, sent) = (kibibytes(bytes.rx), kibibytes(bytes.tx));
        self.write(out, &[&known("pid"), &known("comm"), &local, &remote, &received, &sent]);
    }

    fn write(self, out: &mut String, [pid, comm, local, remote, received, sent]: &[&str; 6]) {
        let chars = self.address_chars();
        let addresses = format!("{local:<chars$} {remote:<chars$}");
        // A String takes every write.
        let _ = writeln!(out, "{pid:<7} {comm:<15} {addresses} {received:>7} {sent:>7}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_common::Flow;
    use flowtop_core::fixture::{CONNECTED, flow, key, ledger_of, sample};

    fn of(pid: u32, flow: Flow) -> Flow {
        Flow { pid, comm: *b"curl\0\0\0\0\0\0\0\0\0\0\0\0", ..flow }
    }

    #[test]
    fn a_report_is_what_has_moved_since_the_one_before() {
        let v4 = key(1, "192.0.2.1:40000", "198.51.100.7:443", 1);
        let v6 = key(1, "[2001:db8::1]:40001", "[2001:db8::2]:22", 2);
        let at = |at_s, more: u64| {
            let flows = [(v4, of(7, flow(CONNECTED, 2048 + more, 10_240))), (v6, flow(CONNECTED, 0, 4096))];
            sample(at_s, &flows)
        };
        let mut ledger = ledger_of(&[at(1, 0)]);
        let mut reports = Reports::default();
        let first =
            reports.report(&ledger, Some(5), Who::nobody(), Sort::Last10s, Some("12:00:00 loadavg: 0.06"));
        let expected = "\
12:00:00 loadavg: 0.06

PID     COMM            LADDR                 RADDR                   RX_KB   TX_KB
7       curl            192.0.2.1:40000       198.51.100.7:443           10       2

PID     COMM            LADDR6                                          RADDR6                                            RX_KB   TX_KB
-       -               [2001:db8::1]:40001                             [2001:db8::2]:22                                      4       0

";
        assert_eq!(first, expected);
        ledger.apply(&at(2, 1024));
        let second = reports.report(&ledger, Some(5), Who::nobody(), Sort::Last10s, None);
        let expected = "\
PID     COMM            LADDR                 RADDR                   RX_KB   TX_KB
7       curl            192.0.2.1:40000       198.51.100.7:443            0       1

";
        assert_eq!(second, expected);
    }

    #[test]
    fn the_busiest_come_first_and_no_more_than_asked_for() {
        let to = |id: u64| key(1, "192.0.2.1:40000", "198.51.100.7:443", id);
        let ledger = ledger_of(&[sample(
            1,
            &[1, 3, 2].map(|id| (to(id), of(u32::try_from(id).unwrap(), flow(CONNECTED, id * 1024, 0)))),
        )]);
        let report = Reports::default().report(&ledger, Some(2), Who::nobody(), Sort::Last10s, None);
        let pids: Vec<_> = report.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(pids, ["3", "2"]);
    }
}
