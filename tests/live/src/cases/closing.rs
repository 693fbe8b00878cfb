//! The ways to end a connection.

use anyhow::{Result, ensure};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, Shutdown};

use super::Case;
use crate::net::{Pair, transfer, wait_for};
use crate::stage::Stage;

pub const HALF_CLOSE: &str = "a half-closed connection that goes on the other way";

pub const CASES: &[Case] = &[
    Case::exact(HALF_CLOSE, "the FIN taken for a byte, on either side", half_close),
    Case::exact(
        "the acceptor closes first",
        "the FIN taken for a byte where the roles are turned",
        acceptor_first,
    ),
    Case::exact("SO_LINGER 0", "counters that tcp_disconnect has zeroed", linger_zero),
    Case::exact("a close with 8,000 bytes unread", "bytes that arrived taken for bytes read", unread),
    Case::exact("a read after the peer's reset", "a flow frozen at its CLOSE event", read_after_reset),
    Case::exact("a connection that ends without a byte", "the SYN or FIN taken for a byte", no_bytes),
];

fn half_close(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    transfer(initiator, acceptor, 7_001)?;
    net::shutdown(initiator.socket(), Shutdown::Write)?;
    acceptor.receive_end()?;
    stage.bench()?.check("after the FIN", &[pair.outcome()?])?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    transfer(acceptor, initiator, 300_007)?;
    stage.bench()?.check("after the answer", &[pair.outcome()?])?;
    pair.acceptor.close();
    pair.initiator.receive_end()?;
    pair.initiator.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}

fn acceptor_first(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(4_001)?;
    pair.acceptor.close();
    pair.initiator.receive_end()?;
    stage.bench()?.check("after the acceptor's close", &[pair.outcome()?])?;
    pair.initiator.close();
    stage.bench()?.check("after both", &[pair.outcome()?])
}

fn linger_zero(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(7_003)?;
    pair.initiator.close_with_reset()?;
    stage.bench()?.check("after the reset", &[pair.outcome()?])?;
    pair.acceptor.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}

fn unread(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.initiator.send_small(20_000)?;
    pair.acceptor.receive_exactly(12_000)?;
    pair.acceptor.unread = 8_000;
    stage.bench()?.check("while open", &[pair.outcome()?])?;
    pair.acceptor.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])?;
    pair.initiator.close();
    stage.bench()?.check("after both", &[pair.outcome()?])
}

fn read_after_reset(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.initiator.send_small(9_001)?;
    pair.initiator.close_with_reset()?;
    wait_for_reset(&pair)?;
    pair.acceptor.unread = 9_001;
    stage.bench()?.check("before the read", &[pair.outcome()?])?;
    pair.acceptor.receive_exactly(9_001)?;
    pair.acceptor.unread = 0;
    let end = pair.acceptor.receive(&mut [0; 1], RecvFlags::empty());
    ensure!(end == Err(Errno::CONNRESET), "the workload is wrong: expected a reset, got {end:?}");
    stage.bench()?.check("after the read", &[pair.outcome()?])?;
    pair.acceptor.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}

pub(super) fn wait_for_reset(pair: &Pair) -> Result<()> {
    // An error is always watched for.
    ensure!(
        wait_for(pair.acceptor.socket(), PollFlags::empty())?,
        "the workload is wrong: the reset did not arrive"
    );
    Ok(())
}

fn no_bytes(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    stage.bench()?.check("while open", &[pair.outcome()?])?;
    pair.initiator.close();
    pair.acceptor.receive_end()?;
    pair.acceptor.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}
