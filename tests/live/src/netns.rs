//! Network namespaces. A socket stays in the namespace it was made in, whichever thread uses it later.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::sys;

/// The inode number by which flowtop names the namespace of the calling thread.
pub fn inode() -> Result<u32> {
    let path = "/proc/thread-self/ns/net";
    let inode = fs::metadata(path).with_context(|| format!("cannot stat {path}"))?.ino();
    u32::try_from(inode).context("inode number of the network namespace")
}

/// Runs `work` on a thread in a fresh namespace with loopback up. The namespace lives as long as a socket made in it.
pub fn in_new<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let inside = || {
        sys::enter_new_network_namespace().context("cannot make a network namespace; run as root")?;
        sys::loopback_up().context("cannot bring loopback up")?;
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join())
        .map_err(|_| anyhow!("the namespace's thread panicked"))?
}
