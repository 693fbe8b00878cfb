//! Every workload: what it is called, what it catches, what it needs, and how it is judged. Each family of cases is
//! a file with its table on top.

use anyhow::Result;

use crate::compare::Holds;
use crate::stage::Stage;

mod addresses;
mod chosen;
mod closing;
mod crowd;
mod identity;
mod offload;
mod older;
mod owners;
mod pods;
mod proxied;
mod receiving;
mod reporting;
mod restored;
mod sending;
mod socket_map;
mod trigger;
mod uring;
mod wire;

/// Why a case about names may need more than one report.
const LATE_NAMES: &str = "names come from files that are read in the background, and again every 10 s; a report waits \
                          100 ms for them at most, and what it does not know is unknown";

/// A workload with known bytes, and how flowtop's report on it is judged.
pub struct Case {
    /// A sentence, unique among the cases; `--case` looks for a part of it.
    pub name: &'static str,
    /// The fault that it would show.
    pub catches: &'static str,
    /// Whether the kernel can do it at all; the error is the reason why not.
    pub needs: Option<fn() -> Result<()>>,
    pub expectation: Expectation,
    /// Runs the workload and compares the report.
    pub run: fn(&mut Stage<'_>) -> Result<()>,
}

/// The rule by which a report is compared with the workload.
pub enum Expectation {
    /// To the byte, in the first report.
    Exact,
    /// Not to the byte, or not at once: why, and what holds all the same.
    Limitation {
        /// The reason, which the suite prints beside the result.
        text: &'static str,
        /// The weaker rule that holds all the same.
        holds: Holds,
    },
}

impl Case {
    /// A case that every kernel can run and flowtop counts to the byte.
    const fn exact(name: &'static str, catches: &'static str, run: fn(&mut Stage<'_>) -> Result<()>) -> Self {
        Self { name, catches, needs: None, expectation: Expectation::Exact, run }
    }

    /// The same, where the kernel can run it.
    const fn where_possible(self, needs: fn() -> Result<()>) -> Self {
        Self { needs: Some(needs), ..self }
    }

    /// The same, judged by a documented limitation.
    const fn limited(self, text: &'static str, holds: Holds) -> Self {
        Self { expectation: Expectation::Limitation { text, holds }, ..self }
    }
}

/// All cases, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        sending::CASES,
        receiving::CASES,
        closing::CASES,
        addresses::CASES,
        identity::CASES,
        offload::CASES,
        uring::CASES,
        older::CASES,
        restored::CASES,
        proxied::CASES,
        socket_map::CASES,
        trigger::CASES,
        owners::CASES,
        pods::CASES,
        chosen::CASES,
        wire::CASES,
        crowd::CASES,
        reporting::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Those in which a change of what keeps the counters current could lose or double a byte: sends and receives under way,
/// ends, births on a used tuple, older sockets, and sockets without an entry.
pub fn alternating() -> Vec<&'static Case> {
    let names = [
        sending::PLAIN,
        sending::SENDFILE,
        "a storm of sends that end in EAGAIN",
        "two threads that write to one socket",
        "a shutdown beside another thread's sends",
        "bytes thrown away with MSG_TRUNC",
        closing::HALF_CLOSE,
        "a close with 8,000 bytes unread",
        "a read after the peer's reset",
        "a socket connected twice on one tuple",
        "TCP Fast Open with data in the SYN",
        "bytes queued before the start and read after it",
        "more connections than the table holds",
    ];
    let found: Vec<_> = all().filter(|case| names.contains(&case.name)).collect();
    assert_eq!(found.len(), names.len(), "a case of this list has another name");
    found
}

/// Enough to see that the plan which replaced a silent one counts: plain, page-wise and half-closed.
pub fn without_ftrace() -> Vec<&'static Case> {
    let names = [sending::PLAIN, sending::SENDFILE, closing::HALF_CLOSE];
    all().filter(|case| names.contains(&case.name)).collect()
}
