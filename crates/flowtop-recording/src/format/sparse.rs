//! Sparse records: flows that matter stay, all others are summed up by owner and remote label. The
//! totals stay what they were.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::payload::MAX_FLOWS;
use flowtop_core::owner::comm_text;
use flowtop_core::record::{FlowRecord, Record, Rest};

/// Which flows stay: a union. Without any of it all do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many with the most bytes in the window, and so many with the most bytes put on the wire again.
    pub top: Option<usize>,
    /// Every one with at least so many bytes in the window, both directions together.
    pub over: Option<u64>,
}

impl Keep {
    /// The record with the flows that stay. Both ends of a connection stay or go.
    #[must_use]
    pub fn apply(&self, record: Record) -> Record {
        match self {
            Self { top: None, over: None } if record.flows.len() <= MAX_FLOWS => record,
            Self { top: None, over: None } => {
                // More than a record can hold.
                Self { top: Some(MAX_FLOWS / 4), over: None }.apply(record)
            }
            _ => self.reduce(record),
        }
    }

    fn reduce(&self, record: Record) -> Record {
        let stays = self.staying(&record.flows);
        let gone = record.flows.iter().zip(&stays).filter(|(flow, stays)| !**stays && !flow.is_right);
        let mut rest: BTreeMap<Who, Rest> = BTreeMap::new();
        for (flow, _) in gone {
            let who = who(flow);
            let sum = rest.entry(who.clone()).or_insert_with(|| who.rest());
            sum.add(flow.bytes, flow.retrans_bytes, flow.on_wire());
        }
        let places = stays.iter().scan(0_u32, |place, stays| {
            *place += u32::from(*stays);
            Some(*place - u32::from(*stays))
        });
        let now_at: Vec<u32> = places.collect();
        let is_here = |peer: &u32| stays.get(*peer as usize) == Some(&true);
        let flows = record.flows.into_iter().zip(&stays).filter(|(_, stays)| **stays).map(|(flow, _)| {
            let peer = flow.peer.filter(is_here).map(|peer| now_at[peer as usize]);
            FlowRecord { peer, ..flow }
        });
        let flows = flows.collect();
        Record { flows, rest: record.rest.into_iter().chain(rest.into_values()).collect(), ..record }
    }

    /// Whether each flow stays in the record, by place.
    fn staying(&self, flows: &[FlowRecord]) -> Vec<bool> {
        let mut stays = vec![false; flows.len()];
        let mut places: Vec<usize> = (0..flows.len()).filter(|place| !flows[*place].is_right).collect();
        let mut top = |amount: fn(&FlowRecord) -> u64| {
            let wanted = self.top.unwrap_or(0);
            places.sort_by_key(|place| Reverse(amount(&flows[*place])));
            for place in places.iter().take(wanted).take_while(|place| amount(&flows[**place]) > 0) {
                stays[*place] = true;
            }
        };
        top(|flow| flow.bytes.sum());
        top(|flow| flow.retrans_bytes);
        for (place, flow) in flows.iter().enumerate() {
            stays[place] |= !flow.is_right && self.over.is_some_and(|over| flow.bytes.sum() >= over);
        }
        for (place, flow) in flows.iter().enumerate().filter(|(_, flow)| flow.is_right) {
            stays[place] = flow.peer.is_some_and(|left| stays.get(left as usize) == Some(&true));
        }
        stays
    }
}

/// Key of the groups of a sparse record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    texts: [Option<String>; 6],
    label: Arc<str>,
}

fn who(flow: &FlowRecord) -> Who {
    let identity = flow.identity.as_deref().cloned().unwrap_or_default();
    let comm = identity.comm.or_else(|| comm_text(&flow.flow.comm));
    let texts = [comm, identity.user, identity.unit, identity.container, identity.pod, identity.namespace];
    Who { texts, label: Arc::clone(&flow.label) }
}

impl Who {
    fn rest(self) -> Rest {
        let [comm, user, unit, container, pod, namespace] = self.texts;
        Rest { comm, user, unit, container, pod, namespace, label: self.label, ..Rest::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::reference::Reference;
    use flowtop_core::record::fixture;
    use flowtop_core::window::Bytes;
    use proptest::prelude::*;

    fn all(record: &Record) -> (Bytes, u64) {
        let left = record.flows.iter().filter(|flow| !flow.is_right);
        let of_flows = left.map(|flow| (flow.bytes, flow.retrans_bytes));
        let of_rest = record.rest.iter().map(|rest| (rest.bytes, rest.retrans_bytes));
        of_flows
            .chain(of_rest)
            .fold(Default::default(), |sum: (Bytes, u64), one| (sum.0 + one.0, sum.1 + one.1))
    }

    #[test]
    fn the_largest_stay_with_their_other_ends() {
        let flow = |id, comm, tx| {
            let bytes = Bytes { tx, rx: 0 };
            fixture::flow(id, comm, ["127.0.0.1:40000", "127.0.0.1:80"], bytes, bytes)
        };
        let mut flows =
            vec![flow(1, "a", 5), flow(2, "b", 9), flow(3, "b", 9), flow(4, "a", 7), flow(5, "a", 1)];
        (flows[1].peer, flows[2].peer, flows[2].is_right) = (Some(2), Some(1), true);
        flows[4].retrans_bytes = 3;
        let record = fixture::record(0, flows);
        let of = |keep: Keep| {
            let sparse = keep.apply(record.clone());
            let flows: Vec<_> = sparse.flows.iter().map(|flow| (flow.key.id, flow.peer)).collect();
            let rest: Vec<_> = sparse.rest.iter().map(|rest| (rest.flows, rest.bytes.tx)).collect();
            (flows, rest)
        };
        let top = |top| Keep { top: Some(top), over: None };
        assert_eq!(of(top(1)), (vec![(2, Some(1)), (3, Some(0)), (5, None)], vec![(2, 12)]));
        assert_eq!(of(Keep { top: None, over: Some(7) }).0, [(2, Some(1)), (3, Some(0)), (4, None)]);
        assert_eq!(of(top(9)).1, []);
        assert_eq!(Keep::default().apply(record.clone()), record);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_totals_stay(minute in 0..5_usize, top in prop::option::of(0..50_usize), over in prop::option::of(0..1_u64 << 16)) {
            let record = Reference::of(60).nth(minute).unwrap();
            let sparse = Keep { top, over }.apply(record.clone());
            prop_assert_eq!(all(&sparse), all(&record));
            let flows = |record: &Record| {
                let rest: u32 = record.rest.iter().map(|rest| rest.flows).sum();
                record.flows.len() + rest as usize
            };
            prop_assert_eq!(flows(&sparse), 60);
            let over = over.unwrap_or(u64::MAX);
            prop_assert!(top.is_none() && over == u64::MAX || sparse.rest.iter().all(|rest| rest.bytes.sum() < over.saturating_mul(u64::from(rest.flows))));
        }
    }
}
