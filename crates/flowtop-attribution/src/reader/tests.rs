//! A host of plain files: regular and hostile ones.

use std::os::unix::fs::symlink;

use super::*;

mod addresses;
mod hostile;
mod runtimes;
#[path = "../../../../tests/tools/skip.rs"]
mod skip;

const ID: &str = "7337318d0fde8a43eeb3d8d63b7676f642647f9a4a0184a9b2e211e5b072112b";
const UID: &str = "6d1780d4-0501-4804-a676-5ebd49ceb9c5";
const STATIC: &str = "9729a196c4723b60ab401eaff722982d";

const SANDBOX: &str = "aa37318d0fde8a43eeb3d8d63b7676f642647f9a4a0184a9b2e211e5b07211bb";

/// A PID that no process has.
const GONE: u32 = 99_999_999;

/// A root below which a test writes what a host would have.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.write("etc/passwd", b"root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/false\n");
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), bytes).unwrap();
    }

    /// A process in a cgroup, with the rights of a container.
    fn process(&self, pid: u32, cgroup: &str) {
        self.write(&format!("proc/{pid}/comm"), b"nginx\n");
        self.write(&format!("proc/{pid}/cmdline"), b"nginx: worker\0-g\0daemon off;\0");
        self.give_rights(pid, "00000000a80425fb");
        self.write(&format!("proc/{pid}/cgroup"), format!("0::{cgroup}\n").as_bytes());
    }

    fn give_rights(&self, pid: u32, capabilities: &str) {
        let rights = format!("CapPrm:\t{capabilities}\nCapBnd:\t{capabilities}\n");
        self.write(
            &format!("proc/{pid}/status"),
            format!("Name:\tnginx\nUid:\t0\t33\t0\t0\n{rights}").as_bytes(),
        );
    }

    /// Lets a process have the namespace of another one.
    fn share(&self, pid: u32, with: u32, name: &str) {
        let of = |pid: u32| self.path(&format!("proc/{pid}/ns/{name}"));
        self.write(&format!("proc/{with}/ns/{name}"), b"");
        fs::create_dir_all(of(pid).parent().unwrap()).unwrap();
        let _ = fs::remove_file(of(pid));
        fs::hard_link(of(with), of(pid)).unwrap();
    }

    fn read(&self, pid: u32, cgroup_id: u64) -> Answer {
        Reader::new(self.0.path(), &Trouble::default()).read(&Seen { pid, cgroup_id, ..Seen::default() }, 0)
    }

    fn identity(&self, pid: u32) -> Identity {
        self.read(pid, 0).identity
    }
}

fn pod(uid: &str, id: &str) -> String {
    let uid = uid.replace('-', "_");
    format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{id}.scope"
    )
}

fn names(identity: &Identity) -> [Option<&str>; 3] {
    [&identity.namespace, &identity.pod, &identity.container].map(Option::as_deref)
}

#[test]
fn a_process_is_described_by_its_files() {
    let host = Host::new();
    host.process(7, "/system.slice/nginx.service");
    let identity = host.identity(7);
    assert_eq!(identity.comm.as_deref(), Some("nginx"));
    assert_eq!(identity.command.as_deref(), Some("nginx: worker -g daemon off;"));
    assert_eq!((identity.user.as_deref(), identity.uid), (Some("www-data"), Some(33)));
    assert_eq!(identity.unit.as_deref(), Some("nginx.service"));
    assert_eq!(names(&identity), [None; 3]);
    assert_eq!(host.identity(8), Identity::default());
}

#[test]
fn the_sources_of_names_are_asked_best_first() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    assert_eq!(names(&host.identity(7)), [None, Some(UID), None]);
    host.write(
        &format!("var/lib/cni/results/cbr0-{SANDBOX}-eth0"),
        format!(
            r#"{{"containerId":"{SANDBOX}","cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","from-cni"],
            ["K8S_POD_UID","{UID}"]]}}"#
        )
        .as_bytes(),
    );
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("from-cni"), None]);
    host.process(8, &format!("/system.slice/cri-containerd-{SANDBOX}.scope"));
    assert_eq!(names(&host.identity(8)), [Some("shop"), Some("from-cni"), None]);
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}/app"))).unwrap();
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("app")]);
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}/sidecar"))).unwrap();
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), None]);
    let config = br#"{"annotations":{"io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.container-name":"sidecar"}}"#;
    host.write(&format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"), config);
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("sidecar")]);
    host.write(&format!("var/log/containers/web-0_shop_main-{ID}.log"), b"");
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("main")]);
}

#[test]
fn a_static_pod_is_named_by_its_hash_as_it_is() {
    let host = Host::new();
    host.process(7, &pod(STATIC, ID));
    fs::create_dir_all(
        host.path(&format!("var/log/pods/kube-system_kube-apiserver-n1_{STATIC}/kube-apiserver")),
    )
    .unwrap();
    let expected = [Some("kube-system"), Some("kube-apiserver-n1"), Some("kube-apiserver")];
    assert_eq!(names(&host.identity(7)), expected);
}

const APISERVER: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  \
                         containers:\n  - command: [kube-apiserver]\n    name: kube-apiserver\n";

/// A host with a process of a static pod, a manifest, and a kubelet that was started like that.
fn master(kubelet: &str) -> Host {
    let host = Host::new();
    host.process(7, &pod(STATIC, ID));
    host.write("etc/kubernetes/manifests/kube-apiserver.yaml", APISERVER.as_bytes());
    fs::create_dir_all(host.path(&format!("var/lib/kubelet/pods/{STATIC}/containers/kube-apiserver")))
        .unwrap();
    host.write("proc/3/comm", b"kubelet\n");
    host.write("proc/3/cmdline", kubelet.as_bytes());
    host.write("proc/3/status", b"Uid:\t0\t0\t0\t0\n");
    host.write("proc/3/cgroup", b"0::/system.slice/kubelet.service\n");
    host
}

#[test]
fn a_static_pod_that_nothing_else_names_is_named_by_its_manifest() {
    let host = master("kubelet\0--hostname-override=Node1\0");
    host.write("etc/kubernetes/manifests/.etcd.yaml.swp", b"\0");
    let expected = [Some("kube-system"), Some("kube-apiserver-node1"), Some("kube-apiserver")];
    assert_eq!(names(&host.identity(7)), expected);
    // A pod of the API is not in a manifest, whatever its containers are called.
    host.process(8, &pod(UID, ID));
    fs::create_dir_all(host.path(&format!("var/lib/kubelet/pods/{UID}/containers/kube-apiserver"))).unwrap();
    assert_eq!(host.identity(8).pod.as_deref(), Some(UID));
}

#[test]
fn the_workload_of_a_static_pod_is_what_its_manifest_is_called() {
    let host = master("kubelet\0--hostname-override=Master-1\0");
    fs::create_dir_all(host.path(&format!("var/log/pods/kube-system_kube-apiserver-master-1_{STATIC}")))
        .unwrap();
    assert_eq!(host.identity(7).workload(), Some("kube-apiserver"));
    // By the name of the host, where no kubelet tells it; and if that is another one, the pod is all that is known.
    fs::remove_dir_all(host.path("proc/3")).unwrap();
    assert_eq!(host.identity(7).workload(), Some("kube-apiserver-master-1"));
    host.write("etc/hostname", b"master-1\n");
    assert_eq!(host.identity(7).workload(), Some("kube-apiserver"));
    host.process(8, &pod(UID, ID));
    assert_eq!(host.identity(8).workload(), None);
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-7d9f8b6c5-x2x4q_{UID}"))).unwrap();
    assert_eq!(host.identity(8).workload(), Some("web"));
}

#[test]
fn a_static_pod_that_cannot_be_told_keeps_its_hash() {
    let told = "kubelet\0--hostname-override=n1\0";
    let changes: [fn(&Host); 6] = [
        |host| host.write("etc/kubernetes/manifests/copy.yaml.bak", APISERVER.as_bytes()),
        |host| host.write("etc/kubernetes/manifests/broken.yaml", b"\tkind: Pod\x1b["),
        |host| host.write("etc/kubernetes/manifests/huge.yaml", &vec![b'#'; 1 << 20]),
        |host| {
            symlink("loop", host.path("etc/kubernetes/manifests/loop")).unwrap();
        },
        |host| {
            fs::remove_dir(host.path(&format!("var/lib/kubelet/pods/{STATIC}/containers/kube-apiserver")))
                .unwrap();
        },
        // A second kubelet, which may be the one that made the pod.
        |host| {
            for file in ["comm", "cmdline", "status", "cgroup"] {
                host.write(
                    &format!("proc/4/{file}"),
                    &fs::read(host.path(&format!("proc/3/{file}"))).unwrap(),
                );
            }
        },
    ];
    for change in changes {
        let host = master(told);
        change(&host);
        assert_eq!(host.identity(7).pod.as_deref(), Some(STATIC));
    }
    // A name that the cloud gives is not on this host.
    assert_eq!(master("kubelet\0--cloud-provider=aws\0").identity(7).pod.as_deref(), Some(STATIC));
}

#[test]
fn who_calls_itself_a_kubelet_in_a_container_is_not_believed() {
    let host = master("kubelet\0--hostname-override=n1\0");
    host.write("proc/3/cgroup", format!("0::{}\n", pod(UID, ID)).as_bytes());
    assert_eq!(host.identity(7).pod.as_deref(), Some(STATIC));
    let host = master("kubelet\0--hostname-override=n1\0");
    host.write("proc/3/status", b"Uid:\t33\t33\t33\t33\n");
    assert_eq!(host.identity(7).pod.as_deref(), Some(STATIC));
}

/// A process in a UTS namespace of its own, where the host has that name.
struct Renamed(std::process::Child);

impl Renamed {
    /// `None` without the rights of root.
    fn new(name: &str) -> Option<Self> {
        use std::io::{BufRead as _, BufReader};
        use std::process::{Command, Stdio};
        if !rustix::process::geteuid().is_root() {
            skip::skip("a namespace of host names needs root");
            return None;
        }
        let script = format!("echo {name} > /proc/sys/kernel/hostname && echo ready && read _");
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Some(Self(child))
    }

    /// Lets a process of the host have this one's namespace.
    fn lend(&self, host: &Host, pid: u32) {
        fs::create_dir_all(host.path(&format!("proc/{pid}/ns"))).unwrap();
        symlink(format!("/proc/{}/ns/uts", self.0.id()), host.path(&format!("proc/{pid}/ns/uts"))).unwrap();
    }
}

impl Drop for Renamed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_node_is_called_what_its_kubelet_sees() {
    let Some(node) = Renamed::new("node-7") else { return };
    let own = crate::read::uts::own();
    let host = master("kubelet\0");
    node.lend(&host, 3);
    assert_eq!(host.identity(7).pod.as_deref(), Some("kube-apiserver-node-7"));
    assert_eq!(crate::read::uts::own(), own);
}

/// Files that a pod can write do not change its identity.
#[test]
fn a_pod_cannot_give_itself_a_name() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    // The file is mounted into the pod.
    let hosts = b"# Kubernetes-managed hosts file.\n10.0.0.9\tcashier\n";
    host.write(&format!("var/lib/kubelet/pods/{UID}/etc-hosts"), hosts);
    assert_eq!(names(&host.identity(7)), [None, Some(UID), None]);
    // Whoever makes a namespace of users can have one of host names in it.
    if let Some(renamed) = Renamed::new("cashier") {
        renamed.lend(&host, 7);
        assert_eq!(names(&host.identity(7)), [None, Some(UID), None]);
    }
}

/// With a subtree of cgroups, as a container of systemd or a user's session has one, comes the right to name what is below.
#[test]
fn a_cgroup_below_a_container_or_a_session_names_no_pod_or_container_of_the_host() {
    let (victim, victims_id) = (UID, ID);
    let host = Host::new();
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_cashier_{victim}/app"))).unwrap();
    host.write(&format!("var/log/containers/cashier_shop_app-{victims_id}.log"), b"");
    host.process(7, &pod(victim, victims_id));
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("cashier"), Some("app")]);
    let hostile = pod("113cf5b6-f436-4da9-952a-739011179251", SANDBOX);
    for above in
        [hostile.as_str(), "/user.slice/user-1000.slice/user@1000.service/app.slice", "/lxc.payload.web"]
    {
        host.process(7, &format!("{above}{}", pod(victim, victims_id)));
        assert_eq!(names(&host.identity(7)), [None, Some(victim), None], "{above}");
    }
    let session = "/user.slice/user-1000.slice/session-3.scope";
    host.process(7, &format!("{session}/docker-{victims_id}.scope"));
    assert_eq!(names(&host.identity(7)), [None; 3]);
    // In its own pod it can pass for no other container of it.
    fs::create_dir_all(host.path("var/log/pods/shop_web-0_113cf5b6-f436-4da9-952a-739011179251/web"))
        .unwrap();
    host.process(7, &format!("{hostile}/docker-{victims_id}.scope"));
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("web")]);
}

#[test]
fn a_node_that_is_a_container_names_its_own_pods() {
    let host = Host::new();
    host.process(1, &format!("/docker/{SANDBOX}/init.scope"));
    host.process(7, &format!("/docker/{SANDBOX}/kubelet{}", pod(UID, ID)));
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}/app"))).unwrap();
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("app")]);
}

/// CRI-O hands on what the author of a pod annotates it with.
#[test]
fn annotations_that_the_runtime_does_not_write_name_nothing() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    let claimed = br#"{"annotations":{"io.kubernetes.cri.sandbox-name":"cashier","io.kubernetes.cri.sandbox-namespace":"shop"}}"#;
    host.write(&format!("run/containers/storage/overlay-containers/{ID}/userdata/config.json"), claimed);
    assert_eq!(names(&host.identity(7)), [None, Some(UID), None]);
}

#[test]
fn docker_names_its_containers() {
    let host = Host::new();
    host.process(7, &format!("/system.slice/docker-{ID}.scope"));
    host.write(&format!("var/lib/docker/containers/{ID}/config.v2.json"), br#"{"Name":"/proxy"}"#);
    let identity = host.identity(7);
    assert_eq!(names(&identity), [None, None, Some("proxy")]);
    assert_eq!(identity.short_container_id(), Some("7337318d0fde"));
}

#[test]
fn a_process_that_is_gone_is_named_by_the_cgroup_it_was_seen_in() {
    let host = Host::new();
    let cgroup = host.path("sys/fs/cgroup").join(&pod(UID, ID)[1..]);
    fs::create_dir_all(&cgroup).unwrap();
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}/app"))).unwrap();
    let answer = host.read(GONE, fs::metadata(&cgroup).unwrap().ino());
    assert_eq!(names(&answer.identity), [Some("shop"), Some("web-0"), Some("app")]);
    assert!(answer.last && answer.identity.comm.is_none());
}

/// What a cgroup namespace makes of a path: the way from its root.
#[test]
fn a_path_from_a_cgroup_namespace_gives_way_to_that_of_the_id() {
    let host = Host::new();
    let whole = pod(UID, ID);
    let cgroup = host.path("sys/fs/cgroup").join(&whole[1..]);
    fs::create_dir_all(&cgroup).unwrap();
    let id = fs::metadata(&cgroup).unwrap().ino();
    for relative in [format!("/../cri-containerd-{ID}.scope"), "/..".to_owned(), format!("/../..{whole}")] {
        host.process(7, &relative);
        let identity = host.read(7, id).identity;
        assert_eq!(
            (identity.cgroup.as_deref(), identity.pod.as_deref()),
            (Some(whole.as_str()), Some(UID)),
            "{relative}"
        );
    }
    // The tree of version 2 may know less than the lines of version 1.
    let service = host.path("sys/fs/cgroup/system.slice/containerd.service");
    fs::create_dir_all(&service).unwrap();
    host.process(7, &format!("/../..{whole}"));
    assert_eq!(host.read(7, fs::metadata(&service).unwrap().ino()).identity.pod.as_deref(), Some(UID));
    // And where there is no tree, the way from the namespace's root is all there is.
    assert_eq!(host.identity(7).pod.as_deref(), Some(UID));
}

/// A root whose processes are those of another PID namespace, mounted there.
#[test]
fn processes_of_another_pid_namespace_are_not_believed() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    if !rustix::process::geteuid().is_root() {
        return skip::skip("a PID namespace needs root");
    }
    let host = Host::new();
    let proc = host.path("proc");
    fs::create_dir_all(&proc).unwrap();
    let script = format!("mount -t proc proc {} && echo ready && read _", proc.display());
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount", "--fork", "sh", "-c", &script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let inside = format!("/proc/{}/root{}", children.trim(), host.0.path().display());
    let (found, why) = (processes(Path::new(&inside)), crate::why_not(Path::new(&inside)));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(line, "ready\n");
    // Its own numbers are the kernel's only in the first namespace.
    let own = processes(Path::new("/"));
    assert_eq!((found, why.is_none()), (own.clone(), own.is_some()));
}

#[test]
fn a_number_that_a_younger_process_has_taken_is_not_that_process() {
    let host = Host::new();
    host.process(7, "/system.slice/nginx.service");
    // Started a year after the boot.
    host.write("proc/7/stat", format!("7 (nginx) S{} 3153600000 0", " 0".repeat(18)).as_bytes());
    assert_eq!(host.identity(7), Identity::default());
}

#[test]
fn names_that_appear_later_are_found_later() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    fs::create_dir_all(host.path("var/log/pods")).unwrap();
    let trouble = Trouble::default();
    let mut reader = Reader::new(host.0.path(), &trouble);
    let mut pod = || reader.read(&Seen { pid: 7, ..Seen::default() }, 0).identity.pod.unwrap();
    assert_eq!(pod(), UID);
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}"))).unwrap();
    // The directory is looked at again after a second, whenever that is.
    let mut found = pod();
    while found == UID {
        std::thread::yield_now();
        found = pod();
    }
    assert_eq!(found, "web-0");
}
