//! stdout and stderr, each written by a thread of its own, so that a terminal that stands still or a pipe that nobody
//! reads stops neither counting nor signals.
//!
//! Not in here: what is written, and whether a report is dropped or waits (`commands::live`).

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::signals::Endings;

/// How long whoever writes waits for it to be written, so that stdout and stderr keep their order.
const MOMENT: Duration = Duration::from_millis(50);

/// How long a reader may take nothing before a run that a signal has ended goes without it.
const PATIENCE: Duration = Duration::from_millis(400);

/// Most that is written by one call, so that it can be seen whether the reader takes anything.
const PIECE_BYTES: usize = 64 << 10;

/// Most that waits on stderr, which is for people.
const MOST_SAID: usize = 64;

static STDOUT: Output = Output::new(rustix::stdio::stdout);
static STDERR: Output = Output::new(rustix::stdio::stderr);

/// The writer of stdout.
pub fn stdout() -> &'static Output {
    &STDOUT
}

/// The writer of stderr.
pub fn stderr() -> &'static Output {
    &STDERR
}

/// What waits to be written to one descriptor.
pub struct Output {
    descriptor: fn() -> BorrowedFd<'static>,
    shared: Mutex<Shared>,
    changed: Condvar,
    /// Raised when nothing is left to write, and on a failure.
    idle: Notify,
}

struct Shared {
    queue: VecDeque<Vec<u8>>,
    has_thread: bool,
    is_writing: bool,
    /// Bytes so far, to see whether a reader takes any.
    written: u64,
    /// The number of the error that ended it.
    failure: Option<i32>,
    /// The reader did not take the last thing within a moment.
    is_slow: bool,
}

impl Shared {
    fn is_busy(&self) -> bool {
        self.is_writing || !self.queue.is_empty()
    }
}

impl Output {
    const fn new(descriptor: fn() -> BorrowedFd<'static>) -> Self {
        let shared = Shared {
            queue: VecDeque::new(),
            has_thread: false,
            is_writing: false,
            written: 0,
            failure: None,
            is_slow: false,
        };
        Self { descriptor, shared: Mutex::new(shared), changed: Condvar::new(), idle: Notify::const_new() }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it written as soon as the reader takes it.
    ///
    /// # Errors
    /// What has gone wrong with anything that was written before.
    pub fn push(&'static self, bytes: Vec<u8>) -> io::Result<()> {
        self.failed()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut shared = self.lock();
        if !shared.has_thread {
            let thread = thread::Builder::new().name("output".to_owned()).spawn(|| self.serve());
            if thread.is_err() {
                drop(shared);
                return self.write(&bytes);
            }
            shared.has_thread = true;
        }
        shared.queue.push_back(bytes);
        self.changed.notify_all();
        Ok(())
    }

    /// Whether something waits for the reader.
    pub fn is_busy(&self) -> bool {
        self.lock().is_busy()
    }

    /// What has gone wrong.
    ///
    /// # Errors
    /// As the kernel has told it.
    pub fn failed(&self) -> io::Result<()> {
        self.lock().failure.map_or(Ok(()), |number| Err(io::Error::from_raw_os_error(number)))
    }

    /// Waits until all is written or has failed, or for this long; whether all is done.
    pub fn wait(&self, most: Option<Duration>) -> bool {
        let until = most.map(|most| Instant::now() + most);
        let mut shared = self.lock();
        while shared.is_busy() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            shared = match left {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    self.changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    /// Waits a moment, unless the reader was too slow for that before and still is.
    pub fn settle(&self) {
        if self.lock().is_slow && self.is_busy() {
            return;
        }
        let is_slow = !self.wait(Some(MOMENT));
        self.lock().is_slow = is_slow;
    }

    /// Waits until something has gone wrong.
    pub async fn failure(&self) -> io::Error {
        loop {
            let changed = self.idle.notified();
            if let Err(error) = self.failed() {
                return error;
            }
            changed.await;
        }
    }

    async fn drained(&self) {
        loop {
            let changed = self.idle.notified();
            if !self.is_busy() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the reader has all. A run that has been ended (`is_ended`, or a signal from now on) waits for a reader
    /// that takes nothing only for a moment, and a second signal ends that too. Whether the reader has all.
    pub async fn finish(&self, endings: &mut Endings, mut is_ended: bool) -> bool {
        loop {
            let before = self.lock().written;
            tokio::select! {
                biased;
                () = self.drained() => return true,
                () = endings.any() => {
                    if std::mem::replace(&mut is_ended, true) {
                        return false;
                    }
                }
                () = sleep(PATIENCE), if is_ended => {
                    if self.lock().written == before {
                        return false;
                    }
                }
            }
        }
    }

    /// The thread: writes one thing after the other.
    fn serve(&self) {
        loop {
            let mut shared = self.lock();
            let bytes = loop {
                if let Some(bytes) = shared.queue.pop_front() {
                    break bytes;
                }
                shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
            };
            shared.is_writing = true;
            drop(shared);
            let result = self.write(&bytes);
            let mut shared = self.lock();
            shared.is_writing = false;
            if let Err(error) = result {
                shared.failure = Some(error.raw_os_error().unwrap_or(libc::EIO));
                shared.queue.clear();
            }
            if !shared.is_busy() {
                self.idle.notify_waiters();
            }
            self.changed.notify_all();
        }
    }

    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let descriptor = (self.descriptor)();
        while !bytes.is_empty() {
            match rustix::io::write(descriptor, &bytes[..bytes.len().min(PIECE_BYTES)]) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.lock().written += written as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                // Another process has set the descriptor so that it does not block.
                Err(rustix::io::Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&descriptor, PollFlags::OUT)], None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Has a message written, unless so many wait that nobody can be reading them.
    pub fn say(&'static self, text: &str) {
        if self.lock().queue.len() < MOST_SAID && self.push(text.as_bytes().to_vec()).is_ok() {
            self.settle();
        }
    }
}

/// Collects what is written and passes it on with each flush, or when there is much of it.
pub struct Buffer {
    output: &'static Output,
    bytes: Vec<u8>,
}

impl Buffer {
    /// For stdout.
    pub fn stdout() -> Self {
        Self { output: stdout(), bytes: Vec::new() }
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.push(std::mem::take(&mut self.bytes))
    }
}
