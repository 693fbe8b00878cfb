//! Holders of sockets: a walk over all open files by the kernel's iterator, or through `/proc` where there is
//! none; and which sockets are the kernel's own.
//!
//! Walks go on beside what flowtop does. Reports wait for the kernel's, which takes 0.3 s with 190,000 sockets, and some
//! seconds for one through `/proc`, which takes two with 20,000 processes. A screen waits for none.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use aya::Ebpf;
use flowtop_common::FlowKey;

use super::iterator::Iterator;
use super::load::Walks;
use super::probe::Host;
use super::read::SharedNumbers;
use super::seed;
use flowtop_attribution::read::descriptors;
use flowtop_core::ledger::Ledger;
use flowtop_core::owner::Seen;
use flowtop_core::trigger::Trigger;
use flowtop_core::wire::{HOLDER_BYTES, holder};
use flowtop_sys::clock;

/// Minimum time between two walks.
const PAUSE: Duration = Duration::from_secs(5);
/// A walk is not repeated before so many times the time that it took: it may take 0.25 % of one processor.
const PAUSE_FOR_EACH_WALK: u32 = 400;

/// Time between two walks while no hooks tell who uses a socket and every socket has an owner: others may have it as well.
const PAUSE_WHILE_SWEEPING: Duration = Duration::from_secs(10);
/// Time that walks for reports may take beyond that while no hooks tell owners, if as little was taken before.
const SAVED: Duration = Duration::from_millis(100);

/// How long a report waits for a walk through `/proc`.
const PROC_WAIT: Duration = Duration::from_secs(5);

/// Whether a caller waits for the end of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For a report, which should name every owner that can be found.
    Yes,
    /// For a frame of the screen or a sample between two reports: an owner that is found later is shown later.
    No,
}

/// Processes with flows that they have open.
type Found = Vec<(FlowKey, Seen)>;

/// The way to ask, and when to ask again.
pub struct Holders {
    /// Whether the kernel walks over open files.
    walks: bool,
    /// Whether the kernel tells its own sockets.
    tells_kernel: bool,
    /// Where the host's processes are, if they can be seen.
    processes: Option<PathBuf>,
    /// Numbers of processes here, where they are not the kernel's.
    numbers: Option<SharedNumbers>,
    next: Instant,
    /// Time that walks for reports may take.
    saved: Duration,
    last: LastWalk,
    under_way: Option<PendingWalk>,
    found: Met,
    /// Whether there were any of the former at the end of the last walk.
    are_shared: bool,
}

/// The last walk.
#[derive(Clone, Copy, Debug)]
struct LastWalk {
    ended: Instant,
    taken: Duration,
    /// Tasks of the host at its end.
    tasks: u32,
}

impl LastWalk {
    fn now(taken: Duration) -> Self {
        Self { ended: Instant::now(), taken, tasks: tasks().unwrap_or(1) }
    }

    /// How long a walk would take now: it passes the open files of all tasks.
    fn estimate(&self) -> Duration {
        let ratio = tasks().map_or(1.0, |tasks| f64::from(tasks) / f64::from(self.tasks.max(1)));
        self.taken.mul_f64(ratio)
    }
}

/// Tasks of the host: the number behind the slash in `/proc/loadavg`.
fn tasks() -> Option<u32> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

/// The flows and processes that a walk has met.
#[derive(Default)]
struct Met {
    /// By the place of a flow in the ledger.
    flows: Vec<bool>,
    is_any_met_twice: bool,
    /// Whether a process is still there, by its number.
    processes: HashMap<u32, bool>,
}

impl Met {
    fn meet(&mut self, place: usize) {
        if place >= self.flows.len() {
            self.flows.resize(place + 1, false);
        }
        self.is_any_met_twice |= std::mem::replace(&mut self.flows[place], true);
    }

    /// Whether a process is still there. A child has the open files of its parent until it becomes another program, and
    /// mostly ends soon: it is no user of them. A process that cannot be seen from here counts as one that is there.
    fn is_there(&mut self, seen: &Seen, processes: Option<&Path>) -> bool {
        let (Some(pid), Some(folder)) = (seen.number(), processes) else { return true };
        *self.processes.entry(pid).or_insert_with(|| folder.join(pid.to_string()).exists())
    }
}

/// A walk that goes on on another thread.
struct PendingWalk {
    found: Receiver<(Found, Duration)>,
    start: Instant,
    /// How long a report waits for it.
    wait: Duration,
    /// Processor time of asking for the kernel's own sockets.
    before: Duration,
    /// That of its thread until the last message.
    on_thread: Duration,
}

impl Holders {
    /// By what this kernel has taken.
    pub fn new(walks: &Walks, host: &Host) -> Self {
        Self {
            walks: walks.loaded(Iterator::HOLDERS).is_ok(),
            tells_kernel: host.kern_sock_mask != 0 && walks.loaded(Iterator::KERNEL_SOCKETS).is_ok(),
            processes: None,
            numbers: None,
            next: Instant::now(),
            saved: SAVED,
            last: LastWalk::now(Duration::ZERO),
            under_way: None,
            found: Met::default(),
            are_shared: false,
        }
    }

    /// Where walks through `/proc` look, and for the namespaces of the kernel's own sockets.
    pub fn look_in(&mut self, processes: Option<PathBuf>) {
        self.processes = processes;
    }

    /// Sets the translation of the kernel's numbers of processes.
    pub fn translate_by(&mut self, numbers: Option<SharedNumbers>) {
        self.numbers = numbers;
    }

    /// Folder that walks through `/proc` read.
    pub fn processes(&self) -> Option<&Path> {
        self.processes.as_deref()
    }

    /// Disables the walk in the kernel, so that `/proc` is read.
    pub fn by_proc(&mut self) {
        self.walks = false;
    }

    /// Whether several processes had one socket open at the last walk.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.are_shared
    }

    /// Finds holders of the flows without an owner, unless that was done a moment ago. Unreadable files leave them
    /// without an owner. While no hooks tell who uses a socket, those of all flows are looked for, more seldom.
    pub fn find(&mut self, ebpf: &mut Ebpf, ledger: &mut Ledger, wait: Wait, trigger: Trigger) {
        self.take_found(ledger, Duration::ZERO);
        // A walk that is under way may have passed the processes of the newest sockets.
        if wait == Wait::Yes {
            self.finish(ledger);
        }
        if self.under_way.is_none() && self.is_due(ledger, wait, trigger) {
            self.start(ebpf, ledger);
        }
        if wait == Wait::Yes {
            self.finish(ledger);
        }
    }

    /// Waits for the end of a walk, as long as reports do.
    fn finish(&mut self, ledger: &mut Ledger) {
        if let Some(limit) = self.under_way.as_ref().map(|walk| walk.wait) {
            self.take_found(ledger, limit);
        }
    }

    fn is_due(&self, ledger: &Ledger, wait: Wait, trigger: Trigger) -> bool {
        let now = Instant::now();
        let is_sweeping = trigger == Trigger::Sweep;
        let is_for_report = is_sweeping && wait == Wait::Yes && self.may_take(now, self.last.estimate());
        if now < self.next && !is_for_report {
            return false;
        }
        ledger.has_unowned() || is_sweeping && now >= self.last.ended + PAUSE_WHILE_SWEEPING
    }

    /// Whether so much has been saved.
    fn may_take(&self, now: Instant, time: Duration) -> bool {
        (self.saved + now.duration_since(self.last.ended) / PAUSE_FOR_EACH_WALK).min(SAVED) >= time
    }

    fn start(&mut self, ebpf: &mut Ebpf, ledger: &mut Ledger) {
        let (start, time) = (Instant::now(), clock::thread_time());
        if self.tells_kernel {
            find_kernels(ebpf, self.processes.as_deref(), ledger);
        }
        let kernels =
            self.walks.then(|| Iterator::HOLDERS.of(ebpf).ok().and_then(|iter| seed::open(iter).ok()));
        let kernels = kernels.flatten();
        let wait = if kernels.is_some() { Duration::MAX } else { PROC_WAIT };
        let (processes, flows) = (self.processes.clone(), ledger.open_flows().copied().collect());
        let found = Walk { kernels, processes, flows, numbers: self.numbers.clone() }.go_beside();
        let taken = clock::thread_time().saturating_sub(time);
        self.under_way =
            found.map(|found| PendingWalk { found, start, wait, before: taken, on_thread: Duration::ZERO });
    }

    /// Takes what a walk has found, and what it finds in this time.
    fn take_found(&mut self, ledger: &mut Ledger, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        while let Some(walk) = &mut self.under_way {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            match walk.found.recv_timeout(left) {
                Ok((mut found, time)) => {
                    walk.on_thread = time;
                    found.retain(|(_, seen)| self.found.is_there(seen, self.processes.as_deref()));
                    for (key, _) in &found {
                        ledger.place_of(key).into_iter().for_each(|place| self.found.meet(place));
                    }
                    take(ledger, found);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    let (start, taken) = (walk.start, walk.before + walk.on_thread);
                    self.under_way = None;
                    self.pause(start, taken);
                }
            }
        }
    }

    fn pause(&mut self, start: Instant, taken: Duration) {
        let now = Instant::now();
        self.next = start + PAUSE.max(taken * PAUSE_FOR_EACH_WALK);
        let saved = self.saved + now.duration_since(self.last.ended) / PAUSE_FOR_EACH_WALK;
        self.saved = saved.min(SAVED).saturating_sub(taken);
        self.last = LastWalk::now(taken);
        self.are_shared = std::mem::take(&mut self.found).is_any_met_twice;
    }
}

/// Asks which sockets are the kernel's own.
fn find_kernels(ebpf: &mut Ebpf, processes: Option<&Path>, ledger: &mut Ledger) {
    let Ok(iter) = Iterator::KERNEL_SOCKETS.of(ebpf) else { return };
    let mut written = Vec::new();
    // Holders written before a failure are right.
    let _ = seed::run(iter, processes, &mut written);
    let _ = Chunks::new(|found| take(ledger, found)).write_all(&written);
}

fn take(ledger: &mut Ledger, found: Found) {
    for (key, seen) in found {
        ledger.take_holder(&key, seen);
    }
}

/// A walk that has not begun.
struct Walk {
    /// The kernel's, where it has one.
    kernels: Option<File>,
    /// Where processes are looked at otherwise.
    processes: Option<PathBuf>,
    /// Flows whose holders are looked for.
    flows: Vec<FlowKey>,
    numbers: Option<SharedNumbers>,
}

impl Walk {
    fn go(self, mut hand_on: impl FnMut(Found)) {
        let mut of_kernel = |mut found: Found| {
            for (_, seen) in &mut found {
                if let Some(numbers) = &self.numbers {
                    seen.pid = numbers.lock().unwrap_or_else(PoisonError::into_inner).here(seen.pid);
                }
            }
            hand_on(found);
        };
        let walked = self
            .kernels
            .is_some_and(|mut file| io::copy(&mut file, &mut Chunks::new(&mut of_kernel)).is_ok());
        if !walked && let Some(processes) = &self.processes {
            hand_on(descriptors::find(processes, self.flows.iter()));
        }
    }

    /// On another thread; `None` if none can be started; owners stay unknown then.
    fn go_beside(self) -> Option<Receiver<(Found, Duration)>> {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name("holders".to_owned());
        // The receiver is gone when the program ends.
        let walk = move || {
            let send = |found| drop(sender.send((found, clock::thread_time())));
            self.go(send);
            send(Found::new());
        };
        thread.spawn(walk).ok()?;
        Some(receiver)
    }
}

/// Hands on what an iterator writes, and keeps what is not whole yet.
struct Chunks<F> {
    rest: Vec<u8>,
    hand_on: F,
}

impl<F: FnMut(Found)> Chunks<F> {
    fn new(hand_on: F) -> Self {
        Self { rest: Vec::new(), hand_on }
    }
}

impl<F: FnMut(Found)> Write for Chunks<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let (holders, behind) = self.rest.as_chunks::<HOLDER_BYTES>();
        (self.hand_on)(holders.iter().map(holder).collect());
        self.rest = behind.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
