//! Reads recordings from disk: files and directories, of one host or of several, also while they are written.
//!
//! [`open`] builds an index of all records in memory. Files are opened again when a record is read, and only a few stay
//! open, so that the number of files is not limited by that of descriptors.
//!
//! Not in here: the format of a frame (`flowtop_recording::format::frame`), and writing (`commands::record`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flowtop_core::flow::Tuple;
use flowtop_core::record::{Host, Record, Span};
use flowtop_recording::analysis::plan::Headed;
use flowtop_recording::format::frame::{Cause, Frame};
use listing::Listing;

mod error;
mod file;
mod listing;
#[cfg(test)]
mod tests;

use error::Result;
pub use error::{Damaged, Error};

/// Maximum number of files that stay open.
const OPEN_FILES: usize = 16;

/// Most connections with impossible bytes that are named.
const MAX_REFUSED: usize = 20;

/// The head of a record whose payload has not been read.
#[derive(Clone, Debug)]
pub struct Head {
    /// Shared by all records of a boot. Hosts that share a name are renamed: see `flowtop_core::record::hosts`.
    pub host: Arc<Host>,
    pub span: Span,
}

/// The place and the head of a record.
#[derive(Clone, Debug)]
pub struct At {
    pub head: Head,
    /// Number of the boot of a host.
    life: u32,
    file: u32,
    frame_bytes: u32,
    offset: u64,
}

impl Headed for At {
    fn host(&self) -> &Host {
        &self.head.host
    }

    fn span(&self) -> &Span {
        &self.head.span
    }
}

/// A path of the command line, or a directory of a host below it.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    /// The error if it could not be read.
    pub unreadable: Option<Arc<Error>>,
}

/// A file with records.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Numbers of the sources that have it: its directory, and the file itself if it was named as well.
    sources: Vec<u32>,
}

/// An index of the records in some files.
#[derive(Debug)]
pub struct Recordings {
    sources: Vec<Source>,
    segments: Vec<Segment>,
    records: Vec<At>,
    damage: Vec<Damaged>,
    /// Open files by their number, the most recently used last.
    open: Mutex<Vec<(u32, Arc<File>)>>,
    /// Connections whose recorded bytes cannot be true, with their files, of the records that have been read.
    refused: Mutex<BTreeSet<(u32, Tuple)>>,
}

/// Lists the records in files, in directories with files, and in directories with such directories.
///
/// # Errors
/// If a path does not exist or cannot be read, or if no path has a record.
pub fn open(paths: &[PathBuf]) -> Result<Recordings> {
    let mut listing = Listing::default();
    for path in paths {
        listing.add_path(path)?;
    }
    listing.end(paths)
}

impl Recordings {
    /// All records, by host, then by boot in the order of the wall clock of their first records, then by the monotonic
    /// clock, which cannot be set.
    #[must_use]
    pub fn heads(&self) -> &[At] {
        &self.records
    }

    /// The host of each boot.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        let lives = self.records.chunk_by(|a, b| a.life == b.life);
        lives.filter_map(|life| Some(&*life.first()?.head.host))
    }

    /// The paths that were named, and the directories of hosts in them.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The sources without a record.
    pub fn without_records(&self) -> impl Iterator<Item = &Source> {
        let mut have_any = vec![false; self.sources.len()];
        for source in self.records.iter().flat_map(|at| self.sources_of(at)) {
            have_any[source] = true;
        }
        self.sources.iter().zip(have_any).filter(|(_, has_any)| !has_any).map(|(source, _)| source)
    }

    /// Indices into [`Self::sources`] of those that have a record.
    pub fn sources_of(&self, at: &At) -> impl Iterator<Item = usize> {
        self.segments[at.file as usize].sources.iter().map(|source| *source as usize)
    }

    /// Start of the first and end of the last record, in µs since 1970 UTC.
    #[must_use]
    pub fn time_us(&self) -> (i64, i64) {
        let spans = || self.records.iter().map(|at| at.head.span);
        let (first, last) =
            (spans().map(|span| span.began_us()).min(), spans().map(|span| span.end_us).max());
        (first.unwrap_or_default(), last.unwrap_or_default())
    }

    /// Bytes between records. Damage inside a record is found when it is read.
    #[must_use]
    pub fn damage(&self) -> &[Damaged] {
        &self.damage
    }

    /// Reads the records whose heads are wanted, in order. After an error the iterator goes on with the next record.
    pub fn records<'a>(
        &'a self,
        mut wanted: impl FnMut(&Head) -> bool + 'a,
    ) -> impl Iterator<Item = Result<Record>> + 'a {
        self.records.iter().filter(move |at| wanted(&at.head)).map(|at| self.read(at))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// If it is damaged, or its file has been removed or cannot be read.
    pub fn read(&self, at: &At) -> Result<Record> {
        let path = &self.segments[at.file as usize].path;
        let file = match self.file(at.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Removed(path.clone()));
            }
            file => file.map_err(Error::unreadable(path))?,
        };
        let mut bytes = vec![0; at.frame_bytes as usize];
        let read = file::read_at(&file, &mut bytes, at.offset).map_err(Error::unreadable(path))?;
        let record = Frame::parse(&bytes[..read], at.offset).and_then(|frame| frame.record());
        let mut record = record.map_err(|damage| Damaged { file: path.clone(), damage })?;
        let refused = record.refuse_implausible();
        if !refused.is_empty() {
            record.losses.push(("implausible".to_owned(), refused.len() as u64));
            self.note_refused(at.file, refused);
        }
        Ok(Record { host: Host::clone(&at.head.host), ..record })
    }

    fn note_refused(&self, file: u32, tuples: Vec<Tuple>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_REFUSED.saturating_sub(refused.len());
        refused.extend(tuples.into_iter().map(|tuple| (file, tuple)).take(room));
    }

    /// A sentence for each connection whose recorded bytes cannot be true, of the records that have been read.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let sentence = |(file, Tuple { local, remote }): &(u32, Tuple)| {
            let path = self.segments[*file as usize].path.display();
            format!("{path}: the bytes recorded of {local} to {remote} cannot be true and are not counted")
        };
        refused.iter().map(sentence).collect()
    }

    /// An open file. If it has to be opened, the least recently used one is closed when there are too many.
    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        // The list is valid even if another thread panicked while it held the lock.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.iter().position(|(known, _)| *known == number) {
            Some(place) => open.remove(place).1,
            None => Arc::new(file::open(&self.segments[number as usize].path)?.0),
        };
        open.push((number, Arc::clone(&file)));
        if open.len() > OPEN_FILES {
            open.remove(0);
        }
        Ok(file)
    }

    /// The most likely reason why there is no record.
    fn nothing(&self, paths: &[PathBuf]) -> Error {
        let newer = self.damage.iter().find(|damaged| matches!(damaged.damage.cause, Cause::Newer(_)));
        let damaged = newer.or(self.damage.first()).map(|damaged| Arc::new(damaged.clone().into()));
        let unreadable = || self.sources.iter().find_map(|source| source.unreadable.clone());
        damaged.or_else(unreadable).map_or_else(|| Error::Empty(paths.to_owned()), Error::NothingReadable)
    }
}
