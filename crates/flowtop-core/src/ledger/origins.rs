//! Sequence numbers: whether two flows can be the two ends of one connection, whatever their addresses say.
//!
//! What one end sends first is what the other end receives first, through any number of NATs: the origins of the two ends
//! are crossed, 64 random bits. A proxy that keeps addresses and ports has a connection on each side, with origins of
//! their own.

use flowtop_common::{Flow, flags};

use crate::flow::Role;
use crate::window::Bytes;

/// The sequence numbers of one end that stand for 0 bytes sent and 0 bytes received; both are 0 where they are unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origins {
    tx: u32,
    rx: u32,
}

impl Origins {
    pub(super) fn of(flow: &Flow) -> Self {
        Self { tx: flow.tx_origin, rx: flow.rx_origin }
    }

    pub(super) fn are_known(self) -> bool {
        self != Self::default()
    }

    /// The same as the other end has them.
    pub(super) fn crossed(self) -> Self {
        Self { tx: self.rx, rx: self.tx }
    }

    /// The sequence numbers behind so many bytes.
    fn behind(self, bytes: Bytes) -> Self {
        let low = |bytes: u64| u32::try_from(bytes & u64::from(u32::MAX)).unwrap_or_default();
        Self { tx: self.tx.wrapping_add(low(bytes.tx)), rx: self.rx.wrapping_add(low(bytes.rx)) }
    }

    fn are_near(self, other: Self) -> bool {
        let near = |one: u32, other: u32| one.wrapping_sub(other).min(other.wrapping_sub(one)) < NEAR;
        near(self.tx, other.tx) && near(self.rx, other.rx)
    }
}

/// How far what one end has sent may be ahead of what the other has received, or behind where they were not read at the
/// same moment: more than socket buffers hold.
const NEAR: u32 = 1 << 25;

/// One end of a connection by its sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) origins: Origins,
    /// Bytes in the life of the socket.
    pub(super) bytes: Bytes,
    /// Whether the handshake was seen, so that the origins are those of the connection.
    pub(super) is_exact: bool,
}

impl Sequence {
    pub(super) fn of(origins: Origins, bytes: Bytes, flow_flags: u32) -> Self {
        let is_exact = flow_flags & flags::BORN != 0 && Role::of(flow_flags) != Role::Unknown;
        Self { origins, bytes, is_exact }
    }

    /// Whether the two can be one connection; where numbers are unknown, they can. The origins of a socket that is older
    /// than the start may be off by its SYN, and those of a restored one (`TCP_REPAIR`) are of the moment when it was
    /// restored: then the ends have to have come to about the same place.
    pub(super) fn fits(self, other: Self) -> bool {
        let (mine, theirs) = (self.origins, other.origins);
        let come_near = || mine.behind(self.bytes).are_near(theirs.behind(other.bytes).crossed());
        !mine.are_known()
            || !theirs.are_known()
            || mine == theirs.crossed()
            || (!(self.is_exact && other.is_exact) && come_near())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two ends of one connection: each has received a part of what the other has sent.
    fn ends(origins: [u32; 2], sent: [u64; 2], unread: [u64; 2]) -> [Sequence; 2] {
        let received = [sent[0].saturating_sub(unread[0]), sent[1].saturating_sub(unread[1])];
        let end = |tx: usize, rx: usize| Sequence {
            origins: Origins { tx: origins[tx], rx: origins[rx] },
            bytes: Bytes { tx: sent[tx], rx: received[rx] },
            is_exact: true,
        };
        [end(0, 1), end(1, 0)]
    }

    proptest! {
        #[test]
        fn ends_fit_whatever_they_have_moved(origins: [u32; 2], sent: [u64; 2], unread: [u64; 2]) {
            let [one, other] = ends(origins, sent.map(|bytes| bytes >> 1), unread);
            prop_assert!(one.fits(other) && other.fits(one));
        }

        #[test]
        fn an_older_or_restored_end_fits_where_it_is(
            origins: [u32; 2], sent in [0..1_u64 << 40, 0..1 << 40], unread in [0..1_u64 << 20, 0..1 << 20],
            before in [0..1_u32 << 30, 0..1 << 30],
        ) {
            let [mut one, other] = ends(origins, sent, unread);
            // Its numbers begin where the socket before it ended.
            let before = before.map(|bytes| u64::from(bytes).min(sent[0]).min(one.bytes.rx));
            let bytes = Bytes { tx: before[0], rx: before[1] };
            one = Sequence { origins: one.origins.behind(bytes), bytes: one.bytes.since(bytes), is_exact: false };
            prop_assert!(one.fits(other) && other.fits(one));
        }

        #[test]
        fn ends_of_two_connections_do_not_fit(
            origins: [u32; 2], others: [u32; 2], sent in [0..1_u64 << 20, 0..1 << 20], is_exact: bool,
        ) {
            let far = |a: u32, b: u32| a.wrapping_sub(b).min(b.wrapping_sub(a)) > 2 * NEAR;
            prop_assume!(far(origins[0], others[0]) || far(origins[1], others[1]));
            prop_assume!((others[0], others[1]) != (0, 0) && origins != [0, 0]);
            let (one, other) = (ends(origins, sent, [0; 2])[0], ends(others, sent, [0; 2])[1]);
            let other = Sequence { is_exact, ..other };
            prop_assert!(!one.fits(other));
        }
    }

    #[test]
    fn what_is_unknown_refuses_nothing() {
        let [known, _] = ends([7, 9], [1, 2], [0; 2]);
        let unknown = Sequence { origins: Origins::default(), ..known };
        assert!(known.fits(unknown) && unknown.fits(known) && !known.fits(known));
    }

    #[test]
    fn a_handshake_that_was_seen_admits_no_difference() {
        let [one, other] = ends([7, 9], [1, 2], [0; 2]);
        let off_by_one = Sequence { origins: Origins { tx: 8, ..one.origins }, ..one };
        assert!(!off_by_one.fits(other));
        assert!(Sequence { is_exact: false, ..off_by_one }.fits(other));
    }
}
