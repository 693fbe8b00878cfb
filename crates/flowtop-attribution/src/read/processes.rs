//! Which folder of processes has the kernel's numbers. A `/proc` shows one PID namespace and those below it, each process by
//! its number there; the kernel side tells the numbers of the first namespace.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::parse::process::is_kernel_thread;

/// Inode number of the first PID namespace (`PROC_PID_INIT_INO` in `include/linux/proc_ns.h`).
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;
/// `PROC_SUPER_MAGIC` in `include/uapi/linux/magic.h`.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;
/// The kernel's own threads are the children of this one, and are in the first namespace only.
const KTHREADD: &str = "2";

/// A folder of processes, and whose numbers it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    pub folder: PathBuf,
    /// Whether these are the numbers of flowtop's own PID namespace and not the kernel's.
    pub has_own_numbers: bool,
}

/// Where the host's processes are: below the root if it has them, or where this system shows its own. Best is a folder
/// with the kernel's numbers; else one with those of flowtop's own namespace, to which the kernel's are translated. `None`
/// if there is neither.
#[must_use]
pub fn processes(root: &Path) -> Option<Processes> {
    let below = root.join("proc");
    let is_other_root = root != Path::new("/") && has_entries(&below);
    let folders = [is_other_root.then_some(below), Some(PathBuf::from("/proc"))];
    let find = |is_right: fn(&Path) -> bool, has_own_numbers| {
        let folder = folders.iter().flatten().find(|folder| is_right(folder))?.clone();
        Some(Processes { folder, has_own_numbers })
    };
    find(is_of_first_namespace, false).or_else(|| find(is_of_own_namespace, true))
}

/// Why nothing is read about processes, if nothing is: one sentence for people.
#[must_use]
pub fn why_not(root: &Path) -> Option<String> {
    if processes(root).is_some() {
        return None;
    }
    let below = root.join("proc");
    let shown = if has_entries(&below) { below } else { PathBuf::from("/proc") };
    let shown = shown.display();
    Some(format!(
        "users, command lines and mount namespaces are unknown, because {shown} shows another PID namespace than that \
         of flowtop and of the host; give one that has the host's /proc with --host-root"
    ))
}

/// Whether a folder of processes shows the PID namespace of flowtop: there it has one number, elsewhere none or several.
fn is_of_own_namespace(proc: &Path) -> bool {
    let status = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().count() == 1)
}

fn has_entries(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether a folder of processes has the numbers of the first namespace. What is no `/proc` at all, as a copy of one, is
/// believed.
fn is_of_first_namespace(proc: &Path) -> bool {
    if !is_procfs(proc) {
        return true;
    }
    let own = fs::metadata("/proc/self/ns/pid").map(|namespace| namespace.ino());
    if own.is_ok_and(|own| own == FIRST_PID_NAMESPACE) {
        return is_of_own_namespace(proc);
    }
    // The first process of a namespace is in it.
    if let Ok(namespace) = fs::metadata(proc.join("1/ns/pid")) {
        return namespace.ino() == FIRST_PID_NAMESPACE;
    }
    // That takes rights over the process; the other does not.
    fs::read(proc.join(KTHREADD).join("stat")).is_ok_and(|stat| is_kernel_thread(&stat))
}

fn is_procfs(folder: &Path) -> bool {
    let kind = File::open(folder).and_then(|folder| Ok(rustix::fs::fstatfs(folder)?.f_type));
    kind.is_ok_and(|kind| u64::try_from(kind) == Ok(PROC_SUPER_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_proc_is_believed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/7")).unwrap();
        let folder = root.path().join("proc");
        assert_eq!(processes(root.path()), Some(Processes { folder, has_own_numbers: false }));
        assert_eq!(why_not(root.path()), None);
    }

    #[test]
    fn this_system_s_proc_is_told_by_both_ways_alike() {
        let proc = Path::new("/proc");
        assert!(is_procfs(proc) && !is_procfs(Path::new("/")));
        let own = fs::metadata("/proc/self/ns/pid").unwrap().ino();
        assert_eq!(is_of_first_namespace(proc), own == FIRST_PID_NAMESPACE);
        let stat = fs::read("/proc/2/stat").unwrap_or_default();
        assert_eq!(is_kernel_thread(&stat), own == FIRST_PID_NAMESPACE);
        assert!(is_of_own_namespace(proc) && !is_of_own_namespace(Path::new("/")));
    }
}
