//! Another process that uses sockets: this program once more, told what to do through a Unix socket on its stdin, over
//! which descriptors come too (`SCM_RIGHTS`). So a case can have owners that are not the suite.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, recvmsg, sendmsg,
};

use crate::net::{End, Listener, PAYLOAD, Pair};

/// The first argument of a worker; its name is the second.
pub const FLAG: &str = "--worker";

/// An order to a worker about the socket that it was given last.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Keep the descriptor that comes along.
    Take,
    /// Accept a connection from it, and keep that instead.
    Accept,
    /// Send so many bytes.
    Send(u32),
    /// Receive so many bytes.
    Receive(u32),
    /// Connect to this port of 127.0.0.1, send so many bytes, and end at once.
    Hit(u16, u32),
    /// Become another program, by the name `after-exec`, which sends so many bytes on the same socket.
    Exec(u32),
    /// Connect 127.0.0.1:15002 to a listener on 127.0.0.1:15001, and move so many bytes over it.
    Loop(u32),
}

impl Order {
    fn encode(self) -> [u8; 7] {
        let (code, port, count) = match self {
            Self::Take => (b't', 0, 0),
            Self::Accept => (b'a', 0, 0),
            Self::Send(count) => (b's', 0, count),
            Self::Receive(count) => (b'r', 0, count),
            Self::Hit(port, count) => (b'h', port, count),
            Self::Exec(count) => (b'e', 0, count),
            Self::Loop(count) => (b'l', 0, count),
        };
        let mut bytes = [code; 7];
        bytes[1..3].copy_from_slice(&u16::to_ne_bytes(port));
        bytes[3..].copy_from_slice(&u32::to_ne_bytes(count));
        bytes
    }

    fn decode(bytes: [u8; 7]) -> Result<Self> {
        let [code, port @ .., _, _, _, _] = bytes;
        let (port, count) = (u16::from_ne_bytes(port), u32::from_ne_bytes(bytes[3..].try_into()?));
        Ok(match code {
            b't' => Self::Take,
            b'a' => Self::Accept,
            b's' => Self::Send(count),
            b'r' => Self::Receive(count),
            b'h' => Self::Hit(port, count),
            b'e' => Self::Exec(count),
            b'l' => Self::Loop(count),
            _ => bail!("no order begins with {code}"),
        })
    }
}

/// A worker, seen from the suite. It ends when it is dropped.
pub struct Worker {
    child: Child,
    orders: UnixStream,
}

impl Worker {
    /// Starts a process that calls itself `name`, in the network namespace of the calling thread.
    pub fn start(name: &str) -> Result<Self> {
        let (orders, theirs) = UnixStream::pair()?;
        let child = Command::new("/proc/self/exe")
            .args([FLAG, name])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .context("cannot start a worker")?;
        let mut worker = Self { child, orders };
        worker.wait_until_done()?;
        Ok(worker)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order and waits until it is done.
    pub fn order(&mut self, order: Order) -> Result<()> {
        self.begin(order)?;
        self.wait_until_done()
    }

    /// Passes a descriptor on; the caller's stays open.
    pub fn give(&mut self, socket: &OwnedFd) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [socket.as_fd()];
        ensure!(control.push(SendAncillaryMessage::ScmRights(&fds)), "no room for a descriptor");
        let bytes = Order::Take.encode();
        sendmsg(&self.orders, &[IoSlice::new(&bytes)], &mut control, SendFlags::empty())?;
        self.wait_until_done()
    }

    /// Gives an order that is not answered.
    pub fn begin(&mut self, order: Order) -> Result<()> {
        Ok(self.orders.write_all(&order.encode())?)
    }

    /// Gives the last order of its life, and waits for the end.
    pub fn finish(&mut self, order: Order) -> Result<()> {
        self.begin(order)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "a worker ended with {status}");
        Ok(())
    }

    fn wait_until_done(&mut self) -> Result<()> {
        let mut answer = [0];
        self.orders.read_exact(&mut answer).context("a worker has ended too early")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The life of a worker.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let name = arguments.next().context("a worker needs a name")?;
    rustix::thread::set_name(&std::ffi::CString::new(name)?)?;
    let orders = std::io::stdin().as_fd().try_clone_to_owned()?;
    if let Some(count) = arguments.next() {
        return after_exec(&orders, count.parse()?);
    }
    let mut kept: Vec<End> = Vec::new();
    let mut held: Option<OwnedFd> = None;
    loop {
        rustix::io::write(&orders, b".")?;
        let Some((order, descriptor)) = next(&orders)? else { return Ok(()) };
        if descriptor.is_some() {
            held = descriptor;
        }
        match order {
            Order::Take => {}
            Order::Accept => {
                let listener = held.take().context("nothing to accept from")?;
                held = Some(rustix::net::accept_with(&listener, SocketFlags::CLOEXEC)?);
            }
            Order::Send(count) => send(held.as_ref().context("nothing to send on")?, count)?,
            Order::Receive(count) => receive(held.as_ref().context("nothing to receive from")?, count)?,
            Order::Hit(port, count) => {
                let end = End::dial(SocketAddr::from(([127, 0, 0, 1], port)), None)?;
                return send(end.socket(), count);
            }
            Order::Exec(count) => return exec(held.take().context("nothing to keep")?, count),
            Order::Loop(count) => kept.extend(own_loop(count)?),
        }
    }
}

/// The next order, and the descriptor that came with it; none when the suite has gone.
fn next(orders: &OwnedFd) -> Result<Option<(Order, Option<OwnedFd>)>> {
    let mut bytes = [0; 7];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let got = recvmsg(orders, &mut parts, &mut control, RecvFlags::WAITALL | RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptor = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            descriptor = descriptors.next();
        }
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    ensure!(got.bytes == bytes.len(), "an order of {} bytes", got.bytes);
    Ok(Some((Order::decode(bytes)?, descriptor)))
}

fn send(socket: &OwnedFd, count: u32) -> Result<()> {
    let taken = rustix::net::send(socket, &PAYLOAD[..count as usize], SendFlags::NOSIGNAL)?;
    ensure!(taken == count as usize, "the kernel took {taken} of {count} bytes");
    Ok(())
}

fn receive(socket: &OwnedFd, count: u32) -> Result<()> {
    let mut left = count as usize;
    let mut buffer = [0; 4096];
    while left > 0 {
        let most = left.min(buffer.len());
        let (_, got) = rustix::net::recv(socket, &mut buffer[..most], RecvFlags::empty())?;
        ensure!(got > 0, "the stream ended {left} bytes early");
        left -= got;
    }
    Ok(())
}

/// The new program has the socket as its stdin.
fn exec(socket: OwnedFd, count: u32) -> Result<()> {
    let count = count.to_string();
    let failed =
        Command::new("/proc/self/exe").args([FLAG, "after-exec", &count]).stdin(Stdio::from(socket)).exec();
    Err(failed).context("exec")
}

/// Sends, and again for each byte that it is asked with, until the other end closes.
fn after_exec(socket: &OwnedFd, count: u32) -> Result<()> {
    loop {
        send(socket, count)?;
        let (_, got) = rustix::net::recv(socket, &mut [0; 1], RecvFlags::empty())?;
        if got == 0 {
            return Ok(());
        }
    }
}

fn own_loop(count: u32) -> Result<[End; 2]> {
    let listener = Listener::bind_with(SocketAddr::from(([127, 0, 0, 1], 15001)), None)?;
    let mut pair = Pair::over(&listener, Some(SocketAddr::from(([127, 0, 0, 1], 15002))))?;
    pair.exchange(count.into())?;
    Ok([pair.initiator, pair.acceptor])
}
