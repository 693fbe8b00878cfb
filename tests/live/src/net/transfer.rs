//! The plain ways to move bytes from one end to the other.

use std::fs::File;
use std::io::Write;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::net::{RecvFlags, SendFlags};

use super::End;

/// The bytes that are sent; no case looks at the content.
pub static PAYLOAD: [u8; 65_536] = [0x5a; 65_536];

/// Sizes of successive sends: odd, tiny and large ones, so that no boundary is a round number.
const SEND_BYTES: [usize; 6] = [1, 65_521, 7, 1_461, 30_011, 333];

/// Moves `count` bytes by plain sends and reads.
pub fn transfer(from: &mut End, to: &mut End, count: u64) -> Result<()> {
    while_draining(to, count, || {
        let mut left = count;
        for size in SEND_BYTES.into_iter().cycle() {
            if left == 0 {
                break;
            }
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(size);
            left -= from.send(&PAYLOAD[..size], SendFlags::empty()).context("send")? as u64;
        }
        Ok(())
    })
}

/// Runs `work` while another thread receives `count` bytes at `to`.
pub fn while_draining(to: &mut End, count: u64, work: impl FnOnce() -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        let drained = scope.spawn(|| drain(to, count));
        work()?;
        drained.join().map_err(|_| anyhow!("the receiving thread panicked"))?
    })
}

pub fn drain(to: &mut End, count: u64) -> Result<()> {
    let mut buffer = vec![0; 65_536];
    take(to, count, &mut buffer, RecvFlags::empty())
}

/// Moves `count` bytes as fast as the kernel can: by sendfile, and thrown away unread by the receiver.
pub fn pour(from: &mut End, to: &mut End, count: u64) -> Result<()> {
    const FILE_BYTES: usize = 16 << 20;
    let file = File::from(memfd_create("poured", MemfdFlags::CLOEXEC)?);
    for _ in 0..FILE_BYTES / PAYLOAD.len() {
        (&file).write_all(&PAYLOAD)?;
    }
    thread::scope(|scope| {
        let taken = scope.spawn(|| take(to, count, &mut vec![0; 1 << 20], RecvFlags::TRUNC));
        let mut left = count;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(FILE_BYTES);
            let moved = sendfile(from.socket(), &file, Some(&mut 0), size).context("sendfile")? as u64;
            from.sent += moved;
            left -= moved;
        }
        taken.join().map_err(|_| anyhow!("the receiving thread panicked"))?
    })
}

fn take(to: &mut End, count: u64, buffer: &mut [u8], flags: RecvFlags) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let taken = to.receive(&mut buffer[..size], flags).context("receive")? as u64;
        ensure!(taken > 0, "the stream ended {left} bytes early");
        left -= taken;
    }
    Ok(())
}
