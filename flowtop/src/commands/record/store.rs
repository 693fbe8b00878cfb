//! The directory of a recording. One run at a time appends to its segments, and repairs what interrupted runs left
//! behind.
//!
//! Not in here: which segments to remove (`flowtop_recording::retention`), and their names
//! (`flowtop_recording::segment`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};

use crate::folder::Folder;
use crate::recordings;
use flowtop_core::record::Record;
use flowtop_recording::format::frame::{Cause, encode};
use flowtop_recording::format::scan::{Found, scan};
use flowtop_recording::retention::{Limits, Segment, until_us};
use flowtop_recording::segment::SegmentName;

const LOCK: &str = "flowtop.lock";
/// Prefix of the marks left by runs that found the directory locked; the time in µs follows.
const LOCK_CONFLICTS: &str = "turned-away-";
/// How long to wait for the previous run to end, because cron starts the next one without waiting.
pub const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// Time between two attempts to lock, before and after that wait.
pub const TRY_EVERY: Duration = Duration::from_millis(50);
pub const TRY_SELDOM: Duration = Duration::from_millis(250);

/// A directory that another run may hold locked.
#[derive(Debug)]
pub struct Place {
    folder: Folder,
    lock: File,
}

impl Place {
    /// Opens a directory, and creates it if it does not exist.
    ///
    /// # Errors
    /// If it cannot be created or written to, or another user could change files in it.
    pub fn open(dir: &Path) -> Result<Self> {
        let folder = Folder::private(dir)?;
        let (lock, _) = folder.open_or_create(LOCK)?;
        for name in folder.names()?.iter().filter(|name| SegmentName::parse(name).is_some()) {
            folder.refuse_strange(name)?;
        }
        Ok(Self { folder, lock })
    }

    /// Locks the directory. Returns `false` if another run holds the lock.
    ///
    /// # Errors
    /// If the file system does not support locks.
    pub fn lock(&self) -> Result<bool> {
        match flock(&self.lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("cannot lock {}", self.folder.path(LOCK).display()))
            }
        }
    }

    /// Leaves a mark for the run that writes: another run started at `at_us` (µs since 1970 UTC) and found the lock
    /// held.
    ///
    /// # Errors
    /// If the mark cannot be created.
    pub fn leave_mark(&self, at_us: i64) -> Result<()> {
        self.folder.mark(&format!("{LOCK_CONFLICTS}{at_us}"))
    }

    /// Opens the store, which must be locked. Truncates an incomplete record at the end of the newest segment.
    ///
    /// # Errors
    /// If the directory cannot be read or a segment cannot be written to.
    pub fn store(self, limits: Limits) -> Result<(Store, Vec<String>)> {
        let Self { folder, lock } = self;
        let mut store = Store { folder, limits, active: None, ends_ns: HashMap::new(), _lock: lock };
        let mut notes = Vec::new();
        if let Some((name, _)) = store.segments()?.pop() {
            store.active = store.active(name, &mut notes)?;
        }
        Ok((store, notes))
    }
}

/// A directory that this run has locked.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    limits: Limits,
    active: Option<Active>,
    /// End of the last record of this boot in each segment, in ns of the monotonic clock, if it has one.
    ends_ns: HashMap<SegmentName, Option<u64>>,
    /// Holds the lock.
    _lock: File,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Active {
    name: SegmentName,
    /// File name.
    file_name: String,
    file: File,
    /// Length in bytes, which covers whole frames only.
    bytes: u64,
}

/// The outcome of writing a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Size of the record in bytes.
    pub bytes: u64,
    /// Warnings for stderr, a sentence each.
    pub notes: Vec<String>,
}

impl Store {
    /// Opens and locks a directory, waiting for the previous run to end. If that run goes on, leaves a mark and returns
    /// `None`.
    ///
    /// # Errors
    /// Those of [`Place::open`] and [`Place::store`].
    pub fn open(dir: &Path, limits: Limits, now_us: i64) -> Result<Option<(Self, Vec<String>)>> {
        let place = Place::open(dir)?;
        let until = Instant::now() + ENDS_WITHIN;
        while !place.lock()? {
            if Instant::now() >= until {
                return place.leave_mark(now_us).map(|()| None);
            }
            thread::sleep(TRY_EVERY);
        }
        place.store(limits).map(Some)
    }

    /// Removes segments that exceed the retention limits, then appends a record to the segment of its hour. Marks of
    /// runs that found the directory locked are moved into the record.
    ///
    /// # Errors
    /// If the record is not written. The recording is then unchanged, except for segments that were removed.
    pub fn append(&mut self, record: &mut Record) -> Result<Written> {
        let marks = self.marks()?;
        record.lock_conflicts_us = marks.iter().map(|(at_us, _)| *at_us).collect();
        let frame = encode(record);
        let bytes = frame.len() as u64;
        let mut notes = Vec::new();
        self.make_room(bytes, record, &mut notes)?;
        self.activate_for(record.span.start_us, bytes, &mut notes)?;
        let active = self.active.as_mut().context("no segment is open")?;
        active.append(&frame).with_context(|| unwritable(&self.folder.path(&active.file_name)))?;
        self.ends_ns.insert(active.name, Some(record.span.end_ns));
        for (_, mark) in marks {
            // If a mark cannot be removed, the next record reports it again.
            let _ = self.folder.remove(&mark);
        }
        Ok(Written { bytes, notes })
    }

    fn make_room(&mut self, incoming: u64, record: &Record, notes: &mut Vec<String>) -> Result<()> {
        let now = record.span.end();
        let mut oldest_first = Vec::new();
        for (name, bytes) in self.segments()? {
            let until_us = until_us(now, name.until_us(), self.end_ns(name, record)?);
            oldest_first.push((until_us, name, bytes));
        }
        oldest_first.sort_unstable();
        let segments =
            oldest_first.iter().map(|(until_us, _, bytes)| Segment { until_us: *until_us, bytes: *bytes });
        let segments: Vec<_> = segments.collect();
        let decision = self.limits.decide(&segments, incoming, self.folder.free_bytes(), now.us);
        for (_, name, _) in &oldest_first[..decision.remove] {
            self.remove(*name, notes)?;
        }
        anyhow::ensure!(
            decision.fits,
            "a record of {incoming} bytes does not fit into {}: see --max-size and --min-free",
            self.folder.dir().display()
        );
        Ok(())
    }

    /// End of the last record in a segment that belongs to this boot. Each segment is read once.
    fn end_ns(&mut self, name: SegmentName, record: &Record) -> Result<Option<u64>> {
        if let Some(known) = self.ends_ns.get(&name) {
            return Ok(*known);
        }
        let file = self.folder.open_to_read(&file_of(name)?);
        // For the current segment read the open file, since its name may be taken by now. A segment without a record is
        // dated by its name.
        let recordings = file.as_ref().and_then(|file| recordings::open(&[path_of(file)]).ok());
        let end_ns = recordings.and_then(|recordings| {
            let of_boot = recordings.heads().iter().filter(|at| at.head.host.boot_id == record.host.boot_id);
            of_boot.map(|at| at.head.span.end_ns).max()
        });
        self.ends_ns.insert(name, end_ns);
        Ok(end_ns)
    }

    fn remove(&mut self, name: SegmentName, notes: &mut Vec<String>) -> Result<()> {
        if self.active.as_ref().is_some_and(|active| active.name == name) {
            self.active = None;
        }
        self.ends_ns.remove(&name);
        let file_name = file_of(name)?;
        if let Err(error) = self.folder.remove(&file_name) {
            notes.push(format!("cannot remove {}: {error}", self.folder.path(&file_name).display()));
        }
        Ok(())
    }

    /// Opens the segment for a window that starts at `start_us`.
    fn activate_for(&mut self, start_us: i64, incoming: u64, notes: &mut Vec<String>) -> Result<()> {
        let mut name = SegmentName::of(start_us);
        let of_hour = self.segments()?.into_iter().rev().find(|(known, _)| known.hour_us == name.hour_us);
        if let Some((newest, bytes)) = of_hour {
            name = if self.limits.is_full(bytes, incoming) { newest.next() } else { newest };
        }
        if self
            .active
            .as_ref()
            .is_none_or(|active| active.name != name || !self.folder.has(&active.file_name))
        {
            self.active = self.active(name, notes)?;
        }
        while self.active.is_none() {
            name = name.next();
            self.active = self.active(name, notes)?;
        }
        Ok(())
    }

    /// Opens a segment and truncates an incomplete record at its end. `None` if it ends with anything else that is not
    /// a record: it is kept, and nothing is appended to it.
    fn active(&self, name: SegmentName, notes: &mut Vec<String>) -> Result<Option<Active>> {
        let file_name = file_of(name)?;
        let path = self.folder.path(&file_name);
        let (mut file, is_new) = self.folder.open_or_create(&file_name)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).with_context(|| format!("cannot read {}", path.display()))?;
        let (bytes, is_torn) = whole(&content);
        let cut = content.len() as u64 - bytes;
        if cut > 0 && !is_torn {
            return Ok(None);
        }
        if cut > 0 {
            file.set_len(bytes).with_context(|| unwritable(&path))?;
            notes.push(format!(
                "{}: the last record is not complete, its {cut} bytes are cut off",
                path.display()
            ));
        }
        if is_new {
            // Sync, so that the segment survives a power failure.
            self.folder.sync().with_context(|| unwritable(&path))?;
        }
        Ok(Some(Active { name, file_name, file, bytes }))
    }

    /// Segments with their lengths, oldest first.
    fn segments(&self) -> Result<Vec<(SegmentName, u64)>> {
        let names =
            self.folder.names()?.into_iter().filter_map(|file| Some((SegmentName::parse(&file)?, file)));
        // Skips segments that were removed meanwhile, and files that flowtop did not create: they are neither counted
        // nor removed.
        let own = names.filter_map(|(name, file)| Some((name, self.folder.own_bytes(&file)?)));
        let mut segments: Vec<_> = own.collect();
        segments.sort_unstable();
        Ok(segments)
    }

    /// Marks of runs that found the directory locked: the time in µs since 1970 UTC, and the file name.
    fn marks(&self) -> Result<Vec<(i64, String)>> {
        let at_us = |name: &str| name.strip_prefix(LOCK_CONFLICTS)?.parse().ok();
        let mut marks: Vec<_> =
            self.folder.names()?.into_iter().filter_map(|name| Some((at_us(&name)?, name))).collect();
        marks.sort_unstable();
        Ok(marks)
    }
}

fn file_of(name: SegmentName) -> Result<String> {
    name.file().context("the clock shows a time outside the calendar; set it")
}

/// A path to an open file.
fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl Active {
    /// Appends a frame, or leaves the file unchanged.
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(frame).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.bytes += frame.len() as u64,
            // A full disk may have taken a part of the frame.
            Err(_) => self.file.set_len(self.bytes)?,
        }
        written
    }
}

/// Bytes up to the end of the last frame, including frames of newer formats; and whether the rest was left by an
/// interrupted run: a part of a frame, or zeros where a power failure kept data from reaching the disk.
fn whole(content: &[u8]) -> (u64, bool) {
    let (mut end, mut left) = (0, None);
    for found in scan(content) {
        match found {
            Found::Frame(frame) => (end, left) = (frame.offset() + frame.head().frame_bytes as u64, None),
            Found::Damage(damage) if matches!(damage.cause, Cause::Newer(_)) => {
                (end, left) = (damage.offset + damage.bytes, None);
            }
            Found::Damage(damage) => left = Some(damage),
        }
    }
    let is_torn = left.is_some_and(|damage| {
        let rest = &content[usize::try_from(end).unwrap_or(content.len())..];
        damage.cause == Cause::Torn || rest.iter().all(|byte| *byte == 0)
    });
    (end, is_torn)
}

fn unwritable(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests;
