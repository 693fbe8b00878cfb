//! libbpf-tools' tcptop on the same events.

use super::Cost;
use crate::programs;
use anyhow::{Context as _, Result, ensure};
use aya::programs::ProgramInfo;
use std::{
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
            // A process that has just ended has no files.
            let open = programs::of_process(child.id()).unwrap_or_default();
            let id_of = |name| open.iter().find(|p| p.name_as_str() == Some(name)).map(ProgramInfo::id);
            if let [Some(send), Some(receive)] = PROGRAMS.map(id_of) {
                return Ok(Self { child, programs: [send, receive] });
            }
            let runs = child.try_wait()?.is_none() && Instant::now() < end;
            ensure!(runs, "tcptop did not load its programs; it says why on stderr");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs and nanoseconds of both programs so far.
    pub fn costs(&self) -> Result<[Cost; 2]> {
        let cost = |id| -> Result<Cost> {
            let program = programs::now(&[id]).next().context("tcptop has ended")?;
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
