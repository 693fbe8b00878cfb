//! Choosing and introducing interfaces.

use super::*;

fn all() -> Vec<Interface> {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    vec![
        Interface {
            name: "lo".to_owned(),
            is_loopback: true,
            v4: vec![Ipv4Addr::LOCALHOST],
            v6: vec![Ipv6Addr::LOCALHOST],
            mac: Some([0; 6]),
        },
        Interface {
            name: "eth0".to_owned(),
            v4: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
            v6: addresses(&["fe80::1", "fec0::1", "2001:db8::1", "2001:db8::2"]),
            mac: Some([2, 0, 0x5e, 0x10, 0xff, 1]),
            ..Interface::default()
        },
        Interface { name: "tun0".to_owned(), v6: addresses(&["fe80::2"]), ..Interface::default() },
    ]
}

fn chosen(names: &[&str]) -> Result<Chosen, UnknownInterface> {
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
        assert_eq!((chosen.scope(), chosen.names()), (None, vec![]), "{names:?}");
    }
}

#[test]
fn the_scope_has_the_addresses_of_all_that_are_chosen() {
    let chosen = chosen(&["tun0", "eth0", "tun0"]).unwrap();
    assert_eq!(chosen.names(), ["tun0", "eth0"]);
    let scope = chosen.scope().unwrap();
    let texts: Vec<_> = scope.exact.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["fe80::2", "192.0.2.1", "192.0.2.2", "fe80::1", "fec0::1", "2001:db8::1", "2001:db8::2"]
    );
    assert!(!scope.loopback);
    assert!(super::tests::chosen(&["lo"]).unwrap().scope().unwrap().loopback);
}

#[test]
fn an_unknown_name_is_an_error_even_beside_any() {
    for names in [&["eth1"][..], &["any", "eth1"]] {
        let error = chosen(names).unwrap_err().to_string();
        assert_eq!(error, "there is no interface \"eth1\"; take one of lo, eth0, tun0, any");
    }
}
