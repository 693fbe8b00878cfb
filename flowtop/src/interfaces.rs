//! The interfaces that this host has, as the kernel lists them.

use std::io;
use std::net::IpAddr;

use flowtop_core::interface::Interface;
use flowtop_sys::{Address, InterfaceAddress, interface_addresses};

/// The interfaces of flowtop's network namespace, in the kernel's order.
pub fn read() -> io::Result<Vec<Interface>> {
    Ok(by_interface(interface_addresses()?))
}

/// One interface for each name, in the order of its first address.
fn by_interface(addresses: Vec<InterfaceAddress>) -> Vec<Interface> {
    let mut interfaces = Vec::<Interface>::new();
    for InterfaceAddress { interface: name, is_loopback, address } in addresses {
        let known = interfaces.iter().position(|interface| interface.name == name);
        let index = known.unwrap_or_else(|| {
            interfaces.push(Interface { name, is_loopback, ..Interface::default() });
            interfaces.len() - 1
        });
        match address {
            Some(Address::Ip(IpAddr::V4(v4))) => interfaces[index].v4.push(v4),
            Some(Address::Ip(IpAddr::V6(v6))) => interfaces[index].v6.push(v6),
            Some(Address::Mac(mac)) => interfaces[index].mac = Some(mac),
            None => {}
        }
    }
    interfaces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_has_all_its_addresses() {
        let of = |name: &str, address| InterfaceAddress {
            interface: name.to_owned(),
            is_loopback: name == "lo",
            address,
        };
        let v4 = [[192, 0, 2, 1], [192, 0, 2, 2]].map(Into::into);
        let v6 = [0xfd00, 0, 0, 0, 0, 0, 0, 1].into();
        let found = by_interface(vec![
            of("lo", None),
            of("eth0", Some(Address::Mac([2, 0, 0, 0, 0, 1]))),
            of("eth0", Some(Address::Ip(IpAddr::V4(v4[0])))),
            of("eth0", Some(Address::Ip(IpAddr::V4(v4[1])))),
            of("eth0", Some(Address::Ip(IpAddr::V6(v6)))),
        ]);
        let loopback = Interface { name: "lo".to_owned(), is_loopback: true, ..Interface::default() };
        let ethernet = Interface {
            name: "eth0".to_owned(),
            is_loopback: false,
            v4: v4.to_vec(),
            v6: vec![v6],
            mac: Some([2, 0, 0, 0, 0, 1]),
        };
        assert_eq!(found, [loopback, ethernet]);
    }
}
