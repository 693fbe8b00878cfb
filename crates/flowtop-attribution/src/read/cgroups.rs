//! The tree of cgroup v2: the path of a cgroup by its id, also of one that is gone.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::{MAX_ENTRIES, Pace, Trouble};

/// Where the tree is, below the root: alone, or beside those of version 1.
const TREES: [&str; 2] = ["sys/fs/cgroup/unified", "sys/fs/cgroup"];
/// Limit of cached cgroups.
const MAX_CGROUPS: usize = 65_536;
/// Levels that are looked at; the kernel allows more by default, which no host uses.
const MAX_DEPTH: usize = 64;

/// Paths by id: the id of a cgroup is the inode number of its directory.
#[derive(Debug)]
pub struct Cgroups {
    tree: PathBuf,
    paths: HashMap<u64, String>,
    pace: Pace,
}

impl Cgroups {
    pub fn new(root: &Path) -> Self {
        let found = TREES.iter().map(|tree| root.join(tree)).find(|tree| tree.is_dir());
        let tree = found.unwrap_or_else(|| root.join(TREES[1]));
        Self { tree, paths: HashMap::new(), pace: Pace::default() }
    }

    /// The path from the root of the tree. One that is not known is looked for, but not at once again.
    pub fn path(&mut self, id: u64, trouble: &Trouble) -> Option<&str> {
        if id == 0 {
            return None;
        }
        if !self.paths.contains_key(&id) {
            let Self { tree, paths, pace } = self;
            pace.walk(|| walk(tree, paths, trouble));
        }
        self.paths.get(&id).map(String::as_str)
    }
}

fn walk(tree: &Path, paths: &mut HashMap<u64, String>, trouble: &Trouble) {
    if paths.len() >= MAX_CGROUPS {
        paths.clear();
    }
    let mut folders = vec![(tree.to_owned(), String::new(), 0)];
    while let Some((folder, path, depth)) = folders.pop() {
        if paths.len() >= MAX_CGROUPS || depth > MAX_DEPTH {
            trouble.cut();
            break;
        }
        let Some(entry) = trouble.value(fs::symlink_metadata(&folder)) else { continue };
        let shown = if path.is_empty() { "/" } else { &path };
        paths.insert(entry.ino(), shown.to_owned());
        for name in below(&folder, trouble) {
            folders.push((folder.join(&name), format!("{path}/{name}"), depth + 1));
        }
    }
}

/// The directories in a directory, but no links to any.
fn below(folder: &Path, trouble: &Trouble) -> Vec<String> {
    let entries = trouble.value(fs::read_dir(folder)).into_iter().flatten().flatten();
    let folders = entries.take(MAX_ENTRIES).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_its_inode_and_remembered_when_it_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join("sys/fs/cgroup/kubepods/pod1");
        fs::create_dir_all(&pod).unwrap();
        std::os::unix::fs::symlink(root.path().join("sys"), pod.join("loop")).unwrap();
        let (id, trouble) = (fs::metadata(&pod).unwrap().ino(), Trouble::default());
        let mut cgroups = Cgroups::new(root.path());
        assert_eq!(cgroups.path(id, &trouble), Some("/kubepods/pod1"));
        fs::remove_dir_all(&pod).unwrap();
        assert_eq!(cgroups.path(id, &trouble), Some("/kubepods/pod1"));
        assert_eq!(cgroups.path(0, &trouble), None);
    }

    #[test]
    fn an_unknown_cgroup_is_not_looked_for_all_the_time() {
        let root = tempfile::tempdir().unwrap();
        let trouble = Trouble::default();
        let mut cgroups = Cgroups::new(root.path());
        assert_eq!(cgroups.path(u64::MAX, &trouble), None);
        let late = root.path().join("sys/fs/cgroup");
        fs::create_dir_all(&late).unwrap();
        // A walk just now would find it.
        assert_eq!(cgroups.path(fs::metadata(&late).unwrap().ino(), &trouble), None);
    }
}
