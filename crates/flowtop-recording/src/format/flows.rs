//! The columns of flows, and of their owners. Rows are sorted by the id of the socket, and most numbers are relative to
//! one that is close: that makes them small.

use std::sync::Arc;

use flowtop_common::flags;

use super::columns::{Column, additive, column, fit, in_bits, only};
use super::row::{AGED, ENDED, GROWN, MOVED, REPEATED, Row, SPREAD};
use super::shared::{Owner, Shared, client_port, service_port};
use flowtop_core::on_wire::Grown;
use flowtop_core::owner::{Identity, Pod};
use flowtop_core::record::{FlowRecord, below_digits};
use flowtop_core::scope::Verdict;
use flowtop_core::varint::{unzigzag, zigzag};
use flowtop_core::window::Bytes;

/// One number of every flow; a number of a [`Column`] in a place that is relative to nothing.
macro_rules! plain {
    ($name:literal, $($field:ident).+) => {
        additive(column($name, |row, _| row.$($field).+.into(), |row, _, number| fit(&mut row.$($field).+, number)))
    };
}

/// A number that is close to another one of the same row, which stands before it.
macro_rules! close {
    ($name:literal, $($field:ident).+, |$row:ident, $place:ident| $from:expr) => {
        column(
            $name,
            |$row, $place| zigzag($from, $row.$($field).+),
            |$row, $place, number| {
                $row.$($field).+ = unzigzag($from, number);
                Some(())
            },
        )
    };
}

/// Column of numbers into a dictionary.
macro_rules! listed {
    ($name:literal, $($field:ident).+, $dictionary:ident) => {
        column(
            $name,
            |row, place| place.shared.$dictionary.number(&row.$($field).+),
            |row, place, number| {
                row.$($field).+ = *place.shared.$dictionary.value(number)?;
                Some(())
            },
        )
    };
}

macro_rules! label {
    () => {
        column(
            "label",
            |row, place| place.shared.text(&row.label),
            |row, place, number| {
                row.label = Arc::clone(place.shared.texts.value(number)?);
                Some(())
            },
        )
    };
}

/// The name of a pod that may be unknown, and the namespace of one whose name stands before it.
macro_rules! pod_name {
    ($name:literal, $field:ident) => {
        column(
            $name,
            |row, place| place.shared.optional(row.$field.as_deref().map(|pod| pod.name.as_str())),
            |row, place, number| {
                let mut name = None;
                place.shared.put_optional(&mut name, number)?;
                row.$field = name.map(|name| Arc::new(Pod { namespace: None, name }));
                Some(())
            },
        )
    };
}

macro_rules! pod_namespace {
    ($name:literal, $field:ident) => {
        column(
            $name,
            |row, place| {
                place.shared.optional(row.$field.as_deref().and_then(|pod| pod.namespace.as_deref()))
            },
            |row, place, number| match &mut row.$field {
                Some(pod) => place.shared.put_optional(&mut Arc::make_mut(pod).namespace, number),
                None => Some(()),
            },
        )
    };
}

/// A flow whose birth was seen is opened at its birth, which is its id.
fn opened_about_ns(row: &FlowRecord, above: &FlowRecord) -> u64 {
    if row.is_born() { row.key.id } else { above.flow.opened_ns }
}

/// The state that a flow is in as a rule: ESTABLISHED, or CLOSE after its end.
fn usual_state(row: &FlowRecord) -> u64 {
    if row.has_ended() { 7 } else { 1 }
}

/// Payload of a full segment with timestamps, at an MTU of 1500.
const FULL_SEGMENT: u64 = 1448;

/// The segments that are usual for these bytes of the window, seen from the end that sends them: full ones, and an
/// acknowledgement for every other one that is received. A flow that has moved nothing before had its segments now.
fn usual_segments(row: &Row, life: u32, bytes: Bytes) -> u64 {
    let of = |bytes: u64| bytes.div_ceil(FULL_SEGMENT);
    if row.is(AGED) { of(bytes.tx) + of(bytes.rx) / 2 } else { life.into() }
}

/// Ids in the unit to which they are rounded: what they have below it stands in a column of its own, mostly of zeros.
const ID_NS: u64 = FlowRecord::OPENED_WITHIN_NS;
const LAST_US: u64 = FlowRecord::LAST_WITHIN_US;

/// Kinds: values that many flows share, each as a flow with nothing else set. Flags come first, since others depend
/// on them.
pub(super) const KINDS: &[Column<FlowRecord, Shared>] = &[
    plain!("flags", flow.flags),
    listed!("netns", key.netns, netns),
    listed!("local_addr", key.local_addr, addresses),
    column(
        "service_port",
        |row, _| (*service_port(&mut row.key.clone(), row.flow.flags)).into(),
        |row, _, number| fit(service_port(&mut row.key, row.flow.flags), number),
    ),
    plain!("family", key.family),
    column(
        "owner",
        |row, place| place.shared.owners.number(&place.shared.owner(row)),
        |row, place, number| {
            let Owner { seen, identity } = *place.shared.owners.value(number)?;
            (row.flow.pid, row.flow.comm, row.flow.cgroup_id) = (seen.pid, seen.comm, seen.cgroup_id);
            row.identity = match identity.checked_sub(1) {
                Some(identity) => Some(Arc::clone(place.shared.identities.value(identity)?)),
                None => None,
            };
            Some(())
        },
    ),
    plain!("users", users),
    label!(),
    pod_name!("remote_pod", remote_pod),
    pod_namespace!("remote_namespace", remote_pod),
    column(
        "kept_out",
        |row, _| u64::from(!row.counts.tx) | u64::from(!row.counts.rx) << 1,
        |row, _, number| {
            row.counts = Verdict { tx: number & 1 == 0, rx: number & 2 == 0 };
            Some(())
        },
    ),
    column(
        "is_right",
        |row, _| row.is_right.into(),
        |row, _, number| {
            row.is_right = number != 0;
            Some(())
        },
    ),
    pod_name!("netns_pod", netns_pod),
    pod_namespace!("netns_namespace", netns_pod),
];

/// How many binary digits a rounded number has.
const DIGITS: u32 = FlowRecord::DIGITS;
const HIGHEST: u64 = 1 << (DIGITS - 1);

/// The number of a rounded number among all rounded numbers; what is below its digits does not matter.
fn rank(number: u64) -> u64 {
    let shift = below_digits(number);
    u64::from(shift) * HIGHEST + (number >> shift)
}

/// The rounded number with such a number.
fn ranked(rank: u64) -> Option<u64> {
    let shift = (rank / HIGHEST).saturating_sub(1);
    let digits = rank - shift * HIGHEST;
    Some(digits << u32::try_from(shift).ok().filter(|shift| *shift <= u64::BITS - DIGITS)?)
}

/// Digits of a number that its rounded form lacks.
fn below(number: u64) -> u64 {
    number & !(u64::MAX << below_digits(number))
}

/// A peak rounded down, compared to the bytes. One that is all of the bytes is not written.
macro_rules! peak {
    ($name:literal, $side:ident) => {
        column(
            $name,
            |row, _| zigzag(rank(row.peak.$side), rank(row.bytes.$side)),
            |row, _, number| {
                let rank = rank(row.bytes.$side).wrapping_sub(unzigzag(0, number));
                row.peak.$side = if row.is(SPREAD) { ranked(rank)? } else { row.bytes.$side };
                Some(())
            },
        )
    };
}

/// Column of the digits below the rounded peak.
macro_rules! peak_below {
    ($name:literal, $side:ident) => {
        additive(column(
            $name,
            |row, _| below(row.peak.$side),
            |row, _, number| {
                row.peak.$side = row.peak.$side.checked_add(number)?;
                Some(())
            },
        ))
    };
}

/// A number of what a flow has put on the wire in the window, which is close to another one.
macro_rules! grown {
    ($name:literal, $field:ident, |$row:ident| $from:expr) => {
        column(
            $name,
            |$row, _| $row.grown.map_or(0, |grown| zigzag($from, grown.$field.into())),
            |$row, _, number| {
                let number = unzigzag($from, number);
                $row.grown.as_mut().map_or(Some(()), |grown| fit(&mut grown.$field, number))
            },
        )
    };
}

/// Kind first, since it sets what others are relative to, and then the class.
pub(super) const FLOWS: &[Column<Row, Shared>] = &[
    column(
        "kind",
        |row, place| place.shared.kinds.number(&place.shared.kind(row)),
        |row, place, number| {
            row.record.clone_from(place.shared.templates.get(usize::try_from(number).ok()?)?);
            Some(())
        },
    ),
    column(
        "class",
        |row, _| row.class,
        |row, _, number| {
            row.class = number;
            row.flow.flags |= if row.is(ENDED) { flags::ENDED } else { 0 };
            row.grown = row.is(GROWN).then(Grown::default);
            Some(())
        },
    ),
    in_bits(
        "id+",
        column(
            "id",
            |row, place| (row.key.id / ID_NS).wrapping_sub(place.above.key.id / ID_NS),
            |row, place, number| {
                row.key.id = (place.above.key.id / ID_NS).wrapping_add(number).wrapping_mul(ID_NS);
                Some(())
            },
        ),
    ),
    additive(column(
        "id_below",
        |row, _| row.key.id % ID_NS,
        |row, _, number| {
            row.key.id = row.key.id.wrapping_add(number);
            Some(())
        },
    )),
    listed!("remote_addr", key.remote_addr, addresses),
    in_bits(
        "client_port+",
        column(
            "client_port",
            |row, _| (*client_port(&mut row.key.clone(), row.flow.flags)).into(),
            |row, _, number| {
                let flags = row.flow.flags;
                fit(client_port(&mut row.key, flags), number)
            },
        ),
    ),
    close!("opened_ns", flow.opened_ns, |row, place| opened_about_ns(row, place.above)),
    additive(column(
        "peer",
        |row, place| row.peer.map_or(0, |peer| zigzag(place.row as u64, peer.into()) + 1),
        |row, place, number| {
            row.peer = match number.checked_sub(1) {
                Some(number) => Some(unzigzag(place.row as u64, number).try_into().ok()?),
                None => None,
            };
            Some(())
        },
    )),
    column(
        "state",
        |row, _| zigzag(usual_state(row), row.flow.state.into()),
        |row, _, number| {
            let usual = usual_state(row);
            fit(&mut row.flow.state, unzigzag(usual, number))
        },
    ),
    plain!("uses", flow.uses),
    only(|row| row.is(MOVED), in_bits("tx_bytes+", plain!("tx_bytes", bytes.tx))),
    only(|row| row.is(MOVED), in_bits("rx_bytes+", plain!("rx_bytes", bytes.rx))),
    only(|row| row.is(SPREAD), peak!("tx_peak", tx)),
    only(|row| row.is(SPREAD), peak_below!("tx_peak_below", tx)),
    only(|row| row.is(SPREAD), peak!("rx_peak", rx)),
    only(|row| row.is(SPREAD), peak_below!("rx_peak_below", rx)),
    only(
        |row| row.is(AGED),
        in_bits("tx_life+", close!("tx_life", flow.tx_bytes, |row, _place| row.bytes.tx)),
    ),
    only(
        |row| row.is(AGED),
        in_bits("rx_life+", close!("rx_life", flow.rx_bytes, |row, _place| row.bytes.rx)),
    ),
    only(|row| row.is(REPEATED), plain!("retrans_bytes", retrans_bytes)),
    only(|row| row.is(REPEATED), close!("retrans_life", flow.retrans_bytes, |row, _place| row.retrans_bytes)),
    close!("sent_life", flow.sent_bytes, |row, _place| row
        .flow
        .tx_bytes
        .wrapping_add(row.flow.retrans_bytes)),
    plain!("tx_base", flow.base_tx_bytes),
    plain!("rx_base", flow.base_rx_bytes),
    in_bits("segs_in+", plain!("segs_in", flow.segs_in)),
    in_bits("segs_out+", plain!("segs_out", flow.segs_out)),
    only(|row| row.is(REPEATED), plain!("retrans_segs", flow.retrans_segs)),
    only(
        |row| row.is(GROWN),
        grown!("sent_bytes", sent_bytes, |row| row.bytes.tx.wrapping_add(row.retrans_bytes)),
    ),
    only(
        |row| row.is(GROWN),
        grown!("segs_in_now", segs_in, |row| usual_segments(row, row.flow.segs_in, row.bytes.mirror())),
    ),
    only(
        |row| row.is(GROWN),
        grown!("segs_out_now", segs_out, |row| usual_segments(row, row.flow.segs_out, row.bytes)),
    ),
    column(
        "srtt",
        |row, _| rank(row.flow.srtt_us_x8.into()),
        |row, _, number| fit(&mut row.flow.srtt_us_x8, ranked(number)?),
    ),
    additive(column(
        "srtt_below",
        |row, _| below(row.flow.srtt_us_x8.into()),
        |row, _, number| {
            row.flow.srtt_us_x8 = row.flow.srtt_us_x8.checked_add(number.try_into().ok()?)?;
            Some(())
        },
    )),
    in_bits(
        "last+",
        column(
            "last",
            |row, place| zigzag(place.shared.span.end_ns / 1000 / LAST_US, row.flow.last_us / LAST_US),
            |row, place, number| {
                let last = unzigzag(place.shared.span.end_ns / 1000 / LAST_US, number);
                row.flow.last_us = last.wrapping_mul(LAST_US);
                Some(())
            },
        ),
    ),
    additive(column(
        "last_below_us",
        |row, _| row.flow.last_us % LAST_US,
        |row, _, number| {
            row.flow.last_us = row.flow.last_us.wrapping_add(number);
            Some(())
        },
    )),
];

pub(super) const OWNERS: &[Column<Owner, Shared>] = &[
    plain!("pid", seen.pid),
    listed!("comm", seen.comm, comms),
    plain!("cgroup_id", seen.cgroup_id),
    plain!("identity", identity),
];

/// A text that may be unknown.
macro_rules! optional {
    ($name:literal, $field:ident) => {
        column(
            $name,
            |row, place| place.shared.optional(row.$field.as_deref()),
            |row, place, number| place.shared.put_optional(&mut row.$field, number),
        )
    };
}
pub(super) use {label, optional, plain};

pub(super) const IDENTITIES: &[Column<Identity, Shared>] = &[
    optional!("comm", comm),
    optional!("command", command),
    optional!("user", user),
    optional!("unit", unit),
    optional!("container_id", container_id),
    optional!("container", container),
    optional!("pod", pod),
    optional!("namespace", namespace),
    optional!("cgroup", cgroup),
    optional!("workload", workload),
    column(
        "uid",
        |row, _| row.uid.map_or(0, |uid| u64::from(uid) + 1),
        |row, _, number| {
            row.uid = match number.checked_sub(1) {
                Some(uid) => Some(uid.try_into().ok()?),
                None => None,
            };
            Some(())
        },
    ),
    column(
        "mntns",
        |row, _| row.mntns.map_or(0, |mntns| mntns.wrapping_add(1)),
        |row, _, number| {
            row.mntns = number.checked_sub(1);
            Some(())
        },
    ),
];
