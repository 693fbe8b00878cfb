//! `-F` and `-G`.

use super::*;

fn boundary(v4: &[&str], v6: &[&str]) -> Boundary {
    let mut boundary = Boundary::default();
    for text in v4 {
        boundary.add_v4(text).unwrap();
    }
    for text in v6 {
        boundary.add_v6(text).unwrap();
    }
    boundary
}

#[test]
fn a_flow_crosses_the_border_or_is_dropped() {
    let home = boundary(&["10.10.1.0/24", "172.16.16.17/32"], &[]);
    let table = [
        ("10.10.1.5:1", "192.0.2.1:2", Some(End::Local)),
        ("192.0.2.1:2", "10.10.1.5:1", Some(End::Remote)),
        ("172.16.16.17:1", "192.0.2.1:2", Some(End::Local)),
        ("10.10.1.5:1", "10.10.1.6:2", None),
        ("10.10.1.5:1", "172.16.16.17:2", None),
        ("192.0.2.1:1", "192.0.2.2:2", None),
        // No network of this family: not filtered.
        ("[2001:db8::1]:1", "[2001:db8::2]:2", Some(End::Local)),
    ];
    for (local, remote, end) in table {
        assert_eq!(home.inside(&tuple(local, remote)), end, "{local} {remote}");
    }
    let v6 = boundary(&[], &["2001:db8::/64"]);
    assert_eq!(v6.inside(&tuple("[2001:db9::1]:1", "[2001:db8::2]:2")), Some(End::Remote));
    assert_eq!(v6.inside(&tuple("10.0.0.1:1", "10.0.0.2:2")), Some(End::Local));
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

#[test]
fn mistakes_are_errors() {
    let table = [
        ("10.0.0.0", "has no mask"),
        ("10.0.0.0/", "is no mask"),
        ("10.0.0.0/33", "write 1 to 32"),
        ("10.0.0.0/+8", "is no mask"),
        ("10.0.0.0/0", "everything inside"),
        ("10.0.0.0/0.0.0.0", "everything inside"),
        ("10.0.0.0/255.0.255.0", "gaps"),
        ("10.0.0/8", "`10.0.0` in network `10.0.0/8` is not an IPv4 address"),
        ("::1/64", "is not an IPv4 address"),
    ];
    for (text, part) in table {
        let error = Boundary::default().add_v4(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    for (text, part) in
        [("::1/129", "1 to 128"), ("::1/0", "everything inside"), ("10.0.0.0/8", "IPv6 address")]
    {
        let error = Boundary::default().add_v6(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
