//! Input for the reader of the outputs: types of the fields as the library has them, and contents of the recordings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::slice;

use flowtop::recordings;
use flowtop_core::column;
use flowtop_core::demo::Demo;
use flowtop_core::flow::Tuple;
use flowtop_core::ledger::Ledger;
use flowtop_core::moment::Moment;
use flowtop_core::owner::Seen;
use flowtop_core::record::{FlowRecord, Record, Rest};
use flowtop_core::wire::Sample;
use flowtop_recording::analysis::fields::SUMS;
use serde_json::{Value, json};

use super::Recordings;
use super::hosts::EIGHT_S;

/// The manifest without the list of outputs.
pub fn of(recordings: &Recordings) -> Value {
    let Recordings { demo, sparse, hosts, neighbours, .. } = recordings;
    let demo = records(slice::from_ref(demo));
    json!({
        "kinds": kinds(),
        "demo_totals": demo_totals(),
        "demo_ends": demo_ends(&demo),
        "records": {
            "all": records(&recordings.all()),
            "hosts": records(hosts),
            "sparse": records(slice::from_ref(sparse)),
            "neighbours": records(neighbours),
            "demo": demo,
        },
    })
}

/// The fields of connections and the sums of a period in their order, each with its type.
fn kinds() -> Value {
    let columns: Vec<_> = column::ALL.iter().map(|column| [column.name, column.kind]).collect();
    let sums: Vec<_> = SUMS.iter().map(|field| [field.name, field.kind]).collect();
    json!({"columns": columns, "sums": sums})
}

/// All records of the recordings at these paths, as JSON.
fn records(paths: &[PathBuf]) -> Vec<Value> {
    let recordings = recordings::open(paths).unwrap();
    recordings.records(|_| true).map(|record| of_record(&record.unwrap())).collect()
}

fn of_record(record: &Record) -> Value {
    let span = &record.span;
    json!({
        "host": record.host.name,
        "machine": format!("{:?}", record.host.machine_id),
        "start_us": span.began_us(),
        "end_us": span.end_us,
        "length_ns": span.length_ns(),
        "window": (span.middle_us() - EIGHT_S * 1_000_000).div_euclid(60_000_000),
        "totals": [record.totals.tx, record.totals.rx],
        "ends": record.flows.iter().map(of_end).collect::<Vec<_>>(),
        "rests": record.rest.iter().map(of_rest).collect::<Vec<_>>(),
    })
}

/// One end of a connection, by the names of the fields.
fn of_end(flow: &FlowRecord) -> Value {
    let (seen, tuple, identity) = (Seen::of(&flow.flow), flow.tuple(), flow.identity.as_deref());
    let identity = identity.cloned().unwrap_or_default();
    json!({
        "local_addr": tuple.local.ip(),
        "local_port": tuple.local.port(),
        "remote_addr": tuple.remote.ip(),
        "remote_port": tuple.remote.port(),
        "netns": flow.key.netns,
        "pid": seen.is_user_process().then_some(seen.pid),
        "comm": identity.comm.clone().or_else(|| seen.comm_text()),
        "command": identity.command,
        "user": identity.user,
        "uid": identity.uid,
        "unit": identity.unit,
        "container_id": identity.short_container_id(),
        "container": identity.container,
        "pod": identity.pod,
        "namespace": identity.namespace,
        "workload": identity.workload(),
        "label": &*flow.label,
        "remote_pod": flow.remote_pod.as_ref().map(|pod| &pod.name),
        "remote_namespace": flow.remote_pod.as_ref().and_then(|pod| pod.namespace.as_ref()),
        "netns_pod": flow.netns_pod.as_ref().map(|pod| &pod.name),
        "netns_namespace": flow.netns_pod.as_ref().and_then(|pod| pod.namespace.as_ref()),
        "tx_bytes": flow.bytes.tx,
        "rx_bytes": flow.bytes.rx,
        "sent_bytes": flow.flow.sent_bytes,
        "retrans_bytes": flow.flow.retrans_bytes,
        "retrans_segs": flow.flow.retrans_segs,
        "tx_wire_bytes": flow.on_wire().map(|bytes| bytes.tx),
        "rx_wire_bytes": flow.on_wire().map(|bytes| bytes.rx),
        "is_right": flow.is_right,
        "peer": flow.peer,
        "socket": format!("{:?}", flow.key),
    })
}

fn of_rest(rest: &Rest) -> Value {
    json!({
        "comm": rest.comm,
        "user": rest.user,
        "unit": rest.unit,
        "container": rest.container,
        "pod": rest.pod,
        "namespace": rest.namespace,
        "label": &*rest.label,
        "flows": rest.flows,
        "tx_bytes": rest.bytes.tx,
        "rx_bytes": rest.bytes.rx,
    })
}

/// Tenths of a second of the made-up traffic: much more than a run of a second takes on a machine that is busy.
const DEMO_STEPS: u64 = 300;
/// And how late after its start the first look at it may come.
const DEMO_LATE_STEPS: u64 = 30;
const STEP_NS: u64 = 100_000_000;

/// So many steps after the boot.
fn at_step(step: u64) -> Moment {
    Moment { us: 0, ns: step * STEP_NS }
}

/// Totals of the traffic of `--demo` at every moment: bytes sent and received.
fn demo_totals() -> BTreeSet<[u64; 2]> {
    let mut totals = BTreeSet::new();
    for first in 0..DEMO_LATE_STEPS {
        let (mut ledger, mut demo, mut sample) =
            (Ledger::new(1000, 0), Demo::new(STEP_NS), Sample::default());
        for step in first..DEMO_STEPS {
            demo.sample(at_step(1 + step), &mut sample);
            ledger.apply(&sample);
            let bytes = ledger.totals().bytes;
            totals.insert([bytes.tx, bytes.rx]);
        }
    }
    totals
}

/// Remote ports of the short connections of the made-up traffic, in the order in which they come.
const DEMO_VISITS: std::ops::Range<u64> = 42_001..42_100;

/// The ends of the made-up traffic as they were recorded, and those that come later.
fn demo_ends(records: &[Value]) -> Vec<Value> {
    let is_visit = |port: Option<u64>| port.is_some_and(|port| DEMO_VISITS.contains(&port));
    let mut ends: Vec<Value> =
        records.iter().flat_map(|record| record["ends"].as_array().unwrap()).cloned().collect();
    let visit = ends.iter().find(|end| is_visit(end["remote_port"].as_u64())).unwrap().clone();
    let (mut demo, mut sample) = (Demo::new(STEP_NS), Sample::default());
    demo.sample(at_step(1 + DEMO_STEPS), &mut sample);
    let visits = sample.flows.iter().filter(|(key, _)| is_visit(Some(key.remote_port.into())));
    ends.extend(visits.map(|(key, _)| {
        let remote = Tuple::of(key).remote;
        let mut end = visit.clone();
        end["remote_addr"] = remote.ip().to_string().into();
        end["remote_port"] = remote.port().into();
        end
    }));
    ends
}
