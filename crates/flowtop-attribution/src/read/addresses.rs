//! Addresses of the pods of this host: libcni's cache, and the network namespaces of processes that are known
//! to be in pods.
//!
//! Only what a pod cannot write is believed. The hosts file that the kubelet makes for it is its own to edit, and says
//! nothing here; a network namespace counts where none of its processes may give it addresses.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Trouble;
use super::names::Sources;
use crate::parse::process::{local_v4, local_v6, may_change_addresses};
use flowtop_core::owner::Pod;
use flowtop_core::owner::addresses::{Addresses, Claim};

/// Namespaces that are kept. A node has some hundred pods.
const MAX_PODS: usize = 4096;
/// Most of what the kernel says of a process, and of the addresses of a namespace, that is read.
const MAX_STATUS_BYTES: usize = 64 << 10;
const MAX_ROUTES_BYTES: usize = 256 << 10;

/// A network namespace in which a process of a pod was seen.
struct Namespace {
    /// The process, which says whether the namespace is still there.
    process: PathBuf,
    addresses: Vec<IpAddr>,
}

/// Addresses of the pods on this host, as read so far.
pub struct PodAddresses {
    /// By inode number and pod: pods of a node that is a container itself share its namespace.
    namespaces: HashMap<(u64, Arc<Pod>), Namespace>,
    /// The host's own, where a pod says nothing about addresses.
    of_host: Option<u64>,
    /// The host's own namespace of users.
    users_of_host: Option<u64>,
}

impl PodAddresses {
    pub fn new(proc: Option<&Path>) -> Self {
        let of_host = |name| proc.and_then(|proc| inode(&proc.join("1"), name));
        Self { namespaces: HashMap::new(), of_host: of_host("net"), users_of_host: of_host("user") }
    }

    /// Notes in which network namespace a process of a pod lives.
    pub fn note(&mut self, process: &Path, pod: &Pod, trouble: &Trouble) {
        let Some(inode) =
            inode(process, "net").filter(|inode| self.of_host.is_some_and(|host| host != *inode))
        else {
            return;
        };
        let key = (inode, Arc::new(pod.clone()));
        let known = self.namespaces.get(&key);
        let is_full = self.namespaces.len() >= MAX_PODS && known.is_none();
        let is_known = known.is_some_and(|known| !known.addresses.is_empty());
        if is_full || is_known || !self.is_believed(process, trouble) {
            return;
        }
        let read = |file: &str| trouble.read_text(&process.join("net").join(file), MAX_ROUTES_BYTES);
        let mut addresses = read("fib_trie").map_or_else(Vec::new, |text| local_v4(&text));
        addresses.extend(read("if_inet6").map_or_else(Vec::new, |text| local_v6(&text)));
        self.namespaces.insert(key, Namespace { process: process.to_owned(), addresses });
    }

    /// Whether the addresses of a process's network are the runtime's: the creator of a user namespace has rights
    /// over the network namespaces that it makes there, and `CAP_NET_ADMIN` gives them over its own.
    fn is_believed(&self, process: &Path, trouble: &Trouble) -> bool {
        let is_of_host = self.users_of_host.is_some() && inode(process, "user") == self.users_of_host;
        let status = trouble.read_text(&process.join("status"), MAX_STATUS_BYTES);
        is_of_host && status.is_some_and(|status| may_change_addresses(&status) == Some(false))
    }

    /// All of them as they are now, the best source first.
    pub fn read(&mut self, sources: &mut Sources, trouble: &Trouble) -> Addresses {
        Addresses::of([sources.claims(trouble), self.of_namespaces()])
    }

    /// A number may have been given to another namespace when its processes had gone. What two say of one address
    /// stands against each other.
    fn of_namespaces(&mut self) -> Vec<Claim> {
        self.namespaces.retain(|(number, _), known| inode(&known.process, "net") == Some(*number));
        let claim = |((number, pod), known): (&(u64, Arc<Pod>), &Namespace)| Claim {
            network: format!("{number} {}", pod.text()),
            written_ns: 0,
            pod: Arc::clone(pod),
            addresses: known.addresses.clone(),
        };
        self.namespaces.iter().map(claim).collect()
    }
}

/// Inode number of a process's namespace.
fn inode(process: &Path, name: &str) -> Option<u64> {
    fs::metadata(process.join("ns").join(name)).ok().map(|namespace| namespace.ino())
}
