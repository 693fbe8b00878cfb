//! Pods of this host by address; none where an address is ambiguous.
//!
//! Not in here: the files that say so (`flowtop_attribution`).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use hashbrown::HashMap;

use super::Pod;

/// One source's statement on the addresses of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The network in which the addresses are given out, each to one pod at a time.
    pub network: String,
    /// When the source was written, in nanoseconds since 1970: the younger one is right.
    pub written_ns: u128,
    pub pod: Arc<Pod>,
    pub addresses: Vec<IpAddr>,
}

/// Pods by address, from several sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(HashMap<IpAddr, Option<Arc<Pod>>>);

impl Addresses {
    /// Takes the sources, the best one first: what one says of an address, a later one cannot change.
    #[must_use]
    pub fn of(sources: impl IntoIterator<Item = Vec<Claim>>) -> Self {
        let mut all = HashMap::new();
        for claims in sources {
            for (address, pod) in settled(claims) {
                all.entry(address).or_insert(pod);
            }
        }
        Self(all)
    }

    /// The pod that has an address.
    #[must_use]
    pub fn pod(&self, address: IpAddr) -> Option<&Arc<Pod>> {
        self.0.get(&address.to_canonical())?.as_ref()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Addresses by one source: `None` where two networks give the same address to two pods.
fn settled(mut claims: Vec<Claim>) -> HashMap<IpAddr, Option<Arc<Pod>>> {
    claims.sort_by_key(|claim| claim.written_ns);
    let mut newest = HashMap::<IpAddr, HashMap<String, Arc<Pod>>>::new();
    for Claim { network, pod, addresses, .. } in claims {
        for address in addresses.into_iter().filter_map(of_a_pod) {
            newest.entry(address).or_default().insert(network.clone(), Arc::clone(&pod));
        }
    }
    let only = |pods: HashMap<String, Arc<Pod>>| {
        let mut pods = pods.into_values();
        let first = pods.next();
        first.filter(|first| pods.all(|other| other == *first))
    };
    newest.into_iter().map(|(address, pods)| (address, only(pods))).collect()
}

/// An address that tells a pod from others.
fn of_a_pod(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    let is_shared = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let is_none = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    (!is_shared && !is_none).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(network: &str, written_ns: u128, name: &str, addresses: &[&str]) -> Claim {
        Claim {
            network: network.to_owned(),
            written_ns,
            pod: Arc::new(Pod { namespace: None, name: name.to_owned() }),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn names(addresses: &Addresses, of: &[&str]) -> Vec<String> {
        let name = |text: &&str| addresses.pod(text.parse().unwrap()).map(|pod| pod.name.clone());
        of.iter().map(|text| name(text).unwrap_or_default()).collect()
    }

    #[test]
    fn a_pod_has_its_addresses_of_both_families() {
        let found = Addresses::of([vec![claim("n", 1, "web", &["10.0.0.7", "2001:db8::7"])]]);
        assert_eq!(names(&found, &["10.0.0.7", "::ffff:10.0.0.7", "2001:db8::7"]), ["web"; 3]);
        assert_eq!(names(&found, &["10.0.0.8"]), [""]);
    }

    #[test]
    fn in_one_network_the_younger_claim_is_right_and_between_two_none_is() {
        let old = claim("n", 1, "old", &["10.0.0.7"]);
        let new = claim("n", 2, "new", &["10.0.0.7"]);
        for claims in [vec![old.clone(), new.clone()], vec![new.clone(), old]] {
            assert_eq!(names(&Addresses::of([claims]), &["10.0.0.7"]), ["new"]);
        }
        let other = claim("m", 9, "other", &["10.0.0.7"]);
        assert_eq!(names(&Addresses::of([vec![new.clone(), other.clone()]]), &["10.0.0.7"]), [""]);
        // The same pod in two networks is one.
        let same = Claim { network: "m".to_owned(), ..new.clone() };
        assert_eq!(names(&Addresses::of([vec![new.clone(), same]]), &["10.0.0.7"]), ["new"]);
        // A worse source decides nothing that a better one has left open.
        assert_eq!(
            names(&Addresses::of([vec![new.clone(), other.clone()], vec![other]]), &["10.0.0.7"]),
            [""]
        );
        assert_eq!(
            names(&Addresses::of([vec![new], vec![claim("", 3, "x", &["10.0.0.7"])]]), &["10.0.0.7"]),
            ["new"]
        );
    }

    #[test]
    fn addresses_that_everybody_has_are_nobody_s() {
        let shared = ["127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1", "ff02::1", "224.0.0.1"];
        assert!(Addresses::of([vec![claim("n", 1, "web", &shared)]]).is_empty());
    }
}
