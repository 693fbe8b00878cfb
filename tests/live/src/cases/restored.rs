//! Sockets restored with `TCP_REPAIR`, as CRIU and live migration do: connected without a SYN, with the sequence numbers
//! and queues of sockets that were elsewhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use rustix::net::{self, SendFlags};

use super::Case;
use super::older::first_free;
use crate::compare::Connection;
use crate::net::{End, LOOPBACK, Listener, PAYLOAD, stream};
use crate::report::Bytes;
use crate::stage::{Bench, Stage};
use crate::{netns, sys};

pub const CASES: &[Case] = &[
    Case::exact("restored sockets that are used", "a SYN taken off that was never sent", used)
        .where_possible(is_possible),
    Case::exact("restored sockets that carry nothing", "totals below zero", unused)
        .where_possible(is_possible),
    Case::exact("restored sockets with full queues", "restored queues counted twice or not at all", queues)
        .where_possible(is_possible),
    Case::exact("sockets restored before the start", "history of a socket without a SYN", older)
        .where_possible(is_possible),
    Case::exact(
        "sockets restored before the start, and a listener",
        "the end with the larger port taken for the one that connected",
        listened_at,
    )
    .where_possible(is_possible),
    Case::exact("a connection dumped and restored", "sequence numbers of two sockets on one tuple", dumped)
        .where_possible(is_possible),
    Case::exact("restored sockets and a full table", "untracked totals below zero", untracked)
        .where_possible(is_possible),
];

/// Values of `TCP_REPAIR_QUEUE`: `TCP_RECV_QUEUE` and `TCP_SEND_QUEUE`.
pub(super) const RECEIVE_QUEUE: i32 = 1;
pub(super) const SEND_QUEUE: i32 = 2;
/// Values of `TCP_REPAIR`: off without a window probe, off, on.
pub(super) const OFF_SILENTLY: i32 = -1;
const OFF: i32 = 0;
pub(super) const ON: i32 = 1;

pub(super) fn is_possible() -> Result<()> {
    repair(&stream(LOOPBACK, None)?, ON)
}

pub(super) fn repair(socket: &OwnedFd, mode: i32) -> Result<()> {
    sys::set_number(socket, libc::IPPROTO_TCP, libc::TCP_REPAIR, mode).context("TCP_REPAIR")
}

pub(super) fn select(socket: &OwnedFd, queue: i32) -> Result<()> {
    sys::set_number(socket, libc::IPPROTO_TCP, libc::TCP_REPAIR_QUEUE, queue).context("TCP_REPAIR_QUEUE")
}

fn set_sequence(socket: &OwnedFd, queue: i32, next: u32) -> Result<()> {
    select(socket, queue)?;
    let number = next.to_ne_bytes();
    sys::set_option(socket, libc::IPPROTO_TCP, libc::TCP_QUEUE_SEQ, &number).context("TCP_QUEUE_SEQ")
}

/// Sequence numbers of one end: the next to be sent, and the next to be received.
pub(super) type Sequence = (u32, u32);

/// Two ends that go on as if they had been connected, still in repair.
struct Restored {
    one: End,
    other: End,
    netns: u32,
}

impl Restored {
    /// With sequence numbers near their wrap.
    fn new() -> Result<Self> {
        Self::over([half(1)?, half(2)?], [(u32::MAX - 9, 2_000), (2_000, u32::MAX - 9)])
    }

    fn over([one, other]: [(OwnedFd, SocketAddr); 2], sequences: [Sequence; 2]) -> Result<Self> {
        let one_end = connected(one.0, other.1, sequences[0])?;
        let other_end = connected(other.0, one.1, sequences[1])?;
        Ok(Self { one: one_end, other: other_end, netns: netns::inode()? })
    }

    fn go_on(&self) -> Result<()> {
        repair(self.one.socket(), OFF)?;
        repair(self.other.socket(), OFF)
    }

    /// Sends `there` bytes one way and `back` bytes the other.
    fn use_both(&mut self, there: usize, back: usize) -> Result<()> {
        self.one.send_small(there)?;
        self.other.receive_exactly(there as u64)?;
        self.other.send_small(back)?;
        self.one.receive_exactly(back as u64)
    }

    /// The connection that flowtop must report, without the bytes from before the start. Neither end has connected to the other.
    fn since(&self, start: [Bytes; 2]) -> Connection {
        let bytes = |end: &End, start: Bytes| Bytes { tx: end.sent - start.tx, rx: end.received - start.rx };
        Connection {
            netns: self.netns,
            initiator: self.one.local,
            acceptor: self.other.local,
            initiator_bytes: bytes(&self.one, start[0]),
            acceptor_bytes: bytes(&self.other, start[1]),
            is_restored: true,
        }
    }

    fn outcome(&self) -> Connection {
        self.since([Bytes::default(); 2])
    }

    fn check(&self, bench: &mut Bench, when: &str) -> Result<()> {
        bench.check(when, &[self.outcome()])
    }
}

/// A socket in repair at an address that another one may have.
fn again(address: SocketAddr) -> Result<OwnedFd> {
    let socket = stream(LOOPBACK, None)?;
    repair(&socket, ON)?;
    net::bind(&socket, &address).with_context(|| format!("cannot bind {address}"))?;
    Ok(socket)
}

/// The same on a port of its own.
fn half(host: u8) -> Result<(OwnedFd, SocketAddr)> {
    let socket = again((Ipv4Addr::new(127, 0, 78, host), 0).into())?;
    let address = net::getsockname(&socket)?.try_into()?;
    Ok((socket, address))
}

pub(super) fn connected(socket: OwnedFd, peer: SocketAddr, (next, expected): Sequence) -> Result<End> {
    set_sequence(&socket, SEND_QUEUE, next)?;
    set_sequence(&socket, RECEIVE_QUEUE, expected)?;
    net::connect(&socket, &peer).context("connect in repair")?;
    End::new(socket)
}

fn used(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Restored::new()?;
    pair.go_on()?;
    for (there, back) in [(60, 1_000), (1, 1), (20_011, 3)] {
        pair.use_both(there, back)?;
        pair.check(stage.bench()?, "while open")?;
    }
    // Repair of a connection that is established, and back.
    repair(pair.one.socket(), ON)?;
    pair.check(stage.bench()?, "in repair")?;
    repair(pair.one.socket(), OFF)?;
    pair.use_both(7, 9)?;
    pair.one.close();
    pair.other.receive_end()?;
    pair.other.close();
    pair.check(stage.bench()?, "after the close")
}

fn unused(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Restored::new()?;
    pair.check(stage.bench()?, "in repair")?;
    pair.go_on()?;
    pair.check(stage.bench()?, "while open")?;
    pair.one.close();
    pair.other.receive_end()?;
    pair.other.close();
    pair.check(stage.bench()?, "after the close")
}

/// Bytes put into the send queue are sent on this socket, and bytes put into the receive queue are received once they are
/// read.
fn queues(stage: &mut Stage<'_>) -> Result<()> {
    const SENT: usize = 301;
    const RECEIVED: usize = 503;
    // The other end has sent, on a socket that is gone, what is in the receive queue of the one.
    let mut pair = Restored::over([half(1)?, half(2)?], [(7_000, 2_000), (2_000 + 503, 7_000)])?;
    select(pair.one.socket(), SEND_QUEUE)?;
    pair.one.send_small(SENT)?;
    select(pair.one.socket(), RECEIVE_QUEUE)?;
    let put = net::send(pair.one.socket(), &PAYLOAD[..RECEIVED], SendFlags::empty())?;
    ensure!(put == RECEIVED, "the kernel took {put} of {RECEIVED} bytes into the receive queue");
    pair.check(stage.bench()?, "in repair")?;
    pair.go_on()?;
    pair.one.receive_exactly(RECEIVED as u64)?;
    pair.other.receive_exactly(SENT as u64)?;
    pair.check(stage.bench()?, "after the restored bytes have been read")?;
    pair.use_both(11, 13)?;
    close_in_repair(&mut pair)?;
    pair.check(stage.bench()?, "after the close")
}

fn close_in_repair(pair: &mut Restored) -> Result<()> {
    for end in [&mut pair.one, &mut pair.other] {
        repair(end.socket(), ON)?;
        end.close();
    }
    Ok(())
}

fn older(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Restored::new()?;
    pair.go_on()?;
    pair.use_both(60, 1_000)?;
    let start = [&pair.one, &pair.other].map(|end| Bytes { tx: end.sent, rx: end.received });
    let mut bench = stage.start(&[])?;
    bench.check("at the start", &[pair.since(start)])?;
    pair.use_both(307, 401)?;
    bench.check("while open", &[pair.since(start)])?;
    close_in_repair(&mut pair)?;
    bench.check("after the close", &[pair.since(start)])?;
    bench.quit()
}

/// Who listens is the server. Bytes that were restored into the send queues hide from the counters who sent a SYN.
fn listened_at(stage: &mut Stage<'_>) -> Result<()> {
    let at = |port| SocketAddr::from((Ipv4Addr::new(127, 0, 78, 3), port));
    let listener = first_free(61_000..62_000, |port| Listener::bind_with(at(port), None))?;
    let server = (again(listener.address)?, listener.address);
    let mut pair = Restored::over([half(1)?, server], [(7_000, 2_000), (2_000, 7_000)])?;
    for end in [&mut pair.one, &mut pair.other] {
        select(end.socket(), SEND_QUEUE)?;
        end.send_small(301)?;
    }
    pair.go_on()?;
    pair.one.receive_exactly(301)?;
    pair.other.receive_exactly(301)?;
    let start = [&pair.one, &pair.other].map(|end| Bytes { tx: end.sent, rx: end.received });
    let mut bench = stage.start(&[])?;
    pair.use_both(307, 401)?;
    bench.check("while open", &[Connection { is_restored: false, ..pair.since(start) }])?;
    close_in_repair(&mut pair)?;
    bench.quit()
}

/// The sockets go and others come on the same tuple, as on the host of a checkpoint.
fn dumped(stage: &mut Stage<'_>) -> Result<()> {
    let mut first = Restored::new()?;
    first.go_on()?;
    first.use_both(503, 601)?;
    let addresses = [first.one.local, first.other.local];
    close_in_repair(&mut first)?;
    let sockets = [(again(addresses[0])?, addresses[0]), (again(addresses[1])?, addresses[1])];
    let mut second = Restored::over(sockets, [(493, 2_601), (2_601, 493)])?;
    second.go_on()?;
    second.use_both(60, 1_000)?;
    stage.bench()?.check("while open", &[first.outcome(), second.outcome()])?;
    for end in [second.one.socket(), second.other.socket()] {
        repair(end, ON)?;
        repair(end, OFF_SILENTLY)?;
    }
    second.use_both(2, 3)?;
    stage.bench()?.check("after another repair", &[first.outcome(), second.outcome()])
}

fn untracked(stage: &mut Stage<'_>) -> Result<()> {
    const TABLE: usize = 32;
    let mut bench = stage.start(&["--max-flows", &TABLE.to_string()])?;
    let holders: Vec<_> = (0..TABLE).map(|_| Restored::new()).collect::<Result<_>>()?;
    let mut pair = Restored::new()?;
    pair.go_on()?;
    pair.use_both(60, 1_000)?;
    close_in_repair(&mut pair)?;
    bench.check_report("after the close", |report| {
        // Others on this host may have found the table full, too.
        let (once, each) = (report.totals, report.untracked.bytes);
        let is_possible = |bytes: u64, least: u64| (least..1 << 40).contains(&bytes);
        // Which end is on the left is a matter of ports.
        let all = [(once.tx + once.rx, 1_060), (each.tx, 1_060), (each.rx, 1_060)];
        if all.into_iter().all(|(bytes, least)| is_possible(bytes, least)) {
            return Ok(());
        }
        Err(format!("expected the bytes of the second pair, got {once:?} and, at each end, {each:?}"))
    })?;
    drop(holders);
    bench.quit()
}
