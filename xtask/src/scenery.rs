//! Real traffic for the pictures: a server and the world around it, each a network namespace of its own, joined by a
//! cable. All of it goes with the value.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{run, target};

/// Size of the served file: it outlasts the pictures at every client's rate. The file is sparse and uses no disk.
const FILE_BYTES: u64 = 64 << 30;

/// Seconds after which nothing runs any more, whatever has become of xtask.
const LONGEST_S: &str = "300";

/// Addresses of the server, from the ranges for documentation.
const SERVER: [&str; 2] = ["192.0.2.10/24", "2001:db8:0:1::10/64"];

/// Addresses of the world, from the ranges for documentation.
const WORLD: [&str; 8] = [
    "192.0.2.21/24",
    "192.0.2.40/24",
    "198.51.100.23/24",
    "198.51.100.201/24",
    "203.0.113.77/24",
    "203.0.113.140/24",
    "2001:db8:0:1::40/64",
    "2001:db8:85a3:8d3:1319:8a2e:370:7348/64",
];

/// Programs of the server that others connect to.
const SERVING: [&str; 2] = [
    "nginx -e stderr -p . -c nginx.conf",
    "redis-server --port 6379 --save '' --protected-mode no --bind * -::*",
];

/// Programs of the world that the server connects to.
const SERVING_FROM_OUTSIDE: [&str; 2] = ["nginx -e stderr -p . -c nginx.conf", "iperf3 -s -p 5201"];

/// Command lines of clients in the world that connect to the server.
const VISITORS: [&str; 6] = [
    "curl -s -o /dev/null --interface 198.51.100.23 http://192.0.2.10/file?rate=1100k",
    "curl -s -o /dev/null --interface 198.51.100.23 http://192.0.2.10/file?rate=620k",
    "curl -s -o /dev/null --interface 203.0.113.77 http://192.0.2.10/file?rate=330k",
    "curl -s -o /dev/null --interface 203.0.113.140 http://192.0.2.10/file?rate=48k",
    "curl -s -o /dev/null --interface 2001:db8:85a3:8d3:1319:8a2e:370:7348  \
     http://[2001:db8:0:1::10]/file?rate=240k",
    "redis-cli -h 192.0.2.10 -r -1 -i 0.02 info everything",
];

/// Connections that the server itself opens.
const ERRANDS: [&str; 4] = [
    "iperf3 -c 192.0.2.40 -p 5201 -b 14M -t 600",
    "curl -s -o /dev/null http://192.0.2.21/file?rate=250k",
    "curl -s -o /dev/null http://[2001:db8:0:1::40]/file?rate=90k",
    "curl -s -o /dev/null http://203.0.113.77/file?rate=12k",
];

const NGINX: &str = "daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile 1024;
events {}
http {
    access_log off; client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
    server { listen 80; listen [::]:80; root .; limit_rate $arg_rate; }
}
";

/// A network namespace that a child process keeps: it ends with its stdin, so also when xtask is killed.
struct Namespace(Child);

impl Namespace {
    fn new() -> Result<Self> {
        let mut keeper = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run unshare")?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.as_mut().context("no output")?).read_line(&mut line)?;
        ensure!(line == "\n", "no network namespace can be made; run this as root");
        Ok(Self(keeper))
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0.id()));
        command
    }

    fn ip(&self, words: &str) -> Result<()> {
        run(self.enter().arg("ip").args(words.split(' ')))
    }

    /// Addresses, and a way to all others.
    fn connect(&self, addresses: &[&str]) -> Result<()> {
        for address in addresses {
            let nodad = if address.contains(':') { " nodad" } else { "" };
            self.ip(&format!("address add {address} dev eth0{nodad}"))?;
        }
        self.ip("link set lo up")?;
        self.ip("link set eth0 up")?;
        self.ip("route add default dev eth0")?;
        self.ip("-6 route add default dev eth0")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has nothing left to read.
        let _ = self.0.wait();
    }
}

/// Programs that talk to each other.
pub struct Scenery {
    programs: Vec<Child>,
    server: Namespace,
    world: Namespace,
    folder: PathBuf,
}

impl Scenery {
    /// The server and the world, with nothing running in them.
    pub fn set_up() -> Result<Self> {
        let folder = target("screenshots")?;
        fs::write(folder.join("nginx.conf"), NGINX)?;
        File::create(folder.join("file"))?.set_len(FILE_BYTES)?;
        let (server, world) = (Namespace::new()?, Namespace::new()?);
        server.ip(&format!("link add eth0 type veth peer name eth0 netns {}", world.0.id()))?;
        server.connect(&SERVER)?;
        world.connect(&WORLD)?;
        Ok(Self { programs: Vec::new(), server, world, folder })
    }

    /// Starts all servers and clients.
    pub fn play(&mut self) -> Result<()> {
        SERVING.iter().try_for_each(|line| self.run(line, true))?;
        SERVING_FROM_OUTSIDE.iter().try_for_each(|line| self.run(line, false))?;
        VISITORS.iter().try_for_each(|line| self.run(line, false))?;
        ERRANDS.iter().try_for_each(|line| self.run(line, true))
    }

    /// Runs a program until the end; one whose server is not up yet starts again.
    fn run(&mut self, line: &str, on_server: bool) -> Result<()> {
        let namespace = if on_server { &self.server } else { &self.world };
        let again = format!("set -f; while :; do {line}; sleep 0.2; done");
        let mut command = namespace.enter();
        // timeout passes signals on to its children, and ends them should xtask die.
        command.args(["timeout", LONGEST_S, "sh", "-c", &again]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.programs.push(command.spawn().context("cannot run nsenter")?);
        Ok(())
    }

    /// The words before a command that runs on the server, under a name of its own.
    pub fn on_server(&self) -> String {
        format!(
            "nsenter --net=/proc/{}/ns/net unshare --uts sh -c 'hostname web-1; exec \"$@\"' sh",
            self.server.0.id()
        )
    }
}

impl Drop for Scenery {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // It may have ended already.
            if let Some(pid) = i32::try_from(program.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = program.wait();
        }
    }
}
