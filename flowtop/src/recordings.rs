//! Recordings on disk, to be read: files and directories, of one host or of several, also while they are written.
//!
//! In memory is an index: which record is where, of which host and of which time. Files are opened when something is
//! read from them, and few stay open, so that neither the number of files nor a limit on descriptors matters.
//!
//! Not in here: what a frame is (`flowtop_recording::format::frame`), and writing (`record`).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{Mode, OFlags};

use flowtop_core::record::hosts::tell_apart;
use flowtop_core::record::{Host, Record, Span};
use flowtop_recording::analysis::plan::Headed;
use flowtop_recording::format::frame::{self, Cause, Damage, Frame, MAX_HEAD_BYTES};
use flowtop_recording::format::scan::{Found, scan};
use flowtop_recording::segment;

/// The head of a record whose payload has not been read.
#[derive(Clone, Debug)]
pub struct Head {
    /// Where. All records of a host in one of its lives share it. Hosts of one name have others here: see [`tell_apart`].
    pub host: Arc<Host>,
    /// When.
    pub span: Span,
}

/// Where a record is, and what its head tells.
#[derive(Clone, Debug)]
pub struct At {
    /// Host and time.
    pub head: Head,
    /// The number of the host in this life.
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

/// Bytes of a file that could not be read as records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: bytes {} to {} are {}", .file.display(), .damage.offset, .damage.offset + .damage.bytes, .damage.cause)]
pub struct Damaged {
    /// The file.
    pub file: PathBuf,
    /// Where in it, and why.
    pub damage: Damage,
}

/// A file that was there when its records were listed: the recorder removes the oldest ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: the file has been removed since its records were listed", .0.display())]
pub struct Removed(pub PathBuf);

/// Whether an error of [`Recordings::read`] is about one record, so that the others can be read.
#[must_use]
pub fn costs_one_record(error: &anyhow::Error) -> bool {
    error.is::<Damaged>() || error.is::<Removed>()
}

/// Most of a file that is searched for records behind damage. A file of a recording has half of that at most, unless
/// `--max-size` is raised.
const MAX_SEARCHED_BYTES: u64 = 256 << 20;

/// Files that stay open for the next record.
const OPEN_FILES: usize = 16;

/// A directory that file systems make at their top.
const LOST_AND_FOUND: &str = "lost+found";

/// A path that was asked for, or a directory below it that was found to be a recording, or ought to be one.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path.
    pub path: PathBuf,
    /// Why it could not be read, if so.
    pub unreadable: Option<String>,
}

/// A file with records.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// The sources that it belongs to, by number: a directory, and the file itself if it was asked for as well.
    sources: Vec<u32>,
}

/// Some recordings, with an index of their records in memory.
#[derive(Debug)]
pub struct Recordings {
    sources: Vec<Source>,
    segments: Vec<Segment>,
    records: Vec<At>,
    damage: Vec<Damaged>,
    /// The last ones that were read from, the newest at the end.
    open: Mutex<Vec<(u32, Arc<File>)>>,
}

/// Lists what is in files, in directories with files in them, and in directories with such directories in them: reads the
/// heads of all records.
///
/// # Errors
/// A path that is not there or cannot be read, a file that flowtop has not written, or no record anywhere.
pub fn open(paths: &[PathBuf]) -> Result<Recordings> {
    let mut opening = Opening::default();
    for path in paths {
        opening.add_path(path)?;
    }
    opening.end(paths)
}

impl Recordings {
    /// Every record that there is: host by host, the lives of a host in the order of their first records by the wall
    /// clock, and within a life by the monotonic clock, which cannot be set.
    #[must_use]
    pub fn heads(&self) -> &[At] {
        &self.records
    }

    /// Hosts, each in each of its lives.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        let lives = self.records.chunk_by(|a, b| a.life == b.life);
        lives.filter_map(|life| Some(&*life.first()?.head.host))
    }

    /// The paths that were asked for, and the recordings in them.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Those of them that have no record.
    pub fn without_records(&self) -> impl Iterator<Item = &Source> {
        let mut have_any = vec![false; self.sources.len()];
        for source in self.records.iter().flat_map(|at| self.sources_of(at)) {
            have_any[source] = true;
        }
        self.sources.iter().zip(have_any).filter(|(_, has_any)| !has_any).map(|(source, _)| source)
    }

    /// The numbers of the sources that a record is in.
    pub fn sources_of(&self, at: &At) -> impl Iterator<Item = usize> {
        self.segments[at.file as usize].sources.iter().map(|source| *source as usize)
    }

    /// The first and the last moment, in µs since 1970 UTC.
    #[must_use]
    pub fn time_us(&self) -> (i64, i64) {
        let spans = || self.records.iter().map(|at| at.head.span);
        let (first, last) =
            (spans().map(|span| span.began_us()).min(), spans().map(|span| span.end_us).max());
        (first.unwrap_or_default(), last.unwrap_or_default())
    }

    /// Bytes between the records that are none. Damage inside a record is found when the record is read.
    #[must_use]
    pub fn damage(&self) -> &[Damaged] {
        &self.damage
    }

    /// The records whose heads are wanted, in order. One that is damaged is an error, after which the others go on.
    pub fn records<'a>(
        &'a self,
        mut wanted: impl FnMut(&Head) -> bool + 'a,
    ) -> impl Iterator<Item = Result<Record>> + 'a {
        self.records.iter().filter(move |at| wanted(&at.head)).map(|at| self.read(at))
    }

    /// One record.
    ///
    /// # Errors
    /// [`Damaged`], [`Removed`], or a file that cannot be read.
    pub fn read(&self, at: &At) -> Result<Record> {
        let path = &self.segments[at.file as usize].path;
        let file = match self.file(at.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(Removed(path.clone())),
            file => file.with_context(|| unreadable(path))?,
        };
        let mut bytes = vec![0; at.frame_bytes as usize];
        let read = read_at(&file, &mut bytes, at.offset).with_context(|| unreadable(path))?;
        let record = Frame::parse(&bytes[..read], at.offset).and_then(|frame| frame.record());
        let record = record.map_err(|damage| Damaged { file: path.clone(), damage })?;
        Ok(Record { host: Host::clone(&at.head.host), ..record })
    }

    /// A file that is open, or is opened in place of the one that was read from the longest time ago.
    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        // Whoever panicked has left a list of files all the same.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.iter().position(|(known, _)| *known == number) {
            Some(place) => open.remove(place).1,
            None => Arc::new(open_file(&self.segments[number as usize].path)?.0),
        };
        open.push((number, Arc::clone(&file)));
        if open.len() > OPEN_FILES {
            open.remove(0);
        }
        Ok(file)
    }

    /// Why there is no record.
    fn nothing(&self, paths: &[PathBuf]) -> anyhow::Error {
        let newer = self.damage.iter().find(|damaged| matches!(damaged.damage.cause, Cause::Newer(_)));
        if let Some(why) = newer.or(self.damage.first()) {
            return anyhow::anyhow!("there is no record that can be read: {why}");
        }
        if let Some(why) = self.sources.iter().find_map(|source| source.unreadable.as_ref()) {
            return anyhow::anyhow!("there is no record that can be read: {why}");
        }
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let next = "`flowtop record -o DIR` makes one in DIR";
        anyhow::anyhow!("there is no record in {}; {next}", paths.join(" "))
    }
}

/// Recordings that are being listed.
#[derive(Default)]
struct Opening {
    sources: Vec<Source>,
    segments: Vec<Segment>,
    records: Vec<At>,
    damage: Vec<Damaged>,
    /// The number of each host in each of its lives.
    lives: HashMap<Arc<Host>, u32>,
    /// Files by device and inode, with their numbers; and directories.
    known_files: HashMap<(u64, u64), u32>,
    known_dirs: HashSet<(u64, u64)>,
}

impl Opening {
    /// A path of the command line.
    fn add_path(&mut self, path: &Path) -> Result<()> {
        let metadata = match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("there is no {}; name a directory that `flowtop record` has written to", path.display())
            }
            metadata => metadata.with_context(|| unreadable(path))?,
        };
        if metadata.is_file() {
            let source = self.add_source(path, None);
            return self.add_file(path.to_owned(), source);
        }
        // Opening a pipe would wait for a writer.
        ensure!(metadata.is_dir(), "{} is neither a file nor a directory; name a recording", path.display());
        if self.known_dirs.insert(identity(&metadata)) {
            let Entries { segments, dirs } = entries(path).with_context(|| unreadable(path))?;
            // A directory of hosts' directories is no recording itself.
            if !segments.is_empty() || dirs.is_empty() {
                self.add_dir(path, segments)?;
            }
            for (dir, identity) in dirs {
                self.add_host_dir(&dir, identity)?;
            }
        }
        Ok(())
    }

    /// A directory in one that was asked for: nothing below it is looked for, so links lead nowhere twice.
    fn add_host_dir(&mut self, dir: &Path, identity: (u64, u64)) -> Result<()> {
        if !self.known_dirs.insert(identity) {
            return Ok(());
        }
        match entries(dir) {
            Ok(Entries { segments, .. }) => self.add_dir(dir, segments),
            // The recordings beside it are read all the same.
            Err(error) => {
                self.add_source(dir, Some(format!("{}: {error}", unreadable(dir))));
                Ok(())
            }
        }
    }

    fn add_dir(&mut self, dir: &Path, segments: Vec<PathBuf>) -> Result<()> {
        let source = self.add_source(dir, None);
        segments.into_iter().try_for_each(|path| self.add_file(path, source))
    }

    fn add_source(&mut self, path: &Path, unreadable: Option<String>) -> u32 {
        self.sources.push(Source { path: path.to_owned(), unreadable });
        number(self.sources.len() - 1)
    }

    /// Reads the heads of a file, unless it is known under another name.
    fn add_file(&mut self, path: PathBuf, source: u32) -> Result<()> {
        let (file, metadata) = match open_file(&path) {
            // The recorder has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.with_context(|| unreadable(&path))?,
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

    /// Reads the heads of a new file. Only where something is wrong with one, the rest of the file is searched.
    fn take(&mut self, path: &Path, file: &File, bytes: u64) -> Result<()> {
        let mut offset = 0;
        while offset < bytes {
            match head_at(file, offset).with_context(|| unreadable(path))? {
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
        let length = file.metadata().with_context(|| unreadable(path))?.len().saturating_sub(from);
        let searched = length.min(MAX_SEARCHED_BYTES);
        let mut bytes = vec![0; usize::try_from(searched)?];
        let read = read_at(file, &mut bytes, from).with_context(|| unreadable(path))?;
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

    /// A record of the file that comes next.
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

    fn end(mut self, paths: &[PathBuf]) -> Result<Recordings> {
        self.sort();
        self.tell_apart();
        let Self { sources, segments, records, damage, .. } = self;
        let recordings = Recordings { sources, segments, records, damage, open: Mutex::default() };
        if recordings.records.is_empty() { Err(recordings.nothing(paths)) } else { Ok(recordings) }
    }

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

    /// Gives hosts of one name others. Their order stays.
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

/// Files and folders of a directory that may be recordings, in the order of their names.
struct Entries {
    segments: Vec<PathBuf>,
    /// With device and inode.
    dirs: Vec<(PathBuf, (u64, u64))>,
}

fn entries(dir: &Path) -> io::Result<Entries> {
    let mut entries = Entries { segments: Vec::new(), dirs: Vec::new() };
    for entry in dir.read_dir()? {
        let entry = entry?;
        // What is gone, or a link to nothing, is no recording.
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

/// Opens a regular file. Anything else that has taken its name is refused without waiting for it.
fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok((file, metadata))
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn head_at(file: &File, offset: u64) -> io::Result<Result<frame::Head, Cause>> {
    let mut bytes = [0; MAX_HEAD_BYTES];
    // Names of hosts are short.
    for wanted in [256, MAX_HEAD_BYTES] {
        let read = read_at(file, &mut bytes[..wanted], offset)?;
        let head = frame::Head::parse(&bytes[..read]);
        if head != Err(Cause::Torn) || read < wanted {
            return Ok(head);
        }
    }
    Ok(Err(Cause::Torn))
}

/// As much as there is.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::record::fixture::record;
    use flowtop_recording::format::frame::encode;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::fs;

    /// A file of a directory, with these minutes of a host in one of its lives.
    fn write(dir: &Path, file: &str, host: &str, boot: u8, minutes: &[u64]) -> PathBuf {
        let frame = |minute: &u64| {
            let mut record = record(*minute, vec![]);
            record.host = Host { name: host.to_owned(), machine_id: [7; 16], boot_id: [boot; 16] };
            encode(&record)
        };
        fs::create_dir_all(dir).unwrap();
        let path = dir.join(file);
        fs::write(&path, minutes.iter().flat_map(frame).collect::<Vec<_>>()).unwrap();
        path
    }

    fn minutes(recordings: &Recordings) -> Vec<u64> {
        recordings.heads().iter().map(|at| at.head.span.start_ns / 60_000_000_000 - 60).collect()
    }

    #[test]
    fn several_hosts_and_lives_are_read_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
        write(&one, "flowtop-20261102T08Z.rec", "a", 2, &[3, 4]);
        write(&one, "flowtop-20261102T07Z.rec", "a", 1, &[1, 2]);
        fs::write(one.join("flowtop.lock"), "").unwrap();
        let again = write(&two, "flowtop-20261102T08Z.rec", "b", 3, &[0]);
        let recordings = open(&[one, two, again]).unwrap();
        assert_eq!(minutes(&recordings), [1, 2, 3, 4, 0]);
        let hosts: Vec<_> = recordings.hosts().map(|host| (&host.name[..], host.boot_id[0])).collect();
        assert_eq!(hosts, [("a", 1), ("a", 2), ("b", 3)]);
        let (first_us, last_us) = recordings.time_us();
        assert_eq!(last_us - first_us, 5 * 60_000_000);
        let of_a = recordings.records(|head| head.host.name == "a").map(|read| read.unwrap().span.start_ns);
        assert_eq!(of_a.count(), 4);
        assert_eq!(recordings.damage(), []);
    }

    #[test]
    fn records_say_which_of_two_hosts_of_one_name_they_are_of() {
        let dir = tempfile::tempdir().unwrap();
        for id in [1, 2] {
            let mut record = record(0, vec![]);
            record.host = Host { name: "a".to_owned(), machine_id: [id; 16], boot_id: [id; 16] };
            fs::write(dir.path().join(format!("flowtop-{id}.rec")), encode(&record)).unwrap();
        }
        let recordings = open(&[dir.path().to_owned()]).unwrap();
        let names: Vec<_> = recordings.hosts().map(|host| &host.name[..]).collect();
        assert_eq!(names, ["a@01010101", "a@02020202"]);
        let of_records: Vec<_> = recordings.records(|_| true).map(|read| read.unwrap().host.name).collect();
        assert_eq!(of_records, names);
    }

    #[test]
    fn damage_is_told_with_its_file_and_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1, 2]);
        let mut bytes = fs::read(&file).unwrap();
        let frame_bytes = bytes.len() / 3;
        bytes[frame_bytes + 3] ^= 1;
        let end = bytes.len() - 5;
        fs::write(&file, &bytes[..end]).unwrap();
        let recordings = open(&[dir.path().to_owned()]).unwrap();
        assert_eq!(minutes(&recordings), [0]);
        let lost = "not written by flowtop";
        let text = format!("{}: bytes {frame_bytes} to {end} are {lost}", file.display());
        assert_eq!(recordings.damage().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    }

    #[test]
    fn damage_in_a_payload_is_told_when_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1]);
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let recordings = open(&[file]).unwrap();
        let read: Vec<_> = recordings.records(|_| true).collect();
        assert!(read[0].is_ok() && recordings.damage().is_empty());
        let error = read[1].as_ref().unwrap_err();
        assert!(error.is::<Damaged>() && error.to_string().ends_with("are a record whose checksum is wrong"));
    }

    #[test]
    fn a_file_that_has_been_removed_costs_its_records() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..OPEN_FILES as u64 + 2)
            .map(|number| write(dir.path(), &format!("flowtop-{number:02}.rec"), "a", 1, &[number]))
            .collect();
        let recordings = open(&[dir.path().to_owned()]).unwrap();
        assert!(recordings.records(|_| true).all(|read| read.is_ok()));
        // Those that were read last are still open.
        assert_eq!(recordings.open.lock().unwrap().len(), OPEN_FILES);
        for file in &files {
            fs::remove_file(file).unwrap();
        }
        let read: Vec<_> = recordings.heads().iter().rev().map(|at| recordings.read(at)).collect();
        assert!(read[..OPEN_FILES].iter().all(Result::is_ok));
        let error = read.last().unwrap().as_ref().unwrap_err();
        assert!(costs_one_record(error), "{error:#}");
        let said = format!("{}: the file has been removed since its records were listed", files[0].display());
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn records_of_one_host_share_its_name() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1]);
        write(dir.path(), "flowtop-2.rec", "a", 1, &[2]);
        let recordings = open(&[dir.path().to_owned()]).unwrap();
        let hosts =
            recordings.heads().windows(2).map(|pair| Arc::ptr_eq(&pair[0].head.host, &pair[1].head.host));
        assert_eq!(hosts.collect::<Vec<_>>(), [true, true]);
        assert!(size_of::<At>() <= 64);
    }

    #[test]
    fn without_a_record_there_is_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("empty")).unwrap();
        fs::write(path("text"), "hello").unwrap();
        let said = |name: &str| open(&[path(name)]).unwrap_err().to_string();
        let here = dir.path().display();
        assert_eq!(
            said("none"),
            format!("there is no {here}/none; name a directory that `flowtop record` has written to")
        );
        assert_eq!(
            said("empty"),
            format!("there is no record in {here}/empty; `flowtop record -o DIR` makes one in DIR")
        );
        assert_eq!(
            said("text"),
            format!(
                "there is no record that can be read: {here}/text: bytes 0 to 5 are not written by flowtop"
            )
        );
    }

    #[test]
    fn a_pipe_is_refused_and_one_in_a_directory_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "flowtop-1.rec", "a", 1, &[0]);
        let pipe = dir.path().join("flowtop-2.rec");
        mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
        assert_eq!(minutes(&open(&[dir.path().to_owned()]).unwrap()), [0]);
        let said = open(std::slice::from_ref(&pipe)).unwrap_err().to_string();
        assert_eq!(said, format!("{} is neither a file nor a directory; name a recording", pipe.display()));
    }

    #[test]
    fn a_huge_foreign_file_is_not_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0]);
        let frame_bytes = file.metadata().unwrap().len();
        let huge = 1 << 40;
        File::options().append(true).open(&file).unwrap().set_len(huge).unwrap();
        let recordings = open(&[file]).unwrap();
        assert_eq!(minutes(&recordings), [0]);
        let damage: Vec<_> = recordings.damage().iter().map(|damaged| damaged.damage).collect();
        let searched_to = frame_bytes + MAX_SEARCHED_BYTES;
        let foreign = Damage { offset: frame_bytes, bytes: MAX_SEARCHED_BYTES, cause: Cause::Foreign };
        let unsearched = Damage { offset: searched_to, bytes: huge - searched_to, cause: Cause::Unsearched };
        assert_eq!(damage, [foreign, unsearched]);
    }
}
