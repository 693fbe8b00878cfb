//! The interfaces that this host has, as the kernel lists them.

use std::io;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

use crate::core::interface::Interface;

/// The interfaces of flowtop's network namespace, in the kernel's order.
pub fn read() -> io::Result<Vec<Interface>> {
    let mut interfaces = Vec::<Interface>::new();
    for found in getifaddrs()? {
        let known = interfaces.iter().position(|interface| interface.name == found.interface_name);
        let index = known.unwrap_or_else(|| {
            interfaces.push(Interface {
                name: found.interface_name.clone(),
                is_loopback: found.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                ..Interface::default()
            });
            interfaces.len() - 1
        });
        take(&mut interfaces[index], &found);
    }
    Ok(interfaces)
}

/// Takes one address: of IPv4, of IPv6 or of the link.
fn take(interface: &mut Interface, found: &InterfaceAddress) {
    let Some(address) = &found.address else { return };
    if let Some(v4) = address.as_sockaddr_in() {
        interface.v4.push(v4.ip());
    } else if let Some(v6) = address.as_sockaddr_in6() {
        interface.v6.push(v6.ip());
    } else if let Some(link) = address.as_link_addr() {
        interface.mac = link.addr().filter(|_| link.halen() == 6);
    }
}
