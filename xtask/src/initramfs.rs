//! A guest's only file system: a cpio archive in the `newc` format, which the kernel unpacks into memory.
//!
//! Not compressed: under emulation unpacking costs more than reading.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::libraries;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// An archive in the making. Folders come before what lies in them.
#[derive(Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
    /// Folders that exist already because a file was copied into them.
    copied_to: HashSet<PathBuf>,
}

impl Initramfs {
    pub fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// Adds a file that can be executed.
    pub fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, content);
    }

    /// Adds a regular file without execute permission.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE, content);
    }

    /// Adds a program of this host, or a library, at the path that it has here.
    pub fn copy(&mut self, path: &Path) -> Result<()> {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let path = path.strip_prefix("/").context("a path that is not absolute")?;
        let mut folders: Vec<_> = path.ancestors().skip(1).map(Path::to_path_buf).collect();
        while let Some(folder) = folders.pop() {
            if folder.iter().next().is_some() && self.copied_to.insert(folder.clone()) {
                self.folder(&folder.to_string_lossy());
            }
        }
        self.program(&path.to_string_lossy(), &content);
        Ok(())
    }

    /// Adds a program of this host with its libraries.
    pub fn installed(&mut self, program: &Path) -> Result<()> {
        self.copy(program)?;
        libraries::of(program)?.iter().try_for_each(|library| self.copy(library))
    }

    /// Appends the trailer and returns the bytes of the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    /// Header, name, content; the last two padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a file of an initramfs is smaller than 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        let links = 1 + u32::from(mode == FOLDER);
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
        let mut header = "070701".to_owned();
        for field in fields {
            write!(header, "{field:08x}").expect("a string takes everything");
        }
        self.padded(&[header.as_bytes(), path.as_bytes(), b"\0"].concat());
        self.padded(content);
    }

    fn padded(&mut self, part: &[u8]) {
        self.bytes.extend(part);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_what_the_kernel_documents() {
        let mut archive = Initramfs::default();
        archive.folder("modules");
        archive.program("init", b"12345");
        let bytes = archive.finish();
        let folder = "070701000000010000\
                      41ed000000000000000000000002000000000000000000000000000000000000000000000000000000080000\
                      0000modules\0\0\0";
        assert_eq!(String::from_utf8_lossy(&bytes[..120]), folder);
        let rest = String::from_utf8_lossy(&bytes[120..]);
        assert!(rest.starts_with("07070100000002000081ed"), "{rest}");
        assert!(rest.contains("init\0\0") && rest.contains("12345\0\0\x000707"), "{rest}");
        assert!(bytes.len() % 4 == 0 && rest.contains("TRAILER!!!\0"), "{rest}");
    }
}
