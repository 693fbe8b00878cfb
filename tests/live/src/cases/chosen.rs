//! The options of tcptop that choose one process, one cgroup, one mount namespace or one address family: every byte of the
//! chosen counts, and no other byte does.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Case;
use super::addresses::{MAPPED, ipv6_is_possible};
use super::reporting::{row_of, same};
use crate::compare::exact;
use crate::net::{LOOPBACK, Listener, Pair};
use crate::netns;
use crate::stage::Stage;
use crate::sys;
use crate::worker::{Order, Worker};

pub const CASES: &[Case] = &[
    Case::exact("only one process", "bytes of others, or a part of its own", process),
    Case::exact("only one cgroup and all below it", "a cgroup that is not the process's own", cgroup)
        .where_possible(|| Tree::find().map(drop))
        .limited(super::LATE_NAMES, exact),
    Case::exact("only one mount namespace", "the mount namespace of another process", mount_namespace)
        .limited(super::LATE_NAMES, exact),
    Case::exact("only IPv4, and only IPv6", "mapped addresses taken for IPv6", families)
        .where_possible(ipv6_is_possible),
];

/// Two workers that move bytes, of which flowtop is asked for the first.
fn only_the_first(stage: &mut Stage<'_>, arguments: &[&str], workers: &mut [Worker; 2]) -> Result<()> {
    let mut bench = stage.start(arguments)?;
    for (worker, count) in workers.iter_mut().zip([1_003, 20_000]) {
        worker.order(Order::Loop(count))?;
    }
    let pid = workers[0].pid();
    bench.check_report("of the first", |report| {
        same("owners", &vec![Some(pid)], &report.flows.iter().map(|row| row.pid).collect())?;
        let row = &report.flows[0];
        same("bytes", &(1_003, 1_003), &(row.bytes.tx, row.bytes.rx))?;
        same("bytes of all", &row.bytes, &report.totals)
    })?;
    bench.quit()
}

/// A worker in a network of its own, so that two can have the same tuple.
fn worker() -> Result<Worker> {
    netns::in_new(|| Worker::start("chosen"))
}

fn process(stage: &mut Stage<'_>) -> Result<()> {
    let mut workers = [worker()?, worker()?];
    let pid = workers[0].pid().to_string();
    only_the_first(stage, &["--pid", &pid], &mut workers)
}

fn cgroup(stage: &mut Stage<'_>) -> Result<()> {
    let tree = Tree::find()?;
    // Dropped last: a cgroup with a process in it cannot be removed.
    let (above, beside) = (tree.cgroup("chosen")?, tree.cgroup("chosen-too")?);
    let below = above.cgroup("below")?;
    let mut workers = [worker()?, worker()?];
    below.put(workers[0].pid())?;
    beside.put(workers[1].pid())?;
    let path = above.0.strip_prefix(&tree.0)?.to_str().context("the cgroup's name is not text")?;
    only_the_first(stage, &["--cgroup", &format!("/{path}")], &mut workers)?;
    drop(workers);
    Ok(())
}

fn mount_namespace(stage: &mut Stage<'_>) -> Result<()> {
    let inside = || {
        sys::enter_new_mount_namespace().context("cannot make a mount namespace; run as root")?;
        Worker::start("chosen")
    };
    let mut workers = [netns::in_new(inside)?, worker()?];
    let (own, others) = (inode(workers[0].pid())?, inode(workers[1].pid())?);
    ensure!(own != others, "the workload is wrong: one mount namespace for both");
    only_the_first(stage, &["--mntns", &own.to_string()], &mut workers)
}

fn inode(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/ns/mnt");
    Ok(fs::metadata(&path).with_context(|| format!("cannot stat {path}"))?.ino())
}

fn families(stage: &mut Stage<'_>) -> Result<()> {
    for (flag, is_v4) in [("-4", true), ("-6", false)] {
        let mut bench = stage.start(&[flag])?;
        let mut pairs = Vec::new();
        for (address, count) in [(LOOPBACK, 1_003), (MAPPED, 2_005), (IpAddr::V6(Ipv6Addr::LOCALHOST), 4_009)]
        {
            let mut pair = Pair::over(&Listener::bind(address)?, None)?;
            pair.exchange(count)?;
            pairs.push((pair, count));
        }
        bench.check_report(flag, |report| {
            let of_family = report.flows.iter().all(|row| row.remote().is_ipv4() == is_v4);
            same("only rows of the family", &true, &of_family)?;
            for (pair, count) in pairs.iter().filter(|(pair, _)| pair.initiator.local.is_ipv4() == is_v4) {
                let row = row_of(report, pair)?;
                same("bytes", &(*count, *count), &(row.bytes.tx, row.bytes.rx))?;
            }
            Ok(())
        })?;
        bench.quit()?;
    }
    Ok(())
}

/// Mount point of cgroup v2.
struct Tree(PathBuf);

impl Tree {
    fn find() -> Result<Self> {
        let trees = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let found = trees.into_iter().find(|tree| tree.join("cgroup.procs").exists());
        found.map(Self).context("cgroup v2 is not mounted")
    }

    fn cgroup(&self, name: &str) -> Result<Cgroup> {
        Cgroup::new(&self.0, &format!("flowtop-live-{}-{name}", std::process::id()))
    }
}

/// A cgroup, gone again at the end.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn cgroup(&self, name: &str) -> Result<Self> {
        Self::new(&self.0, name)
    }

    fn put(&self, pid: u32) -> Result<()> {
        let path = self.0.join("cgroup.procs");
        fs::write(&path, pid.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // One that is left behind is empty and harmless.
        fs::remove_dir(&self.0).ok();
    }
}
