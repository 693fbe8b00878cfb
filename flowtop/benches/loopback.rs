//! Connections with both ends in this process, and messages through them.

use crate::descriptors;
use anyhow::{Context as _, Result};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

/// Descriptors for everything that is not one of the connections.
const OTHER_DESCRIPTORS: u64 = 256;

/// Bytes of a message: as small as real requests, so that the cost of an event and not of a copy is seen.
pub const MESSAGE_BYTES: usize = 64;

/// The two ends of a connection.
pub struct Pair {
    client: TcpStream,
    server: TcpStream,
}

/// Opens `count` connections: twice as many flows.
pub fn connect(count: usize) -> Result<Vec<Pair>> {
    descriptors::allow(2 * count as u64 + OTHER_DESCRIPTORS)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let pair = || {
        let client = TcpStream::connect(address)?;
        client.set_nodelay(true)?;
        let (server, _) = listener.accept()?;
        Ok(Pair { client, server })
    };
    (0..count).map(|_| pair()).collect::<std::io::Result<_>>().context("cannot open loopback connections")
}

/// Sends and receives `messages` messages, one connection after the other.
pub fn exchange(pairs: &mut [Pair], messages: u32) -> Result<()> {
    let mut message = [0; MESSAGE_BYTES];
    let mut turn = 0;
    for _ in 0..messages {
        let pair = &mut pairs[turn];
        pair.client.write_all(&message)?;
        pair.server.read_exact(&mut message)?;
        turn = (turn + 1) % pairs.len();
    }
    Ok(())
}
