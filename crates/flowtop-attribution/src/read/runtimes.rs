//! Names of containers in the files of the runtimes that run them: docker, containerd and nerdctl, CRI-O and podman,
//! each at its usual places and where its configuration or its command line says. Root's are believed about every
//! container; a user's about that user's containers only.
//!
//! Not in here: how a file spells a name (`parse::kubernetes`), and a configuration a place (`parse::runtime`).

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::files::{Pace, Trouble};
use super::process;
use crate::parse::kubernetes::{self, Names, Runtime};
use crate::parse::runtime;

/// Most of a file of one container that is read. One with thousands of variables has a few hundred KiB.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Most of a file about all containers that is read: each has some 1 KiB.
const MAX_LIST_BYTES: usize = 16 << 20;
/// Most of a command line, of a settings file and of a name that is read.
const MAX_SETTINGS_BYTES: usize = 256 << 10;
/// Places of one kind that are asked.
const MAX_PLACES: usize = 64;
/// Lists of containers that are remembered.
const MAX_LISTS: usize = 256;
/// Names of nerdctl that are read.
const MAX_NAMES: usize = 4096;

/// Where docker keeps its data unless it is told another place: its own package, and the snap.
const DOCKER: [&str; 2] = ["var/lib/docker", "var/snap/docker/common/var-lib-docker"];
const DOCKER_SETTINGS: [&str; 2] = ["etc/docker/daemon.json", "var/snap/docker/current/config/daemon.json"];
/// Where containerd keeps what runs: its own package, k3s and RKE2, k0s, microk8s, docker's own, Bottlerocket, Talos.
const CONTAINERD: [&str; 7] = [
    "run/containerd",
    "run/k3s/containerd",
    "run/k0s/containerd",
    "var/snap/microk8s/common/run/containerd",
    "run/docker/containerd/daemon",
    "run/host-containerd",
    "system/run/containerd",
];
const CONTAINERD_SETTINGS: [&str; 4] = [
    "etc/containerd/config.toml",
    "var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "etc/k0s/containerd.toml",
    "var/snap/microk8s/current/args/containerd.toml",
];
/// Below those, a folder of each namespace.
const TASKS: [&str; 2] = ["io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux"];
/// Where CRI-O and podman keep containers, for ever and until the next boot.
const STORAGES: [&str; 2] = ["run/containers/storage", "var/lib/containers/storage"];
const STORAGE_SETTINGS: [&str; 2] = ["usr/share/containers/storage.conf", "etc/containers/storage.conf"];
/// Ways in which they store layers; each has a list of containers of its own.
const DRIVERS: [&str; 5] = ["overlay", "vfs", "btrfs", "zfs", "aufs"];
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
const NERDCTL: &str = "var/lib/nerdctl";
/// Where homes of users are that no file tells.
const HOMES: &str = "/home";
/// Where kubelets keep their pods: of most, of microk8s, and of k0s.
const KUBELETS: [&str; 3] =
    ["var/lib/kubelet", "var/snap/microk8s/common/var/lib/kubelet", "var/lib/k0s/kubelet"];

/// The places of one host, or of one of its users, as they were last looked for.
#[derive(Debug, Default)]
struct Places {
    /// Docker's folders of containers.
    docker: Vec<PathBuf>,
    /// containerd's folders of running containers, one for each namespace.
    bundles: Vec<PathBuf>,
    /// Folders of containers in the storage of CRI-O and podman.
    storages: Vec<PathBuf>,
    /// nerdctl's folders of names, one for each namespace.
    nerdctl: Vec<PathBuf>,
    kubelets: Vec<PathBuf>,
}

/// A file or a folder that names many containers, by id.
#[derive(Debug)]
struct List {
    changed: SystemTime,
    names: HashMap<String, String>,
}

/// Names of containers by the files of their runtimes.
#[derive(Debug)]
pub struct Runtimes {
    root: PathBuf,
    proc: Option<PathBuf>,
    places: Places,
    pace: Pace,
    users: HashMap<u32, (Places, Pace)>,
    lists: HashMap<PathBuf, List>,
}

impl Runtimes {
    /// Looks below `root`, and for the runtimes themselves below `proc`.
    pub fn new(root: &Path, proc: Option<&Path>) -> Self {
        Self {
            root: root.to_owned(),
            proc: proc.map(Path::to_owned),
            places: Places::default(),
            pace: Pace::default(),
            users: HashMap::new(),
            lists: HashMap::new(),
        }
    }

    /// The names of a container that root has started, by its id, and by its pod's UID if it has one.
    pub fn of_container(&mut self, id: &str, pod_uid: Option<&str>, trouble: &Trouble) -> Option<Names> {
        let Self { root, proc, places, pace, lists, .. } = self;
        let found = names(places, lists, id, pod_uid, trouble);
        let is_looked_for =
            found.is_none() && pace.walk(|| *places = of_host(root, proc.as_deref(), trouble));
        if is_looked_for { names(places, lists, id, pod_uid, trouble) } else { found }
    }

    /// The same of one that a user has started; what other users have is not looked at.
    pub fn of_user(&mut self, uid: u32, passwd: &str, id: &str, trouble: &Trouble) -> Option<Names> {
        if uid == 0 {
            return self.of_container(id, None, trouble);
        }
        let Self { root, users, lists, .. } = self;
        if users.len() >= MAX_PLACES && !users.contains_key(&uid) {
            users.clear();
        }
        let (places, pace) = users.entry(uid).or_default();
        let found = names(places, lists, id, None, trouble);
        let is_looked_for = found.is_none() && pace.walk(|| *places = of_user(root, passwd, uid, trouble));
        if is_looked_for { names(places, lists, id, None, trouble) } else { found }
    }

    /// The folders of a pod that the kubelets of this host may have.
    pub fn kubelets(&self, uid: &str) -> Vec<PathBuf> {
        let usual = KUBELETS.iter().map(|folder| self.root.join(folder));
        usual
            .chain(self.places.kubelets.iter().cloned())
            .map(|folder| folder.join("pods").join(uid))
            .collect()
    }
}

/// The names at the first place that has the container.
fn names(
    places: &Places,
    lists: &mut HashMap<PathBuf, List>,
    id: &str,
    pod_uid: Option<&str>,
    trouble: &Trouble,
) -> Option<Names> {
    let read = |path: PathBuf| trouble.read(&path, MAX_CONFIG_BYTES);
    let bundle = |folder: &PathBuf| {
        let config = read(folder.join(id).join("config.json"))?;
        kubernetes::bundle(&config, Runtime::Containerd, pod_uid)
            .or_else(|| kubernetes::nerdctl(&config, pod_uid))
    };
    let crio = |folder: &PathBuf| {
        kubernetes::bundle(&read(folder.join(id).join("userdata/config.json"))?, Runtime::CriO, pod_uid)
    };
    let docker =
        |folder: &PathBuf| kubernetes::docker(&read(folder.join(id).join("config.v2.json"))?, pod_uid);
    (places.bundles.iter().find_map(bundle))
        .or_else(|| places.storages.iter().find_map(crio))
        .or_else(|| places.docker.iter().find_map(docker))
        .or_else(|| listed(places, lists, id, pod_uid, trouble))
}

/// The name in a list of many containers: those of podman and of nerdctl.
fn listed(
    places: &Places,
    lists: &mut HashMap<PathBuf, List>,
    id: &str,
    pod_uid: Option<&str>,
    trouble: &Trouble,
) -> Option<Names> {
    let stored = places.storages.iter().flat_map(|folder| LISTS.map(|file| folder.join(file)));
    let of_storage = |path: &Path, trouble: &Trouble| {
        kubernetes::storage(&trouble.read(path, MAX_LIST_BYTES).unwrap_or_default())
    };
    let found = stored
        .collect::<Vec<_>>()
        .into_iter()
        .find_map(|path| look_up(lists, &path, id, of_storage, trouble));
    let found = found.or_else(|| {
        places.nerdctl.iter().find_map(|path| look_up(lists, path, id, names_of_nerdctl, trouble))
    });
    kubernetes::container(&found?, pod_uid)
}

/// The name of an id in a list, which is read when it has changed.
fn look_up(
    lists: &mut HashMap<PathBuf, List>,
    path: &Path,
    id: &str,
    read: fn(&Path, &Trouble) -> HashMap<String, String>,
    trouble: &Trouble,
) -> Option<String> {
    let changed = trouble.value(fs::metadata(path).and_then(|file| file.modified()))?;
    if lists.len() >= MAX_LISTS && !lists.contains_key(path) {
        lists.clear();
    }
    let list = match lists.get_mut(path) {
        Some(list) if list.changed == changed => list,
        _ => {
            lists.entry(path.to_owned()).insert_entry(List { changed, names: read(path, trouble) }).into_mut()
        }
    };
    list.names.get(id).cloned()
}

/// Files that are called like a container and hold its id.
fn names_of_nerdctl(folder: &Path, trouble: &Trouble) -> HashMap<String, String> {
    let mut names = trouble.names_in(folder);
    if names.len() > MAX_NAMES {
        trouble.cut();
        names.truncate(MAX_NAMES);
    }
    let id = |name: String| {
        let id = trouble.read_text(&folder.join(&name), MAX_CONFIG_BYTES)?;
        Some((id.trim().to_owned(), name)).filter(|(id, _)| kubernetes::is_id(id))
    };
    names.into_iter().filter_map(id).collect()
}

/// The places of root's runtimes.
fn of_host(root: &Path, proc: Option<&Path>, trouble: &Trouble) -> Places {
    let mut told = daemons(proc, trouble);
    let text = |path: PathBuf| trouble.read_text(&path, MAX_SETTINGS_BYTES);
    let usual = |folders: &[&str]| folders.iter().map(|folder| root.join(folder)).collect::<Vec<_>>();
    let below =
        |places: Vec<String>| places.iter().filter_map(|place| within(root, place)).collect::<Vec<_>>();

    let settings = DOCKER_SETTINGS.map(str::to_owned).into_iter().chain(told.docker_settings);
    let settings = settings.filter_map(|path| text(within(root, &path)?));
    told.docker.extend(settings.filter_map(|config| runtime::docker_data_root(config.as_bytes())));

    let settings = CONTAINERD_SETTINGS.map(str::to_owned).into_iter().chain(told.containerd_settings);
    let settings = settings.filter_map(|path| text(within(root, &path)?));
    told.containerd.extend(settings.filter_map(|config| runtime::toml_setting(&config, &["state"])));

    let mut settings: Vec<PathBuf> = [root.join("etc/crio/crio.conf")].into();
    settings.extend(files_in(&root.join("etc/crio/crio.conf.d"), trouble));
    for config in settings.into_iter().filter_map(text) {
        told.storages.extend(
            ["root", "runroot"].iter().filter_map(|key| runtime::toml_setting(&config, &["crio", key])),
        );
    }
    for config in usual(&STORAGE_SETTINGS).into_iter().filter_map(text) {
        let keys = ["graphroot", "runroot"];
        told.storages.extend(keys.iter().filter_map(|key| runtime::toml_setting(&config, &["storage", key])));
    }
    let nerdctl = text(root.join("etc/nerdctl/nerdctl.toml"));
    let nerdctl = nerdctl.and_then(|config| runtime::toml_setting(&config, &["data_root"]));

    Places {
        docker: containers_of_docker([usual(&DOCKER), below(told.docker)].concat(), trouble),
        bundles: namespaces(&[usual(&CONTAINERD), below(told.containerd)].concat(), trouble),
        storages: stores(&[usual(&STORAGES), below(told.storages)].concat(), trouble),
        nerdctl: names_folders(&[usual(&[NERDCTL]), below(nerdctl.into_iter().collect())].concat(), trouble),
        kubelets: bounded(below(told.kubelets)),
    }
}

/// The places of a user's runtimes: below the home, and where root's settings say for all users.
fn of_user(root: &Path, passwd: &str, uid: u32, trouble: &Trouble) -> Places {
    let homes = match runtime::home(passwd, uid) {
        Some(home) => vec![home.to_owned()],
        None => homes_of(root, uid, trouble),
    };
    let run = root.join(format!("run/user/{uid}/containers"));
    let mut roots = Roots { storages: vec![run], ..Roots::default() };
    for home in homes {
        roots.add(root, &home, uid, trouble);
    }
    Places {
        docker: containers_of_docker(roots.docker, trouble),
        storages: stores(&roots.storages, trouble),
        nerdctl: names_folders(&roots.nerdctl, trouble),
        ..Places::default()
    }
}

/// Homes of a user whom the host's file does not know, as one of a directory service: those that belong to the user or to
/// root, which nobody else can write.
fn homes_of(root: &Path, uid: u32, trouble: &Trouble) -> Vec<String> {
    let of_user = |name: &String| {
        let owner = fs::symlink_metadata(root.join(&HOMES[1..]).join(name)).map(|home| home.uid());
        owner.is_ok_and(|owner| owner == uid || owner == 0)
    };
    let names = trouble.names_in(&root.join(&HOMES[1..])).into_iter().filter(of_user);
    names.map(|name| [HOMES, &name].join("/")).take(MAX_PLACES).collect()
}

/// Data roots of a user's runtimes.
#[derive(Default)]
struct Roots {
    docker: Vec<PathBuf>,
    storages: Vec<PathBuf>,
    nerdctl: Vec<PathBuf>,
}

impl Roots {
    /// Adds those below a home, and those that settings name.
    fn add(&mut self, root: &Path, home: &str, uid: u32, trouble: &Trouble) {
        let Some(folder) = within(root, home) else { return };
        let text = |path: &Path| trouble.read_text(path, MAX_SETTINGS_BYTES);
        let told = |path: &Path, keys: &[&str]| {
            let setting = runtime::toml_setting(&text(path)?, keys)?;
            within(root, &runtime::expanded(&setting, home, uid))
        };
        let docker = text(&folder.join(".config/docker/daemon.json"));
        self.docker.push(folder.join(".local/share/docker"));
        self.docker
            .extend(docker.and_then(|config| within(root, &runtime::docker_data_root(config.as_bytes())?)));
        self.nerdctl.push(folder.join(".local/share/nerdctl"));
        self.nerdctl.extend(told(&folder.join(".config/nerdctl/nerdctl.toml"), &["data_root"]));
        self.storages.push(folder.join(".local/share/containers/storage"));
        self.storages
            .extend(told(&folder.join(".config/containers/storage.conf"), &["storage", "graphroot"]));
        let settings = STORAGE_SETTINGS.iter().map(|file| root.join(file));
        self.storages.extend(settings.filter_map(|file| told(&file, &["storage", "rootless_storage_path"])));
    }
}

/// Places that the command lines of the runtimes tell.
#[derive(Default)]
struct Told {
    docker: Vec<String>,
    docker_settings: Vec<String>,
    containerd: Vec<String>,
    containerd_settings: Vec<String>,
    storages: Vec<String>,
    kubelets: Vec<String>,
}

/// What the runtimes were started with: any process may call itself one, but only root outside of containers is believed.
fn daemons(proc: Option<&Path>, trouble: &Trouble) -> Told {
    let mut told = Told::default();
    let Some(proc) = proc else { return told };
    for pid in trouble.names_in(proc).into_iter().filter_map(|name| name.parse().ok()) {
        let Some(name) =
            process::host_daemon(proc, pid, &["dockerd", "containerd", "crio", "kubelet"], trouble)
        else {
            continue;
        };
        let path = proc.join(pid.to_string()).join("cmdline");
        let Some(cmdline) = trouble.read(&path, MAX_SETTINGS_BYTES) else { continue };
        let of = |names: &[&str]| runtime::flag(&cmdline, names);
        match name {
            "dockerd" => {
                told.docker.extend(of(&["--data-root", "--graph", "-g"]));
                told.docker_settings.extend(of(&["--config-file"]));
            }
            "containerd" => {
                told.containerd.extend(of(&["--state"]));
                told.containerd_settings.extend(of(&["--config", "-c"]));
            }
            "crio" => told.storages.extend([of(&["--root", "-r"]), of(&["--runroot"])].into_iter().flatten()),
            _ => told.kubelets.extend(of(&["--root-dir"])),
        }
    }
    told
}

/// An absolute path of the host below `root`; none that leaves it.
fn within(root: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let is_plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let below = path.strip_prefix("/").unwrap_or(path);
    (is_plain && !below.as_os_str().is_empty()).then(|| root.join(below))
}

/// Docker's folders of containers: of its data roots, and of those of mapped users in them.
fn containers_of_docker(roots: Vec<PathBuf>, trouble: &Trouble) -> Vec<PathBuf> {
    let mapped = |root: &PathBuf| {
        let names = trouble.names_in(root).into_iter().filter(|name| runtime::is_remapped(name));
        names.map(|name| root.join(name)).collect::<Vec<_>>()
    };
    let roots = roots.into_iter().flat_map(|root| [vec![root.clone()], mapped(&root)].concat());
    existing(roots.map(|root| root.join("containers")), trouble)
}

/// containerd's folders of running containers, one for each namespace.
fn namespaces(states: &[PathBuf], trouble: &Trouble) -> Vec<PathBuf> {
    let tasks = existing(states.iter().flat_map(|state| TASKS.map(|tasks| state.join(tasks))), trouble);
    existing(tasks.iter().flat_map(|tasks| folders_in(tasks, trouble)), trouble)
}

/// The folders of containers of a storage, which its driver names.
fn stores(roots: &[PathBuf], trouble: &Trouble) -> Vec<PathBuf> {
    existing(
        roots.iter().flat_map(|root| DRIVERS.map(|driver| root.join(format!("{driver}-containers")))),
        trouble,
    )
}

/// nerdctl's folders of names: `ADDRESS/names/NAMESPACE`.
fn names_folders(roots: &[PathBuf], trouble: &Trouble) -> Vec<PathBuf> {
    let addresses = existing(roots.iter().flat_map(|root| folders_in(root, trouble)), trouble);
    existing(addresses.iter().flat_map(|address| folders_in(&address.join("names"), trouble)), trouble)
}

fn folders_in(folder: &Path, trouble: &Trouble) -> Vec<PathBuf> {
    bounded(trouble.names_in(folder).into_iter().map(|name| folder.join(name)).collect())
}

fn files_in(folder: &Path, trouble: &Trouble) -> Vec<PathBuf> {
    let mut files = folders_in(folder, trouble);
    files.sort();
    files
}

fn existing(folders: impl Iterator<Item = PathBuf>, trouble: &Trouble) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in
        folders.filter(|folder| trouble.value(fs::metadata(folder)).is_some_and(|folder| folder.is_dir()))
    {
        if !found.contains(&folder) {
            found.push(folder);
        }
    }
    bounded(found)
}

fn bounded(mut places: Vec<PathBuf>) -> Vec<PathBuf> {
    places.truncate(MAX_PLACES);
    places
}
