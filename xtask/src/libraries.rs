//! The shared libraries of a program of this host, so that it runs in a guest too.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Every library that the program loads, and the loader, as `ldd` of the C library names them.
pub fn of(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    ensure!(output.status.success(), "ldd cannot read {}", program.display());
    let text = String::from_utf8(output.stdout).context("ldd printed no text")?;
    ensure!(!text.contains("not found"), "a library of {} is missing:\n{text}", program.display());
    Ok(paths(&text).collect())
}

/// `name => /path (0x…)` and `/path (0x…)`; the kernel's own object has no path.
fn paths(text: &str) -> impl Iterator<Item = PathBuf> {
    text.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found() {
        let text = "\tlinux-vdso.so.1 (0x00007f7b)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f7b)\n\t/lib64/ld.so (0x1)\n";
        let found: Vec<_> = paths(text).collect();
        assert_eq!(found, [PathBuf::from("/lib/libc.so.6"), PathBuf::from("/lib64/ld.so")]);
    }
}
