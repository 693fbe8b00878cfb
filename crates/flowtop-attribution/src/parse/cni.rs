//! libcni's cache file for a sandbox with a network: `/var/lib/cni/results/NETWORK-CONTAINER-INTERFACE`.
//!
//! Not in here: the folder (`crate::results`).

use std::net::IpAddr;

use serde::Deserialize;

use super::kubernetes::{Names, is_id, name};
use flowtop_core::owner::is_uid;

/// A pod as the runtime told the network plugin about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Id of the sandbox, which is a container too.
    pub sandbox_id: String,
    /// UID of the pod, where the runtime tells it.
    pub pod_uid: Option<String>,
    /// Names of the namespace and of the pod.
    pub names: Names,
    /// The network that gave the pod its addresses.
    pub network: String,
    pub addresses: Vec<IpAddr>,
}

/// Addresses of one attachment that are kept.
const MAX_ADDRESSES: usize = 16;

/// Result of the network plugin, in the forms of CNI 0.2 and of 0.3 and later.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    ips: Vec<Ip>,
    ip4: Option<OldIp>,
    ip6: Option<OldIp>,
}

#[derive(Deserialize)]
struct Ip {
    address: String,
}

#[derive(Deserialize)]
struct OldIp {
    ip: String,
}

impl Outcome {
    fn addresses(self) -> Vec<IpAddr> {
        let new = self.ips.into_iter().map(|ip| ip.address);
        let old = [self.ip4, self.ip6].into_iter().flatten().map(|ip| ip.ip);
        let address = |text: String| text.split('/').next()?.parse().ok();
        new.chain(old).filter_map(address).take(MAX_ADDRESSES).collect()
    }
}

/// The pod in a file of the cache; `None` of one without a pod's names.
#[must_use]
pub fn attachment(file: &[u8]) -> Option<Attachment> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cached {
        container_id: String,
        cni_args: Vec<[String; 2]>,
        #[serde(default)]
        network_name: String,
        /// Read on its own: a pod without addresses is still one.
        #[serde(default)]
        result: serde_json::Value,
    }
    let Cached { container_id, cni_args, network_name, result } = serde_json::from_slice(file).ok()?;
    let value = |key: &str| cni_args.iter().find(|[name, _]| name == key).map(|[_, value]| value.as_str());
    let names = Names {
        namespace: Some(value("K8S_POD_NAMESPACE").and_then(name)?),
        pod: Some(value("K8S_POD_NAME").and_then(name)?),
        container: None,
    };
    let pod_uid = value("K8S_POD_UID").filter(|uid| is_uid(uid)).map(str::to_owned);
    let addresses = serde_json::from_value(result).map(Outcome::addresses).unwrap_or_default();
    let network = network_name;
    is_id(&container_id).then_some(Attachment {
        sandbox_id: container_id,
        pod_uid,
        names,
        network,
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "6d1780d4-0501-4804-a676-5ebd49ceb9c5";

    fn file(pod: &str) -> String {
        format!(
            r#"{{"kind":"cniCacheV1","containerId":"{}","config":"e30=","ifName":"eth0","networkName":"cbr0",
            "cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","{pod}"],
            ["K8S_POD_UID","{UID}"]],"result":{{"ips":[{{"address":"10.244.0.7/24"}}]}}}}"#,
            "0f".repeat(32)
        )
    }

    #[test]
    fn a_sandbox_has_the_names_of_its_pod() {
        let found = attachment(file("web-0").as_bytes()).unwrap();
        assert_eq!((found.sandbox_id, found.pod_uid.as_deref()), ("0f".repeat(32), Some(UID)));
        assert_eq!(found.names.namespace.as_deref(), Some("shop"));
        assert_eq!(found.names.pod.as_deref(), Some("web-0"));
        assert_eq!((found.network.as_str(), found.addresses), ("cbr0", vec![IpAddr::from([10, 244, 0, 7])]));
    }

    #[test]
    fn addresses_are_read_in_every_form_that_plugins_write() {
        let with = |result: &str| {
            let text = file("web-0").replace(r#"{"ips":[{"address":"10.244.0.7/24"}]}"#, result);
            attachment(text.as_bytes()).unwrap().addresses
        };
        let both = [IpAddr::from([10, 1, 2, 3]), "2001:db8::3".parse().unwrap()];
        assert_eq!(with(r#"{"ip4":{"ip":"10.1.2.3/24"},"ip6":{"ip":"2001:db8::3/64","gateway":"x"}}"#), both);
        assert_eq!(
            with(
                r#"{"ips":[{"version":"4","address":"10.1.2.3/24"},{"address":"2001:db8::3/64"}],"dns":{}}"#
            ),
            both
        );
        for none in ["{}", "null", "[]", "7", r#"{"ips":[{"address":"\u001b"}]}"#, r#"{"ips":{}}"#] {
            assert_eq!(with(none).len(), 0, "{none}");
        }
        let many = vec![r#"{"address":"10.1.2.3/24"}"#; 1000].join(",");
        assert_eq!(with(&format!(r#"{{"ips":[{many}]}}"#)).len(), MAX_ADDRESSES);
    }

    #[test]
    fn what_names_no_pod_says_nothing() {
        let good = file("web-0");
        for text in [
            &file("a\\u001b[31m"),
            &file(""),
            &good.replace("K8S_POD_NAME\"", "OTHER\""),
            &good.replace("0f0f", "../"),
            &good[..good.len() - 1],
            "{}",
        ] {
            assert_eq!(attachment(text.as_bytes()), None, "{text}");
        }
        assert_eq!(attachment(good.replace(UID, "7").as_bytes()).unwrap().pod_uid, None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes: Vec<u8>) {
            let _ = attachment(&bytes);
        }
    }
}
