//! Owners, labels and groups as they are asked for; who is named is the live suite's business.

use super::*;

/// A file of labels, and what flowtop says of it.
fn with_labels(text: &str) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    let path = file.path().to_str().unwrap();
    let output = output(&["-t", "-s", "1", "--labels", path]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output).lines().next().unwrap_or_default().replace(path, "FILE");
    Output { stderr: said.into_bytes(), ..output }
}

#[test]
fn a_wrong_label_is_named_with_its_line() {
    let output = with_labels("10.0.0.0/8 vpc\n10.0.0.1/8 slb\n");
    assert_eq!(
        stderr(&output),
        "flowtop: --labels: FILE: line 2: 10.0.0.1/8 has bits behind its prefix; write 10.0.0.0/8"
    );
}

#[test]
fn files_that_are_not_there_are_named() {
    for (args, said) in [
        (
            ["-t", "--labels", "/nonexistent/labels"],
            "flowtop: --labels: there is no file /nonexistent/labels",
        ),
        (["-t", "--host-root", "/nonexistent"], "flowtop: --host-root: there is no directory /nonexistent; "),
    ] {
        let output = output(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with(said), "{}", stderr(&output));
    }
}

#[test]
fn top_ends_after_as_many_reports_as_asked_for() {
    if !can_count() {
        return;
    }
    // IPv6 has a table of its own, which is printed only while there are IPv6 connections.
    let output = output(&["top", "-4", "-S", "0.1", "3"]);
    assert_eq!(output.status.code(), Some(0));
    let titles = stdout(&output).lines().filter(|line| line.starts_with("PID ")).count();
    assert_eq!(titles, 3, "{}", stdout(&output));
    assert!(!stdout(&output).contains('\u{1b}') && !stdout(&output).contains("loadavg"));
}

#[test]
fn a_grouped_csv_has_the_fields_of_its_keys_first() {
    if !can_count() {
        return;
    }
    let output = output(&["-t", "-s", "1", "--format", "csv", "--by", "pod,net/24"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output)
            .starts_with("time,elapsed_s,host,start,namespace,pod,remote_net,connections,tx_bytes,")
    );
}

/// A bash that sends a line now and then, beside flowtop; both in a PID namespace of their own. It tells its number there.
const IN_NAMESPACE: &str = r#"
    bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0 && while echo x >&3; do sleep 0.1; done' "$1" &
    echo $! && "$0" -t -s 3 -l --format json; kill $!"#;

#[test]
fn in_a_pid_namespace_processes_have_the_numbers_that_ps_shows_there() {
    if !can_count() {
        return;
    }
    let Some(_bash) = tools::find("bash") else { return };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let accepted = std::thread::spawn(move || io::copy(&mut server.accept().unwrap().0, &mut io::sink()));
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "bash", "-c", IN_NAMESPACE]);
    command.arg(env!("CARGO_BIN_EXE_flowtop")).arg(port.to_string()).env("HOME", "/nonexistent");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (number, report) = stdout(&output).split_once('\n').unwrap();
    let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    let flows = report["flows"].as_array().unwrap();
    let flow = flows.iter().find(|flow| flow["remote_port"] == port).unwrap_or_else(|| panic!("{report}"));
    let number: u64 = number.parse().unwrap();
    assert_eq!((&flow["pid"], &flow["comm"]), (&number.into(), &"bash".into()), "{}", stderr(&output));
    assert!(flow["command"].as_str().unwrap().starts_with("bash -c exec 3<>"), "{flow}");
    // The server is outside of the namespace, where it has no number, if the kernel can tell them apart (Linux 6.1).
    let peer = &flow["peer"];
    assert_eq!((&peer["pid"], peer["comm"].is_string()), (&Value::Null, true), "{flow}");
    accepted.join().unwrap().unwrap();
}
