//! A pass of the kernel over all sockets that have a state: it brings their entries up to date, whatever hooks are attached.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::Map;

use super::iterator::Iterator;
use super::load::Walks;
use super::plan::Plan;
use super::reason::reason;
use flowtop_common::store;

/// The attached walk.
#[derive(Debug)]
pub struct Sweep {
    link: OwnedFd,
}

impl Sweep {
    /// Attaches the walk.
    ///
    /// # Errors
    /// Why it cannot be had with this plan on this kernel, as half a sentence.
    pub fn new(ebpf: &mut Ebpf, plan: &Plan, walks: &Walks) -> Result<Self, String> {
        if plan.store != store::SOCKET {
            return Err("the state of a socket is not kept in the socket".to_owned());
        }
        walks.loaded(Iterator::SWEEP)?;
        let map = match ebpf.map("SOCKET_STORAGE") {
            Some(Map::SkStorage(data)) => data.fd().as_fd().try_clone_to_owned(),
            _ => return Err("the BPF object has no socket storage".to_owned()),
        };
        let program = Iterator::SWEEP.of(ebpf)?;
        let program = program.fd().map_err(|error| reason(&error))?;
        let link = map.and_then(|map| flowtop_sys::walks_of_map(program.as_fd(), map.as_fd()));
        Ok(Self { link: link.map_err(|error| format!("cannot attach the iterator: {error}"))? })
    }

    /// Brings all entries up to date; returns how long it took.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn pass(&self) -> io::Result<Duration> {
        let start = Instant::now();
        let mut walk = flowtop_sys::walk(self.link.as_fd())?;
        loop {
            // Nothing is written. After a million sockets the kernel wants to be asked again (`MAX_ITER_OBJECTS`).
            match walk.read(&mut [0]) {
                Ok(_) => return Ok(start.elapsed()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
