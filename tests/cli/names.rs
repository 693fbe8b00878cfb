//! Names of hosts in reports, asked of a DNS server of the test's own, over TCP.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::*;

/// Address of the server; no other program listens on port 53 of it.
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 0, 0, 153), 53);

/// The name that the server answers for every address.
const NAME: &str = "gate.example";
const NAME_ON_THE_WIRE: &[u8] = b"\x04gate\x07example\0";

/// Bytes of a question behind its name: type and class.
const QUESTION_END: usize = 4;
const HEADER: usize = 12;

/// Answers questions until the client closes, and sends a message after each.
fn serve(mut client: TcpStream, answered: &Sender<()>) -> io::Result<()> {
    loop {
        let mut length = [0; 2];
        client.read_exact(&mut length)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        client.read_exact(&mut message)?;
        let name_end = HEADER + message[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let question = &message[HEADER..name_end + QUESTION_END];
        // A recursive answer with one question and one record: PTR, IN, 60 s, and the name asked for by reference.
        let mut answer = [&message[..2], b"\x81\x80\0\x01\0\x01\0\0\0\0", question].concat();
        answer.extend_from_slice(b"\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0");
        answer.push(u8::try_from(NAME_ON_THE_WIRE.len()).unwrap());
        answer.extend_from_slice(NAME_ON_THE_WIRE);
        client.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes())?;
        client.write_all(&answer)?;
        // Whoever waits for it may be gone.
        let _ = answered.send(());
    }
}

/// flowtop where the only source of names is [`SERVER`], if this kernel lets the test have a mount namespace.
fn asking_the_server(args: &[&str]) -> Option<Command> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("resolv.conf"), format!("nameserver {}\noptions use-vc\n", SERVER.0)).unwrap();
    fs::write(folder.join("nsswitch.conf"), "hosts: dns\n").unwrap();
    let script = "for file in resolv.conf nsswitch.conf; do mount --bind \"$0/$file\" /etc/$file || exit; done; exec \"$@\"";
    let unshare = |program: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script]).arg(&folder).arg(program);
        unshare.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
        unshare.stdout(Stdio::piped()).stderr(Stdio::piped());
        unshare
    };
    let works = unshare("true").status().is_ok_and(|status| status.success());
    let mut command = unshare(env!("CARGO_BIN_EXE_flowtop"));
    command.args(args);
    works.then_some(command)
}

#[test]
fn the_only_report_has_names_and_says_that_looking_them_up_counts() {
    if !can_count() {
        return;
    }
    let Some(mut command) = asking_the_server(&["-t", "-P", "-L", "0", "-s", NEVER, "--names"]) else {
        return tools::skip("no mount namespace");
    };
    let listener = TcpListener::bind(SERVER).unwrap();
    let (answered, answers) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let answered = answered.clone();
            thread::spawn(move || serve(client.unwrap(), &answered));
        }
    });
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.starts_with("flowtop: counting with ")));
    streams::carry();
    // Hosts are asked for one after the other: with the second answer the first one has been taken in.
    for _ in 0..2 {
        answers.recv().unwrap();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains(NAME), "{}", stdout(&output));
    let said: Vec<_> = stderr.filter(|line| line.contains("lookups")).collect();
    assert_eq!(said, ["flowtop: its own lookups of names are among the connections"]);
}
