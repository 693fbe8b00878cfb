//! Each function with its seeds, whole, cut and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use super::ALL;

/// How many cuts, and how many damaged bytes, are tried of a seed at most.
const VARIANTS: usize = 200;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut folders = vec![folder().join("seeds").join(name)];
    if name == "recording" {
        folders.push(folder().join("../tests/data/recordings/v1"));
    }
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut seeds: Vec<_> = paths.filter(|path| path.extension().is_none_or(|end| end != "jsonl")).collect();
    seeds.sort();
    seeds.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The seed itself, beginnings of it, and it with one byte changed.
fn variants(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = seed.len().div_ceil(VARIANTS).max(1);
    let cut = (0..seed.len()).step_by(step).map(|end| seed[..end].to_vec());
    let damaged = (0..seed.len()).step_by(step).flat_map(|at| {
        [0, b'"', b'-', 0x1b, 0x80, 0xff].map(|byte| {
            let mut bytes = seed.to_vec();
            bytes[at] = byte;
            bytes
        })
    });
    std::iter::once(seed.to_vec()).chain(cut).chain(damaged)
}

#[test]
fn nothing_that_others_write_brings_it_down() {
    for target in ALL {
        let seeds = seeds(target.name);
        assert!(!seeds.is_empty(), "fuzz/seeds/{} is empty", target.name);
        for (path, seed) in seeds {
            for bytes in variants(&seed) {
                let ended = std::panic::catch_unwind(|| (target.run)(&bytes));
                assert!(ended.is_ok(), "{}: {bytes:?}", path.display());
            }
        }
    }
}

#[test]
fn every_target_has_a_binary_of_cargo_fuzz() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in ALL {
        let name = target.name;
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
        let source = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("fuzz_targets::{name}(bytes)")), "{name} calls something else");
    }
}
