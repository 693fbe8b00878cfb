//! The interfaces of flowtop's network namespace as the kernel lists them, and those of `-i` as they change.

mod behind;
mod netlink;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use flowtop_bpf::probe;
use flowtop_bpf::rights::{Ability, Right, list};
use flowtop_core::flow::Tuple;
use flowtop_core::interface::{Chosen, Controller, ControllerKind, Interface};
use flowtop_core::scope::Carriers;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};

use crate::filter_names;
use netlink::{Changes, Netlink};

/// Routes that are remembered; one is asked for in some microseconds.
const MAX_ROUTES: usize = 65_536;

/// The interfaces of `-i`, which are followed while flowtop runs.
#[derive(Debug)]
pub struct Interfaces {
    names: Vec<String>,
    own_netns: u32,
    now: RefCell<Now>,
}

/// What is known of them now.
#[derive(Debug)]
struct Now {
    chosen: Chosen,
    /// Nothing is asked where all interfaces count.
    kernel: Option<Kernel>,
}

#[derive(Debug)]
struct Kernel {
    netlink: Netlink,
    changes: Changes,
    /// Interfaces by local and remote address, by the routes of now.
    routes: HashMap<(IpAddr, IpAddr), Option<u32>>,
}

impl Interfaces {
    /// Finds the interfaces of these names, and follows them from now on. Without a name, or with `any`, all count.
    ///
    /// # Errors
    /// An unknown name, one of an interface that carries no connection by itself, or no answer of the kernel.
    pub fn choose(names: &[String]) -> Result<Rc<Self>> {
        let mut netlink = Netlink::open().context("cannot ask for the network interfaces")?;
        // First, so that nothing can change unseen in between.
        let changes = Changes::watch().context("cannot follow the network interfaces")?;
        let all = read(&mut netlink, names).context("cannot list the network interfaces")?;
        let chosen = Chosen::new(&all, names)?;
        let kernel = (!chosen.is_all()).then(|| Kernel { netlink, changes, routes: HashMap::new() });
        let own_netns = filter_names::own_netns();
        Ok(Rc::new(Self { names: names.to_vec(), own_netns, now: RefCell::new(Now { chosen, kernel }) }))
    }

    /// Whether all interfaces count.
    pub fn are_all(&self) -> bool {
        self.now.borrow().chosen.is_all()
    }

    /// Their names, fit for a screen; none for all.
    pub fn names(&self) -> Vec<String> {
        self.now.borrow().chosen.names()
    }

    /// iftop's lines about them before the start, and a line for each that no connection can use yet.
    pub fn introduction(&self) -> String {
        let chosen = &self.now.borrow().chosen;
        let hidden = match rights_missing_behind_veths().as_slice() {
            [] => String::new(),
            missing => {
                format!("; of a veth, the namespace at its other end is not known: missing {}", list(missing))
            }
        };
        let idle = chosen.idle().map(|name| {
            format!("flowtop: {name} has no address: nothing is on it until it has one or a route over it{hidden}\n")
        });
        chosen.introduction() + &idle.collect::<String>()
    }

    /// Takes in what has changed since the last call; true if connections may be on other interfaces than before.
    pub fn follow(&self) -> bool {
        let mut now = self.now.borrow_mut();
        let Some(kernel) = &mut now.kernel else { return false };
        if !kernel.changes.take() {
            return false;
        }
        kernel.routes.clear();
        // Should the kernel not answer now, what was known stays, and the next change asks again.
        if let Ok(all) = read(&mut kernel.netlink, &self.names) {
            now.chosen = Chosen::again(&all, &self.names);
        }
        true
    }
}

impl Carriers for Interfaces {
    fn carry(&self, netns: u32, tuple: &Tuple) -> bool {
        let mut now = self.now.borrow_mut();
        let Now { chosen, kernel: Some(kernel) } = &mut *now else { return true };
        let kernel = RefCell::new(kernel);
        chosen.carries(netns, tuple, self.own_netns, |local, remote| kernel.borrow_mut().route(local, remote))
    }

    fn lead_to(&self, netns: u32) -> bool {
        self.now.borrow().chosen.lead_to(netns)
    }

    fn are_for(&self, netns: u32) -> bool {
        let now = self.now.borrow();
        now.kernel.is_none() || now.chosen.are_for(netns, self.own_netns)
    }
}

impl Kernel {
    fn route(&mut self, local: IpAddr, remote: IpAddr) -> Option<u32> {
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        let Self { netlink, routes, .. } = self;
        *routes.entry((local, remote)).or_insert_with(|| netlink.route(local, remote).ok().flatten())
    }
}

/// What is missing to find the namespaces at the other ends of veths.
fn rights_missing_behind_veths() -> Vec<Right> {
    probe::rights().map(|rights| rights.missing(Ability::BehindVeth)).unwrap_or_default()
}

/// All interfaces. The namespaces behind them are looked for only if some of these names are asked for.
fn read(netlink: &mut Netlink, names: &[String]) -> io::Result<Vec<Interface>> {
    let (links, addresses) = (netlink.links()?, netlink.addresses()?);
    let leads_elsewhere = |link: &LinkMessage| {
        link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::LinkNetNsId(_)))
    };
    let namespaces = if !names.is_empty() && links.iter().any(leads_elsewhere) {
        behind::namespaces(netlink)
    } else {
        HashMap::new()
    };
    let mut interfaces: Vec<_> = links.iter().map(|link| interface(link, &links, &namespaces)).collect();
    for address in &addresses {
        let of = interfaces.iter_mut().find(|interface| interface.index == address.header.index);
        if let Some(interface) = of {
            add_address(interface, address);
        }
    }
    Ok(interfaces)
}

fn interface(link: &LinkMessage, links: &[LinkMessage], namespaces: &HashMap<i32, u32>) -> Interface {
    let mut interface = Interface {
        index: link.header.index,
        is_loopback: link.header.flags.contains(LinkFlags::Loopback),
        ..Interface::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Address(mac) => interface.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Controller(index) => {
                let kind = controller_kind(link, links, *index);
                interface.port_of = Some(Controller { index: *index, kind });
            }
            LinkAttribute::LinkNetNsId(number) if kind(link) == Some(&InfoKind::Veth) => {
                interface.leads_to = namespaces.get(number).copied();
            }
            _ => {}
        }
    }
    interface
}

/// How a port belongs to its controller. What is not known is taken for a bridge's: then sockets use the controller.
fn controller_kind(port: &LinkMessage, links: &[LinkMessage], index: u32) -> ControllerKind {
    let infos = infos(port);
    let own = infos.iter().find_map(|info| match info {
        LinkInfo::PortKind(InfoPortKind::Bond) => Some(ControllerKind::Bond),
        LinkInfo::PortKind(InfoPortKind::Bridge) => Some(ControllerKind::Bridge),
        LinkInfo::PortKind(InfoPortKind::Vrf) => Some(ControllerKind::Vrf),
        _ => None,
    });
    let controller = || links.iter().find(|link| link.header.index == index).and_then(kind);
    own.unwrap_or_else(|| match controller() {
        Some(InfoKind::Vrf) => ControllerKind::Vrf,
        Some(InfoKind::Bond) => ControllerKind::Bond,
        _ => ControllerKind::Bridge,
    })
}

fn kind(link: &LinkMessage) -> Option<&InfoKind> {
    infos(link).iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

fn infos(link: &LinkMessage) -> &[LinkInfo] {
    let infos = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(&infos[..]),
        _ => None,
    });
    infos.unwrap_or_default()
}

/// The own address of a message: of a point-to-point interface `Address` is that of the other end.
fn add_address(interface: &mut Interface, message: &AddressMessage) {
    let (mut own, mut given, mut label) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => own = Some(*address),
            AddressAttribute::Address(address) => given = Some(*address),
            AddressAttribute::Label(text) => label = Some(text),
            _ => {}
        }
    }
    match own.or(given) {
        Some(IpAddr::V4(v4)) => {
            interface.v4.push(v4);
            let label = label.filter(|label| **label != interface.name);
            interface.labels.extend(label.map(|label| (label.clone(), v4)));
        }
        Some(IpAddr::V6(v6)) => interface.v6.push(v6),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_an_interface_is_one_of_this_host() {
        let all = read(&mut Netlink::open().unwrap(), &[]).unwrap();
        let is_bindable = |ip: IpAddr| std::net::UdpSocket::bind((ip, 0)).is_ok();
        for Interface { name, v4, v6, .. } in &all {
            // One of a link needs the number of its interface.
            let v6 = v6.iter().filter(|v6| !v6.is_unicast_link_local()).copied().map(IpAddr::from);
            for address in v4.iter().copied().map(IpAddr::from).chain(v6) {
                assert!(is_bindable(address), "{name}: {address}");
            }
        }
        let lo = all.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(lo.is_loopback && lo.mac == Some([0; 6]) && lo.index > 0, "{lo:?}");
    }

    #[test]
    fn a_label_and_the_near_end_of_a_tunnel_are_own_addresses() {
        let of = |attributes| {
            let mut message = AddressMessage::default();
            message.attributes = attributes;
            message
        };
        let [near, far] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let mut tunnel = Interface { name: "tun0".to_owned(), ..Interface::default() };
        let label = |text: &str| AddressAttribute::Label(text.to_owned());
        add_address(
            &mut tunnel,
            &of(vec![AddressAttribute::Address(far), AddressAttribute::Local(near), label("tun0:1")]),
        );
        add_address(&mut tunnel, &of(vec![AddressAttribute::Address(far), label("tun0")]));
        add_address(&mut tunnel, &of(vec![AddressAttribute::Address(IpAddr::from([0; 16]))]));
        add_address(&mut tunnel, &of(vec![]));
        let [near, far] = [near, far].map(|ip| if let IpAddr::V4(v4) = ip { v4 } else { unreachable!() });
        assert_eq!(tunnel.v4, [near, far]);
        assert_eq!(tunnel.v6, [std::net::Ipv6Addr::UNSPECIFIED]);
        assert_eq!(tunnel.labels, [("tun0:1".to_owned(), near)]);
    }
}
