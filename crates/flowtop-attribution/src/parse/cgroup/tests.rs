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
    fn no_text_breaks_the_parser(text in "\\PC*") {
        let _ = (parse(&text), choose(&text));
    }

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
