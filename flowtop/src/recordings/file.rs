//! Reads parts of a file that may be replaced, removed or appended to meanwhile.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use flowtop_recording::format::frame::{self, Cause, MAX_HEAD_BYTES};

/// Opens a regular file. Fails for anything else, without blocking on it.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok((file, metadata))
}

/// Reads the head of the frame at `offset`.
pub(super) fn head_at(file: &File, offset: u64) -> io::Result<Result<frame::Head, Cause>> {
    let mut bytes = [0; MAX_HEAD_BYTES];
    // Most heads are short, because host names are.
    for wanted in [256, MAX_HEAD_BYTES] {
        let read = read_at(file, &mut bytes[..wanted], offset)?;
        let head = frame::Head::parse(&bytes[..read]);
        if head != Err(Cause::Torn) || read < wanted {
            return Ok(head);
        }
    }
    Ok(Err(Cause::Torn))
}

/// Reads as many bytes as the file has at `offset`, up to the length of `bytes`. Returns their number.
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
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
