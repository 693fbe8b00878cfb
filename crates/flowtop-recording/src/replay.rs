//! `flowtop replay`: a record as a ledger with owners and labels, for the view and the reports.
//!
//! The numbers are those of `Ledger::of_record`. Here is who was behind them then.
//!
//! Not in here: which record is shown (`replay::player`), and where records come from (`flowtop`'s `recordings`).

pub mod caption;
pub mod player;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use flowtop_core::flow::stays_on_host;
use flowtop_core::label::Labels;
use flowtop_core::owner::{Identity, Owners, Pod, Seen};
use flowtop_core::record::{FlowRecord, Record};

/// Identities of the flows of a record. Unknown ones stay unknown: there are no files to read.
#[derive(Debug, Default)]
pub struct RecordedOwners {
    known: HashMap<(Seen, u64), Arc<Identity>>,
    /// Identity by process alone, for a lookup at another moment.
    processes: HashMap<Seen, Arc<Identity>>,
    unknown: Arc<Identity>,
    /// Pods by their addresses.
    pods: HashMap<IpAddr, Arc<Pod>>,
    /// Pods by the inode numbers of their network namespaces.
    namespaces: HashMap<u32, Arc<Pod>>,
}

impl RecordedOwners {
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mut owners = Self::default();
        for flow in &record.flows {
            let pod = flow.remote_pod.as_ref().map(|pod| (flow.tuple().remote.ip(), Arc::clone(pod)));
            owners.pods.extend(pod);
            owners.namespaces.extend(flow.netns_pod.as_ref().map(|pod| (flow.key.netns, Arc::clone(pod))));
            if let Some(identity) = &flow.identity {
                let seen = Seen::of(&flow.flow);
                owners.known.insert((seen, used_ns(flow)), Arc::clone(identity));
                owners.processes.insert(seen, Arc::clone(identity));
            }
        }
        owners
    }
}

impl Owners for RecordedOwners {
    fn identity(&self, seen: &Seen, used_ns: u64) -> Option<Arc<Identity>> {
        let found = self.known.get(&(*seen, used_ns)).or_else(|| self.processes.get(seen));
        Some(Arc::clone(found.unwrap_or(&self.unknown)))
    }

    fn pod_at(&self, address: IpAddr) -> Option<Arc<Pod>> {
        self.pods.get(&address).cloned()
    }

    fn pod_in(&self, netns: u32) -> Option<Arc<Pod>> {
        self.namespaces.get(&netns).cloned()
    }

    fn knows_addresses(&self) -> bool {
        true
    }
}

/// When the socket was in use for sure, as the ledger asks for it.
fn used_ns(flow: &FlowRecord) -> u64 {
    flow.flow.opened_ns.max(flow.flow.last_us.saturating_mul(1000))
}

#[must_use]
pub fn labels(record: &Record) -> Labels {
    Labels::of_addresses(record.flows.iter().map(|flow| {
        let same_host = flow.peer.is_some() || stays_on_host(&flow.key);
        (flow.tuple().remote.ip(), same_host, &*flow.label)
    }))
}
