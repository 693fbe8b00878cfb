//! The compiler side of the BPF object: which rustc, LLVM tools and linker are here, and what they call themselves.
//!
//! Debian's rustc-web is used because its packages bring a prebuilt `core` for the BPF target, so that neither
//! nightly nor `-Z build-std` is needed. Installing is in `setup.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::provenance::Versions;

use crate::command::{output, root};

/// Debian's cargo, never the one of rustup that comes first on `PATH`.
pub const CARGO: &str = "/usr/bin/cargo";
pub const RUSTC: &str = "/usr/bin/rustc";
/// The BPF target: little endian.
pub const TARGET: &str = "bpfel-unknown-none";
/// The release of bpf-linker that builds the object.
pub const LINKER_VERSION: &str = "0.13.0";

/// Variables by which an outer cargo, rustup or a user's shell would change the build.
const DROPPED: &[&str] = &[
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTUP_",
];

/// Everything that compiles, links and looks into the object.
pub struct Toolchain {
    /// Path of the bpf-linker program.
    pub linker: PathBuf,
    /// Versions that the compiler, LLVM and the linker print.
    pub versions: Versions,
}

impl Toolchain {
    /// Finds the toolchain; the error names the first part that is missing and how to get it.
    pub fn find() -> Result<Self> {
        let (rustc, llvm) = rustc()?;
        let linker = linker().with_context(|| {
            format!(
                "bpf-linker {LINKER_VERSION} is missing; `cargo xtask setup` installs it into target/tools"
            )
        })?;
        let versions = Versions { rustc, llvm, linker: format!("bpf-linker {LINKER_VERSION}") };
        Ok(Self { linker, versions })
    }

    /// A command of LLVM (`objcopy`, `objdump`, `readelf`) of the same major release as rustc's.
    pub fn llvm(&self, tool: &str) -> Command {
        Command::new(format!("/usr/lib/llvm-{}/bin/llvm-{tool}", major(&self.versions.llvm)))
    }
}

/// The first line of `rustc -vV` and the version of its LLVM.
pub fn rustc() -> Result<(String, String)> {
    if !Path::new(RUSTC).exists() || !Path::new(CARGO).exists() {
        bail!(
            "{RUSTC} and {CARGO} of Debian's rustc-web are missing; `cargo xtask setup` installs them as root"
        );
    }
    if !Path::new("/usr/lib/rustlib").join(TARGET).exists() {
        bail!(
            "{RUSTC} has no core library for {TARGET}; `cargo xtask setup` installs libstd-rust-web-dev-bpf"
        );
    }
    let verbose = output(Command::new(RUSTC).arg("-vV"))?;
    let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let first = verbose.lines().next().context("`rustc -vV` said nothing")?;
    Ok((first.to_owned(), llvm.context("`rustc -vV` names no LLVM version")?.to_owned()))
}

/// Debian's cargo in an environment that says nothing of an outer cargo.
pub fn debian_cargo() -> Command {
    let mut cargo = Command::new(CARGO);
    clean(&mut cargo);
    cargo
}

/// Drops what an outer cargo or a shell has set, and names Debian's compiler.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if DROPPED.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    // aya-ebpf uses inline assembly for BPF, which is not stable.
    command.env("CARGO", CARGO).env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
}

/// The part of a version before its first point: `22` of `22.1.8`.
pub fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// bpf-linker of the pinned version: our own below target/tools, else one on `PATH`.
pub fn linker() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::iter::once(root().join("target/tools/bin"));
    own.chain(std::env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .find(|file| is_pinned(file))
}

fn is_pinned(linker: &Path) -> bool {
    let version = linker.is_file().then(|| output(Command::new(linker).arg("--version")));
    version.is_some_and(|said| said.is_ok_and(|said| said.trim() == format!("bpf-linker {LINKER_VERSION}")))
}
