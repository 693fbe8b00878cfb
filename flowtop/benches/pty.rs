//! The released program on a terminal that nobody looks at.

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A flowtop that has a terminal. The process ends with the value.
pub struct View {
    child: Child,
    terminal: File,
}

impl Drop for View {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl View {
    /// Starts the view with `args` on a terminal of 120x40.
    pub fn start(args: &[&str]) -> Result<Self> {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).context("cannot open a terminal")?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let name = ptsname(&terminal, Vec::new())?;
        let ours = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
        tcsetwinsize(&ours, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 })?;
        let end = |end: &OwnedFd| end.try_clone().context("cannot copy a descriptor");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
        command.args(args).env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("HOME", "/nonexistent");
        command.env_remove("XDG_CONFIG_HOME").stdin(end(&ours)?).stdout(end(&ours)?).stderr(end(&ours)?);
        let child = command.spawn().context("cannot run flowtop")?;
        Ok(Self { child, terminal: File::from(terminal) })
    }

    /// Reads until the first frame is complete.
    pub fn wait_for_a_frame(&mut self) -> Result<()> {
        let (mut seen, mut bytes) = (Vec::new(), [0; 8192]);
        // The end of a frame that is written at once: DEC's synchronized output.
        while !contains(&seen, b"TOTAL:") || !contains(&seen, b"\x1b[?2026l") {
            let read = self.terminal.read(&mut bytes).unwrap_or(0);
            if read == 0 {
                bail!("flowtop ended: {}", String::from_utf8_lossy(&seen));
            }
            seen.extend_from_slice(&bytes[..read]);
        }
        Ok(())
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads until there are rows, and does something before each frame that may bring them.
    pub fn wait_for_rows(&mut self, mut work: impl FnMut() -> Result<()>) -> Result<()> {
        let (mut seen, mut bytes) = (Vec::new(), [0; 8192]);
        while !contains(&seen, b"=>") {
            work()?;
            let read = self.terminal.read(&mut bytes).unwrap_or(0);
            if read == 0 {
                bail!("flowtop ended: {}", String::from_utf8_lossy(&seen));
            }
            seen.extend_from_slice(&bytes[..read]);
        }
        Ok(())
    }

    /// Processor time of all threads, in seconds, over so long a time of showing.
    pub fn processor_s(&mut self, over: Duration) -> Result<f64> {
        let (start, before) = (Instant::now(), self.used_s()?);
        let mut bytes = [0; 8192];
        while start.elapsed() < over {
            // A frame a second comes, so this does not wait for long.
            if self.terminal.read(&mut bytes)? == 0 {
                bail!("flowtop ended");
            }
        }
        Ok((self.used_s()? - before) / start.elapsed().as_secs_f64())
    }

    fn used_s(&self) -> Result<f64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        let mut ns = 0;
        for task in tasks {
            // A thread may have ended since it was listed.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            ns += text.split_whitespace().next().context("no time")?.parse::<u64>()?;
        }
        Ok(ns as f64 / 1e9)
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
