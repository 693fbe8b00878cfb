//! The signals that end a run cleanly: what has been counted is reported, and the terminal is restored.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, caught from the moment this is created.
pub struct Endings {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP is ignored, as under `nohup`; it then stays ignored.
    hangup: Option<Signal>,
}

impl Endings {
    /// Starts to catch the signals. Must be called within a runtime.
    pub fn watch() -> Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        let hangup = (!flowtop_sys::is_ignored(libc::SIGHUP)).then(|| signal(SignalKind::hangup()));
        let hangup = hangup.transpose().context("cannot watch for SIGHUP")?;
        Ok(Self { interrupt, terminate, hangup })
    }

    /// Waits for the next signal.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}
