//! Every path of `tests/data/cgroup-paths.tsv`, and that nothing else breaks the parser.

use proptest::prelude::*;

use super::*;

const PATHS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/cgroup-paths.tsv"));

struct Row<'a> {
    case: &'a str,
    line: String,
    path: &'a str,
    expected: [Option<&'a str>; 3],
}

fn rows() -> Vec<Row<'static>> {
    let known = |text: &'static str| (text != "-").then_some(text);
    let row = |line: &'static str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [case, _, prefix, path, pod, container, qos, ..] = fields[..] else { panic!("{line}") };
        let expected = [known(pod), known(container), known(qos)];
        Row { case, line: format!("{prefix}:{path}"), path, expected }
    };
    PATHS.lines().skip(1).map(row).collect()
}

#[test]
fn every_path_of_the_table_means_what_it_says() {
    let rows = rows();
    assert_eq!(rows.len(), 65);
    for Row { case, path, expected, .. } in rows {
        let place = parse(path);
        assert_eq!([place.pod_uid.as_deref(), place.container_id.as_deref(), place.qos], expected, "{case}");
    }
}

#[test]
fn a_line_of_proc_gives_its_path_with_all_its_colons() {
    for Row { case, line, path, .. } in rows() {
        assert_eq!(choose(&line), Some(path), "{case}");
    }
}

#[test]
fn of_many_lines_the_one_of_the_pod_wins() {
    let pod = "/kubepods/burstable/pod3edaaeae-9080-4ba5-afa0-fb268056297d/".to_owned() + &"a6".repeat(32);
    let lines = |pod: &str| {
        format!("11:memory:{pod}\n1:name=systemd:/x.slice\n0::/system.slice/containerd.service\n")
    };
    assert_eq!(choose(&lines(&pod)), Some(pod.as_str()));
    let docker = "/docker/".to_owned() + &"b7".repeat(32);
    assert_eq!(choose(&lines(&docker)), Some(docker.as_str()));
    assert_eq!(choose(&lines("/")), Some("/system.slice/containerd.service"));
    assert_eq!(choose("4:memory:/a\n1:name=systemd:/b\n0::/\n"), Some("/b"));
    assert_eq!(choose("4:memory:/a\n"), Some("/a"));
    assert_eq!(choose("0::/\n"), Some("/"));
    assert_eq!(choose(""), None);
}

#[test]
fn the_unit_is_the_first_below_the_slices() {
    for (path, unit) in [
        ("/system.slice/sshd.service", Some("sshd.service")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", Some("user@1000.service")),
        ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
        ("/../../system.slice/cron.service (deleted)", Some("cron.service")),
        ("/docker/x", None),
        ("/kubepods/burstable/pod1", None),
        ("/init.scope", Some("init.scope")),
        ("/", None),
    ] {
        assert_eq!(parse(path).unit.as_deref(), unit, "{path}");
    }
}

#[test]
fn of_a_container_in_a_container_both_are_known() {
    let (outer, inner) = ("aa".repeat(32), "bb".repeat(32));
    let path = format!("/kubepods/pod510c6077-35fa-4cc8-838a-7fb28917f773/{outer}/docker/{inner}");
    let place = parse(&path);
    assert_eq!(
        (place.container_id, place.hosts_container_id, place.is_claimed),
        (Some(inner), Some(outer), false)
    );
}

/// Each path with its unit, the id of its container, and the name of its container.
fn assert_means(rows: &[(&str, &str, &str, &str)]) {
    for (path, unit, id, name) in rows {
        let place = parse(path);
        let of = |text: Option<String>| text.unwrap_or_default();
        let found = (of(place.unit), of(place.container_id), of(place.container_name));
        assert_eq!(found, ((*unit).to_owned(), (*id).to_owned(), (*name).to_owned()), "{path}");
    }
}

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn ids_of_containers_are_where_their_managers_put_them() {
    const TASK: &str = "1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c";
    let (other, of_ecs, handle) =
        ("bb".repeat(32), format!("{TASK}-1234567890"), "6f265890-5165-7fab-6b52-18d1");
    let rows = [
        (format!("/ecs/{TASK}/{of_ecs}"), "", of_ecs.as_str(), ""),
        (format!("/ecs/{of_ecs}"), "", of_ecs.as_str(), ""),
        (format!("/ecs/{TASK}"), "", "", ""),
        (format!("/ecs/{UID}/{ID}"), "", ID, ""),
        (format!("/ecstasks.slice/ecstasks-{TASK}.slice/docker-{ID}.scope"), "docker-ID.scope", ID, ""),
        (format!("/garden/{handle}"), "", handle, ""),
        (format!("/garden/good/{handle}"), "", handle, ""),
        (format!("/garden-1/garden/bad/{handle}/x"), "", handle, ""),
        ("/garden/good".to_owned(), "", "", ""),
        (format!("/docker/{ID}/docker/{other}"), "", other.as_str(), ""),
        (format!("/system.slice/docker-{ID}.scope/buildkit/3k4jx0g7lqm2"), "docker-ID.scope", ID, ""),
        (
            format!("/system.slice/docker-{ID}.scope/system.slice/containerd.service"),
            "containerd.service",
            ID,
            "",
        ),
        (format!("/actions_job/{ID}"), "", ID, ""),
        (format!("/libpod_parent/{ID}/libpod-{other}"), "", other.as_str(), ""),
        (format!("/system.slice/libpod-conmon-{ID}.scope"), "libpod-conmon-ID.scope", "", ""),
        (format!("/system.slice/isulad-{ID}.scope"), "isulad-ID.scope", ID, ""),
        (
            format!("/machine.slice/libpod-{ID}.scope/container/system.slice/httpd.service"),
            "httpd.service",
            ID,
            "",
        ),
        (format!("/default/{ID}"), "", ID, ""),
        (format!("/lxc.payload.web/system.slice/docker-{ID}.scope"), "docker-ID.scope", ID, "web"),
        ("/default/redis-test".to_owned(), "", "", ""),
    ];
    for (path, unit, id, name) in rows {
        assert_means(&[(&path, &unit.replace("ID", ID), id, name)]);
    }
}

#[test]
fn names_of_containers_and_units_in_them_are_told_by_their_managers() {
    assert_means(&[
        ("/lxc.payload.web/system.slice/nginx.service", "nginx.service", "", "web"),
        ("/lxc.payload.web/init.scope", "init.scope", "", "web"),
        ("/lxc.payload.web/.lxc", "", "", "web"),
        ("/lxc.payload/web/system.slice/ssh.service", "ssh.service", "", "web"),
        ("/lxc/101/ns/system.slice/system-getty.slice/getty@1.service", "getty@1.service", "", "101"),
        ("/lxc/101/ns", "", "", "101"),
        ("/lxc/web01", "", "", "web01"),
        ("/lxc.monitor.web", "", "", ""),
        ("/lxc.monitor/101", "", "", ""),
        (
            "/system.slice/pve-container@101.service/lxc/101/ns/system.slice/mysql.service",
            "mysql.service",
            "",
            "101",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/lxc-1.scope/lxc.payload.me/system.slice/a.service",
            // What a user's container calls a unit may be called like one of the host.
            "user@1000.service",
            "",
            "me",
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
            "nginx.service",
            "",
            "web",
        ),
        ("/machine.slice/systemd-nspawn@web.service/payload", "systemd-nspawn@web.service", "", "web"),
        ("/machine.slice/systemd-nspawn@web.service/supervisor", "systemd-nspawn@web.service", "", ""),
        (
            "/machine.slice/systemd-nspawn@my\\x2dapp.service",
            "systemd-nspawn@my\\x2dapp.service",
            "",
            "my-app",
        ),
        ("/machine.slice/machine-web.scope/payload/system.slice/a.service", "a.service", "", "web"),
        (
            "/machine.slice/machine-qemu\\x2d2\\x2dubuntu22.04.scope/libvirt/emulator",
            "machine-qemu\\x2d2\\x2dubuntu22.04.scope",
            "",
            "ubuntu22.04",
        ),
        (
            "/machine.slice/machine-lxc\\x2d77\\x2dmy\\x2dweb.scope/libvirt/x",
            "machine-lxc\\x2d77\\x2dmy\\x2dweb.scope",
            "",
            "my-web",
        ),
        (
            "/nomad.slice/share.slice/6d1780d4-0501-4804-a676-5ebd49ceb9c5.redis.scope",
            "6d1780d4-0501-4804-a676-5ebd49ceb9c5.redis.scope",
            "",
            "redis",
        ),
        ("/machine/qemu-3-db.libvirt-qemu/emulator", "", "", "db"),
        ("/libvirt/lxc/db", "", "", "db"),
        ("/machine.slice/machine-broken\\xzz.scope", "machine-broken\\xzz.scope", "", ""),
    ]);
}

#[test]
fn services_of_talos_are_called_as_it_calls_them() {
    assert_means(&[
        ("/podruntime/kubelet", "kubelet", "", ""),
        ("/podruntime/runtime", "cri", "", ""),
        ("/system/apid", "apid", "", ""),
        ("/system/runtime", "containerd", "", ""),
        ("/system/extensions/tailscale", "ext-tailscale", "", ""),
        ("/init", "init", "", ""),
        ("/system", "", "", ""),
        ("/a.slice/podruntime/etcd", "etcd", "", ""),
    ]);
}

/// Slices by which a kubelet is told to put its pods elsewhere.
#[test]
fn pods_are_found_below_any_slice() {
    let (uid, id) = (UID.replace('-', "_"), "bb".repeat(32));
    for (above, qos) in [
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable",
            "burstable",
        ),
        ("/k8s.slice/k8s-kubepods.slice/k8s-kubepods", "guaranteed"),
        ("/system.slice/k3s.service/kubepods-besteffort", "besteffort"),
    ] {
        let path = format!("{above}-pod{uid}.slice/cri-containerd-{id}.scope");
        let place = parse(&path);
        assert_eq!((place.pod_uid.as_deref(), place.qos), (Some(UID), Some(qos)), "{path}");
        assert_eq!((place.hosts_container_id, place.is_claimed), (Some(id.clone()), false), "{path}");
    }
}

#[test]
fn a_container_of_a_user_is_the_user_s_and_not_the_host_s() {
    let id = "bb".repeat(32);
    for (path, uid) in [
        (
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container"),
            Some(1000),
        ),
        (format!("/user.slice/user-7.slice/user@7.service/user.slice/nerdctl-{id}.scope"), Some(7)),
        (format!("/user.slice/user-0.slice/session-1.scope/libpod_parent/libpod-{id}"), Some(0)),
        (format!("/user.slice/user-7.slice/user@7.service/lxc.payload.a/docker/{id}"), None),
        (format!("/user.slice/user-7.slice/user@7.service/kubepods/pod{UID}/{id}"), None),
        (format!("/docker/{id}/user.slice/user-7.slice/docker-{id}.scope"), None),
        (format!("/system.slice/docker-{id}.scope"), None),
    ] {
        let rootless = parse(&path).rootless;
        assert_eq!(rootless, uid.map(|uid| Rootless { uid, id: id.clone() }), "{path}");
    }
}

/// With cgroup v1, LXC's systemd makes cgroups in its own hierarchy only.
#[test]
fn of_many_lines_of_a_container_that_of_its_systemd_wins() {
    let lines = "9:memory:/lxc/101/ns\n1:name=systemd:/lxc/101/ns/system.slice/ssh.service\n0::/\n";
    assert_eq!(choose(lines), Some("/lxc/101/ns/system.slice/ssh.service"));
    let lines = "9:memory:/lxc/101\n1:name=systemd:/init.scope\n0::/x\n";
    assert_eq!(choose(lines), Some("/lxc/101"));
}

const UID: &str = "510c6077-35fa-4cc8-838a-7fb28917f773";

/// Who has a subtree of cgroups can call those below it after any pod and container.
#[test]
fn a_pod_that_a_container_or_a_user_may_have_made_up_is_claimed() {
    let (outer, inner) = ("aa".repeat(32), "bb".repeat(32));
    let pod = format!("kubepods/burstable/pod{UID}/{inner}");
    for above in [
        format!("/kubepods/pod3edaaeae-9080-4ba5-afa0-fb268056297d/{outer}"),
        "/kubepods/pod3edaaeae-9080-4ba5-afa0-fb268056297d".to_owned(),
        format!("/system.slice/docker-{outer}.scope"),
        format!("/docker/{outer}/docker/{outer}"),
        "/user.slice/user-1000.slice/user@1000.service/app.slice".to_owned(),
        "/user.slice/user-1000.slice/session-3.scope".to_owned(),
        "/machine.slice/systemd-nspawn@web.service/payload".to_owned(),
        "/machine.slice/machine-web.scope".to_owned(),
        "/lxc/web01".to_owned(),
        "/lxc.payload.web01".to_owned(),
    ] {
        let path = format!("{above}/{pod}");
        let place = parse(&path);
        assert_eq!((place.pod_uid.as_deref(), place.hosts_container_id), (Some(UID), None), "{path}");
        assert!(place.is_claimed, "{path}");
    }
    let session = format!("/user.slice/user-1000.slice/session-3.scope/docker-{inner}.scope");
    assert_eq!(parse(&session).hosts_container_id, None);
}

#[test]
fn a_pod_of_the_kubelet_s_is_not_claimed() {
    let id = "bb".repeat(32);
    for above in
        ["", "/../..", "/kubelet", "/system.slice/containerd.service", "/podruntime.slice/kubelet.service"]
    {
        let place = parse(&format!("{above}/kubepods/burstable/pod{UID}/{id}"));
        assert_eq!((place.hosts_container_id.as_ref(), place.is_claimed), (Some(&id), false), "{above}");
    }
    for path in
        [format!("/machine.slice/libpod-{id}.scope/container"), format!("/system.slice/docker-{id}.scope")]
    {
        assert_eq!(parse(&path).hosts_container_id.as_ref(), Some(&id), "{path}");
    }
}

#[test]
fn on_a_node_that_is_a_container_its_pods_are_its_own() {
    let (outer, inner) = ("aa".repeat(32), "bb".repeat(32));
    for (init, expected) in [
        (format!("/docker/{outer}/init.scope"), format!("/docker/{outer}")),
        (
            format!("/system.slice/docker-{outer}.scope/init.scope"),
            format!("/system.slice/docker-{outer}.scope"),
        ),
        (format!("/kubepods/pod{UID}/{outer}"), format!("/kubepods/pod{UID}/{outer}")),
        ("/lxc/101/ns/init.scope".to_owned(), "/lxc/101".to_owned()),
        ("/init.scope".to_owned(), String::new()),
        ("/".to_owned(), String::new()),
    ] {
        let node = node(&init);
        assert_eq!(node, expected);
        let pod = format!("{node}/kubelet/kubepods/burstable/pod{UID}/{inner}");
        let place = parse_on(node, &pod);
        assert_eq!((place.pod_uid.as_deref(), place.hosts_container_id.as_ref()), (Some(UID), Some(&inner)));
        assert!(!place.is_claimed, "{pod}");
        let made_up = parse_on(node, &format!("{node}/kubepods/pod{UID}/{outer}/kubepods/pod{UID}/{inner}"));
        assert!(made_up.is_claimed && made_up.hosts_container_id.is_none());
    }
    // It is a path, and not the beginning of one.
    let other =
        parse_on(&format!("/docker/{outer}"), &format!("/docker/{outer}x/docker/{outer}/kubepods/pod{UID}"));
    assert!(other.is_claimed);
}

proptest! {
    #[test]
    fn no_path_made_of_its_parts_breaks_the_parser(parts in prop::collection::vec(part(), 0..8), joints in "[/:-]{8}") {
        let joined = parts.iter().zip(joints.chars()).flat_map(|(part, joint)| [joint.to_string(), part.clone()]);
        let path: String = joined.collect();
        let place = parse(&path);
        for id in [&place.container_id, &place.hosts_container_id].into_iter().flatten() {
            prop_assert_eq!(id.len(), 64);
            prop_assert!(path.contains(id.as_str()));
        }
        prop_assert!(place.pod_uid.is_none_or(|uid| matches!(uid.len(), 32 | 36)));
    }
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("kubepods".to_owned()),
        Just("burstable".to_owned()),
        Just("docker".to_owned()),
        Just("..".to_owned()),
        "[0-9a-f]{64}",
        "[0-9a-f]{63,65}",
        "pod[0-9a-f]{32}",
        "pod[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}",
        "[a-z]{1,8}\\.(slice|scope|service)",
        "\\PC{0,10}",
    ]
}
