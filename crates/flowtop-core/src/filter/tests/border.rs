//! `-F` and `-G`.

use super::*;

fn boundary(v4: &[&str], v6: &[&str]) -> Boundary {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    Boundary::new(&owned(v4), &owned(v6)).unwrap()
}

#[test]
fn a_flow_crosses_the_border_or_does_not_count() {
    let home = boundary(&["10.10.1.0/24", "172.16.16.17/32"], &[]);
    let table = [
        ("10.10.1.5:1", "192.0.2.1:2", Side::LocalInside),
        ("192.0.2.1:2", "10.10.1.5:1", Side::RemoteInside),
        ("172.16.16.17:1", "192.0.2.1:2", Side::LocalInside),
        ("10.10.1.5:1", "10.10.1.6:2", Side::NotAcross),
        ("10.10.1.5:1", "172.16.16.17:2", Side::NotAcross),
        ("192.0.2.1:1", "192.0.2.2:2", Side::NotAcross),
        ("[2001:db8::1]:1", "[2001:db8::2]:2", Side::Unwatched),
    ];
    for (local, remote, side) in table {
        let tuple = tuple(local, remote);
        assert_eq!(home.side(&tuple), side, "{local} {remote}");
        let subject = Subject { state: 1, netns: 1, ..Subject::of(tuple) };
        assert_eq!(home.verdict(&subject), Verdict::both(side != Side::NotAcross), "{local} {remote}");
    }
    let v6 = boundary(&[], &["2001:db8::/64"]);
    assert_eq!(v6.side(&tuple("[2001:db9::1]:1", "[2001:db8::2]:2")), Side::RemoteInside);
    assert_eq!(v6.side(&tuple("10.0.0.1:1", "10.0.0.2:2")), Side::Unwatched);
}

#[test]
fn notations() {
    let same = [
        (boundary(&["10.10.1.0/24"], &[]), boundary(&["10.10.1.0/255.255.255.0"], &[])),
        (boundary(&["10.10.1.0/24"], &[]), boundary(&["10.10.1.77/24"], &[])),
        (boundary(&[], &["2001:db8::/32"]), boundary(&[], &["2001:db8::1/ffff:ffff::"])),
    ];
    for (a, b) in same {
        assert_eq!(a, b);
    }
}

/// The accepted form, and the message of iftop 1.0pre4; without one iftop accepts the network.
#[test]
fn mistakes_are_errors() {
    let table = [
        ("10.0.0.0", "give it a mask, as in 10.0.0.0/8", Some("Could not parse net/mask: 10.0.0.0")),
        ("10.0.0.0/33", "give a mask of 1 to 32 bits, as in 10.0.0.0/8", Some("Invalid netmask length: 33")),
        (
            "10.0.0.0/99999999999",
            "give a mask of 1 to 32 bits, as in 10.0.0.0/8",
            Some("Invalid netmask length: 99999999999"),
        ),
        (
            "10.0.0.0/",
            "give a longer mask: everything is inside of this one, so nothing crosses its border",
            None,
        ),
        ("10.0.0.0/+8", "give a mask of 1 to 32 bits, as in 10.0.0.0/8", Some("Invalid netmask: 10.0.0.0")),
        ("10.0.0.0/8/9", "give a mask of 1 to 32 bits, as in 10.0.0.0/8", Some("Invalid netmask: 10.0.0.0")),
        (
            "10.0.0.0/300.0.0.0",
            "give a mask of 1 to 32 bits, as in 10.0.0.0/8",
            Some("Invalid netmask: 10.0.0.0"),
        ),
        (
            "abc/8",
            "give an IPv4 address before the slash, as in 10.0.0.0/8",
            Some("Invalid network address: abc"),
        ),
        (
            "::1/64",
            "give an IPv4 address before the slash, as in 10.0.0.0/8",
            Some("Invalid network address: ::1"),
        ),
        (
            "10.0.0.0/0",
            "give a longer mask: everything is inside of this one, so nothing crosses its border",
            None,
        ),
        (
            "10.0.0.0/0.0.0.0",
            "give a longer mask: everything is inside of this one, so nothing crosses its border",
            None,
        ),
        ("10.0.0.0/255.0.255.0", "give a mask with its ones first, as in 10.0.0.0/8", None),
    ];
    for (text, right, warning) in table {
        let error = Boundary::default().add_v4(text).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.warning.as_deref()), (right, warning), "{text}");
        // iftop keeps the mask that it had.
        let instead = warning.is_some_and(|warning| warning.contains("length")).then_some("10.0.0.0/24");
        assert_eq!(error.instead.as_deref(), instead, "{text}");
    }
}

#[test]
fn mistakes_in_ipv6_are_errors() {
    let bits = "give a mask of 1 to 128 bits, as in 2001:db8::/32";
    let address = "give an IPv6 address before the slash, as in 2001:db8::/32";
    let table = [
        ("::1", "give it a mask, as in 2001:db8::/32", Some("Could not parse IPv6 net/prefix: ::1")),
        ("::1/", bits, Some("Invalid IPv6 prefix length: ")),
        ("::1/0", bits, Some("Invalid IPv6 prefix length: 0")),
        ("::1/129", bits, Some("Invalid IPv6 prefix length: 129")),
        ("::1/64x", bits, Some("Invalid IPv6 netmask: ::1")),
        ("10.0.0.0/8", address, Some("Invalid IPv6 network address: 10.0.0.0")),
        (
            "::1/::",
            "give a longer mask: everything is inside of this one, so nothing crosses its border",
            None,
        ),
    ];
    for (text, right, warning) in table {
        let error = Boundary::default().add_v6(text).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.warning.as_deref()), (right, warning), "{text}");
    }
}
