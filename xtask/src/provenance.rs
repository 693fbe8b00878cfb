//! Where the committed BPF object came from, and whether it still belongs to the sources beside it.
//!
//! Pure but for reading the files it digests: no compiler is needed to see that sources and object differ.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The committed object, from the root of the repository.
pub const OBJECT: &str = "crates/flowtop-bpf/object/flowtop.bpf.o";

/// The file that says where [`OBJECT`] came from.
pub const RECORD: &str = "crates/flowtop-bpf/object/flowtop.bpf.toml";

/// The rustc flags that shape the object on every machine. Flags that hold a path of one machine (the linker, the
/// remapping of source paths) are added when it is built and leave no trace in it.
pub const FLAGS: &[&str] = &[
    "-Clink-arg=--btf",
    "-Cdebuginfo=2",
    // aya-ebpf takes the registers of kprobe arguments from it; else the building host's would be used.
    "--cfg=bpf_target_arch=\"x86_64\"",
];

/// Folders whose sources are compiled into the object.
const INPUTS: &[&str] = &["flowtop-common", "flowtop-ebpf"];

/// Content of [`RECORD`]: digests of the object and its sources, and versions of the tools.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// SHA-256 of the object, in hex.
    pub object_sha256: String,
    /// [`inputs_sha256`] of the sources it was built from.
    pub inputs_sha256: String,
    /// Versions of the tools that built the object.
    pub toolchain: Versions,
}

/// The tools that decide the bytes of the object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The first line of `rustc -vV`.
    pub rustc: String,
    /// Version of the LLVM that rustc has built in.
    pub llvm: String,
    /// Output of `bpf-linker --version`.
    pub linker: String,
}

impl Provenance {
    /// Reads [`RECORD`] below `root`; an error when it is missing or malformed.
    pub fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(RECORD)).with_context(|| format!("cannot read {RECORD}"))?;
        toml::from_str(&text).with_context(|| format!("{RECORD} is malformed; run `cargo xtask ebpf`"))
    }

    pub fn write(&self, root: &Path) -> Result<()> {
        let head =
            "# Where flowtop.bpf.o came from. Written by `cargo xtask ebpf`, checked by `cargo test`.\n";
        let text = format!("{head}{}", toml::to_string(self)?);
        fs::write(root.join(RECORD), text).with_context(|| format!("cannot write {RECORD}"))
    }
}

/// SHA-256 over [`FLAGS`] and over path and content of every source below [`INPUTS`], in the order of the paths.
///
/// `root` is the root of the repository. Fails when a folder or file cannot be read.
pub fn inputs_sha256(root: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for flag in FLAGS {
        add(&mut digest, flag.as_bytes());
    }
    for file in sources(root)? {
        let name = file.strip_prefix(root)?.to_str().context("a source has a name that is not UTF-8")?;
        add(&mut digest, name.as_bytes());
        add(&mut digest, &fs::read(&file).with_context(|| format!("cannot read {name}"))?);
    }
    Ok(hex(&digest.finalize()))
}

#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Length first, so that no two lists of parts look the same.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_le_bytes());
    digest.update(part);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for input in INPUTS {
        walk(&root.join(input), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                walk(&path, files)?;
            }
        } else if is_source(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether cargo or rustc reads the file; editors leave other files beside sources.
fn is_source(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "rs" || end == "toml" || end == "lock")
}

#[cfg(test)]
mod tests;
