//! Many connections over loopback that all carry a little: processes of this program, and the bytes they sent.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The first argument of a process that holds connections.
pub const WORKER: &str = "hold-connections";

/// Connections of one process: two descriptors each, and the limit is often 20,000.
const CONNECTIONS_OF_A_PROCESS: usize = 8_000;

/// Bytes that each connection carries in a message.
const MESSAGE: [u8; 1_000] = [7; 1_000];

/// Parts of a second in which messages are sent, so that they are not one burst.
const PARTS: usize = 20;

/// Processes that hold connections. They end with the value.
pub struct Connections {
    processes: Vec<Process>,
    /// Where all of them lead to.
    pub port: u16,
    /// Messages a second on each connection.
    per_second: u32,
}

struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Connections {
    /// Opens `count` connections to one port.
    pub fn open(count: usize, per_second: u32) -> Result<Self> {
        let port = free_port()?;
        let mut processes = Vec::new();
        for (place, first) in (0..count).step_by(CONNECTIONS_OF_A_PROCESS).enumerate() {
            let count = CONNECTIONS_OF_A_PROCESS.min(count - first);
            // An address each: one has not enough ports for all.
            let host = u8::try_from(place + 1).context("too many connections")?;
            processes.push(Process::start(host, port, count)?);
        }
        for process in &mut processes {
            ensure!(process.answer()? == 0, "a process that holds connections has failed");
        }
        Ok(Self { processes, port, per_second })
    }

    /// Sends for `seconds` over all of them; the bytes that have arrived.
    pub fn send(&mut self, seconds: u32) -> Result<u64> {
        for process in &mut self.processes {
            let orders = process.orders.as_mut().context("the process has ended")?;
            writeln!(orders, "{seconds} {}", self.per_second)?;
        }
        self.processes.iter_mut().map(Process::answer).sum()
    }
}

impl Process {
    fn start(host: u8, port: u16, count: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([WORKER, &host.to_string(), &port.to_string(), &count.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Self { orders: child.stdin.take(), answers, child })
    }

    fn answer(&mut self) -> Result<u64> {
        let line = self.answers.next().context("a process that holds connections has ended")??;
        line.parse().context("a process that holds connections answered nonsense")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its orders ends it.
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What such a process does.
pub fn main() -> ExitCode {
    match hold(std::env::args().skip(2)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench {WORKER}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What such a process does: opens its connections, says 0, and after each line with seconds and messages a second sends
/// for that long and says how many bytes have arrived.
fn hold(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (Some(host), Some(port), Some(count)) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("{WORKER} takes an address, a port and a number");
    };
    let count: usize = count.parse()?;
    crate::descriptors::allow(2 * count as u64 + 64)?;
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 1, host.parse()?), port.parse()?))?;
    let address = listener.local_addr()?;
    let pair = || -> std::io::Result<_> {
        let client = TcpStream::connect(address)?;
        client.set_nodelay(true)?;
        Ok((client, listener.accept()?.0))
    };
    let mut pairs = (0..count).map(|_| pair()).collect::<std::io::Result<Vec<_>>>()?;
    println!("0");
    for line in std::io::stdin().lines() {
        let line = line?;
        let (seconds, per_second) = line.split_once(' ').context("an order is two numbers")?;
        println!("{}", carry(&mut pairs, seconds.parse()?, per_second.parse()?)?);
    }
    Ok(())
}

/// So many messages a second over each connection, as far as the machine can.
fn carry(pairs: &mut [(TcpStream, TcpStream)], seconds: u32, per_second: u32) -> Result<u64> {
    let round = Duration::from_secs(1) / per_second;
    let (start, part) = (Instant::now(), round / u32::try_from(PARTS)?);
    let size = pairs.len().div_ceil(PARTS);
    let mut arrived = [0; MESSAGE.len()];
    let mut bytes = 0;
    for turn in 0..seconds * per_second {
        for (number, some) in pairs.chunks_mut(size).enumerate() {
            for (client, server) in some {
                client.write_all(&MESSAGE)?;
                server.read_exact(&mut arrived)?;
                bytes += MESSAGE.len() as u64;
            }
            let due = start + round * turn + part * u32::try_from(number + 1)?;
            // The pace is what is asked for here, nothing waits for an event.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    Ok(bytes)
}
