//! Network namespaces. A socket stays in the namespace it was made in, whichever thread uses it later.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sys::{self, Idlers};

/// Where the namespace of the calling thread is.
const OWN: &str = "/proc/thread-self/ns/net";

/// The inode number by which flowtop names the namespace of the calling thread.
pub fn inode() -> Result<u32> {
    let inode = fs::metadata(OWN).with_context(|| format!("cannot stat {OWN}"))?.ino();
    u32::try_from(inode).context("inode number of the network namespace")
}

/// Runs `work` on a thread in a fresh namespace with loopback up. The namespace lives as long as a socket made in it.
pub fn in_new<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let inside = || {
        enter_new()?;
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join())
        .map_err(|_| anyhow!("the namespace's thread panicked"))?
}

/// Runs `work` in each of so many fresh namespaces with loopback up, then `judge` on the calling thread with what it gave.
/// Until that is done a process lives in each of the namespaces.
pub fn in_inhabited<T: Send, R>(
    count: u32,
    work: fn() -> Result<T>,
    judge: impl FnOnce(Vec<T>) -> Result<R>,
) -> Result<R> {
    thread::scope(|scope| {
        let (made, results) = channel();
        let (judging, judged) = channel::<()>();
        scope.spawn(move || {
            // The processes end with the thread that has started them.
            let mut idlers = Vec::new();
            if made
                .send(inhabit(count, &mut idlers).and_then(|namespaces| in_each(&namespaces, work)))
                .is_ok()
            {
                judged.recv().ok();
            }
        });
        let judgement = results.recv().context("the namespaces' thread panicked")?.and_then(judge);
        drop(judging);
        judgement
    })
}

/// So many fresh namespaces, with a process in each.
fn inhabit(count: u32, idlers: &mut Vec<Idlers>) -> Result<Vec<File>> {
    let new = |_| {
        enter_new()?;
        idlers.push(Idlers::start(1).context("cannot start a process in a network namespace")?);
        File::open(OWN).with_context(|| format!("cannot open {OWN}"))
    };
    (0..count).map(new).collect()
}

/// A process has the files that were open when it was started: sockets are made when all of them are there.
fn in_each<T>(namespaces: &[File], work: fn() -> Result<T>) -> Result<Vec<T>> {
    let inside = |namespace: &File| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    };
    namespaces.iter().map(inside).collect()
}

fn enter_new() -> Result<()> {
    sys::enter_new_network_namespace().context("cannot make a network namespace; run as root")?;
    sys::loopback_up().context("cannot bring loopback up")
}
