//! flowtop's JSON report as values: the part of the contract that the suite relies on.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One report. Bytes count from the start of flowtop.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// The hook plan that counts.
    pub hooks: String,
    /// `events` or `sweep`, whichever kept the counters current.
    pub trigger: String,
    /// The reason for that, as half a sentence.
    pub trigger_reason: String,
    /// All connections together, one with both ends here counted once per direction.
    pub totals: Bytes,
    /// One row a connection.
    pub flows: Vec<Row>,
    /// Sockets that found the flow table full.
    pub untracked: Untracked,
    /// Losses of the kernel side, by name.
    pub losses: HashMap<String, u64>,
    /// Texts about owners that could not be read or shown, by name.
    pub attribution: HashMap<String, u64>,
}

/// Bytes one way and the other.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes {
    /// Sent.
    #[serde(rename = "tx_bytes")]
    pub tx: u64,
    /// Received.
    #[serde(rename = "rx_bytes")]
    pub rx: u64,
}

/// One connection, seen from its initiator where that is on this host.
#[derive(Debug, Deserialize)]
pub struct Row {
    local_addr: IpAddr,
    local_port: u16,
    remote_addr: IpAddr,
    remote_port: u16,
    /// Network namespace of the local end.
    pub netns: u32,
    /// Process that last used the local end.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<String>,
    /// How many processes use the local end.
    pub users: Option<u32>,
    /// Namespace of its pod.
    pub namespace: Option<String>,
    /// Its pod.
    pub pod: Option<String>,
    /// The pod that has the network namespace of the local end.
    pub netns_pod: Option<String>,
    /// Its container.
    pub container: Option<String>,
    /// Namespace of the pod that has the remote address.
    pub remote_namespace: Option<String>,
    /// That pod.
    pub remote_pod: Option<String>,
    /// TCP state of the local end.
    pub state: String,
    /// Whether the local end called `connect`; none when that is unknown.
    pub initiator: Option<bool>,
    /// The local end's own bytes.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// Bytes that the local end has put on the wire, with headers.
    pub tx_wire_bytes: Option<u64>,
    /// Bytes that it has taken from the wire.
    pub rx_wire_bytes: Option<u64>,
    /// The other end, if it is on this host and has an entry.
    pub peer: Option<Peer>,
}

/// The other end of a connection that stays on this host.
#[derive(Debug, Deserialize)]
pub struct Peer {
    /// Its network namespace.
    pub netns: u32,
    /// Process that last used it.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<String>,
    /// Its pod.
    pub pod: Option<String>,
    /// The pod that has its network namespace.
    pub netns_pod: Option<String>,
    /// Its TCP state.
    pub state: String,
    /// Its own bytes.
    #[serde(flatten)]
    pub bytes: Bytes,
}

/// The reserved entry.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Untracked {
    /// Sockets without an entry.
    pub flows: u64,
    /// Their bytes.
    #[serde(flatten)]
    pub bytes: Bytes,
}

impl Report {
    /// The losses that are not zero, for the message about a difference.
    pub fn lost(&self) -> String {
        let mut lost: Vec<_> = self.losses.iter().filter(|(_, count)| **count > 0).collect();
        lost.sort_unstable();
        let counts: Vec<_> = lost.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!("losses: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") })
    }
}

impl Row {
    /// Address of the local end.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_addr, self.local_port)
    }

    /// Address of the remote end.
    pub fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote_addr, self.remote_port)
    }
}

/// Reads one line of flowtop's output.
pub fn parse(line: &str) -> Result<Report> {
    let start: String = line.chars().take(200).collect();
    serde_json::from_str(line).with_context(|| format!("flowtop's line is not the JSON contract: {start}"))
}
