//! A terminal of a test's own: a server of tmux with one window and a shell in it.
//!
//! Waits until the screen shows what is wanted: what the programs print comes through a pipe too, which says when it is
//! worth to look again.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::tools;

/// After this a screen that does not show what is wanted never will. Other tests may be using every processor.
const PATIENCE: Duration = Duration::from_secs(30);
/// Prompt of the shell; a screen with it has run the command before.
const PROMPT: &str = "ready$";

/// A terminal in a tmux server of its own, with a shell in it.
pub struct Terminal {
    tmux: PathBuf,
    socket: String,
    folder: PathBuf,
    /// Pipe that gets the output of all programs in the terminal.
    printed: Fifo,
    fifos: u32,
}

impl Terminal {
    /// A terminal of this size; `None` where tmux is not installed.
    pub fn open(test: &str, size: (u16, u16)) -> Option<Self> {
        let tmux = tools::find("tmux")?;
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("terminal-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let socket = format!("flowtop-{test}-{}", std::process::id());
        let printed = Fifo::make(&folder.join("printed"));
        let terminal = Self { tmux, socket, folder, printed, fifos: 0 };
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let shell = ["new-session", "-d", "-x", &width, "-y", &height, "sh"];
        let mut command = terminal.command(&shell);
        // The server and all of its windows have the environment of the first command.
        command.env("LC_ALL", "C.UTF-8").env("HOME", &terminal.folder).current_dir(&terminal.folder);
        command.env_remove("NO_COLOR").env_remove("XDG_CONFIG_HOME").env_remove("ENV").env_remove("COLUMNS");
        assert!(command.status().unwrap().success(), "tmux does not start");
        terminal.tmux(&["pipe-pane", "exec cat >printed"]);
        // Not from the environment: root's shell has a prompt of its own.
        terminal.wait(|screen| !screen.trim().is_empty());
        terminal.run(&format!("PS1='{PROMPT}'; clear"));
        terminal.wait(|screen| screen.trim() == PROMPT);
        Some(terminal)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.tmux);
        command.args(["-L", &self.socket, "-f", "/dev/null"]).args(args);
        command
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Presses keys, by tmux's names.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text as it stands.
    pub fn enter(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Sends bytes as if the terminal did.
    pub fn send(&self, bytes: &[u8]) {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.iter().map(String::as_str);
        self.tmux(&["send-keys", "-H"].into_iter().chain(hex).collect::<Vec<_>>());
    }

    /// Pastes a text, marked as one if the program asks for that.
    pub fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p", "-d"]);
    }

    /// Types a line for the shell.
    pub fn run(&self, line: &str) {
        self.enter(line);
        self.press(&["Enter"]);
    }

    /// Text of the visible screen.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as wanted, and returns it.
    pub fn wait(&self, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            match self.printed.read(until) {
                None => panic!("the screen stays\n{screen}"),
                Some(printed) => assert!(!printed.is_empty(), "the terminal is gone\n{screen}"),
            }
        }
    }

    /// Waits until the screen shows a text.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(|screen| screen.contains(text))
    }

    /// Gives the terminal another size.
    pub fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// One of tmux's own words about the window.
    pub fn flag(&self, name: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{name}}}")])
    }

    /// The process that the shell runs.
    pub fn child(&self) -> i32 {
        let shell = self.flag("pane_pid");
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        children.split_whitespace().next().expect("the shell runs something").parse().unwrap()
    }

    /// All modes of the terminal, as the shell's `stty` sees them.
    pub fn modes(&mut self) -> String {
        let text = self.output("stty -a");
        assert!(text.contains("icanon"), "{text}");
        text
    }

    /// Runs a command in the shell and returns its output, stderr included.
    pub fn output(&mut self, command: &str) -> String {
        let (name, fifo) = self.fifo();
        self.run(&format!("{command} >{name} 2>&1"));
        self.read(&fifo)
    }

    /// Pastes a line and returns it as the shell has read it.
    pub fn pasted(&mut self, line: &str) -> String {
        let (name, fifo) = self.fifo();
        self.run(&format!("read -r line; printf %s \"$line\" >{name}"));
        self.paste(&format!("{line}\n"));
        self.read(&fifo)
    }

    /// A named pipe where the shell is, and its name.
    fn fifo(&mut self) -> (String, Fifo) {
        self.fifos += 1;
        let name = format!("output{}", self.fifos);
        let fifo = Fifo::make(&self.folder.join(&name));
        (name, fifo)
    }

    fn read(&self, fifo: &Fifo) -> String {
        let (until, mut output) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            match fifo.read(until) {
                None => panic!("the shell does not answer\n{}", self.screen()),
                Some(part) if part.is_empty() => return String::from_utf8(output).unwrap(),
                Some(part) => output.extend(part),
            }
        }
    }

    /// Working directory of the shell.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the terminal away, with everything that runs in it.
    pub fn close(&self) {
        self.tmux(&["kill-server"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The reading end of a named pipe.
struct Fifo(File);

impl Fifo {
    fn make(path: &Path) -> Self {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        Self(OpenOptions::new().read(true).custom_flags(flags).open(path).unwrap())
    }

    /// Waits for a writer and returns all that it has written by now; nothing after its end, `None` where that is not
    /// in time.
    fn read(&self, until: Instant) -> Option<Vec<u8>> {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).unwrap();
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left)).unwrap() == 0 {
            return None;
        }
        let mut written = Vec::new();
        match (&self.0).read_to_end(&mut written) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
            _ => Some(written),
        }
    }
}
