//! Resolves host and service names in a filter, once, before counting starts.

use flowtop_attribution::parse::process::user_name;
use flowtop_attribution::system_names;
use flowtop_core::filter::{Names, Unresolved};
use flowtop_core::names::port_of;
use std::{fs, net::IpAddr, os::linux::fs::MetadataExt as _, path::Path};

/// The resolver and the services database of this host.
pub struct HostNames {
    services: String,
    passwd: String,
}

impl HostNames {
    /// Reads the databases of services and users. If one is missing, nothing in it has a name.
    #[must_use]
    pub fn read() -> Self {
        Self::of_host(Path::new("/"))
    }

    /// The same with the users of the host whose file system is at `root`.
    #[must_use]
    pub fn of_host(root: &Path) -> Self {
        let text = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Self { services: text(Path::new("/etc/services")), passwd: text(&root.join("etc/passwd")) }
    }
}

impl Names for HostNames {
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let mut addresses = system_names::addresses(host).map_err(|error| Unresolved(error.to_string()))?;
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn service(&self, name: &str) -> Option<u16> {
        port_of(&self.services, name)
    }

    fn user(&self, number: u32) -> Option<String> {
        user_name(&self.passwd, number).map(str::to_owned)
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
