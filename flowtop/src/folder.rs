//! Folders that flowtop writes to, often as root, and in which another user may have put something: a link, a pipe or a
//! second name of a file in one must not make flowtop write elsewhere, or wait for ever.
//!
//! A folder is opened part by part and held open, and files in it are opened relative to that: what its path leads to
//! later does not matter. Then each file is asked what it is, once it is open.

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

/// Links on the way to a folder that are followed, as many as the kernel does.
const MAX_LINKS: usize = 40;
/// Only flowtop's user: who talks to whom is private.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
const PRIVATE_FOLDER: Mode = Mode::from_raw_mode(0o700);
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_OTHERS: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// How a file is opened that may be anything: no link is followed, a pipe is not waited for, and a terminal does not become
/// flowtop's own.
const CAREFULLY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Who may be able to change a folder and those that lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Only root and flowtop's user may change it: for files that are found again.
    Private,
    /// Any user may: for a file that is new. Links that another user may have made are not followed.
    Shared,
}

/// A folder that is open.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    /// As it was typed, for messages.
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that only root and flowtop's user can change, and makes it if there is none.
    ///
    /// # Errors
    /// Which part of the path is not safe, or why it cannot be made.
    pub fn private(path: &Path) -> Result<Self> {
        // The folders above the current one count too.
        let whole = if path.is_absolute() {
            path.to_owned()
        } else {
            std::env::current_dir().context("cannot find out which directory this is")?.join(path)
        };
        let fd = Walk::to(&whole, Trust::Private, path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Makes a new file that only its owner can read, wherever that is. The last part of the path is its name.
    ///
    /// # Errors
    /// As [`io::Error`], that it exists or cannot be made; or which part of the path is not safe.
    pub fn new_file(path: &Path) -> Result<File> {
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fd = Walk::to(parent, Trust::Shared, parent)?;
        let folder = Self { fd, path: parent.to_owned() };
        Ok(folder.create(name)?)
    }

    /// Its own path, for messages.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file to read it and to append to it, and makes it if there is none; true if it was made.
    ///
    /// # Errors
    /// What is in its place.
    pub fn open_or_create(&self, name: &str) -> Result<(File, bool)> {
        let cannot = || format!("cannot write {}", self.path(name).display());
        loop {
            if let Some(file) = self.open(name)? {
                return Ok((file, false));
            }
            match self.create(OsStr::new(name)) {
                Ok(file) => return Ok((file, true)),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(cannot),
            }
        }
    }

    /// Opens a file to read it and to append to it, if there is one.
    ///
    /// # Errors
    /// What is in its place.
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

    /// Opens a file to read it, if it is one that flowtop itself may have made.
    #[must_use]
    pub fn open_to_read(&self, name: &str) -> Option<File> {
        let file = File::from(openat(&self.fd, name, OFlags::RDONLY | CAREFULLY, Mode::empty()).ok()?);
        is_own(&fstat(&file).ok()?).then_some(file)
    }

    /// Makes a file that is not there yet.
    fn create(&self, name: &OsStr) -> io::Result<File> {
        let new = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        Ok(File::from(openat(&self.fd, name, new | OFlags::CLOEXEC, PRIVATE)?))
    }

    /// Leaves an empty file.
    ///
    /// # Errors
    /// Why it cannot be made. One that is there already is none.
    pub fn mark(&self, name: &str) -> Result<()> {
        match self.create(OsStr::new(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("cannot write {}", self.path(name).display()))
            }
            _ => Ok(()),
        }
    }

    /// Removes a file, or a link, but never what a link leads to.
    ///
    /// # Errors
    /// Why it is still there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::NOENT) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of what is in it, as far as they are text.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let cannot = || format!("cannot read the directory {}", self.path.display());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            names.extend(entry.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// How long a file is, if it is one that flowtop itself may have made. Nothing else is flowtop's to count or to remove.
    #[must_use]
    pub fn own_bytes(&self, name: &str) -> Option<u64> {
        let stat = self.stat(name)?;
        is_own(&stat).then(|| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Whether there is something of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.stat(name).is_some()
    }

    /// Refuses what has the name of one of flowtop's files and is none. More names than one are nobody's danger as long as
    /// nothing is written to it.
    ///
    /// # Errors
    /// Its kind.
    pub fn refuse_strange(&self, name: &str) -> Result<()> {
        match self.stat(name) {
            Some(stat) if foreign(&stat) != Some(Foreign::Names) => self.refuse_foreign(name, &stat),
            _ => Ok(()),
        }
    }

    /// Bytes that are free in its file system, if that can be told.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        rustix::fs::fstatvfs(&self.fd).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    /// Makes sure that new files are still there after a power failure.
    ///
    /// # Errors
    /// Why they may not be.
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

/// Why a file is not one that flowtop has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    Kind(FileType),
    Owner,
    /// It has another name somewhere.
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

/// Whether flowtop may have made a file. A user who wants to keep it may have given it another name since.
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

/// The way to a folder, part by part.
struct Walk<'a> {
    trust: Trust,
    /// For messages.
    typed: &'a Path,
    /// Links followed so far.
    links: usize,
    at: OwnedFd,
    here: PathBuf,
    /// Whether no other user can replace what is in it.
    is_safe: bool,
}

/// The file that a part of a path names.
enum Part {
    Folder(OwnedFd),
    /// Where it leads.
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

    /// Looks at the folder in which the walk is.
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

    /// Opens a part as what it is, not what it leads to; a private folder is made.
    fn open_part(&self, name: &OsStr) -> io::Result<OwnedFd> {
        let open =
            || openat(&self.at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        match open() {
            Err(Errno::NOENT) if self.trust == Trust::Private => {}
            opened => return Ok(opened?),
        }
        match mkdirat(&self.at, name, PRIVATE_FOLDER) {
            // Another process was faster.
            Ok(()) | Err(Errno::EXIST) => Ok(open()?),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where a path starts.
fn start(path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let start = if path.is_absolute() { "/" } else { "." };
    let fd = openat(CWD, start, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    Ok((fd.with_context(|| format!("cannot use the directory {start}"))?, PathBuf::from(start)))
}

/// The part of a path that exists, behind its start.
fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// How another user could change what is in a folder, as the rest of a sentence. Those that lead to flowtop's own may be
/// for everybody, as `/tmp` is, if their sticky bit keeps people from each other's files.
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
