//! The events that the loop of the view waits for: signals, bytes of the terminal, ticks, and answers of other threads.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt as _, Stdin, stdin};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::signals::Endings;
use crate::source::Source;
use flowtop_core::filter::Filter;
use flowtop_view::state::input::{Awaited, Decoder, Input};

/// How long after an ESC more bytes belong to the same key. Terminals send the bytes of a key at once.
const KEY_GAP: Duration = Duration::from_millis(30);
/// The same for the rest of a sequence. A user cannot have typed its beginning, so the rest is on its way unless the
/// network lost it.
const SEQUENCE_GAP: Duration = Duration::from_secs(1);
/// The same for pasted text, which must not become commands if the network stalls.
const PASTE_GAP: Duration = Duration::from_secs(5);

/// The event that woke the loop.
pub(super) enum Wake {
    /// There is a source of samples, or there will be none.
    Loaded(Result<Box<Source>>),
    Sample,
    Frame,
    /// Input from the terminal.
    Inputs(Vec<Input>),
    Resize,
    Continued,
    Stop,
    Answer(Result<Filter, String>),
    Quit,
}

/// The signals that a terminal's owner sends.
pub(super) struct Watched {
    endings: Endings,
    resized: Signals,
    continued: Signals,
    stop: Signals,
}

impl Watched {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            endings: Endings::watch()?,
            resized: signal(SignalKind::window_change())?,
            continued: signal(SignalKind::from_raw(libc::SIGCONT))?,
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })
    }

    pub(super) async fn next(&mut self) -> Wake {
        tokio::select! {
            () = self.endings.any() => Wake::Quit,
            _ = self.resized.recv() => Wake::Resize,
            _ = self.continued.recv() => Wake::Continued,
            _ = self.stop.recv() => Wake::Stop,
        }
    }
}

/// Reads and decodes the terminal on stdin.
pub(super) struct Keyboard {
    stdin: Stdin,
    decoder: Decoder,
    /// Time of the last read.
    read_at: Instant,
}

impl Keyboard {
    pub(super) fn new() -> Self {
        Self { stdin: stdin(), decoder: Decoder::default(), read_at: Instant::now() }
    }

    /// Waits for input. Cancel safe.
    pub(super) async fn next(&mut self) -> Wake {
        let mut bytes = [0; 4096];
        tokio::select! {
            biased;
            read = self.stdin.read(&mut bytes) => match read {
                // The end of the input, or a terminal that has gone.
                Ok(0) | Err(_) => Wake::Quit,
                Ok(n) => {
                    self.read_at = Instant::now();
                    Wake::Inputs(self.decoder.feed(&bytes[..n]))
                }
            },
            () = silence(self.decoder.awaits(), self.read_at) => Wake::Inputs(self.decoder.flush()),
        }
    }
}

/// Waits until the rest of an incomplete input is overdue.
async fn silence(awaited: Option<Awaited>, read_at: Instant) {
    let Some(awaited) = awaited else { return std::future::pending().await };
    let gap = match awaited {
        Awaited::Key => KEY_GAP,
        Awaited::Sequence => SEQUENCE_GAP,
        Awaited::Paste => PASTE_GAP,
    };
    // If the loop was busy, the bytes may be there but unread.
    sleep_until((read_at + gap).max(Instant::now() + KEY_GAP)).await;
}

pub(super) async fn answered(
    answer: &mut Option<(String, JoinHandle<Result<Filter, String>>)>,
) -> Result<Filter, String> {
    match answer {
        Some((_, task)) => task.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

/// The source that is being loaded.
pub(super) async fn loaded(loading: &mut Option<JoinHandle<Result<Source>>>) -> Wake {
    let Some(task) = loading else { return std::future::pending().await };
    let source = task.await;
    *loading = None;
    Wake::Loaded(match source {
        Ok(source) => source.map(Box::new),
        Err(error) => Err(anyhow!("loading the hooks failed: {error}")),
    })
}

/// Ticks from now on; ticks that came too late are left out.
pub(super) fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
