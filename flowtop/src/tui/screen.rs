//! The terminal while the interactive view uses it. It is restored on every exit, also after a panic.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic;
use std::sync::Once;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::process::{getppid, getsid};
use rustix::termios::{QueueSelector, tcflush, tcgetwinsize};

use crate::Usage;
use crate::output::{self, Buffer as Output};

/// Reports of button presses and the wheel in SGR encoding. crossterm's own command would also request mouse motion.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// How long a terminal that stands still is waited for at the end. Then what it has not taken is dropped, again and again,
/// because a frame may be larger than what a terminal holds.
const WAITS: Duration = Duration::from_millis(100);
const DROPS_EVERY: Duration = Duration::from_millis(20);
const DROPS: u32 = 20;

/// Checks that stdin and stdout are a terminal.
///
/// # Errors
/// A [`Usage`] error if they are not.
pub fn require_terminal() -> anyhow::Result<()> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    let what = "the view needs a terminal on its input and output; use -t for reports";
    Err(Usage(what.to_owned()).into())
}

/// Whether a shell in this session could resume flowtop after SIGSTOP.
#[must_use]
pub fn has_shell() -> bool {
    let session = getsid(None).ok();
    getppid().is_some_and(|parent| getsid(Some(parent)).ok() == session)
}

/// A terminal that shows the view. Dropping it restores the terminal.
pub struct Screen {
    backend: CrosstermBackend<Output>,
    /// Cells that the terminal shows now.
    shown: Buffer,
    /// Cells of the next frame.
    next: Buffer,
    cursor: Option<Position>,
    /// The content of the terminal is unknown, so the next frame writes every cell.
    is_stale: bool,
}

impl Screen {
    /// Puts the terminal into raw mode and the alternate screen.
    pub fn open() -> io::Result<Self> {
        restore_on_panic();
        let mut screen = Self {
            backend: CrosstermBackend::new(Output::stdout()),
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            cursor: None,
            is_stale: true,
        };
        screen.enter()?;
        Ok(screen)
    }

    /// Takes the terminal again after a stop, whatever its state is now.
    pub fn enter(&mut self) -> io::Result<()> {
        // After SIGSTOP, which cannot be caught, the saved modes are still the right ones to restore.
        disable_raw_mode()?;
        enable_raw_mode()?;
        execute!(self.backend, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        self.backend.write_all(MOUSE_ON.as_bytes())?;
        self.is_stale = true;
        io::Write::flush(&mut self.backend)
    }

    /// Restores the terminal.
    pub fn leave() {
        restore();
    }

    /// Makes the next frame write every cell.
    pub fn forget(&mut self) {
        self.is_stale = true;
    }

    /// Size in columns and lines.
    #[must_use]
    pub fn size() -> (u16, u16) {
        tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row))
    }

    /// Lets `draw` fill a buffer of the terminal's size and writes the cells that differ. `draw` returns the position
    /// of the cursor if it is visible. A terminal that has not taken the frame before gets none.
    pub fn draw(
        &mut self,
        size: (u16, u16),
        draw: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<()> {
        output::stdout().settle();
        if output::stdout().is_busy() {
            return Ok(());
        }
        output::stdout().failed()?;
        let area = Rect::new(0, 0, size.0, size.1);
        self.next.resize(area);
        let cursor = draw(&mut self.next);
        if self.is_stale || self.shown.area != area {
            self.shown = Buffer::empty(area);
            queue!(self.backend, BeginSynchronizedUpdate)?;
            self.backend.clear()?;
            self.is_stale = true;
        }
        let changes = self.shown.diff(&self.next);
        if !self.is_stale && changes.is_empty() && cursor == self.cursor {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate, Hide)?;
        self.backend.draw(changes.into_iter())?;
        if let Some(position) = cursor {
            self.backend.set_cursor_position(position)?;
            queue!(self.backend, Show)?;
        }
        queue!(self.backend, EndSynchronizedUpdate)?;
        io::Write::flush(&mut self.backend)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        (self.cursor, self.is_stale) = (cursor, false);
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal. Errors are ignored, because the terminal may be closed.
fn restore() {
    let mut stdout = Output::stdout();
    let _ = stdout.write_all(MOUSE_OFF.as_bytes());
    let _ = execute!(stdout, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let mut is_done = output::stdout().wait(Some(WAITS));
    for _ in 0..DROPS {
        if is_done {
            break;
        }
        // Nobody reads the rest of a frame that is left anyway; without it there is room for what gives the terminal back.
        let _ = tcflush(io::stdout(), QueueSelector::OFlush);
        is_done = output::stdout().wait(Some(DROPS_EVERY));
    }
    let _ = disable_raw_mode();
}

/// Restores the terminal before the message of a panic is printed.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
    });
}
