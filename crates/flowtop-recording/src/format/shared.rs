//! Tables that the rows of a record refer to by number: texts, addresses, processes.

use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, flags};

use super::dictionary::Dictionary;
use super::limits;
use flowtop_core::owner::{Identity, Pod, Seen};
use flowtop_core::record::{FlowRecord, Record, Span};
use flowtop_core::scope::Verdict;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) seen: Seen,
    /// Number of the identity plus one, 0 for none.
    pub(super) identity: u64,
}

/// Values that many flows share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) owner: Owner,
    users: u32,
    netns: u32,
    family: u16,
    /// Flags of the flow without [`flags::ENDED`].
    flags: u32,
    local_addr: [u8; 16],
    service_port: u16,
    label: Arc<str>,
    remote_pod: Option<Arc<Pod>>,
    netns_pod: Option<Arc<Pod>>,
    counts: [bool; 2],
    is_right: bool,
}

impl Kind {
    fn of(flow: &FlowRecord, owner: Owner) -> Self {
        Self {
            owner,
            users: flow.users,
            netns: flow.key.netns,
            family: flow.key.family,
            flags: flow.flow.flags & !flags::ENDED,
            local_addr: flow.key.local_addr,
            service_port: *service_port(&mut flow.key.clone(), flow.flow.flags),
            label: Arc::clone(&flow.label),
            remote_pod: flow.remote_pod.clone(),
            netns_pod: flow.netns_pod.clone(),
            counts: [flow.counts.tx, flow.counts.rx],
            is_right: flow.is_right,
        }
    }

    /// A flow that has nothing but this.
    fn flow(&self, identities: &Dictionary<Arc<Identity>>) -> FlowRecord {
        let mut key = FlowKey {
            netns: self.netns,
            family: self.family,
            local_addr: self.local_addr,
            ..FlowKey::default()
        };
        *service_port(&mut key, self.flags) = self.service_port;
        let Seen { pid, comm, cgroup_id } = self.owner.seen;
        let identity = self.owner.identity.checked_sub(1).and_then(|number| identities.value(number));
        let flow = Flow { pid, comm, cgroup_id, flags: self.flags, ..Flow::default() };
        FlowRecord {
            key,
            flow,
            users: self.users,
            label: Arc::clone(&self.label),
            remote_pod: self.remote_pod.clone(),
            netns_pod: self.netns_pod.clone(),
            counts: Verdict { tx: self.counts[0], rx: self.counts[1] },
            is_right: self.is_right,
            identity: identity.cloned(),
            ..FlowRecord::default()
        }
    }
}

/// Which of the two ports is the service's: of a flow that was accepted, the local one.
pub(super) fn service_port(key: &mut FlowKey, flow_flags: u32) -> &mut u16 {
    if flow_flags & flags::PASSIVE == 0 { &mut key.remote_port } else { &mut key.local_port }
}

pub(super) fn client_port(key: &mut FlowKey, flow_flags: u32) -> &mut u16 {
    if flow_flags & flags::PASSIVE == 0 { &mut key.local_port } else { &mut key.remote_port }
}

/// Tables that rows refer to by number.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) span: Span,
    pub(super) texts: Dictionary<Arc<str>>,
    pub(super) addresses: Dictionary<[u8; 16]>,
    pub(super) comms: Dictionary<[u8; 16]>,
    pub(super) netns: Dictionary<u32>,
    pub(super) identities: Dictionary<Arc<Identity>>,
    pub(super) owners: Dictionary<Owner>,
    pub(super) kinds: Dictionary<Kind>,
    /// Flows that have only what is in common, by the number of the kind.
    pub(super) templates: Vec<FlowRecord>,
}

impl Shared {
    /// Everything that occurs in a record.
    pub(super) fn of(record: &Record) -> Self {
        let flows = || record.flows.iter();
        let identities = Dictionary::of(flows().filter_map(|flow| flow.identity.clone()));
        let mut shared = Self {
            span: record.span,
            texts: Dictionary::of(texts(record, identities.values())),
            addresses: Dictionary::of(
                flows()
                    .flat_map(|flow| [flow.key.local_addr, flow.key.remote_addr])
                    .chain(limits::addresses(&record.limits)),
            ),
            comms: Dictionary::of(flows().map(|flow| flow.flow.comm)),
            netns: Dictionary::of(flows().map(|flow| flow.key.netns)),
            identities,
            ..Self::default()
        };
        shared.owners = Dictionary::of(flows().map(|flow| shared.owner(flow)));
        shared.kinds = Dictionary::of(flows().map(|flow| shared.kind(flow)));
        let kinds = shared.kinds.values().iter();
        shared.templates = kinds.map(|kind| kind.flow(&shared.identities)).collect();
        shared
    }

    pub(super) fn kind(&self, flow: &FlowRecord) -> Kind {
        Kind::of(flow, self.owner(flow))
    }

    pub(super) fn owner(&self, flow: &FlowRecord) -> Owner {
        let identity = flow.identity.as_ref().map_or(0, |identity| self.identities.number(identity) + 1);
        Owner { seen: Seen::of(&flow.flow), identity }
    }

    pub(super) fn text(&self, text: &str) -> u64 {
        self.texts.number(text)
    }

    /// Number of a text plus one, 0 for none.
    pub(super) fn optional(&self, text: Option<&str>) -> u64 {
        text.map_or(0, |text| self.text(text) + 1)
    }

    /// Puts the text with a number where it belongs.
    pub(super) fn put_text(&self, field: &mut String, number: u64) -> Option<()> {
        *field = self.texts.value(number)?.to_string();
        Some(())
    }

    /// The same with a number from [`Self::optional`].
    pub(super) fn put_optional(&self, field: &mut Option<String>, number: u64) -> Option<()> {
        *field = match number.checked_sub(1) {
            Some(number) => Some(self.texts.value(number)?.to_string()),
            None => None,
        };
        Some(())
    }
}

/// Every text of a record, as often as it occurs.
fn texts<'a>(record: &'a Record, identities: &'a [Arc<Identity>]) -> impl Iterator<Item = Arc<str>> + 'a {
    let labels =
        record.flows.iter().map(|flow| &flow.label).chain(record.rest.iter().map(|rest| &rest.label));
    let of_identities = identities.iter().flat_map(|identity| {
        let i = &**identity;
        [
            &i.comm,
            &i.command,
            &i.user,
            &i.unit,
            &i.container_id,
            &i.container,
            &i.pod,
            &i.namespace,
            &i.cgroup,
            &i.workload,
        ]
    });
    let of_rest = record
        .rest
        .iter()
        .flat_map(|rest| [&rest.comm, &rest.user, &rest.unit, &rest.container, &rest.pod, &rest.namespace]);
    let losses = record.losses.iter().map(|(name, _)| name);
    let interfaces = record.interfaces.iter().map(|interface| &interface.name);
    let others = losses.chain(interfaces);
    let pods = record.flows.iter().flat_map(|flow| [&flow.remote_pod, &flow.netns_pod]).flatten();
    let of_pods = pods.flat_map(|pod| pod.namespace.iter().chain([&pod.name]));
    let texts = of_identities.chain(of_rest).flatten().chain(others).chain(of_pods);
    let of_limits = limits::texts(&record.limits).map(Arc::from);
    labels.map(Arc::clone).chain(texts.map(|text| Arc::from(text.as_str()))).chain(of_limits)
}
