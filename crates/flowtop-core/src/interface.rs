//! The host's network interfaces as they are chosen with `-i` and introduced on stderr.
//!
//! Not in here: finding them (`flowtop`'s `interfaces`) and judging by them (`scope`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sanitize::harmless;
use super::scope::Addresses;

#[cfg(test)]
mod tests;

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    /// Whether it is a loopback interface.
    pub is_loopback: bool,
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
    /// Its hardware address, where it has one of 6 bytes.
    pub mac: Option<[u8; 6]>,
}

impl Interface {
    /// iftop's lines about its interface before it starts: its name, its first IPv4, its first global IPv6 and its
    /// hardware address.
    #[must_use]
    pub fn introduction(&self) -> String {
        let v6 = self.v6.iter().find(|v6| !is_local(v6));
        let mac = self.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
        let lines = [
            Some(format!("interface: {}\n", harmless(&self.name))),
            self.v4.first().map(|v4| format!("IP address is: {v4}\n")),
            v6.map(|v6| format!("IPv6 address is: {v6}\n")),
            mac.map(|mac| format!("MAC address is: {mac}\n")),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// Link-local, or site-local as it once was.
fn is_local(v6: &Ipv6Addr) -> bool {
    v6.is_unicast_link_local() || v6.segments()[0] & 0xffc0 == 0xfec0
}

/// A name that no interface has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no interface {name:?}; take one of {known}")]
pub struct UnknownInterface {
    name: String,
    known: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen(Vec<Interface>);

impl Chosen {
    /// The interfaces of these names; without a name, or with `any` among them, all.
    ///
    /// # Errors
    /// A name that no interface has.
    pub fn new(all: &[Interface], names: &[String]) -> Result<Self, UnknownInterface> {
        let mut chosen = Vec::<Interface>::new();
        for name in names.iter().filter(|name| *name != ANY) {
            let found = all.iter().find(|interface| interface.name == *name);
            let interface =
                found.ok_or_else(|| UnknownInterface { name: name.clone(), known: known(all) })?;
            if !chosen.contains(interface) {
                chosen.push(interface.clone());
            }
        }
        Ok(Self(if names.iter().any(|name| name == ANY) { Vec::new() } else { chosen }))
    }

    /// Their names, fit for a screen; none for all interfaces.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|interface| harmless(&interface.name)).collect()
    }

    /// Lines for stderr before the start.
    #[must_use]
    pub fn introduction(&self) -> String {
        if self.0.is_empty() {
            return format!("interface: {ANY}\n");
        }
        self.0.iter().map(Interface::introduction).collect()
    }

    /// The connections of these interfaces, `None` for all.
    #[must_use]
    pub fn scope(&self) -> Option<Addresses> {
        let exact = self.0.iter().flat_map(|interface| {
            let v4 = interface.v4.iter().copied().map(IpAddr::from);
            v4.chain(interface.v6.iter().copied().map(IpAddr::from))
        });
        let scope = Addresses {
            exact: exact.collect(),
            loopback: self.0.iter().any(|interface| interface.is_loopback),
        };
        (!self.0.is_empty()).then_some(scope)
    }
}

fn known(all: &[Interface]) -> String {
    let names = all.iter().map(|interface| harmless(&interface.name));
    names.chain([ANY.to_owned()]).collect::<Vec<_>>().join(", ")
}
