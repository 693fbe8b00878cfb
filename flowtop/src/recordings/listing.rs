//! Lists records: finds the files of a recording, and reads the heads of all records in them.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::error::{Damaged, Error, Result};
use super::file;
use super::{At, Head, Recordings, Segment, Source};
use flowtop_core::record::Host;
use flowtop_core::record::hosts::tell_apart;
use flowtop_recording::format::frame::{self, Cause, Damage};
use flowtop_recording::format::scan::{Found, scan};
use flowtop_recording::segment;

/// Maximum number of bytes of a file that are scanned for records after damage. By default a segment has at most half
/// as many (`--max-size`).
pub(super) const MAX_SEARCHED_BYTES: u64 = 256 << 20;

/// A directory at the root of some file systems.
const LOST_AND_FOUND: &str = "lost+found";

/// An index of records under construction.
#[derive(Default)]
pub(super) struct Listing {
    sources: Vec<Source>,
    segments: Vec<Segment>,
    records: Vec<At>,
    damage: Vec<Damaged>,
    /// Numbers of the boots of all hosts.
    lives: HashMap<Arc<Host>, u32>,
    /// Numbers of the files read so far, by device and inode.
    known_files: HashMap<(u64, u64), u32>,
    /// Device and inode of the directories read so far.
    known_dirs: HashSet<(u64, u64)>,
}

impl Listing {
    /// Adds a path of the command line: a file, a directory with files, or one with such directories.
    pub fn add_path(&mut self, path: &Path) -> Result<()> {
        let metadata = match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(path.to_owned()));
            }
            metadata => metadata.map_err(Error::unreadable(path))?,
        };
        if metadata.is_file() {
            let source = self.add_source(path, None);
            return self.add_file(path.to_owned(), source);
        }
        // Opening a FIFO would block until it has a writer.
        if !metadata.is_dir() {
            return Err(Error::SpecialFile(path.to_owned()));
        }
        if self.known_dirs.insert(identity(&metadata)) {
            let Entries { segments, dirs } = entries(path).map_err(Error::unreadable(path))?;
            // A directory that only holds directories of hosts is no source itself.
            if !segments.is_empty() || dirs.is_empty() {
                self.add_dir(path, segments)?;
            }
            for (dir, identity) in dirs {
                self.add_host_dir(&dir, identity)?;
            }
        }
        Ok(())
    }

    /// Adds a directory below one of the command line. Directories below it are not searched, so symlinks cannot form a
    /// cycle.
    fn add_host_dir(&mut self, dir: &Path, identity: (u64, u64)) -> Result<()> {
        if !self.known_dirs.insert(identity) {
            return Ok(());
        }
        match entries(dir) {
            Ok(Entries { segments, .. }) => self.add_dir(dir, segments),
            // Its siblings are still read.
            Err(error) => {
                self.add_source(dir, Some(Error::unreadable(dir)(error)));
                Ok(())
            }
        }
    }

    fn add_dir(&mut self, dir: &Path, segments: Vec<PathBuf>) -> Result<()> {
        let source = self.add_source(dir, None);
        segments.into_iter().try_for_each(|path| self.add_file(path, source))
    }

    fn add_source(&mut self, path: &Path, unreadable: Option<Error>) -> u32 {
        self.sources.push(Source { path: path.to_owned(), unreadable: unreadable.map(Arc::new) });
        number(self.sources.len() - 1)
    }

    /// Reads the heads of a file, unless it was read under another name.
    fn add_file(&mut self, path: PathBuf, source: u32) -> Result<()> {
        let (file, metadata) = match file::open(&path) {
            // The recorder has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(Error::unreadable(&path))?,
        };
        let new = number(self.segments.len());
        let known = *self.known_files.entry(identity(&metadata)).or_insert(new);
        if known == new {
            self.take(&path, &file, metadata.len())?;
            self.segments.push(Segment { path, sources: Vec::new() });
        }
        self.segments[known as usize].sources.push(source);
        Ok(())
    }

    /// Reads the heads of a file. If one is damaged, scans the rest of the file for frames.
    fn take(&mut self, path: &Path, file: &File, bytes: u64) -> Result<()> {
        let mut offset = 0;
        while offset < bytes {
            match file::head_at(file, offset).map_err(Error::unreadable(path))? {
                Ok(head) if offset + head.frame_bytes as u64 <= bytes && head.is_readable() => {
                    let next = offset + head.frame_bytes as u64;
                    self.add_record(head, offset);
                    offset = next;
                }
                _ => return self.search(path, file, offset),
            }
        }
        Ok(())
    }

    fn search(&mut self, path: &Path, file: &File, from: u64) -> Result<()> {
        let length = file.metadata().map_err(Error::unreadable(path))?.len().saturating_sub(from);
        let searched = length.min(MAX_SEARCHED_BYTES);
        let mut bytes = vec![0; usize::try_from(searched).expect("a few hundred MiB fit into memory")];
        let read = file::read_at(file, &mut bytes, from).map_err(Error::unreadable(path))?;
        for found in scan(&bytes[..read]) {
            match found {
                Found::Frame(frame) => self.add_record(frame.head().clone(), from + frame.offset()),
                Found::Damage(damage) => {
                    let damage = Damage { offset: from + damage.offset, ..damage };
                    self.damage.push(Damaged { file: path.to_owned(), damage });
                }
            }
        }
        if searched < length {
            let damage =
                Damage { offset: from + searched, bytes: length - searched, cause: Cause::Unsearched };
            self.damage.push(Damaged { file: path.to_owned(), damage });
        }
        Ok(())
    }

    /// Adds a record of the file that will be pushed next.
    fn add_record(&mut self, head: frame::Head, offset: u64) {
        let known = self.lives.get_key_value(&head.host).map(|(host, life)| (Arc::clone(host), *life));
        let (host, life) = known.unwrap_or_else(|| {
            let (host, life) = (Arc::new(head.host), number(self.lives.len()));
            self.lives.insert(Arc::clone(&host), life);
            (host, life)
        });
        let frame_bytes = u32::try_from(head.frame_bytes).expect("a frame has fewer than 4 GiB");
        let head = Head { host, span: head.span };
        self.records.push(At { head, life, file: number(self.segments.len()), frame_bytes, offset });
    }

    pub fn end(mut self, paths: &[PathBuf]) -> Result<Recordings> {
        self.sort();
        self.tell_apart();
        let Self { sources, segments, records, damage, .. } = self;
        let (open, refused) = (Mutex::default(), Mutex::default());
        let recordings = Recordings { sources, segments, records, damage, open, refused };
        if recordings.records.is_empty() { Err(recordings.nothing(paths)) } else { Ok(recordings) }
    }

    /// Numbers the boots by host and time, and sorts the records by boot and time.
    fn sort(&mut self) {
        let time = |at: &At| (at.head.span.start_ns, at.head.span.start_us);
        let mut first: Vec<Option<&At>> = vec![None; self.lives.len()];
        for at in &self.records {
            let first = &mut first[at.life as usize];
            *first = first.filter(|first| time(first) <= time(at)).or(Some(at));
        }
        let mut lives: Vec<&At> = first.into_iter().flatten().collect();
        lives.sort_by_key(|at| {
            let Host { machine_id, name, .. } = &*at.head.host;
            (machine_id, name, at.head.span.start_us, at.life)
        });
        let mut place = vec![0; lives.len()];
        for (now, at) in (0..).zip(&lives) {
            place[at.life as usize] = now;
        }
        for at in &mut self.records {
            at.life = place[at.life as usize];
        }
        self.records.sort_unstable_by_key(|at| (at.life, time(at), at.file, at.offset));
    }

    /// Renames hosts that share a name. The order of the records does not change.
    fn tell_apart(&mut self) {
        let names = tell_apart(self.lives.keys().map(|host| &**host));
        let with_name = |host: &Host| Host { name: names.of(host), ..host.clone() };
        let renamed: HashMap<_, _> =
            self.lives.keys().map(|host| (Arc::clone(host), Arc::new(with_name(host)))).collect();
        for at in &mut self.records {
            at.head.host = Arc::clone(&renamed[&at.head.host]);
        }
    }
}

/// Entries of a directory that may hold records, sorted by name.
struct Entries {
    segments: Vec<PathBuf>,
    /// With device and inode.
    dirs: Vec<(PathBuf, (u64, u64))>,
}

fn entries(dir: &Path) -> io::Result<Entries> {
    let mut entries = Entries { segments: Vec::new(), dirs: Vec::new() };
    for entry in dir.read_dir()? {
        let entry = entry?;
        // The entry has been removed, or is a dangling symlink.
        let Ok(metadata) = entry.path().metadata() else { continue };
        if metadata.is_file() && segment::is_segment(&entry.file_name().to_string_lossy()) {
            entries.segments.push(entry.path());
        } else if metadata.is_dir() && may_be_of_host(&entry.file_name()) {
            entries.dirs.push((entry.path(), identity(&metadata)));
        }
    }
    entries.segments.sort();
    entries.dirs.sort();
    Ok(entries)
}

fn may_be_of_host(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && name != LOST_AND_FOUND
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("an index of that many does not fit into memory")
}
