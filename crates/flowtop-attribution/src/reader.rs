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
use crate::read::process::{self, Process};
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
/// Inode number of the first PID namespace (`PROC_PID_INIT_INO` in `include/linux/proc_ns.h`).
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

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
    users: HashMap<u32, String>,
    keeps_commands: bool,
    trouble: &'a Trouble,
}

impl<'a> Reader<'a> {
    /// Reads below `root`: the file system of the host, wherever it is mounted.
    pub fn new(root: &Path, trouble: &'a Trouble) -> Self {
        let proc = processes(root);
        Self {
            root: root.to_owned(),
            cgroups: Cgroups::new(root),
            sources: Sources::new(root, proc.as_deref()),
            addresses: PodAddresses::new(proc.as_deref()),
            node: proc.as_deref().map_or_else(String::new, |proc| node(proc, trouble)),
            proc,
            users: HashMap::new(),
            keeps_commands: true,
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
        // The root says nothing: with cgroup v1 beside it every process may be there.
        let path = of_process.filter(|path| path != "/" || by_id.is_none()).or(by_id);
        let last = process.is_none() && (path.is_some() || seen.cgroup_id == 0);
        Answer { identity: self.identity(process, path), last }
    }

    pub fn addresses(&mut self) -> Addresses {
        self.addresses.read(&mut self.sources, self.trouble)
    }

    fn identity(&mut self, process: Option<Process>, path: Option<String>) -> Identity {
        let place = path.as_deref().map(|path| cgroup::parse_on(&self.node, path)).unwrap_or_default();
        let folder = process.as_ref().map(|process| process.folder.as_path());
        let names = self.sources.names(&place, self.trouble);
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
            cgroup: path.map(|path| self.trouble.clean(path.as_bytes(), PATH_CHARS)),
            user: uid.map(|uid| self.user(uid)),
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

/// Where the host's processes are: below the root if it has them, or where this system shows its own, unless it is
/// in a PID namespace with numbers of its own.
pub fn processes(root: &Path) -> Option<PathBuf> {
    let below = root.join("proc");
    let own_numbers = || {
        let namespace = fs::metadata("/proc/self/ns/pid").map(|namespace| namespace.ino());
        namespace.is_ok_and(|inode| inode == FIRST_PID_NAMESPACE)
    };
    let has_any = fs::read_dir(&below).is_ok_and(|mut entries| entries.next().is_some());
    if root != Path::new("/") && has_any {
        return Some(below);
    }
    own_numbers().then(|| PathBuf::from("/proc"))
}
