//! The host name that a process sees.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::files;

/// The host name in the UTS namespace of a process, by its folder in `/proc`. A thread of its own goes there, as a thread
/// stays where it has been moved.
pub fn host_name(process: &Path) -> Option<String> {
    let file = files::open(&process.join("ns/uts")).ok()?;
    let inside = || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::HostNameAndNISDomainName)).ok()?;
        Some(own())
    };
    thread::scope(|scope| scope.spawn(inside).join()).ok()?
}

/// The host name that this thread sees.
pub fn own() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
