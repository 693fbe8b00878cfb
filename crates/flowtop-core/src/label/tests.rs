//! Lines of the file, and which of them holds.

use proptest::prelude::*;

use super::*;

fn labels(text: &str) -> Labels {
    Labels::parse(text).unwrap()
}

fn of<'a>(labels: &'a Labels, address: &str) -> &'a str {
    labels.of(address.parse().unwrap(), false)
}

#[test]
fn the_longest_prefix_wins() {
    let labels = labels(
        "# our networks\n10.0.0.0/8 vpc\n10.96.0.0/12\tsvc # services\n\n10.96.0.10 dns\n\
         0.0.0.0/0 world\n2001:db8::/32 lab\n2001:db8::/64 rack\n::ffff:192.0.2.0/120 mapped\n",
    );
    for (address, label) in [
        ("10.1.2.3", "vpc"),
        ("10.97.0.1", "svc"),
        ("10.96.0.10", "dns"),
        ("8.8.8.8", "world"),
        ("127.0.0.1", "world"),
        ("192.0.2.77", "mapped"),
        ("2001:db8::1", "rack"),
        ("2001:db8:1::1", "lab"),
        ("2001:4860::1", "public"),
        ("::ffff:10.1.2.3", "vpc"),
    ] {
        assert_eq!(of(&labels, address), label, "{address}");
    }
}

#[test]
fn addresses_without_a_line_have_a_class() {
    let none = Labels::default();
    for (address, class) in [
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.31.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("100.128.0.1", "public"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("8.8.8.8", "public"),
        ("2001:4860::8888", "public"),
    ] {
        assert_eq!(of(&none, address), class, "{address}");
        assert!(BUILT_IN.contains(&class));
    }
    assert_eq!(none.of("10.0.0.1".parse().unwrap(), true), "same-host");
    assert_eq!(none.of("127.0.0.1".parse().unwrap(), true), "loopback");
}

#[test]
fn a_wrong_line_is_named_with_its_number() {
    for (text, message) in [
        ("10.0.0.0/8\n", "line 1: 10.0.0.0/8 has no name; write one behind it"),
        (
            "\n10.0.0.0/33 a\n",
            "line 2: \"10.0.0.0/33\" is no network; write one like 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            "10.0.0.0/+8 a\n",
            "line 1: \"10.0.0.0/+8\" is no network; write one like 10.0.0.0/8 or 2001:db8::/32",
        ),
        ("vpc 10.0.0.0/8\n", "line 1: \"vpc\" is no network; write one like 10.0.0.0/8 or 2001:db8::/32"),
        ("10.0.0.1/8 a\n", "line 1: 10.0.0.1/8 has bits behind its prefix; write 10.0.0.0/8"),
        ("10.0.0.0/8 a b\n", "line 1: \"b\" is one word too many; write `CIDR name`"),
        ("10.0.0.0/8 a\n# x\n10.0.0.0/8 b\n", "line 3: 10.0.0.0/8 has a label in line 1; remove one of them"),
        (
            "10.0.0.0/8 \u{1b}[2J\n",
            "line 1: \"\\u{1b}[2J\" is no label; write up to 64 characters that can be shown",
        ),
    ] {
        assert_eq!(Labels::parse(text).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn the_tables_say_what_a_search_over_all_lines_says(
        lines in prop::collection::vec((any::<u32>(), 0..=32_u8), 0..20),
        addresses in prop::collection::vec(any::<u32>(), 1..10),
    ) {
        let mut nets: Vec<(u32, u8)> = lines.iter().map(|(address, bits)| (address & ones_v4(*bits), *bits)).collect();
        nets.sort_unstable();
        nets.dedup();
        let line = |(i, (net, bits)): (usize, &(u32, u8))| format!("{}/{bits} n{i}\n", Ipv4Addr::from_bits(*net));
        let labels = labels(&nets.iter().enumerate().map(line).collect::<String>());
        for address in addresses.iter().chain(nets.iter().map(|(net, _)| net)) {
            let inside = nets.iter().enumerate().filter(|(_, (net, bits))| address & ones_v4(*bits) == *net);
            let best = inside.max_by_key(|(_, (_, bits))| *bits).map(|(i, _)| format!("n{i}"));
            let ip = IpAddr::V4(Ipv4Addr::from_bits(*address));
            let expected = best.unwrap_or_else(|| class(ip, false).to_owned());
            prop_assert_eq!(labels.of(ip, false), expected);
        }
    }
}
