//! The host's network interfaces as they are chosen with `-i` and introduced on stderr.
//!
//! A connection belongs to the interface that the kernel's routes say for its remote address, in the namespace of its
//! socket. Addresses alone do not tell: a host talks to its own address over `lo`, an address may come and go, and another
//! namespace may have the same. An interface without an address carries what is behind it.
//!
//! Not in here: finding them and asking for routes (`flowtop`'s `interfaces`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::flow::Tuple;
use super::sanitize::harmless;

#[cfg(test)]
mod tests;

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

/// A network interface of one network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Number of the interface in its namespace.
    pub index: u32,
    pub name: String,
    /// Whether it is a loopback interface.
    pub is_loopback: bool,
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
    /// Names of single addresses of it, such as `eth0:1`.
    pub labels: Vec<(String, Ipv4Addr)>,
    /// Its hardware address, where it has one of 6 bytes.
    pub mac: Option<[u8; 6]>,
    /// The interface that it is a port of, if it is one.
    pub port_of: Option<Controller>,
    /// Inode number of the network namespace at the other end of a veth, if that is another namespace and known.
    pub leads_to: Option<u32>,
}

/// What an interface is a port of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controller {
    pub index: u32,
    pub kind: ControllerKind,
}

/// How a port and its controller share the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerKind {
    /// Sockets use the bond or team, which spreads packets over its ports.
    Bond,
    /// Sockets of this host use the bridge; its ports carry those of others.
    Bridge,
    /// Sockets use the port; routes are looked up in a table of their own (VRF).
    Vrf,
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

/// Something that `-i` cannot count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceError {
    #[error("there is no interface {name:?}; take one of {known}")]
    Unknown { name: String, known: String },
    #[error("{port} is a port of {controller}, which has its connections; take -i {controller}")]
    Port { port: String, controller: String },
}

/// One interface, or one address of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    interface: Interface,
    /// The address of a label.
    only: Option<Ipv4Addr>,
    /// Namespaces whose connections it carries for others: what is behind an interface without an address.
    behind: Vec<u32>,
}

/// The interfaces that were chosen with `-i`: all, or some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen(Vec<Choice>);

impl Chosen {
    /// The interfaces of these names, or the addresses that have them as labels; without a name, or with `any` among them,
    /// all.
    ///
    /// # Errors
    /// A name that no interface has, or of an interface that never carries a connection by itself.
    pub fn new(all: &[Interface], names: &[String]) -> Result<Self, InterfaceError> {
        let mut chosen = Vec::<Choice>::new();
        for name in names.iter().filter(|name| *name != ANY) {
            let choice = choose(all, name)?;
            if !chosen.contains(&choice) {
                chosen.push(choice);
            }
        }
        Ok(Self(if names.iter().any(|name| name == ANY) { Vec::new() } else { chosen }))
    }

    /// The same choice among the interfaces of now. What is not there at the moment carries nothing.
    #[must_use]
    pub fn again(all: &[Interface], names: &[String]) -> Self {
        Self(names.iter().filter_map(|name| choose(all, name).ok()).collect())
    }

    /// Whether all interfaces count.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names, fit for a screen; none for all interfaces.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(Choice::name).collect()
    }

    /// Lines for stderr before the start.
    #[must_use]
    pub fn introduction(&self) -> String {
        if self.0.is_empty() {
            return format!("interface: {ANY}\n");
        }
        self.0.iter().map(|choice| choice.interface.introduction()).collect()
    }

    /// Names of those that no connection can use as they are now: without an address, and with nothing behind them.
    pub fn idle(&self) -> impl Iterator<Item = String> {
        let is_idle = |choice: &&Choice| {
            let Interface { v4, v6, is_loopback, .. } = &choice.interface;
            v4.is_empty() && v6.is_empty() && !is_loopback && choice.behind.is_empty()
        };
        self.0.iter().filter(is_idle).map(Choice::name)
    }

    /// Whether one of them carries what a socket in network namespace `netns` sends. `own_netns` is theirs; `route` tells the
    /// number of the interface that the kernel's routes say for an address of it and one elsewhere.
    pub fn carries(
        &self,
        netns: u32,
        tuple: &Tuple,
        own_netns: u32,
        route: impl Fn(IpAddr, IpAddr) -> Option<u32>,
    ) -> bool {
        let (local, remote) = (tuple.local.ip(), tuple.remote.ip());
        if netns != own_netns {
            return !tuple.stays_on_host() && self.0.iter().any(|choice| choice.behind.contains(&netns));
        }
        let routed = if tuple.stays_on_host() { None } else { route(local, remote) };
        self.0.iter().any(|choice| choice.carries(tuple, routed))
    }

    /// Whether one of them leads to this namespace: what its sockets send, the interface receives.
    #[must_use]
    pub fn lead_to(&self, netns: u32) -> bool {
        self.0.iter().any(|choice| choice.behind.contains(&netns))
    }

    /// Whether a socket in this namespace can be the end that they were chosen for. An interface that carries what is behind
    /// it was chosen for the ends there: what it moves to and from this namespace is seen from those.
    #[must_use]
    pub fn are_for(&self, netns: u32, own_netns: u32) -> bool {
        let is_own = netns == own_netns;
        let is_for = |behind: &[u32]| if is_own { behind.is_empty() } else { behind.contains(&netns) };
        self.0.iter().any(|choice| is_for(&choice.behind))
    }
}

impl Choice {
    /// `routed` is the number of the interface by the routes, if they say.
    fn carries(&self, tuple: &Tuple, routed: Option<u32>) -> bool {
        let local = tuple.local.ip();
        if self.only.is_some_and(|only| local != IpAddr::V4(only)) {
            return false;
        }
        if tuple.stays_on_host() {
            return self.interface.is_loopback;
        }
        let is_vrf = self.interface.port_of.is_some_and(|port| port.kind == ControllerKind::Vrf);
        match routed.filter(|_| !is_vrf) {
            Some(routed) => routed == self.interface.index,
            None => self.interface.has(local),
        }
    }

    fn name(&self) -> String {
        let label = self.interface.labels.iter().find(|(_, address)| Some(*address) == self.only);
        harmless(label.map_or(&self.interface.name, |(label, _)| label))
    }
}

impl Interface {
    fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.contains(&v4),
            IpAddr::V6(v6) => self.v6.contains(&v6),
        }
    }

    /// Namespaces behind an interface without an address: at the other end of a veth, or of the ports of a bridge.
    fn behind(&self, all: &[Self]) -> Vec<u32> {
        // A link-local address is there by itself.
        let is_numbered = !self.v4.is_empty() || self.v6.iter().any(|v6| !is_local(v6));
        if is_numbered || self.is_loopback {
            return Vec::new();
        }
        let ports = all.iter().filter(|port| port.port_of.is_some_and(|of| of.index == self.index));
        ports.chain([self]).filter_map(|interface| interface.leads_to).collect()
    }
}

/// The interface with this name, or the address with this label.
fn choose(all: &[Interface], name: &str) -> Result<Choice, InterfaceError> {
    let named = all.iter().find(|interface| interface.name == name).map(|interface| (interface, None));
    let labelled = || {
        all.iter().find_map(|interface| {
            let (_, address) = interface.labels.iter().find(|(label, _)| label == name)?;
            Some((interface, Some(*address)))
        })
    };
    let unknown = || InterfaceError::Unknown { name: name.to_owned(), known: known(all) };
    let (interface, only) = named.or_else(labelled).ok_or_else(unknown)?;
    let behind = interface.behind(all);
    if let Some(of) = interface.port_of.filter(|of| of.kind != ControllerKind::Vrf && behind.is_empty()) {
        let controller = all.iter().find(|controller| controller.index == of.index);
        let controller = controller.map_or_else(|| "its controller".to_owned(), |of| harmless(&of.name));
        return Err(InterfaceError::Port { port: harmless(name), controller });
    }
    Ok(Choice { interface: interface.clone(), only, behind })
}

fn known(all: &[Interface]) -> String {
    let names = all.iter().map(|interface| harmless(&interface.name));
    names.chain([ANY.to_owned()]).collect::<Vec<_>>().join(", ")
}
