//! Bytes on the wire against the loopback device of a namespace of its own. Every send fits into one segment, since
//! the device counts a super-segment with one header.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};

use super::Case;
use super::addresses::ipv6_is_possible;
use crate::net::{LOOPBACK, Listener, Pair};
use crate::netns;
use crate::report::Row;
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("bytes on the wire of IPv4", "headers that are not counted", |stage| wire(stage, LOOPBACK))
        .where_possible(|| netns::in_new(|| Ok(()))),
    Case::exact("bytes on the wire of IPv6", "headers of IPv4 in place of those of IPv6", |stage| {
        wire(stage, IpAddr::V6(Ipv6Addr::LOCALHOST))
    })
    .where_possible(|| netns::in_new(ipv6_is_possible)),
];

const QUESTIONS: usize = 500;

/// Bytes that the loopback device of the thread's namespace has sent, with the Ethernet headers that it does not count.
fn sent_by_loopback() -> Result<u64> {
    const COUNTERS: &str = "/proc/thread-self/net/dev";
    let text = fs::read_to_string(COUNTERS).with_context(|| format!("cannot read {COUNTERS}"))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let counter = |at| -> Result<u64> {
        let text = line.and_then(|line| line.split_whitespace().nth(at)).context("no counters of lo")?;
        text.parse().context("counter of lo")
    };
    let (bytes, packets) = (counter(8)?, counter(9)?);
    Ok(bytes + 14 * packets)
}

/// A connection of its own namespace, from its birth to its end: the namespace, the initiator, and what the device has sent.
fn connection(address: IpAddr) -> Result<(u32, SocketAddr, u64)> {
    let before = sent_by_loopback()?;
    let mut pair = Pair::over(&Listener::bind(address)?, None)?;
    for _ in 0..QUESTIONS {
        pair.ask(100, 30)?;
    }
    pair.close();
    Ok((netns::inode()?, pair.initiator.local, sent_by_loopback()? - before))
}

fn wire(stage: &mut Stage<'_>, address: IpAddr) -> Result<()> {
    // Before the connection is born: an older one has no handshake.
    stage.bench()?;
    let (netns, initiator, sent) = netns::in_new(|| connection(address))?;
    stage.bench()?.check_report("after the close", |report| {
        let is_its = |row: &&Row| row.netns == netns && row.local() == initiator;
        let row = report.flows.iter().find(is_its).ok_or("expected a row, got none")?;
        // The loopback device sends the bytes of both ends.
        let counted = row.tx_wire_bytes.zip(row.rx_wire_bytes).map(|(tx, rx)| tx + rx);
        let counted = counted.ok_or("expected bytes on the wire, got none")?;
        let is_close = counted.abs_diff(sent) * 100 <= sent;
        is_close.then_some(()).ok_or_else(|| format!("expected {sent} within 1 %, got {counted}"))
    })
}
