//! Flags and files that users of iftop and tcptop are used to.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn demo(args: &[&str]) -> Output {
    let output = output(&[args, &["--demo"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(stdout(&demo(&[&["-t", "-s", "2", "--format", "json"], args].concat()))).unwrap()
}

fn moved(row: &Value, fields: &[&str]) -> u64 {
    fields.iter().map(|field| row[field].as_u64().unwrap()).sum()
}

#[test]
fn a_single_report_is_sorted_by_all_of_its_time_and_o_says_otherwise() {
    let all: [(&[&str], &[&str]); 4] = [
        (&[], &["tx_bytes", "rx_bytes"]),
        (&["-o", "cumulative"], &["tx_bytes", "rx_bytes"]),
        (&["-o", "tx"], &["tx_bytes"]),
        (&["-o", "rx"], &["rx_bytes"]),
    ];
    for (args, fields) in all {
        for (by, rows) in [(&[][..], "flows"), (&["--by", "peer"], "groups")] {
            let report = json(&[args, by].concat());
            let amounts: Vec<_> =
                report[rows].as_array().unwrap().iter().map(|row| moved(row, fields)).collect();
            assert!(amounts.len() > 3 && amounts.is_sorted_by(|a, b| a >= b), "{args:?} {rows}: {amounts:?}");
        }
    }
    let printed = |args: &[&str]| stdout(&output(&[args, &["--print-config"]].concat())).to_owned();
    assert!(printed(&["-t", "-s", "5"]).contains("= \"cumulative\""));
}

/// The rows, `others` and what else stands beside them are the totals, however many rows are cut.
#[test]
fn cut_rows_are_one_entry() {
    for by in [&[][..], &["--by", "peer"]] {
        let report = json(&[&["-L", "2"], by].concat());
        let rows = report[if by.is_empty() { "flows" } else { "groups" }].as_array().unwrap();
        let both = ["tx_bytes", "rx_bytes"];
        let shown: u64 = rows.iter().map(|row| moved(row, &both)).sum();
        assert_eq!(rows.len(), 2);
        assert!(report["others"]["connections"].as_u64().unwrap() > 1);
        assert_eq!(shown + moved(&report["others"], &both), moved(&report["totals"], &both), "{report}");
        let csv = demo(&[&["-t", "-s", "2", "--format", "csv", "-L", "2"], by].concat());
        let lines: Vec<_> = stdout(&csv).lines().collect();
        assert!(lines.len() == 4 && lines[3].contains(",others"), "{lines:?}");
    }
    assert!(json(&[])["others"].is_null());
}

#[test]
fn text_tells_the_others_where_it_is_asked_to() {
    let rows = |args: &[&str]| {
        let output = demo(&[&["-t", "-P", "-s", "2", "-L", "2"], args].concat());
        stdout(&output).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let others: Vec<_> =
        rows(&["--show-others"]).into_iter().skip_while(|line| !line.contains(" others ")).collect();
    assert!(others[0].starts_with("     others                                   =>"), "{others:?}");
    assert!(others[1].trim_start().split(' ').nth(1).unwrap().starts_with("connection"), "{others:?}");
    assert!(!rows(&[]).iter().any(|line| line.contains("others")));
}

#[test]
fn a_block_has_its_time_and_host_where_that_is_asked_for() {
    let mut command = flowtop(&["-t", "--demo", "-s", "1", "--show-time"]);
    let output = command.env("TZ", "Asia/Kolkata").output().unwrap();
    let line = stdout(&output).lines().nth(1).unwrap();
    let at = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:30";
    let right = regex::Regex::new(&format!(r"^{at} to {at} \(Asia/Kolkata\), \d\.\d s, host \S+$")).unwrap();
    assert!(right.is_match(line), "{line}");
    assert!(stdout(&output).lines().nth(2).unwrap().starts_with("   # Host name"));
}

#[test]
fn the_latest_report_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let file = path.to_str().unwrap();
    let write = |args: &[&str]| {
        let output = demo(&[args, &["--write", file]].concat());
        assert_eq!(stdout(&output), "");
        fs::read_to_string(&path).unwrap()
    };
    let text = write(&["-t", "-s", "1"]);
    assert!(text.starts_with("   # Host name") && text.ends_with("=\n\n"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let report = write(&["top", "0.2", "3", "--format", "json"]);
    assert_eq!(report.lines().count(), 1);
    assert!(serde_json::from_str::<Value>(&report).unwrap()["totals"].is_object());
    let after = fs::metadata(&path).unwrap();
    assert!(after.mode() & 0o777 == 0o644 && after.ino() != before, "{after:?}");
    let csv = write(&["-t", "-s", "1", "--format", "csv"]);
    assert_eq!(csv.lines().filter(|line| line.starts_with("time,elapsed_s,")).count(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something is left over");
}

#[test]
fn a_file_that_is_none_of_its_own_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, link) = (folder.path().join("kept"), folder.path().join("link"));
    fs::write(&kept, "mine").unwrap();
    symlink(&kept, &link).unwrap();
    for (path, why) in [
        (link.clone(), "it is a symbolic link; name a file"),
        (folder.path().join("none/report"), "cannot use the directory"),
        (folder.path().to_owned(), "it is a directory; name a file"),
    ] {
        let output = output(&["-t", "--demo", "-s", "1", "--write", path.to_str().unwrap()]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        let last = stderr(&output).lines().last().unwrap();
        assert!(last.starts_with("flowtop: ") && last.contains(why), "{last}");
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    let output = output(&["--demo", "--write", "x"]);
    assert_eq!(all(&output), (Some(2), "", "flowtop: --write is for reports; add -t\n"));
}

/// The flags of a command line that `--print-config` shows, without their origins.
fn set(args: &[&str]) -> Vec<String> {
    let output = output(&[args, &["--print-config"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let line = |line: &str| {
        let (setting, origin) = line.split_once('#').unwrap();
        let words: Vec<_> = setting.split_whitespace().collect();
        (!["default", "top"].contains(&origin.trim())).then(|| words.join(" "))
    };
    stdout(&output).lines().filter_map(line).collect()
}

#[test]
fn within_top_the_letters_are_those_of_tcptop() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["-p", "181"], &["pid = [181]", "interval = 1"]),
        (&["-p", "181", "5", "2"], &["pid = [181]", "interval = 5"]),
        (&["-C", "-S", "-4", "10"], &["ipv4 = true", "interval = 10"]),
        (&["-c", "/sys/fs/cgroup/a"], &["cgroup = [\"/sys/fs/cgroup/a\"]", "interval = 1"]),
        (&["-s", "sent"], &["sort = \"tx\"", "interval = 1"]),
        (&["--sort", "received", "-v"], &["sort = \"rx\"", "interval = 1"]),
        (&["-s", "all", "-r", "5"], &["sort = \"cumulative\"", "rows = 5", "interval = 1"]),
        (
            &["-6", "-n", "-L", "7", "-i", "lo"],
            &["interface = [\"lo\"]", "ipv6 = true", "numeric = true", "rows = 7", "interval = 1"],
        ),
    ];
    for (args, settings) in cases {
        assert_eq!(set(&[&["top"], *args].concat()), *settings, "{args:?}");
    }
    // Elsewhere they stay iftop's.
    assert_eq!(set(&["-p", "-t", "-s", "5"]), ["promiscuous = true", "text = true", "seconds = 5"]);
}

#[test]
fn what_a_script_has_on_stdin_stays_there() {
    let program = env!("CARGO_BIN_EXE_flowtop");
    let script = format!(
        "printf 'a\\nb\\n' | while read line; do {program} top --demo 0.1 2 >/dev/null 2>&1; echo $line; done\n\
         printf 'a\\nb\\n' | while read line; do {program} -t --demo -s 1 >/dev/null 2>&1; echo $line; done\n\
         echo the rest\n"
    );
    let mut bash = Command::new("bash");
    let mut child = bash.arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "a\nb\na\nb\nthe rest\n");
}

#[test]
fn a_flag_that_does_not_exist_is_told_with_the_one_that_was_meant() {
    for (args, tip) in [
        (&["-t", "--max-rows", "5"][..], "tip: a similar argument exists: '--rows'"),
        (&["top", "--cgroupmap", "x"], "tip: a similar argument exists: '--cgroup'"),
        (&["report", "--lines", "5", "x"], "tip: a similar argument exists: '--rows'"),
    ] {
        let output = output(args);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(tip), "{}", stderr(&output));
    }
    assert!(!stderr(&output(&["-t", "--rainbow"])).contains("similar"));
}

/// `.iftoprc` is iftop's, and narrows what iftop shows; other commands say that it narrows them too.
#[test]
fn a_file_that_narrows_a_command_is_told_and_so_is_the_line_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rc");
    let path = file.to_str().unwrap();
    fs::write(&file, "# mine\nfilter-code: port 443\nnum-lines: 5\n").unwrap();
    let narrowed = format!("flowtop: {path}:2: filter-code narrows what counts, also for");
    let top = output(&["top", "0.1", "1", "--demo", "--config", path]);
    let rows = format!("flowtop: {path}:3: num-lines narrows what counts, also for top\n");
    assert!(stderr(&top).starts_with(&format!("{narrowed} top\n{rows}")), "{}", stderr(&top));
    let report = output(&["-t", "-s", "1", "--demo", "-c", path]);
    assert!(!stderr(&report).contains("narrows"), "{}", stderr(&report));
    for (line, mistake) in [
        ("filter-code: port 80 or", "filter-code: column 11: an expression is missing at the end"),
        ("interface: nosuch0", "there is no interface \"nosuch0\""),
        ("net-filter: 10.0.0.0", "invalid value \"10.0.0.0\" for net-filter: give it a mask"),
        ("max-bandwidth: 10X", "invalid value \"10X\" for max-bandwidth"),
    ] {
        fs::write(&file, format!("\n{line}\n")).unwrap();
        let output = output(&["-t", "-s", "1", "--demo", "-c", path]);
        assert!(stderr(&output).starts_with(&format!("flowtop: {path}:2: {mistake}")), "{}", stderr(&output));
    }
}
