//! The list of services, and addresses that can have names.

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

#[test]
fn local_addresses_have_no_names_elsewhere() {
    for (address, is_asked) in
        [("fe80::1", false), ("fec0::1", false), ("::1", true), ("2001:db8::1", true), ("169.254.0.1", true)]
    {
        assert_eq!(is_resolvable(address.parse().unwrap()), is_asked, "{address}");
    }
}

#[test]
fn names_are_words_of_ascii() {
    assert_eq!(printable("a b\x1b[2J\u{202e}ü"), "a?b?[2J??");
    assert_eq!(Services::parse("ü\u{61c}s 7/tcp").get(7), Some("??s"));
}

proptest! {
    #[test]
    fn any_text_is_a_list_of_services(text: String, port: u16) {
        let services = Services::parse(&text);
        prop_assert!(services.get(port).is_none_or(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic())));
    }
}
