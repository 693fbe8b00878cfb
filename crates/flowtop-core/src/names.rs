//! Names of hosts and services.
//!
//! Not in here: resolving a name (`flowtop_attribution::resolver`).

use alloc::string::String;
use core::net::IpAddr;
use hashbrown::HashMap;

use super::sanitize::printable;

#[cfg(test)]
mod tests;

/// Names for what a report shows. Must answer at once; without a name the number is shown.
pub trait Names {
    fn host(&self, address: IpAddr) -> Option<String>;
    /// The name of the TCP service on a port.
    fn service(&self, port: u16) -> Option<&str>;
}

/// Knows no names (`-n`).
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

impl Names for NoNames {
    fn host(&self, _: IpAddr) -> Option<String> {
        None
    }

    fn service(&self, _: u16) -> Option<&str> {
        None
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(HashMap<u16, String>);

impl Services {
    /// Reads the text of `/etc/services`; the first name of a port holds, and lines that say something else are
    /// passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut services = HashMap::new();
        for (port, name) in text.lines().filter_map(service) {
            services.entry(port).or_insert_with(|| printable(name));
        }
        Self(services)
    }

    /// The name of the service on a port.
    #[must_use]
    pub fn get(&self, port: u16) -> Option<&str> {
        self.0.get(&port).map(String::as_str)
    }
}

/// The TCP port of a service, by its name or an alias, in the text of `/etc/services`.
#[must_use]
pub fn port_of(text: &str, name: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let (port, first) = service(line)?;
        let mut aliases = line.split('#').next()?.split_whitespace().skip(2);
        (first == name || aliases.any(|alias| alias == name)).then_some(port)
    })
}

/// `name port/tcp alias… # comment`
fn service(line: &str) -> Option<(u16, &str)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let (name, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
    Some((port.parse().ok()?, name))
}

/// Whether a host's name may be asked for: a link-local or site-local address has none elsewhere.
#[must_use]
pub fn is_resolvable(address: IpAddr) -> bool {
    let is_site_local = |segment: u16| segment & 0xffc0 == 0xfec0;
    !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local() || is_site_local(v6.segments()[0]))
}
