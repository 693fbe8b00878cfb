//! Laws that hold for every expression.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use flowtop_common::{Admission, Flow, FlowKey, flags};

use super::expr::{Ends, Expr, Test, Word};
use super::*;
use crate::column::{self, Source};
use crate::fixture;
use crate::flow::Tuple;
use crate::ledger::Ledger;
use crate::rows::{Row, rows};
use crate::scope::{self, AllOf};
use crate::view::View;
use crate::who::Who;
use crate::wire::Sample;

/// Few values, so that filters and flows meet.
fn addr() -> impl Strategy<Value = IpAddr> {
    select(vec!["10.0.0.1", "10.0.0.2", "10.9.0.1", "192.0.2.1", "::1", "2001:db8::1", "2001:db8:9::1"])
        .prop_map(|text| text.parse().unwrap())
}

fn net() -> impl Strategy<Value = Net> {
    (addr(), any::<u32>(), 0..=128_u8).prop_map(|(addr, gaps, prefix_bits)| match addr {
        IpAddr::V4(addr) => {
            let mask = if gaps % 4 == 0 { gaps } else { net::ones_v4(prefix_bits % 33) };
            Net::V4 { addr: addr.to_bits() & mask, mask }
        }
        IpAddr::V6(addr) => {
            let mask = net::ones_v6(prefix_bits);
            Net::V6 { addr: addr.to_bits() & mask, mask }
        }
    })
}

fn ends() -> impl Strategy<Value = Ends> {
    select(vec![Ends::Either, Ends::Source, Ends::Destination, Ends::Both])
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 79..83_u16, 1 => any::<u16>()]
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        select(vec![Test::Tcp, Test::Ip, Test::Ip6, Test::Inbound, Test::Outbound]),
        (ends(), net()).prop_map(|(ends, net)| Test::Addr(ends, net)),
        (ends(), port(), port()).prop_map(|(ends, a, b)| Test::Port(ends, a.min(b)..=a.max(b))),
        prop_oneof![0..4_u32, any::<u32>()].prop_map(Test::Pid),
        "[a-c*?\\\\\" ü()]{1,8}".prop_map(|text| Test::Comm(glob::Glob::parse(&text))),
        "[a-c*? -]{1,8}".prop_map(|text| Test::Named(words::Named::Label, glob::Glob::parse(&text))),
        select(vec![1, 4, 5, 7, 8, 9, 11_u32]).prop_map(Test::State),
        (0..3_u32).prop_map(Test::Netns),
        select(vec!["udp", "arp", "icmp6", "proto 17", "multicast"]).prop_map(|w| Test::Never(w.to_owned())),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let expr = test().prop_map(Expr::Test).prop_recursive(5, 40, 4, |inner| {
        let word = select(vec![Word::And, Word::Or]);
        prop_oneof![
            1 => inner.clone().prop_map(Expr::negated),
            3 => (word, vec(inner, 2..4)).prop_map(|(word, parts)| {
                parts.into_iter().reduce(|all, part| all.joined(word, part)).unwrap()
            }),
        ]
    });
    expr.prop_map(|expr| if expr.constant() == Some(false) { expr.negated() } else { expr })
}

fn a_filter() -> impl Strategy<Value = Filter> {
    option::weighted(0.95, expr()).prop_map(|root| Filter { root })
}

fn a_tuple() -> impl Strategy<Value = Tuple> {
    let end = || (addr(), port()).prop_map(std::net::SocketAddr::from);
    (end(), end()).prop_map(|(local, remote)| Tuple { local, remote })
}

fn key_of(tuple: &Tuple, id: u64) -> FlowKey {
    fixture::key(1, &tuple.local.to_string(), &tuple.remote.to_string(), id)
}

fn a_subject() -> impl Strategy<Value = Subject<'static>> {
    let comm = option::of(select(vec!["a", "b c", "aü", "abc"]));
    (a_tuple(), option::of(0..4_u32), comm, 1..=12_u32, 0..3_u32).prop_map(
        |(tuple, pid, comm, state, netns)| Subject {
            pid,
            comm,
            state,
            netns,
            label: comm,
            ..Subject::of(tuple)
        },
    )
}

/// Pieces that expressions are made of, and some that they are not.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "src",
        "dst",
        "host",
        "net",
        "port",
        "portrange",
        "proto",
        "ip",
        "ip6",
        "tcp",
        "udp",
        "and",
        "or",
        "not",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "/",
        "8",
        "80",
        "1-2",
        "10.0",
        "10.1.2.3",
        "::1",
        "fe80::",
        "http",
        "mask",
        "255.0.0.0",
        "pid",
        "comm",
        "'x",
        "\"a*\"",
        "state",
        "listen",
        "netns",
        "self",
        "inbound",
        "\\tcp",
        "label",
        "pod",
        "ether",
        "len",
        "[",
        "0x",
        "ü",
        "\t",
    ];
    vec(select(pieces), 0..12).prop_map(|pieces| pieces.join(" "))
}

/// An error points into the expression or just behind it; a filter survives its own text.
fn check(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(filter) => prop_assert_eq!(parse(&filter.to_string()), Ok(filter)),
        Err(error) => {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column()));
            let pointer = error.pointer(text);
            prop_assert_eq!(pointer.lines().count(), 2, "{}", pointer);
        }
    }
    Ok(())
}

/// Networks of both families as `-F` and `-G` take them.
fn a_boundary() -> impl Strategy<Value = Boundary> {
    let net = |addr: &'static [&str], bits: u8| {
        (select(addr), 1..=bits).prop_map(|(addr, prefix_bits)| format!("{addr}/{prefix_bits}"))
    };
    let v4 = vec(net(&["10.0.0.1", "10.9.0.1", "192.0.2.1"], 32), 0..3);
    let v6 = vec(net(&["::1", "2001:db8::1", "2001:db8:9::1"], 128), 0..3);
    (v4, v6).prop_map(|(v4, v6)| Boundary::new(&v4, &v6).unwrap())
}

/// Every flow and its other end, with bytes of its own.
fn flows_of(tuples: &[Tuple]) -> Vec<(FlowKey, Flow)> {
    let mirrored = tuples.iter().flat_map(|&tuple| [tuple, tuple.mirror()]);
    let one_family = mirrored.filter(|tuple| tuple.local.is_ipv4() == tuple.remote.is_ipv4());
    let flow = |n: u64| fixture::flow(flags::BORN, n, 2 * n);
    (1..).zip(one_family).map(|(n, tuple)| (key_of(&tuple, n), flow(n))).collect()
}

/// Every field of the rows of these flows, and the totals.
fn report(mut ledger: Ledger, flows: &[(FlowKey, Flow)]) -> String {
    ledger.apply(&Sample::default());
    ledger.apply(&fixture::sample(1, flows));
    let rows = rows(&ledger, &View::default());
    let values = |row: &Row<'_>| {
        let source = Source::new(row, ledger.at_ns(), Who::nobody());
        column::ALL.iter().map(|column| column.value(&source)).collect::<Vec<_>>()
    };
    format!("{:?} {:?}", rows.iter().map(values).collect::<Vec<_>>(), ledger.totals())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_canonical_text_parses_to_the_same_filter(filter in a_filter()) {
        let text = filter.to_string();
        prop_assert_eq!(parse(&text).map_err(|error| format!("{error}\n{}", error.pointer(&text))), Ok(filter));
    }

    /// Quotes change nothing where a name is asked for, whatever the word means elsewhere.
    #[test]
    fn a_word_of_the_language_is_a_name_where_one_is_asked_for(
        asking in select(vec!["comm", "user", "unit", "pod", "ns", "workload", "container", "label", "remote-pod", "remote-ns", "netns-pod"]),
        word in select(words::all()),
        around in select(vec!["{}", "not {}", "({})", "tcp and {}", "{} or port 80", "{} and host ::1 or {}", "! ({} || ip)"]),
    ) {
        let text = around.replace("{}", &format!("{asking} {word}"));
        let quoted = around.replace("{}", &format!("{asking} \"{word}\""));
        prop_assert_eq!(parse(&text), parse(&quoted), "{}", text);
        prop_assert!(parse(&text).is_ok(), "{}", text);
    }

    #[test]
    fn any_text_parses_or_says_where_it_does_not(text in "\\PC{0,40}") {
        check(&text)?;
    }

    #[test]
    fn any_bytes_parse_or_say_where_they_do_not(bytes in vec(any::<u8>(), 0..40)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_words_parse_or_say_where_they_do_not(text in soup()) {
        check(&text)?;
    }

    #[test]
    fn what_passes_is_admitted(filter in a_filter(), subject in a_subject()) {
        let verdict = filter.verdict(&subject);
        if verdict.tx || verdict.rx {
            prop_assert!(filter.pushdown().admits(&subject.tuple), "{} {:?}", filter, filter.pushdown());
        }
    }

    #[test]
    fn the_kernel_admits_what_the_pushdown_admits(filter in a_filter(), subject in a_subject()) {
        let (tuple, pushdown) = (subject.tuple, filter.pushdown());
        prop_assume!(tuple.local.is_ipv4() == tuple.remote.is_ipv4());
        let admitted = pushdown.admission().admits(&key_of(&tuple, 1));
        let fit = pushdown.ports.as_ref().is_none_or(|ports| ports.len() <= Admission::LISTED)
            && pushdown.nets.as_ref().is_none_or(|nets| nets.len() <= Admission::LISTED);
        prop_assert!(admitted || !pushdown.admits(&tuple), "{} {:?}", filter, pushdown.admission());
        prop_assert!(!admitted || !fit || pushdown.admits(&tuple), "{} {:?}", filter, pushdown.admission());
    }

    #[test]
    fn reports_do_not_depend_on_where_the_filter_is_asked(filter in a_filter(), tuples in vec(a_tuple(), 1..20)) {
        let admission = filter.pushdown().admission();
        let ledger = || {
            let mut ledger = Ledger::new(1000, 0);
            ledger.set_scope(Some(Box::new(filter.clone())));
            ledger
        };
        let all = flows_of(&tuples);
        let admitted: Vec<_> = all.iter().filter(|(key, _)| admission.admits(key)).copied().collect();
        prop_assert_eq!(report(ledger(), &all), report(ledger(), &admitted), "{}", filter);
    }

    #[test]
    fn nor_on_where_borders_are(
        (filter, boundary) in (a_filter(), a_boundary()),
        (v4, v6) in (any::<bool>(), any::<bool>()),
        tuples in vec(a_tuple(), 1..20),
    ) {
        let pushdown = filter.pushdown().and(boundary.pushdown()).and(Pushdown::of_families(v4, v6));
        let ledger = || {
            let scopes: Vec<Box<dyn Scope>> =
                vec![Box::new(filter.clone()), Box::new(boundary.clone()), Box::new(scope::Families { v4, v6 })];
            let mut ledger = Ledger::new(1000, 0).seen_from(boundary.clone());
            ledger.set_scope(Some(Box::new(AllOf(scopes))));
            ledger
        };
        let (all, admission) = (flows_of(&tuples), pushdown.admission());
        let admitted: Vec<_> = all.iter().filter(|(key, _)| admission.admits(key)).copied().collect();
        prop_assert_eq!(report(ledger(), &all), report(ledger(), &admitted), "{:?}", pushdown);
    }

    #[test]
    fn the_other_end_sees_the_directions_swapped(filter in a_filter(), subject in a_subject()) {
        let text = filter.to_string().replace("inbound", "netns 1").replace("outbound", "netns 1");
        let filter = parse(&text).unwrap();
        let mut tuple = subject.tuple;
        if tuple.local.is_ipv4() != tuple.remote.is_ipv4() {
            tuple.remote.set_ip(tuple.local.ip());
        }
        let verdict = filter.verdict(&Subject { tuple, ..subject });
        let mirrored = filter.verdict(&Subject { tuple: tuple.mirror(), ..subject });
        prop_assert_eq!((verdict.tx, verdict.rx), (mirrored.rx, mirrored.tx), "{}", text);
    }
}
