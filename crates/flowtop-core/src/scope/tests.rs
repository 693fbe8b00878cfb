//! Each scope on its own, and together.

use super::*;

fn subject(local: &str, remote: &str) -> Subject<'static> {
    let tuple = Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    Subject { state: 1, netns: 1, ..Subject::of(tuple) }
}

fn verdict(scope: &dyn Scope, local: &str, remote: &str) -> Verdict {
    scope.verdict(&subject(local, remote))
}

#[test]
fn an_interface_is_its_addresses() {
    let eth0 = Addresses {
        exact: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        loopback: false,
    };
    for (local, counts) in [
        ("192.0.2.1:40000", true),
        ("[2001:db8::1]:40000", true),
        ("192.0.2.2:40000", false),
        ("[2001:db8::2]:40000", false),
        ("127.0.0.1:40000", false),
    ] {
        let remote = if local.starts_with('[') { "[2001:db8::9]:443" } else { "192.0.2.9:443" };
        assert_eq!(verdict(&eth0, local, remote), Verdict::both(counts), "{local}");
        assert_eq!(verdict(&eth0, remote, local), Verdict::NONE, "{remote}");
        let other_here = Subject { both_here: true, ..subject(remote, local) };
        assert_eq!(eth0.verdict(&other_here), Verdict::both(counts), "{local}");
    }
}

#[test]
fn the_loopback_interface_has_every_loopback_address() {
    let lo = Addresses { exact: vec!["127.0.0.1".parse().unwrap()], loopback: true };
    assert_eq!(verdict(&lo, "127.9.9.9:1", "127.0.0.1:2"), Verdict::ALL);
    assert_eq!(verdict(&lo, "[::1]:1", "[::1]:2"), Verdict::ALL);
    assert_eq!(verdict(&lo, "192.0.2.1:1", "192.0.2.1:2"), Verdict::NONE);
}

#[test]
fn link_local_is_ipv6_at_either_end() {
    for (local, remote, counts) in [
        ("[fe80::1]:1", "[2001:db8::1]:2", false),
        ("[2001:db8::1]:1", "[febf::1]:2", false),
        ("[fec0::1]:1", "[2001:db8::1]:2", true),
        ("169.254.0.1:1", "169.254.0.2:2", true),
    ] {
        assert_eq!(verdict(&NoLinkLocal, local, remote), Verdict::both(counts), "{local} {remote}");
    }
}

/// Counts the sent direction only.
#[derive(Debug)]
struct Sent;

impl Scope for Sent {
    fn verdict(&self, _: &Subject<'_>) -> Verdict {
        Verdict { tx: true, rx: false }
    }
}

#[test]
fn all_of_is_what_all_agree_on() {
    let of = |scopes| verdict(&AllOf(scopes), "192.0.2.1:1", "192.0.2.2:2");
    assert_eq!(of(vec![]), Verdict::ALL);
    assert_eq!(of(vec![Box::new(NoLinkLocal), Box::new(Sent)]), Verdict { tx: true, rx: false });
    assert_eq!(of(vec![Box::new(Sent), Box::new(Addresses::default())]), Verdict::NONE);
    assert_eq!(AllOf(vec![Box::new(NoLinkLocal)]).untracked(), Verdict::ALL);
    assert_eq!(AllOf(vec![Box::new(NoLinkLocal), Box::new(Sent)]).untracked(), Verdict::NONE);
}

#[test]
fn a_verdict_seen_from_the_other_end() {
    let sent = Verdict { tx: true, rx: false };
    assert_eq!(sent.mirror(), Verdict { tx: false, rx: true });
    assert_eq!(sent.of(Bytes { tx: 3, rx: 4 }), Bytes { tx: 3, rx: 0 });
    assert_eq!(sent.mirror().of(Bytes { tx: 3, rx: 4 }), Bytes { tx: 0, rx: 4 });
}
