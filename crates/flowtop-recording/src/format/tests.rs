//! Records are read as they were written, whatever happens to the bytes around them.

use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, Untracked};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::frame::{Cause, Damage, Frame, Head, MAGIC, VERSION, encode};
use super::scan::{Found, scan};
use flowtop_core::on_wire::Grown;
use flowtop_core::owner::{Identity, Pod};
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::record::{Fill, FlowRecord, Gap, Host, InterfaceRecord, Record, Rest, Span, fixture};
use flowtop_core::sanitize::harmless;
use flowtop_core::scope::Verdict;
use flowtop_core::window::Bytes;

/// Numbers as they are in counters: many small ones, some of any size.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..100_u64, 2 => 0..1_u64 << 40, 1 => any::<u64>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    (number(), number()).prop_map(|(tx, rx)| Bytes { tx, rx })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]{1,2}", "\\PC{0,30}".prop_map(|text| harmless(&text))]
}

#[test]
fn texts_that_would_break_a_screen_are_made_harmless() {
    let bad = "a\u{1b}[2Jb\n".to_owned();
    let host = Host { name: bad.clone(), ..Host::default() };
    let record = Record { host, limits: TrafficLimits(vec![TrafficLimit::Filter(bad)]), ..Record::default() };
    let read = &read(&encode(&record)).0[0];
    let good = "a\u{fffd}[2Jb\u{fffd}".to_owned();
    assert_eq!((&read.host.name, &read.limits.0[..]), (&good, &[TrafficLimit::Filter(good.clone())][..]));
}

fn identity() -> impl Strategy<Value = Identity> {
    (vec(prop::option::of(text()), 10), prop::option::of(0..u64::MAX), any::<Option<u32>>()).prop_map(
        |(texts, mntns, uid)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            Identity {
                comm: next(),
                command: next(),
                user: next(),
                unit: next(),
                container_id: next(),
                container: next(),
                pod: next(),
                namespace: next(),
                cgroup: next(),
                workload: next(),
                uid,
                mntns,
            }
        },
    )
}

fn key() -> impl Strategy<Value = FlowKey> {
    let address = prop_oneof![
        any::<[u8; 16]>(),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d])
    ];
    (address.clone(), address, any::<[u16; 3]>(), 0..3_u32, number()).prop_map(
        |(local_addr, remote_addr, [local_port, remote_port, family], netns, id)| FlowKey {
            local_addr,
            remote_addr,
            local_port,
            remote_port,
            family,
            netns,
            id,
            ..FlowKey::default()
        },
    )
}

fn kernels_word() -> impl Strategy<Value = Flow> {
    (any::<[u32; 8]>(), vec(number(), 8), any::<[u8; 16]>()).prop_map(|(small, large, comm)| Flow {
        tx_bytes: large[0],
        rx_bytes: large[1],
        state: small[0] % 13,
        flags: small[1] % 32,
        uses: small[2] % 17,
        pid: small[3],
        last_us: large[2],
        segs_in: small[4],
        segs_out: small[5],
        retrans_segs: small[6],
        srtt_us_x8: small[7],
        sent_bytes: large[3],
        retrans_bytes: large[4],
        base_tx_bytes: large[5],
        base_rx_bytes: large[6],
        opened_ns: large[7],
        cgroup_id: large[0] % 3,
        comm,
        // Sequence numbers are not recorded.
        ..Flow::default()
    })
}

fn pod() -> impl Strategy<Value = Option<Arc<Pod>>> {
    let pod = (prop::option::of(text()), text());
    prop::option::of(pod.prop_map(|(namespace, name)| Arc::new(Pod { namespace, name })))
}

fn flow() -> impl Strategy<Value = FlowRecord> {
    let window = (bytes(), number(), bytes());
    let grown = (number(), any::<u32>(), any::<u32>());
    let grown = grown.prop_map(|(sent_bytes, segs_out, segs_in)| Grown { sent_bytes, segs_out, segs_in });
    let links = (any::<[bool; 3]>(), prop::option::of(any::<u32>()), prop::option::of(grown));
    let who = (prop::option::of(identity()), any::<u32>(), text(), pod(), pod());
    (key(), kernels_word(), window, links, who).prop_map(|(key, flow, window, links, who)| FlowRecord {
        key,
        flow,
        bytes: window.0,
        retrans_bytes: window.1,
        grown: links.2,
        peak: window.2,
        counts: Verdict { tx: links.0[0], rx: links.0[1] },
        is_right: links.0[2],
        peer: links.1,
        identity: who.0.map(Arc::new),
        users: who.1,
        label: who.2.into(),
        remote_pod: who.3,
        netns_pod: who.4,
    })
}

fn rest() -> impl Strategy<Value = Rest> {
    (identity(), text(), any::<u32>(), bytes(), number(), prop::option::of(bytes())).prop_map(
        |(i, label, flows, bytes, retrans_bytes, on_wire)| {
            let Identity { comm, user, unit, container, pod, namespace, .. } = i;
            Rest {
                comm,
                user,
                unit,
                container,
                pod,
                namespace,
                label: label.into(),
                flows,
                bytes,
                retrans_bytes,
                on_wire,
            }
        },
    )
}

fn interface() -> impl Strategy<Value = InterfaceRecord> {
    (text(), bytes(), bytes(), bytes()).prop_map(|(name, bytes, packets, drops)| InterfaceRecord {
        name,
        bytes,
        packets,
        drops,
    })
}

fn limit() -> impl Strategy<Value = TrafficLimit> {
    let v4 = (any::<[u8; 4]>(), 1..=32_u8).prop_map(|(address, bits)| (address.into(), bits));
    let v6 = (any::<[u8; 16]>(), 1..=128_u8).prop_map(|(address, bits)| (address.into(), bits));
    let network =
        prop_oneof![v4, v6].prop_map(|(address, prefix_bits)| TrafficLimit::Network { address, prefix_bits });
    prop_oneof![
        text().prop_map(TrafficLimit::Filter),
        text().prop_map(TrafficLimit::Interface),
        network,
        Just(TrafficLimit::Ipv4Only),
        Just(TrafficLimit::Ipv6Only),
        number().prop_map(TrafficLimit::Process),
        text().prop_map(TrafficLimit::Cgroup),
        number().prop_map(TrafficLimit::MountNamespace),
        text().prop_map(TrafficLimit::Other),
    ]
}

fn head() -> impl Strategy<Value = (Host, Span)> {
    (text(), any::<[[u8; 16]; 2]>(), any::<[i64; 2]>(), any::<[u64; 2]>()).prop_map(
        |(name, [machine_id, boot_id], [start_us, end_us], [start_ns, end_ns])| {
            (Host { name, machine_id, boot_id }, Span { start_us, end_us, start_ns, end_ns })
        },
    )
}

/// Any record that there can be, with its flows in the order of files.
fn record() -> impl Strategy<Value = Record> {
    let rows = (vec(flow(), 0..8), vec(rest(), 0..4), vec(bytes(), 0..4), vec(interface(), 0..3));
    let numbers = (bytes(), vec(number(), 6), any::<[u32; 2]>());
    let texts =
        (vec((text(), number()), 0..3), vec(limit(), 0..4).prop_map(TrafficLimits), vec(any::<i64>(), 0..3));
    let gap = prop::option::of((any::<u64>(), bytes()));
    (head(), rows, numbers, texts, gap).prop_map(|((host, span), rows, numbers, texts, gap)| {
        let (flows, rest, per_second, interfaces) = rows;
        let (totals, n, [used, max]) = numbers;
        let (losses, limits, lock_conflicts_us) = texts;
        let untracked = Untracked {
            flows: n[0],
            tx_bytes: n[1],
            rx_bytes: n[2],
            mirrored_tx_bytes: n[3],
            mirrored_rx_bytes: n[4],
        };
        let record = Record {
            host,
            span,
            flows,
            rest,
            totals,
            per_second,
            untracked,
            losses,
            unwritten: n[5],
            table: Fill { used, max },
            interfaces,
            limits,
            lock_conflicts_us,
            gap: gap.map(|(start_ns, totals)| Gap { start_ns, totals }),
        };
        record.sorted().into_owned()
    })
}

/// The records of a recording, and its damage.
fn read(bytes: &[u8]) -> (Vec<Record>, Vec<Damage>) {
    let (mut records, mut damage) = (Vec::new(), Vec::new());
    for found in scan(bytes) {
        match found {
            Found::Frame(frame) => match frame.record() {
                Ok(record) => records.push(record),
                Err(of_content) => damage.push(of_content),
            },
            Found::Damage(between) => damage.push(between),
        }
    }
    (records, damage)
}

fn frames(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(encode).collect()
}

/// Three small records, and their frames.
fn three() -> (Vec<Record>, Vec<Vec<u8>>) {
    let bytes = Bytes { tx: 10, rx: 4 };
    let flow = |id| {
        fixture::flow(id, "curl", ["192.0.2.1:40000", "[2001:db8::2]:443"], bytes, Bytes { tx: 30, rx: 9 })
    };
    let records: Vec<_> = (1..=3).map(|n| fixture::record(n, vec![flow(n), flow(100 + n)])).collect();
    let frames = frames(&records);
    (records, frames)
}

/// A frame with another head; its checksum is made right.
fn with_head(frame: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let head_bytes = usize::from(u16::from_le_bytes([frame[10], frame[11]]));
    let (head, payload) = frame.split_at(head_bytes);
    let mut head = head[..head_bytes - 4].to_vec();
    change(&mut head);
    let head_bytes = u16::try_from(head.len() + 4).unwrap();
    head[10..12].copy_from_slice(&head_bytes.to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    [&head, payload].concat()
}

#[test]
fn cut_at_any_byte_all_frames_before_are_read_and_the_rest_is_told() {
    let (records, frames) = three();
    let all = frames.concat();
    let ends: Vec<_> = frames
        .iter()
        .scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        })
        .collect();
    for length in 0..=all.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let end = if whole == 0 { 0 } else { ends[whole - 1] };
        let (read, damage) = read(&all[..length]);
        assert_eq!(read, records[..whole]);
        let torn = Damage { offset: end as u64, bytes: (length - end) as u64, cause: Cause::Torn };
        assert_eq!(damage, if length == end { vec![] } else { vec![torn] });
    }
}

#[test]
fn bytes_that_are_lost_in_the_middle_cost_one_frame() {
    let (records, frames) = three();
    for from in 0..frames[1].len() - 1 {
        let all = [&frames[0][..], &frames[1][..from], &frames[2]].concat();
        let (read, damage) = read(&all);
        assert_eq!(read, [records[0].clone(), records[2].clone()]);
        let told: Vec<_> = damage.iter().map(|d| (d.offset, d.bytes)).collect();
        let lost = (frames[0].len() as u64, from as u64);
        assert_eq!(told, if from == 0 { vec![] } else { vec![lost] });
    }
}

#[test]
fn a_newer_format_is_told_and_passed_over() {
    let (records, mut frames) = three();
    frames[1] = with_head(&frames[1], |head| head[8..10].copy_from_slice(&(VERSION + 1).to_le_bytes()));
    let (read, damage) = read(&frames.concat());
    assert_eq!(read, [records[0].clone(), records[2].clone()]);
    let (offset, bytes) = (frames[0].len() as u64, frames[1].len() as u64);
    assert_eq!(damage, [Damage { offset, bytes, cause: Cause::Newer(VERSION + 1) }]);
    assert_eq!(damage[0].cause.to_string(), "a record in format 2, which needs a newer flowtop");
}

#[test]
fn what_a_later_flowtop_adds_to_the_head_is_passed_over() {
    let (records, frames) = three();
    let longer = with_head(&frames[0], |head| head.extend_from_slice(b"a later field"));
    assert_eq!(read(&longer), (vec![records[0].clone()], vec![]));
}

#[test]
fn a_head_tells_host_and_time_without_the_payload() {
    let (records, frames) = three();
    let head = Head::parse(&frames[1][..150]).unwrap();
    assert_eq!((&head.host, head.span), (&records[1].host, records[1].span));
    assert_eq!(head.frame_bytes, frames[1].len());
    assert_eq!(head.span.middle_us() - head.span.start_us, 30_000_000);
}

#[test]
fn a_clock_that_is_slewed_for_a_day_was_not_set() {
    const DAY_NS: u64 = 86_400_000_000_000;
    let began_us = |drift_us: i64, length_ns: u64| {
        let length_us = i64::try_from(length_ns / 1000).unwrap();
        Span { start_us: 0, end_us: length_us + drift_us, start_ns: 7, end_ns: 7 + length_ns }.began_us()
    };
    assert_eq!([began_us(43_000_000, DAY_NS), began_us(-43_000_000, DAY_NS)], [0, 0]);
    assert_eq!(began_us(44_000_000, DAY_NS), 44_000_000);
    assert_eq!([began_us(500_000, 1_000_000), began_us(501_000, 1_000_000)], [0, 501_000]);
}

#[test]
fn a_payload_larger_than_it_says_is_damage() {
    let bomb = zstd::bulk::compress(&vec![0; 1 << 24], 3).unwrap();
    let (_, frames) = three();
    let says = |bytes: u32| {
        let head = with_head(&frames[0], |head| {
            head[12..16].copy_from_slice(&u32::try_from(bomb.len()).unwrap().to_le_bytes());
            head[16..20].copy_from_slice(&bytes.to_le_bytes());
            head[20..24].copy_from_slice(&crc32fast::hash(&bomb).to_le_bytes());
        });
        let head_bytes = usize::from(u16::from_le_bytes([head[10], head[11]]));
        [&head[..head_bytes], &bomb].concat()
    };
    for (bytes, why) in [(1000, "compression"), (u32::MAX, "its length"), (1 << 24, "no CBOR of a record")] {
        let frame = says(bytes);
        let frame = Frame::parse(&frame, 7).unwrap();
        let damage = frame.record().unwrap_err();
        assert_eq!((damage.offset, damage.cause), (7, Cause::Content(why)));
    }
}

#[test]
fn sorting_keeps_who_belongs_together() {
    let bytes = Bytes { tx: 1, rx: 2 };
    let ends = ["127.0.0.1:40000", "127.0.0.1:80"];
    let mut flows: Vec<_> = [9, 3, 5].map(|id| fixture::flow(id, "a", ends, bytes, bytes)).into();
    (flows[0].peer, flows[1].peer) = (Some(1), Some(0));
    let record = fixture::record(0, flows);
    let sorted = record.sorted().into_owned();
    let pairs: Vec<_> = sorted.flows.iter().map(|flow| (flow.key.id, flow.peer)).collect();
    assert_eq!(pairs, [(3, Some(2)), (5, None), (9, Some(0))]);
    assert_eq!(read(&encode(&record)), (vec![sorted], vec![]));
}

/// Recorders without the section `limits` wrote the text alone, and readers of then look for nothing else.
#[test]
fn limits_are_read_from_the_text_where_there_is_no_section() {
    let network = TrafficLimit::Network { address: [10, 0, 0, 0].into(), prefix_bits: 8 };
    let limits = TrafficLimits(vec![TrafficLimit::Filter("port 443".to_owned()), network]);
    let record = Record { limits, ..fixture::record(1, vec![]) };
    let mut content = Vec::new();
    super::payload::write_record(&record, &mut content);
    let says = |text: &[u8]| content.windows(text.len()).any(|bytes| bytes == text);
    assert!(says(b"-f 'port 443' -F 10.0.0.0/8"));
    // The section comes first; under another name nobody knows it.
    let section = content.windows(7).position(|bytes| bytes == b"\x66limits").unwrap();
    content[section + 1] = b'L';
    let read = super::payload::read_record(&content, record.host.clone(), record.span).unwrap();
    assert_eq!(read, record);
}

/// Files of an older flowtop have no such section, and an older flowtop passes over one.
#[test]
fn a_record_without_a_gap_says_nothing_of_one() {
    let gap = Gap { start_ns: 7, totals: Bytes { tx: 5, rx: 0 } };
    let of = |gap| {
        let mut content = Vec::new();
        super::payload::write_record(&Record { gap, ..fixture::record(1, vec![]) }, &mut content);
        content.windows(9).any(|bytes| bytes == b"length_ns")
    };
    assert_eq!((of(None), of(Some(gap))), (false, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_back(records in vec(record(), 0..4)) {
        prop_assert_eq!(read(&frames(&records).concat()), (records, vec![]));
    }

    #[test]
    fn every_frame_without_a_flipped_bit_is_read(
        records in vec(record(), 1..4),
        flips in vec((any::<Index>(), 0..8_u8), 1..6),
    ) {
        let frames = frames(&records);
        let mut all = frames.concat();
        for (at, bit) in flips {
            let at = at.index(all.len());
            all[at] ^= 1 << bit;
        }
        let (mut at, mut intact) = (0, Vec::new());
        for (frame, record) in frames.iter().zip(&records) {
            if all[at..at + frame.len()] == frame[..] {
                intact.push(record.clone());
            }
            at += frame.len();
        }
        let (read, damage) = read(&all);
        prop_assert_eq!(read.len() == records.len(), damage.is_empty());
        prop_assert_eq!(read, intact);
        let damaged: u64 = damage.iter().map(|damage| damage.bytes).sum();
        let lost = frames.iter().map(Vec::len).sum::<usize>() as u64;
        prop_assert!(damaged <= lost);
    }

    /// Heads and checksums are right, what is in the payload is not.
    #[test]
    fn no_payload_brings_the_reader_down(
        record in record(),
        flips in vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut content = Vec::new();
        super::payload::write_record(&record, &mut content);
        for (at, byte) in flips {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let _ = super::payload::read_record(&content, Host::default(), Span::default());
    }

    #[test]
    fn no_bytes_bring_the_scan_down(bytes: Vec<u8>, magic_at in vec(any::<Index>(), 0..3)) {
        let mut bytes = bytes;
        for at in magic_at {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, MAGIC);
        }
        let (records, damage) = read(&bytes);
        prop_assert_eq!(records, vec![]);
        prop_assert_eq!(damage.iter().map(|damage| damage.bytes).sum::<u64>(), bytes.len() as u64);
    }
}
