//! The columns of flows, and of who uses them. Rows are sorted by the id of the socket, and most numbers are relative to
//! one that is close: that makes them small.

use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, flags};

use super::FlowRecord;
use super::columns::{Column, column, fit};
use super::shared::{Owner, Shared};
use super::varint::{unzigzag, zigzag};
use crate::core::owner::Identity;
use crate::core::scope::Verdict;
use crate::core::window::Bytes;

impl Default for FlowRecord {
    /// A socket that nobody knows anything of, and that counts.
    fn default() -> Self {
        Self {
            key: FlowKey::default(),
            flow: Flow::default(),
            bytes: Bytes::default(),
            retrans_bytes: 0,
            peak: Bytes::default(),
            counts: Verdict::ALL,
            peer: None,
            is_right: false,
            identity: None,
            users: 0,
            label: Arc::from(""),
        }
    }
}

/// One number of every flow; a number of a [`Column`] in a place that is relative to nothing.
macro_rules! plain {
    ($name:literal, $($field:ident).+) => {
        column($name, |row, _| row.$($field).+.into(), |row, _, number| fit(&mut row.$($field).+, number))
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

/// A value of a dictionary.
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

/// Which of the two ports is the service's: of a flow that was accepted, the local one.
fn is_served(flow: &FlowRecord) -> bool {
    flow.flow.flags & flags::PASSIVE != 0
}

/// A flow whose birth was seen is opened at its birth, which is its id.
fn opened_about_ns(row: &FlowRecord, above: &FlowRecord) -> u64 {
    if row.is_born() { row.key.id } else { above.flow.opened_ns }
}

/// Flags first, since they say what others mean.
pub(super) const FLOWS: &[Column<FlowRecord, Shared>] = &[
    column(
        "id",
        |row, place| row.key.id.wrapping_sub(place.above.key.id),
        |row, place, number| {
            row.key.id = place.above.key.id.wrapping_add(number);
            Some(())
        },
    ),
    plain!("flags", flow.flags),
    listed!("netns", key.netns, netns),
    listed!("local_addr", key.local_addr, addresses),
    listed!("remote_addr", key.remote_addr, addresses),
    column(
        "service_port",
        |row, _| u64::from(if is_served(row) { row.key.local_port } else { row.key.remote_port }),
        |row, _, number| {
            let served = is_served(row);
            fit(if served { &mut row.key.local_port } else { &mut row.key.remote_port }, number)
        },
    ),
    column(
        "client_port",
        |row, _| u64::from(if is_served(row) { row.key.remote_port } else { row.key.local_port }),
        |row, _, number| {
            let served = is_served(row);
            fit(if served { &mut row.key.remote_port } else { &mut row.key.local_port }, number)
        },
    ),
    plain!("family", key.family),
    close!("opened_ns", flow.opened_ns, |row, place| opened_about_ns(row, place.above)),
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
    column(
        "label",
        |row, place| place.shared.text(&row.label),
        |row, place, number| {
            row.label = Arc::clone(place.shared.texts.value(number)?);
            Some(())
        },
    ),
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
    column(
        "peer",
        |row, place| row.peer.map_or(0, |peer| zigzag(place.row as u64, peer.into()) + 1),
        |row, place, number| {
            row.peer = match number.checked_sub(1) {
                Some(number) => Some(unzigzag(place.row as u64, number).try_into().ok()?),
                None => None,
            };
            Some(())
        },
    ),
    plain!("state", flow.state),
    plain!("uses", flow.uses),
    plain!("tx_bytes", bytes.tx),
    plain!("rx_bytes", bytes.rx),
    close!("tx_peak", peak.tx, |row, _place| row.bytes.tx),
    close!("rx_peak", peak.rx, |row, _place| row.bytes.rx),
    plain!("retrans_bytes", retrans_bytes),
    close!("tx_life", flow.tx_bytes, |row, _place| row.bytes.tx),
    close!("rx_life", flow.rx_bytes, |row, _place| row.bytes.rx),
    close!("retrans_life", flow.retrans_bytes, |row, _place| row.retrans_bytes),
    close!("sent_life", flow.sent_bytes, |row, _place| row
        .flow
        .tx_bytes
        .wrapping_add(row.flow.retrans_bytes)),
    plain!("tx_base", flow.base_tx_bytes),
    plain!("rx_base", flow.base_rx_bytes),
    plain!("segs_in", flow.segs_in),
    plain!("segs_out", flow.segs_out),
    plain!("retrans_segs", flow.retrans_segs),
    plain!("srtt_us_x8", flow.srtt_us_x8),
    close!("last_us", flow.last_us, |_row, place| place.shared.span.end_ns / 1000),
];

/// Processes.
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
pub(super) use {optional, plain};

/// What files said of them.
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
    column(
        "mntns",
        |row, _| row.mntns.map_or(0, |mntns| mntns.wrapping_add(1)),
        |row, _, number| {
            row.mntns = number.checked_sub(1);
            Some(())
        },
    ),
];
