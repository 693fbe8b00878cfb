//! Command lines with secrets in them, of a process that runs: none is recorded, reported or shown.

use std::io::Write as _;

use super::*;

const SECRET: &str = "hunter2-of-the-test";

/// A process that has a connection open and secrets among its arguments.
struct Talker {
    child: Child,
    listener: TcpListener,
    connection: TcpStream,
}

impl Talker {
    fn start() -> Self {
        // The connection is older than flowtop, which then takes the end with the larger port for the one that connected. So
        // the listener has a port below those that the kernel gives to clients.
        let mut ports = 20_000..32_000;
        let listener = ports.find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut command = Command::new("bash");
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; while read -r line; do echo $line >&3; done");
        let url = format!("postgres://me:{SECRET}@db/shop");
        command.args([
            "-c",
            &script,
            "talker",
            "--verbose",
            &format!("--password={SECRET}"),
            "--token",
            SECRET,
            &url,
        ]);
        let child = command.stdin(Stdio::piped()).spawn().unwrap();
        let connection = listener.accept().unwrap().0;
        Self { child, listener, connection }
    }

    fn filter(&self) -> String {
        format!("port {}", self.listener.local_addr().unwrap().port())
    }

    /// Has the program send a line, and receives it.
    fn speak(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
        self.connection.read_exact(&mut [0; 6]).unwrap();
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// The command line of the talker in a recording that is made while it speaks, and every byte of the files.
fn recorded(talker: &mut Talker, flags: &[&str]) -> (Option<String>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let filter = talker.filter();
    let args = [&["--every", "1s", "-f", &filter], flags].concat();
    let running = Running::start(record(dir.path(), &args));
    talker.speak();
    wait_for(dir.path(), 2);
    running.send(Signal::TERM);
    assert_eq!(running.end().0, Some(0));
    let mut all = Vec::new();
    let mut commands = Vec::new();
    for record in records(dir.path()) {
        let of_talker = record.flows.iter().filter(|flow| flow.flow.pid == talker.child.id());
        commands.extend(of_talker.map(|flow| flow.identity.as_ref().unwrap().command.clone()));
        all.extend(format!("{record:?}").into_bytes());
    }
    assert!(!commands.is_empty(), "the process is in no record");
    (commands.pop().flatten(), all)
}

fn has_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}

#[test]
fn secrets_in_arguments_are_in_no_record_and_no_report() {
    if !can_count() {
        return;
    }
    let mut talker = Talker::start();
    let (command, all) = recorded(&mut talker, &[]);
    let command = command.expect("its command line is known");
    let shown = "talker --verbose --password=*** --token *** postgres://me:***@db/shop";
    assert!(command.starts_with("bash -c ") && command.ends_with(shown), "{command}");
    assert!(!has_secret(&all));
    let (command, all) = recorded(&mut talker, &["--no-command-lines"]);
    assert!(command.is_none() && !has_secret(&all));

    for (flags, is_shown) in [(&[][..], true), (&["--no-command-lines"], false)] {
        let filter = talker.filter();
        let args = [&["-t", "--interval", "1", "--format", "json", "-f", &filter], flags].concat();
        let mut child = flowtop(&args).spawn().unwrap();
        let mut reports = BufReader::new(child.stdout.take().unwrap());
        let (mut report, mut until) = (String::new(), 10);
        while !report.contains("\"comm\":\"bash\"") && until > 0 {
            talker.speak();
            report.clear();
            reports.read_line(&mut report).unwrap();
            until -= 1;
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap();
        assert!(report.contains("\"comm\":\"bash\"") && !report.contains(SECRET), "{report}");
        assert_eq!(report.contains("--password=***"), is_shown, "{report}");
    }
    talker.end();
}
