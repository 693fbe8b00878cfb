//! The part of the kernel's entry that a ledger keeps per flow: every counter that changes and is kept nowhere else.

use flowtop_common::Flow;

use crate::on_wire::Carried;
use crate::owner::Seen;
use crate::window::Bytes;

/// The counters of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) bytes: Bytes,
    pub(super) opened_ns: u64,
    pub(super) last_us: u64,
    pub(super) sent_bytes: u64,
    pub(super) retrans_bytes: u64,
    pub(super) segs_in: u32,
    pub(super) segs_out: u32,
    pub(super) retrans_segs: u32,
    pub(super) srtt_us_x8: u32,
}

/// The small numbers of an entry, apart because beside the counters they would take as much as another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// TCP state as the kernel numbers it, up to 12 (`TCP_NEW_SYN_RECV`).
    state: u8,
    /// Saturates at 16.
    uses: u8,
    /// Of the bits only the first five are in use.
    flags: u8,
}

impl Kept {
    pub(super) fn of(flow: &Flow) -> Self {
        Self {
            bytes: counters(flow),
            opened_ns: flow.opened_ns,
            last_us: flow.last_us,
            sent_bytes: flow.sent_bytes,
            retrans_bytes: flow.retrans_bytes,
            segs_in: flow.segs_in,
            segs_out: flow.segs_out,
            retrans_segs: flow.retrans_segs,
            srtt_us_x8: flow.srtt_us_x8,
        }
    }

    /// The entry again. What its counters were when it was opened is not in it.
    pub(super) fn flow(&self, status: Status, user: &Seen) -> Flow {
        Flow {
            tx_bytes: self.bytes.tx,
            rx_bytes: self.bytes.rx,
            state: status.state(),
            uses: status.uses.into(),
            flags: status.flags(),
            pid: user.pid,
            comm: user.comm,
            cgroup_id: user.cgroup_id,
            opened_ns: self.opened_ns,
            last_us: self.last_us,
            sent_bytes: self.sent_bytes,
            retrans_bytes: self.retrans_bytes,
            segs_in: self.segs_in,
            segs_out: self.segs_out,
            retrans_segs: self.retrans_segs,
            srtt_us_x8: self.srtt_us_x8,
            ..Flow::default()
        }
    }

    /// What tells what it has put on the wire.
    pub(super) fn carried(&self) -> Carried {
        Carried {
            sent_bytes: self.sent_bytes,
            received_bytes: self.bytes.rx,
            segs_out: self.segs_out,
            segs_in: self.segs_in,
        }
    }

    /// When the socket was in use for sure: the last segment, or its opening, in nanoseconds of the monotonic clock.
    pub(super) fn used_ns(&self) -> u64 {
        self.opened_ns.max(self.last_us.saturating_mul(1000))
    }
}

impl Status {
    pub(super) fn of(flow: &Flow) -> Self {
        let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        Self { state: small(flow.state), uses: small(flow.uses), flags: small(flow.flags) }
    }

    pub(super) fn state(self) -> u32 {
        self.state.into()
    }

    pub(super) fn flags(self) -> u32 {
        self.flags.into()
    }
}

/// The counters of a flow that make its bytes.
pub(super) fn counters(flow: &Flow) -> Bytes {
    Bytes { tx: flow.tx_bytes, rx: flow.rx_bytes }
}
