//! Kernel modules for a guest: which files, unpacked, in the order in which they must be loaded.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::bytes;

/// Modules that the live suite uses where the kernel has them: kTLS with AES-GCM, veth links, netem for loss and delay.
const WANTED: &[&str] = &["tls", "gcm", "ghash_generic", "ctr", "veth", "sch_netem"];

/// A kernel module, decompressed.
pub struct Module {
    /// As the kernel calls it, with `_`.
    pub name: String,
    /// Its ELF file.
    pub elf: Vec<u8>,
}

/// Reads the wanted modules and what they need from the kernel's folder, in the order of loading; a wanted module
/// that this kernel does not have is left out.
pub fn read(kernel_modules: &Path) -> Result<Vec<Module>> {
    let mut there = HashMap::new();
    find(kernel_modules, &mut there)?;
    let mut modules = Vec::new();
    for name in WANTED.iter().filter(|name| there.contains_key(**name)) {
        add(name, &there, &mut modules)?;
    }
    Ok(modules)
}

/// Appends `name` after everything that it depends on.
fn add(name: &str, there: &HashMap<String, PathBuf>, modules: &mut Vec<Module>) -> Result<()> {
    if modules.iter().any(|earlier| earlier.name == name) {
        return Ok(());
    }
    let packed =
        there.get(name).with_context(|| format!("the kernel has no module {name}, which another needs"))?;
    let elf = unpack(packed)?;
    for needed in depends(&elf) {
        add(&needed, there, modules)?;
    }
    modules.push(Module { name: name.to_owned(), elf });
    Ok(())
}

fn unpack(packed: &Path) -> Result<Vec<u8>> {
    match packed.extension().and_then(|end| end.to_str()) {
        Some("ko") => fs::read(packed).with_context(|| format!("cannot read {}", packed.display())),
        Some("xz") => bytes(Command::new("xz").arg("-dc").arg(packed)),
        _ => bail!("{} is packed in a way that xtask does not know", packed.display()),
    }
}

/// All modules below `folder` by name. The kernel takes `-` and `_` in names as the same.
fn find(folder: &Path, there: &mut HashMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, there)?;
        } else if let Some((name, _)) = path.file_name().and_then(|name| name.to_str()?.split_once(".ko")) {
            there.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// Names of the modules that a module needs: the entry `depends=` of its section `.modinfo`, a list of
/// NUL-terminated strings.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_module() {
        assert_eq!(depends(b"\x7fELF\0license=GPL\0depends=tls,nf-nat\0intree=Y\0"), ["tls", "nf_nat"]);
        assert_eq!(depends(b"\x7fELF\0license=GPL\0depends=\0intree=Y\0"), [""; 0]);
        assert_eq!(depends(b"\x7fELF"), [""; 0]);
    }

    #[test]
    fn a_module_comes_after_what_it_needs_and_once() {
        let folder = std::env::temp_dir().join(format!("flowtop-modules-{}", std::process::id()));
        fs::create_dir_all(folder.join("kernel/net")).unwrap();
        let put = |name: &str, elf: &[u8]| fs::write(folder.join("kernel/net").join(name), elf).unwrap();
        put("tls.ko", b"\0depends=base-part\0");
        put("veth.ko", b"\0depends=base_part\0");
        put("base-part.ko", b"\0depends=\0");
        let modules = read(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let names: Vec<String> = modules.unwrap().into_iter().map(|module| module.name).collect();
        assert_eq!(names, ["base_part", "tls", "veth"]);
    }
}
