//! Resolves host and service names in a filter, once, before counting starts.

use flowtop_core::filter::Names;
use flowtop_core::names::port_of;
use std::{
    fs,
    net::{IpAddr, ToSocketAddrs as _},
    os::linux::fs::MetadataExt as _,
};

/// The resolver and the services database of this host.
pub struct HostNames {
    services: String,
}

impl HostNames {
    /// Reads the services database. If it is missing, no service has a name.
    #[must_use]
    pub fn read() -> Self {
        let bytes = fs::read("/etc/services").unwrap_or_default();
        Self { services: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

impl Names for HostNames {
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let found = (host, 0).to_socket_addrs().map_err(|error| error.to_string())?;
        let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn service(&self, name: &str) -> Option<u16> {
        port_of(&self.services, name)
    }

    fn own_netns(&self) -> u32 {
        own_netns()
    }
}

/// Inode number of flowtop's network namespace.
pub fn own_netns() -> u32 {
    let inode = fs::metadata("/proc/self/ns/net").map_or(0, |metadata| metadata.st_ino());
    u32::try_from(inode).unwrap_or_default()
}
