//! Who has which socket open: a walk over all open files by the kernel's iterator, or through `/proc` where there is
//! none; and which sockets are the kernel's own.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use aya::Ebpf;

use super::load::Iterator;
use super::probe::Host;
use super::seed;
use crate::core::ledger::Ledger;
use crate::core::wire::{HOLDER_BYTES, holder};
use crate::owners::descriptors;

/// Shortest time between two walks.
const PAUSE: Duration = Duration::from_secs(5);
/// A walk is not repeated before so many times the time that it took: it may take 0.25 % of one processor.
const PAUSE_FOR_EACH_WALK: u32 = 400;

/// The way to ask, and when to ask again.
pub struct Holders {
    /// Whether the kernel walks over open files.
    walks: bool,
    /// Whether the kernel tells its own sockets.
    tells_kernel: bool,
    next: Instant,
}

impl Holders {
    /// Loads what this kernel takes.
    pub fn load(ebpf: &mut Ebpf, host: &Host) -> Self {
        Self {
            walks: Iterator::HOLDERS.load(ebpf, host).is_ok(),
            tells_kernel: host.kern_sock_mask != 0 && Iterator::KERNEL_SOCKETS.load(ebpf, host).is_ok(),
            next: Instant::now(),
        }
    }

    /// Asks for the flows that nobody is known of, unless that was done a moment ago. What cannot be read leaves them
    /// as they are: they say that nobody is known.
    pub fn find(&mut self, ebpf: &mut Ebpf, ledger: &mut Ledger) {
        if Instant::now() < self.next || !ledger.has_unowned() {
            return;
        }
        let start = Instant::now();
        if self.tells_kernel
            && let Ok(iter) = Iterator::KERNEL_SOCKETS.of(ebpf)
        {
            let mut written = Vec::new();
            let _ = seed::run(iter, &mut written);
            let _ = Into(Vec::new(), ledger).write_all(&written);
        }
        let walked = self.walks
            && Iterator::HOLDERS
                .of(ebpf)
                .is_ok_and(|iter| seed::walk(iter, &mut Into(Vec::new(), ledger)).is_ok());
        if !walked {
            descriptors::find(ledger);
        }
        self.next = start + PAUSE.max(start.elapsed() * PAUSE_FOR_EACH_WALK);
    }
}

/// Takes in what an iterator writes, a holder at a time, and keeps what is not whole yet.
struct Into<'a>(Vec<u8>, &'a mut Ledger);

impl Write for Into<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self(rest, ledger) = self;
        rest.extend_from_slice(bytes);
        let (holders, behind) = rest.as_chunks::<HOLDER_BYTES>();
        for bytes in holders {
            let (key, seen) = holder(bytes);
            ledger.take_holder(&key, seen);
        }
        *rest = behind.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
