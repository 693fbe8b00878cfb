//! Walks of the kernel's iterators, over the sockets of every network namespace or over all open files. One at the
//! start opens the entries of sockets that are older than flowtop, so that neither their history nor their first event
//! is counted wrongly.

use anyhow::{Context as _, Result};
use aya::programs::Iter;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsFd as _, linux::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

/// Namespaces that may wait to be walked. Each is an open file, of which a process has some thousand at most.
const WAITING: usize = 64;

/// Walks the sockets of all network namespaces: those of the processes that can be seen here or below `processes`, and those that are mounted here; `out`
/// gets what the program writes. A namespace that cannot be entered is passed over: the sockets in it are counted from
/// their first event on, and each of them as a loss of kind `unseeded`.
///
/// # Errors
/// When the iterator itself does not work.
pub fn run(iter: &mut Iter, processes: Option<&Path>, out: &mut (impl Write + Send)) -> Result<()> {
    let here = inode(Path::new("/proc/thread-self/ns/net"))?;
    thread::scope(|scope| {
        let (found, waiting) = sync_channel(WAITING);
        let looking = scope.spawn(move || find(processes, here, &found));
        walk(iter, out)?;
        waiting.into_iter().try_for_each(|file| in_namespace(iter, &file, out))?;
        looking.join().map_err(|_| anyhow::anyhow!("looking for network namespaces ended unexpectedly"))
    })
}

/// Runs the walk on a thread of its own, which ends in the other namespace.
fn in_namespace(iter: &mut Iter, file: &File, out: &mut (impl Write + Send)) -> Result<()> {
    let entered = || move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
    let walked = thread::scope(|scope| {
        scope.spawn(|| if entered().is_ok() { walk(iter, out) } else { Ok(()) }).join()
    });
    walked.map_err(|_| anyhow::anyhow!("the walk over the sockets of a namespace ended unexpectedly"))?
}

/// One walk. An iterator over sockets covers the namespace of the thread that opens it; reading drives it.
///
/// # Errors
/// When the iterator does not work.
pub fn walk(iter: &mut Iter, out: &mut impl Write) -> Result<()> {
    io::copy(&mut open(iter)?, out).context("cannot walk")?;
    Ok(())
}

/// A walk that has not begun.
///
/// # Errors
/// When the iterator does not work.
pub fn open(iter: &mut Iter) -> Result<File> {
    let link = iter.attach().context("cannot attach the iterator")?;
    iter.take_link(link)?.into_file().context("cannot open the iterator")
}

/// Hands on every network namespace that a process lives in or that is mounted somewhere, but for the one with number
/// `here`, as long as somebody takes them.
fn find(processes: Option<&Path>, here: u64, found: &SyncSender<File>) {
    let proc = Path::new("/proc");
    let folders = [Some(proc), processes.filter(|folder| *folder != proc)].into_iter().flatten();
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let of_processes = entries.filter_map(|entry| {
        let path = entry.path().join("ns/net");
        Some((of_link(&path)?, path))
    });
    let of_mounts = mounted().into_iter().filter_map(|path| Some((inode(&path).ok()?, path)));
    let mut known = HashSet::from([here]);
    for (netns, path) in of_processes.chain(of_mounts) {
        // Processes and mounts come and go; what is not there any more has no sockets of its own.
        if !known.contains(&netns)
            && let Ok(file) = File::open(&path)
        {
            known.insert(netns);
            if found.send(file).is_err() {
                return;
            }
        }
    }
}

/// The number in the text of a link in `/proc`, `net:[N]`. With many processes it matters that this takes less time than to
/// follow the link.
fn of_link(link: &Path) -> Option<u64> {
    let text = fs::read_link(link).ok()?;
    text.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Namespaces kept alive by a bind mount, as `ip netns add` makes them: lines of type `nsfs` whose root is `net:[N]`.
fn mounted() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(3);
            let (root, mount_point) = (fields.next()?, fields.next()?);
            root.starts_with("net:[").then(|| PathBuf::from(mount_point))
        })
        .collect()
}

fn inode(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.st_ino())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Processes `1` to `count`, in as many namespaces; a link leads to a file with its own text as its name.
    fn processes(count: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=count {
            let ns = folder.path().join(number.to_string()).join("ns");
            let name = format!("net:[{number}]");
            fs::create_dir_all(&ns).unwrap();
            File::create(ns.join(&name)).unwrap();
            symlink(name, ns.join("net")).unwrap();
        }
        folder
    }

    fn open_files_below(folder: &Path) -> usize {
        let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let is_namespace = |path: PathBuf| path.starts_with(folder) && path.to_string_lossy().ends_with(']');
        files.filter(|file| fs::read_link(file.path()).is_ok_and(is_namespace)).count()
    }

    #[test]
    fn every_namespace_is_found_and_few_are_open_at_once() {
        const COUNT: usize = 300;
        let folder = processes(COUNT as u64);
        let root = fs::canonicalize(folder.path()).unwrap();
        let (found, waiting) = sync_channel(WAITING);
        let mut seen = HashSet::new();
        thread::scope(|scope| {
            scope.spawn(|| find(Some(&root), 7, &{ found }));
            for file in waiting {
                // The one here, the one that is being handed on, and those that wait.
                assert!(open_files_below(&root) <= WAITING + 2);
                let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
                seen.extend(path.strip_prefix(&root).ok().map(Path::to_owned));
            }
        });
        assert_eq!(seen.len(), COUNT - 1);
        assert!(!seen.contains(Path::new("7/ns/net:[7]")));
    }

    #[test]
    fn nobody_looks_on_when_nobody_takes() {
        let folder = processes(WAITING as u64 + 10);
        let (found, waiting) = sync_channel(0);
        drop(waiting);
        find(Some(folder.path()), 0, &found);
    }
}
