//! Identity of connections: reconnects over one 5-tuple, and sockets that are used again.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use rustix::net;

use super::Case;
use crate::compare::Connection;
use crate::net::{End, LOOPBACK, Listener, Pair};
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("five connections on one tuple", "a reconnect added to its predecessor", same_tuple),
    Case::exact(
        "a socket connected twice",
        "counters that connect(AF_UNSPEC) has zeroed",
        reconnected_socket,
    ),
    Case::exact(
        "a socket connected twice on one tuple",
        "two connections of one socket taken for one",
        reconnected_on_its_tuple,
    ),
];

fn same_tuple(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(LOOPBACK)?;
    let mut source = Some(own_source(1));
    let mut connections: Vec<Connection> = Vec::new();
    for round in 1..=5 {
        let mut pair = Pair::over(&listener, source)?;
        source = Some(pair.initiator.local);
        pair.exchange(round * 1_009)?;
        pair.initiator.close_with_reset()?;
        pair.acceptor.close();
        connections.push(pair.outcome()?);
        stage.bench()?.check("after a close", &connections)?;
    }
    Ok(())
}

/// A free port of an address that no other case connects from: one of theirs may still be in `TIME_WAIT` on the same port
/// of its own address, and then the port cannot be bound again.
fn own_source(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 77, host), 0))
}

fn reconnected_socket(stage: &mut Stage<'_>) -> Result<()> {
    let first = Pair::connect()?;
    reconnect(stage, first, &Listener::bind(LOOPBACK)?)
}

fn reconnected_on_its_tuple(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(LOOPBACK)?;
    // A port that the socket has asked for stays with it when it is disconnected; take one that was just free.
    let mut donor = Pair::over(&listener, Some(own_source(2)))?;
    donor.initiator.close_with_reset()?;
    let first = Pair::over(&listener, Some(donor.initiator.local))?;
    reconnect(stage, first, &listener)
}

fn reconnect(stage: &mut Stage<'_>, mut first: Pair, listener: &Listener) -> Result<()> {
    first.exchange(5_003)?;
    let before = first.outcome()?;
    let socket = first.initiator.into_socket();
    net::connect_unspec(&socket)?;
    first.acceptor.close();
    stage.bench()?.check("after the disconnect", &[before])?;
    net::connect(&socket, &listener.address)?;
    let mut second = Pair::of(End::new(socket)?, listener.accept()?)?;
    second.exchange(6_007)?;
    stage.bench()?.check("while the second is open", &[before, second.outcome()?])?;
    second.close();
    stage.bench()?.check("after the close", &[before, second.outcome()?])
}
