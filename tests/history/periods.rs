//! Gaps, and periods that do not begin and end with windows.

use flowtop_core::record::Gap;

use super::*;

fn nginx() -> Connection {
    let ends = ["192.0.2.1:443", "198.51.100.7:50000"];
    Connection { id: 1, comm: "nginx", ends, life: 0..600, per_minute: Bytes { tx: 9_000, rx: 4_000 } }
}

/// The minute of a host with the totals of each of its seconds: `tx` of the n-th second is that of the n-th of `tx`.
fn with_seconds(minute: u64, tx: impl Fn(u64) -> u64) -> Record {
    let per_second: Vec<_> = (0..60).map(|second| Bytes { tx: tx(second), rx: 1 }).collect();
    let moved = per_second.iter().fold(Bytes::default(), |sum, bytes| sum + *bytes);
    let burst = Connection { per_minute: moved, ..nginx() };
    Record { per_second, ..record("node-1", minute, &[burst]) }
}

/// Lines of a text report above its rows.
fn said(args: &[&str], dir: &Path) -> Vec<String> {
    let output = report(args, &[dir]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().take_while(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn what_began_and_ended_in_a_gap_is_in_the_total_where_its_totals_were_counted() {
    let recorded = Recorded::new();
    let of = |gap: Option<Gap>| {
        let mut after = record("node-1", 5, &[nginx()]);
        after.gap = gap;
        [record("node-1", 0, &[nginx()]), after]
    };
    let gap_ns = 61 * 60_000_000_000;
    // 4 minutes of nginx, and 14.3 MB of connections that no window has seen.
    let totals = Bytes { tx: 4 * 9_000 + 14_300_000, rx: 4 * 4_000 };
    let counted = recorded.write("counted", of(Some(Gap { start_ns: gap_ns, totals })));
    let report = json(&[], &[&counted]);
    let bytes = |of: &Value| (of["tx_bytes"].as_u64().unwrap(), of["rx_bytes"].as_u64().unwrap());
    assert_eq!(bytes(&report["total"]), (6 * 9_000 + 14_300_000, 6 * 4_000));
    assert_eq!(bytes(&report["remainder"]), (14_300_000, 0));
    assert_eq!(report["not_counted"]["gaps_without_totals"].as_u64(), Some(0));
    assert!(said(&[], &counted).iter().all(|line| !line.starts_with("Not counted")));
    // A filter cannot judge bytes whose connection is unknown.
    let filtered = json(&["-f", "comm nginx"], &[&counted]);
    assert_eq!(bytes(&filtered["total"]), (6 * 9_000, 6 * 4_000));
    assert_eq!(bytes(&filtered["not_counted"]["unjudged"]), (14_300_000, 0));
    // A gap without totals, and one whose totals begin later than the gap.
    let without = recorded.write("without", of(None));
    let later_ns = gap_ns + 60_000_000_000;
    let part = recorded.write("part", of(Some(Gap { start_ns: later_ns, totals })));
    for (dir, gap_s, in_gap) in [(&without, 240.0, 0), (&part, 60.0, 14_300_000)] {
        let report = json(&[], &[dir]);
        assert_eq!(bytes(&report["total"]), (6 * 9_000 + in_gap, 6 * 4_000));
        let not_counted = &report["not_counted"];
        assert_eq!(not_counted["gaps_without_totals"].as_u64(), Some(1));
        assert_eq!(not_counted["gaps_without_totals_s"].as_f64(), Some(gap_s));
    }
    let line = "Not counted: connections that began and ended in 1 gap without totals (4 min 0 s in all)";
    assert!(said(&[], &without).contains(&line.to_owned()), "{:?}", said(&[], &without));
}

#[test]
fn a_recorder_that_was_killed_leaves_gaps_that_are_said() {
    let recorded = Recorded::new();
    // Each run records two minutes and is killed in the third.
    let minutes = [0, 1, 3, 4, 6, 7];
    let dir = recorded.write("killed", minutes.map(|minute| record("node-1", minute, &[nginx()])));
    let report = json(&[], &[&dir]);
    assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(8 * 9_000));
    assert_eq!(report["not_counted"]["gaps_without_totals"].as_u64(), Some(2));
    assert_eq!(report["not_counted"]["gaps_without_totals_s"].as_f64(), Some(120.0));
    assert_eq!(report["hosts"][0]["gaps"].as_u64(), Some(2));
}

const TEN_S: [&str; 4] = ["--from", "2026-11-20 08:20:00", "--to", "2026-11-20 08:20:10"];
const LATER_TEN_S: [&str; 4] = ["--from", "2026-11-20 08:20:40", "--to", "2026-11-20 08:20:50"];

#[test]
fn a_period_inside_a_window_shows_that_window_and_says_so() {
    let recorded = Recorded::new();
    // 22.3 GB in the middle of the minute.
    let tx = |minute: u64| {
        move |second: u64| if minute == 20 && (20..40).contains(&second) { 1_115_000_000 } else { 7 }
    };
    let dir = recorded.write("node-1", (0..60).map(|minute| with_seconds(minute, tx(minute))));
    let window = "2026-11-20 08:20:00 +00:00 to 2026-11-20 08:21:00 +00:00";
    for (asked, first) in [(TEN_S, 0), (LATER_TEN_S, 40)] {
        let lines = said(&asked, &dir);
        assert_eq!(lines[1], "node-1: 1 record cover 100.0 % (10 s)");
        let note = format!(
            "10 s were asked for; records are of 60 s: these numbers are of {window}; in the 10 s 70B sent and 10B received"
        );
        assert_eq!((lines.len(), &lines[2]), (3, &note), "from second {first} on");
        let report = json(&asked, &[&dir]);
        assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(22_300_000_280));
        assert_eq!(
            (&report["counted_from"], &report["counted_to"]),
            (&"2026-11-20T08:20:00Z".into(), &"2026-11-20T08:21:00Z".into())
        );
        assert_eq!(report["total_of_period"], serde_json::json!({ "tx_bytes": 70, "rx_bytes": 10 }));
        assert_eq!(report["counted_s"].as_f64(), Some(60.0));
        // Rates are over the time that the bytes are of.
        assert_eq!(report["total"]["tx_rate"].as_f64(), Some(22_300_000_280.0 / 60.0));
    }
    // Two windows share the twenty seconds.
    let across = json(&["--from", "2026-11-20 08:20:50", "--to", "2026-11-20 08:21:10"], &[&dir]);
    assert_eq!(across["hosts"][0]["records"].as_u64(), Some(2));
    assert_eq!(
        (&across["counted_from"], &across["counted_to"]),
        (&"2026-11-20T08:20:00Z".into(), &"2026-11-20T08:22:00Z".into())
    );
    assert_eq!(across["total_of_period"]["tx_bytes"].as_u64(), Some(20 * 7));
    // Half a second is no number that is recorded.
    let half = json(&["--from", "2026-11-20 08:20:10.5", "--to", "2026-11-20 08:20:20"], &[&dir]);
    assert_eq!(half["total_of_period"], Value::Null);
}

#[test]
fn a_period_that_ends_within_windows_says_what_its_numbers_are_of() {
    let recorded = Recorded::new();
    let dir = recorded.write("node-1", (0..60).map(|minute| record("node-1", minute, &[nginx()])));
    let lines = said(&["--from", "2026-11-20 08:00:20", "--to", "2026-11-20 08:05:10"], &dir);
    assert_eq!(
        lines[2],
        "4 min 50 s were asked for; records are of 60 s: these numbers are of 2026-11-20 08:00:00 +00:00 to \
         2026-11-20 08:05:00 +00:00"
    );
    // Whole minutes are what they are.
    assert_eq!(said(&["--from", "2026-11-20 08:01", "--to", "2026-11-20 08:05"], &dir).len(), 2);
    // Without the totals of each second there is only the window.
    let lines = said(&TEN_S, &dir);
    assert!(lines[2].ends_with("2026-11-20 08:20:00 +00:00 to 2026-11-20 08:21:00 +00:00"), "{lines:?}");
    assert_eq!(json(&TEN_S, &[&dir])["total_of_period"], Value::Null);
}

#[test]
fn windows_of_another_length_are_said_for_their_host() {
    let recorded = Recorded::new();
    let one = recorded.write("node-1", (0..60).map(|minute| record("node-1", minute, &[nginx()])));
    let mut hour = record("node-2", 0, &[nginx()]);
    (hour.span.end_us, hour.span.end_ns) =
        (hour.span.start_us + 3_600_000_000, hour.span.start_ns + 3_600_000_000_000);
    let two = recorded.write("node-2", [hour]);
    let asked = ["--from", "2026-11-20 08:10", "--to", "2026-11-20 08:20"];
    let output = report(&asked, &[&one, &two]);
    let line = "node-2: 10 min were asked for; records are of 1 h 0 min: these numbers are of 2026-11-20 08:00:00 +00:00 to \
                2026-11-20 09:00:00 +00:00";
    assert!(stdout(&output).lines().any(|said| said == line), "{}", stdout(&output));
}

/// Records of a connection between two hosts, of which each has recorded other minutes.
fn kubelet_and_apiserver() -> Vec<Record> {
    let [client, server] = ["192.0.2.1:47000", "192.0.2.2:6443"];
    let of = |comm, ends, tx, rx| Connection { id: 9, comm, ends, life: 0..60, per_minute: Bytes { tx, rx } };
    let mut records = Vec::new();
    for minute in 0..60 {
        // The client's host has no record of minutes 20 to 39, the server's none of 5 to 14.
        if !(20..40).contains(&minute) {
            records.push(record("node-1", minute, &[of("kubelet", [client, server], 1_000, 50_000)]));
        }
        if !(5..15).contains(&minute) {
            let mut record =
                record("node-2", minute, &[of("kube-apiserver", [server, client], 50_000, 1_000)]);
            record.flows[0].flow.flags = flags::BORN | flags::PASSIVE | flags::OPEN;
            records.push(record);
        }
    }
    records
}

#[test]
fn a_connection_of_two_hosts_stands_from_one_end_in_every_period() {
    let recorded = Recorded::new();
    let dir = recorded.write("both", kubelet_and_apiserver());
    for [from, to] in [["08:00", "09:00"], ["08:00", "08:20"], ["08:15", "08:45"], ["08:04", "08:16"]] {
        let [first, last] =
            [from, to].map(|time| time[3..].parse::<u64>().unwrap() + if time == "09:00" { 60 } else { 0 });
        let (from, to) = (format!("2026-11-20 {from}"), format!("2026-11-20 {to}"));
        for by in ["flow", "peer", "process"] {
            let report = json(&["--from", &from, "--to", &to, "--by", by], &[&dir]);
            let minutes = last - first;
            let total = (report["total"]["tx_bytes"].as_u64(), report["total"]["rx_bytes"].as_u64());
            assert_eq!(total, (Some(minutes * 1_000), Some(minutes * 50_000)), "{by} {from} {to}");
            let groups = report["groups"].as_array().unwrap();
            assert_eq!(groups.len(), if by == "process" { 2 } else { 1 }, "{by} {from} {to}: {report}");
            if by != "process" {
                assert_eq!(groups[0]["remote_addr"], "192.0.2.2", "{by} {from} {to}");
            }
        }
    }
}

/// The end that a filter asks for stands left with its direction, in every format and in a comparison.
#[test]
fn a_filter_says_which_end_of_a_connection_of_two_hosts_stands_left() {
    let recorded = Recorded::new();
    let dir = recorded.write("both", kubelet_and_apiserver());
    let whole = ["--from", "2026-11-20 08:00", "--to", "2026-11-20 09:00"];
    for (filter, peer, [tx, rx]) in [
        ("comm kube-apiserver", "192.0.2.1", [3_000_000, 60_000]),
        ("comm kubelet", "192.0.2.2", [60_000, 3_000_000]),
    ] {
        for by in ["peer", "flow"] {
            let args = [&whole[..], &["--by", by, "-f", filter]].concat();
            let told = json(&args, &[&dir]);
            let group = &told["groups"][0];
            assert_eq!(group["remote_addr"], peer, "{by} {filter}");
            let sums = |of: &Value| (of["tx_bytes"].as_u64(), of["rx_bytes"].as_u64());
            assert_eq!(
                (sums(group), sums(&told["total"])),
                ((Some(tx), Some(rx)), (Some(tx), Some(rx))),
                "{by}"
            );
        }
        let args = [&whole[..], &["--by", "peer", "-f", filter]].concat();
        let csv = report(&[&args[..], &["--format", "csv"]].concat(), &[&dir]);
        let names: Vec<_> = stdout(&csv).lines().next().unwrap().split(',').collect();
        let row: Vec<_> = stdout(&csv).lines().nth(1).unwrap().split(',').collect();
        let of = |name: &str| row[names.iter().position(|known| *known == name).unwrap()];
        assert_eq!(
            [of("remote_addr"), of("tx_bytes"), of("rx_bytes")],
            [peer, &tx.to_string(), &rx.to_string()]
        );
        let text = report(&args, &[&dir]);
        assert!(stdout(&text).contains(peer), "{}", stdout(&text));
        // The first half of the hour, and the second.
        let halves = ["--from", "2026-11-20 08:30", "--to", "2026-11-20 09:00", "--by", "peer", "-f", filter];
        let diff = ["--diff", "2026-11-20 08:00..2026-11-20 08:30"];
        let told = json(&[&halves[..], &diff].concat(), &[&dir]);
        let group = &told["groups"][0];
        assert_eq!(
            (&group["remote_addr"], group["tx_bytes"].as_u64()),
            (&peer.into(), Some(tx / 2)),
            "{told}"
        );
    }
}
