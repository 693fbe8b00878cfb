//! Two network namespaces joined by a cable, and traffic over it. Both go when the test does.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The addresses of `eth0` in the near and in the far namespace, from the ranges for documentation.
pub const V4: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))];
/// The IPv6 addresses beside them, from the ranges for documentation.
pub const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
];

/// Between two rounds of traffic: often enough for iftop, which looks at the clock when a packet comes.
const PAUSE: Duration = Duration::from_millis(10);

/// A network namespace that a child process keeps.
pub struct Namespace(Child);

impl Namespace {
    /// A namespace of its own, in which nothing is up.
    pub fn new() -> Self {
        // It ends with its stdin, so also when the test is killed.
        let mut keeper = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "no network namespace can be made");
        Self(keeper)
    }

    fn file(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// A program that runs in the namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.file())).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `ip` in the namespace; words are separated by single spaces.
    pub fn ip(&self, words: &str) {
        let output = self.command("ip").args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Process that keeps it, as `ip` takes it for the namespace.
    pub fn keeper(&self) -> u32 {
        self.0.id()
    }

    /// Runs `work` on a thread that has entered the namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> T {
        let namespace = File::open(self.file()).unwrap();
        let entered = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        };
        thread::scope(|scope| scope.spawn(entered).join()).unwrap().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

/// A connection from the near namespace to the far one, and what it carries in a round.
pub struct Connection {
    ends: [TcpStream; 2],
    sent: usize,
    received: usize,
}

impl Connection {
    /// Bytes to the far end and back.
    fn round(&self) {
        let [near, far] = &self.ends;
        transfer(near, far, self.sent);
        transfer(far, near, self.received);
    }
}

/// In pieces that a socket takes without a reader.
fn transfer(mut from: impl Write, mut to: impl Read, bytes: usize) {
    let mut left = vec![0; bytes];
    for piece in left.chunks_mut(4096) {
        from.write_all(piece).unwrap();
        to.read_exact(piece).unwrap();
    }
}

/// flowtop looks into all namespaces, so that two networks with the same addresses would be one.
static ONLY: Mutex<()> = Mutex::new(());

/// Two namespaces, each with an `eth0` and these addresses.
pub struct Network {
    /// The clients' namespace.
    pub near: Namespace,
    /// The servers' namespace.
    pub far: Namespace,
    _only: MutexGuard<'static, ()>,
}

impl Network {
    /// Makes both namespaces and the veth link between them.
    pub fn new() -> Self {
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Self { near: Namespace::new(), far: Namespace::new(), _only: only };
        let (near, far) = (&network.near, &network.far);
        near.ip(&format!("link add eth0 type veth peer name eth0 netns {}", far.0.id()));
        for (end, namespace) in [near, far].into_iter().enumerate() {
            namespace.ip(&format!("address add {}/24 dev eth0", V4[end]));
            namespace.ip(&format!("address add {}/64 dev eth0 nodad", V6[end]));
            namespace.ip("link set lo up");
            namespace.ip("link set eth0 up");
        }
        network
    }

    /// The socket that waits for connections in the far namespace.
    pub fn listen(&self, at: SocketAddr) -> TcpListener {
        self.far.inside(|| TcpListener::bind(at))
    }

    /// A connection to the far namespace that carries so many bytes in a round.
    pub fn connect(&self, to: SocketAddr, sent: usize, received: usize) -> Connection {
        let listener = self.listen(to);
        let near = self.near.inside(|| TcpStream::connect(to));
        let (far, _) = listener.accept().unwrap();
        Connection { ends: [near, far], sent, received }
    }
}

/// Keeps the connections busy until it is dropped.
pub struct Traffic<'a>(&'a AtomicBool);

impl<'a> Traffic<'a> {
    /// Starts on a thread of `scope`.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        connections: &'scope [Connection],
        stop: &'a AtomicBool,
    ) -> Self
    where
        'a: 'scope,
    {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                connections.iter().for_each(Connection::round);
                thread::sleep(PAUSE);
            }
        });
        Self(stop)
    }
}

impl Drop for Traffic<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
