//! The table as a whole; the values are tested where they are written, in `flowtop_view::json` and `flowtop_view::csv`.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// The page is written by hand, except between these markers.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference.md"));
const MARKERS: [&str; 2] = ["<!-- fields -->\n", "<!-- /fields -->"];

#[test]
fn the_table_in_the_reference_is_this_one() {
    let mut table = "| field | type | content |\n|---|---|---|\n".to_owned();
    for Column { name, kind, doc, .. } in ALL {
        writeln!(table, "| `{name}` | {kind} | {doc} |").unwrap();
    }
    let written = REFERENCE.split_once(MARKERS[0]).and_then(|(_, rest)| rest.split_once(MARKERS[1]));
    assert_eq!(
        written.map(|(table, _)| table),
        Some(table.as_str()),
        "docs/reference.md must have this table:\n{table}"
    );
}

#[test]
fn names_are_unique_and_those_of_the_peer_come_last() {
    let mut sorted = names();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), ALL.len());
    assert!(ALL.is_sorted_by_key(|column| column.in_peer().is_some()));
}

#[test]
fn fields_are_picked_in_the_order_asked_for() {
    let picked = parse("pid, tx_bytes,peer_comm").unwrap();
    let names: Vec<_> = picked.iter().map(|column| column.name).collect();
    assert_eq!(names, ["pid", "tx_bytes", "peer_comm"]);
    let twice = parse("pid,tx_bytes, pid").unwrap_err();
    assert_eq!(twice.to_string(), "give each field once; pid is there twice");
}

#[test]
fn an_unknown_field_is_named_with_those_there_are() {
    for (fields, unknown) in [("pid,bytes", "bytes"), ("", ""), ("pid,", ""), ("PID", "PID")] {
        let error = parse(fields).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("unknown field {unknown:?}; the fields are local_addr,local_port,")),
            "{error}"
        );
        assert!(error.ends_with(",peer_netns_namespace"), "{error}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Number),
        (0..1_u32 << 20).prop_map(|thousandths| Value::Number(f64::from(thousandths) / 1e3)),
        Just(Value::Word("CLOSE_WAIT")),
        any::<String>().prop_map(Value::Text),
        "[a\"\\\\\\x00-\\x20\\x7f\u{e9}\u{2028}]{0,5}".prop_map(Value::Text),
        any::<u32>().prop_map(|bits| Value::Address(std::net::Ipv4Addr::from_bits(bits).into())),
        any::<u128>().prop_map(|bits| Value::Address(std::net::Ipv6Addr::from_bits(bits).into())),
    ]
}

proptest! {
    #[test]
    fn json_is_that_of_serde(value in value()) {
        let mut text = String::new();
        value.write_json(&mut text);
        prop_assert_eq!(text, serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn numbers_are_plain_and_as_short_as_can_be(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO, bytes in 0..1_u64 << 50, ns in 1..1_u64 << 40) {
        for number in [number, bytes as f64, bytes as f64 * 1e9 / ns as f64, ns as f64 / 1e9] {
            let (text, std) = (Value::Number(number).text(), number.to_string());
            prop_assert!(text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-'), "{}", text);
            // Of two texts of that length that are equally near, either may be taken.
            prop_assert_eq!((text.parse::<f64>().unwrap(), text.len()), (number, std.len()));
        }
    }
}
