//! Socket maps: sockets whose bytes a BPF program moves. What goes past TCP is in no row, so it has to be a loss.

use std::fs;

use anyhow::{Context, Result};
use rustix::net::SendFlags;

use super::Case;
use crate::net::{End, Pair, drain};
use crate::stage::Stage;
use crate::sys::socket_map::SocketMap;

pub const CASES: &[Case] = &[
    Case::exact("bytes that a socket map carries past TCP", "bytes that nothing tells of", past_tcp)
        .where_possible(is_possible),
    Case::exact("sockets that leave a socket map", "TCP's own bytes taken for others", left)
        .where_possible(is_possible),
];

fn is_possible() -> Result<()> {
    let pair = Pair::connect()?;
    redirect(&pair.initiator, &pair.acceptor).map(drop)
}

fn redirect(from: &End, to: &End) -> Result<SocketMap> {
    SocketMap::redirecting(from.socket(), to.socket()).context("no socket map here")
}

/// Sends and takes `count` times 1,000 bytes.
fn carry(from: &mut End, to: &mut End, count: u64) -> Result<()> {
    for _ in 0..count {
        from.send(&[b'x'; 1_000], SendFlags::empty())?;
        drain(to, 1_000)?;
    }
    Ok(())
}

/// The bytes of this kind of loss until now. Others may use socket maps, but not at the same moment.
fn lost(stage: &mut Stage<'_>) -> Result<Option<u64>> {
    let mut bytes = None;
    stage.bench()?.check_report("losses", |report| {
        report.losses.get("socket_map").map(drop).ok_or("expected the kind socket_map".to_owned())
    })?;
    if let Some(line) = stage.bench()?.report_line()? {
        bytes = crate::report::parse(&line)?.losses.get("socket_map").copied();
    }
    Ok(bytes)
}

fn expect_lost(stage: &mut Stage<'_>, before: Option<u64>, bytes: u64) -> Result<()> {
    let seen = if sees_calls(stage)? { bytes } else { 0 };
    let expected = before.map(|before| before + seen);
    stage.bench()?.check_report("after the sends", |report| {
        let got = report.losses.get("socket_map").copied();
        if got == expected { Ok(()) } else { Err(format!("expected {expected:?} bytes lost, got {got:?}")) }
    })
}

/// Whether the plan has a hook on send calls. Of tracepoints only one does, from Linux 6.3 on.
fn sees_calls(stage: &Stage<'_>) -> Result<bool> {
    const TYPE: &[u8] = b"btf_trace_sock_send_length\0";
    let types = fs::read("/sys/kernel/btf/vmlinux").context("cannot read the types of the kernel")?;
    Ok(stage.setting.plan != "tracepoint" || types.windows(TYPE.len()).any(|window| window == TYPE))
}

/// Whether the plan says which socket it was. Others count the bytes alone.
fn names_sockets(stage: &Stage<'_>) -> Result<bool> {
    Ok(stage.setting.plan == "tracepoint" && sees_calls(stage)?)
}

fn own_name() -> Result<String> {
    Ok(fs::read_to_string("/proc/self/comm")?.trim_end().to_owned())
}

fn past_tcp(stage: &mut Stage<'_>) -> Result<()> {
    let before = lost(stage)?;
    let (mut one, mut other) = (Pair::connect()?, Pair::connect()?);
    let map = redirect(&one.initiator, &other.acceptor)?;
    carry(&mut one.initiator, &mut other.acceptor, 1_050)?;
    expect_lost(stage, before, 1_050_000)?;
    if names_sockets(stage)? {
        let [from, to] = [one.initiator.local, one.acceptor.local];
        let (name, pid) = (own_name()?, std::process::id());
        stage
            .bench()?
            .hear(&format!("a socket map carries bytes of {from} to {to}, {name} ({pid}) past TCP"))?;
    }
    drop(map);
    one.close();
    other.close();
    expect_lost(stage, before, 1_050_000)
}

fn left(stage: &mut Stage<'_>) -> Result<()> {
    let before = lost(stage)?;
    let (mut one, mut other) = (Pair::connect()?, Pair::connect()?);
    let map = redirect(&one.initiator, &other.acceptor)?;
    carry(&mut one.initiator, &mut other.acceptor, 3)?;
    map.release()?;
    // Bytes that went past TCP are in no row.
    (one.initiator.sent, other.acceptor.received) = (0, 0);
    one.exchange(50_021)?;
    stage.bench()?.check("behind the map", &[one.outcome()?])?;
    one.close();
    other.close();
    stage.bench()?.check("after the close", &[one.outcome()?])?;
    expect_lost(stage, before, 3_000)
}
