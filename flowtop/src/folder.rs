//! Safe access to directories that flowtop writes to, often as root. Another user may have put a symlink, a FIFO or a
//! hard link there, which must not make flowtop write elsewhere or block.
//!
//! A directory is opened component by component and kept open, and its files are opened relative to that descriptor, so
//! a path that is replaced later has no effect. The type of each file is checked after it is opened.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Maximum number of symlinks followed on a path, the same as in the kernel.
const MAX_LINKS: usize = 40;
/// Readable by flowtop's user only: which hosts talk to each other is private.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
const PRIVATE_FOLDER: Mode = Mode::from_raw_mode(0o700);
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_OTHERS: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Flags to open a file of unknown type: follow no symlink, do not block on a FIFO, and do not acquire a controlling
/// terminal.
const CAREFULLY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Which users may have write access to a directory and its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Only root and flowtop's user, for files that are opened again later.
    Private,
    /// Any user, for a file that must not exist yet. Symlinks that another user may have created are not followed.
    Shared,
}

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
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fd = Walk::to(parent, Trust::Shared, parent)?;
        let folder = Self { fd, path: parent.to_owned() };
        Ok(folder.create(name)?)
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
                    self.refuse_foreign(name, &stat)?;
                }
                return Err(error).with_context(|| format!("cannot write {}", self.path(name).display()));
            }
        };
        let stat = fstat(&file).with_context(|| format!("cannot look at {}", self.path(name).display()))?;
        self.refuse_foreign(name, &stat)?;
        Ok(Some(file))
    }

    /// Opens a file for reading if flowtop may have created it.
    #[must_use]
    pub fn open_to_read(&self, name: &str) -> Option<File> {
        let file = File::from(openat(&self.fd, name, OFlags::RDONLY | CAREFULLY, Mode::empty()).ok()?);
        is_own(&fstat(&file).ok()?).then_some(file)
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
        is_own(&stat).then(|| u64::try_from(stat.st_size).unwrap_or_default())
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
        match self.stat(name) {
            Some(stat) if foreign(&stat) != Some(Foreign::Names) => self.refuse_foreign(name, &stat),
            _ => Ok(()),
        }
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

    fn refuse_foreign(&self, name: &str, stat: &Stat) -> Result<()> {
        let Some(why) = foreign(stat) else { return Ok(()) };
        bail!(
            "{} {}, and flowtop writes only to files of its own; remove it",
            self.path(name).display(),
            why.text(stat)
        )
    }
}

/// Reasons why flowtop cannot have created a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    Kind(FileType),
    Owner,
    /// It has another hard link.
    Names,
}

fn foreign(stat: &Stat) -> Option<Foreign> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_uid != geteuid().as_raw() => Some(Foreign::Owner),
        FileType::RegularFile if stat.st_nlink != 1 => Some(Foreign::Names),
        FileType::RegularFile => None,
        other => Some(Foreign::Kind(other)),
    }
}

/// Whether flowtop may have created a file. Users may have added a hard link since, to keep it.
fn is_own(stat: &Stat) -> bool {
    foreign(stat).is_none_or(|why| why == Foreign::Names)
}

impl Foreign {
    fn text(self, stat: &Stat) -> String {
        match self {
            Self::Kind(kind) => format!("is {}", kind_text(kind)),
            Self::Owner => format!("belongs to user {}", stat.st_uid),
            Self::Names => format!("has {} names (hard links)", stat.st_nlink),
        }
    }
}

fn kind_text(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "no file",
    }
}

/// Walks a path to a directory, component by component.
struct Walk<'a> {
    trust: Trust,
    /// For messages.
    typed: &'a Path,
    /// Links followed so far.
    links: usize,
    at: OwnedFd,
    here: PathBuf,
    /// Whether no other user can replace the entries of the current directory.
    is_safe: bool,
}

/// What a component of a path names.
enum Part {
    Folder(OwnedFd),
    /// Target of the symlink.
    Link(PathBuf),
}

impl<'a> Walk<'a> {
    fn to(path: &Path, trust: Trust, typed: &'a Path) -> Result<OwnedFd> {
        let mut parts = parts(path);
        let (at, here) = start(path)?;
        let mut walk = Self { trust, typed, links: 0, at, here, is_safe: true };
        walk.arrive(parts.is_empty())?;
        while let Some(name) = parts.pop_front() {
            match walk.part(&name, parts.is_empty())? {
                Part::Folder(folder) => {
                    (walk.at, walk.here) = (folder, walk.here.join(&name));
                    walk.arrive(parts.is_empty())?;
                }
                Part::Link(target) => {
                    if target.is_absolute() {
                        (walk.at, walk.here) = start(&target)?;
                    }
                    self::parts(&target).into_iter().rev().for_each(|part| parts.push_front(part));
                    walk.arrive(parts.is_empty())?;
                }
            }
        }
        let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = openat(&walk.at, c".", open, Mode::empty());
        open.with_context(|| format!("cannot read the directory {}", typed.display()))
    }

    /// Checks the permissions of the current directory.
    fn arrive(&mut self, is_last: bool) -> Result<()> {
        let stat = fstat(&self.at).with_context(|| format!("cannot look at {}", self.here.display()))?;
        let danger = danger(&stat, geteuid().as_raw(), is_last);
        self.is_safe = danger.is_none();
        match danger.filter(|_| self.trust == Trust::Private) {
            Some(danger) => bail!("{} {danger}", self.here.display()),
            None => Ok(()),
        }
    }

    fn part(&mut self, name: &OsStr, is_last: bool) -> Result<Part> {
        let whole = self.here.join(name);
        let part =
            self.open_part(name).with_context(|| format!("cannot use the directory {}", whole.display()))?;
        let stat = fstat(&part).with_context(|| format!("cannot look at {}", whole.display()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Directory => return Ok(Part::Folder(part)),
            FileType::Symlink => {}
            _ => bail!("{} is {}, not a directory; give another one", whole.display(), kind_text(kind)),
        }
        let is_own = [0, geteuid().as_raw()].contains(&stat.st_uid);
        let is_followed = is_own && self.is_safe && !(is_last && self.trust == Trust::Private);
        ensure!(is_followed, "{} is a symbolic link; give the directory that it leads to", whole.display());
        self.links += 1;
        ensure!(
            self.links <= MAX_LINKS,
            "{}: too many symbolic links; give another directory",
            self.typed.display()
        );
        let target = readlinkat(&part, c"", Vec::new());
        let target = target.with_context(|| format!("cannot read the link {}", whole.display()))?;
        Ok(Part::Link(PathBuf::from(OsString::from_vec(target.into_bytes()))))
    }

    /// Opens a component without following a symlink; creates it if it must be private and does not exist.
    fn open_part(&self, name: &OsStr) -> io::Result<OwnedFd> {
        let open =
            || openat(&self.at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        match open() {
            Err(Errno::NOENT) if self.trust == Trust::Private => {}
            opened => return Ok(opened?),
        }
        match mkdirat(&self.at, name, PRIVATE_FOLDER) {
            // Another process has created it first.
            Ok(()) | Err(Errno::EXIST) => Ok(open()?),
            Err(error) => Err(error.into()),
        }
    }
}

/// Directory at which a path starts.
fn start(path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let start = if path.is_absolute() { "/" } else { "." };
    let fd = openat(CWD, start, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    Ok((fd.with_context(|| format!("cannot use the directory {start}"))?, PathBuf::from(start)))
}

/// The components of a path after its start.
fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// How another user could change the entries of a directory, as the rest of a sentence. Parents of flowtop's own
/// directory may be writable for all users, as `/tmp` is, if the sticky bit protects the entries.
fn danger(stat: &Stat, own_uid: u32, is_last: bool) -> Option<String> {
    let mode = stat.st_mode & 0o7777;
    if ![0, own_uid].contains(&stat.st_uid) {
        let next = "give a directory that belongs to you, below others that belong to root or to you";
        return Some(format!("belongs to user {}, who could lead flowtop astray; {next}", stat.st_uid));
    }
    let is_shared = if is_last {
        mode & (WRITABLE_BY_GROUP | WRITABLE_BY_OTHERS) != 0
    } else {
        let by_group = mode & WRITABLE_BY_GROUP != 0 && stat.st_gid != 0;
        (by_group || mode & WRITABLE_BY_OTHERS != 0) && mode & STICKY == 0
    };
    let next = "take that right from them with `chmod go-w`, or give another directory";
    is_shared.then(|| format!("can be changed by others (mode {mode:04o}); {next}"))
}

#[cfg(test)]
mod tests;
