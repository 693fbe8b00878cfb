//! Self-check: sends known bytes through a loopback pair, and compares them with the counters.
//!
//! Attaching proves nothing: with `kernel.ftrace_enabled=0` trampolines and kprobes attach and never fire (seen on
//! Linux 5.10 to 7.2). The pair lives in a network namespace of its own where that is allowed, so neither firewall
//! rules nor a loopback device that is down can disturb it; elsewhere on the loopback device of the current one, where
//! only its own two sockets are looked at. Its entries leave the table before anything is shown.

use super::read::Reader;
use super::rights::{Right, list};
use anyhow::{Context as _, Result, anyhow};
use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::flow::Tuple;
use flowtop_core::window::Bytes;
use flowtop_core::wire::Sample;
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::linux::fs::MetadataExt as _,
    time::{Duration, Instant},
};

/// Sizes of request and answer: odd ones that no other connection has by chance.
const REQUEST_BYTES: usize = 4_637;
const ANSWER_BYTES: usize = 2_311;

/// Bytes of a message of [`exchange`].
const MESSAGE_BYTES: usize = 64;

/// How long to wait for what is not immediate: a connection, the end of the pair, and a delayed acknowledgement (200 ms at most,
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
    apart(|network| {
        let pair = Pair::connect().with_context(|| network.refusal())?;
        let verdict = pair.counted(reader, patience)?;
        pair.disappear(reader)?;
        Ok(verdict)
    })?
}

/// Sends small messages forth and back through a pair of our own: what the hooks cost is known then.
///
/// # Errors
/// A pair that could not be made.
pub fn exchange(messages: u32) -> Result<()> {
    apart(|network| {
        let Pair { mut client, mut server, .. } = Pair::connect().with_context(|| network.refusal())?;
        let mut message = [0; MESSAGE_BYTES];
        for _ in 0..messages {
            client.write_all(&message)?;
            server.read_exact(&mut message)?;
            server.write_all(&message)?;
            client.read_exact(&mut message)?;
        }
        Ok(())
    })?
}

/// Where a pair is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// A namespace that has nothing else.
    Own,
    /// The one that flowtop was started in, as it is.
    Current,
}

impl Network {
    /// What it means that no pair can be made there.
    fn refusal(self) -> String {
        let refusal = "cannot make a loopback connection for the self-check";
        match self {
            Self::Own => refusal.to_owned(),
            Self::Current => format!(
                "{refusal}; bring lo up and let it pass the firewall, or give {} for a network of its own",
                list(&[Right::SysAdmin, Right::NetAdmin])
            ),
        }
    }
}

/// Works on a thread in a network namespace of its own, or here if one cannot be made or its loopback device not be brought
/// up: for want of rights, room or a system call.
fn apart<T: Send>(work: impl FnOnce(Network) -> T + Send) -> Result<T> {
    // Only this thread moves to the namespace, which ends with it.
    let move_and_work = move || match enter_own_namespace() {
        Ok(()) => Ok(work(Network::Own)),
        Err(_) => Err(work),
    };
    let moved = std::thread::scope(|scope| scope.spawn(move_and_work).join());
    let moved = moved.map_err(|_| anyhow!("the self-check ended unexpectedly"))?;
    Ok(moved.unwrap_or_else(|work| work(Network::Current)))
}

fn enter_own_namespace() -> io::Result<()> {
    flowtop_sys::enter_new_netns()?;
    flowtop_sys::bring_loopback_up()
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    netns: u32,
}

impl Pair {
    fn connect() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A firewall may drop what goes to loopback.
        let mut client = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
        let (mut server, _) = listener.accept()?;
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
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
            let is_it = |key: &FlowKey| key.netns == self.netns && Tuple::of(key) == Tuple { local, remote };
            sample.flows.iter().find(|(key, _)| is_it(key)).copied()
        };
        Ok([entry(self.client, self.server), entry(self.server, self.client)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_made_with_any_rights_and_the_thread_that_asks_stays_where_it_is() {
        let own = || fs::metadata("/proc/thread-self/ns/net").unwrap().st_ino();
        let here = own();
        let (network, there, made) =
            apart(|network| (network, own(), Pair::connect().map(|pair| pair.netns))).unwrap();
        assert_eq!((network == Network::Current, u64::from(made.unwrap())), (here == there, there));
        assert_eq!(own(), here);
        exchange(3).unwrap();
    }

    #[test]
    fn without_a_network_of_its_own_the_missing_rights_are_named() {
        let said = Network::Current.refusal();
        assert!(said.contains("bring lo up") && said.contains("CAP_SYS_ADMIN and CAP_NET_ADMIN"), "{said}");
    }
}
