//! The rules of ARCHITECTURE.md that no compiler holds. Each test lists what breaks one, by file and line.

use std::fs;
use std::path::{Path, PathBuf};

mod crates;
mod dependencies;
mod documents;

/// Where user space may leave the checked language: flowtop's calls to the kernel, and the test workloads'.
const UNSAFE_PLACES: [&str; 3] =
    ["crates/flowtop-sys/src/lib.rs", "tests/live/src/sys.rs", "tests/live/src/sys/"];

/// A text file of the repository: its path from the root with `/` between the parts, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Numbered lines of code, without comments and without a test module at the end.
    fn code(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{'));
        let code = &lines[..tests.unwrap_or(lines.len())];
        code.iter().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or(line))).collect()
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file below the root, but for build output and hidden folders other than the repository's own.
fn sources() -> Vec<Source> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            // In a linked work tree `.git` is a file, and names the folder of the other one.
            if name == ".git" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() && name != "target" && !hidden {
                folders.push(entry.path());
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(
        found.iter().any(|source| source.path == "flowtop/src/main.rs"),
        "{} is not the root",
        root.display()
    );
    found
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c != '_' && !c.is_alphanumeric())
}

fn assert_none(broken: &[String], what_to_do: &str) {
    assert!(broken.is_empty(), "\n{}\n{what_to_do}\n", broken.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_files() {
    let keyword = concat!("un", "safe");
    let mut broken = Vec::new();
    for source in
        sources().iter().filter(|source| source.is_rust() && !source.path.starts_with("flowtop-ebpf/"))
    {
        let lines = source.code();
        let found = lines.iter().filter(|(_, line)| words(line).any(|word| word == keyword));
        if !UNSAFE_PLACES.iter().any(|place| source.path.starts_with(place)) {
            broken.extend(found.map(|(number, _)| format!("{}:{number}", source.path)));
        }
    }
    assert_none(&broken, &format!("move the {keyword} block into {UNSAFE_PLACES:?}, behind a safe function"));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let homes = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    let is_absolute = |line: &str, at: usize| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-})$/".contains(before))
    };
    let mut broken = Vec::new();
    for source in sources() {
        for (i, line) in source.text.lines().enumerate() {
            let mut found = homes.iter().flat_map(|home| line.match_indices(home.as_str()));
            if let Some((_, home)) = found.find(|(at, _)| is_absolute(line, *at)) {
                broken.push(format!("{}:{}: `{home}`", source.path, i + 1));
            }
        }
    }
    assert_none(&broken, "write the path from the root of the repository, or take it from the environment");
}
