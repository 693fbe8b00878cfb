//! The released program as a process beside the benchmark, and what the kernel says of that process.

use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
};

/// A flowtop that has its baseline. The process ends with the value.
pub struct Flowtop {
    /// The process.
    pub child: Child,
    /// Kept open, so that a word on stderr is no broken pipe.
    _stderr: BufReader<ChildStderr>,
}

impl Drop for Flowtop {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Flowtop {
    /// Starts text mode with `args` and waits until it counts.
    pub fn start(args: &[&str], stdout: Stdio) -> Result<Self> {
        Self::run(&[&["-t"], args].concat(), stdout)
    }

    /// Starts it with `words` and waits until it counts.
    pub fn run(words: &[&str], stdout: Stdio) -> Result<Self> {
        Self::run_until(words, "flowtop: counting with ", stdout)
    }

    /// Starts a recorder with `args` and waits until its first window begins.
    pub fn record(args: &[&str]) -> Result<Self> {
        Self::run_until(&[&["record"], args].concat(), "flowtop: recording to ", Stdio::null())
    }

    fn run_until(words: &[&str], begins: &str, stdout: Stdio) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
        command.args(words).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run flowtop")?;
        let mut stderr = BufReader::new(child.stderr.take().context("flowtop has no stderr")?);
        let (mut said, mut line) = (String::new(), String::new());
        while !line.starts_with(begins) {
            said += &line;
            line.clear();
            if stderr.read_line(&mut line)? == 0 {
                bail!("flowtop did not start: {}", said.trim());
            }
        }
        Ok(Self { child, _stderr: stderr })
    }

    /// Processor time of all threads so far.
    pub fn processor_ns(&self) -> Result<u64> {
        let mut sum_ns = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended since it was listed.
            let file = format!("task/{}/schedstat", thread?.file_name().display());
            let Ok(text) = self.proc(&file) else { continue };
            let spent_ns =
                text.split_whitespace().next().context("the kernel does not tell processor times")?;
            sum_ns += spent_ns.parse::<u64>()?;
        }
        Ok(sum_ns)
    }

    /// A file of the process below `/proc`.
    pub fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}
