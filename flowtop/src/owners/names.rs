//! What pods and containers are called: the local sources, best first.
//!
//! Not in here: how a source spells a name (`core::owner::kubernetes`).

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::files::Trouble;
use crate::core::owner::cgroup::Place;
use crate::core::owner::kubernetes::{self, Names};
use crate::core::wire::breaks_a_screen;

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
            self.look(trouble);
        }
        self.names.get(key)
    }

    fn look(&mut self, trouble: &Trouble) {
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

/// The sources below one root.
pub struct Sources {
    root: PathBuf,
    links: Listing,
    directories: Listing,
    /// This host's own name, which is no pod's.
    host: String,
}

/// Where a runtime keeps the configuration of a container, around its id.
const BUNDLES: [(&str, &str); 4] = [
    ("run/containerd/io.containerd.runtime.v2.task/k8s.io", "config.json"),
    ("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io", "config.json"),
    ("run/containers/storage/overlay-containers", "userdata/config.json"),
    ("var/lib/containers/storage/overlay-containers", "userdata/config.json"),
];

impl Sources {
    /// Looks below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            links: Listing::new(root.join("var/log/containers"), kubernetes::log_link),
            directories: Listing::new(root.join("var/log/pods"), kubernetes::log_directory),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// The names of a place; `process` is the folder of a process in it, if one is alive.
    pub fn names(&mut self, place: &Place, process: Option<&Path>, trouble: &Trouble) -> Names {
        let ids = [&place.container_id, &place.outer_container_id];
        let mut names = Names::default();
        for id in ids.into_iter().flatten() {
            if names.pod.is_none() && names.container.is_none() {
                names = self.of_container(id, trouble);
            }
        }
        let Some(uid) = &place.pod_uid else { return names };
        if names.pod.is_none() {
            let of_pod = self.directories.get(uid, trouble).cloned().or_else(|| self.of_pod(uid, trouble));
            let of_pod = of_pod.or_else(|| self.of_process(process?)).unwrap_or_default();
            names = Names { container: names.container, ..of_pod };
        }
        if names.container.is_none() {
            names.container = self.only_container(uid, &names, trouble);
        }
        // A UID that has no name here is still a name for its pod.
        names.pod = names.pod.or_else(|| Some(uid.clone()));
        names
    }

    fn of_container(&mut self, id: &str, trouble: &Trouble) -> Names {
        if let Some(names) = self.links.get(id, trouble) {
            return names.clone();
        }
        let bundle = BUNDLES.iter().find_map(|(folder, file)| {
            let config = trouble.read(&self.root.join(folder).join(id).join(file), MAX_CONFIG_BYTES)?;
            kubernetes::bundle(&config)
        });
        let docker = || {
            let folder = self.root.join("var/lib/docker/containers").join(id);
            kubernetes::docker(&trouble.read(&folder.join("config.v2.json"), MAX_CONFIG_BYTES)?)
        };
        bundle.or_else(docker).unwrap_or_default()
    }

    fn of_pod(&self, uid: &str, trouble: &Trouble) -> Option<Names> {
        let path = self.root.join("var/lib/kubelet/pods").join(uid).join("etc-hosts");
        kubernetes::etc_hosts(&trouble.read_text(&path, MAX_CONFIG_BYTES)?)
    }

    /// The host name that the process sees: that of its pod, unless the pod has the network of the host.
    fn of_process(&self, process: &Path) -> Option<Names> {
        let file = File::open(process.join("ns/uts")).ok()?;
        let inside = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::HostNameAndNISDomainName))
                .ok()?;
            Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
        };
        let name = thread::scope(|scope| scope.spawn(inside).join()).ok()??;
        let pod = kubernetes::name(&name).filter(|_| name != self.host)?;
        Some(Names { pod: Some(pod), ..Names::default() })
    }

    /// The container of a pod that has only one.
    fn only_container(&self, uid: &str, names: &Names, trouble: &Trouble) -> Option<String> {
        let folder = format!("{}_{}_{uid}", names.namespace.as_ref()?, names.pod.as_ref()?);
        match &trouble.names_in(&self.directories.folder.join(folder))[..] {
            [only] => kubernetes::name(only),
            _ => None,
        }
    }
}
