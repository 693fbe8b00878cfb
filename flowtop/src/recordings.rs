//! Recordings on disk, to be read: files and directories, of one host or of several, also while they are written.
//!
//! Not in here: what a frame is (`core::record::frame`), and writing (`record`).

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::core::record::frame::{Damage, Frame, Head, MAX_HEAD_BYTES, Why};
use crate::core::record::scan::{Found, scan};
use crate::core::record::{Host, Record};
use crate::core::segment;

/// Where a record is, and what its head tells.
#[derive(Clone, Debug)]
pub struct At {
    /// Host and time.
    pub head: Head,
    file: usize,
    offset: u64,
}

/// Bytes of a file that could not be read as records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: bytes {} to {} are {}", .file.display(), .damage.offset, .damage.offset + .damage.bytes, .damage.why)]
pub struct Damaged {
    /// The file.
    pub file: PathBuf,
    /// Where in it, and why.
    pub damage: Damage,
}

/// Most of a file that is searched for records behind damage. A file of a recording has half of that at most, unless
/// `--max-size` is raised.
const MAX_SEARCHED_BYTES: u64 = 256 << 20;

/// Some recordings, with an index of their records in memory.
#[derive(Debug)]
pub struct Recordings {
    files: Vec<(PathBuf, File)>,
    records: Vec<At>,
    damage: Vec<Damaged>,
}

/// Opens files, and directories with files in them, and reads the heads of all records.
///
/// # Errors
/// A path that is not there or cannot be read, a file that flowtop has not written, or no record anywhere.
pub fn open(paths: &[PathBuf]) -> Result<Recordings> {
    let mut recordings = Recordings { files: Vec::new(), records: Vec::new(), damage: Vec::new() };
    let mut seen = Vec::new();
    for path in paths {
        for path in files(path)? {
            let file = File::open(&path).with_context(|| unreadable(&path))?;
            let metadata = file.metadata().with_context(|| unreadable(&path))?;
            let identity = (metadata.dev(), metadata.ino());
            if !seen.contains(&identity) {
                seen.push(identity);
                recordings.take(path, file, metadata.len())?;
            }
        }
    }
    if recordings.records.is_empty() {
        return Err(recordings.nothing(paths));
    }
    recordings.sort();
    Ok(recordings)
}

impl Recordings {
    /// Every record that there is: host by host, the lives of a host in the order of their first records by the wall
    /// clock, and within a life by the monotonic clock, which nobody sets.
    #[must_use]
    pub fn heads(&self) -> &[At] {
        &self.records
    }

    /// Hosts, each in each of its lives.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        let lives = self.records.chunk_by(|a, b| a.head.host == b.head.host);
        lives.filter_map(|life| Some(&life.first()?.head.host))
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
    /// [`Damaged`], or a file that cannot be read.
    pub fn read(&self, at: &At) -> Result<Record> {
        let (path, file) = &self.files[at.file];
        let mut bytes = vec![0; at.head.frame_bytes];
        file.read_exact_at(&mut bytes, at.offset).with_context(|| unreadable(path))?;
        let record = Frame::parse(&bytes, at.offset).and_then(|frame| frame.record());
        Ok(record.map_err(|damage| Damaged { file: path.clone(), damage })?)
    }

    /// Reads the heads of a file. Only where something is wrong with one, the rest of the file is searched.
    fn take(&mut self, path: PathBuf, file: File, bytes: u64) -> Result<()> {
        let (number, mut offset) = (self.files.len(), 0);
        while offset < bytes {
            match head_at(&file, offset).with_context(|| unreadable(&path))? {
                Ok(head) if offset + head.frame_bytes as u64 <= bytes && head.is_readable() => {
                    let next = offset + head.frame_bytes as u64;
                    self.records.push(At { head, file: number, offset });
                    offset = next;
                }
                _ => {
                    self.search(&path, &file, number, offset)?;
                    break;
                }
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    fn search(&mut self, path: &Path, file: &File, number: usize, from: u64) -> Result<()> {
        let length = file.metadata().with_context(|| unreadable(path))?.len().saturating_sub(from);
        let searched = length.min(MAX_SEARCHED_BYTES);
        let mut bytes = vec![0; usize::try_from(searched)?];
        let read = read_at(file, &mut bytes, from).with_context(|| unreadable(path))?;
        for found in scan(&bytes[..read]) {
            match found {
                Found::Frame(frame) => {
                    let offset = from + frame.offset();
                    self.records.push(At { head: frame.head().clone(), file: number, offset });
                }
                Found::Damage(damage) => {
                    let damage = Damage { offset: from + damage.offset, ..damage };
                    self.damage.push(Damaged { file: path.to_owned(), damage });
                }
            }
        }
        if searched < length {
            let damage = Damage { offset: from + searched, bytes: length - searched, why: Why::Unsearched };
            self.damage.push(Damaged { file: path.to_owned(), damage });
        }
        Ok(())
    }

    fn sort(&mut self) {
        let life = |at: &At| (at.head.host.machine_id, at.head.host.name.clone(), at.head.host.boot_id);
        self.records.sort_by_cached_key(|at| (life(at), at.head.span.start_ns, at.head.span.start_us));
        let lives = self.records.chunk_by(|a, b| life(a) == life(b));
        let mut lives: Vec<_> = lives.map(<[At]>::to_vec).collect();
        lives.sort_by_cached_key(|records| {
            let Host { machine_id, name, .. } = &records[0].head.host;
            (*machine_id, name.clone(), records[0].head.span.start_us)
        });
        self.records = lives.concat();
    }

    /// Why there is no record.
    fn nothing(&self, paths: &[PathBuf]) -> anyhow::Error {
        let newer = self.damage.iter().find(|damaged| matches!(damaged.damage.why, Why::Newer(_)));
        if let Some(why) = newer.or(self.damage.first()) {
            return anyhow::anyhow!("there is no record that can be read: {why}");
        }
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let next = "`flowtop record -o DIR` makes one in DIR";
        anyhow::anyhow!("there is no record in {}; {next}", paths.join(" "))
    }
}

/// A file, or the recordings in a directory in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no {}; name a directory that `flowtop record` has written to", path.display())
        }
        metadata => metadata.with_context(|| unreadable(path))?,
    };
    if metadata.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    // Opening a pipe would wait for somebody to write.
    ensure!(metadata.is_dir(), "{} is neither a file nor a directory; name a recording", path.display());
    let mut files = Vec::new();
    for entry in path.read_dir().with_context(|| unreadable(path))? {
        let entry = entry.with_context(|| unreadable(path))?;
        let is_file = || entry.path().metadata().is_ok_and(|metadata| metadata.is_file());
        if segment::is_segment(&entry.file_name().to_string_lossy()) && is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn head_at(file: &File, offset: u64) -> io::Result<Result<Head, Why>> {
    let mut bytes = [0; MAX_HEAD_BYTES];
    // Names of hosts are short.
    for wanted in [256, MAX_HEAD_BYTES] {
        let read = read_at(file, &mut bytes[..wanted], offset)?;
        let head = Head::parse(&bytes[..read]);
        if head != Err(Why::Torn) || read < wanted {
            return Ok(head);
        }
    }
    Ok(Err(Why::Torn))
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
    use crate::core::record::fixture::record;
    use crate::core::record::frame::encode;
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
        let foreign = Damage { offset: frame_bytes, bytes: MAX_SEARCHED_BYTES, why: Why::Foreign };
        let unsearched = Damage { offset: searched_to, bytes: huge - searched_to, why: Why::Unsearched };
        assert_eq!(damage, [foreign, unsearched]);
    }
}
