//! Connections that are older than flowtop: neither their history nor their first event counts.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result};

use super::Case;
use crate::compare::Connection;
use crate::net::{End, LOOPBACK, Listener, Pair, pour};
use crate::netns;
use crate::report::Report;
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("a connection with gigabytes of history", "history counted, or 32-bit totals", history),
    Case::exact("bytes queued before the start and read after it", "the start taken for the read", queued),
    Case::exact("an idle connection from before the start", "history counted at the close", idle),
    Case::exact("a half-closed connection from before the start", "the FIN taken for a byte", half_closed),
    Case::exact(
        "a connection from before the start that is accepted after it",
        "sockets that no process has opened yet",
        not_accepted,
    ),
    Case::exact(
        "an older connection to the larger port",
        "the end with the larger port taken for the one that connected",
        larger_port,
    ),
    Case::exact(
        "older connections in more network namespaces than files may be open",
        "a file kept open for each namespace",
        many_namespaces,
    )
    .where_possible(many_namespaces_are_possible),
];

/// How many namespaces there are, and how many files flowtop may have open. Its own are some 40: with a file for each of
/// the namespaces they would be more than it may have.
const NAMESPACES: u32 = 160;

fn history(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    pour(initiator, acceptor, stage.setting.history_bytes)?;
    pour(acceptor, initiator, 1_000_003)?;
    pair.starts_here();
    let mut bench = stage.start(&[])?;
    bench.check("at the start", &[pair.outcome()?])?;
    pair.exchange(50_021)?;
    bench.check("while open", &[pair.outcome()?])?;
    pair.close();
    bench.check("after the close", &[pair.outcome()?])?;
    bench.quit()
}

fn queued(stage: &mut Stage<'_>) -> Result<()> {
    const BYTES: u64 = 3_001;
    let mut pair = Pair::connect()?;
    pair.exchange(20_011)?;
    pair.initiator.send_small(usize::try_from(BYTES)?)?;
    pair.starts_here();
    let mut bench = stage.start(&[])?;
    pair.acceptor.receive_exactly(BYTES)?;
    bench.check("after the read", &[pair.outcome()?])?;
    pair.exchange(1_013)?;
    pair.close();
    bench.check("after the close", &[pair.outcome()?])?;
    bench.quit()
}

fn idle(stage: &mut Stage<'_>) -> Result<()> {
    let mut pairs = [Pair::connect()?, Pair::connect()?];
    for pair in &mut pairs {
        pair.exchange(5_003)?;
        pair.starts_here();
    }
    let mut bench = stage.start(&[])?;
    pairs[0].close();
    pairs[1].initiator.close_with_reset()?;
    pairs[1].acceptor.close();
    bench.check("after the close", &[pairs[0].outcome()?, pairs[1].outcome()?])?;
    bench.quit()
}

fn half_closed(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(5_003)?;
    rustix::net::shutdown(pair.initiator.socket(), rustix::net::Shutdown::Write)?;
    pair.acceptor.receive_end()?;
    pair.starts_here();
    let mut bench = stage.start(&[])?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    crate::net::transfer(acceptor, initiator, 4_007)?;
    bench.check("while half open", &[pair.outcome()?])?;
    pair.close();
    bench.check("after the close", &[pair.outcome()?])?;
    bench.quit()
}

fn not_accepted(stage: &mut Stage<'_>) -> Result<()> {
    const BYTES: u64 = 5_009;
    let listener = Listener::bind(LOOPBACK)?;
    let mut initiator = End::dial(listener.address, None)?;
    initiator.send_small(usize::try_from(BYTES)?)?;
    let mut bench = stage.start(&[])?;
    let mut pair = Pair::of(initiator, listener.accept().context("accept after the start")?)?;
    // The initiator's bytes are history; the acceptor has taken none of them yet.
    pair.starts_here();
    pair.acceptor.receive_exactly(BYTES)?;
    bench.check("after the first read", &[pair.outcome()?])?;
    pair.exchange(7_013)?;
    bench.check("while open", &[pair.outcome()?])?;
    pair.close();
    bench.check("after the close", &[pair.outcome()?])?;
    bench.quit()
}

/// Of a server whose port is above that of its client. One connection outlives the listener.
fn larger_port(stage: &mut Stage<'_>) -> Result<()> {
    let at = |port| SocketAddr::new(LOOPBACK, port);
    let listen = || first_free(61_000..62_000, |port| Listener::bind_with(at(port), None));
    let dial = |listener: &Listener| first_free(20_000..21_000, |port| Pair::over(listener, Some(at(port))));
    let (gone, listener) = (listen()?, listen()?);
    let mut pairs = [dial(&gone)?, dial(&listener)?];
    drop(gone);
    // Neither has sent a byte in the first, and both have in the second.
    pairs[1].ask(307, 401)?;
    pairs.iter_mut().for_each(Pair::starts_here);
    let mut bench = stage.start(&[])?;
    for pair in &mut pairs {
        pair.ask(1_013, 20_011)?;
    }
    bench.check("while open", &outcomes(&pairs)?)?;
    pairs.iter_mut().for_each(Pair::close);
    bench.check("after the close", &outcomes(&pairs)?)?;
    bench.quit()
}

pub(super) fn first_free<T>(mut ports: Range<u16>, bind: impl Fn(u16) -> Result<T>) -> Result<T> {
    ports.find_map(|port| bind(port).ok()).context("no port of the range is free")
}

fn many_namespaces_are_possible() -> Result<()> {
    netns::in_new(|| Ok(()))
}

fn many_namespaces(stage: &mut Stage<'_>) -> Result<()> {
    let old = || {
        let mut pair = Pair::connect()?;
        pair.ask(307, 401)?;
        pair.starts_here();
        Ok(pair)
    };
    netns::in_inhabited(NAMESPACES, old, |mut pairs| {
        let mut bench = stage.start_with_files(NAMESPACES.into())?;
        bench.check_report("at the start", is_nothing_unseeded)?;
        pairs.iter_mut().try_for_each(|pair| pair.ask(1_013, 2_027))?;
        bench.check("while open", &outcomes(&pairs)?)?;
        pairs.iter_mut().for_each(Pair::close);
        bench.check("after the close", &outcomes(&pairs)?)?;
        bench.check_report("after the close", is_nothing_unseeded)?;
        bench.quit()
    })
}

fn outcomes(pairs: &[Pair]) -> Result<Vec<Connection>> {
    pairs.iter().map(Pair::outcome).collect()
}

/// No socket was met that flowtop had not known from the start.
fn is_nothing_unseeded(report: &Report) -> Result<(), String> {
    match report.losses.get("unseeded") {
        Some(0) => Ok(()),
        count => Err(format!("expected no socket to be unseeded, got {count:?}")),
    }
}
