//! `cargo xtask ebpf`: flowtop-ebpf → the committed object and the record of where it came from.
//!
//! The object must come out the same wherever the repository and cargo's registry lie, so every source path is
//! remapped and the environment of an outer cargo is dropped.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use xtask::provenance::{FLAGS, OBJECT, Provenance, Versions, inputs_sha256, sha256};

use crate::command::{output, root, run, target};
use crate::toolchain::{TARGET, Toolchain, debian_cargo};

/// Licences that the kernel accepts for the helpers that the programs call.
const GPL_COMPATIBLE: &[&str] = &["GPL", "Dual MIT/GPL", "Dual BSD/GPL", "Dual MPL/GPL"];

/// Builds the object, examines it and commits it to its place, with its record.
pub fn build() -> Result<()> {
    let tools = Toolchain::find()?;
    let built = compile(&tools, &[])?;
    examine(&tools, &built)?;
    let bytes = fs::read(&built)?;
    fs::write(root().join(OBJECT), &bytes).with_context(|| format!("cannot write {OBJECT}"))?;
    record(&bytes, &tools.versions)?.write(root())?;
    println!("{OBJECT}: {} bytes, {}", bytes.len(), tools.versions.rustc);
    Ok(())
}

/// Builds the object with the kernel-side log messages, for debugging, and says where it is; nothing is committed.
pub fn build_with_log() -> Result<()> {
    let built = compile(&Toolchain::find()?, &["--features", "log"])?;
    let kept = built.with_file_name("flowtop-log.bpf.o");
    fs::rename(&built, &kept)?;
    println!("{}", kept.display());
    Ok(())
}

/// Builds the object again and fails unless the committed one is what its sources say.
///
/// With other versions of the tools than the recorded ones, equal machine code is enough, and that is printed.
pub fn check() -> Result<()> {
    let recorded = Provenance::read(root())?;
    let committed = root().join(OBJECT);
    let bytes = fs::read(&committed).with_context(|| format!("cannot read {OBJECT}"))?;
    let tools = Toolchain::find()?;
    let built = compile(&tools, &[])?;
    examine(&tools, &built)?;
    let now = record(&fs::read(&built)?, &tools.versions)?;
    ensure!(
        recorded.object_sha256 == sha256(&bytes),
        "{OBJECT} is not the recorded object; run `cargo xtask ebpf`"
    );
    if recorded.object_sha256 == now.object_sha256 && recorded.inputs_sha256 == now.inputs_sha256 {
        println!("{OBJECT} is what its sources build");
        return Ok(());
    }
    if recorded.toolchain == now.toolchain {
        bail!("{OBJECT} is not what its sources build; run `cargo xtask ebpf`");
    }
    compare_code(&tools, &committed, &built, &recorded.toolchain)
}

/// For two objects of two toolchains: their machine code must be the same.
fn compare_code(tools: &Toolchain, committed: &Path, built: &Path, recorded: &Versions) -> Result<()> {
    let then = format!("{} with {}", recorded.rustc, recorded.linker);
    let now = format!("{} with {}", tools.versions.rustc, tools.versions.linker);
    if disassembly(tools, committed)? != disassembly(tools, built)? {
        bail!(
            "{OBJECT} was built by {then}, and {now} makes other code of the sources; run `cargo xtask ebpf`"
        );
    }
    println!("{OBJECT} was built by {then}; {now} makes the same code; refresh it with `cargo xtask ebpf`");
    Ok(())
}

fn record(object: &[u8], versions: &Versions) -> Result<Provenance> {
    let inputs_sha256 = inputs_sha256(root())?;
    Ok(Provenance { object_sha256: sha256(object), inputs_sha256, toolchain: versions.clone() })
}

/// Compiles and strips into target/ebpf and returns the path of the object.
fn compile(tools: &Toolchain, extra: &[&str]) -> Result<PathBuf> {
    let folder = target("ebpf")?;
    let manifest = root().join("flowtop-ebpf/Cargo.toml");
    let mut build = debian_cargo();
    build.args(["build", "--locked", "--release", "--manifest-path"]).arg(&manifest);
    build.args(["--target", TARGET]).args(extra).env("CARGO_TARGET_DIR", &folder);
    run(build.env("CARGO_ENCODED_RUSTFLAGS", flags(tools, &manifest)?))?;
    let object = folder.join("flowtop.bpf.o");
    let unstripped = folder.join(TARGET).join("release/flowtop");
    let symbols = output(tools.llvm("nm").args(["--format=just-symbols"]).arg(&unstripped))?;
    let renamed =
        symbols.lines().filter_map(|old| Some(format!("--redefine-sym={old}={}", stable_symbol(old)?)));
    // `--strip-debug` keeps .BTF and .BTF.ext, which the loader needs.
    run(tools.llvm("objcopy").arg("--strip-debug").args(renamed).args([&unstripped, &object]))?;
    Ok(object)
}

/// A Rust symbol without the disambiguator of its crate, which cargo derives from the path of the repository:
/// `_RNvNtCsht3VSA73YeO_7flowtop5slots4take` → `_RNvNtC7flowtop5slots4take`. `None` for other symbols.
///
/// Source: <https://doc.rust-lang.org/rustc/symbol-mangling/v0.html>, "Path: Crate root".
fn stable_symbol(symbol: &str) -> Option<String> {
    let path = symbol.strip_prefix("_R")?;
    let (before, rest) = path.split_once("Cs")?;
    let (_disambiguator, after) = rest.split_once('_')?;
    Some(format!("_R{before}C{after}"))
}

/// All rustc flags, joined as `CARGO_ENCODED_RUSTFLAGS` wants them (paths may hold blanks).
fn flags(tools: &Toolchain, manifest: &Path) -> Result<OsString> {
    let mut flags: Vec<OsString> = FLAGS.iter().map(OsString::from).collect();
    flags.push(joined(&["-Clinker=".as_ref(), tools.linker.as_os_str()]));
    for (from, to) in remapped(manifest)? {
        flags.push(joined(&["--remap-path-prefix=".as_ref(), from.as_os_str(), format!("={to}").as_ref()]));
    }
    Ok(flags.join("\x1f".as_ref()))
}

fn joined(parts: &[&std::ffi::OsStr]) -> OsString {
    parts.iter().copied().collect()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// Source folders and the names they get: line information in `.BTF.ext` holds them.
///
/// Each package is mapped by itself, because the folder below cargo's registry depends on the registry in use.
fn remapped(manifest: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut metadata = debian_cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]);
    let metadata = output(metadata.arg("--manifest-path").arg(manifest))?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("`cargo metadata` is not understood")?;
    // rustc takes the last match, so the packages go after the root that may hold them (a vendored registry).
    let packages = metadata.packages.into_iter().filter_map(|package| {
        let folder = package.manifest_path.parent()?.to_path_buf();
        let of_ours = folder == root().join("flowtop-ebpf") || folder == root().join("flowtop-common");
        (!of_ours).then(|| (folder, format!("/registry/{}-{}", package.name, package.version)))
    });
    Ok(std::iter::once((root().to_path_buf(), "/flowtop".to_owned())).chain(packages).collect())
}

/// Refuses an object that must not be committed.
fn examine(tools: &Toolchain, object: &Path) -> Result<()> {
    let bytes = fs::read(object)?;
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let private = [Some(root().to_path_buf()), std::env::home_dir(), cargo_home];
    for folder in private.iter().flatten().filter(|folder| folder.parent().is_some()) {
        let text = folder.as_os_str().as_encoded_bytes();
        let found = bytes.windows(text.len()).any(|window| window == text);
        ensure!(
            !found,
            "the object holds the private path {}; remap it in xtask/src/ebpf.rs",
            folder.display()
        );
    }
    let code = disassembly(tools, object)?;
    ensure!(
        code.contains("lock *(u64 *)"),
        "the object has no atomic add, so counters of two CPUs would lose bytes"
    );
    let licence = output(tools.llvm("readelf").args(["-p", "license"]).arg(object))?;
    let accepted =
        licence.lines().any(|line| GPL_COMPATIBLE.iter().any(|name| line.ends_with(&format!("] {name}"))));
    ensure!(accepted, "the object's licence is not one that the kernel takes as GPL-compatible");
    Ok(())
}

/// The machine code as text, without the line that names the file.
fn disassembly(tools: &Toolchain, object: &Path) -> Result<String> {
    let text = output(tools.llvm("objdump").args(["-d", "-r", "--no-show-raw-insn"]).arg(object))?;
    Ok(text.lines().filter(|line| !line.contains("file format")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::stable_symbol;

    #[test]
    fn symbols_do_not_depend_on_where_the_repository_lies() {
        for symbol in ["_RNvNtCsht3VSA73YeO_7flowtop5slots4take", "_RNvNtCskEEX9Bl2pXy_7flowtop5slots4take"] {
            assert_eq!(stable_symbol(symbol).as_deref(), Some("_RNvNtC7flowtop5slots4take"));
        }
        assert_eq!(stable_symbol("memcpy"), None);
    }
}
