//! The ways to send.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

use super::Case;
use crate::compare::Connection;
use crate::net::{End, LOOPBACK, Listener, PAYLOAD, Pair, while_draining};
use crate::stage::Stage;
use crate::sys;

pub const PLAIN: &str = "a million odd bytes each way";
pub const SENDFILE: &str = "sendfile from a file to a socket";

pub const CASES: &[Case] = &[
    Case::exact(PLAIN, "any fault at all", plain),
    Case::exact(
        "a storm of sends that end in EAGAIN",
        "the size asked for taken for the size accepted",
        eagain_storm,
    ),
    Case::exact(SENDFILE, "sendpage and MSG_SPLICE_PAGES, which no sendmsg hook sees", send_file),
    Case::exact("splice from a pipe to a socket", "sends without a send call", splice_out),
    Case::exact("MSG_ZEROCOPY and its notifications", "pinned pages; notifications taken for data", zerocopy)
        .where_possible(zerocopy_is_possible),
    Case::exact("two threads that write to one socket", "lost updates", two_writers),
    Case::exact(
        "a shutdown beside another thread's sends",
        "our FIN taken for a byte: write_seq moves past it while the socket is not locked",
        shutdown_beside_sends,
    ),
    Case::exact("a send that is refused after shutdown", "a failed send counted", refused),
];

fn plain(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(1_000_003)?;
    check_open_and_closed(stage, &mut pair)
}

/// The check that most cases end with: once open, once closed.
pub(super) fn check_open_and_closed(stage: &mut Stage<'_>, pair: &mut Pair) -> Result<()> {
    stage.bench()?.check("while open", &[pair.outcome()?])?;
    pair.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}

fn eagain_storm(stage: &mut Stage<'_>) -> Result<()> {
    const ROUNDS: usize = 50;
    let large = vec![0x5a; 1 << 20];
    let mut pair = Pair::connect()?;
    let mut refusals = 0;
    for _ in 0..ROUNDS {
        // The first sends of a round are taken in part, the last ones not at all.
        for _ in 0..4 {
            match pair.initiator.send(&large, SendFlags::DONTWAIT) {
                Ok(_) => {}
                Err(Errno::AGAIN) => refusals += 1,
                Err(error) => return Err(error).context("send"),
            }
        }
        let queued = pair.initiator.sent - pair.acceptor.received;
        pair.acceptor.receive_exactly(queued.min(70_001))?;
    }
    ensure!(refusals > 0, "the workload is wrong: no send was refused");
    let queued = pair.initiator.sent - pair.acceptor.received;
    pair.acceptor.receive_exactly(queued)?;
    check_open_and_closed(stage, &mut pair)
}

fn file_of(bytes: usize) -> Result<File> {
    let mut file = File::from(memfd_create("payload", MemfdFlags::CLOEXEC)?);
    for chunk in vec![0x5a; bytes].chunks(PAYLOAD.len()) {
        file.write_all(chunk)?;
    }
    Ok(file)
}

fn send_file(stage: &mut Stage<'_>) -> Result<()> {
    const BYTES: usize = 400_001;
    let file = file_of(BYTES)?;
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    while_draining(acceptor, BYTES as u64, || {
        let mut offset = 0;
        while offset < BYTES as u64 {
            let left = BYTES - usize::try_from(offset)?;
            initiator.sent += sendfile(initiator.socket(), &file, Some(&mut offset), left)? as u64;
        }
        Ok(())
    })?;
    check_open_and_closed(stage, &mut pair)
}

fn splice_out(stage: &mut Stage<'_>) -> Result<()> {
    const ROUNDS: u64 = 20;
    const ROUND_BYTES: usize = 10_007;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    while_draining(acceptor, ROUNDS * ROUND_BYTES as u64, || {
        for _ in 0..ROUNDS {
            let mut left = rustix::io::write(&writer, &PAYLOAD[..ROUND_BYTES])?;
            ensure!(left == ROUND_BYTES, "the pipe is too small");
            while left > 0 {
                let moved = splice(&reader, None, initiator.socket(), None, left, SpliceFlags::empty())?;
                initiator.sent += moved as u64;
                left -= moved;
            }
        }
        Ok(())
    })?;
    check_open_and_closed(stage, &mut pair)
}

fn zerocopy_is_possible() -> Result<()> {
    let pair = Pair::connect()?;
    sys::set_number(pair.initiator.socket(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)
        .context("the kernel has no SO_ZEROCOPY")
}

fn zerocopy(stage: &mut Stage<'_>) -> Result<()> {
    const SENDS: u64 = 5;
    const SEND_BYTES: u64 = 60_001;
    let flags = SendFlags::from_bits_retain(libc::MSG_ZEROCOPY.cast_unsigned());
    let mut pair = Pair::connect()?;
    sys::set_number(pair.initiator.socket(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    while_draining(acceptor, SENDS * SEND_BYTES, || {
        for _ in 0..SENDS {
            let mut left = usize::try_from(SEND_BYTES)?;
            while left > 0 {
                left -= initiator.send(&PAYLOAD[..left], flags).context("MSG_ZEROCOPY")?;
            }
        }
        Ok(())
    })?;
    let notifications = take_notifications(&pair.initiator)?;
    ensure!(
        notifications > 0,
        "the workload is wrong: no notification came, so nothing was sent from pinned pages"
    );
    check_open_and_closed(stage, &mut pair)
}

/// Empties the error queue. What it holds is about sent bytes; none of it is received data.
fn take_notifications(end: &End) -> Result<u32> {
    let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
    let mut notifications = 0;
    loop {
        match net::recv(end.socket(), &mut [0; 64], flags) {
            Ok(_) => notifications += 1,
            Err(Errno::AGAIN) => return Ok(notifications),
            Err(error) => bail!("error queue: {error}"),
        }
    }
}

fn two_writers(stage: &mut Stage<'_>) -> Result<()> {
    const SENDS: u64 = 400;
    const SEND_BYTES: usize = 777;
    let mut pair = Pair::connect()?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    let socket = initiator.socket();
    let write = || -> Result<u64> {
        let mut taken = 0;
        for _ in 0..SENDS {
            taken += net::send(socket, &PAYLOAD[..SEND_BYTES], SendFlags::NOSIGNAL)? as u64;
        }
        Ok(taken)
    };
    let mut sent = 0;
    while_draining(acceptor, 2 * SENDS * SEND_BYTES as u64, || {
        thread::scope(|scope| {
            let writers = [scope.spawn(write), scope.spawn(write)];
            for writer in writers {
                sent += writer.join().map_err(|_| anyhow!("a writer panicked"))??;
            }
            Ok(())
        })
    })?;
    initiator.sent += sent;
    check_open_and_closed(stage, &mut pair)
}

fn refused(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(2_003)?;
    net::shutdown(pair.initiator.socket(), net::Shutdown::Write)?;
    for _ in 0..20 {
        let refusal = pair.initiator.send(&PAYLOAD[..5_000], SendFlags::empty());
        ensure!(refusal == Err(Errno::PIPE), "the workload is wrong: expected EPIPE, got {refusal:?}");
    }
    check_open_and_closed(stage, &mut pair)
}

fn shutdown_beside_sends(stage: &mut Stage<'_>) -> Result<()> {
    /// Few enough for a report to come within the 40 s that a closed connection keeps its row, on the slowest machine.
    const AT_ONCE: usize = 30;
    const TURNS: usize = 10;
    let bench = stage.bench()?;
    for _ in 0..TURNS {
        // Another port each, so that no connection has the ends of one that was looked at before.
        let listener = Listener::bind(LOOPBACK)?;
        let connections = (0..AT_ONCE).map(|_| cut_short(&listener)).collect::<Result<Vec<_>>>()?;
        bench.check("after the close", &connections)?;
    }
    Ok(())
}

/// A connection whose initiator shuts down while a thread of its own is sending.
fn cut_short(listener: &Listener) -> Result<Connection> {
    const SEND_BYTES: usize = 7;
    const FIRST_BYTES: u64 = 500;
    let mut pair = Pair::over(listener, None)?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    let (socket, taken) = (initiator.socket(), AtomicU64::new(0));
    let write = || loop {
        match net::send(socket, &PAYLOAD[..SEND_BYTES], SendFlags::NOSIGNAL) {
            Ok(bytes) => taken.fetch_add(bytes as u64, Ordering::SeqCst),
            Err(Errno::PIPE) => return Ok(()),
            Err(error) => return Err(error),
        };
    };
    thread::scope(|scope| {
        let writer = scope.spawn(write);
        while taken.load(Ordering::SeqCst) < FIRST_BYTES && !writer.is_finished() {
            thread::yield_now();
        }
        net::shutdown(socket, net::Shutdown::Write)?;
        writer.join().map_err(|_| anyhow!("the writer panicked"))?.context("send")
    })?;
    initiator.sent += taken.into_inner();
    acceptor.receive_exactly(initiator.sent)?;
    pair.close();
    pair.outcome()
}
