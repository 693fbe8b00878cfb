//! The directory of a recording: one writer, segments that are only appended to, and what is left of writers that were
//! killed.
//!
//! Not in here: what has to go (`core::retention`), and how files are named (`core::segment`).

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock, statvfs};

use crate::core::record::Record;
use crate::core::record::frame::{Why, encode};
use crate::core::record::scan::{Found, scan};
use crate::core::retention::{Limits, Segment, until_us};
use crate::core::segment::SegmentName;
use crate::recordings;

const LOCK: &str = "flowtop.lock";
/// How the name of a mark begins that a run leaves which found the directory locked; its time in µs follows.
const TURNED_AWAY: &str = "turned-away-";
/// How long a run may take to end when the next one starts: cron does not wait.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// A directory that nobody else writes to.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
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
    path: PathBuf,
    file: File,
    /// Its length: all of it whole frames.
    bytes: u64,
}

/// What became of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes that it takes.
    pub bytes: u64,
    /// What there is to say, a sentence each.
    pub notes: Vec<String>,
}

impl Store {
    /// Opens a directory, which is made if there is none, and cuts what an interrupted writer has left at the end of the
    /// newest segment. `None` if another run writes to it, for which a mark is left.
    ///
    /// # Errors
    /// A directory that cannot be made, or not be written to.
    pub fn open(dir: &Path, limits: Limits, now_us: i64) -> Result<Option<(Self, Vec<String>)>> {
        let mut made = DirBuilder::new();
        let made = made.recursive(true).mode(0o700).create(dir);
        made.with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let lock = private().create(true).truncate(false).open(dir.join(LOCK));
        let lock = lock.with_context(|| format!("cannot write to {}", dir.display()))?;
        if !take(&lock).with_context(|| format!("cannot lock {}", dir.display()))? {
            let mark = dir.join(format!("{TURNED_AWAY}{now_us}"));
            private().create(true).truncate(false).open(&mark).with_context(|| unwritable(&mark))?;
            return Ok(None);
        }
        let mut store =
            Self { dir: dir.to_owned(), limits, active: None, ends_ns: HashMap::new(), _lock: lock };
        let mut notes = Vec::new();
        if let Some((name, _)) = store.segments()?.pop() {
            store.activate(name, &mut notes)?;
        }
        Ok(Some((store, notes)))
    }

    /// Writes a record behind all others of its hour, after what is too old or too much has gone. The record gets the
    /// marks of runs that found the directory locked.
    ///
    /// # Errors
    /// Why it is not written. The recording is as it was, but for what was too old.
    pub fn append(&mut self, record: &mut Record) -> Result<Written> {
        let marks = self.marks()?;
        record.turned_away_us = marks.iter().map(|(at_us, _)| *at_us).collect();
        let frame = encode(record);
        let bytes = frame.len() as u64;
        let mut notes = Vec::new();
        self.make_room(bytes, record, &mut notes)?;
        self.activate_for(record.span.start_us, bytes, &mut notes)?;
        let active = self.active.as_mut().context("no segment is open")?;
        active.append(&frame).with_context(|| unwritable(&active.path))?;
        self.ends_ns.insert(active.name, Some(record.span.end_ns));
        for (_, mark) in marks {
            // One that stays is told twice.
            let _ = fs::remove_file(mark);
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
        let free = statvfs(&self.dir).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        let decision = self.limits.decide(&segments, incoming, free, now.us);
        for (_, name, _) in &oldest_first[..decision.remove] {
            self.remove(*name, notes)?;
        }
        anyhow::ensure!(
            decision.fits,
            "a record of {incoming} bytes does not fit into {}: see --max-size and --min-free",
            self.dir.display()
        );
        Ok(())
    }

    /// Where the last record in a segment ends that is of the same boot as this one. Files are asked once.
    fn end_ns(&mut self, name: SegmentName, record: &Record) -> Result<Option<u64>> {
        if let Some(known) = self.ends_ns.get(&name) {
            return Ok(*known);
        }
        // One that has no record yet is as old as its name says.
        let end_ns = recordings::open(&[self.path(name)?]).ok().and_then(|recordings| {
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
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                notes.push(format!("cannot remove {}: {error}", path.display()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Opens the segment for a window that starts then.
    fn activate_for(&mut self, start_us: i64, incoming: u64, notes: &mut Vec<String>) -> Result<()> {
        let mut name = SegmentName::of(start_us);
        let of_hour = self.segments()?.into_iter().rev().find(|(known, _)| known.hour_us == name.hour_us);
        if let Some((newest, bytes)) = of_hour {
            name = if self.limits.is_full(bytes, incoming) { newest.next() } else { newest };
        }
        if self.active.as_ref().is_none_or(|active| active.name != name || !active.path.exists()) {
            self.activate(name, notes)?;
        }
        Ok(())
    }

    /// Opens a segment, without what is no record at its end.
    fn activate(&mut self, name: SegmentName, notes: &mut Vec<String>) -> Result<()> {
        let path = self.path(name)?;
        let file = private().read(true).append(true).create(true).open(&path);
        let file = file.with_context(|| unwritable(&path))?;
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = whole(&content);
        let torn = content.len() as u64 - bytes;
        if torn > 0 {
            file.set_len(bytes).with_context(|| unwritable(&path))?;
            notes.push(format!(
                "{}: the last record is not complete, its {torn} bytes are cut off",
                path.display()
            ));
        }
        if bytes == 0 {
            // So that a new file is still there after a power failure.
            File::open(&self.dir).and_then(|dir| dir.sync_all()).with_context(|| unwritable(&path))?;
        }
        self.active = Some(Active { name, path, file, bytes });
        Ok(())
    }

    /// The segments and their lengths, the oldest first.
    fn segments(&self) -> Result<Vec<(SegmentName, u64)>> {
        let mut segments = Vec::new();
        for entry in self.entries()? {
            if let Some(name) = SegmentName::parse(&entry.file_name().to_string_lossy()) {
                // One that has just been removed by hand is none.
                segments.extend(entry.metadata().ok().map(|metadata| (name, metadata.len())));
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// What runs have left that found the directory locked: when, in µs since 1970 UTC, and where.
    fn marks(&self) -> Result<Vec<(i64, PathBuf)>> {
        let mark = |entry: &fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_prefix(TURNED_AWAY)?.parse().ok()?, entry.path()))
        };
        let mut marks: Vec<_> = self.entries()?.iter().filter_map(mark).collect();
        marks.sort_unstable();
        Ok(marks)
    }

    fn entries(&self) -> Result<Vec<fs::DirEntry>> {
        let entries = fs::read_dir(&self.dir).and_then(Iterator::collect);
        entries.with_context(|| format!("cannot read the directory {}", self.dir.display()))
    }

    fn path(&self, name: SegmentName) -> Result<PathBuf> {
        let file = name.file().context("the clock shows a time outside the calendar; set it")?;
        Ok(self.dir.join(file))
    }
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

/// Files that only their owner can read: who talks to whom is nobody else's business.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Locks a file; false if somebody else holds it and goes on holding it.
fn take(lock: &File) -> io::Result<bool> {
    let until = Instant::now() + ENDS_WITHIN;
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(TRY_EVERY),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// How many bytes there are up to the end of the last frame, also of one in a newer format.
fn whole(content: &[u8]) -> u64 {
    let ends = scan(content).filter_map(|found| match found {
        Found::Frame(frame) => Some(frame.offset() + frame.head().frame_bytes as u64),
        Found::Damage(damage) if matches!(damage.why, Why::Newer(_)) => Some(damage.offset + damage.bytes),
        Found::Damage(_) => None,
    });
    ends.last().unwrap_or_default()
}

fn unwritable(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests;
