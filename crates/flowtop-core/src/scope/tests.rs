//! Each scope on its own, and together.

use super::*;

fn subject(local: &str, remote: &str) -> Subject<'static> {
    let tuple = Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    Subject { state: 1, netns: 1, ..Subject::of(tuple) }
}

fn verdict(scope: &dyn Scope, local: &str, remote: &str) -> Verdict {
    scope.verdict(&subject(local, remote))
}

/// Carries what sockets of namespace 2 send to one address.
#[derive(Debug)]
struct ToOne(IpAddr);

impl Carriers for ToOne {
    fn carry(&self, netns: u32, tuple: &Tuple) -> bool {
        netns == 2 && tuple.remote.ip() == self.0
    }

    fn lead_to(&self, _netns: u32) -> bool {
        false
    }

    fn are_for(&self, netns: u32) -> bool {
        netns == 2
    }
}

#[test]
fn interfaces_are_asked_about_both_ends() {
    let scope = OnInterfaces(Rc::new(ToOne("192.0.2.9".parse().unwrap())));
    let there = subject("192.0.2.1:40000", "192.0.2.9:443");
    assert_eq!((scope.verdict(&there), scope.asks_for(&there)), (Verdict::NONE, Some(false)));
    let here = Subject { netns: 2, ..there };
    assert_eq!((scope.verdict(&here), scope.asks_for(&here)), (Verdict::ALL, Some(true)));
    // Of a connection that is seen from its other end.
    let mirrored = Subject { peer: Some(here.user()), ..subject("192.0.2.9:443", "192.0.2.1:40000") };
    assert_eq!((scope.verdict(&mirrored), scope.asks_for(&mirrored)), (Verdict::ALL, Some(false)));
    assert_eq!(scope.prefers_second(&mirrored, &here), Some(true));
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
    assert_eq!(
        of(vec![Box::new(Sent), Box::new(OnInterfaces(Rc::new(ToOne(IpAddr::from([192, 0, 2, 9])))))]),
        Verdict::NONE
    );
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
