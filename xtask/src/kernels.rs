//! The kernel ladder: a series such as `6.12` → the newest stock Debian cloud kernel of it, unpacked.
//!
//! Point releases are found in the package lists, never written down: the archive keeps only some of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::command::target;

/// Series that the tests run on; `7` is the newest of all 7.x.
pub const LADDER: &[&str] = &["5.10", "6.1", "6.12", "6.18", "7"];

const FLAVOUR: &str = "-cloud-amd64";
/// Through 6.18 one package holds image and modules. From 6.19 on `linux-image` is empty and needs the other two.
const PARTS: &[&str] = &["linux-image-", "linux-binary-", "linux-modules-"];

/// A kernel that can be booted.
#[derive(Debug)]
pub struct Kernel {
    /// Major and minor version as typed: `6.12`.
    pub series: String,
    /// As `uname -r` says it: `6.12.94+deb12-cloud-amd64`.
    pub release: String,
    /// Path of the bzImage.
    pub image: PathBuf,
    /// The folder below which its modules lie.
    pub modules: PathBuf,
}

/// Finds, downloads and unpacks the newest kernel of `series`; what is there from an earlier run is used.
pub fn fetch(archive: &Archive, series: &str) -> Result<Kernel> {
    download(archive, series).or_else(|_| {
        // The lists may name a package that the archive has replaced since.
        archive.update()?;
        download(archive, series)
    })
}

fn download(archive: &Archive, series: &str) -> Result<Kernel> {
    let names = archive.names(&format!("^linux-(image|binary|modules)-[0-9].*{FLAVOUR}$"))?;
    let version =
        newest(&names, series).with_context(|| format!("Debian has no {FLAVOUR} kernel of {series}"))?;
    let release = format!("{version}{FLAVOUR}");
    let folder = target("vm/kernels")?.join(&release);
    if !folder.exists() {
        let packages: Vec<String> = PARTS.iter().map(|part| format!("{part}{release}")).collect();
        let packages: Vec<String> = packages.into_iter().filter(|package| names.contains(package)).collect();
        archive.unpack(&packages, &folder)?;
    }
    unpacked(series, &release, &folder)
}

fn unpacked(series: &str, release: &str, folder: &Path) -> Result<Kernel> {
    let first =
        |places: [String; 2]| places.into_iter().map(|place| folder.join(place)).find(|place| place.exists());
    let image = first([format!("boot/vmlinuz-{release}"), format!("usr/lib/modules/{release}/vmlinuz")]);
    let modules = first([format!("lib/modules/{release}"), format!("usr/lib/modules/{release}")]);
    Ok(Kernel {
        series: series.to_owned(),
        release: release.to_owned(),
        image: image.with_context(|| format!("the packages of {release} hold no kernel image"))?,
        modules: modules.with_context(|| format!("the packages of {release} hold no modules"))?,
    })
}

/// The newest version in `names` that belongs to `series` and comes with its modules.
fn newest<'a>(names: &'a [String], series: &str) -> Option<&'a str> {
    let has = |part: &str, version: &str| names.contains(&format!("{part}{version}{FLAVOUR}"));
    let versions = names.iter().filter_map(|name| name.strip_prefix(PARTS[0])?.strip_suffix(FLAVOUR));
    versions
        .filter(|version| version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.')))
        // `6.12` alone is a package that only depends on others, `7.3` in sid's neighbour a release candidate.
        .filter(|version| numbers(version).len() >= 3)
        .filter(|version| !has(PARTS[1], version) || has(PARTS[2], version))
        .max_by_key(|version| numbers(version))
}

/// The numbers in a version, in order: `6.12.90+deb12.1` → 6, 12, 90, 12, 1.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(versions: &[&str]) -> Vec<String> {
        versions.iter().map(|version| format!("{version}{FLAVOUR}")).collect()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let names =
            names(&["linux-image-6.12.9+deb12", "linux-image-6.12.90+deb12", "linux-image-6.12.90+deb12.1"]);
        assert_eq!(newest(&names, "6.12"), Some("6.12.90+deb12.1"));
    }

    #[test]
    fn a_series_is_not_the_beginning_of_another() {
        let names = names(&["linux-image-6.1.0-50", "linux-image-6.12.90+deb12", "linux-image-6.12"]);
        assert_eq!(newest(&names, "6.1"), Some("6.1.0-50"));
        assert_eq!(newest(&names, "6"), Some("6.12.90+deb12"));
        assert_eq!(newest(&names, "6.2"), None);
    }

    #[test]
    fn a_kernel_whose_modules_are_gone_and_a_release_candidate_are_passed_over() {
        let names = names(&[
            "linux-image-7.2.9+deb13",
            "linux-binary-7.2.9+deb13",
            "linux-modules-7.2.9+deb13",
            "linux-image-7.2.12+deb13",
            "linux-binary-7.2.12+deb13",
            "linux-image-7.3",
            "linux-binary-7.3",
            "linux-modules-7.3",
        ]);
        assert_eq!(newest(&names, "7"), Some("7.2.9+deb13"));
    }
}
