//! Names in the files of runtimes, at their usual places and where they are told to be.

use super::*;

/// Where homes are.
const HOMES: &str = "/home";

/// A place, and what makes the host tell of it.
type Setting = (&'static str, fn(&Host));

/// A host whose process 7 runs in a container.
fn running(scope: &str) -> Host {
    let host = Host::new();
    host.process(7, &format!("/system.slice/{scope}-{ID}.scope"));
    host
}

fn container(host: &Host) -> Option<String> {
    host.identity(7).container
}

fn docker_s(host: &Host, root: &str, name: &str) {
    let config = format!(r#"{{"ID":"{ID}","Name":"/{name}"}}"#);
    host.write(&format!("{root}/containers/{ID}/config.v2.json"), config.as_bytes());
}

/// A process of the host.
fn daemon(host: &Host, pid: u32, comm: &str, cmdline: &str) {
    host.write(&format!("proc/{pid}/comm"), format!("{comm}\n").as_bytes());
    host.write(&format!("proc/{pid}/cmdline"), cmdline.replace(' ', "\0").as_bytes());
    host.write(&format!("proc/{pid}/status"), b"Uid:\t0\t0\t0\t0\n");
    host.write(&format!("proc/{pid}/cgroup"), b"0::/system.slice/some.service\n");
}

#[test]
fn docker_s_data_is_found_where_it_is_told_to_be() {
    let settings: [Setting; 7] = [
        ("var/lib/docker", |_| {}),
        ("var/lib/docker/165536.165536", |_| {}),
        ("var/snap/docker/common/var-lib-docker", |_| {}),
        ("data/docker", |host| host.write("etc/docker/daemon.json", br#"{"data-root":"/data/docker"}"#)),
        ("data/docker/1.1", |host| host.write("etc/docker/daemon.json", br#"{"data-root":"/data/docker"}"#)),
        ("data/flag", |host| daemon(host, 3, "dockerd", "/usr/bin/dockerd --data-root=/data/flag -H fd://")),
        ("data/file", |host| {
            daemon(host, 3, "dockerd", "dockerd --config-file /opt/d.json");
            host.write("opt/d.json", br#"{"data-root":"/data/file"}"#);
        }),
    ];
    for (root, settle) in settings {
        let host = running("docker");
        settle(&host);
        docker_s(&host, root, "proxy");
        assert_eq!(container(&host).as_deref(), Some("proxy"), "{root}");
    }
}

#[test]
fn podman_s_containers_have_the_names_of_its_storage() {
    let list =
        format!(r#"[{{"id":"{SANDBOX}","names":["other"]}},{{"id":"{ID}","names":["web"],"layer":"x"}}]"#);
    let settings: [Setting; 4] = [
        ("var/lib/containers/storage/overlay-containers/containers.json", |_| {}),
        ("var/lib/containers/storage/vfs-containers/containers.json", |_| {}),
        ("run/containers/storage/overlay-containers/volatile-containers.json", |_| {}),
        ("data/c/overlay-containers/containers.json", |host| {
            host.write(
                "etc/containers/storage.conf",
                b"[storage]\ndriver='overlay'\ngraphroot = \"/data/c\"\n",
            );
        }),
    ];
    for (file, settle) in settings {
        let host = running("libpod");
        settle(&host);
        host.write(file, list.as_bytes());
        assert_eq!(container(&host).as_deref(), Some("web"), "{file}");
    }
}

#[test]
fn a_user_s_containers_have_the_names_of_that_user_s_storage() {
    let list = format!(r#"[{{"id":"{ID}","names":["mine"]}}]"#);
    let docker = r#"{"Name":"/mine"}"#;
    let files = [
        (
            "libpod",
            "home/me/.local/share/containers/storage/overlay-containers/containers.json",
            list.as_str(),
        ),
        ("libpod", "data/me/overlay-containers/containers.json", &list),
        ("docker", &format!("home/me/.local/share/docker/containers/{ID}/config.v2.json"), docker),
        ("nerdctl", "home/me/.local/share/nerdctl/1935db59/names/default/mine", ID),
    ];
    for (scope, file, text) in files {
        for knows_home in [true, false] {
            let host = Host::new();
            if knows_home {
                host.write(
                    "etc/passwd",
                    format!("me:x:1000:1000::{HOMES}/me:/bin/sh\nyou:x:1001:1001::{HOMES}/you:/bin/sh\n")
                        .as_bytes(),
                );
            }
            fs::create_dir_all(host.path("home/me")).unwrap();
            host.write("etc/containers/storage.conf", b"[storage]\nrootless_storage_path = '/data/me'\n");
            host.write(file, text.as_bytes());
            let of_user = |uid: u32| {
                format!(
                    "/user.slice/user-{uid}.slice/user@{uid}.service/user.slice/{scope}-{ID}.scope/container"
                )
            };
            host.process(7, &of_user(1000));
            // Without the host's word for it, a home is whose it is.
            let is_believed = knows_home || fs::metadata(host.path("home/me")).unwrap().uid() == 0;
            assert_eq!(container(&host).is_some(), is_believed, "{file}");
            // Another user's storage says nothing, and neither does root's.
            if knows_home && !file.starts_with("data") {
                host.process(7, &of_user(1001));
                docker_s(&host, "var/lib/docker", "root-s");
                assert_eq!(container(&host), None, "{file}");
            }
        }
    }
}

#[test]
fn nerdctl_names_its_containers_in_every_namespace() {
    let host = running("nerdctl");
    host.write("var/lib/nerdctl/1935db59/names/shop/web", format!("{ID}\n").as_bytes());
    assert_eq!(container(&host).as_deref(), Some("web"));
    let config = br#"{"annotations":{"nerdctl/name":"of-bundle"}}"#;
    host.write(&format!("run/containerd/io.containerd.runtime.v2.task/shop/{ID}/config.json"), config);
    assert_eq!(container(&host).as_deref(), Some("of-bundle"));
}

#[test]
fn a_pod_s_containers_are_named_by_the_runtime_wherever_it_keeps_them() {
    let config = br#"{"annotations":{"io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.container-name":"app"}}"#;
    let settings: [Setting; 7] = [
        ("run/containerd", |_| {}),
        ("run/k3s/containerd", |_| {}),
        ("run/k0s/containerd", |_| {}),
        ("var/snap/microk8s/common/run/containerd", |_| {}),
        ("data/ctr", |host| host.write("etc/containerd/config.toml", b"version = 2\nstate = '/data/ctr'\n")),
        ("data/flag", |host| daemon(host, 3, "containerd", "containerd --root /x --state /data/flag")),
        ("data/file", |host| {
            daemon(host, 3, "containerd", "containerd --config=/opt/c.toml");
            host.write("opt/c.toml", b"state = '/data/file'\n");
        }),
    ];
    for (state, settle) in settings {
        let host = Host::new();
        host.process(7, &pod(UID, ID));
        settle(&host);
        host.write(&format!("{state}/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"), config);
        assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), Some("app")], "{state}");
    }
}

#[test]
fn cri_o_s_root_is_where_its_settings_say() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    host.write("etc/crio/crio.conf.d/10-root.conf", b"[crio]\nrunroot = '/data/crio'\n");
    let config =
        br#"{"annotations":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}"#;
    host.write(&format!("data/crio/overlay-containers/{ID}/userdata/config.json"), config);
    assert_eq!(names(&host.identity(7)), [Some("shop"), Some("web-0"), None]);
}

#[test]
fn a_kubelet_s_folder_is_where_it_says() {
    for (root, flags) in [("var/lib/k0s/kubelet", ""), ("data/kubelet", "kubelet --root-dir=/data/kubelet")] {
        let host = Host::new();
        host.process(7, &pod(UID, ID));
        daemon(&host, 3, "kubelet", flags);
        fs::create_dir_all(host.path(&format!("{root}/pods/{UID}/containers/app"))).unwrap();
        assert_eq!(names(&host.identity(7)), [None, Some(UID), Some("app")], "{root}");
    }
}

/// Who calls itself a runtime in a container, or is no root, leads to no files.
#[test]
fn a_runtime_that_is_not_the_host_s_is_not_believed() {
    let changes: [fn(&Host); 2] = [
        |host| host.write("proc/3/cgroup", format!("0::/docker/{ID}\n").as_bytes()),
        |host| host.write("proc/3/status", b"Uid:\t33\t33\t33\t33\n"),
    ];
    for change in changes {
        let host = running("docker");
        daemon(&host, 3, "dockerd", "dockerd --data-root /srv/evil");
        docker_s(&host, "srv/evil", "cashier");
        change(&host);
        assert_eq!(container(&host), None);
    }
}

#[test]
fn settings_that_are_hostile_lead_nowhere() {
    let host = running("docker");
    docker_s(&host, "outside", "cashier");
    let settings = [
        r#"{"data-root":"/x/../../outside"}"#.to_owned(),
        r#"{"data-root":"/"}"#.to_owned(),
        r#"{"data-root":["/outside"]}"#.to_owned(),
        "[".repeat(100_000),
    ];
    for text in settings {
        host.write("etc/docker/daemon.json", text.as_bytes());
        assert_eq!(container(&host), None, "{}", &text[..20.min(text.len())]);
    }
    host.write("etc/containers/storage.conf", &vec![b'['; 100_000]);
    host.write("var/lib/containers/storage/overlay-containers/containers.json", &vec![b'['; 100_000]);
    assert_eq!(container(&host), None);
}

/// A user may call a container as a kubelet calls that of a pod, and give it another name than it has.
#[test]
fn a_user_s_container_is_in_no_pod() {
    let host = Host::new();
    host.write("etc/passwd", format!("me:x:1000:1000::{HOMES}/me:/bin/sh\n").as_bytes());
    let list = format!(r#"[{{"id":"{ID}","names":["k8s_app_cashier_shop_{UID}_0"]}}]"#);
    host.write("home/me/.local/share/containers/storage/overlay-containers/containers.json", list.as_bytes());
    host.process(7, &format!("/user.slice/user-1000.slice/user@1000.service/libpod-{ID}.scope"));
    assert_eq!(names(&host.identity(7)), [None, None, Some("app")]);
}

#[test]
fn names_in_paths_are_shown_and_those_below_a_pod_are_not() {
    let host = Host::new();
    host.process(7, "/lxc.payload.web/system.slice/nginx.service");
    let identity = host.identity(7);
    assert_eq!(
        (identity.container.as_deref(), identity.unit.as_deref()),
        (Some("web"), Some("nginx.service"))
    );
    host.process(7, &format!("{}/lxc.payload.cashier", pod(UID, ID)));
    assert_eq!(names(&host.identity(7)), [None, Some(UID), None]);
    host.process(7, &format!("/docker/{ID}/lxc.payload.cashier"));
    assert_eq!(names(&host.identity(7)), [None; 3]);
}
