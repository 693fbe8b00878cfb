use super::*;
use flowtop_core::filter::Unresolved;
use proptest::prelude::*;
use std::net::IpAddr;

const S: u64 = 1_000_000_000;

struct Book;

impl Names for Book {
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if host == "db" {
            Ok(vec!["10.0.0.5".parse().unwrap()])
        } else {
            Err(Unresolved("no address is known".to_owned()))
        }
    }

    fn service(&self, name: &str) -> Option<u16> {
        (name == "https").then_some(443)
    }

    fn own_netns(&self) -> u32 {
        1
    }
}

fn condition(text: &str) -> Condition {
    Condition::parse(text, &Book).unwrap_or_else(|error| panic!("{error}\n{}", error.pointer(text)))
}

fn wrong(text: &str) -> String {
    let error = Condition::parse(text, &Book).unwrap_err();
    format!("{error}\n{}", error.pointer(text))
}

#[test]
fn a_condition_says_what_is_measured_and_for_how_long() {
    let expected = Condition {
        measure: Measure::Tx,
        bound: Bound::Above,
        bits_per_s: 4 << 30,
        held_for: Duration::from_secs(10),
        filter: None,
    };
    assert_eq!(condition("tx > 4G for 10s"), expected);
    assert_eq!(condition("  tx>4g\tfor 10s "), expected);
    let filtered = condition("total >= 1.5M for 2m and host db or port https");
    assert_eq!((filtered.measure, filtered.bound), (Measure::Total, Bound::AtLeast));
    assert_eq!((filtered.bits_per_s, filtered.held_for), (3 << 19, Duration::from_mins(2)));
    assert_eq!(filtered.filter, Some(Filter::parse("host db or port https", &Book).unwrap()));
    assert_eq!(condition("rx < 100 for 1h").bits_per_s, 100);
    assert_eq!(condition("rx > 2T for 1s").bits_per_s, 2 << 40);
    assert_eq!(condition("rx > 1 for 1h 30m and port 443"), condition("rx > 1 for 90m and port 443"));
}

#[test]
fn an_error_points_at_its_place() {
    let cases = [
        (
            "",
            "column 1: `tx`, `rx` or `total` has to stand here; write a condition like `tx > 4G for 10s and port 443`\n\n^",
        ),
        (
            "egress > 4G",
            "column 1: `tx`, `rx` or `total` has to stand here; `egress` is not it; write a condition like `tx > 4G for \
             10s and port 443`\negress > 4G\n^^^^^^",
        ),
        (
            "tx => 4G for 10s",
            "column 4: `>`, `>=` or `<` has to stand here; `=>` is not it; write a condition like `tx > 4G for 10s and \
             port 443`\ntx => 4G for 10s\n   ^^",
        ),
        (
            "tx > 4X for 10s",
            "column 6: `4X` is not a rate; give bits per second: a number with at most one of K, M, G, T, P in steps of \
             1024, as 500M or 1.5G, or with its unit in steps of 1000, as 5Gbit\ntx > 4X for 10s\n     ^^",
        ),
        (
            "tx > 8192P for 10s",
            "column 6: `8192P` is not a rate; give bits per second: a number with at most one of K, M, G, T, P in steps of \
             1024, as 500M or 1.5G, or with its unit in steps of 1000, as 5Gbit\ntx > 8192P for 10s\n     ^^^^^",
        ),
        (
            "tx > 4G for",
            "column 12: a time is missing at the end; write one like `10s`\ntx > 4G for\n           ^",
        ),
        (
            "tx > 4G for 10s port 443",
            "column 17: `port` does not follow from what is before it; a filter is joined with `and`\ntx > 4G for 10s \
             port 443\n                ^^^^",
        ),
        (
            "tx > 4G for 10s and",
            "column 20: a filter is missing at the end; write one like `port 443`\ntx > 4G for 10s and\n                   ^",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(wrong(text), expected);
    }
}

#[test]
fn an_error_in_the_filter_points_into_the_whole_text() {
    let (prefix, filter) = ("tx > 4G for 10s and ", "port 443 and udp");
    let alone = Filter::parse(filter, &Book).unwrap_err();
    let error = Condition::parse(&format!("{prefix}{filter}"), &Book).unwrap_err();
    assert_eq!(error.column(), prefix.len() + alone.column());
    assert!(wrong("tx > 1 for 1s and host nobody").ends_with(&format!("{}^^^^^^", " ".repeat(23))));
}

#[test]
fn rates_are_compared_to_the_bit() {
    let of = |text: &str, tx, ns| condition(text).holds(Bytes { tx, rx: 7 }, ns);
    assert!(!of("tx > 8K for 1s", 1024, S));
    assert!(of("tx >= 8K for 1s", 1024, S));
    assert!(of("tx > 8K for 1s", 1025, S));
    assert!(of("tx < 8K for 1s", 1024, S + 1));
    assert!(of("total > 8K for 1s", 1018, S));
    assert!(!of("tx < 8K for 1s", 0, 0));
    assert!(of("tx > 15T for 1s", u64::MAX, S));
}

proptest! {
    #[test]
    fn what_was_printed_reads_as_the_same(
        measure in prop::sample::select(vec![Measure::Tx, Measure::Rx, Measure::Total]),
        bound in prop::sample::select(vec![Bound::Above, Bound::AtLeast, Bound::Below]),
        bits_per_s in prop_oneof![0..=i64::MAX.unsigned_abs(), (0..1000_u64, 0..6_u32).prop_map(|(n, k)| n << (10 * k))],
        seconds in 1..=31_622_400_u64,
        filter in prop::sample::select(vec![None, Some("port 443"), Some("host db or not (rx port 80 and comm nginx)")]),
    ) {
        let filter = filter.map(|text| Filter::parse(&text.replace("rx ", "src "), &Book).unwrap());
        let condition = Condition { measure, bound, bits_per_s, held_for: Duration::from_secs(seconds), filter };
        let text = condition.to_string();
        prop_assert_eq!(Condition::parse(&text, &Book), Ok(condition), "{}", text);
    }

    #[test]
    fn no_text_upsets_it(text in "[txr><=0-9GKfors and.é ]{0,30}|.{0,30}") {
        if let Err(error) = Condition::parse(&text, &Book) {
            prop_assert!(error.column() <= text.chars().count() + 1);
            let _ = error.pointer(&text);
        }
    }
}
