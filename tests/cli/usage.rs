//! Command lines that cannot be carried out: text on stderr, exit code 2 or 1.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;

#[test]
fn version_is_that_of_the_package() {
    let output = output(&["--version"]);
    assert_eq!(all(&output), (Some(0), concat!("flowtop ", env!("CARGO_PKG_VERSION"), "\n"), ""));
}

/// Arguments and the first line on stderr.
const WRONG: &[(&[&str], &str)] = &[
    (
        &["-t", "-s", "soon"],
        "flowtop: invalid value \"soon\" for --seconds: give whole seconds as 60, 90s or 5m, 0 for reports without end",
    ),
    (&["-t", "-L", "all"], "flowtop: invalid value \"all\" for --rows: give a number of rows, 0 for all"),
    (
        &["-t", "-o", "5s"],
        "flowtop: invalid value \"5s\" for --sort: give one of 2s, 10s, 40s, cumulative, tx, rx, source, destination",
    ),
    (
        &["-m", "10X"],
        "flowtop: invalid value \"10X\" for --max-bandwidth: give bits per second: a number with at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G, or with its unit in steps of 1000, as 5Gbit",
    ),
    (&["-t", "--format", "xml"], "flowtop: invalid value \"xml\" for --format: give one of text, json, csv"),
    (
        &["-t", "--hooks", "xdp"],
        "flowtop: invalid value \"xdp\" for --hooks: give one of auto, fentry, kprobe, tracepoint",
    ),
    (
        &["-t", "-F", "10.0.0.0"],
        "flowtop: invalid value \"10.0.0.0\" for --net: give it a mask, as in 10.0.0.0/8",
    ),
    (
        &["-G", "::1/129", "--print-config"],
        "flowtop: invalid value \"::1/129\" for --net6: give a mask of 1 to 128 bits, as in 2001:db8::/32",
    ),
    (
        &["-t", "--by", "pods"],
        "flowtop: invalid value \"pods\" for --by: give one or more of flow, peer, host, local-port, remote-port, process, user, unit, container, pod, namespace, workload, netns, netns-pod, label, remote-pod, net/24",
    ),
    (&["-t", "--pid", "self"], "flowtop: invalid value \"self\" for --pid: give numbers"),
    (
        &["top", "0"],
        "flowtop: invalid value \"0\" for INTERVAL: give 0.1 to 86400 seconds, or a time as 500ms or 5m",
    ),
    (
        &["-t", "--by", "netns", "--format", "csv", "--fields", "pid"],
        "flowtop: unknown field \"pid\"; the fields of --by netns are netns,connections,tx_bytes,rx_bytes,tx_rate_2s,tx_rate_10s,tx_rate_40s,rx_rate_2s,rx_rate_10s,rx_rate_40s,sent_bytes,retrans_bytes,retrans_segs,tx_wire_bytes,rx_wire_bytes,owner",
    ),
    (
        &["-f", "port 80 or", "--print-config"],
        "flowtop: --filter: column 11: an expression is missing at the end; write one like `port 443`",
    ),
    (
        &["-f", "port no-such-service", "--print-config"],
        "flowtop: --filter: column 6: `no-such-service` is no TCP service that this host knows; write the number of the port",
    ),
    (
        &["-t", "--fields", "pid,comm"],
        "flowtop: --fields picks fields of the other formats; add --format csv or --format json",
    ),
    (
        &["-t", "--interval", "0"],
        "flowtop: invalid value \"0\" for --interval: give 0.1 to 86400 seconds, or a time as 500ms or 5m",
    ),
    (
        &["report", "--from", "09:00", "--to", "08:00"],
        "flowtop: --from 09:00 --to 08:00: without a day both are times of one day, and 09:00 is not before 08:00; swap them, \
         or for a period over midnight name the day, as --from 'yesterday 09:00' --to 08:00",
    ),
    (
        &["report", "--from", "2026-11-20 08:00", "--to", "2026-11-20 08:00", "--timezone", "UTC"],
        "flowtop: --from 2026-11-20 08:00:00 +00:00 is not before --to 2026-11-20 08:00:00 +00:00; the period is empty",
    ),
    (
        &["report", "--diff", "09:00..08:00"],
        "flowtop: --diff: 09:00..08:00: without a day both are times of one day, and 09:00 is not before 08:00; swap them, or \
         for a period over midnight name the day, as 'yesterday 09:00..08:00'",
    ),
];

/// Arguments that are no flags and values at all, and how clap's error begins.
const REFUSED: &[(&[&str], &str)] = &[
    (&["--max-flows", "0"], "invalid value '0' for '--max-flows <N>': give 1 to 16777216 connections"),
    (
        &["doctor", "--max-flows", "x"],
        "invalid value 'x' for '--max-flows <N>': give 1 to 16777216 connections",
    ),
    (
        &["record", "--every", "0s"],
        "invalid value '0s' for '--every <TIME>': give a time as 10s, 5m, 1h30m or 2d",
    ),
    (&["top", "1", "0"], "invalid value '0' for '[COUNT]': give a whole number from 1 to 4294967295"),
    (
        &["record", "--count", "x"],
        "invalid value 'x' for '--count <N>': give a whole number from 1 to 18446744073709551615",
    ),
    (
        &["report", "--format", "xml"],
        "invalid value 'xml' for '--format <FORM>'\n  [possible values: text, json, csv]",
    ),
    (&["--max-flows"], "a value is required for '--max-flows <N>' but none was supplied"),
    (
        &["-o"],
        "a value is required for '--sort <BY>' but none was supplied\n  \
         [possible values: 2s, 10s, 40s, cumulative, tx, rx, source, destination]",
    ),
    (&["doctor", "--json=1"], "unexpected value '1' for '--json' found; no more were expected"),
    (&["-Z"], "unexpected argument '-Z' found"),
    (&["-L", "-x"], "unexpected argument '-x' found"),
    // A rate, which only a report of recordings has.
    (&["-t", "--limit", "5"], "unexpected argument '--limit' found"),
    (
        &["--max-flow", "5"],
        "unexpected argument '--max-flow' found\n\n  tip: a similar argument exists: '--max-flows'",
    ),
    (&["top", "1", "2", "3"], "unexpected argument '3' found"),
    (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
    (&["recrod"], "unrecognized subcommand 'recrod'\n\n  tip: a similar subcommand exists: 'record'"),
    (&["-t", "doctor"], "the subcommand 'doctor' cannot be used with '--text'"),
    (&["top", "5", "--interval", "3"], "the argument '[INTERVAL]' cannot be used with '--interval <TIME>'"),
    (&["-f", "port 80", "-f", "port 443"], "the argument '--filter <EXPR>' cannot be used multiple times"),
    (&["report", "--by", "pod", "--by", "peer"], "the argument '--by <KEYS>' cannot be used multiple times"),
    (
        &["watch"],
        "the following required arguments were not provided:\n  --when <CONDITION>\n  --then <ACTION>",
    ),
    (&["completions"], "the following required arguments were not provided:\n  <SHELL>"),
];

/// The end of every error text of clap.
const MORE: &str = "\n\nFor more information, try '--help'.\n";

fn assert_refused(output: &Output, start: &str) {
    assert_eq!((output.status.code(), stdout(output)), (Some(2), ""), "{start}");
    let said = stderr(output).strip_prefix("error: ").and_then(|said| said.strip_suffix(MORE));
    let rest = said.and_then(|said| said.strip_prefix(start));
    let is_all = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("\n\nUsage: flowtop"));
    assert!(is_all, "{}\nis not\nerror: {start}", stderr(output));
}

#[test]
fn what_is_no_flag_or_value_is_said_in_the_words_of_clap() {
    for (args, start) in REFUSED {
        assert_refused(&output(args), start);
    }
    let not_utf8 = flowtop(&["-f"]).arg(OsStr::from_bytes(b"\xff")).output().unwrap();
    assert_refused(&not_utf8, "invalid UTF-8 was detected in one or more arguments");
}

#[test]
fn wrong_usage_is_one_clear_line_first_and_exit_code_2() {
    for (args, first_line) in WRONG {
        let output = output(args);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{args:?}");
        assert_eq!(stderr(&output).lines().next(), Some(*first_line), "{args:?}");
    }
}

/// Capabilities of a file as the kernel keeps them: version 2, effective, one that is permitted (`linux/capability.h`).
fn file_capability(number: u32) -> Vec<u8> {
    [0x0200_0001_u32, 1 << number, 0, 0, 0].map(u32::to_le_bytes).concat()
}

#[test]
fn rights_that_its_file_would_give_are_refused_before_anything_is_read() {
    use rustix::fs::{XattrFlags, setxattr};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !tools::has_root() {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let raised = |name: &str, raise: &dyn Fn(&Path)| {
        let path = folder.path().join(name);
        // By another process: what this one has open for writing, a child of another test keeps open for a moment.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_flowtop")).arg(&path).status().unwrap();
        assert!(copied.success());
        raise(&path);
        // Settings in a file that never ends.
        let mut command = Command::new(path);
        command.args(["--print-config"]).env("HOME", folder.path()).stdin(Stdio::null());
        command.uid(65_432).gid(65_432).output().unwrap()
    };
    std::os::unix::fs::symlink("/dev/zero", folder.path().join(".iftoprc")).unwrap();
    let mode = |mode| move |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let net_raw = |path: &Path| {
        setxattr(path, "security.capability", &file_capability(13), XattrFlags::empty()).unwrap();
    };
    for (how, output) in [
        ("is setuid", raised("setuid", &mode(0o4755))),
        ("is setgid", raised("setgid", &mode(0o2755))),
        ("has capabilities", raised("capable", &net_raw)),
    ] {
        let said = format!(
            "flowtop: the program's file {how}, so that whoever starts it would name files that are read with rights of \
             others; take that away from it, and run it as root or with ambient capabilities\n"
        );
        assert_eq!(all(&output), (Some(1), "", said.as_str()));
    }
    let plain = raised("plain", &mode(0o755));
    assert!(stderr(&plain).contains(".iftoprc: it is a device"), "{}", stderr(&plain));
    let ambient = Command::new("setpriv")
        .args([
            "--reuid=65432",
            "--regid=65432",
            "--clear-groups",
            "--inh-caps=+net_raw",
            "--ambient-caps=+net_raw",
        ])
        .arg(folder.path().join("plain"))
        .args(["--version"])
        .output()
        .unwrap();
    assert_eq!(ambient.status.code(), Some(0), "{}", stderr(&ambient));
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let fields = output(&["-t", "--fields", "pid,bytes"]);
    assert_eq!((fields.status.code(), stdout(&fields)), (Some(2), ""));
    assert!(
        stderr(&fields)
            .starts_with("flowtop: invalid value \"bytes\" for --fields: give names out of local_addr,")
    );
    let interface = output(&["-t", "-i", "no such"]);
    assert_eq!((interface.status.code(), stdout(&interface)), (Some(1), ""));
    assert!(stderr(&interface).starts_with("flowtop: there is no interface \"no such\"; take one of "));
}
