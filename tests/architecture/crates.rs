//! The graph of the crates: which may use which, and what keeps the pure ones pure.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use super::root;

/// The crates of the program from the bottom up, each with those of them that it may use. ARCHITECTURE.md draws it.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("flowtop-common", &[]),
    ("flowtop-core", &["flowtop-common"]),
    ("flowtop-sys", &["flowtop-common", "flowtop-core"]),
    ("flowtop-attribution", &["flowtop-common", "flowtop-core", "flowtop-sys"]),
    ("flowtop-bpf", &["flowtop-attribution", "flowtop-common", "flowtop-core", "flowtop-sys"]),
    ("flowtop-recording", &["flowtop-common", "flowtop-core"]),
    ("flowtop-view", &["flowtop-common", "flowtop-core", "flowtop-recording"]),
    (
        "flowtop",
        &[
            "flowtop-attribution",
            "flowtop-bpf",
            "flowtop-common",
            "flowtop-core",
            "flowtop-recording",
            "flowtop-sys",
            "flowtop-view",
        ],
    ),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    features: Vec<String>,
}

/// All packages of the workspace, from their manifests.
fn packages() -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// The crates of the workspace, each with those of them that it is built from.
fn used() -> BTreeMap<String, Vec<String>> {
    let of = |package: Package| {
        let built = package.dependencies.into_iter().filter(|dependency| dependency.kind.is_none());
        let mut names: Vec<_> =
            built.map(|dependency| dependency.name).filter(|name| name.starts_with("flowtop")).collect();
        names.sort();
        (package.name, names)
    };
    packages().into_iter().map(of).collect()
}

#[test]
fn crates_use_only_those_below_them() {
    let used = used();
    for (at, (name, may_use)) in MAY_USE.iter().enumerate() {
        assert_eq!(used[*name], *may_use, "{name}: change ARCHITECTURE.md and this list, or the dependency");
        let is_below = |other: &&str| MAY_USE[..at].iter().any(|(below, _)| below == other);
        assert!(may_use.iter().all(is_below), "{name} uses a crate that is not below it");
    }
    let of_the_program = used.keys().filter(|name| name.starts_with("flowtop") && *name != "flowtop-live");
    assert_eq!(of_the_program.count(), MAY_USE.len(), "a crate is missing here: {:?}", used.keys());
}

#[test]
fn the_core_is_built_without_the_standard_library() {
    let lib = fs::read_to_string(root().join("crates/flowtop-core/src/lib.rs")).unwrap();
    let has = |line: &str| lib.lines().any(|found| found == line);
    assert!(
        has("#![cfg_attr(not(test), no_std)]") && has("#![forbid(unsafe_code)]") && !has("extern crate std;")
    );
}

/// The workspace turns `std` of serde off for the core. In a build of the whole workspace a package that uses it is
/// given `std` by the others; built alone (`cargo build -p flowtop-live`) it does not compile.
#[test]
fn packages_with_a_standard_library_ask_for_that_of_serde() {
    let mut lacking = Vec::new();
    for package in packages().iter().filter(|package| package.name != "flowtop-core") {
        let serde =
            package.dependencies.iter().filter(|found| ["serde", "serde_json"].contains(&&*found.name));
        let without_std = serde.filter(|found| !found.features.iter().any(|feature| feature == "std"));
        lacking.extend(without_std.map(|found| format!("{}: {}", package.name, found.name)));
    }
    assert!(lacking.is_empty(), "add features = [\"std\"] to {lacking:?}");
}

/// Clippy takes what it refuses in a crate from a list in a file of its own; a crate without one would be free.
#[test]
fn pure_crates_forbid_effects() {
    for name in ["flowtop-recording", "flowtop-view"] {
        let file = fs::read_to_string(root().join(format!("crates/{name}/clippy.toml"))).unwrap();
        for effect in
            ["std::fs::File", "std::time::Instant::now", "jiff::ZonedDateTime::now", "std::io::stdout"]
        {
            assert!(file.contains(&format!("\"{effect}\"")), "{name} may use {effect}");
        }
    }
}
