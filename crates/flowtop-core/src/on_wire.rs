//! What a socket has put on the wire and taken from it, as the counter of an Ethernet interface sees it: payload, repeats and
//! headers.
//!
//! ```text
//! tx = bytes_sent + segs_out · header + handshake        rx = bytes taken by the application + segs_in · header + handshake
//! header = Ethernet 14 + IPv4 20 or IPv6 40 + TCP 20 + timestamps 12
//! ```
//!
//! `bytes_sent` has repeats in it, and both numbers of segments count each segment of a super-segment (GSO, GRO). The
//! timestamps are assumed: they are negotiated unless one of the hosts has switched them off. docs/how-it-counts.md says what
//! is not in it.

use flowtop_common::{Flow, FlowKey, flags};

use crate::window::Bytes;

/// Ethernet without its checksum, which interfaces do not count.
const ETHERNET_BYTES: u64 = 14;
const IPV4_BYTES: u64 = 20;
const IPV6_BYTES: u64 = 40;
/// With timestamps.
const TCP_BYTES: u64 = 20 + 12;
/// What the options of a SYN (maximum segment size, SACK, timestamps, window scale) add to a header with timestamps.
const SYN_BYTES: u64 = 8;

/// Length of the headers of each segment of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: u64,
}

impl Header {
    /// Of the protocol that the addresses are of: an IPv6 socket speaks IPv4 to a mapped address.
    #[must_use]
    pub fn of(key: &FlowKey) -> Self {
        let is_v4 = matches!(key.remote_addr, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..]);
        Self { bytes: ETHERNET_BYTES + if is_v4 { IPV4_BYTES } else { IPV6_BYTES } + TCP_BYTES }
    }

    /// What the handshake has more than its segments in the counters of a socket whose birth was seen. The SYN+ACK of
    /// an end that was accepted is older than its socket and in no counter.
    fn handshake(self, flow_flags: u32) -> Bytes {
        match flow_flags {
            _ if flow_flags & flags::BORN == 0 => Bytes::default(),
            _ if flow_flags & flags::PASSIVE != 0 => Bytes { tx: self.bytes + SYN_BYTES, rx: SYN_BYTES },
            _ if flow_flags & flags::ACTIVE != 0 => Bytes { tx: SYN_BYTES, rx: SYN_BYTES },
            _ => Bytes::default(),
        }
    }
}

/// The counters of a socket that tell it, over its life or some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Payload bytes put on the wire, repeats included.
    pub sent_bytes: u64,
    /// Payload bytes that the application has taken.
    pub received_bytes: u64,
    /// Segments sent; over a life it wraps at 2^32.
    pub segs_out: u32,
    /// Segments received; over a life it wraps at 2^32.
    pub segs_in: u32,
}

impl Carried {
    /// Over the life of a socket.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        Self {
            sent_bytes: flow.sent_bytes,
            received_bytes: flow.rx_bytes,
            segs_out: flow.segs_out,
            segs_in: flow.segs_in,
        }
    }

    /// Growth since an earlier reading; 0 where a counter went back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            received_bytes: self.received_bytes.saturating_sub(earlier.received_bytes),
            segs_out: wrapped(earlier.segs_out, self.segs_out),
            segs_in: wrapped(earlier.segs_in, self.segs_in),
        }
    }

    /// Whether it is that of a socket before its first segment.
    #[must_use]
    pub fn is_blank(self) -> bool {
        self.segs_out == 0 && self.segs_in == 0
    }

    /// Bytes on the wire of what has grown since `earlier`, of a flow with these [`Flow::flags`].
    #[must_use]
    pub fn on_wire_since(self, earlier: Self, header: Header, flow_flags: u32) -> Bytes {
        let grown = self.since(earlier);
        let handshake = if earlier.is_blank() && !grown.is_blank() {
            header.handshake(flow_flags)
        } else {
            Bytes::default()
        };
        let of = |payload: u64, segments: u32| payload.saturating_add(u64::from(segments) * header.bytes);
        Bytes { tx: of(grown.sent_bytes, grown.segs_out), rx: of(grown.received_bytes, grown.segs_in) }
            + handshake
    }
}

/// What a socket has put on the wire in some time, and how many segments it has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    /// Payload bytes, repeats included.
    pub sent_bytes: u64,
    pub segs_out: u32,
    pub segs_in: u32,
}

impl Grown {
    /// The counters of a socket before they grew by this, other than those of payload.
    #[must_use]
    pub fn before(self, life: &Flow) -> Flow {
        Flow {
            sent_bytes: life.sent_bytes.saturating_sub(self.sent_bytes),
            segs_out: life.segs_out.wrapping_sub(self.segs_out),
            segs_in: life.segs_in.wrapping_sub(self.segs_in),
            ..*life
        }
    }
}

/// Growth of a counter that wraps at 2^32; 0 if it went back.
#[must_use]
pub fn wrapped(before: u32, now: u32) -> u32 {
    let grown = now.wrapping_sub(before);
    if grown < 1 << 31 { grown } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ACCEPTED, CONNECTED, OLDER, key};

    fn header(remote: &str) -> Header {
        let local = if remote.starts_with('[') { "[2001:db8::1]:40000" } else { "192.0.2.1:40000" };
        Header::of(&key(1, local, remote, 1))
    }

    /// What three segments carry: a question of 100 bytes, and an acknowledgement each.
    const ASKED: Carried = Carried { sent_bytes: 100, received_bytes: 0, segs_out: 3, segs_in: 2 };

    #[test]
    fn each_segment_has_the_headers_of_its_protocol() {
        let earlier = Carried { segs_out: 1, segs_in: 1, ..Carried::default() };
        let of = |remote| ASKED.on_wire_since(earlier, header(remote), CONNECTED);
        assert_eq!(of("198.51.100.7:443"), Bytes { tx: 100 + 2 * 66, rx: 66 });
        assert_eq!(of("[2001:db8::2]:443"), Bytes { tx: 100 + 2 * 86, rx: 86 });
        assert_eq!(of("[::ffff:198.51.100.7]:443"), of("198.51.100.7:443"));
    }

    #[test]
    fn a_connection_that_is_seen_from_its_birth_has_its_handshake() {
        let of = |flow_flags| ASKED.on_wire_since(Carried::default(), header("198.51.100.7:443"), flow_flags);
        // SYN, ACK and question; SYN+ACK and ACK.
        assert_eq!(of(CONNECTED), Bytes { tx: 74 + 66 + 166, rx: 74 + 66 });
        assert_eq!(of(ACCEPTED), Bytes { tx: 74 + 100 + 3 * 66, rx: 74 + 66 });
        assert_eq!(of(OLDER), Bytes { tx: 100 + 3 * 66, rx: 2 * 66 });
    }

    #[test]
    fn a_socket_that_has_moved_no_segment_has_moved_nothing() {
        let blank = Carried::default();
        assert_eq!(blank.on_wire_since(blank, header("198.51.100.7:443"), CONNECTED), Bytes::default());
    }

    #[test]
    fn numbers_of_segments_may_wrap_and_going_back_is_nothing() {
        let at = |segs_out, segs_in| Carried { segs_out, segs_in, ..Carried::default() };
        let grown = at(3, 7).since(at(u32::MAX - 1, 9));
        assert_eq!((grown.segs_out, grown.segs_in), (5, 0));
        assert_eq!(Carried::default().since(ASKED).sent_bytes, 0);
    }
}
