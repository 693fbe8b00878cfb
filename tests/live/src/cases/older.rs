//! Connections that are older than flowtop: neither their history nor their first event counts.

use anyhow::{Context, Result};

use super::Case;
use crate::net::{End, LOOPBACK, Listener, Pair, pour};
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
];

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
