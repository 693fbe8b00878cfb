//! Reasons why flowtop does not use a file or a directory.

use std::fmt;
use std::path::PathBuf;

use rustix::fs::{FileType, Stat};
use rustix::process::geteuid;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{} names no file", .0.display())]
    NoName(PathBuf),
    #[error("{} {foreign}, and flowtop writes only to files of its own; remove it", .path.display())]
    Foreign { path: PathBuf, foreign: Foreign },
    #[error(
        "{} belongs to user {uid}, who could lead flowtop astray; give a directory that belongs to you, below others \
         that belong to root or to you", .path.display()
    )]
    Owner { path: PathBuf, uid: u32 },
    #[error(
        "{} can be changed by others (mode {mode:04o}); take that right from them with `chmod go-w`, or give another \
         directory", .path.display()
    )]
    Writable { path: PathBuf, mode: u32 },
    #[error("{} is {}, not a directory; give another one", .path.display(), name(*.kind))]
    NoDirectory { path: PathBuf, kind: FileType },
    #[error("{} is a symbolic link; give the directory that it leads to", .0.display())]
    Link(PathBuf),
    #[error("{}: too many symbolic links; give another directory", .0.display())]
    TooManyLinks(PathBuf),
}

/// How an entry differs from a file that flowtop has created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Kind(FileType),
    /// Its owner's user id.
    Owner(u32),
    /// The number of its hard links. Users may have added one to keep a file of flowtop's.
    Names(u64),
}

impl Foreign {
    /// `None` for a file that flowtop may have created.
    pub(super) fn of(stat: &Stat) -> Option<Self> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_uid != geteuid().as_raw() => Some(Self::Owner(stat.st_uid)),
            FileType::RegularFile if stat.st_nlink != 1 => Some(Self::Names(stat.st_nlink)),
            FileType::RegularFile => None,
            other => Some(Self::Kind(other)),
        }
    }

    /// The same, but hard links are accepted: for files that are not written to.
    pub(super) fn beside_names(stat: &Stat) -> Option<Self> {
        Self::of(stat).filter(|foreign| !matches!(foreign, Self::Names(_)))
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "is {}", name(*kind)),
            Self::Owner(uid) => write!(f, "belongs to user {uid}"),
            Self::Names(count) => write!(f, "has {count} names (hard links)"),
        }
    }
}

pub(super) const fn name(kind: FileType) -> &'static str {
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
