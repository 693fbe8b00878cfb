//! Commands run in the background by `exec`. Waiting for them never delays a sample.

use std::process::{ExitStatus, Stdio};

use tokio::process::Command;
use tokio::task::JoinSet;

/// Maximum number of commands at a time, in case they do not end.
const MAX_RUNNING: usize = 4;

/// A command that does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("`{0}` is not started: {MAX_RUNNING} commands still run")]
    TooMany(String),
    #[error("`{command}` cannot be started: {reason}")]
    Shell { command: String, reason: std::io::Error },
}

/// The running commands.
#[derive(Debug, Default)]
pub(super) struct Commands(JoinSet<(String, std::io::Result<ExitStatus>)>);

impl Commands {
    /// Runs a line of shell.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(
        &mut self,
        command: &str,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<(), StartError> {
        if self.running() >= MAX_RUNNING {
            return Err(StartError::TooMany(command.to_owned()));
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).envs(variables).stdin(Stdio::null());
        let mut child =
            shell.spawn().map_err(|reason| StartError::Shell { command: command.to_owned(), reason })?;
        let command = command.to_owned();
        self.0.spawn(async move { (command, child.wait().await) });
        Ok(())
    }

    /// Number of running commands.
    pub(super) fn running(&self) -> usize {
        self.0.len()
    }

    /// Waits until a command ends, and returns how; pending forever if none runs.
    pub(super) async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok((command, Ok(status)))) => format!("`{command}` has ended: {status}"),
            Some(Ok((command, Err(error)))) => format!("`{command}` cannot be waited for: {error}"),
            Some(Err(error)) => format!("a command cannot be waited for: {error}"),
            None => std::future::pending().await,
        }
    }
}
