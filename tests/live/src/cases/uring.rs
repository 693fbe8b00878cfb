//! io_uring: sends and receives that no system call of that name makes.

use anyhow::{Context, Result, ensure};

use super::Case;
use super::sending::check_open_and_closed;
use crate::net::{End, PAYLOAD, Pair};
use crate::stage::Stage;
use crate::sys::ring::Ring;

pub const CASES: &[Case] = &[Case::exact("io_uring sends and receives", "hooks on system calls", uring)
    .where_possible(uring_is_possible)];

fn uring_is_possible() -> Result<()> {
    Ring::new().map(drop).context("the kernel has no io_uring, or forbids it")
}

fn uring(stage: &mut Stage<'_>) -> Result<()> {
    const ROUNDS: usize = 40;
    const ROUND_BYTES: usize = 1_009;
    let mut ring = Ring::new()?;
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    for _ in 0..ROUNDS {
        pass(&mut ring, initiator, acceptor, ROUND_BYTES)?;
        pass(&mut ring, acceptor, initiator, ROUND_BYTES / 3)?;
    }
    check_open_and_closed(stage, &mut pair)
}

fn pass(ring: &mut Ring, from: &mut End, to: &mut End, count: usize) -> Result<()> {
    let taken = ring.send(from.socket(), &PAYLOAD[..count]).context("io_uring send")?;
    from.sent += taken as u64;
    let mut left = taken;
    while left > 0 {
        let came = ring.receive(to.socket(), &mut vec![0; left]).context("io_uring receive")?;
        ensure!(came > 0, "the stream ended early");
        to.received += came as u64;
        left -= came;
    }
    Ok(())
}
