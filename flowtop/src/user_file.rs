//! Reads files that a user names or has in the home directory: settings and labels.
//!
//! flowtop usually runs as root, possibly with another user's home directory (`sudo` may keep `HOME`). So it refuses
//! files that are not regular, too large, or owned by neither root nor the user who runs flowtop.
//!
//! Not in here: parsing these files, and reading the files of the host about owners (`flowtop_attribution`).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::process::{Uid, geteuid};

/// Maximum size of a configuration file in bytes. A typical one has a few KiB.
pub const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// Maximum size of a labels file in bytes. The networks of a large cloud provider take about 5 MiB.
pub const MAX_LABELS_BYTES: u64 = 16 << 20;

/// Reasons why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It does not exist.
    #[error("there is no file {0}")]
    Absent(String),
    /// Reading fails.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, io::Error),
    /// It is not a regular file.
    #[error("cannot read {0}: it is {1}; give a regular file")]
    Kind(String, &'static str),
    /// It is larger than the limit.
    #[error("cannot read {0}: it has more than {1} MiB")]
    Size(String, u64),
    /// It belongs to another user.
    #[error(
        "cannot use {0}: it belongs to user {1}, and flowtop reads only what is root's or of the user who runs it; give it to \
         one of them, or name another file"
    )]
    Owner(String, u32),
}

/// Reads the whole file.
///
/// # Errors
/// If the file is not read; a sentence with its path.
pub fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>, Refused> {
    let name = || path.display().to_string();
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Refused::Absent(name()),
        _ => Refused::Unreadable(name(), error),
    };
    // The type is checked before opening, because opening has side effects on some devices.
    check(&fs::metadata(path).map_err(failed)?, name)?;
    let file = open(path).map_err(failed)?;
    check(&file.metadata().map_err(failed)?, name)?;
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most_bytes {
        return Err(Refused::Size(name(), most_bytes >> 20));
    }
    Ok(bytes)
}

/// If the file has been replaced since that check, opening does not block and does not acquire a controlling terminal.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn check(file: &Metadata, name: impl Fn() -> String) -> Result<(), Refused> {
    let kind = file.file_type();
    let other = match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    };
    if let Some(other) = other {
        return Err(Refused::Kind(name(), other));
    }
    let sudo = std::env::var("SUDO_UID").ok();
    let is_trusted = is_trusted(file.uid(), geteuid(), sudo.as_deref());
    is_trusted.then_some(()).ok_or_else(|| Refused::Owner(name(), file.uid()))
}

/// Whether the owner of a file may configure flowtop: root, flowtop's user, or the user who called `sudo` to run
/// flowtop as root.
fn is_trusted(owner: u32, own: Uid, sudo: Option<&str>) -> bool {
    let called = sudo.and_then(|text| text.parse().ok()).filter(|_| own.is_root());
    owner == 0 || owner == own.as_raw() || called == Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink};

    #[test]
    fn only_regular_files_of_a_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("good"), "sort: 2s").unwrap();
        fs::write(path("full"), [b'x'; 10]).unwrap();
        symlink(path("good"), path("link")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        // A sparse file takes no disk space.
        File::create(path("huge")).unwrap().set_len(1 << 40).unwrap();
        let read = |name: &str| read(&path(name), 10).map_err(|error| error.to_string());
        for name in ["good", "link"] {
            assert_eq!(read(name).unwrap(), b"sort: 2s");
        }
        assert_eq!(read("full").unwrap().len(), 10);
        for (name, why) in [
            ("pipe", "it is a pipe; give a regular file"),
            ("socket", "it is a socket; give a regular file"),
            ("endless", "it is a device; give a regular file"),
            (".", "it is a directory; give a regular file"),
            ("huge", "it has more than 0 MiB"),
        ] {
            assert_eq!(read(name).unwrap_err(), format!("cannot read {}: {why}", path(name).display()));
        }
        assert!(read("loop").unwrap_err().contains("Too many levels of symbolic links"));
        for name in ["none", "good/none"] {
            assert_eq!(read(name).unwrap_err(), format!("there is no file {}", path(name).display()));
        }
    }

    #[test]
    fn a_file_belongs_to_root_the_user_or_who_has_called_sudo() {
        let [root, alice] = [0, 1000].map(Uid::from_raw);
        for (owner, own, sudo, trusted) in [
            (0, root, None, true),
            (0, alice, None, true),
            (1000, alice, None, true),
            (1000, root, None, false),
            (1000, root, Some("1000"), true),
            (1001, root, Some("1000"), false),
            (1001, alice, Some("1001"), false),
            (1000, root, Some(""), false),
            (1000, root, Some("1000x"), false),
        ] {
            assert_eq!(is_trusted(owner, own, sudo), trusted, "{owner} {own:?} {sudo:?}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_with_the_owner() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs");
        fs::write(&path, "").unwrap();
        if chown(&path, Some(65_432), None).is_err() {
            writeln!(io::stderr(), "skipped: to give a file away needs root").unwrap();
            return;
        }
        let said = read(&path, 10).unwrap_err().to_string();
        assert!(said.contains("it belongs to user 65432, and flowtop reads only"), "{said}");
    }
}
