//! Letters on stdin, one at a time, from a terminal as from a pipe.

use std::io::{self, IsTerminal as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::io::{AsyncReadExt as _, Stdin};

/// The open end of stdin. While it lives a terminal neither waits for a whole line nor shows what is typed.
pub struct Letters {
    stdin: Option<Stdin>,
    terminal_before: Option<Termios>,
}

impl Letters {
    /// Letters of a run that takes none.
    pub const fn none() -> Self {
        Self { stdin: None, terminal_before: None }
    }

    /// Letters of stdin; none from a terminal that another process group has, because reading it would stop us.
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

    /// The next letter; waits for ever once stdin has ended.
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
            // A terminal that has gone needs no restoring.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Sets the terminal and returns how it was; `None` where that cannot be done, and letters come line by line.
fn take_letter_by_letter() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut letters = before.clone();
    letters.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Now, &letters).ok()?;
    Some(before)
}
