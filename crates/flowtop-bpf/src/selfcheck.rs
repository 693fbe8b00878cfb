//! Self-check: sends known bytes through a loopback pair, and compares them with the counters.
//!
//! Attaching proves nothing: with `kernel.ftrace_enabled=0` trampolines and kprobes attach and never fire (seen on
//! Linux 5.10 to 7.2). The pair lives in a network namespace of its own where that is allowed, so neither firewall
//! rules nor a loopback device that is down can disturb it, and its entries leave the table before anything is shown.

use super::probe::{effective_capabilities, has_capability};
use super::read::Reader;
use anyhow::{Context as _, Result};
use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::window::Bytes;
use flowtop_core::wire::Sample;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::linux::fs::MetadataExt as _,
    time::{Duration, Instant},
};

/// Sizes of request and answer: odd ones that no other connection has by chance.
const REQUEST_BYTES: usize = 4_637;
const ANSWER_BYTES: usize = 2_311;

/// `CAP_NET_ADMIN` in `linux/capability.h`.
const CAP_NET_ADMIN: u32 = 12;

/// Bytes of a message of [`exchange`].
const MESSAGE_BYTES: usize = 64;

/// How long to wait for what is not immediate: the end of the pair, and a delayed acknowledgement (200 ms at most,
/// `TCP_DELACK_MAX`) in the plan that counts those. All others have counted when the call has returned.
const PATIENCE: Duration = Duration::from_secs(1);

/// The hooks are attached but have not counted the known bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "attached, but of {REQUEST_BYTES} and {ANSWER_BYTES} bytes sent they counted {} and {}, and of those received {} and {} \
     (is kernel.ftrace_enabled 0?)",
    .client.tx, .server.tx, .server.rx, .client.rx
)]
pub struct Miscount {
    client: Bytes,
    server: Bytes,
}

/// Sends known bytes and compares them with the table.
///
/// # Errors
/// The outer error is a pair that could not be made, the inner one a plan that does not count.
pub fn run(reader: &mut Reader, counts_on_ack: bool) -> Result<Result<(), Miscount>> {
    let patience = if counts_on_ack { PATIENCE } else { Duration::ZERO };
    // Only this thread moves to another namespace, and it ends with it.
    std::thread::scope(|scope| scope.spawn(|| in_own_namespace(reader, patience)).join())
        .map_err(|_| anyhow::anyhow!("the self-check ended unexpectedly"))?
}

/// Sends small messages forth and back through a pair of our own: what the hooks cost is known then.
///
/// # Errors
/// A pair that could not be made.
pub fn exchange(messages: u32) -> Result<()> {
    let exchange = || -> Result<()> {
        enter_own_namespace()?;
        let Pair { mut client, mut server, .. } = Pair::connect()?;
        let mut message = [0; MESSAGE_BYTES];
        for _ in 0..messages {
            client.write_all(&message)?;
            server.read_exact(&mut message)?;
            server.write_all(&message)?;
            client.read_exact(&mut message)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| scope.spawn(exchange).join())
        .map_err(|_| anyhow::anyhow!("the exchange ended unexpectedly"))?
}

/// Moves this thread to a network namespace of its own. Without `CAP_SYS_ADMIN` or `CAP_NET_ADMIN`, which brings loopback up
/// there, it stays: elsewhere the traffic is as good.
fn enter_own_namespace() -> Result<()> {
    let may_bring_up = has_capability(effective_capabilities()?, CAP_NET_ADMIN);
    if may_bring_up && flowtop_sys::enter_new_netns().is_ok() {
        flowtop_sys::bring_loopback_up()?;
    }
    Ok(())
}

fn in_own_namespace(reader: &mut Reader, patience: Duration) -> Result<Result<(), Miscount>> {
    enter_own_namespace().context("cannot bring up the loopback device for the self-check")?;
    let pair = Pair::connect().context("cannot make a loopback connection for the self-check")?;
    let verdict = pair.counted(reader, patience)?;
    pair.disappear(reader)?;
    Ok(verdict)
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    netns: u32,
}

impl Pair {
    fn connect() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        let (mut server, _) = listener.accept()?;
        let mut buffer = vec![0; REQUEST_BYTES.max(ANSWER_BYTES)];
        client.write_all(&buffer[..REQUEST_BYTES])?;
        server.read_exact(&mut buffer[..REQUEST_BYTES])?;
        server.write_all(&buffer[..ANSWER_BYTES])?;
        client.read_exact(&mut buffer[..ANSWER_BYTES])?;
        let netns = fs::metadata("/proc/thread-self/ns/net")?.st_ino();
        Ok(Self { client, server, netns: u32::try_from(netns)? })
    }

    /// Both sockets are still open, so the counts come from the hooks of the plan and not from the end of the flow.
    fn counted(&self, reader: &mut Reader, patience: Duration) -> Result<Result<(), Miscount>> {
        let (request, answer) = (REQUEST_BYTES as u64, ANSWER_BYTES as u64);
        let expected = [Bytes { tx: request, rx: answer }, Bytes { tx: answer, rx: request }];
        let started = Instant::now();
        loop {
            let bytes = |(_, flow): (FlowKey, Flow)| Bytes { tx: flow.tx_bytes, rx: flow.rx_bytes };
            let [client, server] = self.find(reader)?.map(|found| found.map(bytes).unwrap_or_default());
            if [client, server] == expected {
                return Ok(Ok(()));
            }
            if started.elapsed() >= patience {
                return Ok(Err(Miscount { client, server }));
            }
            std::thread::yield_now();
        }
    }

    /// Closes the pair and removes its entries.
    fn disappear(self, reader: &mut Reader) -> Result<()> {
        let keys = self.find(reader)?.into_iter().flatten().map(|(key, _)| key).collect::<Vec<_>>();
        let names = Names::of(&self)?;
        // Zero seconds of linger: a reset, so that nothing waits for anything.
        for stream in [&self.client, &self.server] {
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
        }
        drop(self);
        let started = Instant::now();
        loop {
            let found = names.find(reader)?;
            let ended = |(_, flow): &(FlowKey, Flow)| flow.flags & flags::ENDED != 0;
            if found.iter().flatten().all(ended) || started.elapsed() > PATIENCE {
                return reader.remove(&keys);
            }
            std::thread::yield_now();
        }
    }

    fn find(&self, reader: &mut Reader) -> Result<[Option<(FlowKey, Flow)>; 2]> {
        Names::of(self)?.find(reader)
    }
}

/// Identity of the two sockets of the pair.
struct Names {
    netns: u32,
    client: SocketAddr,
    server: SocketAddr,
}

impl Names {
    fn of(pair: &Pair) -> Result<Self> {
        Ok(Self { netns: pair.netns, client: pair.client.local_addr()?, server: pair.server.local_addr()? })
    }

    /// The entries of the client's and of the server's socket.
    fn find(&self, reader: &mut Reader) -> Result<[Option<(FlowKey, Flow)>; 2]> {
        let mut sample = Sample::default();
        reader.read(&mut sample)?;
        let entry = |local: SocketAddr, remote: SocketAddr| {
            let is_it = |key: &FlowKey| {
                key.netns == self.netns && key.local_port == local.port() && key.remote_port == remote.port()
            };
            sample.flows.iter().find(|(key, _)| is_it(key)).copied()
        };
        Ok([entry(self.client, self.server), entry(self.server, self.client)])
    }
}
