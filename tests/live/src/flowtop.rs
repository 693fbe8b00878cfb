//! The program under test as a child process: start, ask for a report, stop. Never left behind.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::sys;

/// A program that says nothing for so long has hung. Generous: a virtual machine without hardware help is slow.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// The line that it prints once the baseline has been taken, before and after the name of the hook plan. More may follow.
const COUNTING: (&str, &str) = ("flowtop: counting with ", " hooks");

/// A running flowtop in JSON mode that reports when asked.
pub struct Flowtop {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// The hook plan that counts.
    pub hooks: String,
    /// Its lines on stderr, up to the line that says which plan counts.
    pub preamble: Vec<String>,
}

impl Flowtop {
    /// Starts the program with `--hooks plan` and further arguments; returns once it counts. With `files` it may have so
    /// many files open at most.
    ///
    /// # Errors
    /// If it ends or stays silent, with what it said on stderr.
    pub fn start(program: &Path, plan: &str, arguments: &[String], files: Option<u64>) -> Result<Self> {
        let mut command = Command::new(program);
        // The interval is long, so every report is one that was asked for.
        command.args(["-t", "--format", "json", "--interval", "3600", "--hooks", plan]).args(arguments);
        if let Some(files) = files {
            sys::limit_files(&mut command, files);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = lines_of(child.stdout.take().context("stdout")?);
        let stderr = lines_of(child.stderr.take().context("stderr")?);
        let mut flowtop = Self { child, stdout, stderr, hooks: String::new(), preamble: Vec::new() };
        flowtop.wait_until_counting()?;
        Ok(flowtop)
    }

    fn wait_until_counting(&mut self) -> Result<()> {
        loop {
            match self.stderr.recv_timeout(ANSWER_TIMEOUT) {
                Ok(line) => {
                    let rest = line.strip_prefix(COUNTING.0);
                    let hooks =
                        rest.and_then(|rest| rest.split_once(COUNTING.1)).map(|(hooks, _)| hooks.to_owned());
                    self.preamble.push(line);
                    if let Some(hooks) = hooks {
                        self.hooks = hooks;
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!(
                    "flowtop did not begin to count in {ANSWER_TIMEOUT:?}; it said \"{}\" and waits in {}",
                    self.preamble.join(" | "),
                    self.waits_in()
                ),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    bail!("flowtop ended with {status}: {}", self.preamble.join(" | "));
                }
            }
        }
    }

    /// Asks for a fresh sample and returns the report's line.
    pub fn report(&mut self) -> Result<String> {
        self.type_letter(b'u')?;
        self.stdout.recv_timeout(ANSWER_TIMEOUT).map_err(|silence| {
            let said: Vec<String> = self.stderr.try_iter().collect();
            anyhow!("flowtop gave no report ({silence}): {}", said.join(" | "))
        })
    }

    /// Waits until it says something with this text on stderr.
    pub fn hear(&self, text: &str) -> Result<()> {
        let mut said = Vec::new();
        loop {
            let line = self.stderr.recv_timeout(ANSWER_TIMEOUT).map_err(|silence| {
                anyhow!("expected \"{text}\" on stderr, got {silence} after {}", said.join(" | "))
            })?;
            if line.contains(text) {
                return Ok(());
            }
            said.push(line);
        }
    }

    /// Stops the process until [`Flowtop::thaw`]: it can read nothing meanwhile.
    pub fn freeze(&self) -> Result<()> {
        kill_process(self.pid()?, Signal::STOP)?;
        waitid(WaitId::Pid(self.pid()?), WaitIdOptions::STOPPED).context("wait until flowtop has stopped")?;
        Ok(())
    }

    /// Lets the process go on.
    pub fn thaw(&self) -> Result<()> {
        kill_process(self.pid()?, Signal::CONT).context("cannot continue flowtop")
    }

    /// Types `q` and waits for a clean end.
    pub fn quit(mut self) -> Result<()> {
        self.type_letter(b'q')?;
        // The end of its output comes with its exit, and can be waited for with a limit.
        loop {
            match self.stderr.recv_timeout(ANSWER_TIMEOUT) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("flowtop did not end in {ANSWER_TIMEOUT:?} after q"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "flowtop ended with {status} after q");
        Ok(())
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The kernel functions in which its threads wait, for the message about a silent program.
    fn waits_in(&self) -> String {
        let threads =
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let places = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("wchan")).ok());
        places.collect::<Vec<_>>().join(", ")
    }

    fn type_letter(&mut self, letter: u8) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("flowtop's stdin")?;
        stdin.write_all(&[letter]).context("flowtop does not read its stdin")
    }

    fn pid(&self) -> Result<Pid> {
        let pid = i32::try_from(self.child.id()).context("process id")?;
        Pid::from_raw(pid).context("process id")
    }
}

impl Drop for Flowtop {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs the program to its end and returns what it printed.
pub fn output_of(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    String::from_utf8(output.stdout).context("the program's output is not text")
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || forward(stream, &sender));
    receiver
}

fn forward(stream: impl Read, sender: &Sender<String>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if sender.send(line).is_err() {
            return;
        }
    }
}
