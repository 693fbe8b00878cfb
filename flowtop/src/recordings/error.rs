//! Reasons why recordings cannot be listed or read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowtop_recording::format::frame::Damage;

/// Bytes of a file that could not be read as records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: bytes {} to {} are {}", .file.display(), .damage.offset, .damage.offset + .damage.bytes, .damage.cause)]
pub struct Damaged {
    pub file: PathBuf,
    /// Position in the file, and cause.
    pub damage: Damage,
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {}; name a directory that `flowtop record` has written to", .0.display())]
    Missing(PathBuf),
    /// A device, pipe or socket.
    #[error("{} is neither a file nor a directory; name a recording", .0.display())]
    SpecialFile(PathBuf),
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The recorder removes the oldest files while it runs.
    #[error("{}: the file has been removed since its records were listed", .0.display())]
    Removed(PathBuf),
    /// There is no record at all, and this may be the reason.
    #[error("there is no record that can be read: {0}")]
    NothingReadable(Arc<Self>),
    #[error("there is no record in {}; `flowtop record -o DIR` makes one in DIR", joined(.0))]
    Empty(Vec<PathBuf>),
}

impl Error {
    /// For `map_err`: a file or directory that cannot be read.
    pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Unreadable { path, error }
    }

    /// Whether the error concerns one record only, so that others can still be read.
    #[must_use]
    pub const fn costs_one_record(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Removed(_))
    }
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}
