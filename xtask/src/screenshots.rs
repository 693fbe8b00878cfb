//! `cargo xtask screenshots`: the pictures of the documents, of a view that runs in a terminal.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, output, root, run};
use crate::scenery::Scenery;
use crate::svg;

/// Columns and lines of the terminal.
const SIZE: (&str, &str) = ("120", "30");
/// The graph of the last 40 s fills in so long, and on a busy machine a little later.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Only traffic between the server and the world counts, so that nothing else of this machine is in the picture.
const FLAGS: &str = "-n -P -m 40M -F 192.0.2.10/32 -G 2001:db8:0:1::10/128 --theme dark";

/// Runs flowtop in tmux, beside real traffic, and writes `docs/rows.svg` and `docs/detail.svg`.
pub fn take() -> Result<()> {
    run(cargo().args(["build", "--package", "flowtop", "--locked"]))?;
    let program = root().join("target/debug/flowtop");
    let mut scenery = Scenery::set_up()?;
    let tmux = Tmux::start(&format!("LC_ALL=C.UTF-8 {} {} {FLAGS}", scenery.on_server(), program.display()))?;
    // Programs start after the hooks load, so that flowtop knows the age and the initiator of every connection.
    tmux.wait(|screen| screen.contains("TOTAL:") && !screen.contains("loading"))?;
    scenery.play()?;
    tmux.wait(|screen| screen.matches("=>").count() > 9)?;
    tmux.press(&["Down", "Down", "Enter"])?;
    tmux.wait(|screen| screen.lines().any(|line| line.starts_with("sent 40 s") && is_full(line)))?;
    tmux.write("detail.svg")?;
    tmux.press(&["Escape"])?;
    tmux.wait(|screen| !screen.contains("sent 40 s"))?;
    tmux.write("rows.svg")
}

/// Whether a graph has a column for nearly every second.
fn is_full(line: &str) -> bool {
    line.chars().filter(|c| ('\u{2581}'..='\u{2588}').contains(c)).count() >= 38
}

/// A server of tmux with flowtop in its only window.
struct Tmux {
    socket: &'static str,
}

impl Tmux {
    fn start(view: &str) -> Result<Self> {
        let tmux = Self { socket: "flowtop-screenshots" };
        let started = tmux.command(&["new-session", "-d", "-x", SIZE.0, "-y", SIZE.1, view]).status();
        if !started.context("cannot run tmux; `cargo xtask setup` installs it")?.success() {
            bail!("tmux does not start");
        }
        Ok(tmux)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", self.socket, "-f", "/dev/null"]).args(args);
        command
    }

    fn press(&self, keys: &[&str]) -> Result<()> {
        run(&mut self.command(&[&["send-keys"], keys].concat()))
    }

    /// Waits until the screen is as wanted.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let screen = output(&mut self.command(&["capture-pane", "-p"]))?;
            if wanted(&screen) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("the view stays\n{screen}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Writes what the terminal shows as a picture.
    fn write(&self, name: &str) -> Result<()> {
        let screen = output(&mut self.command(&["capture-pane", "-p", "-e"]))?;
        let path: PathBuf = root().join("docs").join(name);
        std::fs::create_dir_all(root().join("docs"))?;
        std::fs::write(&path, svg::picture(&screen))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("docs/{name}");
        Ok(())
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // The server ends with its only window, which may be gone already.
        let _ = self.command(&["kill-server"]).status();
    }
}
