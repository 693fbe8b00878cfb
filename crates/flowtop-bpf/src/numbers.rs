//! Numbers of processes in flowtop's own PID namespace, where that is not the first one: the kernel side tells those of the
//! first namespace, and `ps` here shows others.
//!
//! The kernel's iterator over open files translates exactly: told to walk over the files of one process, by its number
//! here, it writes the number that the kernel side has for it. So each process here is asked once it has a socket in the
//! table. Linux before 6.1 walks over all processes only; then no process has a number.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowtop_attribution::parse::process::start_ns;
use flowtop_attribution::read::files::Pace;
use flowtop_core::owner::{OUTSIDE, Seen};
use flowtop_core::wire::{HOLDER_BYTES, holder};

/// How long a number holds before it is looked at whether its process is still the same.
const HOLDS: Duration = Duration::from_secs(1);
/// Most of what a walk over the files of one process writes that is read: the first socket tells.
const MAX_WALK_BYTES: u64 = 64 << 10;

/// A process of this namespace.
#[derive(Clone, Copy, Debug)]
struct Known {
    pid: u32,
    /// In ticks since boot: another process with the number has another start.
    start: u64,
    checked: Instant,
}

/// Numbers here by the kernel's.
#[derive(Debug)]
pub struct Numbers {
    /// The iterator over open files, where the kernel has taken it.
    program: Option<OwnedFd>,
    folder: PathBuf,
    known: HashMap<u32, Known>,
    pace: Pace,
}

impl Numbers {
    /// Translates by this iterator to the numbers in this folder of processes.
    pub fn new(program: Option<OwnedFd>, folder: PathBuf) -> Self {
        Self { program, folder, known: HashMap::new(), pace: Pace::default() }
    }

    /// The number here of a process with that number in the kernel; one that is no process here is marked as outside.
    pub fn here(&mut self, kernels: u32) -> u32 {
        if (Seen { pid: kernels, ..Seen::default() }).number().is_none() {
            return kernels;
        }
        self.still(kernels).or_else(|| self.learned(kernels)).unwrap_or(kernels | OUTSIDE)
    }

    /// A known number whose process is still there.
    fn still(&mut self, kernels: u32) -> Option<u32> {
        let known = self.known.get_mut(&kernels)?;
        if known.checked.elapsed() >= HOLDS {
            // A process that has ended keeps its number for its last bytes, until another one has it.
            let start = start(&self.folder, known.pid);
            if start.is_some_and(|start| start != known.start) {
                self.known.remove(&kernels);
                return None;
            }
            known.checked = Instant::now();
        }
        Some(known.pid)
    }

    fn learned(&mut self, kernels: u32) -> Option<u32> {
        let Self { program, folder, known, pace } = self;
        let program = program.as_ref()?;
        pace.walk(|| learn(program, folder, known));
        self.known.get(&kernels).map(|known| known.pid)
    }
}

/// Asks about every process that is not known yet.
fn learn(program: &OwnedFd, folder: &Path, known: &mut HashMap<u32, Known>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    known.retain(|_, known| pids.contains(&known.pid));
    for pid in pids {
        let Some(start) = start(folder, pid) else { continue };
        if known.values().any(|known| known.pid == pid && known.start == start) {
            continue;
        }
        if let Some(kernels) = kernels_number(program, pid) {
            known.insert(kernels, Known { pid, start, checked: Instant::now() });
        }
    }
}

/// The number that the kernel side has for a process here, if it has a socket in the table.
fn kernels_number(program: &OwnedFd, pid: u32) -> Option<u32> {
    let mut written = Vec::new();
    let walk = flowtop_sys::walk_of_process(program.as_fd(), pid).ok()?;
    // Holders written before a failure are right.
    let _ = walk.take(MAX_WALK_BYTES).read_to_end(&mut written);
    let (holders, _) = written.as_chunks::<HOLDER_BYTES>();
    holders.first().map(|first| holder(first).1.pid)
}

/// When a process started, in nanoseconds since boot.
fn start(folder: &Path, pid: u32) -> Option<u64> {
    start_ns(&fs::read(folder.join(pid.to_string()).join("stat")).ok()?, 100)
}
