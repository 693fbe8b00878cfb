//! Records as reports: the same as those of now, each with its own time; and what cannot be shown.

use std::path::PathBuf;

use super::*;

use crate::recorded;

fn recording() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.rec");
    recorded::write(&file);
    (directory, file)
}

fn replay(args: &[&str], file: &Path) -> Output {
    let file = file.to_str().unwrap();
    flowtop(&["replay", file]).args(args).env("TZ", "UTC").output().unwrap()
}

#[test]
fn each_record_is_a_report_with_its_own_time() {
    let (_directory, file) = recording();
    let output = replay(&["-t", "--format", "json"], &file);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let reports: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |report: &Value| {
        let flow = &report["flows"][0];
        (
            report["time"].as_str().unwrap().to_owned(),
            report["totals"]["tx_bytes"].as_u64().unwrap(),
            report["totals"]["tx_rate_2s"].as_f64().unwrap(),
            flow["pod"].as_str().unwrap().to_owned(),
            flow["label"].as_str().unwrap().to_owned(),
        )
    };
    let expected = |time: &str, bytes: u64, rate: f64, pod: &str| {
        (format!("2026-11-02T{time}.000+00:00"), bytes, rate, pod.to_owned(), "vpc".to_owned())
    };
    assert_eq!(
        reports.iter().map(told).collect::<Vec<_>>(),
        [
            expected("08:01:00", 6_000_000, 100_000.0, "web-0"),
            expected("08:02:00", 600, 10.0, "web-0"),
            expected("08:04:00", 120, 2.0, "db-0"),
        ]
    );
    assert_eq!((&reports[0]["host"], &reports[0]["hooks"]), (&"web-1".into(), &"recorded".into()));
    assert_eq!(reports[0]["elapsed_s"], 60.0);
}

#[test]
fn text_says_when_it_was_and_what_is_missing() {
    let (_directory, file) = recording();
    let output = replay(&["-t", "-P"], &file);
    assert_snapshot("replay.txt", stdout(&output));
    let output = replay(&["-t", "-P", "--by", "pod", "--at", "08:03:30"], &file);
    assert_eq!(stderr(&output), "");
    let lines: Vec<_> = stdout(&output).lines().collect();
    let caption = "web-1, 2026-11-02 08:03:00 to 08:04:00 +00:00, means over 60 s, 60 s missing before";
    assert_eq!(lines[0], caption);
    assert!(lines[3].contains("db-0"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("means over")).count(), 1);
}

#[test]
fn filters_judge_by_what_was_recorded() {
    let (_directory, file) = recording();
    let output = replay(&["-t", "--format", "csv", "--fields", "tx_bytes", "-f", "pod web-*"], &file);
    assert_eq!(
        stdout(&output),
        "time,elapsed_s,host,start,tx_bytes\n\
         2026-11-02T08:01:00.000+00:00,60,web-1,2026-11-02T08:00:00.000+00:00,6000000\n\
         2026-11-02T08:02:00.000+00:00,60,web-1,2026-11-02T08:01:00.000+00:00,600\n"
    );
}

#[test]
fn what_was_summed_up_is_in_no_report_missing() {
    let directory = tempfile::tempdir().unwrap();
    let mut record = flowtop(&["record", "--demo", "--every", "1s", "--count", "1", "--top", "2", "-o"]);
    let output = record.arg(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json = |args: &[&str]| -> Value {
        let output = replay(&[&["-t", "--format", "json"][..], args].concat(), directory.path());
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        serde_json::from_str(stdout(&output)).unwrap()
    };
    let bytes = |of: &Value| ["tx_bytes", "rx_bytes"].map(|name| of[name].as_u64().unwrap());
    let sum = |rows: &Value| {
        let rows = rows.as_array().unwrap().iter().map(bytes);
        rows.fold([0, 0], |sum, row| [sum[0] + row[0], sum[1] + row[1]])
    };
    let flows = json(&[]);
    let (listed, summed_up) = (sum(&flows["flows"]), bytes(&flows["summed_up"]));
    assert!(summed_up[0] > 0 && flows["summed_up"]["connections"].as_u64() > Some(5), "{flows}");
    assert_eq!([listed[0] + summed_up[0], listed[1] + summed_up[1]], bytes(&flows["totals"]));
    for by in ["process", "label,unit", "peer"] {
        let groups = json(&["--by", by]);
        let twice = groups.get("local_twice").map_or([0, 0], bytes);
        let [tx, rx] = bytes(&groups["totals"]);
        assert_eq!(sum(&groups["groups"]), [tx + twice[0], rx + twice[1]], "{by}");
        assert_eq!(groups["totals"], flows["totals"]);
    }
    let lines = |args: &[&str]| -> Vec<Vec<String>> {
        let output =
            replay(&[&["-t", "--format", "csv", "--no-header"][..], args].concat(), directory.path());
        let lines = stdout(&output).lines();
        lines.map(|line| line.split(',').skip(4).map(str::to_owned).collect()).collect()
    };
    let fields = "tx_bytes,rx_bytes,owner,local_addr";
    for args in [&["--fields", fields][..], &["--fields", fields, "-L", "0", "-o", "source"]] {
        let lines = lines(args);
        let sum = |at: usize| lines.iter().map(|line| line[at].parse::<u64>().unwrap()).sum::<u64>();
        assert_eq!([sum(0), sum(1)], bytes(&flows["totals"]));
        let is_of_none = |line: &Vec<String>| line[2] == "summed_up" && line[3].is_empty();
        assert_eq!(lines.iter().position(is_of_none), Some(lines.len() - 1), "{lines:?}");
    }
    let peers = lines(&["--by", "peer", "--fields", "owner,remote_addr"]);
    assert_eq!(peers.iter().filter(|line| line[..] == ["summed_up", ""]).count(), 1, "{peers:?}");
    // The process of what was summed up is known, the other end is not.
    let text = |by: &[&str]| stdout(&replay(&[&["-t", "-P"][..], by].concat(), directory.path())).to_owned();
    let (flows, processes, peers) = (text(&[]), text(&["--by", "process"]), text(&["--by", "peer"]));
    assert!(flows.contains("\nSummed up (sent/received/both), "), "{flows}");
    assert!(!processes.contains("ummed up (") && !processes.contains(" summed up  "), "{processes}");
    assert!(peers.contains(" summed up  "), "{peers}");
}

#[test]
fn a_time_in_a_gap_is_the_next_record_and_one_outside_is_an_error() {
    let (_directory, file) = recording();
    let output = replay(&["-t", "--at", "08:02:30"], &file);
    let said = "flowtop: nothing was recorded at that time; this is 2026-11-02 08:03:00 +00:00\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), said));
    let output = replay(&["-t", "--at", "07:59"], &file);
    let said = "flowtop: --at: there is no record of 2026-11-02 07:59:00 +00:00; there are records from 2026-11-02 \
                08:00:00 +00:00 to 2026-11-02 08:04:00 +00:00\n";
    assert_eq!(all(&output), (Some(1), "", said));
    let output = replay(&["-t", "--at", "soon"], &file);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("flowtop: --at: \"soon\" is no time; "), "{}", stderr(&output));
}

#[test]
fn damage_is_told_and_the_rest_is_shown() {
    let (_directory, file) = recording();
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let output = replay(&["-t", "--format", "json"], &file);
    assert_eq!((output.status.code(), stdout(&output).lines().count()), (Some(0), 2));
    assert!(stderr(&output).ends_with("whose checksum is wrong; the report goes on without it\n"));
}

#[test]
fn what_there_is_no_record_of_is_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let output = replay(&["-t"], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("flowtop: there is no record in "), "{}", stderr(&output));
    let (_directory, file) = recording();
    for (args, said) in [
        (
            &["-t", "-s", "5"][..],
            "-s and --interval are not for records, which have their own length; pick one with --at",
        ),
        (&["-t", "-i", "lo"], "-i needs the routes of the host; pick addresses with -f or -F instead"),
        (&["-t", "-u", "packets"], "-u packets: records hold bytes; take bits or bytes"),
        (&["-t", "--demo"], "--demo makes its own traffic; leave it or PATH out"),
        (&[], "the view needs a terminal on its input and output; use -t for reports"),
    ] {
        let output = replay(args, &file);
        assert_eq!(all(&output), (Some(2), "", format!("flowtop: {said}\n").as_str()));
    }
}

fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is not what is printed:\n{text}");
}
