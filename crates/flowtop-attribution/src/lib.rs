//! Attribution: user, unit, container and pod of a process, from files of this host that are read in the background.
//!
//! A screen never waits: what is not known yet is not shown yet. Reports wait for what has been asked for already, but
//! not for long ([`Attribution::settle`]).

#![forbid(unsafe_code)]

mod lookups;
pub mod parse;
pub mod read;
mod reader;
pub mod resolver;
mod results;
pub mod system_names;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtop_core::owner::addresses::Addresses;
use flowtop_core::owner::{Identity, Owners, Pod, Seen};
use lookups::{Answers, Limits, Lookups, Questions};
pub use read::files::Trouble;
use read::namespaces::Namespaces;
pub use read::processes::{Processes, processes, why_not};
use reader::{Answer, Reader};

const LIMITS: Limits = Limits { answers: 65_536, questions: 2_048 };

/// How long an answer about a living process holds at least, in seconds.
const HOLDS_S: u64 = 10;
/// Processes that are read again in a second on average, so that many of them cost no more than few. Reading one takes
/// about 0.2 ms. A process that has executed another program also has another name in the kernel, which makes it
/// another key.
const AGAIN_PER_S: u64 = 8;

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
    identities: Lookups<Seen, Arc<Identity>, Question>,
}

#[derive(Debug)]
struct Shared {
    addresses: Mutex<Places>,
    /// Whether any pod has an address: most hosts have no pods, and need not ask for each row.
    has_addresses: AtomicBool,
    /// The same of network namespaces.
    has_namespaces: AtomicBool,
    /// Seconds since the start at the last lookup: reading a clock for each row would cost more than the answer.
    asked_s: AtomicU64,
    trouble: Trouble,
    /// Of processes that have no files here.
    nobody: Arc<Identity>,
}

/// Which pods have which addresses and network namespaces, and when that was asked.
#[derive(Debug, Default)]
struct Places {
    addresses: Addresses,
    namespaces: Namespaces,
    /// Another number whenever they are others.
    version: u64,
    is_known: bool,
    is_asked: bool,
    next: Option<Instant>,
}

impl Shared {
    fn new() -> Self {
        Self {
            addresses: Mutex::default(),
            has_addresses: AtomicBool::new(false),
            has_namespaces: AtomicBool::new(false),
            asked_s: AtomicU64::new(0),
            trouble: Trouble::default(),
            nobody: Arc::default(),
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_addresses(&self, addresses: Addresses, namespaces: Namespaces) {
        self.has_addresses.store(!addresses.is_empty(), Ordering::Release);
        self.has_namespaces.store(!namespaces.is_empty(), Ordering::Release);
        let mut places = self.places();
        let are_others = places.addresses != addresses || places.namespaces != namespaces;
        places.version += u64::from(are_others);
        (places.addresses, places.namespaces) = (addresses, namespaces);
        (places.is_known, places.is_asked) = (true, false);
        places.next = Some(Instant::now() + ADDRESSES_HOLD);
    }
}

impl Attribution {
    /// Starts the thread that reads files below `root`, with command lines or without; it ends with the value.
    pub fn start(root: &Path, commands: bool) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let (theirs, root) = (Arc::clone(&shared), root.to_owned());
        let identities =
            Lookups::start("owners", LIMITS, move |questions| work(questions, &theirs, &root, commands))?;
        Ok(Self { shared, identities })
    }

    /// Waits until everything that has been asked for is answered, or until `limit` has passed.
    pub fn settle(&self, limit: Duration) {
        self.identities.settle(limit, || self.shared.places().is_asked);
    }

    /// Notes the time, and asks again which pods have which addresses, unless that is known well enough. Returns at
    /// once.
    pub fn pass_time(&self) {
        self.shared.asked_s.store(self.identities.answers.now_s(), Ordering::Relaxed);
        let mut places = self.shared.places();
        let is_time = places.next.is_none_or(|next| Instant::now() >= next);
        if is_time && !places.is_asked && self.identities.ask(Question::Addresses) {
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
        self.identities.get(seen, now_s, || Question::Process { seen: *seen, used_ns })
    }

    fn pod_at(&self, address: IpAddr) -> Option<Arc<Pod>> {
        if !self.shared.has_addresses.load(Ordering::Acquire) {
            return None;
        }
        self.shared.places().addresses.pod(address).cloned()
    }

    fn pod_in(&self, netns: u32) -> Option<Arc<Pod>> {
        if !self.shared.has_namespaces.load(Ordering::Acquire) {
            return None;
        }
        self.shared.places().namespaces.get(&netns).cloned()
    }

    fn knows_addresses(&self) -> bool {
        self.shared.places().is_known
    }

    fn version(&self) -> u64 {
        self.shared.places().version + self.identities.version()
    }
}

fn work(questions: Questions<Seen, Arc<Identity>, Question>, shared: &Shared, root: &Path, commands: bool) {
    let mut reader = Reader::new(root, &shared.trouble).with_commands(commands);
    let answers = Arc::clone(&questions.answers);
    for question in questions {
        match question {
            Question::Process { seen, used_ns } => store(&answers, &seen, reader.read(&seen, used_ns)),
            Question::Addresses => {
                let namespaces = reader.namespaces();
                shared.answer_addresses(reader.addresses(), namespaces);
            }
        }
    }
}

/// Stores what has been read of a process. What was known of one that has ended stays known.
fn store(answers: &Answers<Seen, Arc<Identity>>, seen: &Seen, Answer { identity, last }: Answer) {
    let now_s = answers.now_s();
    let mut cache = answers.cache();
    let replaces = !last || cache.get(seen, now_s).0.is_none();
    let hold_s = HOLDS_S.max(cache.len() as u64 / AGAIN_PER_S);
    cache.answer(seen, replaces.then(|| Arc::new(identity)), (!last).then_some(now_s + hold_s));
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::owner::addresses::Claim;
    use std::sync::mpsc::Receiver;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    /// The value, and the questions that its thread would get.
    fn without_thread() -> (Attribution, Receiver<Question>) {
        let (identities, queue) = Lookups::without_thread(LIMITS);
        (Attribution { shared: Arc::new(Shared::new()), identities }, queue)
    }

    #[test]
    fn addresses_of_pods_are_asked_for_in_the_background_and_not_all_the_time() {
        let (owners, queue) = without_thread();
        let web = IpAddr::from([10, 244, 0, 7]);
        assert_eq!((owners.pod_at(web), owners.knows_addresses()), (None, false));
        owners.pass_time();
        owners.pass_time();
        assert_eq!((queue.try_recv(), queue.try_recv().is_err()), (Ok(Question::Addresses), true));
        let pod = Arc::new(Pod { namespace: None, name: "web-0".to_owned() });
        let claim =
            Claim { network: String::new(), written_ns: 0, pod: Arc::clone(&pod), addresses: vec![web] };
        owners
            .shared
            .answer_addresses(Addresses::of([vec![claim]]), Namespaces::from([(7, Arc::clone(&pod))]));
        assert_eq!((owners.pod_in(7), owners.pod_in(8)), (Some(Arc::clone(&pod)), None));
        assert_eq!((owners.pod_at(web), owners.knows_addresses(), owners.version()), (Some(pod), true, 1));
        owners.pass_time();
        assert!(queue.try_recv().is_err());
    }

    #[test]
    fn a_process_that_has_ended_keeps_what_was_known() {
        let (owners, queue) = without_thread();
        let answers = &owners.identities.answers;
        let called = |name: &str| Identity { comm: Some(name.to_owned()), ..Identity::default() };
        for (identity, last) in [(called("sh"), false), (Identity::default(), true)] {
            answers.cache().ask(seen(1), 0);
            store(answers, &seen(1), Answer { identity, last });
        }
        assert_eq!(owners.identity(&seen(1), 0), Some(Arc::new(called("sh"))));
        assert!(queue.try_recv().is_err(), "nothing more can be learnt of it");
    }

    #[test]
    fn the_more_processes_there_are_the_less_often_they_are_read_again() {
        let (owners, _queue) = without_thread();
        let answers = &owners.identities.answers;
        (0..6400).for_each(|pid| answers.cache().ask(seen(pid), 0));
        store(answers, &seen(7), Answer { identity: Identity::default(), last: false });
        let [early, late] = [799, 900].map(|now_s| answers.cache().get(&seen(7), now_s).1);
        assert_eq!((early, late), (false, true));
    }

    #[test]
    fn of_no_process_nothing_is_asked() {
        let owners = Attribution::start(Path::new("/"), true).unwrap();
        assert_eq!(owners.identity(&seen(0), 0), Some(Arc::default()));
        assert_eq!(owners.identities.answers.cache().pending(), 0);
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
