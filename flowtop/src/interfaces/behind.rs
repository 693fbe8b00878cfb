//! Which network namespace is at the other end of a veth.
//!
//! A namespace has numbers of its own for others (`ip netns list-id`), which a veth names. Which namespace such a number
//! means is told by asking for the number of each that is known: those of processes, and those that `ip netns` has named.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::netlink::Netlink;

/// Where `ip netns` and CNI plugins keep namespaces without a process.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/netns"];

/// Inode numbers of the network namespaces that this namespace has a number for, by that number.
pub fn namespaces(netlink: &mut Netlink) -> HashMap<i32, u32> {
    let mut by_inode = HashMap::new();
    for path in of_processes().chain(named()) {
        let Ok(inode) = fs::metadata(&path).map(|metadata| metadata.ino()) else { continue };
        by_inode.entry(inode).or_insert(path);
    }
    let number = |(inode, path): (u64, PathBuf)| {
        let file = File::open(path).ok()?;
        let number = netlink.number_of_netns(file.as_fd()).ok()??;
        Some((number, u32::try_from(inode).ok()?))
    };
    by_inode.into_iter().filter_map(number).collect()
}

fn of_processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let processes = entries.filter(move |entry| entry.file_name().to_str().is_some_and(is_number));
    processes.map(|entry| entry.path().join("ns/net"))
}

fn named() -> impl Iterator<Item = PathBuf> {
    let entries = NAMED.into_iter().filter_map(|path| fs::read_dir(path).ok()).flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}
