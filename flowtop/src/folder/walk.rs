//! Opens a directory component by component, so that no other user can redirect the path.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::refusal::Refusal;

/// Maximum number of symlinks followed on a path, the same as in the kernel.
const MAX_LINKS: usize = 40;
const PRIVATE_FOLDER: Mode = Mode::from_raw_mode(0o700);
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_OTHERS: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Which users may have write access to a directory and its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Only root and flowtop's user, for files that are opened again later.
    Private,
    /// Any user, for a file that must not exist yet. Symlinks that another user may have created are not followed.
    Shared,
}

/// Walks a path to a directory, component by component.
pub(super) struct Walk<'a> {
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
    pub(super) fn to(path: &Path, trust: Trust, typed: &'a Path) -> Result<OwnedFd> {
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
        let danger = danger(&self.here, &stat, geteuid().as_raw(), is_last);
        self.is_safe = danger.is_none();
        match danger.filter(|_| self.trust == Trust::Private) {
            Some(danger) => bail!(danger),
            None => Ok(()),
        }
    }

    fn part(&mut self, name: &OsStr, is_last: bool) -> Result<Part> {
        let whole = self.here.join(name);
        let part =
            self.open_part(name).with_context(|| format!("cannot use the directory {}", whole.display()))?;
        let stat = fstat(&part).with_context(|| format!("cannot look at {}", whole.display()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return Ok(Part::Folder(part)),
            FileType::Symlink => {}
            kind => bail!(Refusal::NoDirectory { path: whole, kind }),
        }
        let is_own = [0, geteuid().as_raw()].contains(&stat.st_uid);
        let is_followed = is_own && self.is_safe && !(is_last && self.trust == Trust::Private);
        ensure!(is_followed, Refusal::Link(whole));
        self.links += 1;
        ensure!(self.links <= MAX_LINKS, Refusal::TooManyLinks(self.typed.to_owned()));
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

/// How another user could change the entries of a directory. Parents of flowtop's own directory may be writable for all
/// users, as `/tmp` is, if the sticky bit protects the entries.
fn danger(path: &Path, stat: &Stat, own_uid: u32, is_last: bool) -> Option<Refusal> {
    let mode = stat.st_mode & 0o7777;
    if ![0, own_uid].contains(&stat.st_uid) {
        return Some(Refusal::Owner { path: path.to_owned(), uid: stat.st_uid });
    }
    let is_shared = if is_last {
        mode & (WRITABLE_BY_GROUP | WRITABLE_BY_OTHERS) != 0
    } else {
        let by_group = mode & WRITABLE_BY_GROUP != 0 && stat.st_gid != 0;
        (by_group || mode & WRITABLE_BY_OTHERS != 0) && mode & STICKY == 0
    };
    is_shared.then(|| Refusal::Writable { path: path.to_owned(), mode })
}
