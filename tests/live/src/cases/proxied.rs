//! A proxy that keeps addresses and ports (TPROXY, Envoy): in its namespace there are two sockets with mirrored tuples, and
//! the other end of each is elsewhere. What the network between the namespaces would carry is put into the queues of
//! restored sockets.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rustix::net::{self, SendFlags};

use super::Case;
use super::reporting::same;
use super::restored::{
    OFF_SILENTLY, ON, RECEIVE_QUEUE, SEND_QUEUE, Sequence, connected, is_possible, repair, select,
};
use crate::net::{End, LOOPBACK, PAYLOAD, stream};
use crate::netns;
use crate::report::{Bytes, Row};
use crate::stage::Stage;

pub const CASES: &[Case] = &[Case::exact(
    "a proxy that keeps addresses and ports",
    "mirrored tuples in one namespace taken for one connection",
    proxied,
)
.where_possible(is_possible)];

const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 79, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 79, 2);

fn client() -> SocketAddr {
    (CLIENT, 40_979).into()
}

fn server() -> SocketAddr {
    (SERVER, 443).into()
}

fn end(local: SocketAddr, remote: SocketAddr, sequence: Sequence) -> Result<End> {
    let socket = stream(LOOPBACK, None)?;
    repair(&socket, ON)?;
    net::bind(&socket, &local).with_context(|| format!("cannot bind {local}"))?;
    connected(socket, remote, sequence)
}

/// A namespace with one end of a connection; its number, and the end.
fn alone(local: SocketAddr, remote: SocketAddr, sequence: Sequence) -> Result<(u32, End)> {
    netns::in_new(|| Ok((netns::inode()?, end(local, remote, sequence)?)))
}

/// Lets `count` bytes pass from one end to the other.
fn pass(from: &mut End, to: &mut End, count: usize) -> Result<()> {
    select(from.socket(), SEND_QUEUE)?;
    from.send_small(count)?;
    select(to.socket(), RECEIVE_QUEUE)?;
    let put = net::send(to.socket(), &PAYLOAD[..count], SendFlags::empty())?;
    ensure!(put == count, "the kernel took {put} of {count} bytes");
    repair(to.socket(), OFF_SILENTLY)?;
    to.receive_exactly(count as u64)?;
    repair(to.socket(), ON)
}

fn proxied(stage: &mut Stage<'_>) -> Result<()> {
    const IN_FRONT: Sequence = (1_000_000_000, 2_000_000_000);
    const BEHIND: Sequence = (3_000_000_000, 4_000_000_000);
    let crossed = |(tx, rx): Sequence| (rx, tx);
    let (client_ns, mut client_end) = alone(client(), server(), IN_FRONT)?;
    let (proxy_ns, mut accepted, mut dialled) = netns::in_new(|| {
        let accepted = end(server(), client(), crossed(IN_FRONT))?;
        Ok((netns::inode()?, accepted, end(client(), server(), BEHIND)?))
    })?;
    let (server_ns, mut server_end) = alone(server(), client(), crossed(BEHIND))?;
    pass(&mut client_end, &mut accepted, 1_009)?;
    pass(&mut dialled, &mut server_end, 503)?;
    pass(&mut server_end, &mut dialled, 307)?;
    pass(&mut accepted, &mut client_end, 20_011)?;
    // Roles of restored sockets are unknown, so the end with the larger port is on the left.
    let expected = vec![
        (client_ns, Some(proxy_ns), Bytes { tx: 1_009, rx: 20_011 }),
        (proxy_ns, Some(server_ns), Bytes { tx: 503, rx: 307 }),
    ];
    stage.bench()?.check_report("while open", |report| {
        let of_case = report.flows.iter().filter(|row| row.local() == client() || row.local() == server());
        let ends = |row: &Row| (row.netns, row.peer.as_ref().map(|peer| peer.netns), row.bytes);
        let mut rows: Vec<_> = of_case.map(ends).collect();
        rows.sort_unstable_by_key(|(.., bytes)| std::cmp::Reverse(*bytes));
        same("ends", &expected, &rows)
    })
}
