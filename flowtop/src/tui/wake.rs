//! Events that wake the view's loop: signals, input, ticks, and answers of other threads.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt as _, Stdin, stdin};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::signals::Endings;
use crate::source::Source;
use flowtop_core::filter::{Filter, FilterError};
use flowtop_view::state::input::{Awaited, Decoder, Input};

/// How long after an ESC further bytes belong to the same key. Terminals send all bytes of a key at once.
const KEY_GAP: Duration = Duration::from_millis(30);
/// Timeout within an escape sequence. Its first bytes cannot have been typed, so the rest will arrive unless the
/// network lost it.
const SEQUENCE_GAP: Duration = Duration::from_secs(1);
/// Timeout within pasted text, which must not be taken for commands when the network stalls.
const PASTE_GAP: Duration = Duration::from_secs(5);

/// The event that woke the loop.
pub(super) enum Wake {
    /// The source of samples has been loaded, or has failed to load.
    Loaded(Result<Box<Source>>),
    Sample,
    Frame,
    /// Input from the terminal.
    Inputs(Vec<Input>),
    Resize,
    Continued,
    Stop,
    Answer(Result<Filter, AnswerError>),
    Quit,
}

/// A filter whose names were looked up in vain.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Thread(#[from] JoinError),
}

/// Signals that the terminal's user sends.
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

/// Reads and decodes input from the terminal on stdin.
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
                // End of input, or the terminal is closed.
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

/// Waits until incomplete input has timed out.
async fn silence(awaited: Option<Awaited>, read_at: Instant) {
    let Some(awaited) = awaited else { return std::future::pending().await };
    let gap = match awaited {
        Awaited::Key => KEY_GAP,
        Awaited::Sequence => SEQUENCE_GAP,
        Awaited::Paste => PASTE_GAP,
    };
    // If the loop was busy, the remaining bytes may have arrived but not been read.
    sleep_until((read_at + gap).max(Instant::now() + KEY_GAP)).await;
}

pub(super) async fn answered(
    answer: &mut Option<(String, JoinHandle<Result<Filter, AnswerError>>)>,
) -> Result<Filter, AnswerError> {
    match answer {
        Some((_, task)) => task.await.unwrap_or_else(|error| Err(error.into())),
        None => std::future::pending().await,
    }
}

/// A source that is being loaded on another thread.
pub(super) async fn loaded(loading: &mut Option<JoinHandle<Result<Source>>>) -> Wake {
    let Some(task) = loading else { return std::future::pending().await };
    let source = task.await;
    *loading = None;
    Wake::Loaded(match source {
        Ok(source) => source.map(Box::new),
        Err(error) => Err(anyhow!("loading the hooks failed: {error}")),
    })
}

/// Ticks from now on. Missed ticks are skipped.
pub(super) fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
