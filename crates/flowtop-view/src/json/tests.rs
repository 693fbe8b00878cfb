//! The JSON contract, literally.

use flowtop_common::{Flow, Loss};
use serde_json::Value;

use super::*;
use crate::json::heading;
use flowtop_core::fixture::{
    ACCEPTED, CONNECTED, OLDER, flow as moved, key, ledger_inside, ledger_of, sample,
};
use flowtop_core::rows::table::Table;

/// The line of a report, without its newline.
fn report(heading: &Heading<'_>, ledger: &Ledger, view: &View, fields: Option<&[&'static Column]>) -> String {
    let mut line = Vec::new();
    super::report(heading, ledger, view, fields, &mut line).unwrap();
    String::from_utf8(line).unwrap().strip_suffix('\n').unwrap().to_owned()
}

fn grouped_report(
    heading: &Heading<'_>,
    ledger: &Ledger,
    view: &View,
    fields: Option<&[&'static str]>,
) -> String {
    let groups = grouped::report(&mut Table::default(), ledger, view, heading.who);
    let mut line = Vec::new();
    super::grouped_report(heading, ledger, &groups, fields, &mut line).unwrap();
    String::from_utf8(line).unwrap()
}

fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

/// A connection between two namespaces, everything about it known, after 2 s.
fn joined() -> Ledger {
    let initiator = Flow {
        sent_bytes: 5100,
        retrans_bytes: 100,
        opened_ns: 500_000_000,
        last_us: 1_750_000,
        cgroup_id: 77,
        segs_in: 4,
        segs_out: 6,
        retrans_segs: 1,
        srtt_us_x8: 807,
        pid: 4242,
        comm: comm("curl"),
        ..moved(CONNECTED, 5000, 300)
    };
    let acceptor = Flow { pid: 17, comm: comm("nginx"), state: 8, ..moved(ACCEPTED, 300, 4000) };
    ledger_of(&[sample(
        2,
        &[
            (key(9, "[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:80", 1), initiator),
            (key(8, "10.0.0.2:80", "10.0.0.1:40000", 2), acceptor),
        ],
    )])
}

#[test]
fn a_report_is_the_contract() {
    let expected = concat!(
        r#"{"time":"2026-03-01T12:00:02.5+01:00","start":"2026-03-01T12:00:00.5+01:00","host":"gate","elapsed_s":2.0,"covered_s":[2.0,2.0,2.0],"hooks":"fentry","trigger":null,"trigger_reason":null,"#,
        r#""totals":{"tx_bytes":5000,"rx_bytes":300,"#,
        r#""tx_rate_2s":2500.0,"tx_rate_10s":2500.0,"tx_rate_40s":2500.0,"#,
        r#""rx_rate_2s":150.0,"rx_rate_10s":150.0,"rx_rate_40s":150.0,"tx_peak":2500.0,"rx_peak":150.0},"#,
        r#""flows":[{"local_addr":"10.0.0.1","local_port":40000,"remote_addr":"10.0.0.2","remote_port":80,"#,
        r#""netns":9,"pid":4242,"comm":"curl","state":"ESTABLISHED","tx_bytes":5000,"rx_bytes":300,"#,
        r#""tx_rate_2s":2500.0,"tx_rate_10s":2500.0,"tx_rate_40s":2500.0,"#,
        r#""rx_rate_2s":150.0,"rx_rate_10s":150.0,"rx_rate_40s":150.0,"#,
        r#""initiator":true,"srtt_us":100,"retrans_bytes":100,"retrans_segs":1,"segs_in":4,"segs_out":6,"#,
        r#""sent_bytes":5100,"tx_wire_bytes":5504,"rx_wire_bytes":572,"cgroup_id":77,"age_s":1.5,"idle_s":0.25,"#,
        r#""owner":"process","users":1,"command":null,"user":null,"uid":null,"unit":null,"container_id":null,"#,
        r#""container":null,"pod":null,"namespace":null,"workload":null,"#,
        r#""netns_pod":null,"netns_namespace":null,"label":"same-host","remote_pod":null,"remote_namespace":null,"#,
        r#""peer":{"netns":8,"pid":17,"comm":"nginx","state":"CLOSE_WAIT","tx_bytes":300,"rx_bytes":4000,"#,
        r#""unit":null,"container":null,"pod":null,"namespace":null,"workload":null,"netns_pod":null,"netns_namespace":null}}],"#,
        r#""untracked":{"flows":0,"tx_bytes":0,"rx_bytes":0,"tx_bytes_once":0,"rx_bytes_once":0},"#,
        r#""losses":{"socket_state":0,"slot":0,"unseeded":0,"call":0,"socket_map":0,"ledger":0,"implausible":0},"#,
        r#""attribution":{"unreadable":0,"replaced":0,"cut":0},"coverage":null}"#,
    );
    assert_eq!(report(&heading(), &joined(), &View::default(), None), expected);
}

#[test]
fn picked_fields_are_flat_and_in_the_order_asked_for() {
    let fields = flowtop_core::column::parse("peer_comm,tx_bytes,comm,peer_pid").unwrap();
    let report = report(&heading(), &joined(), &View::default(), Some(&fields));
    let expected = r#""flows":[{"peer_comm":"nginx","tx_bytes":5000,"comm":"curl","peer_pid":17}],"#;
    assert!(report.contains(expected), "{report}");
}

#[test]
fn groups_stand_where_flows_stood() {
    let view = View { by: flowtop_core::group::Group::parse("peer,remote-port").unwrap(), ..View::default() };
    let report: Value = serde_json::from_str(&grouped_report(&heading(), &joined(), &view, None)).unwrap();
    assert_eq!(report["by"], serde_json::json!(["peer", "remote-port"]));
    assert_eq!(report.get("flows"), None);
    assert_eq!(
        report["groups"],
        serde_json::json!([{
            "remote_addr": "10.0.0.2", "remote_port": 80, "connections": 1, "tx_bytes": 5000, "rx_bytes": 300,
            "tx_rate_2s": 2500.0, "tx_rate_10s": 2500.0, "tx_rate_40s": 2500.0,
            "rx_rate_2s": 150.0, "rx_rate_10s": 150.0, "rx_rate_40s": 150.0,
            "sent_bytes": 5100, "retrans_bytes": 100, "retrans_segs": 1,
            "tx_wire_bytes": 5504, "rx_wire_bytes": 572, "owner": null,
        }])
    );
    let picked = grouped_report(&heading(), &joined(), &view, Some(&["tx_bytes", "remote_port"]));
    assert!(picked.contains(r#""groups":[{"tx_bytes":5000,"remote_port":80}],"#), "{picked}");
}

/// Takes everything, and knows how much it was and how long the longest piece.
#[derive(Default)]
struct Pieces {
    bytes: usize,
    longest: usize,
}

impl io::Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.bytes += piece.len();
        self.longest = self.longest.max(piece.len());
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_report_of_many_rows_is_written_piece_by_piece_until_one_is_not_taken() {
    let flows: Vec<_> = (1..1000)
        .map(|id| (key(9, "10.0.0.1:40000", &format!("192.0.2.1:{id}"), id), moved(CONNECTED, id, 0)))
        .collect();
    let (ledger, view, all) =
        (ledger_of(&[sample(2, &flows)]), View::default(), ALL.iter().collect::<Vec<_>>());
    let (mut json, mut csv) = (Pieces::default(), Pieces::default());
    super::report(&heading(), &ledger, &view, None, &mut json).unwrap();
    crate::csv::report(&heading(), &ledger, &view, &all, &mut csv).unwrap();
    for pieces in [json, csv] {
        assert!(pieces.longest < pieces.bytes / 10, "{} of {}", pieces.longest, pieces.bytes);
    }
    let mut full = [0; 5000];
    let outcome = super::report(&heading(), &ledger, &view, None, &mut full[..]);
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::WriteZero);
}

fn flows(ledger: &Ledger) -> Value {
    let report: Value = serde_json::from_str(&report(&heading(), ledger, &View::default(), None)).unwrap();
    report["flows"].clone()
}

#[test]
fn what_is_not_known_is_null() {
    let nothing_known = key(1, "192.0.2.1:40000", "[2001:db8::1]:80", 1);
    let flows = flows(&ledger_of(&[sample(2, &[(nothing_known, moved(OLDER, 1, 0))])]));
    for name in ["pid", "comm", "initiator", "srtt_us", "cgroup_id", "age_s", "idle_s", "peer"] {
        assert_eq!(flows[0].get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(flows[0]["remote_addr"], "2001:db8::1");
}

#[test]
fn an_inside_that_is_not_here_is_seen_through_the_socket_that_is() {
    let here = key(9, "192.0.2.1:80", "10.0.0.1:40000", 1);
    let flow = Flow { pid: 17, comm: comm("nginx"), opened_ns: 500_000_000, ..moved(ACCEPTED, 5000, 300) };
    let flows = flows(&ledger_inside("10.0.0.0/8", &sample(2, &[(here, flow)])));
    let row = &flows[0];
    assert_eq!((&row["local_addr"], &row["remote_port"]), (&"10.0.0.1".into(), &80.into()));
    assert_eq!((&row["tx_bytes"], &row["rx_rate_2s"]), (&300.into(), &2500.0.into()));
    assert_eq!((&row["initiator"], &row["age_s"]), (&true.into(), &1.5.into()));
    assert_eq!(row["label"], "same-host");
    for name in ["netns", "pid", "comm", "state", "segs_in", "idle_s", "owner", "users", "pod"] {
        assert_eq!(row.get(name), Some(&Value::Null), "{name}");
    }
    let peer = serde_json::json!({
        "netns": 9, "pid": 17, "comm": "nginx", "state": "ESTABLISHED", "tx_bytes": 5000, "rx_bytes": 300,
        "unit": null, "container": null, "pod": null, "namespace": null, "workload": null, "netns_pod": null,
        "netns_namespace": null
    });
    assert_eq!(row["peer"], peer);
    let view = View { by: flowtop_core::group::Group::parse("peer").unwrap(), ..View::default() };
    let inside = ledger_inside("10.0.0.0/8", &sample(2, &[(here, flow)]));
    let report: Value = serde_json::from_str(&grouped_report(&heading(), &inside, &view, None)).unwrap();
    let group = &report["groups"][0];
    assert_eq!((&group["tx_bytes"], &group["connections"]), (&300.into(), &1.into()));
    for name in ["sent_bytes", "retrans_bytes", "retrans_segs"] {
        assert_eq!(group.get(name), Some(&Value::Null), "{name}");
    }
}

#[test]
fn text_from_outside_stays_on_the_line() {
    let key = key(1, "192.0.2.1:40000", "192.0.2.2:80", 1);
    let named = Flow { pid: 7, comm: comm("a\n\"b"), ..moved(CONNECTED, 1, 0) };
    let ledger = ledger_of(&[sample(2, &[(key, named)])]);
    assert!(!report(&heading(), &ledger, &View::default(), None).contains('\n'));
    assert_eq!(flows(&ledger)[0]["comm"], "a\u{fffd}\"b");
}

#[test]
fn losses_and_the_untracked_are_named() {
    let mut lossy = sample(2, &[]);
    lossy.set_loss(Loss::Unseeded, [1, 1]);
    lossy.untracked = flowtop_common::Untracked { flows: 3, tx_bytes: 5, rx_bytes: 6, ..Default::default() };
    let report: Value =
        serde_json::from_str(&report(&heading(), &ledger_of(&[lossy]), &View::default(), None)).unwrap();
    assert_eq!(report["losses"]["unseeded"], 2);
    assert_eq!(
        report["untracked"],
        serde_json::json!({"flows": 3, "tx_bytes": 5, "rx_bytes": 6, "tx_bytes_once": 5, "rx_bytes_once": 6})
    );
    assert_eq!(report["totals"]["tx_bytes"], 5);
}
