//! Which pod has an address.

use super::*;

/// A file of libcni's cache.
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

#[test]
fn the_pod_at_an_address_is_told_by_every_source_and_by_the_best_first() {
    let host = Host::new();
    assert_eq!(pod_at(&host, None, "10.244.0.7"), None);
    // The network namespace of a process in the pod.
    host.process(7, &pod(UID, ID));
    host.write("proc/7/net/fib_trie", b"  |-- 10.244.0.7\n    /32 host LOCAL\n");
    host.write("proc/7/ns/net", b"");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7"), None, "the host's own namespace is not known");
    host.write("proc/1/ns/net", b"");
    assert_eq!(pod_at(&host, Some(7), "10.244.0.7").as_deref(), Some(UID));
    host.write(
        &format!("var/lib/kubelet/pods/{UID}/etc-hosts"),
        b"# Kubernetes-managed hosts file.\n10.244.0.7\tfrom-hosts\n",
    );
    assert_eq!(pod_at(&host, None, "10.244.0.7").as_deref(), Some("from-hosts"));
    fs::create_dir_all(host.path(&format!("var/log/pods/shop_web-0_{UID}"))).unwrap();
    assert_eq!(pod_at(&host, None, "10.244.0.7").as_deref(), Some("shop/web-0"));
    attached(&host, SANDBOX, "from-cni", "10.244.0.7");
    assert_eq!(pod_at(&host, None, "10.244.0.7").as_deref(), Some("shop/from-cni"));
}

#[test]
fn a_pod_in_the_network_of_the_host_has_no_address_of_its_own() {
    let host = Host::new();
    host.process(7, &pod(UID, ID));
    host.write("proc/7/net/fib_trie", b"  |-- 192.0.2.2\n    /32 host LOCAL\n");
    host.write("proc/1/ns/net", b"");
    fs::create_dir_all(host.path("proc/7/ns")).unwrap();
    fs::hard_link(host.path("proc/1/ns/net"), host.path("proc/7/ns/net")).unwrap();
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
