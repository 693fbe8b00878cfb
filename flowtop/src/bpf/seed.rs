//! Walks of the kernel's iterators, over the sockets of every network namespace or over all open files. One at the start
//! opens the entries of sockets that are older than flowtop, so that neither their history nor their first event is
//! counted wrongly.

use anyhow::{Context as _, Result};
use aya::programs::Iter;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsFd as _, linux::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

/// Walks the sockets of all network namespaces: those of the processes that can be seen here or below `processes`, and those that are mounted here; `out`
/// gets what the program writes. A namespace that cannot be entered is passed over: the sockets in it are counted from
/// their first event on, and each of them as a loss of kind `unseeded`.
///
/// # Errors
/// When the iterator itself does not work.
pub fn run(iter: &mut Iter, processes: Option<&Path>, out: &mut (impl Write + Send)) -> Result<()> {
    let here = inode(Path::new("/proc/thread-self/ns/net"))?;
    let found = thread::scope(|scope| {
        let found = scope.spawn(|| namespaces(processes));
        walk(iter, out)?;
        found.join().map_err(|_| anyhow::anyhow!("looking for network namespaces ended unexpectedly"))
    })?;
    for (netns, file) in found {
        if netns != here {
            in_namespace(iter, &file, out)?;
        }
    }
    Ok(())
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

/// Every network namespace that a process lives in or that is mounted somewhere, by inode number.
fn namespaces(processes: Option<&Path>) -> HashMap<u64, File> {
    let here = Path::new("/proc");
    let folders = [Some(here), processes.filter(|folder| *folder != here)].into_iter().flatten();
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let of_processes = entries.filter_map(|entry| {
        let path = entry.path().join("ns/net");
        Some((of_link(&path)?, path))
    });
    let of_mounts = mounted().into_iter().filter_map(|path| Some((inode(&path).ok()?, path)));
    let mut found = HashMap::new();
    for (netns, path) in of_processes.chain(of_mounts) {
        // Processes and mounts come and go; what is not there any more has no sockets of its own.
        if let Entry::Vacant(place) = found.entry(netns)
            && let Ok(file) = File::open(&path)
        {
            place.insert(file);
        }
    }
    found
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
