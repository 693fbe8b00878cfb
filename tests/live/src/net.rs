//! Sockets that count: each end knows what its application sent and received, by the return values of the calls.
//! How the bytes are moved in special ways is the cases' business; the plain ways are in [`transfer`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::compare::Connection;
use crate::netns;
use crate::report::Bytes;

mod transfer;

pub use transfer::{PAYLOAD, drain, pour, transfer, while_draining};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A call that waits longer than this has hung, and its case fails.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// A listening TCP or MPTCP socket.
pub struct Listener {
    socket: OwnedFd,
    /// Where it listens, as the socket itself has it (an IPv4-mapped address stays one).
    pub address: SocketAddr,
}

impl Listener {
    /// Listens on a port that the kernel chooses.
    pub fn bind(address: IpAddr) -> Result<Self> {
        Self::bind_with(SocketAddr::new(address, 0), None)
    }

    /// Listens on `address`, with another protocol than TCP if one is given.
    pub fn bind_with(address: SocketAddr, protocol: Option<Protocol>) -> Result<Self> {
        let socket = stream(address.ip(), protocol)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        net::bind(&socket, &address).with_context(|| format!("cannot bind {address}"))?;
        net::listen(&socket, 4096)?;
        let address = net::getsockname(&socket)?.try_into()?;
        Ok(Self { socket, address })
    }

    pub fn accept(&self) -> Result<End> {
        End::new(net::accept_with(&self.socket, SocketFlags::CLOEXEC).context("accept")?)
    }

    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}

/// A stream socket of the address's family that does not wait for ever.
pub fn stream(address: IpAddr, protocol: Option<Protocol>) -> Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    // A socket that flowtop inherited would stay open when a case closes it.
    let socket =
        net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, protocol).context("socket")?;
    for timeout in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
        sockopt::set_socket_timeout(&socket, timeout, Some(CALL_TIMEOUT))?;
    }
    Ok(socket)
}

/// One end of a connection. Its counts stay readable after the close.
pub struct End {
    socket: Option<OwnedFd>,
    /// Its own address, an IPv4-mapped one as IPv4.
    pub local: SocketAddr,
    /// Bytes that the kernel took from the application.
    pub sent: u64,
    /// Bytes that the application took from the kernel.
    pub received: u64,
    /// Bytes that arrived, or were on their way, and will never be read. The case states them.
    pub unread: u64,
    before_start: Bytes,
}

impl End {
    /// An end over a connected socket.
    pub fn new(socket: OwnedFd) -> Result<Self> {
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(CALL_TIMEOUT))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(CALL_TIMEOUT))?;
        let local = canonical(net::getsockname(&socket)?.try_into()?);
        Ok(Self {
            socket: Some(socket),
            local,
            sent: 0,
            received: 0,
            unread: 0,
            before_start: Bytes::default(),
        })
    }

    /// Connects to `target`, from `source` if one is given.
    pub fn dial(target: SocketAddr, source: Option<SocketAddr>) -> Result<Self> {
        let socket = stream(target.ip(), None)?;
        if let Some(source) = source {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            net::bind(&socket, &source).with_context(|| format!("cannot bind {source}"))?;
        }
        connect(&socket, target).with_context(|| format!("cannot connect to {target}"))?;
        Self::new(socket)
    }

    /// The open socket.
    ///
    /// # Panics
    /// If it has been closed: a fault of the case.
    pub fn socket(&self) -> &OwnedFd {
        self.socket.as_ref().expect("the case uses an end that it has closed")
    }

    /// Sends from `bytes` and counts what the kernel took.
    pub fn send(&mut self, bytes: &[u8], flags: SendFlags) -> rustix::io::Result<usize> {
        let taken = net::send(self.socket(), bytes, flags | SendFlags::NOSIGNAL)?;
        self.sent += taken as u64;
        Ok(taken)
    }

    /// Receives into `buffer` and counts it. With `TRUNC` the bytes are thrown away, but taken all the same.
    pub fn receive(&mut self, buffer: &mut [u8], flags: RecvFlags) -> rustix::io::Result<usize> {
        let (_, taken) = net::recv(self.socket(), buffer, flags)?;
        self.received += taken as u64;
        Ok(taken)
    }

    /// Looks at the queue without taking from it, so it counts nothing.
    pub fn peek(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        net::recv(self.socket(), buffer, RecvFlags::PEEK).map(|(_, seen)| seen)
    }

    /// Sends `count` bytes that fit into the socket buffers.
    pub fn send_small(&mut self, count: usize) -> Result<()> {
        let taken = self.send(&PAYLOAD[..count], SendFlags::empty())?;
        ensure!(taken == count, "the kernel took {taken} of {count} bytes");
        Ok(())
    }

    /// Receives exactly `count` bytes, in as many reads as it takes.
    pub fn receive_exactly(&mut self, count: u64) -> Result<()> {
        drain(self, count)
    }

    /// Reads to the end of the stream, which must be all that is left.
    pub fn receive_end(&mut self) -> Result<()> {
        let got = self.receive(&mut [0; 64], RecvFlags::empty())?;
        ensure!(got == 0, "expected the end of the stream, got {got} bytes more");
        Ok(())
    }

    /// Closes with a FIN, as `close` does without `SO_LINGER`.
    pub fn close(&mut self) {
        self.socket = None;
    }

    /// Closes with a reset instead of a FIN.
    pub fn close_with_reset(&mut self) -> Result<()> {
        sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO))?;
        self.close();
        Ok(())
    }

    /// Gives the socket back, still open, for a second connection on it.
    pub fn into_socket(mut self) -> OwnedFd {
        self.socket.take().expect("the case uses an end that it has closed")
    }

    fn since_start(&self) -> Bytes {
        Bytes { tx: self.sent - self.before_start.tx, rx: self.received - self.before_start.rx }
    }
}

/// A call that a signal interrupts goes on by itself (`connect(2)`); io_uring sends such signals.
fn connect(socket: &OwnedFd, target: SocketAddr) -> rustix::io::Result<()> {
    match net::connect(socket, &target) {
        Err(Errno::INTR) => {}
        outcome => return outcome,
    }
    let timeout = CALL_TIMEOUT.try_into().expect("the timeout is short");
    while let Err(Errno::INTR) = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout)) {}
    sockopt::socket_error(socket)?
}

/// A connection with both ends in this process.
pub struct Pair {
    pub initiator: End,
    pub acceptor: End,
    netns: u32,
}

impl Pair {
    /// A connection over 127.0.0.1.
    pub fn connect() -> Result<Self> {
        Self::over(&Listener::bind(LOOPBACK)?, None)
    }

    /// A connection to `listener`, from `source` if one is given.
    pub fn over(listener: &Listener, source: Option<SocketAddr>) -> Result<Self> {
        let initiator = End::dial(listener.address, source)?;
        Self::of(initiator, listener.accept()?)
    }

    /// Two ends that are one connection in the namespace of the calling thread.
    pub fn of(initiator: End, acceptor: End) -> Result<Self> {
        Ok(Self { initiator, acceptor, netns: netns::inode()? })
    }

    /// Moves `count` bytes each way by plain sends and reads.
    pub fn exchange(&mut self, count: u64) -> Result<()> {
        transfer(&mut self.initiator, &mut self.acceptor, count)?;
        transfer(&mut self.acceptor, &mut self.initiator, count)
    }

    /// One question and one answer, each small enough for one send.
    pub fn ask(&mut self, question: usize, answer: usize) -> Result<()> {
        self.initiator.send_small(question)?;
        self.acceptor.receive_exactly(question as u64)?;
        self.acceptor.send_small(answer)?;
        self.initiator.receive_exactly(answer as u64)
    }

    /// Closes both ends in the ordinary way.
    pub fn close(&mut self) {
        self.initiator.close();
        self.acceptor.close();
    }

    /// From here on bytes count: flowtop starts now, and the connection is older than it.
    pub fn starts_here(&mut self) {
        for end in [&mut self.initiator, &mut self.acceptor] {
            end.before_start = Bytes { tx: end.sent, rx: end.received };
        }
    }

    /// The connection as flowtop must report it.
    ///
    /// # Errors
    /// If the two ends do not agree on what passed between them: then the case itself is wrong.
    pub fn outcome(&self) -> Result<Connection> {
        for (from, to) in [(&self.initiator, &self.acceptor), (&self.acceptor, &self.initiator)] {
            ensure!(
                from.sent == to.received + to.unread,
                "the workload is wrong: {} sent {}, {} received {} and left {}",
                from.local,
                from.sent,
                to.local,
                to.received,
                to.unread
            );
        }
        Ok(Connection {
            netns: self.netns,
            initiator: self.initiator.local,
            acceptor: self.acceptor.local,
            initiator_bytes: self.initiator.since_start(),
            acceptor_bytes: self.acceptor.since_start(),
            is_restored: false,
        })
    }
}

/// Waits until one of `events`, or an error, is there; false if it takes longer than any call may.
pub fn wait_for(socket: &OwnedFd, events: PollFlags) -> Result<bool> {
    let limit = Timespec::try_from(CALL_TIMEOUT)?;
    let ready = poll(&mut [PollFd::new(socket, events)], Some(&limit)).context("poll")?;
    Ok(ready == 1)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
