//! A record ⇄ bytes, before they are compressed: a CBOR map of sections, each of named columns.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::columns::{Column, Section, additive, column, fit, in_bits, read, write};
use super::dictionary::Dictionary;
use super::flows::{FLOWS, IDENTITIES, KINDS, OWNERS, label, optional, plain};
use super::limits::{self, LIMITS};
use super::row::Row;
use super::shared::Shared;
use flowtop_core::record::{Gap, Host, InterfaceRecord, Record, Rest, Span};
use flowtop_core::sanitize::harmless;
use flowtop_core::varint::{unzigzag, zigzag};
use flowtop_core::window::Bytes;

/// Most flows that a record may hold.
pub const MAX_FLOWS: usize = 1 << 20;
/// Most rows of anything else.
const MAX_ROWS: usize = 1 << 20;

/// How an IPv4 address begins among those of IPv6.
const V4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Payload {
    texts: Vec<String>,
    /// Each with its length before it, 4 or 16.
    addresses: ByteBuf,
    /// Names of processes, 16 bytes each.
    comms: ByteBuf,
    sections: BTreeMap<String, Section>,
}

/// Writes a record whose flows are sorted.
pub(super) fn write_record(record: &Record, into: impl Write) {
    let shared = Shared::of(record);
    let payload = Payload {
        texts: shared.texts.values().iter().map(ToString::to_string).collect(),
        addresses: ByteBuf::from(write_addresses(shared.addresses.values())),
        comms: ByteBuf::from(shared.comms.values().concat()),
        sections: sections(record, &shared),
    };
    // Memory takes everything, and no value of a payload is one that CBOR cannot say.
    let _ = ciborium::into_writer(&payload, into);
}

fn sections(record: &Record, shared: &Shared) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::new();
    let mut add = |name: &str, section| {
        sections.insert(name.to_owned(), section);
    };
    let identities: Vec<_> = shared.identities.values().iter().map(|identity| &**identity).collect();
    add("netns", write(NETNS, &refs(shared.netns.values()), shared));
    add("identities", write(IDENTITIES, &identities, shared));
    add("owners", write(OWNERS, &refs(shared.owners.values()), shared));
    add("kinds", write(KINDS, &refs(&shared.templates), shared));
    let rows: Vec<_> = record.flows.iter().map(Row::of).collect();
    add("flows", write(FLOWS, &refs(&rows), shared));
    add("rest", write(REST, &refs(&record.rest), shared));
    add("seconds", write(SECONDS, &refs(&record.per_second), shared));
    add("losses", write(LOSSES, &refs(&record.losses), shared));
    add("interfaces", write(INTERFACES, &refs(&record.interfaces), shared));
    add("turned_away", write(LOCK_CONFLICTS, &refs(&record.lock_conflicts_us), shared));
    if let Some(gap) = &record.gap {
        add("gap", write(GAP, &[gap], shared));
    }
    if !record.limits.is_empty() {
        add("limits", write(LIMITS, &refs(&limits::rows(&record.limits)), shared));
    }
    add("record", write(RECORD, &[record], shared));
    sections
}

fn refs<T>(values: &[T]) -> Vec<&T> {
    values.iter().collect()
}

/// Bytes as the record that they are the payload of. The error is what is wrong.
pub(super) fn read_record(bytes: &[u8], host: Host, span: Span) -> Result<Record, &'static str> {
    let payload: Payload = ciborium::from_reader(bytes).map_err(|_| "no CBOR of a record")?;
    let section = |name| payload.sections.get(name);
    let (comms, rest) = payload.comms.as_chunks();
    let texts = payload.texts.iter().map(|text| Arc::from(harmless(text))).collect();
    let mut shared = Shared {
        span,
        texts: Dictionary::written(texts),
        addresses: Dictionary::written(read_addresses(&payload.addresses).ok_or("addresses")?),
        comms: Dictionary::written(if rest.is_empty() { comms.to_vec() } else { return Err("comms") }),
        ..Shared::default()
    };
    shared.netns = Dictionary::written(read(NETNS, section("netns"), &shared, MAX_ROWS)?);
    let identities = read(IDENTITIES, section("identities"), &shared, MAX_ROWS)?;
    shared.identities = Dictionary::written(identities.into_iter().map(Arc::new).collect());
    shared.owners = Dictionary::written(read(OWNERS, section("owners"), &shared, MAX_ROWS)?);
    shared.templates = read(KINDS, section("kinds"), &shared, MAX_ROWS)?;
    let rows = read(FLOWS, section("flows"), &shared, MAX_FLOWS)?;
    let mut head = read(RECORD, section("record"), &shared, 1)?.pop().unwrap_or_default();
    if let Some(limits) = section("limits") {
        head.limits = limits::of_rows(read(LIMITS, Some(limits), &shared, MAX_ROWS)?)?;
    }
    Ok(Record {
        host,
        span,
        flows: rows.into_iter().map(|row| row.record).collect(),
        rest: read(REST, section("rest"), &shared, MAX_ROWS)?,
        per_second: read(SECONDS, section("seconds"), &shared, MAX_ROWS)?,
        losses: read(LOSSES, section("losses"), &shared, MAX_ROWS)?,
        interfaces: read(INTERFACES, section("interfaces"), &shared, MAX_ROWS)?,
        lock_conflicts_us: read(LOCK_CONFLICTS, section("turned_away"), &shared, MAX_ROWS)?,
        gap: read(GAP, section("gap"), &shared, 1)?.pop(),
        ..head
    })
}

fn write_addresses(addresses: &[[u8; 16]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(addresses.len() * 5);
    for address in addresses {
        let address = address.strip_prefix(&V4_MAPPED).unwrap_or(address);
        bytes.push(if address.len() == 4 { 4 } else { 16 });
        bytes.extend_from_slice(address);
    }
    bytes
}

fn read_addresses(mut bytes: &[u8]) -> Option<Vec<[u8; 16]>> {
    let mut addresses = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (address, rest) = rest.split_at_checked(usize::from(*length))?;
        let mut whole = [0; 16];
        if let Ok(v4) = <[u8; 4]>::try_from(address) {
            whole[..V4_MAPPED.len()].copy_from_slice(&V4_MAPPED);
            whole[V4_MAPPED.len()..].copy_from_slice(&v4);
        } else {
            whole = address.try_into().ok()?;
        }
        addresses.push(whole);
        bytes = rest;
    }
    Some(addresses)
}

const NETNS: &[Column<u32, Shared>] =
    &[column("inode", |row, _| (*row).into(), |row, _, number| fit(row, number))];

/// The totals of each second.
const SECONDS: &[Column<Bytes, Shared>] =
    &[in_bits("tx_bytes+", plain!("tx_bytes", tx)), in_bits("rx_bytes+", plain!("rx_bytes", rx))];

const LOSSES: &[Column<(String, u64), Shared>] = &[
    column(
        "name",
        |row, place| place.shared.text(&row.0),
        |row, place, number| place.shared.put_text(&mut row.0, number),
    ),
    column("count", |row, _| row.1, |row, _, number| fit(&mut row.1, number)),
];

const LOCK_CONFLICTS: &[Column<i64, Shared>] = &[column(
    "at_us",
    |row, place| zigzag(place.above.cast_unsigned(), row.cast_unsigned()),
    |row, place, number| {
        *row = unzigzag(place.above.cast_unsigned(), number).cast_signed();
        Some(())
    },
)];

/// Of the time before the window: one row, or none.
const GAP: &[Column<Gap, Shared>] = &[
    column(
        "length_ns",
        |row, place| place.shared.span.start_ns.wrapping_sub(row.start_ns),
        |row, place, number| {
            row.start_ns = place.shared.span.start_ns.wrapping_sub(number);
            Some(())
        },
    ),
    plain!("tx_bytes", totals.tx),
    plain!("rx_bytes", totals.rx),
];

const INTERFACES: &[Column<InterfaceRecord, Shared>] = &[
    column(
        "name",
        |row, place| place.shared.text(&row.name),
        |row, place, number| place.shared.put_text(&mut row.name, number),
    ),
    plain!("tx_bytes", bytes.tx),
    plain!("rx_bytes", bytes.rx),
    plain!("tx_packets", packets.tx),
    plain!("rx_packets", packets.rx),
    plain!("tx_drops", drops.tx),
    plain!("rx_drops", drops.rx),
];

/// Bytes on the wire of a sum, of which it is known that it has them.
macro_rules! summed {
    ($name:literal, $way:ident) => {
        column(
            $name,
            |row, _| row.on_wire.map_or(0, |bytes| bytes.$way),
            |row, _, number| row.on_wire.as_mut().map_or(Some(()), |bytes| fit(&mut bytes.$way, number)),
        )
    };
}

const REST: &[Column<Rest, Shared>] = &[
    optional!("comm", comm),
    optional!("user", user),
    optional!("unit", unit),
    optional!("container", container),
    optional!("pod", pod),
    optional!("namespace", namespace),
    label!(),
    plain!("flows", flows),
    plain!("tx_bytes", bytes.tx),
    plain!("rx_bytes", bytes.rx),
    plain!("retrans_bytes", retrans_bytes),
    column(
        "wire",
        |row, _| row.on_wire.is_some().into(),
        |row, _, number| {
            row.on_wire = (number != 0).then(Bytes::default);
            Some(())
        },
    ),
    summed!("tx_wire", tx),
    summed!("rx_wire", rx),
];

/// Of the record as a whole: one row.
const RECORD: &[Column<Record, Shared>] = &[
    plain!("tx_bytes", totals.tx),
    plain!("rx_bytes", totals.rx),
    plain!("untracked_flows", untracked.flows),
    plain!("untracked_tx_bytes", untracked.tx_bytes),
    plain!("untracked_rx_bytes", untracked.rx_bytes),
    plain!("untracked_mirrored_tx_bytes", untracked.mirrored_tx_bytes),
    plain!("untracked_mirrored_rx_bytes", untracked.mirrored_rx_bytes),
    plain!("unwritten", unwritten),
    plain!("table_used", table.used),
    plain!("table_max", table.max),
    column(
        "limits",
        |row, place| place.shared.text(&row.limits.to_string()),
        |row, place, number| {
            row.limits = limits::of_text(place.shared.texts.value(number)?);
            Some(())
        },
    ),
];
