//! Real traffic between two processes of this host, in both formats.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::flowtop;
use super::tools;

/// Bytes that the client sends and receives: less than the buffers of two sockets hold, so that neither end waits.
const SENT: u64 = 70_001;
const RECEIVED: u64 = 30_011;

/// A process with one end of the connection. It ends with the value.
struct End {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl End {
    fn start(python: &Path, args: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats/end.py");
        let mut command = Command::new(python);
        let mut child =
            command.arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn pid(&self) -> u64 {
        self.child.id().into()
    }

    fn comm(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid())).unwrap().trim_end().to_owned()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A flowtop that counts until it is told to stop. It ends with the value.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> Self {
        // The test ends the run long before.
        let args = [&["-t", "-s", "3600"][..], args].concat();
        let mut child = flowtop(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let running = Self(child);
        assert!(line.starts_with("flowtop: counting with "), "{line}");
        running
    }

    /// The report that an interrupted run ends with.
    fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        let mut report = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
        report
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn both_processes_of_a_local_connection_have_a_row_with_what_each_has_moved() {
    if !tools::can_count() {
        return;
    }
    let Some(python) = tools::find("python3") else { return };
    let [sent, received] = [SENT, RECEIVED].map(|bytes| bytes.to_string());
    let mut server = End::start(&python, &["server", &received, &sent]);
    let port = server.line();
    let mut client = End::start(&python, &["client", &sent, &received, &port]);
    // Others of this host send as well.
    let filter = format!("port {port}");
    let by = ["-f", &filter, "--by", "process", "--format"];
    let json = Running::start(&[&by[..], &["json"]].concat());
    let csv = Running::start(
        &[&by[..], &["csv", "--fields", "pid,comm,connections,tx_bytes,rx_bytes,owner"]].concat(),
    );
    client.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    assert_eq!([client.line(), server.line()], ["done", "done"]);
    let (json, csv) = (json.stop(), csv.stop());
    is_right_in_json(&json, &client, &server);
    is_right_in_csv(&csv, &client, &server);
}

fn is_right_in_json(report: &str, client: &End, server: &End) {
    let report: Value = serde_json::from_str(report).unwrap();
    let bytes = |of: &Value| ["tx_bytes", "rx_bytes"].map(|name| of[name].as_u64());
    let row =
        |row: &Value| (row["pid"].as_u64(), row["comm"].clone(), row["connections"].as_u64(), bytes(row));
    let rows: Vec<_> = report["groups"].as_array().unwrap().iter().map(row).collect();
    let expected =
        |end: &End, tx, rx| (Some(end.pid()), Value::from(end.comm()), Some(1), [Some(tx), Some(rx)]);
    for row in [expected(client, SENT, RECEIVED), expected(server, RECEIVED, SENT)] {
        assert!(rows.contains(&row), "{row:?} is not in {report}");
    }
    assert_eq!(rows.len(), 2, "{report}");
    // The totals have the connection once, from the end that connected.
    assert_eq!(bytes(&report["totals"]), [Some(SENT), Some(RECEIVED)], "{report}");
    assert_eq!(bytes(&report["local_twice"]), [Some(RECEIVED), Some(SENT)], "{report}");
    assert_eq!(report.get("others"), None, "{report}");
}

fn is_right_in_csv(report: &str, client: &End, server: &End) {
    let mut lines = report.lines().map(|line| line.splitn(5, ',').nth(4).unwrap_or_default());
    assert_eq!(lines.next(), Some("pid,comm,connections,tx_bytes,rx_bytes,owner"));
    let row = |end: &End, tx, rx| format!("{},{},1,{tx},{rx},", end.pid(), end.comm());
    let twice = format!(",,,{RECEIVED},{SENT},local_twice");
    let expected = [row(client, SENT, RECEIVED), row(server, RECEIVED, SENT), twice];
    let found: BTreeSet<_> = lines.map(str::to_owned).collect();
    assert_eq!(found, BTreeSet::from(expected), "{report}");
}
