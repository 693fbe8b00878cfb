//! Holders of sockets, from the links in `/proc/PID/fd`: for kernels whose iterator cannot be used.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use flowtop_common::FlowKey;

use crate::parse::process::{socket, socket_inode};
use flowtop_core::flow::Tuple;
use flowtop_core::owner::Seen;

/// A namespace's inode number, and the ends of a socket in it.
type Place = (u32, Tuple);

/// The processes below `proc` that have these flows open.
pub fn find<'a>(proc: &Path, flows: impl Iterator<Item = &'a FlowKey>) -> Vec<(FlowKey, Seen)> {
    let processes = processes(proc);
    let flows: HashMap<Place, FlowKey> = flows.map(|key| ((key.netns, Tuple::of(key)), *key)).collect();
    let sockets = sockets(proc, &processes, &flows);
    let mut found = Vec::new();
    for pid in processes {
        let folder = proc.join(pid.to_string());
        let held: Vec<&FlowKey> = inodes(&folder).filter_map(|inode| sockets.get(&inode)).collect();
        if !held.is_empty() {
            let seen = Seen { pid, comm: comm(&folder), cgroup_id: 0 };
            found.extend(held.into_iter().map(|key| (*key, seen)));
        }
    }
    found
}

fn processes(proc: &Path) -> Vec<u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Flows by the inode number of their socket: the tables of every namespace that a process lives in.
fn sockets(proc: &Path, processes: &[u32], flows: &HashMap<Place, FlowKey>) -> HashMap<u64, FlowKey> {
    let (mut found, mut looked_at) = (HashMap::new(), Vec::new());
    for pid in processes {
        let folder = proc.join(pid.to_string());
        let Ok(netns) = fs::metadata(folder.join("ns/net")).map(|namespace| namespace.ino()) else {
            continue;
        };
        let Ok(netns) = u32::try_from(netns) else { continue };
        if looked_at.contains(&netns) {
            continue;
        }
        looked_at.push(netns);
        for table in ["net/tcp", "net/tcp6"] {
            let text = fs::read_to_string(folder.join(table)).unwrap_or_default();
            let known = text.lines().filter_map(socket);
            found.extend(known.filter_map(|(tuple, inode)| Some((inode, *flows.get(&(netns, tuple))?))));
        }
    }
    found
}

/// The sockets among the open files of a process.
fn inodes(folder: &Path) -> impl Iterator<Item = u64> {
    let links = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
    links.filter_map(|link| socket_inode(fs::read_link(link.path()).ok()?.to_str()?))
}

fn comm(folder: &Path) -> [u8; 16] {
    let name = fs::read(folder.join("comm")).unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    let mut comm = [0; 16];
    let kept = name.len().min(comm.len() - 1);
    comm[..kept].copy_from_slice(&name[..kept]);
    comm
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::fixture::key;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn this_process_holds_its_own_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let netns = u32::try_from(fs::metadata("/proc/self/ns/net").unwrap().ino()).unwrap();
        let of = |end: &TcpStream, id| {
            let (local, remote) = (end.local_addr().unwrap(), end.peer_addr().unwrap());
            key(netns, &local.to_string(), &remote.to_string(), id)
        };
        let keys = [of(&client, 1), of(&server, 2), key(netns, "192.0.2.1:1", "192.0.2.2:2", 3)];
        let found = find(Path::new("/proc"), keys.iter());
        let pid = std::process::id();
        let pids = keys.map(|key| found.iter().find(|(other, _)| *other == key).map(|(_, seen)| seen.pid));
        assert_eq!(pids, [Some(pid), Some(pid), None]);
    }
}
