//! Names of pods and containers, as the files of a node spell them: the kubelet's log directories, the configuration
//! of a container for its runtime, docker's own files.
//!
//! Not in here: where the files are and in which order they are asked (`read`).

use std::collections::HashMap;

use flowtop_core::owner::is_uid;
use serde::Deserialize;
use serde_json::Value;

/// Names of a container and its pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub container: Option<String>,
}

/// Length of a container's id, in hex digits.
const ID_CHARS: usize = 64;
/// Longest name that Kubernetes allows.
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

/// A runtime that keeps the configuration of a container as OCI has it, with its own words for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Containerd,
    /// CRI-O. It hands on the annotations that a pod's author has written, also those that look like containerd's, and
    /// the kubelet's own labels over them.
    CriO,
}

impl Runtime {
    /// Annotations with the namespace, the pod, the container and the UID of the pod.
    const fn annotations(self) -> [&'static str; 4] {
        match self {
            Self::Containerd => [
                "io.kubernetes.cri.sandbox-namespace",
                "io.kubernetes.cri.sandbox-name",
                "io.kubernetes.cri.container-name",
                "io.kubernetes.cri.sandbox-uid",
            ],
            Self::CriO => [
                "io.kubernetes.pod.namespace",
                "io.kubernetes.pod.name",
                "io.kubernetes.container.name",
                "io.kubernetes.pod.uid",
            ],
        }
    }
}

/// The names in the `config.json` of a container. Of another pod than that of its cgroup, if that is known, it says
/// nothing.
#[must_use]
pub fn bundle(config: &[u8], runtime: Runtime, pod_uid: Option<&str>) -> Option<Names> {
    #[derive(Deserialize)]
    struct Config {
        annotations: serde_json::Map<String, Value>,
    }
    let Config { annotations } = serde_json::from_slice(config).ok()?;
    let [namespace, pod, container, uid] = runtime.annotations().map(|key| annotations.get(key)?.as_str());
    let is_of_the_pod = uid.is_none() || pod_uid.is_none() || uid == pod_uid;
    let [namespace, pod, container] = [namespace, pod, container].map(|text| text.and_then(name));
    (pod.is_some() && is_of_the_pod).then_some(Names { namespace, pod, container })
}

/// The name that nerdctl gives a container, in the `config.json` of one that is in no pod: authors of pods may have such an
/// annotation too.
#[must_use]
pub fn nerdctl(config: &[u8], pod_uid: Option<&str>) -> Option<Names> {
    #[derive(Deserialize)]
    struct Config {
        annotations: serde_json::Map<String, Value>,
    }
    let Config { annotations } = serde_json::from_slice(config).ok()?;
    let container = annotations.get("nerdctl/name").and_then(Value::as_str).and_then(name);
    container
        .filter(|_| pod_uid.is_none())
        .map(|container| Names { container: Some(container), ..Names::default() })
}

/// The first name of each container by its id, in the `containers.json` of the storage that podman and CRI-O share;
/// nothing else of the file is kept.
#[must_use]
pub fn storage(list: &[u8]) -> HashMap<String, String> {
    #[derive(Deserialize)]
    struct Container {
        id: String,
        #[serde(default)]
        names: Option<Vec<String>>,
    }
    let containers: Vec<Container> = serde_json::from_slice(list).unwrap_or_default();
    let first = |container: Container| Some((container.id, container.names?.into_iter().next()?));
    containers.into_iter().filter_map(first).filter(|(id, _)| is_id(id)).collect()
}

/// The name in docker's `config.v2.json`; nothing else of the file is kept. Who starts a container chooses its name, so
/// that of another pod than that of its cgroup, if that is known, says nothing.
#[must_use]
pub fn docker(config: &[u8], pod_uid: Option<&str>) -> Option<Names> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "Name")]
        name: String,
    }
    let Config { name: found } = serde_json::from_slice(config).ok()?;
    container(found.trim_start_matches('/'), pod_uid)
}

/// What the name of a container says: that of docker, podman or nerdctl, or one that a kubelet has made.
#[must_use]
pub fn container(found: &str, pod_uid: Option<&str>) -> Option<Names> {
    if let Some(of_pod) = found.strip_prefix("k8s_") {
        return kubelets_container(of_pod, pod_uid);
    }
    let container = name(found);
    container.is_some().then_some(Names { container, ..Names::default() })
}

/// Parses the kubelet's name of a container of docker or CRI-O, behind `k8s_`: `CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn kubelets_container(text: &str, pod_uid: Option<&str>) -> Option<Names> {
    let parts: Vec<&str> = text.split('_').collect();
    let [container, pod, namespace, uid, _attempt] = parts[..] else { return None };
    let is_of_the_pod = is_uid(uid) && pod_uid.is_none_or(|expected| expected == uid);
    is_of_the_pod.then_some(Names {
        namespace: Some(name(namespace)?),
        pod: Some(name(pod)?),
        container: Some(name(container)?),
    })
}

/// Whether a text is the id of a container.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(is_lower_hex)
}

/// Whether the UID of a pod is the hash of a static one.
#[must_use]
pub fn is_static(uid: &str) -> bool {
    uid.len() == 32 && is_uid(uid)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A name as Kubernetes and docker allow it. Anything else is not one.
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
        let of = |config: &[u8], runtime| bundle(config, runtime, None);
        assert_eq!(of(containerd, Runtime::Containerd), Some(names("shop", "web-0", "app")));
        let crio =
            br#"{"annotations":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}"#;
        assert_eq!(of(crio, Runtime::CriO), Some(names("shop", "web-0", "")));
        // What a runtime does not write itself, the author of a pod may have written.
        assert_eq!((of(containerd, Runtime::CriO), of(crio, Runtime::Containerd)), (None, None));
        assert_eq!(of(br#"{"annotations":{}}"#, Runtime::Containerd), None);
    }

    #[test]
    fn docker_s_configuration_names_a_container() {
        let of = |config: &[u8]| docker(config, None);
        assert_eq!(of(br#"{"Name":"/proxy","Config":{"Env":["A=b"]}}"#), Some(names("", "", "proxy")));
        let of_kubelet = format!(r#"{{"Name":"/k8s_app_web-0_shop_{HASH}_3"}}"#);
        assert_eq!(of(of_kubelet.as_bytes()), Some(names("shop", "web-0", "app")));
        assert_eq!(of(br#"{"Name":"/k8s_app_web-0_shop_3"}"#), None);
    }

    #[test]
    fn podman_s_storage_names_containers() {
        let (a, b, c) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
        let list = format!(
            r#"[{{"id":"{a}","names":["web","alias"],"metadata":"{{}}"}},{{"id":"{b}"}},{{"id":"{c}","names":[]}},
            {{"id":"../x","names":["y"]}}]"#
        );
        assert_eq!(storage(list.as_bytes()), HashMap::from([(a, "web".to_owned())]));
        assert!(storage(b"{").is_empty());
        let of_crio = format!("k8s_app_web-0_shop_{HASH}_0");
        assert_eq!(container(&of_crio, Some(HASH)), Some(names("shop", "web-0", "app")));
    }

    #[test]
    fn nerdctl_names_its_containers_but_none_of_a_pod() {
        let config = br#"{"annotations":{"nerdctl/name":"web","nerdctl/namespace":"default"}}"#;
        assert_eq!(nerdctl(config, None), Some(names("", "", "web")));
        assert_eq!((nerdctl(config, Some(HASH)), nerdctl(b"{}", None)), (None, None));
    }

    #[test]
    fn a_container_of_another_pod_names_nothing() {
        let other = "3edaaeae-9080-4ba5-afa0-fb268056297d";
        let crio = format!(
            r#"{{"annotations":{{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.uid":"{HASH}"}}}}"#
        );
        let docker_s = format!(r#"{{"Name":"/k8s_app_web-0_shop_{HASH}_3"}}"#);
        for (uid, pod) in [(HASH, name("web-0")), (other, None)] {
            assert_eq!(bundle(crio.as_bytes(), Runtime::CriO, Some(uid)).and_then(|names| names.pod), pod);
            assert_eq!(docker(docker_s.as_bytes(), Some(uid)).and_then(|names| names.pod), pod);
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", bytes: Vec<u8>) {
            let runtimes = [Runtime::Containerd, Runtime::CriO].map(|runtime| bundle(&bytes, runtime, None));
            let _ = (log_link(&text), log_directory(&text), runtimes, docker(&bytes, None), nerdctl(&bytes, None), storage(&bytes));
        }

        #[test]
        fn what_is_taken_for_a_name_is_one(text in "\\PC{0,20}") {
            prop_assert!(name(&text).is_none_or(|name| name.is_ascii() && !name.contains('/')));
        }
    }
}
