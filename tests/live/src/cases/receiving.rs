//! The ways to receive.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::event::PollFlags;
use rustix::io::ioctl_fionread;
use rustix::net::{RecvFlags, SendFlags, sockopt};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

use super::Case;
use super::sending::check_open_and_closed;
use crate::net::{PAYLOAD, Pair, pour, wait_for};
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("ten looks with MSG_PEEK and one read", "a look counted as a read", peek),
    Case::exact(
        "MSG_WAITALL over twenty arrivals",
        "the running total of tcp_cleanup_rbuf added up",
        wait_for_all,
    ),
    Case::exact("bytes thrown away with MSG_TRUNC", "bytes taken without being copied", truncate),
    Case::exact("splice from a socket to a pipe", "receives without a receive call", splice_in),
    Case::exact("a non-blocking reader that finds nothing", "empty reads counted", poll_in_vain),
    Case::exact("an urgent byte out of band", "sequence space taken for data, or the reverse", urgent),
    Case::exact(
        "an urgent byte with SO_OOBINLINE",
        "the same, where the byte is ordinary data",
        urgent_inline,
    ),
    Case::exact(
        "an urgent byte that nobody takes",
        "nothing: it documents that the byte counts as received once reading has passed its place",
        urgent_skipped,
    ),
];

fn peek(stage: &mut Stage<'_>) -> Result<()> {
    const BYTES: usize = 5_003;
    let mut pair = Pair::connect()?;
    pair.initiator.send_small(BYTES)?;
    let mut buffer = vec![0; BYTES];
    for _ in 0..10 {
        pair.acceptor.peek(&mut buffer).context("peek")?;
    }
    pair.acceptor.unread = BYTES as u64;
    stage.bench()?.check("before the read", &[pair.outcome()?])?;
    pair.acceptor.receive_exactly(BYTES as u64)?;
    pair.acceptor.unread = 0;
    check_open_and_closed(stage, &mut pair)
}

fn wait_for_all(stage: &mut Stage<'_>) -> Result<()> {
    const SENDS: usize = 20;
    const SEND_BYTES: usize = 1_000;
    let mut pair = Pair::connect()?;
    sockopt::set_tcp_nodelay(pair.initiator.socket(), true)?;
    // The sender sees through a second descriptor when the receiver has taken everything so far.
    let queue = rustix::io::fcntl_dupfd_cloexec(pair.acceptor.socket(), 0)?;
    let mut buffer = vec![0; SENDS * SEND_BYTES];
    let Pair { initiator, acceptor, .. } = &mut pair;
    thread::scope(|scope| -> Result<()> {
        let reader = scope.spawn(|| acceptor.receive(&mut buffer, RecvFlags::WAITALL));
        for _ in 0..SENDS {
            initiator.send_small(SEND_BYTES)?;
            while ioctl_fionread(&queue)? > 0 && !reader.is_finished() {
                thread::yield_now();
            }
        }
        let taken = reader.join().map_err(|_| anyhow!("the reader panicked"))??;
        ensure!(taken == SENDS * SEND_BYTES, "the workload is wrong: MSG_WAITALL returned {taken}");
        Ok(())
    })?;
    drop(queue);
    check_open_and_closed(stage, &mut pair)
}

fn truncate(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    pour(initiator, acceptor, 300_007)?;
    pour(acceptor, initiator, 200_003)?;
    check_open_and_closed(stage, &mut pair)
}

fn splice_in(stage: &mut Stage<'_>) -> Result<()> {
    const BYTES: usize = 200_001;
    let mut pair = Pair::connect()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    thread::scope(|scope| -> Result<()> {
        let sender = scope.spawn(|| -> Result<()> {
            for chunk in vec![0x5a; BYTES].chunks(10_007) {
                initiator.send(chunk, SendFlags::empty()).context("send")?;
            }
            Ok(())
        });
        let mut left = BYTES;
        while left > 0 {
            let size = left.min(30_011);
            let moved = splice(acceptor.socket(), None, &writer, None, size, SpliceFlags::empty())?;
            ensure!(moved > 0, "the stream ended {left} bytes early");
            acceptor.received += moved as u64;
            left -= moved;
            empty_pipe(&reader, moved)?;
        }
        sender.join().map_err(|_| anyhow!("the sender panicked"))?
    })?;
    check_open_and_closed(stage, &mut pair)
}

fn empty_pipe(reader: impl std::os::fd::AsFd, bytes: usize) -> Result<()> {
    let mut buffer = vec![0; bytes];
    let mut left = bytes;
    while left > 0 {
        left -= rustix::io::read(&reader, &mut buffer[..left])?;
    }
    Ok(())
}

fn poll_in_vain(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    for round in 0..50 {
        let empty = pair.acceptor.receive(&mut [0; 100], RecvFlags::DONTWAIT);
        ensure!(empty.is_err(), "the workload is wrong: {empty:?} bytes before any was sent");
        pair.initiator.send_small(100 + round)?;
        pair.acceptor.receive_exactly(100 + round as u64)?;
    }
    check_open_and_closed(stage, &mut pair)
}

/// Sends data, an urgent byte and data again, and reads up to the place of the urgent byte.
fn send_urgent(pair: &mut Pair) -> Result<()> {
    pair.initiator.send_small(101)?;
    let taken = pair.initiator.send(&PAYLOAD[..1], SendFlags::OOB).context("MSG_OOB")?;
    ensure!(taken == 1, "the urgent byte was not taken");
    pair.initiator.send_small(203)?;
    pair.acceptor.receive_exactly(101)
}

fn wait_for_urgent(pair: &Pair) -> Result<()> {
    ensure!(
        wait_for(pair.acceptor.socket(), PollFlags::PRI)?,
        "the workload is wrong: the urgent byte did not arrive"
    );
    Ok(())
}

fn urgent(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    send_urgent(&mut pair)?;
    wait_for_urgent(&pair)?;
    pair.acceptor.receive(&mut [0; 1], RecvFlags::OOB).context("take the urgent byte")?;
    pair.acceptor.receive_exactly(203)?;
    check_open_and_closed(stage, &mut pair)
}

fn urgent_inline(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    sockopt::set_socket_oobinline(pair.acceptor.socket(), true)?;
    send_urgent(&mut pair)?;
    pair.acceptor.receive_exactly(1 + 203)?;
    check_open_and_closed(stage, &mut pair)
}

fn urgent_skipped(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    send_urgent(&mut pair)?;
    pair.acceptor.receive_exactly(203)?;
    // The application never saw it, but its place in the stream has been consumed.
    pair.acceptor.received += 1;
    check_open_and_closed(stage, &mut pair)
}
