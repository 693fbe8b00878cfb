//! Names of pods and containers, as the files of a node spell them: the kubelet's log directories, the configuration
//! of a container for its runtime, docker's own files.
//!
//! Not in here: where the files are and in which order they are asked (`crate::owners`).

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

/// What a container is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Name of the pod.
    pub pod: Option<String>,
    /// Name of the container.
    pub container: Option<String>,
}

/// Characters of a container's id.
const ID_CHARS: usize = 64;
/// Kubernetes allows no longer name.
const NAME_CHARS: usize = 253;

/// A link in `/var/log/containers`, `POD_NAMESPACE_CONTAINER-ID.log`: the id and the names. The kubelet cuts long ones,
/// and the id with them.
#[must_use]
pub fn log_link(file_name: &str) -> Option<(&str, Names)> {
    let (pod, rest) = file_name.strip_suffix(".log")?.split_once('_')?;
    let (namespace, rest) = rest.split_once('_')?;
    let (container, id) = rest.rsplit_once('-')?;
    let names = Names { namespace: name(namespace), pod: name(pod), container: name(container) };
    (is_id(id) && names.namespace.is_some() && names.pod.is_some()).then_some((id, names))
}

/// A directory in `/var/log/pods`, `NAMESPACE_POD_UID`: the UID and the names.
#[must_use]
pub fn log_directory(file_name: &str) -> Option<(&str, Names)> {
    let (namespace, rest) = file_name.split_once('_')?;
    let (pod, uid) = rest.split_once('_')?;
    let names = Names { namespace: name(namespace), pod: name(pod), container: None };
    (is_uid(uid) && names.namespace.is_some() && names.pod.is_some()).then_some((uid, names))
}

/// The annotations in the `config.json` of a container, of containerd or of CRI-O.
#[must_use]
pub fn bundle(config: &[u8]) -> Option<Names> {
    const CONTAINERD: [&str; 3] = [
        "io.kubernetes.cri.sandbox-namespace",
        "io.kubernetes.cri.sandbox-name",
        "io.kubernetes.cri.container-name",
    ];
    const CRI_O: [&str; 3] =
        ["io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.container.name"];
    #[derive(Deserialize)]
    struct Config {
        annotations: serde_json::Map<String, Value>,
    }
    let Config { annotations } = serde_json::from_slice(config).ok()?;
    let found = |keys: [&str; 3]| {
        let [namespace, pod, container] = keys.map(|key| annotations.get(key)?.as_str().and_then(name));
        pod.is_some().then_some(Names { namespace, pod, container })
    };
    found(CONTAINERD).or_else(|| found(CRI_O))
}

/// The name in docker's `config.v2.json`; nothing else of the file is kept.
#[must_use]
pub fn docker(config: &[u8]) -> Option<Names> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "Name")]
        name: String,
    }
    let Config { name: found } = serde_json::from_slice(config).ok()?;
    let found = found.trim_start_matches('/');
    if let Some(of_pod) = found.strip_prefix("k8s_") {
        return dockers_pod(of_pod);
    }
    let container = name(found);
    container.is_some().then_some(Names { container, ..Names::default() })
}

/// What a kubelet calls a container for docker, behind `k8s_`: `CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn dockers_pod(text: &str) -> Option<Names> {
    let parts: Vec<&str> = text.split('_').collect();
    let [container, pod, namespace, uid, _attempt] = parts[..] else { return None };
    is_uid(uid).then_some(Names {
        namespace: Some(name(namespace)?),
        pod: Some(name(pod)?),
        container: Some(name(container)?),
    })
}

/// The name of the pod in the kubelet's `etc-hosts`: the host name on the lines of the pod's own addresses, which are the
/// last ones. On a pod in the network of its host there is no such line.
#[must_use]
pub fn etc_hosts(text: &str) -> Option<Names> {
    let (_, host) = own_lines(text).last()?;
    let pod = name(host.split('.').next().unwrap_or(host))?;
    (!pod.starts_with("ip6-")).then_some(Names { pod: Some(pod), ..Names::default() })
}

/// The addresses of the pod in the kubelet's `etc-hosts`.
#[must_use]
pub fn etc_hosts_addresses(text: &str) -> Vec<IpAddr> {
    let lines: Vec<_> = own_lines(text).collect();
    let Some((_, host)) = lines.last().filter(|(_, host)| !host.starts_with("ip6-")) else {
        return Vec::new();
    };
    lines.iter().filter(|(_, other)| other == host).map(|(address, _)| *address).collect()
}

/// Lines of the kubelet with an address that only one host has: the address, and the first name.
fn own_lines(text: &str) -> impl Iterator<Item = (IpAddr, &str)> {
    let is_kubelets = text.starts_with("# Kubernetes-managed hosts file.");
    let kubelets = text.split("# Entries added by HostAliases").next().filter(|_| is_kubelets);
    kubelets.unwrap_or_default().lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        let is_own = !address.is_loopback() && !address.is_multicast() && !address.is_unspecified();
        Some((address, words.next().filter(|_| is_own)?))
    })
}

/// Whether a text is the id of a container.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(is_lower_hex)
}

/// Whether a text is the UID of a pod, or the hash of a static one.
#[must_use]
pub fn is_uid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    match text.len() {
        32 => text.bytes().all(is_lower_hex),
        36 => text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if dashes.contains(&i) { byte == b'-' } else { is_lower_hex(byte) }),
        _ => false,
    }
}

/// Whether the UID of a pod is the hash of a static one.
#[must_use]
pub fn is_static(uid: &str) -> bool {
    uid.len() == 32 && is_uid(uid)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A name as Kubernetes and docker allow it. Anything else is not one, whoever has put it there.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let good = !text.is_empty() && text.len() <= NAME_CHARS && text.bytes().all(fits);
    good.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "9729a196c4723b60ab401eaff722982d";

    fn names(namespace: &str, pod: &str, container: &str) -> Names {
        Names { namespace: name(namespace), pod: name(pod), container: name(container) }
    }

    #[test]
    fn a_link_in_the_log_directory_names_a_container() {
        let id = "0f".repeat(32);
        let link = format!("web-7d4b-x2z_shop_side-car-{id}.log");
        assert_eq!(log_link(&link), Some((id.as_str(), names("shop", "web-7d4b-x2z", "side-car"))));
        for hostile in
            ["", ".log", "a_b_c-12.log", &format!("a\n_b_c-{id}.log"), &format!("__c-{id}.log"), &link[..90]]
        {
            assert_eq!(log_link(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn a_directory_of_logs_names_a_pod_and_a_static_one_too() {
        let directory = format!("kube-system_kube-apiserver-node1_{HASH}");
        assert_eq!(log_directory(&directory), Some((HASH, names("kube-system", "kube-apiserver-node1", ""))));
        let uid = "3edaaeae-9080-4ba5-afa0-fb268056297d";
        assert_eq!(log_directory(&format!("shop_web-0_{uid}")), Some((uid, names("shop", "web-0", ""))));
        for hostile in [uid, "shop_web-0", "shop_web-0_../../etc", &format!("sh op_web_{uid}")] {
            assert_eq!(log_directory(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn the_runtime_s_configuration_names_a_container() {
        let containerd = br#"{"annotations":{"io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.container-name":"app"}}"#;
        assert_eq!(bundle(containerd), Some(names("shop", "web-0", "app")));
        let crio =
            br#"{"annotations":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}"#;
        assert_eq!(bundle(crio), Some(names("shop", "web-0", "")));
        assert_eq!(bundle(br#"{"annotations":{}}"#), None);
        assert_eq!(docker(br#"{"Name":"/proxy","Config":{"Env":["A=b"]}}"#), Some(names("", "", "proxy")));
        let of_kubelet = format!(r#"{{"Name":"/k8s_app_web-0_shop_{HASH}_3"}}"#);
        assert_eq!(docker(of_kubelet.as_bytes()), Some(names("shop", "web-0", "app")));
        assert_eq!(docker(br#"{"Name":"/k8s_app_web-0_shop_3"}"#), None);
    }

    #[test]
    fn the_kubelet_s_hosts_file_names_a_pod() {
        let file = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\nfe00::0\tip6-localnet\n\
                    ff02::1\tip6-allnodes\n10.244.0.7\tweb-0.web.shop.svc.cluster.local\tweb-0\n";
        assert_eq!(etc_hosts(file), Some(names("", "web-0", "")));
        let of_the_host = file.replace("hosts file.", "hosts file (host network).");
        assert_eq!((etc_hosts(&of_the_host), etc_hosts_addresses(&of_the_host)), (None, Vec::new()));
        let both = format!("{file}2001:db8::7\tweb-0.web.shop.svc.cluster.local\tweb-0\n");
        let addresses = etc_hosts_addresses(&both).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(addresses, ["10.244.0.7", "2001:db8::7"]);
        assert_eq!(
            etc_hosts(&format!("{file}\n# Entries added by HostAliases.\n192.0.2.9\tgate\n")),
            etc_hosts(file)
        );
        assert_eq!(etc_hosts("10.0.0.1 x\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", bytes: Vec<u8>) {
            let _ = (log_link(&text), log_directory(&text), etc_hosts(&text), etc_hosts_addresses(&text), bundle(&bytes), docker(&bytes));
        }

        #[test]
        fn what_is_taken_for_a_name_is_one(text in "\\PC{0,20}") {
            prop_assert!(name(&text).is_none_or(|name| name.is_ascii() && !name.contains('/')));
        }
    }
}
