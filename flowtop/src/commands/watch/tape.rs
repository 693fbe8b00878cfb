//! Recording for `flowtop watch`: a ring of compressed records in memory, and a writer to disk once a condition is met.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cli::WatchArgs;
use crate::commands::record::host::{self, Interfaces};
use crate::commands::record::store::Store;
use crate::commands::record::writer::Writer;
use crate::commands::record::{directory, kept};
use crate::stderr;
use flowtop_core::ledger::Ledger;
use flowtop_core::record::limits::TrafficLimits;
use flowtop_core::record::{Fill, Gap, Host, Record};
use flowtop_core::sampler::Sampler;
use flowtop_core::who::Who;
use flowtop_core::window::Bytes;
use flowtop_recording::format::frame::{Frame, encode};
use flowtop_sys::clock;
use flowtop_view::settings::Settings;
use flowtop_view::watch::before::Before;

/// Length of a record.
const WINDOW_NS: u64 = 10_000_000_000;
/// Maximum size in bytes of the records kept in memory.
const MAX_BYTES: usize = 64 << 20;
/// Maximum number of records queued for the disk.
const MAX_WAITING: usize = 1024;

/// The records kept in memory, and the current window.
pub(super) struct Tape {
    directory: PathBuf,
    host: Host,
    limits: TrafficLimits,
    max_flows: u32,
    window: Option<(Sampler, Interfaces)>,
    before: Before<Piece>,
    /// Records that did not fit into the writer's queue yet.
    waiting: VecDeque<Piece>,
    lost: u64,
    /// Bytes from the start of the first window to the end of the last one.
    moved: Bytes,
    /// End of the last record given to the writer, in ns of the monotonic clock, and the totals at that time.
    written: Option<(u64, Bytes)>,
    /// Record until this time, in ns of the monotonic clock.
    until_ns: Option<u64>,
    writer: Writer,
}

impl Tape {
    /// Opens a directory, by default `watch` in the directory of `flowtop record`.
    pub(super) fn open(
        args: &WatchArgs,
        before: Duration,
        settings: &Settings,
        limits: TrafficLimits,
    ) -> Result<Self> {
        let directory = match &args.output {
            Some(typed) => typed.clone(),
            None => directory(None)?.join("watch"),
        };
        let Some((store, notes)) = Store::open(&directory, kept(args.retention), clock::now().us)? else {
            bail!("{}: another flowtop records there; give --output another directory", directory.display());
        };
        for note in notes {
            stderr::print(&format!("flowtop: {note}\n"));
        }
        Ok(Self {
            directory,
            host: host::host(Path::new(&settings.host_root.value)),
            limits,
            max_flows: settings.max_flows.value.0,
            window: None,
            before: Before::new(before, MAX_BYTES),
            waiting: VecDeque::new(),
            lost: 0,
            moved: Bytes::default(),
            written: None,
            until_ns: None,
            writer: Writer::start(store)?,
        })
    }

    /// Starts the first window at the newest sample of a ledger.
    pub(super) fn start(&mut self, ledger: &Ledger) {
        self.window = Some((Sampler::start(ledger), Interfaces::read()));
    }

    pub(super) fn is_recording(&self) -> bool {
        self.until_ns.is_some()
    }

    /// Adds the newest sample. `flows` is the number of flows in the kernel's table.
    pub(super) fn sample(&mut self, ledger: &Ledger, who: Who<'_>, flows: usize) {
        let Some((sampler, _)) = &mut self.window else { return };
        sampler.sample(ledger);
        let is_over = self.until_ns.is_some_and(|until_ns| ledger.at_ns() >= until_ns);
        if is_over || ledger.at_ns().saturating_sub(sampler.start_ns()) >= WINDOW_NS {
            self.close(ledger, who, flows);
        }
        if is_over {
            self.until_ns = None;
        }
        self.hand_over();
    }

    /// Writes the records in memory, and those of the given time from now on.
    pub(super) fn record(&mut self, after: Duration, now_ns: u64) {
        let until_ns = now_ns.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        self.until_ns = Some(self.until_ns.map_or(until_ns, |earlier_ns| earlier_ns.max(until_ns)));
        self.waiting.extend(self.before.take());
        let cut = self.before.take_cut();
        if cut > 0 {
            let mib = MAX_BYTES >> 20;
            stderr::print(&format!("flowtop: {cut} records of the time before did not fit into {mib} MiB\n"));
        }
        self.hand_over();
    }

    /// Ends the current window at the newest sample.
    fn close(&mut self, ledger: &Ledger, who: Who<'_>, flows: usize) {
        let Some((sampler, interfaces)) = &mut self.window else { return };
        let counted = Interfaces::read();
        let record = Record {
            host: self.host.clone(),
            table: Fill { used: u32::try_from(flows).unwrap_or(u32::MAX), max: self.max_flows },
            interfaces: counted.since(interfaces),
            limits: self.limits.clone(),
            ..sampler.close(ledger, who)
        };
        *interfaces = counted;
        let piece = Piece { frame: encode(&record), moved_before: self.moved };
        self.moved += record.totals;
        if self.until_ns.is_none() {
            self.before.push(record.span.end_ns, piece.frame.len(), piece);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(piece);
        } else {
            self.lost += 1;
        }
    }

    /// Moves records to the writer while its queue has room.
    fn hand_over(&mut self) {
        while let Some(piece) = self.waiting.front() {
            let Some(record) = piece.record(self.written) else { return };
            let written = (record.span.end_ns, piece.moved_before + record.totals);
            if self.writer.offer(record).is_some() {
                return;
            }
            self.written = Some(written);
            self.waiting.pop_front();
        }
    }

    /// Writes the remaining records, and returns a summary.
    pub(super) fn end(mut self, ledger: &Ledger, who: Who<'_>, flows: usize) -> String {
        if self.is_recording() {
            self.close(ledger, who, flows);
        }
        for piece in &self.waiting {
            let Some(record) = piece.record(self.written) else { continue };
            self.written = Some((record.span.end_ns, piece.moved_before + record.totals));
            self.writer.wait_and_write(record);
        }
        let outcome = self.writer.end();
        let unwritten = outcome.unwritten + self.lost;
        let missing =
            if unwritten == 0 { String::new() } else { format!(", {unwritten} could not be written") };
        let (records, bytes) = (outcome.written, outcome.bytes);
        format!("{records} records in {}, {bytes} bytes{missing}", self.directory.display())
    }
}

/// A record in memory.
struct Piece {
    frame: Vec<u8>,
    /// Totals at the start of its window.
    moved_before: Bytes,
}

impl Piece {
    /// The record, with the gap since the last one that was written; those in between were dropped.
    fn record(&self, written: Option<(u64, Bytes)>) -> Option<Record> {
        let record = Frame::parse(&self.frame, 0).ok()?.record().ok()?;
        let written = written.filter(|(end_ns, _)| *end_ns < record.span.start_ns);
        let gap = written.map(|(start_ns, moved)| Gap { start_ns, totals: self.moved_before.since(moved) });
        Some(Record { gap, ..record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::record::fixture;

    #[test]
    fn a_record_tells_what_moved_in_those_that_nobody_wanted() {
        let bytes = |tx| Bytes { tx, rx: 2 * tx };
        let minute = |n| Record { totals: bytes(1_u64 << n), ..fixture::record(n, vec![]) };
        let piece = |n| Piece { frame: encode(&minute(n)), moved_before: bytes((1 << n) - 1) };
        let gap_after = |written: Option<(u64, Bytes)>| piece(3).record(written).unwrap().gap;
        assert_eq!(gap_after(None), None);
        let after = |n| Some((minute(n).span.end_ns, bytes((1 << (n + 1)) - 1)));
        assert_eq!(gap_after(after(2)), None);
        let gap = Gap { start_ns: minute(0).span.end_ns, totals: bytes(2 + 4) };
        assert_eq!(gap_after(after(0)), Some(gap));
        assert_eq!(piece(3).record(None).unwrap(), minute(3));
    }
}
