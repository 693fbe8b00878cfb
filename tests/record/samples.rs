//! Made-up recordings that together have everything a record can say.

use std::net::Ipv6Addr;
use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, Untracked, flags};
use flowtop_core::owner::{Identity, Pod};
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::record::{Fill, FlowRecord, Host, InterfaceRecord, Span};
use flowtop_core::scope::Verdict;
use flowtop_recording::format::reference::Reference;
use flowtop_recording::format::sparse::Keep;

use super::*;

/// The recordings by the names of their golden files.
pub fn all() -> [(&'static str, Vec<Record>); 7] {
    let sparse = Keep { top: Some(4), over: None };
    [
        ("whole", Reference::of(10).take(2).collect()),
        ("sparse", Reference::of(40).take(2).map(|record| sparse.apply(record)).collect()),
        ("gap", vec![beside_flows()]),
        ("hosts", [1, 2].map(|number| at_host(number, Reference::of(4).next().unwrap())).to_vec()),
        ("corners", vec![corners(), Record::default()]),
        ("limits", vec![with_limits()]),
        ("wire", Reference::of(40).take(2).map(|record| sparse.apply(record)).collect()),
    ]
}

fn at_host(number: u8, record: Record) -> Record {
    let host =
        Host { name: format!("node-{number}"), machine_id: [number; 16], boot_id: [number | 0xf0; 16] };
    Record { host, ..record }
}

/// Everything that a record has beside flows.
fn beside_flows() -> Record {
    let record = Reference::of(3).next().unwrap();
    let start_ns = record.span.start_ns - 45_000_000_000;
    Record {
        gap: Some(Gap { start_ns, totals: Bytes { tx: 123_456, rx: 789 } }),
        unwritten: 2,
        losses: vec![("slot".to_owned(), 3), ("ledger".to_owned(), 1)],
        lock_conflicts_us: vec![record.span.start_us + 7, record.span.start_us - 1_000_000, -1],
        limits: TrafficLimits(vec![
            TrafficLimit::Interface("eth0".to_owned()),
            TrafficLimit::Filter("port 443".to_owned()),
        ]),
        untracked: Untracked {
            flows: 5,
            tx_bytes: 4000,
            rx_bytes: 3000,
            mirrored_tx_bytes: 200,
            mirrored_rx_bytes: 100,
        },
        table: Fill { used: 131_072, max: 131_072 },
        interfaces: vec![InterfaceRecord {
            name: "eth0".to_owned(),
            bytes: Bytes { tx: 1 << 40, rx: 17 },
            packets: Bytes { tx: 1 << 30, rx: 2 },
            drops: Bytes { tx: 0, rx: 1 },
        }],
        ..record
    }
}

/// Every setting that keeps traffic out.
fn with_limits() -> Record {
    let network = |address: &str, prefix_bits| {
        let address = address.parse().unwrap();
        TrafficLimit::Network { address, prefix_bits }
    };
    let limits = vec![
        TrafficLimit::Filter("port 443 or comm \u{fc}ber".to_owned()),
        TrafficLimit::Interface("eth0".to_owned()),
        network("10.0.0.0", 8),
        network("192.0.2.1", 32),
        network("2001:db8::", 32),
        network("::ffff:10.0.0.0", 104),
        network("8000::", 1),
        TrafficLimit::Ipv4Only,
        TrafficLimit::Ipv6Only,
        TrafficLimit::Process(u32::MAX.into()),
        TrafficLimit::Cgroup("/system.slice/a b.service".to_owned()),
        TrafficLimit::MountNamespace(u64::MAX),
        TrafficLimit::Other("--later 5".to_owned()),
    ];
    Record { limits: TrafficLimits(limits), ..Reference::of(2).next().unwrap() }
}

const MOST: Bytes = Bytes { tx: u64::MAX, rx: u64::MAX };

/// Values at the ends of their ranges, and flows that have little in common.
fn corners() -> Record {
    let host = Host { name: "h\u{f6}st".to_owned(), ..Host::default() };
    let span = Span { start_us: i64::MIN, end_us: i64::MAX, start_ns: u64::MAX, end_ns: 0 };
    Record {
        host,
        span,
        flows: vec![left(), extreme()],
        totals: MOST,
        per_second: vec![MOST],
        ..Record::default()
    }
}

fn extreme() -> FlowRecord {
    let who = Identity {
        user: Some(String::new()),
        uid: Some(u32::MAX),
        pod: Some("\u{fc}ber-pod".to_owned()),
        mntns: Some(u64::MAX - 1),
        workload: Some("\u{fc}ber".to_owned()),
        ..Identity::default()
    };
    FlowRecord {
        key: FlowKey {
            local_addr: [0xff; 16],
            remote_addr: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets(),
            local_port: u16::MAX,
            family: 10,
            netns: u32::MAX,
            id: u64::MAX,
            ..FlowKey::default()
        },
        flow: Flow {
            tx_bytes: 1,
            rx_bytes: u64::MAX - 1,
            state: 12,
            flags: flags::PASSIVE | flags::ENDED,
            pid: u32::MAX,
            srtt_us_x8: u32::MAX,
            segs_in: u32::MAX,
            retrans_segs: 9,
            last_us: u64::MAX,
            sent_bytes: u64::MAX,
            retrans_bytes: 1,
            base_tx_bytes: u64::MAX,
            comm: *b"sixteen-letters!",
            opened_ns: 3,
            ..Flow::default()
        },
        bytes: MOST,
        peak: Bytes { tx: (1 << 63) + 12_345, rx: 31 },
        retrans_bytes: 1 << 50,
        counts: Verdict { tx: false, rx: true },
        peer: Some(0),
        identity: Some(Arc::new(who)),
        users: u32::MAX,
        label: "\u{1f310}".into(),
        remote_pod: Some(Arc::new(Pod { namespace: None, name: "db-0".to_owned() })),
        netns_pod: Some(Arc::new(Pod { namespace: Some("shop".to_owned()), name: "web-0".to_owned() })),
        ..FlowRecord::default()
    }
}

fn left() -> FlowRecord {
    FlowRecord {
        key: FlowKey {
            local_addr: Ipv6Addr::LOCALHOST.octets(),
            remote_addr: Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(),
            remote_port: 443,
            id: 1_999_999,
            ..FlowKey::default()
        },
        flow: Flow { flags: flags::BORN | flags::ACTIVE, opened_ns: 1_999_999, uses: 16, ..Flow::default() },
        bytes: Bytes { tx: 17, rx: 0 },
        peak: Bytes { tx: 16, rx: 0 },
        counts: Verdict { tx: true, rx: false },
        peer: Some(1),
        is_right: true,
        remote_pod: Some(Arc::new(Pod { namespace: Some("shop".to_owned()), name: "db-0".to_owned() })),
        netns_pod: Some(Arc::new(Pod { namespace: None, name: "db-0".to_owned() })),
        ..FlowRecord::default()
    }
}
