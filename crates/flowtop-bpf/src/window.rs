//! A moment in which the kernel keeps statistics of the programs at the hooks, so that events can be counted.
//!
//! The statistics are not kept always: they cost as much as the programs themselves.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use aya::sys::{Stats, enable_stats};
use flowtop_core::trigger::Events;

use super::load::Link;

/// Length of a window: at 4,000 events a second it sees 80.
const LENGTH: Duration = Duration::from_millis(20);

/// A count that is under way.
pub struct Window {
    counted: Receiver<Events>,
    /// Ends it early when it is dropped.
    _open: Sender<()>,
}

impl Window {
    /// Counts on a thread of its own, which then detaches `links`. `None` if no thread can be started.
    pub fn open(programs: Vec<OwnedFd>, links: Vec<Link>) -> Option<Self> {
        let (open, closed) = channel();
        let (sender, counted) = channel();
        let count = move || {
            let events = count(&programs, &closed);
            drop(links);
            // The receiver is gone when the program ends.
            let _ = events.map(|events| sender.send(events));
        };
        thread::Builder::new().name("events".to_owned()).spawn(count).ok()?;
        Some(Self { counted, _open: open })
    }

    /// Events a second, once they have been counted and the links been detached.
    ///
    /// # Errors
    /// `Empty` while the count is under way, `Disconnected` where the kernel keeps no statistics.
    pub fn counted(&self) -> Result<Events, TryRecvError> {
        self.counted.try_recv()
    }
}

/// Events a second in the time until the window closes.
fn count(programs: &[OwnedFd], closed: &Receiver<()>) -> Option<Events> {
    let statistics = enable_stats(Stats::RunTime);
    let (start, before) = (Instant::now(), sum(programs));
    let closing = closed.recv_timeout(LENGTH);
    let (after, seconds) = (sum(programs)?, start.elapsed().as_secs_f64());
    drop(statistics.ok()?);
    let before = before.filter(|_| closing == Err(RecvTimeoutError::Timeout))?;
    let per_second = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
    Some(Events { count: per_second(before.0, after.0), run_ns: per_second(before.1, after.1) })
}

/// Runs of the programs, and their time in nanoseconds.
fn sum(programs: &[OwnedFd]) -> Option<(u64, u64)> {
    let add = |sum: (u64, u64), program: &OwnedFd| {
        let (runs, ns) = flowtop_sys::run_statistics(program.as_fd()).ok()?;
        Some((sum.0 + runs, sum.1 + ns))
    };
    programs.iter().try_fold((0, 0), add)
}
