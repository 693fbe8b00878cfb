//! Names of pods and containers: the local sources, best first.
//!
//! Not in here: how a source spells a name (`parse::kubernetes`).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::files::Trouble;
use super::manifests::Manifests;
use super::runtimes::Runtimes;
use super::uts;
use crate::parse::cgroup::{Place, Rootless};
use crate::parse::kubernetes::{self, Names};
use crate::parse::manifest;
use crate::results::Results;
use flowtop_core::owner::addresses::Claim;
use flowtop_core::owner::workload;
use flowtop_core::sanitize::breaks_a_screen;

/// Most of `/etc/passwd` that is read.
pub const MAX_PASSWD_BYTES: usize = 4 << 20;
/// Most of a host's name that is read.
const MAX_HOST_NAME_BYTES: usize = 256;
/// How often a directory is asked whether it has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A directory whose names say what pods or containers are called.
struct Listing {
    folder: PathBuf,
    parse: fn(&str) -> Option<(&str, Names)>,
    names: HashMap<String, Names>,
    changed: Option<SystemTime>,
    looked: Option<Instant>,
}

impl Listing {
    fn new(folder: PathBuf, parse: fn(&str) -> Option<(&str, Names)>) -> Self {
        Self { folder, parse, names: HashMap::new(), changed: None, looked: None }
    }

    /// The names behind a key. The directory is read when it has changed; what is gone from it stays known until then.
    fn get(&mut self, key: &str, trouble: &Trouble) -> Option<&Names> {
        if !self.names.contains_key(key) && self.looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            self.refresh(trouble);
        }
        self.names.get(key)
    }

    fn refresh(&mut self, trouble: &Trouble) {
        self.looked = Some(Instant::now());
        let changed = fs::metadata(&self.folder).and_then(|folder| folder.modified());
        let changed = trouble.value(changed);
        if changed.is_none() || changed == self.changed {
            return;
        }
        // A directory that changes while it is read is read again.
        self.changed = changed.filter(|at| at.elapsed().is_ok_and(|age| age > LOOK_AGAIN));
        let found = trouble.names_in(&self.folder);
        self.names = found
            .iter()
            .filter_map(|name| {
                let parsed = (self.parse)(name);
                if parsed.is_none() && name.chars().any(breaks_a_screen) {
                    trouble.replaced();
                }
                parsed.map(|(key, names)| (key.to_owned(), names))
            })
            .collect();
    }
}

pub struct Sources {
    root: PathBuf,
    links: Listing,
    directories: Listing,
    results: Results,
    manifests: Manifests,
    runtimes: Runtimes,
}

impl Sources {
    /// Looks below `root`, and for processes below `proc`.
    pub fn new(root: &Path, proc: Option<&Path>) -> Self {
        Self {
            root: root.to_owned(),
            links: Listing::new(root.join("var/log/containers"), kubernetes::log_link),
            directories: Listing::new(root.join("var/log/pods"), kubernetes::log_directory),
            results: Results::new(root),
            manifests: Manifests::new(root, proc),
            runtimes: Runtimes::new(root, proc),
        }
    }

    /// The names of a place, by what only this host's root writes: a pod's own hosts file and host name are its own to
    /// change, and cgroups below a container are its own to name.
    pub fn names(&mut self, place: &Place, trouble: &Trouble) -> Names {
        let uid = place.pod_uid.as_deref();
        let of_container = place.hosts_container_id.as_ref().map(|id| self.of_container(id, uid, trouble));
        let mut names = match (of_container, &place.rootless) {
            (Some(names), _) => names,
            (None, Some(rootless)) => self.of_user(rootless, trouble),
            (None, None) => Names { container: place.container_name.clone(), ..Names::default() },
        };
        let Some(uid) = uid else { return names };
        if names.pod.is_none() && !place.is_claimed {
            let of_pod = self.of_pod(uid, trouble).unwrap_or_default();
            names = Names { container: names.container, ..of_pod };
        }
        if names.container.is_none() && !place.is_claimed {
            names.container = self.only_container(uid, &names, trouble);
        }
        // A UID that has no name here is still a name for its pod.
        names.pod = names.pod.or_else(|| Some(uid.to_owned()));
        names
    }

    /// The workload of a pod, if it is a static one: the names of others tell theirs.
    pub fn workload(&mut self, place: &Place, names: &Names, trouble: &Trouble) -> Option<String> {
        let is_static = place.pod_uid.as_deref().is_some_and(kubernetes::is_static) && !place.is_claimed;
        let pod = names.pod.as_deref().filter(|pod| is_static && !kubernetes::is_static(pod))?;
        let file =
            trouble.read_text(&self.root.join("etc/hostname"), MAX_HOST_NAME_BYTES).unwrap_or_default();
        let names =
            [self.manifests.node(trouble), manifest::node_name(&file), manifest::node_name(&uts::own())];
        let nodes: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        Some(workload::of_static_pod(pod, &nodes).to_owned())
    }

    /// Addresses of pods by libcni's cache.
    pub fn claims(&mut self, trouble: &Trouble) -> Vec<Claim> {
        self.results.claims(trouble)
    }

    fn of_container(&mut self, id: &str, pod_uid: Option<&str>, trouble: &Trouble) -> Names {
        if let Some(names) = self.links.get(id, trouble) {
            return names.clone();
        }
        let found = self.runtimes.of_container(id, pod_uid, trouble);
        found.or_else(|| self.results.of_sandbox(id, trouble)).unwrap_or_default()
    }

    /// Of a user's own container that user's runtimes are asked.
    fn of_user(&mut self, rootless: &Rootless, trouble: &Trouble) -> Names {
        let passwd = trouble.read_text(&self.root.join("etc/passwd"), MAX_PASSWD_BYTES).unwrap_or_default();
        let names = self.runtimes.of_user(rootless.uid, &passwd, &rootless.id, trouble).unwrap_or_default();
        // A user may call a container as a kubelet calls that of a pod.
        Names { container: names.container, ..Names::default() }
    }

    fn of_pod(&mut self, uid: &str, trouble: &Trouble) -> Option<Names> {
        self.directories
            .get(uid, trouble)
            .cloned()
            .or_else(|| self.results.of_pod(uid, trouble))
            .or_else(|| self.of_manifest(uid, trouble))
    }

    fn of_manifest(&mut self, uid: &str, trouble: &Trouble) -> Option<Names> {
        if !kubernetes::is_static(uid) {
            return None;
        }
        let containers = self.containers(uid, trouble);
        self.manifests.names(uid, &containers, trouble)
    }

    /// The container of a pod that has only one.
    fn only_container(&self, uid: &str, names: &Names, trouble: &Trouble) -> Option<String> {
        let of_logs = || {
            let folder = format!("{}_{}_{uid}", names.namespace.as_ref()?, names.pod.as_ref()?);
            Some(trouble.names_in(&self.directories.folder.join(folder)))
        };
        let logs = of_logs().filter(|names| !names.is_empty());
        match &logs.unwrap_or_else(|| self.containers(uid, trouble))[..] {
            [only] => kubernetes::name(only),
            _ => None,
        }
    }

    /// The containers that a pod is known to have had: the kubelet keeps a folder for each.
    fn containers(&self, uid: &str, trouble: &Trouble) -> Vec<String> {
        let folders = self.runtimes.kubelets(uid).into_iter();
        let mut names = folders.map(|folder| trouble.names_in(&folder.join("containers")));
        names.find(|names| !names.is_empty()).unwrap_or_default()
    }
}
