//! Who is behind a process: files of this host, read in the background.
//!
//! A screen never waits: what is not known yet is not shown yet. Reports wait for what has been asked for already, but
//! not for long ([`Attribution::settle`]).

mod cgroups;
pub mod descriptors;
mod files;
mod manifests;
mod names;
mod process;
mod reader;
mod results;
mod uts;

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::core::owner::known::Known;
use crate::core::owner::{Identity, Owners, Seen};
pub use files::Trouble;
use reader::Reader;

/// Processes that wait to be read; the memory is taken at once. Those beyond are asked for by a later report.
const QUEUE: usize = 2_048;

/// A process to look at, and when it was using a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    seen: Seen,
    used_ns: u64,
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
    answered: Condvar,
    start: Instant,
    trouble: Trouble,
    /// Of processes that have no files here.
    nobody: Arc<Identity>,
}

impl Shared {
    fn new() -> Self {
        Self {
            known: Mutex::default(),
            answered: Condvar::new(),
            start: Instant::now(),
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
}

impl Attribution {
    /// Starts the thread that reads files below `root`; it ends with the value.
    pub fn start(root: &Path) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let (questions, queue) = sync_channel(QUEUE);
        let (theirs, root) = (Arc::clone(&shared), root.to_owned());
        thread::Builder::new().name("owners".to_owned()).spawn(move || work(&queue, &theirs, &root))?;
        Ok(Self { shared, questions })
    }

    /// Waits until everything that has been asked for is answered, or until `limit` has passed.
    pub fn settle(&self, limit: Duration) {
        let known = self.shared.known();
        let pending = |known: &mut Known| known.pending() > 0;
        drop(self.shared.answered.wait_timeout_while(known, limit, pending));
    }

    /// What could not be read or shown as it is.
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
        let now_s = self.shared.now_s();
        let mut known = self.shared.known();
        let (identity, wanted) = known.get(seen, now_s);
        if wanted && self.questions.try_send(Question { seen: *seen, used_ns }).is_ok() {
            known.ask(*seen, now_s);
        }
        identity
    }

    fn version(&self) -> u64 {
        self.shared.known().version()
    }
}

fn work(queue: &Receiver<Question>, shared: &Shared, root: &Path) {
    let mut reader = Reader::new(root, &shared.trouble);
    for Question { seen, used_ns } in queue {
        let answer = reader.read(&seen, used_ns);
        shared.known().answer(&seen, answer.identity, answer.last, shared.now_s());
        shared.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    #[test]
    fn the_first_question_is_not_answered_and_does_not_wait() {
        let (questions, queue) = sync_channel(1);
        let owners = Attribution { shared: Arc::new(Shared::new()), questions };
        assert_eq!([1, 2].map(|pid| owners.identity(&seen(pid), 0)), [None, None]);
        assert_eq!(queue.try_recv().unwrap().seen, seen(1));
        // The queue had no room for the second; it has now. The first is not asked for again.
        assert_eq!([1, 2].map(|pid| owners.identity(&seen(pid), 0)), [None, None]);
        assert_eq!(queue.try_recv().unwrap().seen, seen(2));
        assert!(queue.try_recv().is_err());
    }

    #[test]
    fn of_no_process_nothing_is_asked() {
        let owners = Attribution::start(Path::new("/")).unwrap();
        assert_eq!(owners.identity(&seen(0), 0), Some(Arc::default()));
        assert_eq!(owners.shared.known().pending(), 0);
    }

    #[test]
    fn this_process_is_known_after_settling() {
        let owners = Attribution::start(Path::new("/")).unwrap();
        let own = seen(std::process::id());
        assert_eq!(owners.identity(&own, u64::MAX), None);
        owners.settle(Duration::from_mins(1));
        let identity = owners.identity(&own, u64::MAX).unwrap();
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(identity.comm.as_deref(), Some(comm.trim_end()));
        assert!(identity.command.is_some() && identity.user.is_some() && identity.mntns.is_some());
    }
}
