//! `/etc/hosts`: which addresses a name has, and what an address is called (`hosts(5)`).

use std::net::IpAddr;

/// The addresses of a name, in the order of the lines. Case does not matter.
pub fn addresses(text: &str, name: &str) -> Vec<IpAddr> {
    let has_name = |(address, mut names): (IpAddr, Words<'_>)| {
        names.any(|known| known.eq_ignore_ascii_case(name)).then_some(address)
    };
    lines(text).filter_map(has_name).collect()
}

/// The first name of an address.
pub fn name(text: &str, address: IpAddr) -> Option<&str> {
    let address = address.to_canonical();
    lines(text).find(|(known, _)| known.to_canonical() == address)?.1.next()
}

type Words<'a> = std::str::SplitWhitespace<'a>;

/// The address of each line, and its names.
fn lines(text: &str) -> impl Iterator<Item = (IpAddr, Words<'_>)> {
    text.lines().filter_map(|line| {
        let entry = line.split('#').next()?;
        let mut words = entry.split_whitespace();
        Some((words.next()?.parse().ok()?, words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
        127.0.0.1 localhost\n\
        # 192.0.2.9 gone\n\
        192.0.2.1\tweb.example  web # of the shop\n\
        192.0.2.2 web\n\
        no address\n\
        2001:db8::1 web6 Web\n\
        fe80::1%eth0 zoned\n\
        192.0.2.3\n";

    #[test]
    fn a_name_has_the_addresses_of_all_its_lines() {
        let of = |name| addresses(HOSTS, name).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("WEB"), ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        assert_eq!(of("localhost"), ["127.0.0.1"]);
        for nobody in ["gone", "shop", "address", "zoned", "", "192.0.2.3"] {
            assert_eq!(of(nobody), [""; 0], "{nobody}");
        }
    }

    #[test]
    fn an_address_is_called_by_its_first_name() {
        let of = |address: &str| name(HOSTS, address.parse().unwrap());
        assert_eq!(of("192.0.2.1"), Some("web.example"));
        assert_eq!(of("::ffff:192.0.2.2"), Some("web"));
        assert_eq!([of("192.0.2.3"), of("192.0.2.9")], [None, None]);
    }
}
