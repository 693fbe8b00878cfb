//! The recording of a watch: the time before as frames in memory, the time after as records on disk.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cli::WatchArgs;
use crate::core::column::Who;
use crate::core::ledger::Ledger;
use crate::core::record::frame::{Frame, encode};
use crate::core::record::{Fill, Host, Record};
use crate::core::sampler::Sampler;
use crate::core::settings::Settings;
use crate::core::watch::before::Before;
use crate::record::host::{self, Interfaces};
use crate::record::store::Store;
use crate::record::writer::Writer;
use crate::record::{directory, kept};
use crate::{aside, clock};

/// Length of a record.
const WINDOW_NS: u64 = 10_000_000_000;
/// Memory for the time before.
const MAX_BYTES: usize = 64 << 20;
/// Records that wait for the disk.
const MAX_WAITING: usize = 1024;

/// What has been and what is being recorded.
pub(super) struct Tape {
    directory: PathBuf,
    host: Host,
    limits: String,
    max_flows: u32,
    window: Option<(Sampler, Interfaces)>,
    before: Before<Vec<u8>>,
    /// Frames that the writer has no room for yet.
    waiting: VecDeque<Vec<u8>>,
    lost: u64,
    /// Recorded up to then, in ns of the monotonic clock.
    until_ns: Option<u64>,
    writer: Writer,
}

impl Tape {
    /// Opens a directory, by default `watch` in that of `flowtop record`.
    pub(super) fn open(
        args: &WatchArgs,
        before: Duration,
        settings: &Settings,
        limits: String,
    ) -> Result<Self> {
        let directory = match &args.output {
            Some(typed) => typed.clone(),
            None => directory(None)?.join("watch"),
        };
        let Some((store, notes)) = Store::open(&directory, kept(args.retention), clock::now().us)? else {
            bail!("{}: another flowtop records there; give --output another directory", directory.display());
        };
        for note in notes {
            aside::say(&format!("flowtop: {note}\n"));
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
            until_ns: None,
            writer: Writer::start(store)?,
        })
    }

    /// Begins with the newest sample of a ledger.
    pub(super) fn start(&mut self, ledger: &Ledger) {
        self.window = Some((Sampler::start(ledger), Interfaces::read()));
    }

    pub(super) fn is_recording(&self) -> bool {
        self.until_ns.is_some()
    }

    /// Takes the newest sample, of so many flows of the kernel's table.
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

    /// Writes what has been, and so much of what comes.
    pub(super) fn record(&mut self, after: Duration, now_ns: u64) {
        let until_ns = now_ns.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        self.until_ns = Some(self.until_ns.map_or(until_ns, |earlier_ns| earlier_ns.max(until_ns)));
        self.waiting.extend(self.before.take());
        let cut = self.before.take_cut();
        if cut > 0 {
            let mib = MAX_BYTES >> 20;
            aside::say(&format!("flowtop: {cut} records of the time before did not fit into {mib} MiB\n"));
        }
        self.hand_over();
    }

    /// Ends the window with the newest sample.
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
        let frame = encode(&record);
        if self.until_ns.is_none() {
            self.before.push(record.span.end_ns, frame.len(), frame);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(frame);
        } else {
            self.lost += 1;
        }
    }

    /// Gives the writer as much as it has room for.
    fn hand_over(&mut self) {
        while let Some(record) = self.waiting.front().and_then(|frame| decoded(frame)) {
            if self.writer.offer(record).is_some() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Writes what is left, and says what there is.
    pub(super) fn end(mut self, ledger: &Ledger, who: Who<'_>, flows: usize) -> String {
        if self.is_recording() {
            self.close(ledger, who, flows);
        }
        for record in self.waiting.iter().filter_map(|frame| decoded(frame)) {
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

/// What was encoded here.
fn decoded(frame: &[u8]) -> Option<Record> {
    Frame::parse(frame, 0).ok()?.record().ok()
}
