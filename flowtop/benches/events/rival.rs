//! libbpf-tools' tcptop on the same events.

use super::Cost;
use anyhow::{Context as _, Result, ensure};
use aya::programs::{ProgramInfo, loaded_programs};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Names of its programs, as far as the kernel keeps them: the one of a send, the one of a receive.
const PROGRAMS: [&str; 2] = ["tcp_sendmsg", "tcp_cleanup_rbu"];

/// A tcptop that counts. The process ends with the value.
pub struct Rival {
    child: Child,
    programs: [u32; 2],
}

impl Rival {
    /// Starts it, with a report a second that nobody reads.
    pub fn start(tcptop: &Path) -> Result<Self> {
        let mut command = Command::new(tcptop);
        let command = command.args(["-C", "-S", "1"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", tcptop.display()))?;
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            if let [Some(send), Some(receive)] = PROGRAMS.map(|name| program(child.id(), name)) {
                return Ok(Self { child, programs: [send.id(), receive.id()] });
            }
            let runs = child.try_wait()?.is_none() && Instant::now() < end;
            ensure!(runs, "tcptop did not load its programs; it says why on stderr");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs and nanoseconds of both programs so far.
    pub fn costs(&self) -> Result<[Cost; 2]> {
        let cost = |id| -> Result<Cost> {
            let program = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id);
            let program = program.context("tcptop has ended")?;
            Ok(Cost { runs: program.run_count(), ns: program.run_time().as_secs_f64() * 1e9 })
        };
        let [send, receive] = self.programs;
        Ok([cost(send)?, cost(receive)?])
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of this name that the process has open.
fn program(pid: u32, name: &str) -> Option<ProgramInfo> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    let ids: Vec<u32> = texts.filter_map(id).collect();
    let mut loaded = loaded_programs().filter_map(Result::ok);
    loaded.find(|program| ids.contains(&program.id()) && program.name_as_str() == Some(name))
}
