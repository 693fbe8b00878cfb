//! Names of hosts as this system knows them: by whatever `nsswitch.conf` says.
//!
//! A program that is linked to glibc statically looks into `/etc/hosts` alone: glibc would load the modules of
//! `nsswitch.conf` into it, which were built for another copy of it and may crash there, as those for users did
//! (`flowtop_sys::User`). DNS would need a resolver of flowtop's own.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, ToSocketAddrs as _};

use crate::parse::hosts;

const HAS_MODULES: bool = !cfg!(all(target_env = "gnu", target_feature = "crt-static"));

const FILE: &str = "/etc/hosts";

/// Most of the file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The addresses of a host.
///
/// # Errors
/// What the system's resolver says, or that a static program does not ask it.
pub fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if HAS_MODULES {
        return Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
    }
    in_file(host)
}

/// The same from the file alone.
fn in_file(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = hosts::addresses(&text(), host);
    let not_there = || {
        io::Error::other(
            "it is not in /etc/hosts, and this static build of flowtop asks no DNS; write its address",
        )
    };
    if found.is_empty() { Err(not_there()) } else { Ok(found) }
}

/// The name of an address, if it has one.
pub fn name(address: IpAddr) -> Option<String> {
    if !HAS_MODULES {
        return hosts::name(&text(), address).map(str::to_owned);
    }
    // For an address without a name the system returns the address itself.
    dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err())
}

fn text() -> String {
    let mut bytes = Vec::new();
    let read = File::open(FILE).and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_does_not_have_is_an_error_with_what_to_write() {
        let error = in_file("nowhere.invalid").unwrap_err().to_string();
        assert!(error.ends_with("asks no DNS; write its address"), "{error}");
    }

    #[test]
    fn the_system_knows_the_loopback_address() {
        assert!(addresses("localhost").unwrap().iter().all(IpAddr::is_loopback));
    }
}
