//! The terminal while the view has it: taken, drawn on, and given back as it was, however the program ends.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::panic;
use std::sync::Once;

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
use rustix::termios::tcgetwinsize;

use crate::Usage;

/// Presses and the wheel, reported in SGR's form; crossterm's own command asks for every movement as well.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Whether there is one.
///
/// # Errors
/// As [`Usage`], that there is none.
pub fn require_terminal() -> anyhow::Result<()> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    let what = "the view needs a terminal on its input and output; use -t for reports";
    Err(Usage(what.to_owned()).into())
}

/// Whether a shell in this session could continue flowtop after it has stopped.
#[must_use]
pub fn has_shell() -> bool {
    let session = getsid(None).ok();
    getppid().is_some_and(|parent| getsid(Some(parent)).ok() == session)
}

/// A terminal that shows the view. Giving it back is its drop.
pub struct Screen {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    /// The cells that the terminal shows.
    shown: Buffer,
    /// The cells that it is to show.
    next: Buffer,
    cursor: Option<Position>,
    /// What the terminal shows is unknown from here on: every cell is written anew.
    is_stale: bool,
}

impl Screen {
    /// Takes the terminal.
    pub fn open() -> io::Result<Self> {
        restore_on_panic();
        let mut screen = Self {
            backend: CrosstermBackend::new(BufWriter::new(io::stdout())),
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            cursor: None,
            is_stale: true,
        };
        screen.enter()?;
        Ok(screen)
    }

    /// Takes the terminal again, whatever has become of it meanwhile.
    pub fn enter(&mut self) -> io::Result<()> {
        // A signal that cannot be caught may have stopped flowtop: then the modes to come back to are still known.
        disable_raw_mode()?;
        enable_raw_mode()?;
        execute!(self.backend, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        self.backend.write_all(MOUSE_ON.as_bytes())?;
        self.is_stale = true;
        io::Write::flush(&mut self.backend)
    }

    /// Gives the terminal back.
    pub fn leave() {
        restore();
    }

    /// Draws every cell the next time.
    pub fn forget(&mut self) {
        self.is_stale = true;
    }

    /// Columns and lines.
    #[must_use]
    pub fn size() -> (u16, u16) {
        tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row))
    }

    /// Lets `draw` fill a buffer of this size and writes what is different. `draw` returns where the cursor is, if it is
    /// to be seen.
    pub fn draw(
        &mut self,
        size: (u16, u16),
        draw: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<()> {
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

/// Gives the terminal back as it was taken. One that has gone needs no restoring.
fn restore() {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(MOUSE_OFF.as_bytes());
    let _ = execute!(stdout, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

/// The message of a panic is written on the terminal as it was before.
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
