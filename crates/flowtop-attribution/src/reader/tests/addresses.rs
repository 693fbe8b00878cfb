//! Pods by address.

use super::*;

/// Writes a file of libcni's cache.
fn attached(host: &Host, id: &str, pod: &str, address: &str) {
    let file = format!(
        r#"{{"containerId":"{id}","networkName":"cbr0","cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","{pod}"]],
        "result":{{"ips":[{{"address":"{address}/24"}}]}}}}"#
    );
    host.write(&format!("var/lib/cni/results/cbr0-{id}-eth0"), file.as_bytes());
}

/// The pod at an address, as a reader that has read this process sees it.
fn pod_at(host: &Host, pid: Option<u32>, address: &str) -> Option<String> {
    let trouble = Trouble::default();
    let mut reader = Reader::new(host.0.path(), &trouble);
    if let Some(pid) = pid {
        reader.read(&Seen { pid, ..Seen::default() }, 0);
    }
    let addresses = reader.addresses();
    addresses.pod(address.parse().unwrap()).map(|pod| pod.text())
}

/// A process of a pod with an address of its own, in the host's namespace of users.
fn with_address(host: &Host, pid: u32, uid: &str, address: &str) {
    host.process(pid, &pod(uid, ID));
    host.write(
        &format!("proc/{pid}/net/fib_trie"),
        format!("  |-- {address}\n    /32 host LOCAL\n").as_bytes(),
    );
    host.write(&format!("proc/{pid}/ns/net"), b"");
    host.share(pid, 1, "user");
}

#[test]
fn the_pod_at_an_address_is_told_by_every_source_and_by_the_best_first() {
    let host = Host::new();
    assert_eq!(pod_at(&host, None, "10.244.0.7"), None);
    // The network namespace of a process in the pod.
    with_address(&host, 7, UID, "10.244.0.7");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7"), None, "the host's own namespace is not known");
    host.write("proc/1/ns/net", b"");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some(UID));
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}"))).unwrap();
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some("shop/web-0"));
    attached(&host, SANDBOX, "from-cni", "10.244.0.7");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some("shop/from-cni"));
}

/// The kubelet's hosts file is mounted into the pod, which can write to it.
#[test]
fn a_pod_that_edits_its_hosts_file_claims_no_address() {
    let host = Host::new();
    let hostile = "113cf5b6-f436-4da9-952a-739011179251";
    fs::create_dir_all(host.path(&format!("var/log/pods/evil_pod_{hostile}"))).unwrap();
    host.process(7, &pod(hostile, ID));
    host.write(
        &format!("var/lib/kubelet/pods/{hostile}/etc-hosts"),
        b"# Kubernetes-managed hosts file.\n10.244.0.7\tpod\n198.51.100.7\tpod\n",
    );
    for address in ["10.244.0.7", "198.51.100.7"] {
        assert_eq!(pod_at(&host, Some(7), address), None);
    }
    // Nor does it take one from its pod.
    attached(&host, SANDBOX, "web-0", "10.244.0.7");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some("shop/web-0"));
}

#[test]
fn a_network_that_a_pod_can_give_addresses_says_nothing() {
    let host = Host::new();
    host.write("proc/1/ns/net", b"");
    with_address(&host, 7, UID, "10.244.0.7");
    // It has CAP_NET_ADMIN, or its capabilities are unknown.
    for status in ["00000000a80435fb", "x"] {
        host.give_rights(7, status);
        assert_eq!(pod_at(&host, Some(7), "10.244.0.7"), None, "{status}");
    }
    with_address(&host, 7, UID, "10.244.0.7");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some(UID));
    // A namespace of users has been made, and one of networks in it.
    fs::remove_file(host.path("proc/7/ns/user")).unwrap();
    host.write("proc/7/ns/user", b"");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7"), None);
    // The pod itself is made up.
    with_address(&host, 7, UID, "10.244.0.7");
    host.process(7, &format!("{}{}", pod("113cf5b6-f436-4da9-952a-739011179251", SANDBOX), pod(UID, ID)));
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7"), None);
}

#[test]
fn a_pod_in_the_network_of_the_host_has_no_address_of_its_own() {
    let host = Host::new();
    with_address(&host, 7, UID, "192.0.2.2");
    host.write("proc/1/ns/net", b"");
    assert_eq!(pod_at(&host, Some(7), "192.0.2.2").as_deref(), Some(UID));
    host.share(7, 1, "net");
    assert_eq!(pod_at(&host, Some(7), "192.0.2.2"), None);
}

#[test]
fn addresses_that_change_hands_are_found_again() {
    let host = Host::new();
    attached(&host, SANDBOX, "web-0", "10.244.0.7");
    let trouble = Trouble::default();
    let mut reader = Reader::new(host.0.path(), &trouble);
    let web = "10.244.0.7".parse().unwrap();
    let mut name = || reader.addresses().pod(web).map(|pod| pod.name.clone());
    assert_eq!(name().as_deref(), Some("web-0"));
    fs::remove_file(host.path(&format!("var/lib/cni/results/cbr0-{SANDBOX}-eth0"))).unwrap();
    attached(&host, ID, "web-1", "10.244.0.7");
    // The folder is looked at again after a second, whenever that is.
    let mut found = name();
    while found.as_deref() != Some("web-1") {
        std::thread::yield_now();
        found = name();
    }
}

/// The pod of process 7's network namespace, as a reader sees it.
fn pod_in(host: &Host, with: u32) -> Option<String> {
    let trouble = Trouble::default();
    let netns = fs::metadata(host.path(&format!("proc/{with}/ns/net"))).unwrap().ino();
    let namespaces = Reader::new(host.0.path(), &trouble).namespaces();
    namespaces.get(&u32::try_from(netns).unwrap()).map(|pod| pod.text())
}

#[test]
fn a_network_namespace_belongs_to_the_pod_whose_processes_live_there() {
    let other = "113cf5b6-f436-4da9-952a-739011179251";
    let host = Host::new();
    host.write("proc/1/ns/net", b"");
    host.process(7, &pod(UID, ID));
    host.write("proc/7/ns/net", b"");
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}"))).unwrap();
    assert_eq!(pod_in(&host, 7).as_deref(), Some("shop/web-0"));
    // A shell that the host has put there, and another process of the pod.
    host.process(8, "/user.slice/user-0.slice/session-1.scope");
    host.share(8, 7, "net");
    host.process(9, &pod(UID, SANDBOX));
    host.share(9, 7, "net");
    assert_eq!(pod_in(&host, 7).as_deref(), Some("shop/web-0"));
    // A proxy in another pod that has only sockets there.
    host.process(10, &pod(other, ID));
    host.write("proc/10/ns/net", b"");
    assert_eq!(
        (pod_in(&host, 7).as_deref(), pod_in(&host, 10).as_deref()),
        (Some("shop/web-0"), Some(other))
    );
    // One that lives there: it may be its namespace as well.
    host.share(10, 7, "net");
    assert_eq!(pod_in(&host, 7), None);
}

#[test]
fn the_host_s_namespace_and_that_of_a_node_in_a_container_are_no_pod_s() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    host.write("proc/7/ns/net", b"");
    assert_eq!(pod_in(&host, 7), None, "the host's own is not known");
    host.share(1, 7, "net");
    assert_eq!(pod_in(&host, 7), None, "a pod in the host's network");
    host.write("proc/2/ns/net", b"");
    fs::remove_file(host.path("proc/1/ns/net")).unwrap();
    host.share(1, 2, "net");
    assert_eq!(pod_in(&host, 7).as_deref(), Some(UID));
    host.process(8, &format!("/system.slice/docker-{SANDBOX}.scope/kubelet"));
    host.share(8, 7, "net");
    assert_eq!(pod_in(&host, 7), None, "the node's own processes are there");
}

/// In a user's cgroups and in those of a container anyone may be called after a pod.
#[test]
fn a_pod_that_is_made_up_has_no_namespace() {
    let host = Host::new();
    host.write("proc/1/ns/net", b"");
    host.write("proc/7/ns/net", b"");
    host.process(7, &format!("/user.slice/user-1000.slice/user@1000.service{}", pod(UID, ID)));
    assert_eq!(pod_in(&host, 7), None);
}
