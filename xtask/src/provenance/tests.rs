use std::fs;
use std::path::PathBuf;

use super::*;

/// A tree with one source in each input folder, removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("flowtop-provenance-{}-{name}", std::process::id()));
        let tree = Self(root);
        tree.put("flowtop-common/src/lib.rs", "pub struct Flow;");
        tree.put("flowtop-ebpf/src/main.rs", "fn main() {}");
        tree.put("crates/flowtop-bpf/object/empty", "");
        tree
    }

    fn put(&self, name: &str, text: &str) {
        let file = self.0.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn digest(&self) -> String {
        inputs_sha256(&self.0).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_known_digest_is_hex() {
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn the_place_of_the_tree_does_not_matter() {
    assert_eq!(Tree::new("here").digest(), Tree::new("there").digest());
}

#[test]
fn a_changed_renamed_or_added_source_changes_the_digest() {
    let tree = Tree::new("changes");
    let mut seen = vec![tree.digest()];
    tree.put("flowtop-ebpf/src/main.rs", "fn main() { }");
    seen.push(tree.digest());
    tree.put("flowtop-ebpf/Cargo.lock", "");
    seen.push(tree.digest());
    fs::rename(tree.0.join("flowtop-common/src/lib.rs"), tree.0.join("flowtop-common/src/bil.rs")).unwrap();
    seen.push(tree.digest());
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "two states of the sources have one digest");
}

#[test]
fn what_is_no_source_does_not_change_the_digest() {
    let tree = Tree::new("others");
    let before = tree.digest();
    tree.put("flowtop-ebpf/target/debug/build.rs", "generated");
    tree.put("flowtop-ebpf/src/main.rs~", "old");
    tree.put("xtask/src/main.rs", "elsewhere");
    assert_eq!(tree.digest(), before);
}

#[test]
fn a_record_survives_writing_and_reading() {
    let tree = Tree::new("record");
    let record = Provenance {
        object_sha256: sha256(b"object"),
        inputs_sha256: tree.digest(),
        toolchain: Versions {
            rustc: "rustc 1.96.0 (ac68faa20 2026-05-25)".into(),
            llvm: "22.1.8".into(),
            linker: "bpf-linker 0.13.0".into(),
        },
    };
    record.write(&tree.0).unwrap();
    assert_eq!(Provenance::read(&tree.0).unwrap(), record);
}

#[test]
fn a_malformed_record_names_the_remedy() {
    let tree = Tree::new("malformed");
    tree.put(RECORD, "object_sha256 = 3");
    assert!(Provenance::read(&tree.0).unwrap_err().to_string().contains("run `cargo xtask ebpf`"));
}
