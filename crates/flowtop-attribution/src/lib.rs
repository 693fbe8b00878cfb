//! Attribution: user, unit, container and pod of a process, from files of this host that are read in the background.
//!
//! A screen never waits: what is not known yet is not shown yet. Reports wait for what has been asked for already, but
//! not for long ([`Attribution::settle`]).

#![forbid(unsafe_code)]

pub mod parse;
pub mod read;
mod reader;
pub mod resolver;
mod results;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flowtop_core::owner::addresses::Addresses;
use flowtop_core::owner::known::Known;
use flowtop_core::owner::{Identity, Owners, Pod, Seen};
pub use read::files::Trouble;
use reader::Reader;
pub use reader::processes;

/// Processes that wait to be read; the memory is taken at once. Those beyond are asked for by a later report.
const QUEUE: usize = 2_048;

/// How long an answer about the addresses of pods holds.
const ADDRESSES_HOLD: Duration = Duration::from_secs(2);

/// A request to the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// A process to look at, and when it was using a socket.
    Process {
        seen: Seen,
        used_ns: u64,
    },
    Addresses,
}

/// The owners of sockets, as far as files of this host name them.
#[derive(Debug)]
pub struct Attribution {
    shared: Arc<Shared>,
    questions: SyncSender<Question>,
}

#[derive(Debug)]
struct Shared {
    known: Mutex<Known>,
    addresses: Mutex<Places>,
    /// Whether any pod has an address: most hosts have no pods, and need not ask for each row.
    has_addresses: AtomicBool,
    answered: Condvar,
    start: Instant,
    /// Seconds since the start at the last lookup: reading a clock for each row would cost more than the answer.
    asked_s: AtomicU64,
    trouble: Trouble,
    /// Of processes that have no files here.
    nobody: Arc<Identity>,
}

/// Which pods have which addresses, and when that was asked.
#[derive(Debug, Default)]
struct Places {
    addresses: Addresses,
    /// Another number whenever they are others.
    version: u64,
    is_known: bool,
    is_asked: bool,
    next: Option<Instant>,
}

impl Shared {
    fn new() -> Self {
        Self {
            known: Mutex::default(),
            addresses: Mutex::default(),
            has_addresses: AtomicBool::new(false),
            answered: Condvar::new(),
            start: Instant::now(),
            asked_s: AtomicU64::new(0),
            trouble: Trouble::default(),
            nobody: Arc::default(),
        }
    }

    fn now_s(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_addresses(&self, addresses: Addresses) {
        // Who waits for it looks with this lock held, and must not miss it.
        let _known = self.known();
        self.has_addresses.store(!addresses.is_empty(), Ordering::Release);
        let mut places = self.places();
        places.version += u64::from(places.addresses != addresses);
        places.addresses = addresses;
        (places.is_known, places.is_asked) = (true, false);
        places.next = Some(Instant::now() + ADDRESSES_HOLD);
    }
}

impl Attribution {
    /// Starts the thread that reads files below `root`, with command lines or without; it ends with the value.
    pub fn start(root: &Path, commands: bool) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let (questions, queue) = sync_channel(QUEUE);
        let (theirs, root) = (Arc::clone(&shared), root.to_owned());
        thread::Builder::new()
            .name("owners".to_owned())
            .spawn(move || work(&queue, &theirs, &root, commands))?;
        Ok(Self { shared, questions })
    }

    /// Waits until everything that has been asked for is answered, or until `limit` has passed.
    pub fn settle(&self, limit: Duration) {
        let known = self.shared.known();
        let pending = |known: &mut Known| known.pending() > 0 || self.shared.places().is_asked;
        drop(self.shared.answered.wait_timeout_while(known, limit, pending));
    }

    /// Notes the time, and asks again which pods have which addresses, unless that is known well enough. Returns at once.
    pub fn pass_time(&self) {
        self.shared.asked_s.store(self.shared.now_s(), Ordering::Relaxed);
        let mut places = self.shared.places();
        let is_time = places.next.is_none_or(|next| Instant::now() >= next);
        if is_time && !places.is_asked && self.questions.try_send(Question::Addresses).is_ok() {
            places.is_asked = true;
        }
    }

    /// Counts of files that could not be read, and of texts that were cleaned or cut.
    #[must_use]
    pub fn trouble(&self) -> &Trouble {
        &self.shared.trouble
    }
}

impl Owners for Attribution {
    fn identity(&self, seen: &Seen, used_ns: u64) -> Option<Arc<Identity>> {
        if !seen.is_user_process() {
            return Some(Arc::clone(&self.shared.nobody));
        }
        let now_s = self.shared.asked_s.load(Ordering::Relaxed);
        let mut known = self.shared.known();
        let (identity, wanted) = known.get(seen, now_s);
        if wanted && self.questions.try_send(Question::Process { seen: *seen, used_ns }).is_ok() {
            known.ask(*seen, now_s);
        }
        identity
    }

    fn pod_at(&self, address: IpAddr) -> Option<Arc<Pod>> {
        if !self.shared.has_addresses.load(Ordering::Acquire) {
            return None;
        }
        self.shared.places().addresses.pod(address).cloned()
    }

    fn knows_addresses(&self) -> bool {
        self.shared.places().is_known
    }

    fn version(&self) -> u64 {
        let places = self.shared.places().version;
        self.shared.known().version() + places
    }
}

fn work(queue: &Receiver<Question>, shared: &Shared, root: &Path, commands: bool) {
    let mut reader = Reader::new(root, &shared.trouble).with_commands(commands);
    for question in queue {
        match question {
            Question::Process { seen, used_ns } => {
                let answer = reader.read(&seen, used_ns);
                shared.known().answer(&seen, answer.identity, answer.last, shared.now_s());
            }
            Question::Addresses => shared.answer_addresses(reader.addresses()),
        }
        shared.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::owner::addresses::Claim;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    fn question(pid: u32) -> Question {
        Question::Process { seen: seen(pid), used_ns: 0 }
    }

    #[test]
    fn addresses_of_pods_are_asked_for_in_the_background_and_not_all_the_time() {
        let (questions, queue) = sync_channel(2);
        let owners = Attribution { shared: Arc::new(Shared::new()), questions };
        let web = IpAddr::from([10, 244, 0, 7]);
        assert_eq!((owners.pod_at(web), owners.knows_addresses()), (None, false));
        owners.pass_time();
        owners.pass_time();
        assert_eq!((queue.try_recv(), queue.try_recv().is_err()), (Ok(Question::Addresses), true));
        let pod = Arc::new(Pod { namespace: None, name: "web-0".to_owned() });
        let claim =
            Claim { network: String::new(), written_ns: 0, pod: Arc::clone(&pod), addresses: vec![web] };
        owners.shared.answer_addresses(Addresses::of([vec![claim]]));
        assert_eq!((owners.pod_at(web), owners.knows_addresses(), owners.version()), (Some(pod), true, 1));
        owners.pass_time();
        assert!(queue.try_recv().is_err());
    }

    #[test]
    fn the_first_question_is_not_answered_and_does_not_wait() {
        let (questions, queue) = sync_channel(1);
        let owners = Attribution { shared: Arc::new(Shared::new()), questions };
        assert_eq!([1, 2].map(|pid| owners.identity(&seen(pid), 0)), [None, None]);
        assert_eq!(queue.try_recv().unwrap(), question(1));
        // The queue had no room for the second; it has now. The first is not asked for again.
        assert_eq!([1, 2].map(|pid| owners.identity(&seen(pid), 0)), [None, None]);
        assert_eq!(queue.try_recv().unwrap(), question(2));
        assert!(queue.try_recv().is_err());
    }

    #[test]
    fn of_no_process_nothing_is_asked() {
        let owners = Attribution::start(Path::new("/"), true).unwrap();
        assert_eq!(owners.identity(&seen(0), 0), Some(Arc::default()));
        assert_eq!(owners.shared.known().pending(), 0);
    }

    #[test]
    fn this_process_is_known_after_settling() {
        let owners = Attribution::start(Path::new("/"), true).unwrap();
        let own = seen(std::process::id());
        assert_eq!(owners.identity(&own, u64::MAX), None);
        owners.settle(Duration::from_mins(1));
        let identity = owners.identity(&own, u64::MAX).unwrap();
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(identity.comm.as_deref(), Some(comm.trim_end()));
        assert!(identity.command.is_some() && identity.user.is_some() && identity.mntns.is_some());
    }
}
