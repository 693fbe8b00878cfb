//! The section `limits`, and the text that earlier recorders wrote in its place.

use std::net::{IpAddr, Ipv6Addr};

use super::columns::{Column, column, fit};
use super::flows::optional;
use super::shared::Shared;
use flowtop_core::filter::Boundary;
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};

/// A limit as the columns have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LimitRow {
    kind: u64,
    text: Option<String>,
    address: Option<[u8; 16]>,
    prefix_bits: u8,
    number: u64,
}

/// Numbers in column `kind`; they never change. Any other one is a setting of a later flowtop.
mod kind {
    pub(super) const OTHER: u64 = 0;
    pub(super) const FILTER: u64 = 1;
    pub(super) const INTERFACE: u64 = 2;
    pub(super) const NETWORK_V4: u64 = 3;
    pub(super) const NETWORK_V6: u64 = 4;
    pub(super) const IPV4_ONLY: u64 = 5;
    pub(super) const IPV6_ONLY: u64 = 6;
    pub(super) const PROCESS: u64 = 7;
    pub(super) const CGROUP: u64 = 8;
    pub(super) const MOUNT_NAMESPACE: u64 = 9;
}

pub(super) const LIMITS: &[Column<LimitRow, Shared>] = &[
    column("kind", |row, _| row.kind, |row, _, number| fit(&mut row.kind, number)),
    optional!("text", text),
    column(
        "address",
        |row, place| row.address.map_or(0, |address| place.shared.addresses.number(&address) + 1),
        |row, place, number| {
            row.address = match number.checked_sub(1) {
                Some(number) => Some(*place.shared.addresses.value(number)?),
                None => None,
            };
            Some(())
        },
    ),
    column(
        "prefix_bits",
        |row, _| row.prefix_bits.into(),
        |row, _, number| fit(&mut row.prefix_bits, number),
    ),
    column("number", |row, _| row.number, |row, _, number| fit(&mut row.number, number)),
];

/// The rows of a record's limits.
pub(super) fn rows(limits: &TrafficLimits) -> Vec<LimitRow> {
    limits.0.iter().map(row).collect()
}

fn row(limit: &TrafficLimit) -> LimitRow {
    let text = |kind, text: &String| LimitRow { kind, text: Some(text.clone()), ..LimitRow::default() };
    let number = |kind, number| LimitRow { kind, number, ..LimitRow::default() };
    match limit {
        TrafficLimit::Filter(filter) => text(kind::FILTER, filter),
        TrafficLimit::Interface(name) => text(kind::INTERFACE, name),
        TrafficLimit::Network { address, prefix_bits } => LimitRow {
            kind: if address.is_ipv4() { kind::NETWORK_V4 } else { kind::NETWORK_V6 },
            address: Some(octets(*address)),
            prefix_bits: *prefix_bits,
            ..LimitRow::default()
        },
        TrafficLimit::Ipv4Only => number(kind::IPV4_ONLY, 0),
        TrafficLimit::Ipv6Only => number(kind::IPV6_ONLY, 0),
        TrafficLimit::Process(pid) => number(kind::PROCESS, *pid),
        TrafficLimit::Cgroup(path) => text(kind::CGROUP, path),
        TrafficLimit::MountNamespace(inode) => number(kind::MOUNT_NAMESPACE, *inode),
        TrafficLimit::Other(flag) => text(kind::OTHER, flag),
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Addresses of all networks, for the dictionary of the record.
pub(super) fn addresses(limits: &TrafficLimits) -> impl Iterator<Item = [u8; 16]> {
    limits.0.iter().filter_map(|limit| match limit {
        TrafficLimit::Network { address, .. } => Some(octets(*address)),
        _ => None,
    })
}

/// Texts of all rows, and the one of the column `limits` of the section `record`.
pub(super) fn texts(limits: &TrafficLimits) -> impl Iterator<Item = String> {
    let of_rows = rows(limits).into_iter().filter_map(|row| row.text);
    of_rows.chain([limits.to_string()])
}

/// The limits that rows say. The error is the column that is wrong.
pub(super) fn of_rows(rows: Vec<LimitRow>) -> Result<TrafficLimits, &'static str> {
    rows.into_iter().map(of_row).collect::<Result<_, _>>().map(TrafficLimits)
}

fn of_row(row: LimitRow) -> Result<TrafficLimit, &'static str> {
    let LimitRow { kind, text, address, prefix_bits, number } = row;
    let text = text.ok_or("text");
    Ok(match kind {
        kind::FILTER => TrafficLimit::Filter(text?),
        kind::INTERFACE => TrafficLimit::Interface(text?),
        kind::NETWORK_V4 | kind::NETWORK_V6 => network(kind, address, prefix_bits)?,
        kind::IPV4_ONLY => TrafficLimit::Ipv4Only,
        kind::IPV6_ONLY => TrafficLimit::Ipv6Only,
        kind::PROCESS => TrafficLimit::Process(number),
        kind::CGROUP => TrafficLimit::Cgroup(text?),
        kind::MOUNT_NAMESPACE => TrafficLimit::MountNamespace(number),
        _ => TrafficLimit::Other(text?),
    })
}

fn network(kind: u64, address: Option<[u8; 16]>, prefix_bits: u8) -> Result<TrafficLimit, &'static str> {
    let address = Ipv6Addr::from(address.ok_or("address")?);
    let (address, most_bits) = match address.to_ipv4_mapped() {
        Some(v4) if kind == kind::NETWORK_V4 => (IpAddr::V4(v4), 32),
        None if kind == kind::NETWORK_V4 => return Err("address"),
        _ => (IpAddr::V6(address), 128),
    };
    let is_prefix = (1..=most_bits).contains(&prefix_bits);
    if is_prefix { Ok(TrafficLimit::Network { address, prefix_bits }) } else { Err("prefix_bits") }
}

/// Flags in the text of a recorder without the section. All but the first group have a value behind them.
const FAMILIES: [&str; 2] = ["-4", "-6"];
const WITH_VALUE: [&str; 7] = ["-f", "-i", "-F", "-G", "--pid", "--cgroup", "--mntns"];

/// The limits that a recorder without the section `limits` wrote as one text: its flags as typed, a filter in
/// quotes. What is none of them stays as it is written.
pub(super) fn of_text(text: &str) -> TrafficLimits {
    let mut limits = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (flag, behind) = rest.split_at(end_of_flag(rest));
        limits.push(of_flag(flag));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    TrafficLimits(limits)
}

/// How many bytes the first flag has with its value: up to the space before the next flag, which in a filter is the
/// first one behind a quote.
fn end_of_flag(text: &str) -> usize {
    let is_filter = text.starts_with("-f '");
    let is_end = |at: &usize| {
        let (flag, behind) = (&text[..*at], &text[at + 1..]);
        starts_with_flag(behind) && (!is_filter || flag.len() > "-f '".len() && flag.ends_with('\''))
    };
    text.match_indices(' ').map(|(at, _)| at).find(is_end).unwrap_or(text.len())
}

fn starts_with_flag(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    FAMILIES.contains(&word) || WITH_VALUE.contains(&word) && word.len() < text.len()
}

fn of_flag(text: &str) -> TrafficLimit {
    let (flag, value) = text.split_once(' ').unwrap_or((text, ""));
    let known = match flag {
        "-f" => quoted(value).map(|filter| TrafficLimit::Filter(filter.to_owned())),
        "-i" => Some(TrafficLimit::Interface(value.to_owned())),
        "-F" => Boundary::new(&[value.to_owned()], &[]).ok().and_then(|border| only_network(&border)),
        "-G" => Boundary::new(&[], &[value.to_owned()]).ok().and_then(|border| only_network(&border)),
        "-4" if value.is_empty() => Some(TrafficLimit::Ipv4Only),
        "-6" if value.is_empty() => Some(TrafficLimit::Ipv6Only),
        "--pid" => value.parse().ok().map(TrafficLimit::Process),
        "--cgroup" => Some(TrafficLimit::Cgroup(value.to_owned())),
        "--mntns" => value.parse().ok().map(TrafficLimit::MountNamespace),
        _ => None,
    };
    known.unwrap_or_else(|| TrafficLimit::Other(text.to_owned()))
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

fn only_network(border: &Boundary) -> Option<TrafficLimit> {
    let (address, prefix_bits) = border.networks().next()?;
    Some(TrafficLimit::Network { address, prefix_bits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> TrafficLimit {
        let (address, bits) = text.split_once('/').unwrap();
        TrafficLimit::Network { address: address.parse().unwrap(), prefix_bits: bits.parse().unwrap() }
    }

    #[test]
    fn the_text_of_earlier_recorders_is_read_as_values() {
        let filter = |text: &str| TrafficLimit::Filter(text.to_owned());
        let cases = [
            ("", vec![]),
            ("-f 'port 443' -i eth0", vec![filter("port 443"), TrafficLimit::Interface("eth0".to_owned())]),
            ("-i eth0 -f 'port 443'", vec![TrafficLimit::Interface("eth0".to_owned()), filter("port 443")]),
            ("-F 10.0.0.7/255.0.0.0 -4", vec![network("10.0.0.0/8"), TrafficLimit::Ipv4Only]),
            ("-F 10.0.0.0/8 -F 192.168.0.0/16", vec![network("10.0.0.0/8"), network("192.168.0.0/16")]),
            ("-G 2001:db8::1/32 -6", vec![network("2001:db8::/32"), TrafficLimit::Ipv6Only]),
            (
                "--pid 7 --cgroup /a b --mntns 9",
                vec![
                    TrafficLimit::Process(7),
                    TrafficLimit::Cgroup("/a b".to_owned()),
                    TrafficLimit::MountNamespace(9),
                ],
            ),
            ("-f 'comm a -F 10.0.0.0/8 or port 1'", vec![filter("comm a -F 10.0.0.0/8 or port 1")]),
        ];
        for (text, limits) in cases {
            assert_eq!(of_text(text).0, limits, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_flag_stays_as_it_is() {
        for text in ["-F nowhere", "--pid x", "-f port", "-4 x", "--later 5 x", "-i", " ", "-f '"] {
            let limits = of_text(text);
            assert!(
                matches!(&limits.0[..], [TrafficLimit::Other(_) | TrafficLimit::Interface(_)]),
                "{limits:?}"
            );
            assert_eq!(limits.to_string().trim_end(), text.trim_end());
        }
    }

    #[test]
    fn rows_that_cannot_be_are_refused() {
        let row = |kind, address, prefix_bits| LimitRow { kind, address, prefix_bits, ..LimitRow::default() };
        let (v4, v6) = (Some(octets([10, 0, 0, 0].into())), Some([0x20; 16]));
        let cases = [
            (row(kind::FILTER, None, 0), "text"),
            (row(99, None, 0), "text"),
            (row(kind::NETWORK_V4, None, 8), "address"),
            (row(kind::NETWORK_V4, v6, 8), "address"),
            (row(kind::NETWORK_V4, v4, 0), "prefix_bits"),
            (row(kind::NETWORK_V4, v4, 33), "prefix_bits"),
            (row(kind::NETWORK_V6, v6, 129), "prefix_bits"),
        ];
        for (row, column) in cases {
            assert_eq!(of_row(row.clone()), Err(column), "{row:?}");
        }
    }

    #[test]
    fn a_setting_of_a_later_flowtop_is_shown_as_that_one_shows_it() {
        let row = LimitRow { kind: 99, text: Some("--later 5".to_owned()), number: 5, ..LimitRow::default() };
        assert_eq!(of_rows(vec![row]).unwrap().to_string(), "--later 5");
    }

    /// A limit whose text can be told apart from what is beside it.
    fn plain_limit() -> impl Strategy<Value = TrafficLimit> {
        let v4 = (any::<[u8; 4]>(), 1..=32_u8)
            .prop_map(|(address, bits)| format!("{}/{bits}", IpAddr::from(address)));
        let v6 = (any::<[u8; 16]>(), 1..=128_u8)
            .prop_map(|(address, bits)| format!("{}/{bits}", IpAddr::from(address)));
        prop_oneof![
            "[a-z0-9 ()]{1,20}".prop_map(TrafficLimit::Filter),
            "[a-z0-9@.]{1,15}".prop_map(TrafficLimit::Interface),
            v4.prop_map(|text| of_flag(&format!("-F {text}"))),
            v6.prop_map(|text| of_flag(&format!("-G {text}"))),
            Just(TrafficLimit::Ipv4Only),
            Just(TrafficLimit::Ipv6Only),
            any::<u64>().prop_map(TrafficLimit::Process),
            "/[a-z./]{0,20}".prop_map(TrafficLimit::Cgroup),
            any::<u64>().prop_map(TrafficLimit::MountNamespace),
        ]
    }

    proptest! {
        #[test]
        fn the_text_of_limits_says_all_of_them(limits in prop::collection::vec(plain_limit(), 0..6)) {
            let limits = TrafficLimits(limits);
            prop_assert_eq!(of_text(&limits.to_string()), limits);
        }

        #[test]
        fn any_text_is_read_and_no_flag_is_lost(text in "( |-F|-f|'|-4|10.0.0.0/8|--pid|7|[a-z]){0,12}") {
            let limits = of_text(&text);
            prop_assert_eq!(limits.is_empty(), text.is_empty());
        }
    }
}
