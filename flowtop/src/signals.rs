//! The signals that end a run in order: with what has been counted so far, and the terminal as it was.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP. They are watched for from the moment this is made.
pub struct Endings {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where it is ignored, as `nohup` has it: that stays so.
    hangup: Option<Signal>,
}

impl Endings {
    /// Begins to watch, within a runtime.
    pub fn watch() -> Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        let hangup = (!flowtop_sys::is_ignored(libc::SIGHUP)).then(|| signal(SignalKind::hangup()));
        let hangup = hangup.transpose().context("cannot watch for SIGHUP")?;
        Ok(Self { interrupt, terminate, hangup })
    }

    /// Waits for one of them.
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
