//! The judge: what the applications did against what flowtop says. Pure.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::report::{Bytes, Report, Row};

#[cfg(test)]
mod tests;

/// Bytes that the two ends of a connection sent and received, by the return values of their calls.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Inode number of the network namespace of both ends.
    pub netns: u32,
    /// Address of the end that called `connect`.
    pub initiator: SocketAddr,
    /// Address of the end that was accepted.
    pub acceptor: SocketAddr,
    /// Bytes of the initiator since flowtop started.
    pub initiator_bytes: Bytes,
    /// Bytes of the acceptor since flowtop started.
    pub acceptor_bytes: Bytes,
    /// Restored with `TCP_REPAIR`: neither end is the one that called `connect`.
    pub is_restored: bool,
}

/// Says whether flowtop's number may stand for the application's; [`exact`] unless a limitation is documented.
pub type Holds = fn(applied: u64, reported: u64) -> bool;

/// The rule of most cases: equal to the byte.
pub fn exact(applied: u64, reported: u64) -> bool {
    applied == reported
}

/// Inode number of the network namespace, address of the initiator, address of the acceptor.
type Tuple = (u32, SocketAddr, SocketAddr);
/// Bytes of the initiator, bytes of the acceptor.
type Ends = (Bytes, Bytes);

/// Compares every connection with its row. Connections on one tuple must have as many rows, whatever their order;
/// a connection without bytes needs none.
///
/// # Errors
/// The first difference, as `expected ..., got ...`.
pub fn compare(connections: &[Connection], report: &Report, holds: Holds) -> Result<(), String> {
    let mut expected: HashMap<Tuple, Vec<Ends>> = HashMap::new();
    let mut restored: HashMap<Tuple, bool> = HashMap::new();
    for connection in connections {
        let tuple = (connection.netns, connection.initiator, connection.acceptor);
        restored.insert(tuple, connection.is_restored);
        expected.entry(tuple).or_default().push((connection.initiator_bytes, connection.acceptor_bytes));
    }
    let mut reported: HashMap<Tuple, Vec<Ends>> = HashMap::new();
    for row in &report.flows {
        if let Some((tuple, ends)) = initiators_view(row, &restored)? {
            reported.entry(tuple).or_default().push(ends);
        }
    }
    expected.into_iter().try_for_each(|(tuple, ends)| {
        let rows = reported.remove(&tuple).unwrap_or_default();
        compare_tuple(tuple, &with_bytes(ends), &with_bytes(rows), holds)
    })
}

/// The row's tuple and bytes with the initiator first, if its tuple is one of `restored`'s keys.
fn initiators_view(row: &Row, restored: &HashMap<Tuple, bool>) -> Result<Option<(Tuple, Ends)>, String> {
    let peer = row.peer.as_ref().map(|peer| peer.bytes).unwrap_or_default();
    let forward = (row.netns, row.local(), row.remote());
    let backward = (row.netns, row.remote(), row.local());
    match (restored.get(&forward), restored.get(&backward)) {
        (Some(false), _) if row.initiator != Some(true) => {
            Err(format!("expected {} to be called the initiator, got {:?}", row.local(), row.initiator))
        }
        (Some(_), _) => Ok(Some((forward, (row.bytes, peer)))),
        (None, Some(true)) => Ok(Some((backward, (peer, row.bytes)))),
        (None, Some(false)) => {
            Err(format!("expected one row from {} to {}, got one the other way", row.remote(), row.local()))
        }
        (None, None) => Ok(None),
    }
}

fn with_bytes(mut ends: Vec<Ends>) -> Vec<Ends> {
    ends.retain(|both| *both != Ends::default());
    ends.sort_unstable();
    ends
}

fn compare_tuple(tuple: Tuple, expected: &[Ends], reported: &[Ends], holds: Holds) -> Result<(), String> {
    let same = expected.len() == reported.len()
        && expected.iter().zip(reported).all(|(expected, reported)| {
            numbers(expected).into_iter().zip(numbers(reported)).all(|(applied, got)| holds(applied, got))
        });
    if same {
        return Ok(());
    }
    let (netns, initiator, acceptor) = tuple;
    Err(format!(
        "{initiator} => {acceptor} in {netns}: expected {}, got {}",
        sentence(expected),
        sentence(reported)
    ))
}

fn numbers((initiator, acceptor): &Ends) -> [u64; 4] {
    [initiator.tx, initiator.rx, acceptor.tx, acceptor.rx]
}

fn sentence(ends: &[Ends]) -> String {
    let rows: Vec<String> = ends
        .iter()
        .map(|(initiator, acceptor)| {
            format!("{}/{} peer {}/{}", initiator.tx, initiator.rx, acceptor.tx, acceptor.rx)
        })
        .collect();
    if rows.is_empty() { "no row".to_owned() } else { rows.join(" and ") }
}
