//! The dependencies of flowtop: the licences, bans and sources of deny.toml, which `cargo deny check` reads too. No network
//! is needed: `cargo metadata` tells what the lock file has chosen for this system and where its files are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, LicenseReq, Licensee, ParseMode};

use super::assert_none;
use super::root;

/// deny.toml, as far as it can be judged here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<LicenseException>,
}

#[derive(Deserialize)]
struct LicenseException {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bans {
    multiple_versions: String,
    deny: Vec<Named>,
    skip: Vec<Named>,
}

/// A crate, `NAME` or `NAME@VERSION`, where a version may be the beginning of one.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    spec: String,
}

impl Named {
    fn matches(&self, package: &Package) -> bool {
        let (name, version) = self.spec.split_once('@').unwrap_or((&self.spec, ""));
        let rest = package.version.strip_prefix(version);
        name == package.name
            && rest.is_some_and(|rest| version.is_empty() || rest.is_empty() || rest.starts_with('.'))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
    allow_registry: Vec<String>,
    allow_git: Vec<String>,
}

/// A package, as `cargo metadata` and a lock file describe it.
#[derive(Clone, Debug, Default, Deserialize)]
struct Package {
    #[serde(default)]
    id: String,
    name: String,
    version: String,
    /// Where it comes from, `None` for one of the repository itself.
    source: Option<String>,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

/// `None` for what the program itself needs; its build or its tests otherwise.
#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    toml::from_str(&fs::read_to_string(root().join(file)).unwrap())
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn rules() -> Rules {
    read("deny.toml")
}

fn metadata() -> Metadata {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The packages of all lock files: those for every system, and those of the kernel side.
fn locked() -> Vec<Package> {
    ["Cargo.lock", "flowtop-ebpf/Cargo.lock"]
        .into_iter()
        .flat_map(|file| read::<Lock>(file).package)
        .collect()
}

fn licensees(names: &[String]) -> Vec<Licensee> {
    let parse =
        |name: &String| Licensee::parse(name).unwrap_or_else(|error| panic!("deny.toml: {name}: {error}"));
    names.iter().map(parse).collect()
}

/// Packages whose licence is none that is allowed, and entries of the rules that nothing needs.
fn licence_faults(rules: &Licenses, packages: &[Package]) -> Vec<String> {
    let allowed = licensees(&rules.allow);
    let (mut faults, mut used) = (Vec::new(), BTreeSet::new());
    for package in packages {
        let Package { name, version, license, .. } = package;
        let exception = rules.exceptions.iter().find(|exception| exception.name == *name);
        let excepted = exception.map(|exception| licensees(&exception.allow)).unwrap_or_default();
        let mut permits = |required: &LicenseReq| {
            let found = allowed.iter().position(|licensee| licensee.satisfies(required));
            used.extend(found.map(|index| rules.allow[index].as_str()));
            let is_excepted = excepted.iter().any(|licensee| licensee.satisfies(required));
            used.extend(exception.filter(|_| is_excepted).map(|exception| exception.name.as_str()));
            found.is_some() || is_excepted
        };
        let Some(license) = license else {
            faults.push(format!("{name} {version} does not say its licence"));
            continue;
        };
        match Expression::parse_mode(license, ParseMode::LAX) {
            Ok(expression) if expression.evaluate(&mut permits) => {}
            Ok(_) => faults.push(format!("{name} {version} is licensed under {license}")),
            Err(error) => faults.push(format!("{name} {version}: {license}: {}", error.reason)),
        }
    }
    let entries = rules.allow.iter().chain(rules.exceptions.iter().map(|exception| &exception.name));
    let unused = entries.filter(|entry| !used.contains(entry.as_str()));
    faults.extend(unused.map(|entry| format!("deny.toml: nothing needs the entry {entry}")));
    faults
}

/// Packages that are banned, and those of which there are two versions.
fn ban_faults(rules: &Bans, locked: &[Package], built: &[Package]) -> Vec<String> {
    let banned = |package: &&Package| rules.deny.iter().any(|named| named.matches(package));
    let mut faults: Vec<_> = locked
        .iter()
        .filter(banned)
        .map(|package| format!("{} {} is banned", package.name, package.version))
        .collect();
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    for package in built.iter().filter(|package| !rules.skip.iter().any(|named| named.matches(package))) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    faults.extend(
        twice.map(|(name, versions)| format!("{name} is there in versions {}", versions.join(" and "))),
    );
    for named in &rules.skip {
        let name = named.spec.split('@').next().unwrap_or_default();
        if built.iter().filter(|package| package.name == name).count() < 2 {
            faults.push(format!("deny.toml: nothing needs the entry {}", named.spec));
        }
    }
    faults
}

/// Packages of the workspace that are not of the program.
const OWN_TOOLS: [&str; 2] = ["fuzz-targets", "xtask"];

/// Packages from sources that deny.toml does not allow.
fn source_faults(rules: &Sources, locked: &[Package]) -> Vec<String> {
    let is_listed = |source: &str| {
        let (kind, address) = source.split_once('+').unwrap_or_default();
        let address = address.split(['?', '#']).next().unwrap_or_default();
        match kind {
            "registry" | "sparse" => rules.allow_registry.iter().any(|allowed| allowed == address),
            "git" => rules.allow_git.iter().any(|allowed| allowed == address),
            _ => false,
        }
    };
    let is_own =
        |package: &Package| package.name.starts_with("flowtop") || OWN_TOOLS.contains(&&*package.name);
    let elsewhere = |package: &&Package| match &package.source {
        Some(source) => !is_listed(source),
        None => !is_own(package),
    };
    let told = |package: &Package| {
        let source = package.source.as_deref().unwrap_or("a path");
        format!("{} {} comes from {source}", package.name, package.version)
    };
    locked.iter().filter(elsewhere).map(told).collect()
}

/// The packages that the program itself consists of.
fn shipped(metadata: &Metadata) -> BTreeSet<&str> {
    let nodes: HashMap<_, _> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let packages: HashMap<_, _> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let flowtop = metadata.packages.iter().find(|package| package.name == "flowtop").unwrap();
    let (mut found, mut next) = (BTreeSet::new(), vec![flowtop.id.as_str()]);
    while let Some(id) = next.pop() {
        if found.insert(id) {
            let is_shipped =
                |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
            next.extend(nodes[id].deps.iter().filter(is_shipped).map(|dependency| dependency.pkg.as_str()));
        }
    }
    found.into_iter().map(|id| packages[id].name.as_str()).collect()
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let faults = licence_faults(&rules().licenses, &metadata().packages);
    assert_none(&faults, "take another crate, or say in deny.toml why its licence fits");
}

#[test]
fn what_is_licensed_by_an_exception_is_not_shipped() {
    let (rules, metadata) = (rules(), metadata());
    let shipped = shipped(&metadata);
    assert!(shipped.contains("aya") && !shipped.contains("proptest"), "{shipped:?}");
    let names = rules.licenses.exceptions.into_iter().map(|exception| exception.name);
    let found: Vec<_> = names.filter(|name| shipped.contains(name.as_str())).collect();
    assert_none(&found, "an exception of deny.toml is for what tests need alone");
}

#[test]
fn no_dependency_is_banned_or_there_twice() {
    let Rules { bans, .. } = rules();
    assert_eq!(bans.multiple_versions, "deny");
    for name in ["openssl", "native-tls"] {
        assert!(bans.deny.iter().any(|named| named.spec == name), "deny.toml does not ban {name}");
    }
    let faults = ban_faults(&bans, &locked(), &metadata().packages);
    assert_none(&faults, "take another crate or another version; `cargo tree -i CRATE` shows who needs it");
}

#[test]
fn every_dependency_comes_from_crates_io() {
    let Rules { sources, .. } = rules();
    assert_eq!([sources.unknown_registry.as_str(), &sources.unknown_git], ["deny", "deny"]);
    let faults = source_faults(&sources, &locked());
    assert_none(&faults, "take what is published on crates.io");
}

#[test]
fn every_text_of_a_licence_is_there_and_in_the_package() {
    let of = |file: &str| read::<toml::Table>(file);
    let kernel_side = of("flowtop-ebpf/Cargo.toml");
    assert_eq!(kernel_side["package"]["license"].as_str(), Some("MIT OR GPL-2.0-only"));
    let workspace = of("Cargo.toml");
    assert_eq!(workspace["workspace"]["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    let manifest = of("flowtop/Cargo.toml");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    for (name, begin) in [
        ("LICENSE-MIT", "MIT License"),
        ("LICENSE-APACHE", "Apache License Version 2.0"),
        ("LICENSE-GPL-2.0", "GNU GENERAL PUBLIC LICENSE Version 2, June 1991"),
    ] {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let words: Vec<_> = text.split_whitespace().take(12).collect();
        assert!(words.join(" ").starts_with(begin), "{name} is another text");
        let expected = [&format!("../{name}"), &format!("usr/share/doc/flowtop/{name}"), "644"];
        let is_asset = |asset: &toml::Value| {
            asset.as_array().is_some_and(|parts| parts.iter().filter_map(toml::Value::as_str).eq(expected))
        };
        assert!(assets.iter().any(is_asset), "{name} is not among the assets of flowtop/Cargo.toml");
    }
}

/// A package of crates.io, for the tests below.
fn package(name: &str, version: &str, license: Option<&str>) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        source: Some("registry+https://github.com/rust-lang/crates.io-index".to_owned()),
        license: license.map(str::to_owned),
        ..Package::default()
    }
}

#[test]
fn a_licence_that_is_not_allowed_is_found() {
    let mut rules = rules().licenses;
    (rules.allow, rules.exceptions) = (vec!["MIT".to_owned()], Vec::new());
    let good = package("good", "1.0.0", Some("GPL-3.0-only OR MIT"));
    let of = |license| licence_faults(&rules, &[good.clone(), package("a", "1.0.0", license)]);
    assert_eq!(of(Some("MIT/Apache-2.0")), Vec::<String>::new());
    assert_eq!(of(Some("GPL-3.0-only")), ["a 1.0.0 is licensed under GPL-3.0-only"]);
    assert_eq!(of(Some("MIT AND GPL-2.0-or-later")), ["a 1.0.0 is licensed under MIT AND GPL-2.0-or-later"]);
    assert_eq!(of(None), ["a 1.0.0 does not say its licence"]);
    assert_eq!(of(Some("NO-SUCH")).len(), 1);
    let excepted = LicenseException { name: "a".to_owned(), allow: vec!["Zlib".to_owned()] };
    rules.exceptions.push(excepted);
    let of = |name| licence_faults(&rules, &[good.clone(), package(name, "1.0.0", Some("Zlib"))]);
    assert_eq!(of("a"), Vec::<String>::new());
    assert_eq!(of("b"), ["b 1.0.0 is licensed under Zlib", "deny.toml: nothing needs the entry a"]);
}

#[test]
fn a_banned_crate_and_a_second_version_are_found() {
    let rules = Bans {
        multiple_versions: "deny".to_owned(),
        deny: vec![Named { spec: "openssl".to_owned() }],
        skip: vec![Named { spec: "syn@2".to_owned() }],
    };
    let of = |packages: &[(&str, &str)]| {
        let packages: Vec<_> = packages
            .iter()
            .chain(&[("syn", "2.0.1"), ("syn", "3.0.0")])
            .map(|(a, b)| package(a, b, None))
            .collect();
        ban_faults(&rules, &packages, &packages)
    };
    assert_eq!(of(&[("serde", "1.0.0"), ("openssl-probe", "1.0.0")]), Vec::<String>::new());
    assert_eq!(of(&[("openssl", "0.10.1")]), ["openssl 0.10.1 is banned"]);
    assert_eq!(of(&[("serde", "1.0.0"), ("serde", "2.0.0")]), ["serde is there in versions 1.0.0 and 2.0.0"]);
    assert_eq!(of(&[("syn", "20.0.0")]), ["syn is there in versions 20.0.0 and 3.0.0"]);
    assert_eq!(ban_faults(&rules, &[], &[]), ["deny.toml: nothing needs the entry syn@2"]);
}

#[test]
fn a_source_other_than_crates_io_is_found() {
    let rules = rules().sources;
    let of = |source: Option<&str>| {
        let package = Package { source: source.map(str::to_owned), ..package("a", "1.0.0", None) };
        source_faults(&rules, &[package])
    };
    assert_eq!(of(Some("registry+https://github.com/rust-lang/crates.io-index")), Vec::<String>::new());
    for source in ["git+https://github.com/a/a?branch=main#0123", "registry+https://example.org/index", "a"] {
        assert_eq!(of(Some(source)), [format!("a 1.0.0 comes from {source}")]);
    }
    assert_eq!(of(None), ["a 1.0.0 comes from a path"]);
}
