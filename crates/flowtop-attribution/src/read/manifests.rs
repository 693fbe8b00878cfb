//! The manifests of a node's static pods, and the name of the node: the last resort for the name of such a pod.

use std::path::{Path, PathBuf};

use super::files::{Pace, Trouble};
use super::process;
use super::uts;
use crate::parse::kubernetes::Names;
use crate::parse::manifest::{self, Manifest, Node};

/// Files that are looked at; with more of them no pod is named. A master node has four.
const MAX_FILES: usize = 256;
/// Most of a manifest that is read.
const MAX_MANIFEST_BYTES: usize = 256 << 10;
/// Most of a command line that is read.
const MAX_ARGUMENTS_BYTES: usize = 64 << 10;

/// The static pods of the node, as last read.
pub struct Manifests {
    folder: PathBuf,
    proc: Option<PathBuf>,
    /// `None` for a file that is not understood.
    pods: Vec<Option<Manifest>>,
    node: Option<String>,
    pace: Pace,
}

impl Manifests {
    /// Looks below `root`, and for the kubelet below `proc`.
    pub fn new(root: &Path, proc: Option<&Path>) -> Self {
        Self {
            folder: root.join("etc/kubernetes/manifests"),
            proc: proc.map(Path::to_owned),
            pods: Vec::new(),
            node: None,
            pace: Pace::default(),
        }
    }

    /// The name of the node, if its only kubelet tells it.
    pub fn node(&mut self, trouble: &Trouble) -> Option<String> {
        self.refresh(trouble);
        self.node.clone()
    }

    /// The names of the static pod with this UID, which has these containers among others.
    pub fn names(&mut self, uid: &str, containers: &[String], trouble: &Trouble) -> Option<Names> {
        self.refresh(trouble);
        manifest::static_pod(&self.pods, uid, containers, self.node.as_deref()?)
    }

    fn refresh(&mut self, trouble: &Trouble) {
        let Self { folder, proc, pods, node, pace } = self;
        pace.walk(|| {
            *pods = read(folder, trouble);
            *node = proc.as_deref().filter(|_| !pods.is_empty()).and_then(|proc| node_name(proc, trouble));
        });
    }
}

/// Kubelets read every file but hidden ones, whatever its name ends with.
fn read(folder: &Path, trouble: &Trouble) -> Vec<Option<Manifest>> {
    let names = trouble.names_in(folder);
    let files = names.iter().filter(|name| !name.starts_with('.')).map(|name| folder.join(name));
    let files: Vec<_> = files.filter(|path| !path.is_dir()).collect();
    if files.len() > MAX_FILES {
        trouble.cut();
        return Vec::new();
    }
    let text = |path: &PathBuf| {
        let bytes = trouble.read(path, MAX_MANIFEST_BYTES)?;
        String::from_utf8(bytes).ok().filter(|text| text.len() < MAX_MANIFEST_BYTES)
    };
    files.iter().map(|path| Manifest::read(&text(path)?)).collect()
}

/// The node's name: what the only kubelet of this host has for one.
fn node_name(proc: &Path, trouble: &Trouble) -> Option<String> {
    let kubelets = trouble.names_in(proc).into_iter().filter_map(|name| name.parse().ok());
    let kubelets: Vec<_> = kubelets
        .filter(|pid| process::host_daemon(proc, *pid, &["kubelet"], trouble).is_some())
        .take(2)
        .collect();
    let [pid] = kubelets[..] else { return None };
    let folder = proc.join(pid.to_string());
    match manifest::node(&trouble.read(&folder.join("cmdline"), MAX_ARGUMENTS_BYTES)?)? {
        Node::Named(name) => Some(name),
        Node::Host => manifest::node_name(&uts::host_name(&folder)?),
    }
}
