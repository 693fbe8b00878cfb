//! A rate that is watched for, and what is done then. The traffic is the demo's, which needs no rights.

use super::*;

fn watch(args: &[&str]) -> Output {
    output(&[&["watch", "--demo"], args].concat())
}

/// In all of the demo's traffic, every second.
const ALWAYS: [&str; 2] = ["--when", "total > 1 for 1s"];

#[test]
fn it_prints_runs_and_records_the_time_before_and_after() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording");
    let [seen, to] =
        [directory.path().join("seen"), recording.clone()].map(|path| path.display().to_string());
    let command = format!("exec env | grep ^FLOWTOP_ | sort >{seen}; exit 3");
    let then =
        ["--then", "print", "--then", &command, "--then", "record 2s", "--count", "1", "--output", &to];
    let ended = watch(&[&ALWAYS[..], &then, &["-n", "-L", "1"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let lines: Vec<_> = stdout(&ended).lines().collect();
    assert!(lines[0].contains(" total > 1 for 1s: ") && lines[0].contains("time 1"), "{lines:?}");
    assert!(lines[3].starts_with("   1 "), "{lines:?}");
    let said = stderr(&ended);
    assert!(
        said.contains("has ended: exit status: 3\n") && said.contains("flowtop: fired once in "),
        "{said}"
    );
    let variables = fs::read_to_string(&seen).unwrap();
    let names: Vec<_> = variables.lines().map(|line| line.split('=').next().unwrap()).collect();
    let expected =
        ["HOST", "NUMBER", "PEER", "PEER_SHARE", "PID", "PROCESS", "PROCESS_SHARE", "RATE", "TIME", "WHEN"];
    assert_eq!(names, expected.map(|name| format!("FLOWTOP_{name}")));
    assert!(
        variables.contains("\nFLOWTOP_NUMBER=1\n") && variables.contains("\nFLOWTOP_WHEN=total > 1 for 1s\n")
    );
    let replayed = output(&["replay", &to, "-t", "--format", "json"]);
    assert_eq!((replayed.status.code(), stderr(&replayed)), (Some(0), ""));
    let records: Vec<Value> =
        stdout(&replayed).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let length_s: f64 = records.iter().map(|record| record["elapsed_s"].as_f64().unwrap()).sum();
    // At least a second before it fired, and the two after it.
    assert!(length_s >= 3.0 && records.iter().all(|record| !record["flows"].as_array().unwrap().is_empty()));
}

/// The recording that has begun is written, and its records are reported.
#[test]
fn a_terminal_that_goes_away_ends_it_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("recording");
    let args = ["watch", "--demo", "--then", "record 1h", "--output", to.to_str().unwrap()];
    let mut child = flowtop(&[&args[..], &ALWAYS].concat()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(" time 1") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it has ended");
    }
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("flowtop: 1 records in ") && rest.contains("flowtop: fired once in "), "{rest}");
}

#[test]
fn a_filter_in_the_condition_is_measured_alone() {
    let never = watch_until_told(&["--when", "total > 1 for 1s and port 1", "--then", "print"]);
    assert!(never.contains("flowtop: never fired in "), "{never}");
}

#[test]
fn any_of_several_conditions_fires_and_its_text_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let seen = directory.path().join("seen");
    let never = "tx > 1P for 1s";
    let command = format!("exec echo \"$FLOWTOP_NUMBER $FLOWTOP_WHEN\" >>{}", seen.display());
    let args = ["--when", never, "--when", "rx > 1 for 1s", "--then", "print", "--then", &command];
    let ended = watch(&[&ALWAYS[..], &args, &["--count", "2"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let printed = stdout(&ended);
    assert!(printed.contains(" total > 1 for 1s: ") && printed.contains(" rx > 1 for 1s: "), "{printed}");
    let mut told: Vec<_> = fs::read_to_string(&seen).unwrap().lines().map(str::to_owned).collect();
    told.sort_unstable();
    assert_eq!(told, ["1 total > 1 for 1s", "2 rx > 1 for 1s"]);
    let said = stderr(&ended);
    for line in [
        "total > 1 for 1s: fired once in ",
        "tx > 1P for 1s: never fired in ",
        "rx > 1 for 1s: fired once in ",
    ] {
        assert!(said.contains(&format!("flowtop: {line}")), "{line}: {said}");
    }
    assert!(!said.contains("most of it") && said.contains(" % of it: "), "{said}");
}

/// stderr of a watch that gets SIGTERM after some samples.
fn watch_until_told(args: &[&str]) -> String {
    let mut child = flowtop(&[&["watch", "--demo"], args].concat()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.starts_with("flowtop: watching for total > 1 for 1s"), "{first}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    rest
}

/// The command of the `exec` example in docs/recordings.md.
fn documented_command() -> String {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/recordings.md"));
    let line = page.lines().find(|line| line.starts_with("flowtop watch ")).unwrap();
    let (_, rest) = line.split_once("'exec ").unwrap();
    format!("exec {}", rest.split_once('\'').unwrap().0)
}

/// A logger that takes options as all others do, and a file that it must not read.
struct Logger(tempfile::TempDir);

impl Logger {
    const SECRET: &str = "root:secret\n";

    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let logger = Self(tempfile::tempdir().unwrap());
        let script = "#!/bin/sh\nwhile getopts f:t: option; do test $option = f && cat -- \"$OPTARG\" >>log; done\n\
                      shift $((OPTIND - 1))\nprintf '%s\\n' \"$*\" >>log\n";
        fs::write(logger.path("logger"), script).unwrap();
        fs::set_permissions(logger.path("logger"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(logger.path("secret"), Self::SECRET).unwrap();
        logger
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A program that finds it in its PATH.
    fn give(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        command.current_dir(&self.0).env("PATH", format!("{}:{path}", self.0.path().display()));
        command
    }

    /// Returns the log and empties it.
    fn take(&self) -> String {
        let logged = fs::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs::remove_file(self.path("log"));
        logged
    }
}

#[test]
fn the_documented_commands_take_no_name_for_an_option() {
    let logger = Logger::new();
    let run = |line: &str, name: &str| {
        let mut shell = logger.give(Command::new("sh"));
        assert!(shell.args(["-c", line]).env("FLOWTOP_PROCESS", name).status().unwrap().success());
        logger.take()
    };
    // Without the two dashes it would do as it is told.
    assert_eq!(run("logger \"$FLOWTOP_PROCESS\"", "-fsecret"), format!("{}\n", Logger::SECRET));
    let command = documented_command();
    let line = command.strip_prefix("exec ").unwrap();
    for name in [
        "-fsecret",
        "--",
        "-",
        "-tx",
        "$(cat secret)",
        "`cat secret`",
        "a;cat secret",
        "*",
        "'",
        "\"",
        "nginx",
    ] {
        assert_eq!(run(line, name), format!("{name}\n"));
    }
}

/// A process that calls itself by a name, and sends over loopback whenever it is asked to.
struct Hostile {
    child: Child,
    port: u16,
    asks: std::thread::JoinHandle<()>,
}

impl Hostile {
    fn start(name: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = "printf %s \"$1\" >/proc/$$/comm; exec 3<>\"/dev/tcp/127.0.0.1/$2\"
            while read -r _ <&3; do printf '%8192s' x >&3; done";
        let child =
            Command::new("bash").args(["-c", script, "bash", name, &port.to_string()]).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        // Until the process is ended.
        let asks = std::thread::spawn(move || {
            while stream.write_all(b"more\n").and_then(|()| stream.read_exact(&mut [0; 8192])).is_ok() {}
        });
        Self { child, port, asks }
    }

    fn end(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.asks.join().unwrap();
    }
}

#[test]
fn a_process_that_is_called_like_an_option_has_no_file_read() {
    if !can_count() {
        return;
    }
    let (logger, hostile) = (Logger::new(), Hostile::start("-fsecret"));
    let when = format!("tx > 1 for 1s and port {}", hostile.port);
    let command = documented_command();
    let args = ["watch", "--when", &when, "--then", &command, "--count", "1"];
    let ended = logger.give(flowtop(&args)).output().unwrap();
    hostile.end();
    let said = stderr(&ended);
    assert_eq!((ended.status.code(), logger.take().as_str()), (Some(0), "-fsecret\n"), "{said}");
    assert!(said.contains(" % of it: -fsecret["), "{said}");
}

#[test]
fn commands_that_do_not_end_are_not_piled_up() {
    let directory = tempfile::tempdir().unwrap();
    let stop = directory.path().join("stop");
    // Each runs until the file is there, and the last one to be refused makes it.
    let wait = format!("exec while ! test -e {}; do sleep 0.1; done", stop.display());
    let args = ["--then", &wait, "--hold-off", "1s", "--count", "5"];
    let mut child = flowtop(&[&["watch", "--demo"], &ALWAYS[..], &args].concat()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut refused = 0;
    for line in said.lines().map(Result::unwrap) {
        if line.ends_with("is not started: 4 commands still run") {
            refused += 1;
            fs::write(&stop, "").unwrap();
        }
    }
    assert_eq!((refused, child.wait().unwrap().code()), (1, Some(0)));
}

#[test]
fn what_is_not_right_is_told_with_its_place() {
    let print = ["--then", "print"];
    let cases: [(&[&str], &str); 6] = [
        (
            &["--when", "tx > 4X for 10s", "--then", "print"],
            "--when: column 6: `4X` is not a rate; give bits per second: a number with at most one of K, M, G, T, P in steps of \
             1024, as 500M or 1.5G, or with its unit in steps of 1000, as 5Gbit\ntx > 4X for 10s\n     ^^",
        ),
        (
            &["--when", "tx > 4G for 10s and port http or", "--then", "print"],
            "--when: column 33: an expression is missing at the end; write one like `port 443`\ntx > 4G for 10s and port \
             http or\n                                ^",
        ),
        (
            &["--when", "tx > 1 for 1s", "--then", "mail"],
            "--then: column 1: `mail` is not something to do; write one like `record 5m`, `exec CMD` or `print`\nmail\n^^^^",
        ),
        (
            &[&ALWAYS[..], &print, &["--before", "soon"]].concat(),
            "--before soon: give a time as 10s, 5m, 1h30m or 2d",
        ),
        (
            &[&ALWAYS[..], &print, &["--hold-off", "0s"]].concat(),
            "--hold-off 0s: give a time as 10s, 5m, 1h30m or 2d",
        ),
        (
            &[&ALWAYS[..], &print, &["-s", "5"]].concat(),
            "-s and --interval are not for a watch; give the time in --when",
        ),
    ];
    for (args, said) in cases {
        assert_eq!(all(&watch(args)), (Some(2), "", format!("flowtop: {said}\n").as_str()));
    }
}
