//! One process, as its files in `/proc` describe it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::Trouble;
use crate::parse::cgroup;
use crate::parse::process;
use flowtop_sys::clock;

/// Most of a file of `/proc` that is read.
const MAX_BYTES: usize = 64 << 10;
/// Characters of a command line that are kept.
const COMMAND_CHARS: usize = 256;
/// Limit of a process's name: the kernel keeps 15 bytes, a hostile file may have more.
const COMM_CHARS: usize = 32;
/// A process may be this much younger than its use of a socket seems: clocks of processes have coarse ticks.
const SLACK_NS: u64 = 1_000_000_000;

/// Facts about a process from its files in `/proc`.
pub struct Process {
    pub folder: PathBuf,
    pub comm: Option<String>,
    /// Its command line, without what looks like a secret.
    pub command: Option<String>,
    pub uid: Option<u32>,
    pub cgroup: Option<String>,
    /// Inode number of its mount namespace.
    pub mntns: Option<u64>,
}

/// The process of this number, if it is the one that was using a socket at `used_ns` of the monotonic clock.
pub fn read(proc: &Path, pid: u32, used_ns: u64, trouble: &Trouble) -> Option<Process> {
    let folder = proc.join(pid.to_string());
    match started_ns(&folder, trouble) {
        Some(at) if at > used_ns.saturating_add(SLACK_NS) => return None,
        None if !folder.is_dir() => return None,
        _ => {}
    }
    let comm = trouble.read(&folder.join("comm"), MAX_BYTES);
    let comm = comm.map(|comm| trouble.clean(comm.strip_suffix(b"\n").unwrap_or(&comm), COMM_CHARS));
    // Long command lines are common; that they are cut is no trouble.
    let cmdline = trouble.head(&folder.join("cmdline"), COMMAND_CHARS * 4);
    let command = cmdline.and_then(|(cmdline, is_whole)| process::command(&cmdline, is_whole));
    let status = trouble.read_text(&folder.join("status"), MAX_BYTES);
    Some(Process {
        comm: comm.filter(|comm| !comm.is_empty()),
        command: command.map(|command| flowtop_core::sanitize::clean(&command, COMMAND_CHARS).text),
        uid: status.as_deref().and_then(process::uid),
        cgroup: cgroup(&folder, trouble),
        mntns: fs::metadata(folder.join("ns/mnt")).ok().map(|namespace| namespace.ino()),
        folder,
    })
}

/// The path of a process's cgroup that says most.
pub fn cgroup(folder: &Path, trouble: &Trouble) -> Option<String> {
    let cgroups = trouble.read_text(&folder.join("cgroup"), MAX_BYTES)?;
    cgroup::choose(&cgroups).map(str::to_owned)
}

/// Which of these daemons of the host a process is: any process may call itself that, but only root outside of containers
/// is believed.
pub fn host_daemon<'n>(proc: &Path, pid: u32, names: &[&'n str], trouble: &Trouble) -> Option<&'n str> {
    let comm = trouble.read(&proc.join(pid.to_string()).join("comm"), COMM_CHARS)?;
    let name = names.iter().find(|name| comm.strip_suffix(b"\n") == Some(name.as_bytes()))?;
    let process = read(proc, pid, u64::MAX, trouble)?;
    let place = process.cgroup.as_deref().map(cgroup::parse).unwrap_or_default();
    (process.uid == Some(0) && place.is_of_host()).then_some(*name)
}

/// When the process started, in nanoseconds of the monotonic clock, which stands still while the host sleeps.
fn started_ns(folder: &Path, trouble: &Trouble) -> Option<u64> {
    let stat = trouble.read(&folder.join("stat"), MAX_BYTES)?;
    process::start_ns(&stat, rustix::param::clock_ticks_per_second()).map(clock::monotonic_ns)
}
