//! Connections to many processes, on a host with many more.

use anyhow::{Context as _, Result};
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, ExitCode, Stdio},
};

use crate::descriptors;
use crate::loopback::MESSAGE_BYTES;

/// Keeps this many processes until its stdin ends. They share their memory with a shell.
const IDLE: &str =
    r#"exec 3<&0; i=0; while [ $i -lt "$1" ]; do (read x <&3) & i=$((i+1)); done; echo ready; read x; wait"#;

/// Processes of one shell: it looks through all of them when one of them ends.
const IDLERS_OF_ONE: u32 = 1_000;

/// This end of the connections, and the processes that have the other one. They end with the value.
pub struct Crowd {
    streams: Vec<TcpStream>,
    /// Before the rest is dropped: a process ends when its connections do.
    workers: Vec<Child>,
    idlers: Vec<Child>,
}

impl Crowd {
    /// Starts `processes` that share `connections`, beside `idle` others.
    pub fn start(connections: u32, processes: u32, idle: u32) -> Result<Self> {
        descriptors::allow(u64::from(connections + 3 * processes))?;
        let mut crowd = Self { streams: Vec::new(), workers: Vec::new(), idlers: idlers(idle)? };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        for number in 0..processes {
            let share = connections * (number + 1) / processes - connections * number / processes;
            let words = [listener.local_addr()?.to_string(), share.to_string()];
            let worker =
                Command::new(env::current_exe()?).arg(WORKER).args(words).stdin(Stdio::null()).spawn();
            crowd.workers.push(worker.context("cannot start a process with connections")?);
            for _ in 0..share {
                crowd.streams.push(listener.accept()?.0);
            }
        }
        Ok(crowd)
    }

    /// A message on every connection, and one back.
    pub fn exchange(&mut self) -> Result<()> {
        let mut message = [0; MESSAGE_BYTES];
        for stream in &mut self.streams {
            stream.write_all(&message)?;
        }
        for stream in &mut self.streams {
            stream.read_exact(&mut message)?;
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.streams.clear();
        for idler in &mut self.idlers {
            drop(idler.stdin.take());
        }
        for child in self.workers.iter_mut().chain(&mut self.idlers) {
            // It ends by itself now.
            let _ = child.wait();
        }
    }
}

fn idlers(count: u32) -> Result<Vec<Child>> {
    let start = |first: u32| {
        let some = IDLERS_OF_ONE.min(count - first).to_string();
        let mut command = Command::new("sh");
        command.args(["-c", IDLE, "sh", &some]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().context("cannot start a shell")?;
        let mut line = String::new();
        BufReader::new(shell.stdout.take().context("the shell has no stdout")?).read_line(&mut line)?;
        anyhow::ensure!(line == "ready\n", "a shell could not start its processes");
        Ok(shell)
    };
    (0..count).step_by(IDLERS_OF_ONE as usize).map(start).collect()
}

/// First argument of a process with connections.
pub const WORKER: &str = "answer-connections";

/// What such a process does.
pub fn main() -> ExitCode {
    let [address, connections] = [2, 3].map(|number| env::args().nth(number).unwrap_or_default());
    match connections.parse().map_err(Into::into).and_then(|count| work(&address, count)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench {WORKER}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The life of such a process: it answers until its connections end.
fn work(address: &str, connections: u32) -> Result<()> {
    let connect = |_| TcpStream::connect(address);
    let mut streams = (0..connections).map(connect).collect::<Result<Vec<_>, _>>()?;
    let mut message = [0; MESSAGE_BYTES];
    loop {
        for stream in &mut streams {
            // The other end has gone: so does this one.
            if stream.read_exact(&mut message).and_then(|()| stream.write_all(&message)).is_err() {
                return Ok(());
            }
        }
    }
}
