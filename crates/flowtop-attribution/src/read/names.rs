//! Names of pods and containers: the local sources, best first.
//!
//! Not in here: how a source spells a name (`parse::kubernetes`).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::files::Trouble;
use super::manifests::Manifests;
use crate::parse::cgroup::Place;
use crate::parse::kubernetes::{self, Names, Runtime};
use crate::results::Results;
use flowtop_core::owner::addresses::Claim;
use flowtop_core::sanitize::breaks_a_screen;

/// Most of a configuration that is read. One with thousands of variables has a few hundred KiB.
const MAX_CONFIG_BYTES: usize = 1 << 20;
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
}

/// Where a runtime keeps the configuration of a container, around its id.
const BUNDLES: [(&str, &str, Runtime); 4] = [
    ("run/containerd/io.containerd.runtime.v2.task/k8s.io", "config.json", Runtime::Containerd),
    ("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io", "config.json", Runtime::Containerd),
    ("run/containers/storage/overlay-containers", "userdata/config.json", Runtime::CriO),
    ("var/lib/containers/storage/overlay-containers", "userdata/config.json", Runtime::CriO),
];

impl Sources {
    /// Looks below `root`, and for processes below `proc`.
    pub fn new(root: &Path, proc: Option<&Path>) -> Self {
        Self {
            root: root.to_owned(),
            links: Listing::new(root.join("var/log/containers"), kubernetes::log_link),
            directories: Listing::new(root.join("var/log/pods"), kubernetes::log_directory),
            results: Results::new(root),
            manifests: Manifests::new(root, proc),
        }
    }

    /// The names of a place, by what only this host's root writes: a pod's own hosts file and host name are its own to
    /// change, and cgroups below a container are its own to name.
    pub fn names(&mut self, place: &Place, trouble: &Trouble) -> Names {
        let uid = place.pod_uid.as_deref();
        let of_container = place.hosts_container_id.as_ref().map(|id| self.of_container(id, uid, trouble));
        let mut names = of_container.unwrap_or_default();
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

    /// Addresses of pods by libcni's cache.
    pub fn claims(&mut self, trouble: &Trouble) -> Vec<Claim> {
        self.results.claims(trouble)
    }

    fn of_container(&mut self, id: &str, pod_uid: Option<&str>, trouble: &Trouble) -> Names {
        if let Some(names) = self.links.get(id, trouble) {
            return names.clone();
        }
        let bundle = BUNDLES.iter().find_map(|(folder, file, runtime)| {
            let config = trouble.read(&self.root.join(folder).join(id).join(file), MAX_CONFIG_BYTES)?;
            kubernetes::bundle(&config, *runtime, pod_uid)
        });
        let docker = || {
            let folder = self.root.join("var/lib/docker/containers").join(id);
            kubernetes::docker(&trouble.read(&folder.join("config.v2.json"), MAX_CONFIG_BYTES)?, pod_uid)
        };
        let found = bundle.or_else(docker).or_else(|| self.results.of_sandbox(id, trouble));
        found.unwrap_or_default()
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
        trouble.names_in(&self.kubelets(uid).join("containers"))
    }

    /// The kubelet's folder of a pod.
    fn kubelets(&self, uid: &str) -> PathBuf {
        self.root.join("var/lib/kubelet/pods").join(uid)
    }
}
