//! Counters that cannot be true. Whatever a socket or a record claims, one such number must not spoil the totals, peaks and
//! scales of everything else for as long as flowtop runs.

use alloc::vec::Vec;

use crate::flow::Tuple;
use crate::record::{FlowRecord, Record};
use crate::window::Bytes;

/// Most bytes that one direction of anything is believed to move in a second: 70 Tbit/s, far beyond any host of today.
pub const MAX_BYTES_PER_S: u64 = 1 << 43;
const NS_PER_S: u64 = 1_000_000_000;

/// Whether these bytes can have moved in so many nanoseconds. Less than a second is taken for a second.
#[must_use]
pub fn is_plausible(bytes: Bytes, elapsed_ns: u64) -> bool {
    let most = MAX_BYTES_PER_S.saturating_mul(elapsed_ns.div_ceil(NS_PER_S).max(1));
    bytes.tx <= most && bytes.rx <= most
}

impl Record {
    /// Takes out what cannot be true: bytes of sockets, and sums that had them in. Returns the connections whose bytes are not
    /// counted; all others stay as they are.
    pub fn refuse_implausible(&mut self) -> Vec<Tuple> {
        let (length_ns, end_ns) = (self.span.length_ns(), self.span.end_ns);
        let mut refused = Vec::new();
        for flow in self.flows.iter_mut().filter(|flow| !is_believed(flow, length_ns, end_ns)) {
            refused.push(flow.tuple());
            (flow.bytes, flow.peak) = (Bytes::default(), Bytes::default());
            (flow.flow.tx_bytes, flow.flow.rx_bytes) = (0, 0);
        }
        // What cannot have been on the wire is not known; the payload of the flow may still be right.
        for flow in self.flows.iter_mut().filter(|flow| !is_known(flow.on_wire(), length_ns)) {
            flow.grown = None;
        }
        for rest in self.rest.iter_mut().filter(|rest| !is_known(rest.on_wire, length_ns)) {
            rest.on_wire = None;
        }
        let before = self.rest.len();
        self.rest.retain(|rest| is_plausible(rest.bytes, length_ns));
        if !refused.is_empty() || self.rest.len() < before || !is_plausible(self.totals, length_ns) {
            self.totals = self.sum();
            self.per_second.iter_mut().filter(|second| !is_plausible(**second, NS_PER_S)).for_each(
                |second| {
                    *second = Bytes::default();
                },
            );
        }
        if let Some(gap) = self.gap
            && !is_plausible(gap.totals, self.span.start_ns.saturating_sub(gap.start_ns))
        {
            self.gap = None;
        }
        refused
    }

    /// The totals as the parts of the record say them.
    fn sum(&self) -> Bytes {
        let left = self.flows.iter().filter(|flow| !flow.is_right).map(|flow| flow.bytes);
        let rest = self.rest.iter().map(|rest| rest.bytes);
        let untracked = &self.untracked;
        let mirrored = Bytes { tx: untracked.mirrored_tx_bytes, rx: untracked.mirrored_rx_bytes };
        let once = Bytes { tx: untracked.tx_bytes, rx: untracked.rx_bytes }.since(mirrored);
        left.chain(rest).fold(once, |sum, bytes| sum + bytes)
    }
}

fn is_known(on_wire: Option<Bytes>, length_ns: u64) -> bool {
    on_wire.is_none_or(|bytes| is_plausible(bytes, length_ns))
}

/// Whether the bytes of a socket can have moved in its window, and those of its life since it was opened.
fn is_believed(flow: &FlowRecord, length_ns: u64, end_ns: u64) -> bool {
    let life_ns = end_ns.saturating_sub(if flow.is_born() { flow.flow.opened_ns } else { 0 });
    is_plausible(flow.bytes, length_ns)
        && is_plausible(flow.peak, length_ns)
        && is_plausible(flow.lifetime(), life_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_wire::Grown;
    use crate::record::fixture::{flow, record};

    #[test]
    fn a_link_of_today_is_believed_and_a_wrapped_counter_is_not() {
        let of = |tx, rx, elapsed_ns| is_plausible(Bytes { tx, rx }, elapsed_ns);
        assert!(of(MAX_BYTES_PER_S, MAX_BYTES_PER_S, 1) && of(0, 0, 0));
        assert!(of(3 * MAX_BYTES_PER_S, 0, 3 * NS_PER_S));
        for bytes in [MAX_BYTES_PER_S + 1, u64::MAX, u64::MAX - 59] {
            assert!(!of(bytes, 0, NS_PER_S) && !of(0, bytes, NS_PER_S), "{bytes}");
        }
        assert!(!of(u64::MAX, 0, 86_400 * NS_PER_S));
    }

    #[test]
    fn one_impossible_socket_leaves_the_rest_of_a_record_right() {
        let (small, huge) = (Bytes { tx: 60, rx: 7 }, Bytes { tx: u64::MAX, rx: 0 });
        let one = flow(1, "curl", ["192.0.2.1:40000", "192.0.2.2:443"], small, small);
        let wrapped = flow(2, "criu", ["192.0.2.1:40001", "192.0.2.2:443"], huge, huge);
        let mut of = record(0, alloc::vec![one.clone(), wrapped]);
        of.totals = Bytes { tx: u64::MAX, rx: 7 };
        of.per_second = alloc::vec![small, huge];
        let refused = of.refuse_implausible();
        assert_eq!(refused.iter().map(|tuple| tuple.local.port()).collect::<Vec<_>>(), [40001]);
        assert_eq!((of.totals, &of.per_second[..]), (small, &[small, Bytes::default()][..]));
        assert_eq!((&of.flows[0], of.flows[1].bytes), (&one, Bytes::default()));
        assert!(of.refuse_implausible().is_empty());
    }

    #[test]
    fn impossible_bytes_on_the_wire_are_unknown_and_the_payload_stays() {
        let small = Bytes { tx: 60, rx: 7 };
        let mut one = flow(1, "curl", ["192.0.2.1:40000", "192.0.2.2:443"], small, small);
        (one.flow.sent_bytes, one.grown) =
            (u64::MAX, Some(Grown { sent_bytes: u64::MAX, ..Grown::default() }));
        let mut of = record(0, alloc::vec![one]);
        assert!(of.refuse_implausible().is_empty());
        assert_eq!((of.flows[0].grown, of.flows[0].bytes), (None, small));
    }

    #[test]
    fn a_record_that_can_be_true_is_left_alone() {
        let small = Bytes { tx: 60, rx: 7 };
        let mut of = record(0, alloc::vec![flow(1, "curl", ["192.0.2.1:1", "192.0.2.2:2"], small, small)]);
        of.totals = Bytes { tx: 100, rx: 100 };
        let before = of.clone();
        assert!(of.refuse_implausible().is_empty());
        assert_eq!(of, before);
    }
}
