//! Reading files that others write: never more than a limit, never anything that could keep us waiting, and a count of
//! what went wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use flowtop_core::sanitize::clean;

/// Entries of a directory that are looked at.
pub const MAX_ENTRIES: usize = 65_536;

/// Bytes that most files have at most.
const USUAL_BYTES: usize = 4096;

/// Shortest time between two walks through many files, and the share of time that walks may take.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_FOR_EACH_WALK: u32 = 500;

/// When many files may be read again: the longer it takes, the more rarely.
#[derive(Debug, Default)]
pub struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Does it, if it is time to; whether it was.
    pub fn walk(&mut self, walk: impl FnOnce()) -> bool {
        let start = Instant::now();
        if self.next.is_some_and(|next| start < next) {
            return false;
        }
        walk();
        self.next = Some(start + PAUSE.max(start.elapsed() * PAUSE_FOR_EACH_WALK));
        true
    }
}

/// How often something could not be read, or not be shown as it is.
#[derive(Debug, Default)]
pub struct Trouble {
    unreadable: AtomicU64,
    replaced: AtomicU64,
    cut: AtomicU64,
}

impl Trouble {
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 3] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("unreadable", of(&self.unreadable)), ("replaced", of(&self.replaced)), ("cut", of(&self.cut))]
    }

    /// Something was longer than what is looked at.
    pub fn cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// Something that is no name stood where names stand.
    pub fn replaced(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// The value, unless there is none. What is not there is no trouble.
    pub fn value<T>(&self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                    || error.raw_os_error() == Some(libc::ESRCH);
                self.unreadable.fetch_add(u64::from(!absent), Ordering::Relaxed);
                None
            }
        }
    }

    /// A text that may be shown.
    pub fn clean(&self, bytes: &[u8], max_chars: usize) -> String {
        let clean = clean(bytes, max_chars);
        self.replaced.fetch_add(u64::from(clean.replaced), Ordering::Relaxed);
        self.cut.fetch_add(u64::from(clean.cut), Ordering::Relaxed);
        clean.text
    }

    /// The first `most` bytes of a regular file.
    pub fn read(&self, path: &Path, most: usize) -> Option<Vec<u8>> {
        let (bytes, whole) = self.value(read(path, most))?;
        self.cut.fetch_add(u64::from(!whole), Ordering::Relaxed);
        Some(bytes)
    }

    /// The same where it is no trouble that there is more; and whether that is all.
    pub fn head(&self, path: &Path, most: usize) -> Option<(Vec<u8>, bool)> {
        self.value(read(path, most))
    }

    /// [`Self::read`] as text; what is not UTF-8 is replaced.
    pub fn read_text(&self, path: &Path, most: usize) -> Option<String> {
        self.read(path, most).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a directory, those that are UTF-8.
    pub fn names_in(&self, path: &Path) -> Vec<String> {
        let Some(entries) = self.value(fs::read_dir(path)) else { return Vec::new() };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            if names.len() == MAX_ENTRIES {
                self.cut();
                break;
            }
            match entry.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(_) => self.replaced(),
            }
        }
        names
    }
}

/// When a file was written last, in nanoseconds since 1970.
pub fn written_ns(path: &Path) -> io::Result<u128> {
    let written = fs::metadata(path)?.modified()?;
    Ok(written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos())
}

/// A regular file. Anything else is refused: a pipe would keep us waiting.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::from(ErrorKind::InvalidInput)) }
}

/// The first `most` bytes, and whether that is all.
fn read(path: &Path, most: usize) -> io::Result<(Vec<u8>, bool)> {
    // As much as most files have: room that grows takes a call each time.
    let mut bytes = Vec::with_capacity(USUAL_BYTES.min(most + 1));
    open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() <= most;
    bytes.truncate(most);
    Ok((bytes, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_hostile_is_read_to_its_end_or_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("huge"), vec![b'x'; 5000]).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let trouble = Trouble::default();
        assert_eq!(trouble.read(&path("huge"), 4096).map(|bytes| bytes.len()), Some(4096));
        for name in ["loop", "endless", "pipe", "absent"] {
            assert_eq!(trouble.read(&path(name), 10), None, "{name}");
        }
        assert_eq!(trouble.named(), [("unreadable", 3), ("replaced", 0), ("cut", 1)]);
    }

    #[test]
    fn a_walk_is_not_repeated_at_once() {
        let (mut pace, mut walks) = (Pace::default(), 0);
        assert!(pace.walk(|| walks += 1));
        assert!(!pace.walk(|| walks += 1));
        assert_eq!(walks, 1);
    }

    #[test]
    fn a_folder_without_end_is_left_when_enough_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MAX_ENTRIES {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        let trouble = Trouble::default();
        assert_eq!(trouble.names_in(folder.path()).len(), MAX_ENTRIES);
        assert_eq!(trouble.named()[2], ("cut", 1));
    }

    #[test]
    fn names_that_are_no_text_are_passed_over() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("good"), "").unwrap();
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"b\xffd")), "").unwrap();
        let trouble = Trouble::default();
        assert_eq!(trouble.names_in(folder.path()), ["good"]);
        assert_eq!(trouble.named()[1], ("replaced", 1));
        assert!(trouble.names_in(&folder.path().join("absent")).is_empty());
    }
}
