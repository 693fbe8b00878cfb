//! The contents of a report beside the bytes. Last, so that its losses are those of the whole run.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use rustix::net::{self, Shutdown};
use serde_json::Value;

use super::Case;
use super::closing::wait_for_reset;
use crate::net::{Pair, transfer};
use crate::report::{Report, Row};
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("the owner of both ends", "a pid from softirq or a kernel thread", owner),
    Case::exact(
        "the states of a connection that is half closed, then reset",
        "states shown late or for the wrong end",
        states,
    ),
    Case::exact("every field of the contract", "a field renamed or dropped", contract),
    Case::exact("nothing was lost on the way", "losses that nobody looks at", losses),
];

pub fn row_of<'a>(report: &'a Report, pair: &Pair) -> Result<&'a Row, String> {
    row_between(report, (pair.initiator.local, pair.acceptor.local))
}

pub fn row_between(report: &Report, (local, remote): (SocketAddr, SocketAddr)) -> Result<&Row, String> {
    let row = report.flows.iter().find(|row| row.local() == local && row.remote() == remote);
    row.ok_or_else(|| format!("expected a row {local} => {remote}, got none"))
}

pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

fn owner(stage: &mut Stage<'_>) -> Result<()> {
    let comm = fs::read_to_string("/proc/self/comm").context("cannot read /proc/self/comm")?;
    let owner = (Some(std::process::id()), Some(comm.trim_end().to_owned()));
    let mut pair = Pair::connect()?;
    let ends = (pair.initiator.local, pair.acceptor.local);
    stage.bench()?.check_user(
        "while open",
        || pair.exchange(3_001),
        |report| {
            let row = row_between(report, ends)?;
            let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
            same("owner of the initiator", &owner, &(row.pid, row.comm.clone()))?;
            same("owner of the acceptor", &owner, &(peer.pid, peer.comm.clone()))
        },
    )
}

fn states(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(1_003)?;
    check_states(stage, &pair, "ESTABLISHED", "ESTABLISHED")?;
    net::shutdown(pair.initiator.socket(), Shutdown::Write)?;
    pair.acceptor.receive_end()?;
    // The answer carries the acknowledgement of the FIN.
    let Pair { initiator, acceptor, .. } = &mut pair;
    transfer(acceptor, initiator, 1_009)?;
    check_states(stage, &pair, "FIN_WAIT2", "CLOSE_WAIT")?;
    pair.initiator.close_with_reset()?;
    wait_for_reset(&pair)?;
    check_states(stage, &pair, "CLOSE", "CLOSE")
}

fn check_states(stage: &mut Stage<'_>, pair: &Pair, initiator: &str, acceptor: &str) -> Result<()> {
    stage.bench()?.check_report(initiator, |report| {
        let row = row_of(report, pair)?;
        let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
        same("states", &(initiator, acceptor), &(row.state.as_str(), peer.state.as_str()))
    })
}

/// Object (as a JSON pointer) and its fields.
const CONTRACT: &[(&str, &str)] = &[
    ("", "time host elapsed_s covered_s hooks totals flows untracked losses coverage"),
    (
        "/totals",
        "tx_bytes rx_bytes tx_rate_2s tx_rate_10s tx_rate_40s rx_rate_2s rx_rate_10s rx_rate_40s tx_peak rx_peak",
    ),
    (
        "/flows/0",
        "owner users command user unit container_id container pod namespace label local_addr local_port remote_addr remote_port netns pid comm state tx_bytes rx_bytes tx_rate_2s tx_rate_10s \
         tx_rate_40s rx_rate_2s rx_rate_10s rx_rate_40s initiator srtt_us retrans_bytes retrans_segs segs_in \
         segs_out sent_bytes tx_wire_bytes rx_wire_bytes cgroup_id age_s idle_s peer",
    ),
    ("/untracked", "flows tx_bytes rx_bytes"),
    ("/losses", "socket_state slot unseeded call socket_map ledger"),
    ("/attribution", "unreadable replaced cut"),
];

fn contract(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(1_009)?;
    let Some(line) = stage.bench()?.report_line()? else { return Ok(()) };
    let report: Value = serde_json::from_str(&line).context("the report is not JSON")?;
    for (pointer, fields) in CONTRACT {
        let object = report.pointer(pointer).with_context(|| format!("expected {pointer}, got nothing"))?;
        for field in fields.split_whitespace() {
            ensure!(object.get(field).is_some(), "expected {pointer}/{field}, got nothing");
        }
    }
    Ok(())
}

fn losses(stage: &mut Stage<'_>) -> Result<()> {
    stage.bench()?.check_report("at the end", |report| {
        same("untracked sockets", &0, &report.untracked.flows)?;
        // Other cases make bytes that go past TCP, and check how many.
        let mut unexpected = report.losses.iter().filter(|(name, _)| *name != "socket_map");
        unexpected.try_for_each(|(name, count)| same(name, &0, count))
    })
}
