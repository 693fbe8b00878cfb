//! Pods: network namespaces that stand for them, and a root of plain files that stands for the host: cgroup paths, log
//! directories, a static pod.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Case;
use super::reporting::same;
use crate::compare::exact;
use crate::netns;
use crate::report::{Report, Row};
use crate::stage::Stage;
use crate::worker::{Order, Worker};

pub const CASES: &[Case] = &[
    Case::exact("pods with one tuple, and one in the host's network", "pods told apart by address", named)
        .limited(super::LATE_NAMES, exact),
    Case::exact("only the bytes of one pod", "a filter on names that counts by a guess", filtered)
        .limited(super::LATE_NAMES, exact),
];

const UIDS: [&str; 3] = [
    "6d1780d4-0501-4804-a676-5ebd49ceb9c5",
    "113cf5b6-f436-4da9-952a-739011179251",
    "9729a196c4723b60ab401eaff722982d",
];
const NAMES: [(&str, &str, &str); 3] = [
    ("shop", "web-0", "app"),
    ("shop", "web-1", "app"),
    ("kube-system", "kube-apiserver-node1", "kube-apiserver"),
];

/// The files of a host, gone again at the end.
struct Host(PathBuf);

impl Host {
    fn new() -> Result<Self> {
        let root = std::env::temp_dir().join(format!("flowtop-live-{}", std::process::id()));
        fs::create_dir_all(root.join("proc"))?;
        Ok(Self(root))
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().context("a file in no folder")?)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts a process into a pod: the first by a link in the log directory, the others by their log folders.
    fn put(&self, index: usize, pid: u32) -> Result<()> {
        let (uid, (namespace, pod, container)) = (UIDS[index], NAMES[index]);
        let id = format!("{index:064x}");
        let of_systemd = uid.replace('-', "_");
        let path = match index {
            0 => format!("/kubepods/burstable/pod{uid}/{id}"),
            _ => format!("/kubepods.slice/kubepods-pod{of_systemd}.slice/cri-containerd-{id}.scope"),
        };
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::{path}\n"))?;
        if index == 0 {
            return self.write(&format!("var/log/containers/{pod}_{namespace}_{container}-{id}.log"), "");
        }
        self.write(&format!("var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log"), "")
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What is left behind lies in the folder for such things.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Two pods with a network of their own, and a static one in that of the host.
fn pods(host: &Host) -> Result<[Worker; 3]> {
    let workers = [
        netns::in_new(|| Worker::start("nginx"))?,
        netns::in_new(|| Worker::start("nginx"))?,
        Worker::start("kube-apiserver")?,
    ];
    for (index, worker) in workers.iter().enumerate() {
        host.put(index, worker.pid())?;
    }
    Ok(workers)
}

fn row(report: &Report, pid: u32) -> Result<&Row, String> {
    report
        .flows
        .iter()
        .find(|row| row.pid == Some(pid))
        .ok_or_else(|| format!("expected a row of process {pid}"))
}

fn named(stage: &mut Stage<'_>) -> Result<()> {
    let host = Host::new()?;
    let mut workers = pods(&host)?;
    let root = host.path().to_str().context("the folder's name is not text")?;
    let mut bench = stage.start(&["--host-root", root])?;
    for (worker, count) in workers.iter_mut().zip([1_000, 2_000, 3_000]) {
        worker.order(Order::Loop(count))?;
    }
    let pids = workers.each_ref().map(Worker::pid);
    bench.check_report("with names", |report| {
        let rows = [row(report, pids[0])?, row(report, pids[1])?, row(report, pids[2])?];
        same("tuples", &(rows[0].local(), rows[0].remote()), &(rows[1].local(), rows[1].remote()))?;
        for ((row, (namespace, pod, container)), count) in rows.iter().zip(NAMES).zip([1_000, 2_000, 3_000]) {
            let expected = [namespace, pod, container].map(|name| Some(name.to_owned()));
            let got = [row.namespace.clone(), row.pod.clone(), row.container.clone()];
            same("namespace, pod and container", &expected, &got)?;
            same("bytes", &count, &row.bytes.tx)?;
            let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
            same("pod of the other end", &row.pod, &peer.pod)?;
        }
        Ok(())
    })?;
    bench.quit()
}

fn filtered(stage: &mut Stage<'_>) -> Result<()> {
    let host = Host::new()?;
    let mut workers = pods(&host)?;
    let root = host.path().to_str().context("the folder's name is not text")?;
    let mut bench = stage.start(&["--host-root", root, "--filter", "pod web-* and not pod web-1"])?;
    for (worker, count) in workers.iter_mut().zip([1_000, 2_000, 3_000]) {
        worker.order(Order::Loop(count))?;
    }
    let pid = workers[0].pid();
    bench.check_report("of one pod", |report| {
        same("bytes of the pod", &1_000, &row(report, pid)?.bytes.tx)?;
        same("bytes of all", &1_000, &report.totals.tx)?;
        same("rows", &1, &report.flows.len())
    })?;
    bench.quit()
}
