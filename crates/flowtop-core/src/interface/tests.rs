//! Choosing and introducing interfaces.

use super::*;

fn all() -> Vec<Interface> {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    vec![
        Interface {
            index: 1,
            name: "lo".to_owned(),
            is_loopback: true,
            v4: vec![Ipv4Addr::LOCALHOST],
            v6: vec![Ipv6Addr::LOCALHOST],
            mac: Some([0; 6]),
            ..Interface::default()
        },
        Interface {
            index: 2,
            name: "eth0".to_owned(),
            labels: vec![("eth0:1".to_owned(), Ipv4Addr::new(192, 0, 2, 2))],
            v4: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
            v6: addresses(&["fe80::1", "fec0::1", "2001:db8::1", "2001:db8::2"]),
            mac: Some([2, 0, 0x5e, 0x10, 0xff, 1]),
            ..Interface::default()
        },
        Interface { index: 3, name: "tun0".to_owned(), v6: addresses(&["fe80::2"]), ..Interface::default() },
    ]
}

fn chosen(names: &[&str]) -> Result<Chosen, InterfaceError> {
    Chosen::new(&all(), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

#[test]
fn an_introduction_says_what_was_found() {
    let lo =
        "interface: lo\nIP address is: 127.0.0.1\nIPv6 address is: ::1\nMAC address is: 00:00:00:00:00:00\n";
    let eth0 = "interface: eth0\nIP address is: 192.0.2.1\nIPv6 address is: 2001:db8::1\n\
                MAC address is: 02:00:5e:10:ff:01\n";
    assert_eq!(chosen(&["lo"]).unwrap().introduction(), lo);
    assert_eq!(chosen(&["eth0", "lo"]).unwrap().introduction(), format!("{eth0}{lo}"));
    assert_eq!(chosen(&["tun0"]).unwrap().introduction(), "interface: tun0\n");
    assert_eq!(chosen(&[]).unwrap().introduction(), "interface: any\n");
}

#[test]
fn any_and_nothing_are_all() {
    for names in [&[][..], &["any"], &["eth0", "any"]] {
        let chosen = chosen(names).unwrap();
        assert_eq!((chosen.is_all(), chosen.names()), (true, vec![]), "{names:?}");
    }
}

const OWN: u32 = 7;

/// Whether these interfaces carry a socket of this namespace, where routes to 198.51.100.0/24 and `2001:db8:9::/48` are over
/// number 2, those to 203.0.113.0/24 over number 3, and those to the host's own addresses over number 1.
fn carry(chosen: &Chosen, netns: u32, local: &str, remote: &str) -> bool {
    let tuple = Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    chosen.carries(netns, &tuple, OWN, |_, remote| match remote.to_string() {
        remote if remote.starts_with("198.51.100.") || remote.starts_with("2001:db8:9:") => Some(2),
        remote if remote.starts_with("203.0.113.") => Some(3),
        remote if remote.starts_with("192.0.2.") => Some(1),
        _ => None,
    })
}

#[test]
fn a_connection_is_on_the_interface_that_routes_say() {
    for (names, local, remote, is_on_it) in [
        (&["eth0"][..], "192.0.2.1:1", "198.51.100.7:443", true),
        (&["eth0"], "[2001:db8::1]:1", "[2001:db8:9::7]:443", true),
        // An address that came later, or that is on another interface, such as a virtual one on lo.
        (&["eth0"], "192.0.2.99:443", "198.51.100.7:40000", true),
        (&["lo"], "192.0.2.99:443", "198.51.100.7:40000", false),
        // Its own address over another interface.
        (&["eth0"], "192.0.2.1:1", "203.0.113.7:443", false),
        (&["tun0"], "192.0.2.1:1", "203.0.113.7:443", true),
        (&["tun0", "eth0"], "192.0.2.1:1", "203.0.113.7:443", true),
        // The host to its own addresses.
        (&["eth0"], "192.0.2.1:1", "192.0.2.1:443", false),
        (&["lo"], "192.0.2.1:1", "192.0.2.1:443", true),
        (&["lo"], "192.0.2.1:1", "192.0.2.2:443", true),
        (&["lo"], "127.9.9.9:1", "127.0.0.1:2", true),
        (&["lo"], "[::1]:1", "[::1]:2", true),
        (&["eth0"], "127.0.0.1:1", "127.0.0.1:2", false),
        // No route any more: its address tells.
        (&["eth0"], "192.0.2.1:1", "100.64.0.1:443", true),
        (&["tun0"], "192.0.2.1:1", "100.64.0.1:443", false),
        // One address of an interface.
        (&["eth0:1"], "192.0.2.2:1", "198.51.100.7:443", true),
        (&["eth0:1"], "192.0.2.1:1", "198.51.100.7:443", false),
    ] {
        let chosen = chosen(names).unwrap();
        assert_eq!(carry(&chosen, OWN, local, remote), is_on_it, "{names:?} {local} {remote}");
        assert!(!carry(&chosen, 8, local, remote), "another namespace: {names:?} {local} {remote}");
    }
    assert_eq!(chosen(&["eth0:1", "eth0"]).unwrap().names(), ["eth0:1", "eth0"]);
}

fn port(name: &str, index: u32, of: (u32, ControllerKind), leads_to: Option<u32>) -> Interface {
    let port_of = Some(Controller { index: of.0, kind: of.1 });
    Interface { name: name.to_owned(), index, port_of, leads_to, ..Interface::default() }
}

fn with_ports() -> Vec<Interface> {
    let plain = |name: &str, index| Interface { name: name.to_owned(), index, ..Interface::default() };
    let (bridge, bond) = ((10, ControllerKind::Bridge), (11, ControllerKind::Bond));
    let vrf = Interface {
        v4: vec![Ipv4Addr::new(198, 18, 0, 1)],
        ..port("eth3", 17, (12, ControllerKind::Vrf), None)
    };
    let routed = Interface { leads_to: Some(92), ..plain("cali0", 18) };
    let others = [plain("br0", 10), plain("bond0", 11), plain("vrf0", 12), vrf, routed, plain("ppp0", 19)];
    let ports = [
        port("veth0", 13, bridge, Some(90)),
        port("veth1", 14, bridge, Some(91)),
        port("eth1", 15, bridge, None),
        port("eth2", 16, bond, None),
    ];
    all().into_iter().chain(others).chain(ports).collect()
}

#[test]
fn an_interface_without_an_address_carries_what_is_behind_it() {
    let all = with_ports();
    let of =
        |names: &[&str]| Chosen::new(&all, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let carry = |names: &[&str], netns| carry(&of(names).unwrap(), netns, "10.1.0.2:1", "203.0.113.7:443");
    assert_eq!([90, 91, 92, OWN].map(|netns| carry(&["veth0"], netns)), [true, false, false, false]);
    assert_eq!([90, 91, 92, OWN].map(|netns| carry(&["br0"], netns)), [true, true, false, false]);
    assert_eq!([90, 91, 92, OWN].map(|netns| carry(&["cali0"], netns)), [false, false, true, false]);
    // Chosen for the ends behind it, if there are any.
    let are_for = |names: &[&str], netns| of(names).unwrap().are_for(netns, OWN);
    assert_eq!([92, 90, OWN].map(|netns| are_for(&["cali0"], netns)), [true, false, false]);
    assert_eq!([92, 90, OWN].map(|netns| are_for(&["cali0", "eth0"], netns)), [true, false, true]);
    // What a namespace says to itself does not leave it.
    assert!(!super::tests::carry(&of(&["veth0"]).unwrap(), 90, "127.0.0.1:1", "127.0.0.1:2"));
    // Routes of a VRF are in a table of its own: the address tells.
    assert!(super::tests::carry(&of(&["eth3"]).unwrap(), OWN, "198.18.0.1:1", "203.0.113.7:443"));
    assert_eq!(of(&["ppp0", "eth0"]).unwrap().idle().collect::<Vec<_>>(), ["ppp0"]);
    for (name, error) in [
        ("eth1", "eth1 is a port of br0, which has its connections; take -i br0"),
        ("eth2", "eth2 is a port of bond0, which has its connections; take -i bond0"),
    ] {
        assert_eq!(of(&[name]).unwrap_err().to_string(), error);
    }
}

#[test]
fn what_is_gone_carries_nothing_until_it_is_back() {
    let names = ["ppp0".to_owned()];
    let ppp0 = |index| Interface { name: "ppp0".to_owned(), index, ..Interface::default() };
    let carry = |all: &[Interface]| {
        super::tests::carry(&Chosen::again(all, &names), OWN, "192.0.2.1:1", "203.0.113.7:443")
    };
    assert_eq!([&[ppp0(3)][..], &[], &[ppp0(4)], &[ppp0(3)]].map(carry), [true, false, false, true]);
}

#[test]
fn an_unknown_name_is_an_error_even_beside_any() {
    for names in [&["eth1"][..], &["any", "eth1"]] {
        let error = chosen(names).unwrap_err().to_string();
        assert_eq!(error, "there is no interface \"eth1\"; take one of lo, eth0, tun0, any");
    }
}
