//! Every field of a connection in the machine formats, once: name, type, source and meaning.
//! JSON, CSV, `--fields` and the table in docs/reference.md are made from it.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::OnceCell;

use super::flow::Role;
use super::ledger::Entry;
use super::ledger::status::OwnerStatus;
use super::owner::{Identity, Pod};
use super::rows::Row;
use super::value::{Value, write_csv_text, write_json_text};
use super::who::Who;
use super::window::{Rates, Window};
use super::wire::state_name;
use flowtop_common::{Flow, FlowKey, flags};

#[cfg(test)]
mod tests;

#[derive(Debug)]
pub struct Column {
    /// Its name, which never changes.
    pub name: &'static str,
    /// Its type, with `?` where it may be unknown.
    pub kind: &'static str,
    /// One line for the reference.
    pub doc: &'static str,
    /// Whether only the left end's socket knows it.
    of_left: bool,
    of: Getter,
}

/// Which part of the ledger a field is read from.
#[derive(Debug)]
enum Getter {
    Value(ValueOf),
    /// A text that is somewhere already: ten thousands of rows have a dozen of them.
    Text(TextOf),
}

type ValueOf = fn(&Source<'_>) -> Value;
type TextOf = for<'s> fn(&'s Source<'_>) -> Option<Cow<'s, str>>;

/// One row, as the fields read it.
pub struct Source<'a> {
    row: &'a Row<'a>,
    /// The left end's, unless the row is turned.
    flow: Flow,
    at_ns: u64,
    who: Who<'a>,
    identities: [OnceCell<Option<Arc<Identity>>>; 2],
    remote_pod: OnceCell<Option<Arc<Pod>>>,
    netns_pods: [OnceCell<Option<Arc<Pod>>>; 2],
}

impl<'a> Source<'a> {
    /// A row at `at_ns` of the monotonic clock.
    #[must_use]
    pub fn new(row: &'a Row<'a>, at_ns: u64, who: Who<'a>) -> Self {
        let (identities, remote_pod, netns_pods) = Default::default();
        Self { row, flow: row.entry.flow(), at_ns, who, identities, remote_pod, netns_pods }
    }

    /// Whether the row has another end on this host.
    #[must_use]
    pub fn has_peer(&self) -> bool {
        self.row.right().is_some()
    }

    /// Identity of the owner from `/proc` and the runtimes' files, looked up once per row.
    fn identity(&self) -> Option<&Identity> {
        self.identity_of(0, self.row.entry)
    }

    fn peer_identity(&self) -> Option<&Identity> {
        self.row.right().and_then(|(_, entry)| self.identity_of(1, entry))
    }

    /// The pod of this host that has the remote address.
    fn remote_pod(&self) -> Option<&Pod> {
        let ask = || self.who.owners.pod_at(self.row.tuple.remote.ip());
        self.remote_pod.get_or_init(ask).as_deref()
    }

    /// The pod that has the network namespace of this end's socket: the socket may be a proxy's, in another pod.
    fn netns_pod(&self) -> Option<&Pod> {
        self.pod_in(0, self.row.key.netns)
    }

    fn peer_netns_pod(&self) -> Option<&Pod> {
        self.row.right().and_then(|(key, _)| self.pod_in(1, key.netns))
    }

    fn pod_in(&self, end: usize, netns: u32) -> Option<&Pod> {
        self.netns_pods[end].get_or_init(|| self.who.owners.pod_in(netns)).as_deref()
    }

    fn identity_of(&self, end: usize, entry: &Entry) -> Option<&Identity> {
        let ask = || self.who.owners.identity(&entry.owner(), entry.used_ns());
        self.identities[end].get_or_init(ask).as_deref()
    }
}

impl Column {
    #[must_use]
    pub fn value(&self, source: &Source<'_>) -> Value {
        match self.of {
            _ if self.is_unknown(source) => Value::Null,
            Getter::Value(value) => value(source),
            Getter::Text(text) => text(source).map_or(Value::Null, |text| Value::Text(text.into_owned())),
        }
    }

    /// The value as [`Value::write_json`] writes it, and as fast as can be.
    pub fn write_json(&self, source: &Source<'_>, out: &mut String) {
        match self.of {
            _ if self.is_unknown(source) => out.push_str("null"),
            Getter::Value(value) => value(source).write_json(out),
            Getter::Text(text) => match text(source) {
                Some(text) => write_json_text(out, &text),
                None => out.push_str("null"),
            },
        }
    }

    /// The value as [`Value::write_csv`] writes it, and as fast as can be.
    pub fn write_csv(&self, source: &Source<'_>, out: &mut String) {
        match self.of {
            _ if self.is_unknown(source) => {}
            Getter::Value(value) => value(source).write_csv(out),
            Getter::Text(text) => write_csv_text(out, text(source).as_deref().unwrap_or_default()),
        }
    }

    /// Whether only the left end's socket would know it, which is not on this host.
    const fn is_unknown(&self, source: &Source<'_>) -> bool {
        self.of_left && source.row.turned
    }

    /// The name within the object of the other end, for its fields.
    #[must_use]
    pub fn in_peer(&self) -> Option<&'static str> {
        self.name.strip_prefix("peer_")
    }
}

/// Every field, in the order in which they are written.
pub const ALL: &[Column] = &[
    shared("local_addr", "text", "Address of this end", |s| Value::Address(s.row.tuple.local.ip())),
    shared("local_port", "integer", "Port of this end", |s| u32::from(s.row.tuple.local.port()).into()),
    shared("remote_addr", "text", "Address of the other end", |s| Value::Address(s.row.tuple.remote.ip())),
    shared("remote_port", "integer", "Port of the other end", |s| {
        u32::from(s.row.tuple.remote.port()).into()
    }),
    column("netns", "integer?", "Inode number of the network namespace", |s| s.row.key.netns.into()),
    column("pid", "integer?", "Process that uses the socket, of several the busiest", |s| pid(s.row.entry)),
    text("comm", "text?", "Name of that process", |s| comm(s.row.entry, s.identity())),
    column("state", "text?", "TCP state, as `ESTABLISHED` or `CLOSE_WAIT`", |s| {
        Value::Word(state_name(s.flow.state))
    }),
    shared("tx_bytes", "integer", "Bytes sent since the start", |s| Value::Integer(s.row.bytes.tx)),
    shared("rx_bytes", "integer", "Bytes received since the start", |s| Value::Integer(s.row.bytes.rx)),
    shared("tx_rate_2s", "number", "Bytes sent per second, over the last 2 s", |s| tx(s, Window::S2)),
    shared("tx_rate_10s", "number", "The same over the last 10 s", |s| tx(s, Window::S10)),
    shared("tx_rate_40s", "number", "The same over the last 40 s", |s| tx(s, Window::S40)),
    shared("rx_rate_2s", "number", "Bytes received per second, over the last 2 s", |s| rx(s, Window::S2)),
    shared("rx_rate_10s", "number", "The same over the last 10 s", |s| rx(s, Window::S10)),
    shared("rx_rate_40s", "number", "The same over the last 40 s", |s| rx(s, Window::S40)),
    shared("initiator", "boolean?", "Whether this end connected", initiator),
    // Eighths, to the whole microsecond below.
    column("srtt_us", "integer?", "Smoothed round-trip time, µs", |s| eighths(s.flow.srtt_us_x8)),
    column("retrans_bytes", "integer?", "Bytes put on the wire again, in the life of the socket", |s| {
        Value::Integer(s.flow.retrans_bytes)
    }),
    column("retrans_segs", "integer?", "Segments put on the wire again, likewise", |s| {
        s.flow.retrans_segs.into()
    }),
    column("segs_in", "integer?", "Segments received, likewise; wraps at 2^32", |s| s.flow.segs_in.into()),
    column("segs_out", "integer?", "Segments sent, likewise; wraps at 2^32", |s| s.flow.segs_out.into()),
    column("sent_bytes", "integer?", "Bytes put on the wire, repeats included, likewise", |s| {
        Value::Integer(s.flow.sent_bytes)
    }),
    column(
        "tx_wire_bytes",
        "integer?",
        "Bytes put on the wire since the start: payload, repeats and headers",
        |s| s.row.on_wire.map_or(Value::Null, |bytes| Value::Integer(bytes.tx)),
    ),
    column("rx_wire_bytes", "integer?", "Bytes taken from the wire since the start, likewise", |s| {
        s.row.on_wire.map_or(Value::Null, |bytes| Value::Integer(bytes.rx))
    }),
    column("cgroup_id", "integer?", "Cgroup v2 id of the process", |s| known(s.row.entry.owner().cgroup_id)),
    shared("age_s", "number?", "Seconds since the connection was opened", age_s),
    column("idle_s", "number?", "Seconds since the last segment, up to a second too many", idle_s),
    column(
        "owner",
        "text?",
        "`process` or `kernel`; or `unused`, `closed`, `unattributed`: see below",
        |s| Value::Word(OwnerStatus::of(s.row.entry).name()),
    ),
    column("users", "integer?", "Processes that use the socket or have it open, as far as known", |s| {
        s.row.entry.users().count().into()
    }),
    text("command", "text?", "Command line of the process, with `***` for what looks like a secret", |s| {
        s.identity()?.command.as_deref().map(Cow::from)
    }),
    text("user", "text?", "Its effective user", |s| s.identity()?.user.as_deref().map(Cow::from)),
    column("uid", "integer?", "Number of that user", |s| {
        s.identity().and_then(|identity| identity.uid).map_or(Value::Null, Into::into)
    }),
    text("unit", "text?", "Its systemd unit", |s| s.identity()?.unit.as_deref().map(Cow::from)),
    text(
        "container_id",
        "text?",
        "First 12 digits of the id of its container; of ECS and Garden the whole id",
        |s| s.identity()?.short_container_id().map(Cow::from),
    ),
    text("container", "text?", "Name of that container", |s| {
        s.identity()?.container.as_deref().map(Cow::from)
    }),
    text("pod", "text?", "Name of its pod, or the UID while it has no name here", |s| {
        s.identity()?.pod.as_deref().map(Cow::from)
    }),
    text("namespace", "text?", "Namespace of that pod", |s| {
        s.identity()?.namespace.as_deref().map(Cow::from)
    }),
    text("workload", "text?", "Deployment, StatefulSet or the like of that pod, by the pod's name", |s| {
        s.identity()?.workload().map(Cow::from)
    }),
    text(
        "netns_pod",
        "text?",
        "Pod that has the network namespace of the socket, also if the process is in no pod",
        |s| Some(s.netns_pod()?.name.as_str().into()),
    ),
    text("netns_namespace", "text?", "Namespace of that pod", |s| {
        s.netns_pod()?.namespace.as_deref().map(Cow::from)
    }),
    shared_text("label", "text", "Label of the remote address", |s| Some(label(s).into())),
    shared_text("remote_pod", "text?", "Pod of this host that has the remote address", |s| {
        Some(s.remote_pod()?.name.as_str().into())
    }),
    shared_text("remote_namespace", "text?", "Namespace of that pod", |s| {
        s.remote_pod()?.namespace.as_deref().map(Cow::from)
    }),
    shared("peer_netns", "integer?", "Of the other end, if it is on this host: the same as above", |s| {
        peer(s, |key, _| key.netns.into())
    }),
    shared("peer_pid", "integer?", "Likewise", |s| peer(s, |_, entry| pid(entry))),
    shared_text("peer_comm", "text?", "Likewise", |s| comm(s.row.right()?.1, s.peer_identity())),
    shared("peer_state", "text?", "Likewise", |s| peer(s, |_, entry| Value::Word(state_name(entry.state())))),
    shared("peer_tx_bytes", "integer?", "Likewise", |s| peer(s, |_, entry| Value::Integer(entry.bytes().tx))),
    shared("peer_rx_bytes", "integer?", "Likewise", |s| peer(s, |_, entry| Value::Integer(entry.bytes().rx))),
    shared_text("peer_unit", "text?", "Likewise", |s| s.peer_identity()?.unit.as_deref().map(Cow::from)),
    shared_text("peer_container", "text?", "Likewise", |s| {
        s.peer_identity()?.container.as_deref().map(Cow::from)
    }),
    shared_text("peer_pod", "text?", "Likewise", |s| s.peer_identity()?.pod.as_deref().map(Cow::from)),
    shared_text("peer_namespace", "text?", "Likewise", |s| {
        s.peer_identity()?.namespace.as_deref().map(Cow::from)
    }),
    shared_text("peer_workload", "text?", "Likewise", |s| s.peer_identity()?.workload().map(Cow::from)),
    shared_text("peer_netns_pod", "text?", "Likewise", |s| Some(s.peer_netns_pod()?.name.as_str().into())),
    shared_text("peer_netns_namespace", "text?", "Likewise", |s| {
        s.peer_netns_pod()?.namespace.as_deref().map(Cow::from)
    }),
];

/// A field of the left end's socket.
const fn column(name: &'static str, kind: &'static str, doc: &'static str, value: ValueOf) -> Column {
    Column { name, kind, doc, of_left: true, of: Getter::Value(value) }
}

/// The same of one that is a text.
const fn text(name: &'static str, kind: &'static str, doc: &'static str, text: TextOf) -> Column {
    Column { name, kind, doc, of_left: true, of: Getter::Text(text) }
}

/// A field that is known of a connection whichever of its ends is on this host.
const fn shared(name: &'static str, kind: &'static str, doc: &'static str, value: ValueOf) -> Column {
    Column { name, kind, doc, of_left: false, of: Getter::Value(value) }
}

/// The same of one that is a text.
const fn shared_text(name: &'static str, kind: &'static str, doc: &'static str, text: TextOf) -> Column {
    Column { name, kind, doc, of_left: false, of: Getter::Text(text) }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongFields {
    /// A name that is no field.
    #[error("unknown field {name:?}; the fields are {}", names().join(","))]
    Unknown { name: String },
    /// A name that stands there more than once.
    #[error("give each field once; {0} is there twice")]
    Twice(String),
}

/// The name that stands more than once among these, if any.
#[must_use]
pub fn doubled<'a>(names: &[&'a str]) -> Option<&'a str> {
    (1..names.len()).find(|at| names[..*at].contains(&names[*at])).map(|at| names[at])
}

/// The value of a field by its name; unknown for a name that is none.
#[must_use]
pub fn named(source: &Source<'_>, name: &str) -> Value {
    let found = ALL.iter().find(|column| column.name == name);
    found.map_or(Value::Null, |column| column.value(source))
}

#[must_use]
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|column| column.name).collect()
}

/// Whether a field of this name is about the process behind a flow, beyond what the kernel has seen of it, or about the
/// pod at its other end.
#[must_use]
pub fn asks_owner(name: &str) -> bool {
    const ASKING: [&str; 14] = [
        "comm",
        "command",
        "user",
        "uid",
        "unit",
        "container_id",
        "container",
        "pod",
        "namespace",
        "workload",
        "netns_pod",
        "netns_namespace",
        "remote_pod",
        "remote_namespace",
    ];
    ASKING.contains(&name.strip_prefix("peer_").unwrap_or(name))
}

/// The fields of `--fields a,b,c`, in that order.
///
/// # Errors
/// The first name that is no field, with the names that are; or a name that is there twice.
pub fn parse(names: &str) -> Result<Vec<&'static Column>, WrongFields> {
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    let find = |name: &&str| {
        let found = ALL.iter().find(|column| column.name == *name);
        found.ok_or_else(|| WrongFields::Unknown { name: (*name).to_owned() })
    };
    let fields = names.iter().map(find).collect::<Result<_, _>>()?;
    doubled(&names).map_or(Ok(fields), |name| Err(WrongFields::Twice(name.to_owned())))
}

fn tx(source: &Source<'_>, window: Window) -> Value {
    rate(source, window, Rates::tx_per_s)
}

fn rx(source: &Source<'_>, window: Window) -> Value {
    rate(source, window, Rates::rx_per_s)
}

fn rate(source: &Source<'_>, window: Window, per_s: fn(&Rates, Window) -> f64) -> Value {
    Value::Number(per_s(&source.row.rates, window))
}

/// The wire says 0 for what has not been seen.
fn known(value: u64) -> Value {
    if value == 0 { Value::Null } else { Value::Integer(value) }
}

fn eighths(srtt_us_x8: u32) -> Value {
    if srtt_us_x8 == 0 { Value::Null } else { (srtt_us_x8 / 8).into() }
}

fn pid(entry: &Entry) -> Value {
    entry.owner().number().map_or(Value::Null, Into::into)
}

/// The name that the process has now; of one that is gone the name that the kernel saw.
fn comm<'s>(entry: &Entry, identity: Option<&'s Identity>) -> Option<Cow<'s, str>> {
    let now = identity.and_then(|identity| identity.comm.as_deref());
    now.map(Cow::from).or_else(|| entry.owner().comm_text().map(Cow::from))
}

fn label<'a>(source: &Source<'a>) -> &'a str {
    let row = source.row;
    let same_host = row.right().is_some() || row.entry.is_on_host();
    source.who.labels.of(row.tuple.remote.ip(), same_host)
}

fn initiator(source: &Source<'_>) -> Value {
    let connected = Role::of(source.flow.flags).connected();
    connected.map_or(Value::Null, |connected| Value::Bool(connected != source.row.turned))
}

/// Of an older socket only the time since flowtop found it is known.
fn age_s(source: &Source<'_>) -> Value {
    let (flow, at_ns) = (source.flow, source.at_ns);
    if flow.flags & flags::BORN == 0 {
        return Value::Null;
    }
    Value::Number(seconds(at_ns.saturating_sub(flow.opened_ns)))
}

fn idle_s(source: &Source<'_>) -> Value {
    let last_us = source.flow.last_us;
    if last_us == 0 {
        return Value::Null;
    }
    Value::Number(seconds(source.at_ns.saturating_sub(last_us.saturating_mul(1000))))
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn peer(source: &Source<'_>, value: fn(&FlowKey, &Entry) -> Value) -> Value {
    source.row.right().map_or(Value::Null, |(key, entry)| value(key, entry))
}
