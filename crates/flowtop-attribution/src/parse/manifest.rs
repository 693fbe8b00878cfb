//! Static pods: their manifests, and the name of the node from the kubelet's command line.
//!
//! Not in here: where the files are (`crate::read::manifests`). The hash that is a static pod's UID covers kubelet's
//! own form of the pod and cannot be made from the file, so a manifest is found by its containers.

use serde::Deserialize;

use super::kubernetes::{Names, name};

/// The pod in a file from which a kubelet makes a static pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    names: Names,
    uid: Option<String>,
    containers: Vec<String>,
}

#[derive(Deserialize)]
struct Pod {
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
}

impl Manifest {
    /// The one pod in a text of YAML or JSON.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let Pod { kind, metadata, spec } = serde_saphyr::from_str(text).ok()?;
        let namespace = metadata.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        let names = Names {
            namespace: Some(name(namespace.unwrap_or("default"))?),
            pod: Some(name(&metadata.name)?),
            container: None,
        };
        let containers = spec.containers.into_iter().chain(spec.init_containers);
        let containers = containers.map(|container| container.name).collect();
        (kind == "Pod").then_some(Self { names, uid: metadata.uid, containers })
    }

    fn may_be(&self, uid: &str, containers: &[String]) -> bool {
        match self.uid.as_deref().filter(|own| !own.is_empty()) {
            Some(own) => own == uid,
            None => containers.iter().all(|container| self.containers.contains(container)),
        }
    }
}

/// The name of the static pod with this UID, some containers of which are known, on this node. A file that is not
/// understood (`None`) could be any pod's; where more than one could be meant, none is.
#[must_use]
pub fn static_pod(
    manifests: &[Option<Manifest>],
    uid: &str,
    containers: &[String],
    node: &str,
) -> Option<Names> {
    let may_be = |file: &&Option<Manifest>| file.as_ref().is_none_or(|pod| pod.may_be(uid, containers));
    let mut meant = manifests.iter().filter(may_be);
    let (Some(Some(only)), None) = (meant.next(), meant.next()) else { return None };
    if containers.is_empty() && only.uid.is_none() {
        return None;
    }
    let pod = format!("{}-{node}", only.names.pod.as_ref()?);
    Some(Names { pod: Some(name(&pod)?), ..only.names.clone() })
}

/// From where a kubelet has the name of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Given by an argument.
    Named(String),
    /// It is the host name that the kubelet sees.
    Host,
}

/// Name of the node by the kubelet's arguments, which end with a NUL each. `None` if a cloud provider gives the name.
#[must_use]
pub fn node(command_line: &[u8]) -> Option<Node> {
    let arguments = || command_line.split(|byte| *byte == 0).filter_map(|bytes| str::from_utf8(bytes).ok());
    let value = |flag: &str| {
        let pairs = arguments().zip(arguments().skip(1));
        let apart = pairs.filter(|(name, _)| *name == flag).map(|(_, value)| value).last();
        let joined =
            arguments().filter_map(|argument| argument.strip_prefix(flag)?.strip_prefix('=')).next_back();
        joined.or(apart).filter(|value| !value.is_empty())
    };
    match (value("--cloud-provider"), value("--hostname-override")) {
        (Some(cloud), _) if cloud != "external" => None,
        (_, Some(told)) => node_name(told).map(Node::Named),
        (_, None) => Some(Node::Host),
    }
}

/// A node's name as kubelets write it.
#[must_use]
pub fn node_name(host: &str) -> Option<String> {
    name(&host.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::iter;

    const UID: &str = "9729a196c4723b60ab401eaff722982d";

    fn pod(name: &str, containers: &[&str]) -> Option<Manifest> {
        let list = containers.join("}, {name: ");
        Manifest::read(&format!(
            "# a comment\napiVersion: v1\nkind: Pod\nmetadata:\n  labels: {{tier: control-plane}}\n  name: {name}\n  \
             namespace: kube-system\nspec:\n  containers: [{{name: {list}}}]\n  hostNetwork: true\nstatus: {{}}\n"
        ))
    }

    fn meant(manifests: &[Option<Manifest>], containers: &[&str]) -> Option<String> {
        let containers: Vec<String> = containers.iter().map(|&name| name.to_owned()).collect();
        let names = static_pod(manifests, UID, &containers, "node1")?;
        Some(format!("{}/{}", names.namespace?, names.pod?))
    }

    #[test]
    fn a_static_pod_is_found_by_its_containers() {
        let manifests = [pod("etcd", &["etcd"]), pod("apiserver", &["apiserver", "side"])];
        assert!(manifests.iter().all(Option::is_some));
        assert_eq!(meant(&manifests, &["side"]).as_deref(), Some("kube-system/apiserver-node1"));
        assert_eq!(meant(&manifests, &["etcd"]).as_deref(), Some("kube-system/etcd-node1"));
        assert_eq!(meant(&manifests, &["etcd", "side"]), None);
    }

    #[test]
    fn where_two_could_be_meant_none_is() {
        assert_eq!(meant(&[pod("a", &["app"]), pod("b", &["app", "other"])], &["app"]), None);
        assert_eq!(meant(&[pod("a", &["app"]), Manifest::read("- not\n- a pod")], &["app"]), None);
        // No container is known: even a manifest that is alone may not be the one.
        assert_eq!(meant(&[pod("a", &["app"])], &[]), None);
        assert_eq!(meant(&[], &["app"]), None);
    }

    #[test]
    fn a_manifest_with_a_uid_is_that_pod_and_no_other() {
        let json = |uid: &str| {
            let text = r#"{"kind":"Pod","metadata":{"name":"vip","uid":"UID"},"spec":{"containers":[{"name":"vip"}]}}"#;
            Manifest::read(&text.replace("UID", uid))
        };
        assert_eq!(meant(&[json(UID)], &[]).as_deref(), Some("default/vip-node1"));
        assert_eq!(meant(&[json("other")], &["vip"]), None);
    }

    #[test]
    fn what_is_no_pod_is_not_understood() {
        for text in [
            "",
            "kind: Pod",
            "kind: Deployment\nmetadata: {name: a}\nspec: {containers: [{name: a}]}",
            "kind: Pod\nmetadata: {name: \"a\\e[31m\"}\nspec: {containers: [{name: a}]}",
            "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n---\nkind: Pod\n",
            "kind: Pod\nmetadata: {name: a, name: b}\nspec: {containers: [{name: a}]}",
        ] {
            assert_eq!(Manifest::read(text), None, "{text}");
        }
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let level = |level: u32| format!("a{}: &a{} [*a{level}, *a{level}]\n", level + 1, level + 1);
        let text: String = iter::once("a0: &a0 [x, x]\n".to_owned()).chain((0..40).map(level)).collect();
        assert_eq!(Manifest::read(&text), None);
    }

    #[test]
    fn a_kubelet_tells_the_name_of_its_node() {
        let named = |name: &str| Some(Node::Named(name.to_owned()));
        assert_eq!(node(b"kubelet\0--config=/a\0"), Some(Node::Host));
        assert_eq!(node(b"kubelet\0--hostname-override=Node-7\0"), named("node-7"));
        assert_eq!(node(b"kubelet\0--hostname-override\0node-8\0--v=2\0"), named("node-8"));
        assert_eq!(node(b"kubelet\0--cloud-provider=external\0"), Some(Node::Host));
        assert_eq!(node(b"kubelet\0--cloud-provider=aws\0--hostname-override=a\0"), None);
        assert_eq!(node(b"kubelet\0--hostname-override=a b\0"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", yaml in "[-:{}\\[\\]&*a \n\"']{0,60}", bytes: Vec<u8>) {
            let _ = (Manifest::read(&text), Manifest::read(&yaml), node(&bytes), node_name(&text));
        }
    }
}
