//! Single letters read from stdin, which may be a terminal or a pipe.

use std::io::{self, IsTerminal as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::io::{AsyncReadExt as _, Stdin};

/// Reads stdin. While it exists, a terminal is not in line mode and does not echo.
pub struct Letters {
    stdin: Option<Stdin>,
    terminal_before: Option<Termios>,
}

impl Letters {
    /// For runs that read no letters.
    pub const fn none() -> Self {
        Self { stdin: None, terminal_before: None }
    }

    /// Letters of stdin where it is a terminal.
    pub fn of_a_terminal() -> Self {
        if io::stdin().is_terminal() { Self::open() } else { Self::none() }
    }

    /// Letters from stdin. Reads nothing if flowtop is not in the foreground process group of the terminal, because
    /// SIGTTIN would stop it.
    pub fn open() -> Self {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Self { stdin: Some(tokio::io::stdin()), terminal_before: None };
        }
        if tcgetpgrp(&stdin).ok() != Some(rustix::process::getpgrp()) {
            return Self::none();
        }
        Self { stdin: Some(tokio::io::stdin()), terminal_before: take_letter_by_letter() }
    }

    /// Waits for the next letter; pending forever after the end of input.
    pub async fn next(&mut self) -> u8 {
        if let Some(stdin) = &mut self.stdin {
            if let Ok(letter) = stdin.read_u8().await {
                return letter;
            }
            self.stdin = None;
        }
        std::future::pending().await
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        if let Some(before) = &self.terminal_before {
            // A terminal that is closed needs no restoring.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Switches line mode and echo off and returns the previous modes. `None` if stdin is no terminal; letters then arrive
/// line by line.
fn take_letter_by_letter() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut letters = before.clone();
    letters.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Now, &letters).ok()?;
    Some(before)
}
