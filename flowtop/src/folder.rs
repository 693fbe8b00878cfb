//! Safe access to directories that flowtop writes to, often as root. Another user may have put a symlink, a FIFO or a
//! hard link there, which must not make flowtop write elsewhere or block.
//!
//! A directory is opened component by component and kept open, and its files are opened relative to that descriptor, so
//! a path that is replaced later has no effect. The type of each file is checked after it is opened.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use refusal::{Foreign, Refusal};
use walk::{Trust, Walk};

mod refusal;
#[cfg(test)]
mod tests;
mod walk;

/// Readable by flowtop's user only: which hosts talk to each other is private.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
/// Flags to open a file of unknown type: follow no symlink, do not block on a FIFO, and do not acquire a controlling
/// terminal.
const CAREFULLY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    /// The path as typed, for messages.
    path: PathBuf,
}

impl Folder {
    /// Opens a directory that only root and flowtop's user can change, and creates it if it does not exist.
    ///
    /// # Errors
    /// If a component of the path is not safe, or the directory cannot be created.
    pub fn private(path: &Path) -> Result<Self> {
        // Parents are checked too.
        let whole = if path.is_absolute() {
            path.to_owned()
        } else {
            std::env::current_dir().context("cannot find out which directory this is")?.join(path)
        };
        let fd = Walk::to(&whole, Trust::Private, path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Creates a new file that only its owner can read, in a directory of any user. The last component of `path` is its
    /// name.
    ///
    /// # Errors
    /// An [`io::Error`] if the file exists or cannot be created; or the component of the path that is not safe.
    pub fn new_file(path: &Path) -> Result<File> {
        let name = path.file_name().ok_or_else(|| Refusal::NoName(path.to_owned()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fd = Walk::to(parent, Trust::Shared, parent)?;
        let folder = Self { fd, path: parent.to_owned() };
        Ok(folder.create(name)?)
    }

    /// Replaces a file by a new one at once: whoever opens it finds the old content or the new one, and whole. Its mode
    /// stays; a new one is only for its owner. The last part of the path is its name.
    ///
    /// # Errors
    /// What is in its place and is no file, or which part of the path is not safe, or why it cannot be written.
    pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
        let name = path.file_name().ok_or_else(|| Refusal::NoName(path.to_owned()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Self { fd: Walk::to(parent, Trust::Shared, parent)?, path: parent.to_owned() };
        let mut new = OsString::from(".");
        new.push(name);
        new.push(format!(".{}", std::process::id()));
        let replaced = folder.put(name, &new, content);
        if replaced.is_err() {
            let _ = unlinkat(&folder.fd, &new, AtFlags::empty());
        }
        replaced.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes a file under a new name and gives it the old one.
    fn put(&self, name: &OsStr, new: &OsStr, content: &[u8]) -> Result<()> {
        let old = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let kind = old.as_ref().map(|old| FileType::from_raw_mode(old.st_mode));
        if let Some(kind) = kind.filter(|kind| *kind != FileType::RegularFile) {
            bail!("it is {}; name a file", refusal::name(kind));
        }
        // What a run with the same number has left when it was killed.
        let _ = unlinkat(&self.fd, new, AtFlags::empty());
        let mut file = self.create(new)?;
        if let Some(old) = old {
            fchmod(&file, Mode::from_raw_mode(old.st_mode & 0o777))?;
        }
        file.write_all(content)?;
        Ok(renameat(&self.fd, new, &self.fd, name)?)
    }

    /// Path of the directory, for messages.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// Path of a file in the directory, for messages.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading and appending, and creates it if it does not exist. Returns whether it was created.
    ///
    /// # Errors
    /// If the name is taken by something that flowtop did not create.
    pub fn open_or_create(&self, name: &str) -> Result<(File, bool)> {
        let cannot = || format!("cannot write {}", self.path(name).display());
        loop {
            if let Some(file) = self.open(name)? {
                return Ok((file, false));
            }
            match self.create(OsStr::new(name)) {
                Ok(file) => return Ok((file, true)),
                // Another process has created it first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(cannot),
            }
        }
    }

    /// Opens a file for reading and appending if it exists.
    ///
    /// # Errors
    /// If the name is taken by something that flowtop did not create.
    pub fn open(&self, name: &str) -> Result<Option<File>> {
        let file = match openat(&self.fd, name, OFlags::RDWR | OFlags::APPEND | CAREFULLY, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => {
                if let Some(stat) = self.stat(name) {
                    self.accept(name, Foreign::of(&stat))?;
                }
                return Err(error).with_context(|| format!("cannot write {}", self.path(name).display()));
            }
        };
        let stat = fstat(&file).with_context(|| format!("cannot look at {}", self.path(name).display()))?;
        self.accept(name, Foreign::of(&stat))?;
        Ok(Some(file))
    }

    /// Opens a file for reading if flowtop may have created it.
    #[must_use]
    pub fn open_to_read(&self, name: &str) -> Option<File> {
        let file = File::from(openat(&self.fd, name, OFlags::RDONLY | CAREFULLY, Mode::empty()).ok()?);
        Foreign::beside_names(&fstat(&file).ok()?).is_none().then_some(file)
    }

    /// Creates a file that must not exist.
    fn create(&self, name: &OsStr) -> io::Result<File> {
        let new = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        Ok(File::from(openat(&self.fd, name, new | OFlags::CLOEXEC, PRIVATE)?))
    }

    /// Creates an empty file. If it already exists, that is not an error.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn mark(&self, name: &str) -> Result<()> {
        match self.create(OsStr::new(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("cannot write {}", self.path(name).display()))
            }
            _ => Ok(()),
        }
    }

    /// Removes a file or a symlink, never the target of a symlink.
    ///
    /// # Errors
    /// If it could not be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::NOENT) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Names of all entries that are valid UTF-8.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let cannot = || format!("cannot read the directory {}", self.path.display());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            names.extend(entry.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// Length in bytes of a file that flowtop may have created. `None` for any other file, which flowtop must neither
    /// count nor remove.
    #[must_use]
    pub fn own_bytes(&self, name: &str) -> Option<u64> {
        let stat = self.stat(name)?;
        Foreign::beside_names(&stat).is_none().then(|| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Whether an entry of this name exists.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.stat(name).is_some()
    }

    /// Checks that an entry with the name of one of flowtop's files is one. Hard links are accepted, because nothing is
    /// written.
    ///
    /// # Errors
    /// The type of the entry, if it is not a file that flowtop may have created.
    pub fn refuse_strange(&self, name: &str) -> Result<()> {
        Ok(self.accept(name, self.stat(name).as_ref().and_then(Foreign::beside_names))?)
    }

    /// Free bytes in the file system, or `None` if that cannot be determined.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        rustix::fs::fstatvfs(&self.fd).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    /// Syncs the directory, so that new files survive a power failure.
    ///
    /// # Errors
    /// If the sync fails.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    fn stat(&self, name: &str) -> Option<Stat> {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    fn accept(&self, name: &str, foreign: Option<Foreign>) -> Result<(), Refusal> {
        foreign.map_or(Ok(()), |foreign| Err(Refusal::Foreign { path: self.path(name), foreign }))
    }
}
