//! Many connections: more than are read at once, and more than the table holds.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::Case;
use crate::compare::Connection;
use crate::net::{LOOPBACK, Listener, Pair};
use crate::report::{Bytes, Report};
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact(
        "many short connections between two reads",
        "flows that live and die unseen",
        short_connections,
    ),
    Case::exact("more connections than the table holds", "excess that vanishes", full_table),
    Case::exact(
        "a filter that keeps a crowd out of the table",
        "a filter asked too late: the table full of what nobody wants; or too early: what it wants is gone",
        filtered_crowd,
    ),
];

fn short_connections(stage: &mut Stage<'_>) -> Result<()> {
    let count = stage.setting.short_connections;
    // Two ends each, and room for what else the host does.
    let mut bench = stage.start(&["--max-flows", &(2 * count + 4_096).to_string()])?;
    let listener = Listener::bind(LOOPBACK)?;
    let mut connections = Vec::with_capacity(count);
    bench.check("before", &[])?;
    bench.while_frozen(|| {
        for number in 0..count {
            connections.push(short_connection(&listener, number)?);
        }
        Ok(())
    })?;
    bench.check("after", &connections)?;
    bench.quit()
}

/// A source address for every 50 connections, so that ports never run out; nearly all end in a reset, which leaves
/// no `TIME_WAIT` behind.
fn short_connection(listener: &Listener, number: usize) -> Result<Connection> {
    let octet = |value: usize| u8::try_from(value % 250 + 1);
    let source = Ipv4Addr::new(127, 1, octet(number / 12_500)?, octet(number / 50)?);
    let mut pair = Pair::over(listener, Some(SocketAddr::new(IpAddr::V4(source), 0)))?;
    pair.ask(1 + number % 1_009, 1 + number % 211)?;
    if !number.is_multiple_of(16) {
        pair.initiator.close_with_reset()?;
    }
    pair.close();
    pair.outcome()
}

fn full_table(stage: &mut Stage<'_>) -> Result<()> {
    const CONNECTIONS: usize = 500;
    let mut bench = stage.start(&["--max-flows", "64"])?;
    let listener = Listener::bind(LOOPBACK)?;
    let mut pairs = Vec::new();
    for number in 0..CONNECTIONS {
        let mut pair = Pair::over(&listener, None)?;
        pair.ask(1_000 + number, 2_003)?;
        pairs.push(pair);
    }
    let ends = outcomes(&pairs)?;
    bench.check_report("while open", |report| judge_full_table(&ends, report))?;
    for (number, pair) in pairs.iter_mut().enumerate() {
        pair.ask(107, 211)?;
        if number.is_multiple_of(2) {
            pair.initiator.close_with_reset()?;
        }
        pair.close();
    }
    let ends = outcomes(&pairs)?;
    bench.check_report("after the close", |report| judge_full_table(&ends, report))?;
    bench.quit()
}

/// Some are older than the start, some meet the filter at one port, and the table has room for these alone.
fn filtered_crowd(stage: &mut Stage<'_>) -> Result<()> {
    const CROWD: usize = 200;
    let (crowd, wanted) = (Listener::bind(LOOPBACK)?, Listener::bind(LOOPBACK)?);
    let connect = |listener: &Listener, count: usize| -> Result<Vec<Pair>> {
        (0..count).map(|_| Pair::over(listener, None)).collect()
    };
    let mut others = connect(&crowd, CROWD)?;
    let mut pairs = connect(&wanted, 3)?;
    let filter = format!("tcp port {}", wanted.address.port());
    let mut bench = stage.start(&["--max-flows", "32", "-f", &filter])?;
    others.extend(connect(&crowd, CROWD)?);
    pairs.extend(connect(&wanted, 3)?);
    for (number, pair) in others.iter_mut().chain(&mut pairs).enumerate() {
        pair.ask(1_000 + number, 2_003)?;
        pair.ask(7, 11)?;
    }
    let expected = outcomes(&pairs)?;
    bench.check_report("while open", |report| judge_filtered(&expected, report))?;
    for pair in others.iter_mut().chain(&mut pairs) {
        pair.close();
    }
    bench.check_report("after the close", |report| judge_filtered(&expected, report))?;
    bench.quit()
}

fn judge_filtered(connections: &[Connection], report: &Report) -> Result<(), String> {
    let shown = ends_of(report);
    let expected: HashMap<Tuple, Bytes> = connections.iter().flat_map(both_ends).collect();
    if shown != expected {
        return Err(format!("expected {expected:?}, got {shown:?}"));
    }
    if (report.untracked.flows, report.untracked.bytes) != (0, Bytes::default()) {
        return Err(format!("untracked: expected nothing, got {:?}", report.untracked));
    }
    // The bytes of the end on the left count.
    let rows = report.flows.iter().map(|row| row.bytes).fold(Bytes::default(), sum);
    if report.totals == rows {
        Ok(())
    } else {
        Err(format!("totals: expected {rows:?}, got {:?}", report.totals))
    }
}

fn outcomes(pairs: &[Pair]) -> Result<Vec<Connection>> {
    pairs.iter().map(Pair::outcome).collect()
}

/// An end of a connection: where it lives, its own address, the other's.
type Tuple = (u32, SocketAddr, SocketAddr);

/// Every end either has its own exact numbers or is in the reserved entry, and nothing is in both or in neither.
fn judge_full_table(connections: &[Connection], report: &Report) -> Result<(), String> {
    let shown = ends_of(report);
    let (mut tracked, mut missing) = (0_u64, Bytes::default());
    for (tuple, applied) in connections.iter().flat_map(both_ends) {
        match shown.get(&tuple) {
            None => missing = sum(missing, applied),
            Some(got) if *got == applied => tracked += 1,
            Some(got) => {
                return Err(format!("{} => {}: expected {applied:?}, got {got:?}", tuple.1, tuple.2));
            }
        }
    }
    let untracked_flows = 2 * connections.len() as u64 - tracked;
    let got = report.untracked;
    if untracked_flows == 0 {
        return Err("the workload is wrong: the table held everything".to_owned());
    }
    if (got.flows, got.bytes) != (untracked_flows, missing) {
        return Err(format!("untracked: expected {untracked_flows} flows with {missing:?}, got {got:?}"));
    }
    judge_totals(connections, report)
}

/// The totals hold a connection of this host once: what its initiator sent and received.
fn judge_totals(connections: &[Connection], report: &Report) -> Result<(), String> {
    let ours: HashSet<Tuple> = connections.iter().flat_map(both_ends).map(|(tuple, _)| tuple).collect();
    let foreign = report.flows.iter().filter(|row| !ours.contains(&(row.netns, row.local(), row.remote())));
    let expected = connections
        .iter()
        .map(|connection| connection.initiator_bytes)
        .chain(foreign.map(|row| row.bytes))
        .fold(Bytes::default(), sum);
    if report.totals == expected {
        return Ok(());
    }
    Err(format!("totals: expected {expected:?}, got {:?}", report.totals))
}

fn ends_of(report: &Report) -> HashMap<Tuple, Bytes> {
    let mut ends = HashMap::new();
    for row in &report.flows {
        ends.insert((row.netns, row.local(), row.remote()), row.bytes);
        if let Some(peer) = &row.peer {
            ends.insert((peer.netns, row.remote(), row.local()), peer.bytes);
        }
    }
    ends
}

fn both_ends(connection: &Connection) -> [(Tuple, Bytes); 2] {
    let Connection { netns, initiator, acceptor, .. } = *connection;
    [
        ((netns, initiator, acceptor), connection.initiator_bytes),
        ((netns, acceptor, initiator), connection.acceptor_bytes),
    ]
}

fn sum(one: Bytes, other: Bytes) -> Bytes {
    Bytes { tx: one.tx + other.tx, rx: one.rx + other.rx }
}
