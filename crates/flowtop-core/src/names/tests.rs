//! The list of services, and the cache over time.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

#[test]
fn services_are_read_as_the_file_is_written() {
    let services = Services::parse(
        "# comment\n\nssh\t\t22/tcp\t\t\t# SSH Remote Login Protocol\ndomain 53/tcp\ndomain 53/udp\n\
         ntp 123/udp\nhttp 80/tcp www # first name holds\nother 80/tcp\nbroken\nbad x/tcp\nbig 65536/tcp\n  https 443/tcp",
    );
    for (port, name) in [
        (22, Some("ssh")),
        (53, Some("domain")),
        (123, None),
        (80, Some("http")),
        (443, Some("https")),
        (0, None),
    ] {
        assert_eq!(services.get(port), name, "{port}");
    }
    assert_eq!(services.0.len(), 4);
}

fn host(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[test]
fn a_host_is_asked_for_once_and_again_when_its_answer_is_old() {
    let mut cache = Cache::default();
    assert_eq!(cache.get(host(1), 0), (None, true));
    cache.ask(host(1), 0);
    assert_eq!(cache.get(host(1), 500), (None, false), "the answer is still to come");
    cache.answer(host(1), Some("gate.example"), 500);
    assert_eq!(cache.get(host(1), 500 + NAME_HOLDS_S - 1), (Some("gate.example".to_owned()), false));
    assert_eq!(cache.get(host(1), 500 + NAME_HOLDS_S), (Some("gate.example".to_owned()), true));
    cache.ask(host(1), 2000);
    cache.answer(host(1), None, 2000);
    assert_eq!(cache.get(host(1), 2000), (Some("gate.example".to_owned()), false));
}

#[test]
fn a_failure_is_tried_again_sooner() {
    let mut cache = Cache::default();
    cache.ask(host(1), 0);
    cache.answer(host(1), None, 1);
    assert_eq!(cache.get(host(1), FAILURE_HOLDS_S), (None, false));
    assert_eq!(cache.get(host(1), FAILURE_HOLDS_S + 1), (None, true));
}

#[test]
fn local_addresses_are_not_asked_for() {
    for (address, asked) in
        [("fe80::1", false), ("fec0::1", false), ("::1", true), ("2001:db8::1", true), ("169.254.0.1", true)]
    {
        assert_eq!(Cache::default().get(address.parse().unwrap(), 0), (None, asked), "{address}");
    }
}

#[test]
fn the_cache_is_bounded() {
    let mut cache = Cache::default();
    for number in 0..u32::try_from(3 * MAX_HOSTS).unwrap() {
        let address = Ipv4Addr::from_bits(number).into();
        cache.ask(address, 0);
        cache.answer(address, Some("a"), 0);
        assert!(cache.0.len() <= MAX_HOSTS);
    }
    assert!(cache.0.len() > 1);
}

#[test]
fn names_are_words_of_ascii() {
    let address = IpAddr::from([192, 0, 2, 1]);
    let mut cache = Cache::default();
    cache.ask(address, 0);
    cache.answer(address, Some("a b\x1b[2J\u{202e}ü"), 0);
    assert_eq!(cache.get(address, 0).0.as_deref(), Some("a?b?[2J??"));
    assert_eq!(Services::parse("ü\u{61c}s 7/tcp").get(7), Some("??s"));
}

proptest! {
    #[test]
    fn any_text_is_a_list_of_services(text: String, port: u16) {
        let services = Services::parse(&text);
        prop_assert!(services.get(port).is_none_or(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic())));
    }
}
