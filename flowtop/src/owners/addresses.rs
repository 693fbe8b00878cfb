//! Which pods of this host have which addresses: libcni's cache, the kubelet's hosts files, and the network namespaces of
//! processes that are known to be in pods.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Trouble, written_ns};
use super::names::Sources;
use crate::core::owner::Pod;
use crate::core::owner::addresses::{Addresses, Claim};
use crate::core::owner::kubernetes::{etc_hosts_addresses, is_uid};
use crate::core::owner::process::{local_v4, local_v6};

/// Pods that are looked at in a source. A node has some hundred.
const MAX_PODS: usize = 4096;
/// Most of a hosts file, and of what the kernel says of the addresses of a namespace, that is read.
const MAX_HOSTS_BYTES: usize = 1 << 20;
const MAX_ROUTES_BYTES: usize = 256 << 10;

/// A hosts file when it was last read.
struct HostsFile {
    written_ns: u128,
    addresses: Vec<IpAddr>,
}

/// A network namespace in which a process of a pod was seen.
struct Namespace {
    /// The process, which says whether the namespace is still there.
    process: PathBuf,
    addresses: Vec<IpAddr>,
}

/// What has been read so far.
pub struct PodAddresses {
    pods: PathBuf,
    /// By the UID of the pod.
    hosts_files: HashMap<String, HostsFile>,
    /// By inode number and pod: pods of a node that is a container itself share its namespace.
    namespaces: HashMap<(u64, Arc<Pod>), Namespace>,
    /// The host's own, where a pod says nothing about addresses.
    of_host: Option<u64>,
}

impl PodAddresses {
    /// Looks below `root`, and for processes below `proc`.
    pub fn new(root: &Path, proc: Option<&Path>) -> Self {
        Self {
            pods: root.join("var/lib/kubelet/pods"),
            hosts_files: HashMap::new(),
            namespaces: HashMap::new(),
            of_host: proc.and_then(|proc| inode(&proc.join("1"))),
        }
    }

    /// Notes in which network namespace a process of a pod lives.
    pub fn note(&mut self, process: &Path, pod: &Pod, trouble: &Trouble) {
        let Some(inode) = inode(process).filter(|inode| self.of_host.is_some_and(|host| host != *inode))
        else {
            return;
        };
        let key = (inode, Arc::new(pod.clone()));
        let known = self.namespaces.get(&key);
        let is_full = self.namespaces.len() >= MAX_PODS && known.is_none();
        if is_full || known.is_some_and(|known| !known.addresses.is_empty()) {
            return;
        }
        let read = |file: &str| trouble.read_text(&process.join("net").join(file), MAX_ROUTES_BYTES);
        let mut addresses = read("fib_trie").map_or_else(Vec::new, |text| local_v4(&text));
        addresses.extend(read("if_inet6").map_or_else(Vec::new, |text| local_v6(&text)));
        self.namespaces.insert(key, Namespace { process: process.to_owned(), addresses });
    }

    /// All of them as they are now, the best source first.
    pub fn read(&mut self, sources: &mut Sources, trouble: &Trouble) -> Addresses {
        let of_cache = sources.claims(trouble);
        let of_hosts_files = self.of_hosts_files(sources, trouble);
        Addresses::of([of_cache, of_hosts_files, self.of_namespaces()])
    }

    fn of_hosts_files(&mut self, sources: &mut Sources, trouble: &Trouble) -> Vec<Claim> {
        let mut uids = trouble.names_in(&self.pods);
        uids.retain(|uid| is_uid(uid));
        if uids.len() > MAX_PODS {
            trouble.cut();
            uids.truncate(MAX_PODS);
        }
        let mut before = std::mem::take(&mut self.hosts_files);
        let mut claims = Vec::new();
        for uid in uids {
            let path = self.pods.join(&uid).join("etc-hosts");
            let Some(written_ns) = trouble.value(written_ns(&path)) else { continue };
            let new = || {
                let text = trouble.read_text(&path, MAX_HOSTS_BYTES).unwrap_or_default();
                HostsFile { written_ns, addresses: etc_hosts_addresses(&text) }
            };
            let file = before.remove(&uid).filter(|file| file.written_ns == written_ns).unwrap_or_else(new);
            if !file.addresses.is_empty() {
                let pod = Arc::new(sources.pod(&uid, trouble));
                let (network, addresses) = (String::new(), file.addresses.clone());
                claims.push(Claim { network, written_ns, pod, addresses });
            }
            self.hosts_files.insert(uid, file);
        }
        claims
    }

    /// A number may have been given to another namespace when its processes had gone. What two say of one address
    /// stands against each other.
    fn of_namespaces(&mut self) -> Vec<Claim> {
        self.namespaces.retain(|(number, _), known| inode(&known.process) == Some(*number));
        let claim = |((number, pod), known): (&(u64, Arc<Pod>), &Namespace)| Claim {
            network: format!("{number} {}", pod.text()),
            written_ns: 0,
            pod: Arc::clone(pod),
            addresses: known.addresses.clone(),
        };
        self.namespaces.iter().map(claim).collect()
    }
}

/// The network namespace of a process.
fn inode(process: &Path) -> Option<u64> {
    fs::metadata(process.join("ns/net")).ok().map(|namespace| namespace.ino())
}
