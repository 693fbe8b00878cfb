//! Pods: network namespaces that stand for them, and a root of plain files that stands for the host: cgroup paths, log
//! directories, libcni's cache, the manifest of a static pod.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Case;
use super::reporting::same;
use crate::compare::exact;
use crate::net::{End, LOOPBACK, Listener, Pair};
use crate::report::{Bytes, Report, Row};
use crate::stage::Stage;
use crate::worker::{Order, Worker};
use crate::{netns, sys};

pub const CASES: &[Case] = &[
    Case::exact("pods with one tuple, and one in the host's network", "pods told apart by address", named)
        .limited(super::LATE_NAMES, exact),
    Case::exact("only the bytes of one pod", "a filter on names that counts by a guess", filtered)
        .limited(super::LATE_NAMES, exact),
    Case::exact(
        "files of a host that lie, are endless or silent",
        "a report that waits or is broken",
        hostile,
    )
    .limited(super::LATE_NAMES, exact),
    Case::exact(
        "a proxy outside with sockets in a pod's namespace",
        "the proxy's pod for that of its client, or the other way round",
        outside,
    )
    .limited(super::LATE_NAMES, exact),
    Case::exact("the pod behind a remote address", "an address where a name is known", remote)
        .limited(super::LATE_NAMES, exact),
];

/// One pod for each source of names.
const PODS: usize = 4;
const UIDS: [&str; PODS] = [
    "6d1780d4-0501-4804-a676-5ebd49ceb9c5",
    "113cf5b6-f436-4da9-952a-739011179251",
    "2c1b7a3e-9f0d-4c55-8e6a-0b7d1f2e3a4c",
    "9729a196c4723b60ab401eaff722982d",
];
const NAMES: [(&str, &str, &str); PODS] = [
    ("shop", "web-0", "app"),
    ("shop", "web-1", "app"),
    ("shop", "web-2", "app"),
    ("kube-system", "kube-apiserver-node1", "kube-apiserver"),
];
/// Bytes that each of them sends.
const SENT: [u32; PODS] = [1_000, 2_000, 3_000, 4_000];

const MANIFEST: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  \
                        hostNetwork: true\n  containers:\n  - name: kube-apiserver\n    image: kube-apiserver\n";

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

    fn put_pipe(&self, path: &str) -> Result<()> {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().context("a file in no folder")?)?;
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).context("cannot make a pipe")
    }

    /// Puts a process into a pod. Its names are in the link in the log directory, in the folder of its logs, in libcni's
    /// cache or, of a static pod, in the manifest.
    fn put(&self, index: usize, pid: u32) -> Result<()> {
        let (uid, (namespace, pod, container)) = (UIDS[index], NAMES[index]);
        let id = format!("{index:064x}");
        let of_systemd = uid.replace('-', "_");
        let path = match index {
            0 => format!("/kubepods/burstable/pod{uid}/{id}"),
            _ => format!("/kubepods.slice/kubepods-pod{of_systemd}.slice/cri-containerd-{id}.scope"),
        };
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::{path}\n"))?;
        match index {
            0 => self.write(&format!("var/log/containers/{pod}_{namespace}_{container}-{id}.log"), ""),
            1 => self.write(&format!("var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log"), ""),
            2 => self.attach(index, "10.244.0.2"),
            _ => self.write("etc/kubernetes/manifests/kube-apiserver.yaml", MANIFEST),
        }?;
        self.write(&format!("var/lib/kubelet/pods/{uid}/containers/{container}/0"), "")
    }

    /// Lets `/proc` tell the network namespaces of the suite, which is then the host's, and of these processes.
    fn tell_namespaces(&self, pids: &[u32]) -> Result<()> {
        let own = std::process::id();
        for (shown, of) in std::iter::once((1, own)).chain(pids.iter().map(|pid| (*pid, *pid))) {
            let folder = self.0.join(format!("proc/{shown}/ns"));
            fs::create_dir_all(&folder)?;
            std::os::unix::fs::symlink(format!("/proc/{of}/ns/net"), folder.join("net"))?;
        }
        Ok(())
    }

    /// Writes the file in which libcni keeps the addresses of the sandbox of a pod.
    fn attach(&self, index: usize, address: &str) -> Result<()> {
        let (uid, (namespace, pod, _)) = (UIDS[index], NAMES[index]);
        let sandbox = format!("{:064x}", 0xab00 + index);
        let file = format!(
            r#"{{"kind":"cniCacheV1","containerId":"{sandbox}","networkName":"cbr0","ifName":"eth0",
            "cniArgs":[["K8S_POD_NAMESPACE","{namespace}"],["K8S_POD_NAME","{pod}"],["K8S_POD_UID","{uid}"]],
            "result":{{"cniVersion":"1.0.0","ips":[{{"address":"{address}/24"}}]}}}}"#
        );
        self.write(&format!("var/lib/cni/results/cbr0-{sandbox}-eth0"), &file)
    }

    /// The kubelet, which says what the node is called.
    fn run_kubelet(&self) -> Result<()> {
        self.write("proc/2/comm", "kubelet\n")?;
        self.write("proc/2/cmdline", "kubelet\0--hostname-override=Node1\0")?;
        self.write("proc/2/status", "Uid:\t0\t0\t0\t0\n")?;
        self.write("proc/2/cgroup", "0::/system.slice/kubelet.service\n")
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A folder that cannot be removed stays in the folder for temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Three pods with a network of their own, and a static one in that of the host.
fn pods(host: &Host) -> Result<[Worker; PODS]> {
    host.run_kubelet()?;
    let workers = [
        netns::in_new(|| Worker::start("nginx"))?,
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
    for (worker, count) in workers.iter_mut().zip(SENT) {
        worker.order(Order::Loop(count))?;
    }
    let pids = workers.each_ref().map(Worker::pid);
    bench.check_report("with names", |report| {
        let rows = pids.iter().map(|pid| row(report, *pid)).collect::<Result<Vec<_>, _>>()?;
        for other in &rows[1..] {
            same("tuples", &(rows[0].local(), rows[0].remote()), &(other.local(), other.remote()))?;
        }
        for ((row, (namespace, pod, container)), count) in rows.iter().zip(NAMES).zip(SENT) {
            let expected = [namespace, pod, container].map(|name| Some(name.to_owned()));
            let got = [row.namespace.clone(), row.pod.clone(), row.container.clone()];
            same("namespace, pod and container", &expected, &got)?;
            same("bytes", &u64::from(count), &row.bytes.tx)?;
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
    let mut bench =
        stage.start(&["--host-root", root, "--filter", "pod web-* and not pod web-1 and not pod web-2"])?;
    for (worker, count) in workers.iter_mut().zip(SENT) {
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

/// Pipes without a writer, links to themselves, texts that would move a cursor, far too long ones.
fn hostile(stage: &mut Stage<'_>) -> Result<()> {
    let host = Host::new()?;
    let mut worker = Worker::start("victim")?;
    let (pid, uid) = (worker.pid(), UIDS[0]);
    let id = format!("{:064x}", 7);
    host.write(&format!("proc/{pid}/cgroup"), &format!("0::/kubepods/pod{uid}/{id}\n"))?;
    host.write(&format!("proc/{pid}/comm"), "\u{1b}]0;owned\u{7}\n")?;
    host.write(&format!("proc/{pid}/status"), &"x".repeat(1 << 20))?;
    host.write(&format!("var/log/pods/sh\nop_web\u{1b}[31m_{uid}/app/0.log"), "")?;
    host.write(
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"),
        "{\"annotations\":",
    )?;
    for pipe in
        [&format!("proc/{pid}/cmdline"), "etc/passwd", "var/lib/cni/results/x", "etc/kubernetes/manifests/x"]
    {
        host.put_pipe(pipe)?;
    }
    let loops = host.path().join("var/log/containers");
    std::os::unix::fs::symlink(&loops, &loops)?;
    let root = host.path().to_str().context("the folder's name is not text")?;
    let mut bench = stage.start(&["--host-root", root])?;
    worker.order(Order::Loop(1_000))?;
    bench.check_report("with lies", |report| {
        let row = row(report, pid)?;
        same("bytes", &1_000, &row.bytes.tx)?;
        same("pod", &Some(uid), &row.pod.as_deref())?;
        same("name", &Some("\u{fffd}]0;owned\u{fffd}"), &row.comm.as_deref())?;
        for count in ["unreadable", "replaced", "cut"] {
            let counted = report.attribution.get(count).is_some_and(|count| *count > 0);
            same(count, &true, &counted)?;
        }
        Ok(())
    })?;
    bench.quit()
}

/// The process, its pod and the pod of its network namespace; and its bytes.
type OfEnd = ((Option<u32>, Option<String>, Option<String>), Bytes);

/// Both ends of the connection that has this address at one of them, the left one first.
fn both_ends(report: &Report, address: SocketAddr) -> Result<[OfEnd; 2], String> {
    let is_it = |row: &&Row| row.local() == address || row.remote() == address;
    let row = report.flows.iter().find(is_it).ok_or("expected a row")?;
    let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
    Ok([
        ((row.pid, row.pod.clone(), row.netns_pod.clone()), row.bytes),
        ((peer.pid, peer.pod.clone(), peer.netns_pod.clone()), peer.bytes),
    ])
}

/// As ztunnel does for the pods of its node: a process in the host's network accepts on a socket that was made in the
/// namespace of a pod, from a client that lives there.
fn outside(stage: &mut Stage<'_>) -> Result<()> {
    let host = Host::new()?;
    let (mut client, listener, end) = netns::in_new(|| {
        let listener = Listener::bind(LOOPBACK)?;
        let end = End::dial(listener.address, None)?;
        Ok((Worker::start("client")?, listener, end))
    })?;
    let mut proxy = Worker::start("ztunnel")?;
    for (index, worker) in [&client, &proxy].into_iter().enumerate() {
        host.put(index, worker.pid())?;
    }
    host.tell_namespaces(&[client.pid(), proxy.pid()])?;
    let root = host.path().to_str().context("the folder's name is not text")?;
    // The client alone has it open from now on: who uses a shared socket may be sampled.
    client.give(end.socket())?;
    let local = end.local;
    drop(end);
    let mut benches = [
        stage.start(&["--host-root", root])?,
        stage.start(&["--host-root", root, "--filter", "pod web-1 and netns-pod web-0"])?,
        stage.start(&["--host-root", root, "--filter", "netns-pod web-1"])?,
    ];
    proxy.give(listener.socket())?;
    client.order(Order::Send(1_013))?;
    proxy.order(Order::Accept)?;
    proxy.order(Order::Receive(1_013))?;
    proxy.order(Order::Send(20_011))?;
    client.order(Order::Receive(20_011))?;
    let web_0 = Some("web-0".to_owned());
    let pods = [
        (Some(client.pid()), web_0.clone(), web_0.clone()),
        (Some(proxy.pid()), Some("web-1".to_owned()), web_0),
    ];
    let both_ends = |report: &Report| both_ends(report, local);
    let (sent, received) = (Bytes { tx: 1_013, rx: 20_011 }, Bytes { tx: 20_011, rx: 1_013 });
    let [of_client, of_proxy] = pods;
    benches[0].check_report("with names", |report| {
        let expected = [(of_client.clone(), sent), (of_proxy.clone(), received)];
        same("process, pod, pod of the namespace, bytes", &expected, &both_ends(report)?)
    })?;
    benches[1].check_report("of the proxy", |report| {
        let expected = [(of_proxy.clone(), received), (of_client.clone(), sent)];
        same("the proxy's end on the left", &expected, &both_ends(report)?)?;
        same("bytes of all", &received, &report.totals)
    })?;
    benches[2].check_report("of the proxy's own namespace", |report| {
        same("bytes and rows", &(0, 0), &(report.totals.tx, report.flows.len()))
    })?;
    benches.into_iter().try_for_each(crate::stage::Bench::quit)
}

/// A service has an address that no socket knows; this one has a socket, so that its bytes are known. Another one is
/// claimed by a pod that has edited its hosts file.
fn remote(stage: &mut Stage<'_>) -> Result<()> {
    let host = Host::new()?;
    let [address, claimed] = [2, 9].map(|last| Ipv4Addr::new(10, 244, 0, last));
    host.attach(2, &address.to_string())?;
    host.write(
        &format!("var/lib/kubelet/pods/{}/etc-hosts", UIDS[1]),
        &format!("# Kubernetes-managed hosts file.\n{claimed}\tweb-1\n"),
    )?;
    let root = host.path().to_str().context("the folder's name is not text")?;
    let mut benches = [
        stage.start(&["--host-root", root])?,
        stage.start(&["--host-root", root, "--filter", "remote-pod web-2 and remote-ns shop"])?,
        stage.start(&["--host-root", root, "--filter", "remote-pod web-1"])?,
    ];
    let mut pairs = netns::in_new(|| {
        // All of its network is then on loopback.
        sys::add_loopback_address(address).context("cannot give loopback another address")?;
        let listen = |ip: Ipv4Addr| Listener::bind(IpAddr::from(ip));
        let (pod, other) = (listen(address)?, listen(claimed)?);
        Ok([Pair::over(&pod, None)?, Pair::over(&other, None)?])
    })?;
    for pair in &mut pairs {
        pair.exchange(5_000)?;
    }
    let ends: [SocketAddr; 2] = pairs.each_ref().map(|pair| pair.initiator.local);
    benches[0].check_report("with names", |report| {
        let of = |end| report.flows.iter().find(|row| row.local() == end).ok_or("expected a row");
        let pods =
            [of(ends[0])?, of(ends[1])?].map(|row| [row.remote_namespace.clone(), row.remote_pod.clone()]);
        same("remote pods", &[["shop", "web-2"].map(|name| Some(name.to_owned())), [None, None]], &pods)
    })?;
    benches[1].check_report("of the pod", |report| {
        same("bytes and rows", &(5_000, 1), &(report.totals.tx, report.flows.len()))
    })?;
    benches[2].check_report("of another pod", |report| {
        same("bytes and rows", &(0, 0), &(report.totals.tx, report.flows.len()))
    })?;
    benches.into_iter().try_for_each(crate::stage::Bench::quit)
}
