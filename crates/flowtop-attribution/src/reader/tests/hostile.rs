//! Hostile files: they name nothing, are counted, and block no read.

use super::*;

/// Puts something in the place of a file that could keep a reader waiting for ever.
fn silence(path: &Path, kind: rustix::fs::FileType) {
    use rustix::fs::{CWD, Mode, mknodat};
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // It may be there, as what the host has.
    let _ = fs::remove_file(path);
    mknodat(CWD, path, kind, Mode::RWXU, 0).unwrap();
}

#[test]
fn pipes_and_sockets_in_place_of_files_keep_nobody_waiting() {
    for kind in [rustix::fs::FileType::Fifo, rustix::fs::FileType::Socket] {
        let host = master("kubelet\0--hostname-override=n1\0");
        for file in ["comm", "cmdline", "status", "stat", "ns/uts", "ns/mnt"] {
            silence(&host.path(&format!("proc/7/{file}")), kind);
        }
        for file in [
            "proc/1/ns/uts",
            "proc/4/comm",
            "etc/passwd",
            "etc/kubernetes/manifests/silent.yaml",
            "var/lib/cni/results/silent",
            "var/log/containers/silent.log",
            "var/log/pods",
            "sys/fs/cgroup",
            &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
            &format!("var/lib/docker/containers/{ID}/config.v2.json"),
        ] {
            silence(&host.path(file), kind);
        }
        let trouble = Trouble::default();
        let seen = Seen { pid: 7, cgroup_id: 1, ..Seen::default() };
        let identity = Reader::new(host.0.path(), &trouble).read(&seen, 0).identity;
        assert_eq!(names(&identity), [None, Some(STATIC), Some("kube-apiserver")]);
        assert_eq!((identity.comm, identity.command, identity.user), (None, None, None));
        assert!(trouble.named()[0].1 >= 8, "{:?}", trouble.named());
    }
}

#[test]
fn folders_that_cannot_be_read_or_have_no_end_name_nothing_and_are_counted() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    // A file where a folder should be is no trouble; a folder where a file should be is.
    host.write("var/log/pods", b"");
    fs::create_dir_all(host.path(&format!("var/lib/docker/containers/{ID}/config.v2.json"))).unwrap();
    for folder in ["var/log/containers", "var/lib/cni/results", "sys/fs/cgroup"] {
        fs::create_dir_all(host.path(folder).parent().unwrap()).unwrap();
        symlink(host.path(folder), host.path(folder)).unwrap();
    }
    let trouble = Trouble::default();
    let seen = Seen { pid: 7, cgroup_id: 1, ..Seen::default() };
    let identity = Reader::new(host.0.path(), &trouble).read(&seen, 0).identity;
    assert_eq!(names(&identity), [None, Some(UID), None]);
    assert!(trouble.named()[0].1 >= 4, "{:?}", trouble.named());
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
