//! What the loop of the view waits for: signals, bytes of the terminal, ticks, and answers of other threads.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt as _, Stdin};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::core::filter::Filter;
use crate::signals::Endings;
use crate::source::Source;

/// What the loop woke up for.
pub(super) enum Wake {
    /// There is a source of samples, or there will be none.
    Loaded(Result<Box<Source>>),
    Sample,
    Frame,
    /// So many bytes of stdin; none at its end.
    Bytes(usize),
    /// No more bytes have come.
    Silence,
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

/// Bytes read; none at the end, and from a terminal that has gone.
pub(super) async fn read(stdin: &mut Stdin, bytes: &mut [u8]) -> usize {
    stdin.read(bytes).await.unwrap_or(0)
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
