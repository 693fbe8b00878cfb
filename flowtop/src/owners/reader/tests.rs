//! A host of plain files: what is in them, and what should not be.

use std::os::unix::fs::symlink;

use super::*;

const ID: &str = "7337318d0fde8a43eeb3d8d63b7676f642647f9a4a0184a9b2e211e5b072112b";
const UID: &str = "6d1780d4-0501-4804-a676-5ebd49ceb9c5";
const STATIC: &str = "9729a196c4723b60ab401eaff722982d";

/// No process has this number.
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

    /// A process in a cgroup.
    fn process(&self, pid: u32, cgroup: &str) {
        self.write(&format!("proc/{pid}/comm"), b"nginx\n");
        self.write(&format!("proc/{pid}/cmdline"), b"nginx: worker\0-g\0daemon off;\0");
        self.write(&format!("proc/{pid}/status"), b"Name:\tnginx\nUid:\t0\t33\t0\t0\n");
        self.write(&format!("proc/{pid}/cgroup"), format!("0::{cgroup}\n").as_bytes());
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
    assert_eq!(identity.user.as_deref(), Some("www-data"));
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
        &format!("var/lib/kubelet/pods/{UID}/etc-hosts"),
        b"# Kubernetes-managed hosts file.\n10.0.0.9\tfrom-hosts\n",
    );
    assert_eq!(names(&host.identity(7)), [None, Some("from-hosts"), None]);
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

#[test]
fn hostile_files_name_nothing_and_are_counted() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    host.write("proc/7/comm", b"\x1b]0;owned\x07\xff\n");
    host.write("proc/7/cmdline", &vec![b'A'; 1 << 20]);
    host.write("proc/7/status", &vec![b'\n'; 1 << 20]);
    fs::create_dir_all(host.path(&format!("var/log/pods/sh\nop_web-0_{UID}"))).unwrap();
    fs::create_dir_all(host.path("var/log/containers")).unwrap();
    symlink(host.path("var/log/containers/loop.log"), host.path("var/log/containers/loop.log")).unwrap();
    let config = host.path(&format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"));
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    symlink(&config, &config).unwrap();
    let trouble = Trouble::default();
    let identity = Reader::new(host.0.path(), &trouble).read(&Seen { pid: 7, ..Seen::default() }, 0).identity;
    assert_eq!(identity.comm.as_deref(), Some("\u{fffd}]0;owned\u{fffd}\u{fffd}"));
    assert_eq!(identity.command.as_deref().map(|command| command.chars().count()), Some(256));
    assert_eq!((identity.user.as_deref(), names(&identity)), (None, [None, Some(UID), None]));
    let counts = trouble.named().map(|(_, count)| count);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
