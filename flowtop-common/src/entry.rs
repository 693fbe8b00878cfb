//! An entry of the flow table: what events write, in one cache line, and what they seldom touch.

use crate::FlowKey;

/// What most events touch of an entry: an element of the array `SLOTS`, which user space maps into its memory.
///
/// The kernel side fills the slot and its [`Detail`] and then sets [`flags::OPEN`](crate::flags::OPEN); user space clears
/// the flags when it gives the slot back. Counters are absolute values taken from the socket; they only grow.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// What tells the socket apart (see [`Constant::Cookies`](crate::Constant::Cookies)): its cookie (`sock.sk_cookie`) or
    /// its address. 0 once it has ended, or if its bytes go past TCP, so that the cache never finds it.
    pub socket: u64,
    /// Sequence number that stands for 0 bytes sent.
    pub tx_origin: u32,
    /// Sequence number that stands for 0 bytes received.
    pub rx_origin: u32,
    /// See [`Flow::tx_bytes`].
    pub tx_bytes: u64,
    /// See [`Flow::rx_bytes`].
    pub rx_bytes: u64,
    /// See [`Flow::last_us`]: the last segment at the last refresh of the details.
    pub last_us: u64,
    /// See [`Flow::base_tx_bytes`].
    pub base_tx_bytes: u64,
    /// See [`Flow::base_rx_bytes`].
    pub base_rx_bytes: u64,
    /// Counts the refreshes of the details: another number than before says that they may be others.
    pub generation: u32,
    /// See [`Flow::state`].
    pub state: u8,
    /// Some of [`flags`](crate::flags).
    pub flags: u8,
    /// See [`Flow::uses`].
    pub uses: u8,
    /// Zero.
    pub pad: u8,
}

impl Slot {
    /// Whether it has this one of [`flags`](crate::flags).
    #[must_use]
    #[inline]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags as u32 & flag != 0
    }
}

/// The rest of an entry: the element of the array `DETAILS` with the number of the slot. What a refresh writes is the second
/// of its two cache lines.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Whose entry it is.
    pub key: FlowKey,
    /// See [`Flow::opened_ns`].
    pub opened_ns: u64,
    /// See [`Flow::sent_bytes`].
    pub sent_bytes: u64,
    /// See [`Flow::retrans_bytes`].
    pub retrans_bytes: u64,
    /// See [`Flow::cgroup_id`].
    pub cgroup_id: u64,
    /// See [`Flow::segs_in`].
    pub segs_in: u32,
    /// See [`Flow::segs_out`].
    pub segs_out: u32,
    /// See [`Flow::retrans_segs`].
    pub retrans_segs: u32,
    /// See [`Flow::srtt_us_x8`].
    pub srtt_us_x8: u32,
    /// See [`Flow::comm`].
    pub comm: [u8; 16],
    /// See [`Flow::pid`].
    pub pid: u32,
    /// Zero.
    pub pad: u32,
}

/// What the kernel knows of one flow: a slot and its details put together. Counters are absolute values taken from the
/// socket; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Payload bytes that the application has handed to TCP in the life of the socket.
    pub tx_bytes: u64,
    /// Payload bytes that the application has taken from TCP in the life of the socket.
    pub rx_bytes: u64,
    /// TCP state as the kernel numbers it (`enum` in `include/net/tcp_states.h`): 1 is ESTABLISHED, 7 CLOSE.
    pub state: u32,
    /// Some of [`flags`](crate::flags).
    pub flags: u32,
    /// How often the application has used the socket; stops at 16.
    pub uses: u32,
    /// Process (thread group) that last used the socket, 0 while none has been seen.
    pub pid: u32,
    /// `CLOCK_MONOTONIC` in microseconds of the last segment (`tcp_sock.tcp_mstamp`).
    pub last_us: u64,
    /// Segments received (`tcp_sock.segs_in`, wraps at 2^32).
    pub segs_in: u32,
    /// Segments sent (`tcp_sock.segs_out`, wraps at 2^32).
    pub segs_out: u32,
    /// Segments retransmitted (`tcp_sock.total_retrans`).
    pub retrans_segs: u32,
    /// Smoothed round-trip time in eighths of a microsecond (`tcp_sock.srtt_us`).
    pub srtt_us_x8: u32,
    /// Payload bytes put on the wire, retransmissions included (`tcp_sock.bytes_sent`).
    pub sent_bytes: u64,
    /// Payload bytes put on the wire again (`tcp_sock.bytes_retrans`).
    pub retrans_bytes: u64,
    /// `tx_bytes` when the entry was opened: 0 for a socket whose birth was seen.
    pub base_tx_bytes: u64,
    /// `rx_bytes` when the entry was opened: 0 for a socket whose birth was seen.
    pub base_rx_bytes: u64,
    /// Sequence number that stands for 0 bytes sent. Both origins are 0 where they are unknown.
    pub tx_origin: u32,
    /// Sequence number that stands for 0 bytes received.
    pub rx_origin: u32,
    /// `CLOCK_MONOTONIC` in nanoseconds when the entry was opened.
    pub opened_ns: u64,
    /// Cgroup v2 id of the owner, 0 while it has not been seen.
    pub cgroup_id: u64,
    /// Name of the process, NUL-padded.
    pub comm: [u8; 16],
}

impl Flow {
    /// Puts an entry together.
    #[must_use]
    pub fn of(slot: &Slot, detail: &Detail) -> Self {
        Self {
            tx_bytes: slot.tx_bytes,
            rx_bytes: slot.rx_bytes,
            state: u32::from(slot.state),
            flags: u32::from(slot.flags),
            uses: u32::from(slot.uses),
            pid: detail.pid,
            last_us: slot.last_us,
            segs_in: detail.segs_in,
            segs_out: detail.segs_out,
            retrans_segs: detail.retrans_segs,
            srtt_us_x8: detail.srtt_us_x8,
            sent_bytes: detail.sent_bytes,
            retrans_bytes: detail.retrans_bytes,
            base_tx_bytes: slot.base_tx_bytes,
            base_rx_bytes: slot.base_rx_bytes,
            tx_origin: slot.tx_origin,
            rx_origin: slot.rx_origin,
            opened_ns: detail.opened_ns,
            cgroup_id: detail.cgroup_id,
            comm: detail.comm,
        }
    }
}

const _: () = assert!(size_of::<Slot>() == 64);
const _: () = assert!(size_of::<Detail>() == 128);
