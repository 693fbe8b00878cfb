//! The directory of a recording: one writer, segments that are only appended to, and what is left of writers that were
//! killed.
//!
//! Not in here: what has to go (`flowtop_recording::retention`), and how files are named (`flowtop_recording::segment`).

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
use flowtop_recording::format::frame::{Why, encode};
use flowtop_recording::format::scan::{Found, scan};
use flowtop_recording::retention::{Limits, Segment, until_us};
use flowtop_recording::segment::SegmentName;

const LOCK: &str = "flowtop.lock";
/// How the name of a mark begins that a run leaves which found the directory locked; its time in µs follows.
const LOCK_CONFLICTS: &str = "turned-away-";
/// How long a run may take to end when the next one starts: cron does not wait.
pub const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// Time between two looks whether it has ended: within that time, and later.
pub const TRY_EVERY: Duration = Duration::from_millis(50);
pub const TRY_SELDOM: Duration = Duration::from_millis(250);

/// A directory to which another run may still write.
#[derive(Debug)]
pub struct Place {
    folder: Folder,
    lock: File,
}

impl Place {
    /// Opens a directory, which is made if there is none.
    ///
    /// # Errors
    /// A directory that cannot be made or written to, or in which another user could change what is written.
    pub fn open(dir: &Path) -> Result<Self> {
        let folder = Folder::private(dir)?;
        let (lock, _) = folder.open_or_create(LOCK)?;
        for name in folder.names()?.iter().filter(|name| SegmentName::parse(name).is_some()) {
            folder.refuse_strange(name)?;
        }
        Ok(Self { folder, lock })
    }

    /// Locks it against other runs; false if one holds the lock.
    ///
    /// # Errors
    /// A file system that has no locks.
    pub fn lock(&self) -> Result<bool> {
        match flock(&self.lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("cannot lock {}", self.folder.path(LOCK).display()))
            }
        }
    }

    /// Leaves a mark for whoever writes to it: another run wanted to do so at `at_us` (µs since 1970 UTC), and has ended.
    ///
    /// # Errors
    /// Why it cannot be left.
    pub fn leave_mark(&self, at_us: i64) -> Result<()> {
        self.folder.mark(&format!("{LOCK_CONFLICTS}{at_us}"))
    }

    /// The store in it, once it is locked. What an interrupted writer has left at the end of the newest segment is cut.
    ///
    /// # Errors
    /// A directory that cannot be read, a file that cannot be written to.
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
    /// Where the last record of this boot ends in a segment, in ns of the monotonic clock, if there is one.
    ends_ns: HashMap<SegmentName, Option<u64>>,
    /// Held as long as the store is.
    _lock: File,
}

/// The segment that takes records.
#[derive(Debug)]
struct Active {
    name: SegmentName,
    /// Its name, as it is written.
    file_name: String,
    file: File,
    /// Its length: all of it whole frames.
    bytes: u64,
}

/// The outcome of writing a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes that it takes.
    pub bytes: u64,
    /// Notes for stderr, a sentence each.
    pub notes: Vec<String>,
}

impl Store {
    /// Opens a directory as soon as no other run writes to it. `None` if one goes on, for which a mark is left.
    ///
    /// # Errors
    /// As [`Place::open`] and [`Place::store`].
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

    /// Writes a record behind all others of its hour, after what is too old or too much has gone. The record gets the
    /// marks of runs that found the directory locked.
    ///
    /// # Errors
    /// Why it is not written. The recording is as it was, but for what was too old.
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
            // One that stays is told twice.
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

    /// Where the last record in a segment ends that is of the same boot as this one. Files are asked once.
    fn end_ns(&mut self, name: SegmentName, record: &Record) -> Result<Option<u64>> {
        if let Some(known) = self.ends_ns.get(&name) {
            return Ok(*known);
        }
        let file = self.folder.open_to_read(&file_of(name)?);
        // The file that is open, whatever has its name by now. One that has no record yet is as old as its name says.
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

    /// Opens the segment for a window that starts then.
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

    /// Opens a segment, without the part of a record that an interrupted writer has left at its end. `None` if something
    /// else is there that is no record: it stays, and nothing is written behind it.
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
            // So that it is still there after a power failure.
            self.folder.sync().with_context(|| unwritable(&path))?;
        }
        Ok(Some(Active { name, file_name, file, bytes }))
    }

    /// The segments and their lengths, the oldest first.
    fn segments(&self) -> Result<Vec<(SegmentName, u64)>> {
        let names =
            self.folder.names()?.into_iter().filter_map(|file| Some((SegmentName::parse(&file)?, file)));
        // One that has just been removed by hand is none, and what flowtop has not made neither counts nor goes.
        let own = names.filter_map(|(name, file)| Some((name, self.folder.own_bytes(&file)?)));
        let mut segments: Vec<_> = own.collect();
        segments.sort_unstable();
        Ok(segments)
    }

    /// Marks of runs that found the directory locked: when, in µs since 1970 UTC, and its name.
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

/// A path to a file that is open.
fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl Active {
    /// Writes a whole frame or nothing.
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(frame).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.bytes += frame.len() as u64,
            // A disk that is full has taken a part.
            Err(_) => self.file.set_len(self.bytes)?,
        }
        written
    }
}

/// How many bytes there are up to the end of the last frame, also of one in a newer format; and whether what is behind it
/// was left by a writer that was interrupted: a part of a frame, or zeros where a power failure kept one from the disk.
fn whole(content: &[u8]) -> (u64, bool) {
    let (mut end, mut left) = (0, None);
    for found in scan(content) {
        match found {
            Found::Frame(frame) => (end, left) = (frame.offset() + frame.head().frame_bytes as u64, None),
            Found::Damage(damage) if matches!(damage.why, Why::Newer(_)) => {
                (end, left) = (damage.offset + damage.bytes, None);
            }
            Found::Damage(damage) => left = Some(damage),
        }
    }
    let is_torn = left.is_some_and(|damage| {
        let rest = &content[usize::try_from(end).unwrap_or(content.len())..];
        damage.why == Why::Torn || rest.iter().all(|byte| *byte == 0)
    });
    (end, is_torn)
}

fn unwritable(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests;
