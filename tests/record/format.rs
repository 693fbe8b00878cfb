//! docs/FORMAT.md says enough to read a recording: a reader that knows nothing else reads what flowtop reads.

use std::net::Ipv6Addr;

use flowtop_core::owner::Identity;
use flowtop_core::record::limits::TrafficLimit;
use flowtop_core::record::{FlowRecord, InterfaceRecord, Rest};
use flowtop_recording::format::frame::encode;
use flowtop_recording::format::scan::{Found, scan};
use serde_json::{Value, json};

use super::*;

/// Every record in some bytes, which have nothing else.
pub fn records_of(bytes: &[u8]) -> Vec<Record> {
    scan(bytes)
        .map(|found| match found {
            Found::Frame(frame) => frame.record().unwrap(),
            Found::Damage(damage) => panic!("{damage:?}"),
        })
        .collect()
}

/// A record as JSON with the names of docs/FORMAT.md.
pub fn all_of(record: &Record) -> Value {
    let Record { host, span, totals, untracked, table, .. } = record;
    let bytes = |bytes: &Bytes| json!({"tx_bytes": bytes.tx, "rx_bytes": bytes.rx});
    let mut all = json!({
        "host": {"name": host.name, "machine_id": hex(host.machine_id), "boot_id": hex(host.boot_id)},
        "span": {
            "start_us": span.start_us, "end_us": span.end_us, "start_ns": span.start_ns, "end_ns": span.end_ns,
        },
        "flows": record.flows.iter().map(flow).collect::<Vec<_>>(),
        "rest": record.rest.iter().map(rest).collect::<Vec<_>>(),
        "record": {
            "tx_bytes": totals.tx,
            "rx_bytes": totals.rx,
            "untracked_flows": untracked.flows,
            "untracked_tx_bytes": untracked.tx_bytes,
            "untracked_rx_bytes": untracked.rx_bytes,
            "untracked_mirrored_tx_bytes": untracked.mirrored_tx_bytes,
            "untracked_mirrored_rx_bytes": untracked.mirrored_rx_bytes,
            "unwritten": record.unwritten,
            "table_used": table.used,
            "table_max": table.max,
            "limits": record.limits.to_string(),
        },
        "seconds": record.per_second.iter().map(bytes).collect::<Vec<_>>(),
        "losses": record.losses.iter().map(|(name, count)| json!({"name": name, "count": count})).collect::<Vec<_>>(),
        "interfaces": record.interfaces.iter().map(interface).collect::<Vec<_>>(),
        "turned_away_us": record.lock_conflicts_us,
        "gap": record.gap.map(|gap| {
            json!({"start_ns": gap.start_ns, "tx_bytes": gap.totals.tx, "rx_bytes": gap.totals.rx})
        }),
    });
    if !record.limits.is_empty() {
        let limits: Vec<_> = record.limits.0.iter().map(limit).collect();
        all.as_object_mut().unwrap().insert("limits".to_owned(), json!(limits));
    }
    all
}

fn limit(limit: &TrafficLimit) -> Value {
    let text = |kind: u64, text: &str| json!({"kind": kind, "text": text});
    match limit {
        TrafficLimit::Other(flag) => text(0, flag),
        TrafficLimit::Filter(filter) => text(1, filter),
        TrafficLimit::Interface(name) => text(2, name),
        TrafficLimit::Network { address, prefix_bits } => {
            let kind = if address.is_ipv4() { 3 } else { 4 };
            json!({"kind": kind, "address": address.to_canonical().to_string(), "prefix_bits": prefix_bits})
        }
        TrafficLimit::Ipv4Only => json!({"kind": 5}),
        TrafficLimit::Ipv6Only => json!({"kind": 6}),
        TrafficLimit::Process(pid) => json!({"kind": 7, "number": pid}),
        TrafficLimit::Cgroup(path) => text(8, path),
        TrafficLimit::MountNamespace(inode) => json!({"kind": 9, "number": inode}),
    }
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn flow(row: &FlowRecord) -> Value {
    let FlowRecord { key, flow, bytes, peak, .. } = row;
    let text = |name: [u8; 16]| String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
    let address = |address: [u8; 16]| Ipv6Addr::from(address).to_canonical().to_string();
    // Apart, since one invocation of the macro has a limit.
    let mut all = json!({
        "netns": key.netns, "family": key.family, "id": key.id, "flags": flow.flags, "state": flow.state,
        "local_addr": address(key.local_addr), "local_port": key.local_port,
        "remote_addr": address(key.remote_addr), "remote_port": key.remote_port,
        "pid": flow.pid, "comm": text(flow.comm), "cgroup_id": flow.cgroup_id, "users": row.users,
        "identity": row.identity.as_deref().map(identity), "label": *row.label,
        "remote_pod": row.remote_pod.as_ref().map(|pod| &pod.name),
        "remote_namespace": row.remote_pod.as_ref().and_then(|pod| pod.namespace.as_ref()),
        "tx_counts": row.counts.tx, "rx_counts": row.counts.rx, "is_right": row.is_right, "peer": row.peer,
    });
    let numbers = json!({
        "opened_ns": flow.opened_ns, "uses": flow.uses, "last_us": flow.last_us, "srtt": flow.srtt_us_x8,
        "tx_bytes": bytes.tx, "rx_bytes": bytes.rx, "tx_peak": peak.tx, "rx_peak": peak.rx,
        "tx_life": flow.tx_bytes, "rx_life": flow.rx_bytes, "sent_life": flow.sent_bytes,
        "tx_base": flow.base_tx_bytes, "rx_base": flow.base_rx_bytes, "retrans_bytes": row.retrans_bytes,
        "retrans_life": flow.retrans_bytes, "retrans_segs": flow.retrans_segs,
        "segs_in": flow.segs_in, "segs_out": flow.segs_out,
    });
    all.as_object_mut().unwrap().extend(numbers.as_object().unwrap().clone());
    if let Some(grown) = row.grown {
        let grown = json!({
            "sent_bytes": grown.sent_bytes, "segs_in_now": grown.segs_in, "segs_out_now": grown.segs_out,
        });
        all.as_object_mut().unwrap().extend(grown.as_object().unwrap().clone());
    }
    let pod = row.netns_pod.as_deref();
    let pod = [
        ("netns_pod", pod.map(|pod| &pod.name)),
        ("netns_namespace", pod.and_then(|pod| pod.namespace.as_ref())),
    ];
    extended(all, pod)
}

/// With texts that records have had since a later version: what is unknown is not there.
fn extended<const N: usize>(mut value: Value, texts: [(&str, Option<&String>); N]) -> Value {
    let known = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?))));
    value.as_object_mut().unwrap().extend(known);
    value
}

fn identity(identity: &Identity) -> Value {
    let Identity {
        comm,
        command,
        user,
        unit,
        container_id,
        container,
        pod,
        namespace,
        cgroup,
        mntns,
        workload,
        uid,
    } = identity;
    let all = json!({
        "comm": comm, "command": command, "user": user, "unit": unit, "container_id": container_id,
        "container": container, "pod": pod, "namespace": namespace, "cgroup": cgroup, "mntns": mntns,
    });
    let mut all = extended(all, [("workload", workload.as_ref())]);
    all.as_object_mut().unwrap().extend(uid.map(|uid| ("uid".to_owned(), json!(uid))));
    all
}

fn rest(rest: &Rest) -> Value {
    let Rest { comm, user, unit, container, pod, namespace, label, flows, bytes, retrans_bytes, on_wire } =
        rest;
    let mut all = json!({
        "comm": comm, "user": user, "unit": unit, "container": container, "pod": pod, "namespace": namespace,
        "label": **label, "flows": flows, "tx_bytes": bytes.tx, "rx_bytes": bytes.rx, "retrans_bytes": retrans_bytes,
    });
    if let Some(bytes) = on_wire {
        let known = json!({"tx_wire": bytes.tx, "rx_wire": bytes.rx});
        all.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
    }
    all
}

fn interface(interface: &InterfaceRecord) -> Value {
    let InterfaceRecord { name, bytes, packets, drops } = interface;
    json!({
        "name": name, "tx_bytes": bytes.tx, "rx_bytes": bytes.rx, "tx_packets": packets.tx, "rx_packets": packets.rx,
        "tx_drops": drops.tx, "rx_drops": drops.rx,
    })
}

/// The reader is in Python, and shares no code with flowtop.
#[test]
fn a_reader_made_from_the_description_reads_the_same() {
    let Some(python) = tools::find_python_with("zstandard") else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, records) in samples::all() {
        let file = dir.path().join(format!("{name}.rec"));
        fs::write(&file, records.iter().flat_map(encode).collect::<Vec<_>>()).unwrap();
        assert_read_alike(&python, &file);
    }
}

/// The reader in Python and the library read the same from a file.
pub fn assert_read_alike(python: &Path, file: &Path) {
    let output = Command::new(python).arg(root().join("tests/format/reader.py")).arg(file).output().unwrap();
    assert!(output.status.success(), "{}\n{}", file.display(), stderr(&output));
    let read = std::str::from_utf8(&output.stdout).unwrap();
    let read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<_> = records_of(&fs::read(file).unwrap()).iter().map(all_of).collect();
    for (place, (read, expected)) in read.iter().zip(&expected).enumerate() {
        assert_eq!(read, expected, "{}: record {place}", file.display());
    }
    assert_eq!(read.len(), expected.len(), "{}", file.display());
}
