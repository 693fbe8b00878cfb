//! Which pod has which network namespace: that of its sandbox and of all its containers.
//!
//! A proxy may hold sockets in the namespace of a pod without living there, as ztunnel does for each pod of its node. So a
//! namespace is asked for by itself: in it are the processes of its pod, at least the one that keeps it (pause).

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Pace, Trouble};
use super::names::Sources;
use super::process;
use crate::parse::cgroup::{self, Place};
use flowtop_core::owner::Pod;

/// Namespaces that are kept. A node has some hundred pods.
const MAX_NAMESPACES: usize = 4096;
/// Processes of one namespace that are asked which pod they are in.
const MAX_PROCESSES: usize = 64;

/// Pods by the inode number of their network namespace.
pub type Namespaces = HashMap<u32, Arc<Pod>>;

/// The pods of this host's network namespaces, as they were last looked for.
pub struct PodNamespaces {
    proc: Option<PathBuf>,
    node: String,
    /// The host's own, in which many pods may be.
    of_host: Option<u32>,
    pace: Pace,
    found: Namespaces,
}

impl PodNamespaces {
    /// Looks for processes below `proc`, on a node whose own cgroup is `node`.
    pub fn new(proc: Option<&Path>, node: &str, trouble: &Trouble) -> Self {
        let of_host = proc.and_then(|proc| of_host(proc, trouble));
        let (pace, found) = Default::default();
        Self { proc: proc.map(Path::to_owned), node: node.to_owned(), of_host, pace, found }
    }

    /// All of them as they are now, or were a moment ago.
    pub fn read(&mut self, sources: &mut Sources, trouble: &Trouble) -> Namespaces {
        let Self { proc, node, of_host, pace, found } = self;
        // Without the host's own namespace, one of a pod cannot be told from it.
        if let (Some(proc), Some(of_host)) = (proc, *of_host) {
            pace.walk(|| *found = look(proc, node, of_host, sources, trouble));
        }
        found.clone()
    }
}

fn look(proc: &Path, node: &str, of_host: u32, sources: &mut Sources, trouble: &Trouble) -> Namespaces {
    let mut found = Namespaces::new();
    for (netns, processes) in processes(proc, of_host, trouble) {
        if let Some(pod) = pod(&processes, node, sources, trouble) {
            found.insert(netns, Arc::new(pod));
        }
    }
    found
}

/// Some processes of each namespace but the host's own.
fn processes(proc: &Path, of_host: u32, trouble: &Trouble) -> HashMap<u32, Vec<PathBuf>> {
    let mut found: HashMap<u32, Vec<PathBuf>> = HashMap::new();
    let names =
        trouble.names_in(proc).into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    for folder in names.map(|name| proc.join(name)) {
        let Some(netns) = netns(&folder).filter(|netns| *netns != of_host) else { continue };
        if found.len() >= MAX_NAMESPACES && !found.contains_key(&netns) {
            trouble.cut();
            continue;
        }
        let known = found.entry(netns).or_default();
        if known.len() < MAX_PROCESSES {
            known.push(folder);
        }
    }
    found
}

/// The pod that processes of one namespace are in. Where some are in another one, or in a container of no pod, as on a
/// node that is a container itself, none is. Who is in no container at all has been put there by the host.
fn pod(processes: &[PathBuf], node: &str, sources: &mut Sources, trouble: &Trouble) -> Option<Pod> {
    let places = processes.iter().filter_map(|folder| process::cgroup(folder, trouble));
    let places = places.map(|path| cgroup::parse_on(node, &path)).filter(|place| !place.is_of_host());
    let mut only: Option<Place> = None;
    for place in places {
        let is_other = only.as_ref().is_some_and(|known| known.pod_uid != place.pod_uid);
        if place.is_claimed || place.pod_uid.is_none() || is_other {
            return None;
        }
        only = Some(only.filter(|known| known.hosts_container_id.is_some()).unwrap_or(place));
    }
    let names = sources.names(&only?, trouble);
    Some(Pod { namespace: names.namespace, name: names.pod? })
}

/// The host's own network namespace: that of its first process. Where there is no looking at that one, it is flowtop's, if
/// that is in no container.
fn of_host(proc: &Path, trouble: &Trouble) -> Option<u32> {
    let own = || {
        let folder = proc.join("self");
        let place = cgroup::parse(&process::cgroup(&folder, trouble)?);
        netns(&folder).filter(|_| place.is_of_host())
    };
    netns(&proc.join("1")).or_else(own)
}

fn netns(process: &Path) -> Option<u32> {
    let namespace = fs::metadata(process.join("ns/net")).ok()?;
    u32::try_from(namespace.ino()).ok()
}
