//! The records of a recorder that may still be running.

use std::path::Path;
use std::time::{Duration, Instant};

use flowtop::recordings;
use flowtop_core::record::Record;
use flowtop_recording::format::frame::Cause;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// How long a test waits for a record at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// All records in a directory that are whole. What is being written, or was when its writer was killed, may be there in
/// part.
pub fn read(dir: &Path) -> Vec<Record> {
    let Ok(recordings) = recordings::open(&[dir.to_owned()]) else { return Vec::new() };
    assert!(recordings.damage().iter().all(|damaged| damaged.damage.cause == Cause::Torn));
    recordings.records(|_| true).map(Result::unwrap).collect()
}

/// Waits until there are so many records. The kernel tells when it is worth to look again.
pub fn wait_for(dir: &Path, count: usize) {
    let until = Instant::now() + PATIENCE;
    let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&changes, dir, WatchFlags::MODIFY).unwrap();
    while read(dir).len() < count {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap();
        let ready = poll(&mut [PollFd::new(&changes, PollFlags::IN)], Some(&left)).unwrap();
        assert!(ready > 0, "there are no {count} records");
        rustix::io::read(&changes, &mut [0; 4096]).unwrap();
    }
}
