//! Finds the identity of a process and the cgroup it was seen in, from the files below one root.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Uid;

use crate::parse::cgroup;
use crate::parse::process::user_name;
use crate::read::addresses::PodAddresses;
use crate::read::cgroups::Cgroups;
use crate::read::files::Trouble;
use crate::read::names::{MAX_PASSWD_BYTES, Sources};
use crate::read::namespaces::{Namespaces, PodNamespaces};
use crate::read::process::{self, Process};
use crate::read::processes::processes;
use flowtop_core::owner::addresses::Addresses;
use flowtop_core::owner::{Identity, Pod, Seen};
use flowtop_sys::User;

#[cfg(test)]
mod tests;

/// Most of the cgroups of a process that is read.
const MAX_CGROUP_BYTES: usize = 64 << 10;
/// Characters of a unit, a user or the path of a cgroup that are kept.
const NAME_CHARS: usize = 256;
const PATH_CHARS: usize = 1024;
/// Limit of cached users.
const MAX_USERS: usize = 4096;
/// Inode number of the first cgroup namespace (`PROC_CGROUP_INIT_INO` in `include/linux/proc_ns.h`).
const FIRST_CGROUP_NAMESPACE: u64 = 0xefff_fffb;

/// Result of reading about a process.
pub struct Answer {
    pub identity: Identity,
    /// Whether reading again would tell no more.
    pub last: bool,
}

/// Reads below one root, and remembers what many processes share.
pub struct Reader<'a> {
    root: PathBuf,
    /// Path of the cgroup of this node, if it is a container itself.
    node: String,
    /// Where processes are, unless the numbers in there are not the kernel's.
    proc: Option<PathBuf>,
    cgroups: Cgroups,
    sources: Sources,
    addresses: PodAddresses,
    namespaces: PodNamespaces,
    users: HashMap<u32, String>,
    keeps_commands: bool,
    /// Whether paths in `/proc/PID/cgroup` are from the root of flowtop's own cgroup namespace.
    has_relative_paths: bool,
    trouble: &'a Trouble,
}

impl<'a> Reader<'a> {
    /// Reads below `root`: the file system of the host, wherever it is mounted.
    pub fn new(root: &Path, trouble: &'a Trouble) -> Self {
        let proc = processes(root).map(|processes| processes.folder);
        let node = proc.as_deref().map_or_else(String::new, |proc| node(proc, trouble));
        Self {
            root: root.to_owned(),
            cgroups: Cgroups::new(root),
            sources: Sources::new(root, proc.as_deref()),
            addresses: PodAddresses::new(proc.as_deref()),
            namespaces: PodNamespaces::new(proc.as_deref(), &node, trouble),
            node,
            proc,
            users: HashMap::new(),
            keeps_commands: true,
            has_relative_paths: fs::metadata("/proc/self/ns/cgroup")
                .is_ok_and(|namespace| namespace.ino() != FIRST_CGROUP_NAMESPACE),
            trouble,
        }
    }

    /// The same, with command lines or without.
    pub fn with_commands(self, keeps_commands: bool) -> Self {
        Self { keeps_commands, ..self }
    }

    /// Who that process is, or was.
    pub fn read(&mut self, seen: &Seen, used_ns: u64) -> Answer {
        let proc = self.proc.as_deref();
        let process = proc.and_then(|proc| process::read(proc, seen.pid, used_ns, self.trouble));
        let by_id = self.cgroups.path(seen.cgroup_id, self.trouble).map(str::to_owned);
        let of_process = process.as_ref().and_then(|process| process.cgroup.clone());
        let path = self.path(of_process, by_id);
        let last = process.is_none() && (path.is_some() || seen.cgroup_id == 0);
        Answer { identity: self.identity(process, path), last }
    }

    /// The path of a process's cgroup, of that in `/proc` and that of its id in the tree. The one in `/proc` is the present
    /// one, but from flowtop's own cgroup namespace it does not begin at the root; and the root itself says nothing: with
    /// cgroup v1 beside it every process may be there.
    fn path(&self, of_process: Option<String>, by_id: Option<String>) -> Option<String> {
        let (Some(of_process), Some(by_id)) = (&of_process, &by_id) else { return of_process.or(by_id) };
        let is_relative = self.has_relative_paths || of_process.starts_with("/..");
        let told = |path: &str| {
            let place = cgroup::parse(path);
            (place.pod_uid.is_some(), place.container_id.is_some() || place.container_name.is_some())
        };
        let takes_id = of_process == "/" || is_relative && told(by_id) >= told(of_process);
        Some(if takes_id { by_id } else { of_process }.clone())
    }

    pub fn addresses(&mut self) -> Addresses {
        self.addresses.read(&mut self.sources, self.trouble)
    }

    /// The pods of the network namespaces on this host.
    pub fn namespaces(&mut self) -> Namespaces {
        self.namespaces.read(&mut self.sources, self.trouble)
    }

    fn identity(&mut self, process: Option<Process>, path: Option<String>) -> Identity {
        let place = path.as_deref().map(|path| cgroup::parse_on(&self.node, path)).unwrap_or_default();
        let folder = process.as_ref().map(|process| process.folder.as_path());
        let names = self.sources.names(&place, self.trouble);
        let workload = self.sources.workload(&place, &names, self.trouble);
        if let (Some(folder), Some(name), false) = (folder, &names.pod, place.is_claimed) {
            let pod = Pod { namespace: names.namespace.clone(), name: name.clone() };
            self.addresses.note(folder, &pod, self.trouble);
        }
        let uid = process.as_ref().and_then(|process| process.uid);
        let clean = |text: String| self.trouble.clean(text.as_bytes(), NAME_CHARS);
        Identity {
            unit: place.unit.map(clean),
            container_id: place.container_id,
            container: names.container,
            pod: names.pod,
            namespace: names.namespace,
            workload,
            cgroup: path.map(|path| self.trouble.clean(path.as_bytes(), PATH_CHARS)),
            user: uid.map(|uid| self.user(uid)),
            uid,
            mntns: process.as_ref().and_then(|process| process.mntns),
            comm: process.as_ref().and_then(|process| process.comm.clone()),
            command: process.and_then(|process| process.command).filter(|_| self.keeps_commands),
        }
    }

    /// The name of a user: that of the host's file, or what this system makes of the number.
    fn user(&mut self, uid: u32) -> String {
        if let Some(name) = self.users.get(&uid) {
            return name.clone();
        }
        let passwd =
            self.trouble.read_text(&self.root.join("etc/passwd"), MAX_PASSWD_BYTES).unwrap_or_default();
        let system = || User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        let name = user_name(&passwd, uid).map(str::to_owned);
        let name = name.or_else(|| system().filter(|_| self.root == Path::new("/")));
        let name =
            name.map_or_else(|| uid.to_string(), |name| self.trouble.clean(name.as_bytes(), NAME_CHARS));
        if self.users.len() >= MAX_USERS {
            self.users.clear();
        }
        self.users.insert(uid, name.clone());
        name
    }
}

/// Path of the cgroup of the container that this node is, by its first process; empty if it is none.
fn node(proc: &Path, trouble: &Trouble) -> String {
    let cgroups = trouble.read_text(&proc.join("1/cgroup"), MAX_CGROUP_BYTES);
    cgroups.as_deref().and_then(cgroup::choose).map_or("", cgroup::node).to_owned()
}
