//! Names of hosts and services: the cache of host names, and the list of services.
//!
//! Not in here: asking for a name (`flowtop_attribution::resolver`).

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

/// How long an answer holds, in seconds.
const NAME_HOLDS_S: u64 = 600;
/// How long no answer holds: then the question is asked again.
const FAILURE_HOLDS_S: u64 = 60;
/// Limit of cached host names.
const MAX_HOSTS: usize = 16_384;

#[derive(Clone, Debug)]
struct Answer {
    name: Option<String>,
    /// In seconds of the caller's clock.
    holds_until_s: u64,
    asked: bool,
}

/// Host names as far as they are known. Time is passed in.
#[derive(Debug, Default)]
pub struct Cache(HashMap<IpAddr, Answer>);

impl Cache {
    /// The name of a host if it is known, also when it is old, and whether it should be asked for.
    #[must_use]
    pub fn get(&self, address: IpAddr, now_s: u64) -> (Option<String>, bool) {
        match self.0.get(&address) {
            None => (None, is_resolvable(address)),
            Some(answer) => (answer.name.clone(), !answer.asked && now_s >= answer.holds_until_s),
        }
    }

    /// Notes that a host has been asked for, so that it is not asked for again until there is an answer.
    pub fn ask(&mut self, address: IpAddr, now_s: u64) {
        if self.0.len() >= MAX_HOSTS && !self.0.contains_key(&address) {
            self.make_room(now_s);
        }
        let unknown = Answer { name: None, holds_until_s: now_s, asked: false };
        self.0.entry(address).or_insert(unknown).asked = true;
    }

    /// Takes an answer, `None` for a host without a name. A name that was known stays until there is another.
    pub fn answer(&mut self, address: IpAddr, name: Option<&str>, now_s: u64) {
        let Some(answer) = self.0.get_mut(&address) else { return };
        answer.asked = false;
        answer.holds_until_s = now_s + if name.is_some() { NAME_HOLDS_S } else { FAILURE_HOLDS_S };
        if let Some(name) = name {
            answer.name = Some(printable(name));
        }
    }

    /// Forgets what no longer holds, or everything that has been answered if all of it still does.
    fn make_room(&mut self, now_s: u64) {
        self.0.retain(|_, answer| answer.asked || now_s < answer.holds_until_s);
        if self.0.len() >= MAX_HOSTS {
            self.0.retain(|_, answer| answer.asked);
        }
    }
}
