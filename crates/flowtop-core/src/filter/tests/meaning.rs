//! Verdicts: each direction on its own.

use super::*;
use crate::owner::Identity;
use crate::scope::User;

const BOTH: Verdict = Verdict { tx: true, rx: true };
const NEITHER: Verdict = Verdict { tx: false, rx: false };
const SENT: Verdict = Verdict { tx: true, rx: false };
const RECEIVED: Verdict = Verdict { tx: false, rx: true };

fn nginx() -> Subject<'static> {
    Subject {
        pid: Some(42),
        comm: Some("nginx"),
        state: 1,
        netns: 4_026_531_840,
        ..Subject::of(tuple("10.1.2.3:443", "192.0.2.9:50000"))
    }
}

#[test]
fn each_direction_is_asked_on_its_own() {
    let table = [
        ("", BOTH),
        ("tcp", BOTH),
        ("ip", BOTH),
        ("ip6", NEITHER),
        ("host 10.1.2.3", BOTH),
        ("src host 10.1.2.3", SENT),
        ("dst host 10.1.2.3", RECEIVED),
        ("src net 192.0.2.0/24", RECEIVED),
        ("not src net 192.0.2.0/24", SENT),
        ("src and dst net 10", NEITHER),
        ("src and dst net 0.0.0.0/0", BOTH),
        ("src or dst net 10", BOTH),
        ("port 443", BOTH),
        ("dst port https", RECEIVED),
        ("src port 443 or dst port 443", BOTH),
        ("src port 443 and dst port 50000", SENT),
        ("src port 443 and inbound", NEITHER),
        ("portrange 49152-65535", BOTH),
        ("src portrange 49152-65535", RECEIVED),
        ("inbound", RECEIVED),
        ("outbound", SENT),
        ("not inbound", SENT),
        ("not udp", BOTH),
        ("net 10.0.2.0 mask 255.0.255.0", BOTH),
        ("net 10.0.3.0 mask 255.0.255.0", NEITHER),
        // `or` and `and` rank the same: ((ip6 and tcp) or port 443) and pid 1.
        ("ip6 and tcp or port 443 and pid 1", NEITHER),
        ("ip6 and (tcp or port 443)", NEITHER),
        ("tcp or port 443 and pid 1", NEITHER),
        ("tcp or (port 443 and pid 1)", BOTH),
    ];
    for (text, verdict) in table {
        assert_eq!(filter(text).verdict(&nginx()), verdict, "{text}");
    }
}

#[test]
fn flowtops_own_words() {
    let unknown = Subject { pid: None, comm: None, ..nginx() };
    let table = [
        ("pid 42", BOTH, NEITHER),
        ("not pid 42", NEITHER, BOTH),
        ("comm nginx", BOTH, NEITHER),
        ("comm ng*", BOTH, NEITHER),
        ("comm *", BOTH, NEITHER),
        ("comm ngin", NEITHER, NEITHER),
        ("state established", BOTH, BOTH),
        ("state close-wait", NEITHER, NEITHER),
        ("netns self", BOTH, BOTH),
        ("netns 1", NEITHER, NEITHER),
    ];
    for (text, known, not_known) in table {
        assert_eq!(filter(text).verdict(&nginx()), known, "{text}");
        assert_eq!(filter(text).verdict(&unknown), not_known, "{text}, process unknown");
    }
}

#[test]
fn patterns() {
    let table = [
        ("nginx", "nginx", true),
        ("nginx", "nginx2", false),
        ("n*x", "nginx", true),
        ("n*x", "nx", true),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b*", "xxbxxa", false),
        ("*ab", "aab", true),
        ("n?x", "nöx", true),
        ("n?x", "nx", false),
        ("\\*", "*", true),
        ("\\*", "x", false),
        ("*", "", true),
        ("?", "", false),
    ];
    for (pattern, text, matches) in table {
        assert_eq!(glob::Glob::parse(pattern).matches(text), matches, "{pattern} on {text}");
    }
}

#[test]
fn states_have_the_kernels_numbers() {
    for number in 1..=12 {
        let kernels = crate::wire::state_name(number);
        assert_eq!(state::number(kernels), Some(number), "{kernels}");
        assert_eq!(state::number(state::name(number)), Some(number));
    }
}

#[test]
fn pushdown_is_as_narrow_as_it_can_say() {
    let only = |families, ports, nets| Pushdown { families, ports, nets };
    let (both, v4) = (Families { v4: true, v6: true }, Families { v4: true, v6: false });
    let v6 = Families { v4: false, v6: true };
    let net = |addr: &str, prefix_bits| (addr.parse::<IpAddr>().unwrap(), prefix_bits);
    let table = [
        ("", Pushdown::everything()),
        ("pid 1", Pushdown::everything()),
        ("not port 80", Pushdown::everything()),
        ("port 80 or pid 1", Pushdown::everything()),
        ("ip", only(v4, None, None)),
        ("not ip", only(v6, None, None)),
        ("not (ip6 or comm x)", only(v4, None, None)),
        ("dst port 443 or 80 or portrange 81-90", only(both, Some(vec![80..=90, 443..=443]), None)),
        ("portrange 1-1000 and port 80", only(both, Some(vec![80..=80]), None)),
        ("ip and port 80 and comm x", only(v4, Some(vec![80..=80]), None)),
        ("net 10 and host 10.1.2.3", only(both, None, Some(vec![net("10.1.2.3", 32)]))),
        ("net 10.0.3.0 mask 255.0.255.0", only(both, None, Some(vec![net("10.0.0.0", 8)]))),
        ("host 10.1.2.3 or ::1", only(both, None, Some(vec![net("10.1.2.3", 32), net("::1", 128)]))),
        ("ip and ip6", only(Families { v4: false, v6: false }, Some(vec![]), Some(vec![]))),
        ("(ip and ip6) or port 80", only(both, Some(vec![80..=80]), None)),
    ];
    for (text, pushdown) in table {
        assert_eq!(filter(text).pushdown(), pushdown, "{text}");
    }
}

#[test]
fn what_files_say_is_matched_by_patterns() {
    let text = |text: &str| Some(text.to_owned());
    let identity = crate::owner::Identity {
        comm: text("nginx: master"),
        user: text("www-data"),
        uid: Some(33),
        unit: text("nginx.service"),
        container_id: Some("0123456789ab".repeat(6)[..64].to_owned()),
        container: text("proxy"),
        pod: text("web-7d4b-x2z"),
        namespace: text("shop"),
        ..Default::default()
    };
    let remote = crate::owner::Pod { namespace: text("data"), name: "db-0".to_owned() };
    let in_netns = crate::owner::Pod { namespace: text("shop"), name: "api-1".to_owned() };
    let known = Subject {
        identity: Some(&identity),
        label: Some("vpc"),
        remote_pod: Some(&remote),
        netns_pods: [Some(&in_netns), Some(&remote)],
        ..nginx()
    };
    for expression in [
        "user www-data",
        "user 33",
        "user 3? and not user 0",
        "unit 'nginx.*'",
        "pod web-*",
        "pod web-7d4b-x2z and ns shop",
        "container proxy",
        "container 0123456789ab",
        "container 0123*",
        "label vpc",
        "label v?c or pod x",
        "comm \"nginx: m*\"",
        "not pod api-*",
        "remote-pod db-* and remote-ns data",
        "not remote-pod web-*",
        "workload web-7d4b-x2z and not workload web",
    ] {
        assert_eq!(parse(expression).unwrap().verdict(&known), BOTH, "{expression}");
    }
    for expression in [
        "user www",
        "user 3",
        "user 033",
        "ns kube-*",
        "container web or remote-pod web-*",
        "label private",
        "unit nginx",
        "remote-ns shop",
        "workload db",
    ] {
        assert_eq!(parse(expression).unwrap().verdict(&known), NEITHER, "{expression}");
        assert_eq!(parse(expression).unwrap().verdict(&nginx()), NEITHER, "{expression}");
    }
    assert_eq!(parse("comm nginx").unwrap().verdict(&nginx()), BOTH);
}

#[test]
fn pods_of_network_namespaces_are_those_of_both_ends() {
    let pod = |namespace: &str, name: &str| crate::owner::Pod {
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let (here, there) = (pod("shop", "api-1"), pod("data", "db-0"));
    let known = Subject { netns_pods: [Some(&here), Some(&there)], ..nginx() };
    for expression in
        ["netns-pod api-* and netns-ns shop", "netns-pod db-0 and netns-ns data", "not netns-pod web-*"]
    {
        assert_eq!(parse(expression).unwrap().verdict(&known), BOTH, "{expression}");
    }
    for expression in ["netns-pod web-*", "netns-ns kube-*", "pod api-1"] {
        assert_eq!(parse(expression).unwrap().verdict(&known), NEITHER, "{expression}");
    }
    assert_eq!(parse("netns-pod *").unwrap().verdict(&nginx()), NEITHER);
}

#[test]
fn a_filter_knows_whether_it_asks_for_owners() {
    for (expression, asks) in [
        ("port 80", false),
        ("pid 1", false),
        ("label x", false),
        ("remote-pod x or remote-ns y", false),
        ("netns-pod x or netns-ns y", false),
        ("workload x", true),
        ("comm x", true),
        ("not (port 80 or pod x)", true),
    ] {
        assert_eq!(parse(expression).unwrap().asks_owner(), asks, "{expression}");
        assert_eq!(
            parse(expression).unwrap().asks_pods(),
            ["remote-", "netns-"].iter().any(|word| expression.contains(word)),
            "{expression}"
        );
    }
}

#[test]
fn a_filter_tells_what_of_this_host_it_asks_for() {
    let asked = filter("pid 7 or not netns 5 and user www-data or user 33 or user w* or comm x").wanted();
    let user = |name: &str| Wanted::User(name.to_owned());
    assert_eq!(asked, [Wanted::Pid(7), Wanted::Netns(5), user("www-data"), user("33")]);
}

#[test]
fn what_is_asked_about_processes_holds_if_it_does_at_one_end() {
    let identity = Identity { user: Some("redis".to_owned()), ..Identity::default() };
    let redis =
        User { pid: Some(6), comm: Some("redis-server"), identity: Some(&identity), ..User::default() };
    let connection = Subject { peer: Some(redis), ..nginx() };
    for text in ["pid 42", "pid 6", "comm redis-*", "comm nginx and comm redis-server", "user redis"] {
        assert_eq!(filter(text).verdict(&connection), BOTH, "{text}");
        assert_eq!(filter(&format!("not ({text})")).verdict(&connection), NEITHER, "{text}");
    }
    assert_eq!(filter("pid 7 or comm sshd or user root").verdict(&connection), NEITHER);
}
