//! The programs that are compared: how each is started on loopback, how it ends, and what it has counted then.

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{self, BufReader, Read as _},
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A program that counts traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tool {
    /// flowtop, which chooses between events and passes over all sockets.
    Flowtop,
    /// flowtop with events alone, as on a kernel without passes.
    Events,
    /// iftop, in text mode.
    Iftop,
    /// nethogs, in trace mode.
    Nethogs,
    /// bandwhich, with raw output.
    Bandwhich,
}

impl Tool {
    /// All of them.
    const ALL: [Self; 5] = [Self::Flowtop, Self::Events, Self::Iftop, Self::Nethogs, Self::Bandwhich];

    /// What it is called and started as.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flowtop => "flowtop",
            Self::Events => "flowtop, events",
            Self::Iftop => "iftop",
            Self::Nethogs => "nethogs",
            Self::Bandwhich => "bandwhich",
        }
    }

    /// Whether it is flowtop.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Flowtop | Self::Events)
    }

    /// Started for a task. Those that take no filter watch all of loopback.
    fn command(self, task: Task) -> Command {
        let (filter, seconds) = (format!("port {}", task.port), task.seconds.to_string());
        let name = if self.is_ours() { env!("CARGO_BIN_EXE_flowtop") } else { self.name() };
        let mut command = Command::new(name);
        match self {
            Self::Flowtop | Self::Events => {
                let trigger = if self == Self::Events { "events" } else { "auto" };
                command.args(["--trigger", trigger]);
                command.args(["-t", "--interval", "1", "--format", "json", "-L", "1", "-f", &filter]);
                command.args(["--max-flows", &task.max_flows.to_string()])
            }
            Self::Iftop => command.args(["-t", "-s", &seconds, "-nNB", "-i", "lo", "-f", &filter]),
            // View mode 2 is bytes since the start.
            Self::Nethogs => command.args(["-t", "-a", "-v", "2", "-d", "1", "-c", &seconds, "lo"]),
            Self::Bandwhich => command.args(["--raw", "-n", "-i", "lo"]),
        };
        command
    }

    /// The signal that ends it, unless it ends by itself. iftop and nethogs lose what is in their buffers.
    const fn end(self) -> Option<Signal> {
        match self {
            Self::Flowtop | Self::Events => Some(Signal::INT),
            Self::Iftop | Self::Nethogs => None,
            Self::Bandwhich => Some(Signal::TERM),
        }
    }

    /// Of those that are wanted, or of all, the ones that are there; and a sentence for each that is not.
    pub fn installed(wanted: &[Self]) -> (Vec<Self>, Vec<String>) {
        let wanted = if wanted.is_empty() { &Self::ALL[..] } else { wanted };
        let (there, missing): (Vec<_>, Vec<_>) = wanted.iter().partition(|tool| tool.is_installed());
        let missing =
            missing.iter().map(|tool: &Self| format!("Not measured: {} is not installed.", tool.name()));
        (there, missing.collect())
    }

    /// Whether it is there to be started.
    fn is_installed(self) -> bool {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        self.is_ours() || std::env::split_paths(&folders).any(|folder| folder.join(self.name()).is_file())
    }

    /// What its output speaks of.
    fn counted(self, output: &str, of: Of) -> Result<Counted> {
        let bytes = |bytes| Counted { bytes, untracked: None, losses: None };
        let counted = match self {
            Self::Flowtop | Self::Events => of_flowtop(output, of),
            Self::Iftop => of_iftop(output).map(bytes),
            Self::Nethogs => Some(bytes(of_nethogs(output))),
            Self::Bandwhich => Some(bytes(of_bandwhich(output))),
        };
        counted.with_context(|| format!("{} printed no sum", self.name()))
    }
}

/// What a program has to count.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The port of one end of every connection.
    pub port: u16,
    /// Seconds after which a program ends that cannot be told to.
    pub seconds: u32,
    /// Size of flowtop's table.
    pub max_flows: u32,
    /// What bytes are asked for.
    pub of: Of,
}

/// What a program has counted. Only flowtop says what it could not count one by one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Bytes in both directions.
    pub bytes: f64,
    /// Sockets that found the table full.
    pub untracked: Option<u64>,
    /// Everything else that could not be done.
    pub losses: Option<u64>,
}

/// What bytes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of the busiest connection, as far as a program can tell.
    Busiest,
    /// Of all connections.
    All,
}

/// In the last report.
fn of_flowtop(output: &str, of: Of) -> Option<Counted> {
    let report: Value = serde_json::from_str(output.lines().next_back()?).ok()?;
    let from = if of == Of::Busiest { &report["flows"][0] } else { &report["totals"] };
    // Of connections that were open before, nobody knows which end called: the bytes may be on either side.
    let both = || Some(from["tx_bytes"].as_f64()? + from["rx_bytes"].as_f64()?);
    let bytes = if of == Of::Busiest { from["tx_bytes"].as_f64() } else { both() }?;
    let losses = report["losses"].as_object()?.values().map(Value::as_u64).sum::<Option<u64>>()?;
    Some(Counted { bytes, untracked: Some(report["untracked"]["flows"].as_u64()?), losses: Some(losses) })
}

/// The third of `Cumulative (sent/received/total):`, three digits with units of 1024.
fn of_iftop(output: &str) -> Option<f64> {
    let line = output.lines().rfind(|line| line.starts_with("Cumulative"))?;
    let text = line.split_whitespace().next_back()?.strip_suffix('B')?;
    let number = text.trim_end_matches(['K', 'M', 'G', 'T']);
    let power = " KMGT".find(text[number.len()..].trim())?;
    Some(number.parse::<f64>().ok()? * 1024_f64.powi(i32::try_from(power).ok()?))
}

/// `program/pid/uid <tab> sent <tab> received` of the last refresh.
fn of_nethogs(output: &str) -> f64 {
    let last = output.rsplit("Refreshing:").next().unwrap_or_default();
    let numbers = last.lines().flat_map(|line| line.split('\t').skip(1));
    numbers.filter_map(|number| number.trim().parse::<f64>().ok()).sum()
}

/// `connection: … up/down Bps: N/N …`, once a second.
fn of_bandwhich(output: &str) -> f64 {
    let connections = output.lines().filter(|line| line.starts_with("connection:"));
    let rates = connections.filter_map(|line| line.split_once("Bps: ")?.1.split_whitespace().next());
    rates.flat_map(|rates| rates.split('/')).filter_map(|rate| rate.parse::<f64>().ok()).sum()
}

/// How long a program may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that counts. The process ends with the value.
pub struct Running {
    tool: Tool,
    task: Task,
    child: Child,
    /// With its end iftop would take the processor for itself.
    _stdin: Option<ChildStdin>,
    output: Option<JoinHandle<io::Result<String>>>,
    _stderr: Option<BufReader<ChildStderr>>,
}

impl Running {
    /// Starts a program for a task, and waits until it counts.
    pub fn start(tool: Tool, task: Task) -> Result<Self> {
        let mut command = tool.command(task);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", tool.name()))?;
        let mut stdout = child.stdout.take().context("no stdout")?;
        let mut stderr = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut said = String::new();
        let ready = match tool {
            Tool::Flowtop | Tool::Events => read_until(&mut stderr, "flowtop: counting with", &mut said)?,
            _ => captures(&mut child)?,
        };
        if !ready {
            let _ = child.kill();
            let _ = stderr.read_to_string(&mut said);
            bail!("{} did not start: {}", tool.name(), said.trim());
        }
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        Ok(Self {
            tool,
            task,
            _stdin: child.stdin.take(),
            child,
            output: Some(output),
            _stderr: Some(stderr),
        })
    }

    /// Seconds that its threads were on a processor so far (`sched-stats.txt` of the kernel's documentation).
    pub fn processor_s(&self) -> Result<f64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        let texts = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
        let ns = texts.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok());
        Ok(ns.sum::<f64>() / 1e9)
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it end, and says what it has counted.
    pub fn finish(mut self) -> Result<Counted> {
        if let Some(signal) = self.tool.end() {
            let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("no process")?;
            kill_process(pid, signal)?;
        }
        let end = Instant::now() + PATIENCE;
        let trickle = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        while self.child.try_wait()?.is_none() {
            // Of a program that does not come to its end nothing is known.
            if Instant::now() > end {
                return Ok(Counted::default());
            }
            // iftop looks at its clock only when a packet comes. Nobody listens, which is an error of the next call.
            let _ = trickle.send_to(&[0], (Ipv4Addr::LOCALHOST, self.task.port));
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = self.output.take().context("it has ended before")?;
        let output = output.join().map_err(|_| anyhow::anyhow!("reading it failed"))??;
        self.tool.counted(&output, self.task.of)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process has a packet socket, which it has within 10 s or never. What the rivals print stays in their
/// buffers until they end.
fn captures(child: &mut Child) -> Result<bool> {
    let folder = format!("/proc/{}/fd", child.id());
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && child.try_wait()?.is_none() {
        let packet = fs::read_to_string("/proc/net/packet")?;
        let inodes: Vec<_> = packet.lines().filter_map(|line| line.split_whitespace().last()).collect();
        let links = fs::read_dir(&folder)?.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        let is_packet =
            |link: &Path| inodes.iter().any(|inode| link == Path::new(&format!("socket:[{inode}]")));
        if links.into_iter().any(|link| is_packet(&link)) {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

/// Whether a line with this word came before the end.
fn read_until(lines: &mut impl io::BufRead, word: &str, said: &mut String) -> io::Result<bool> {
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let found = line.contains(word);
        said.push_str(&line);
        if found {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}
