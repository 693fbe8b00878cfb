//! IPv6 link-local connections between two namespaces: counted everywhere but in `flowtop -t` without `-l`.

use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream};
use std::path::Path;

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

use super::*;
use crate::network::{Namespace, Network};
use crate::records;

/// Bytes that the near end sends, and bytes that it receives.
const SENT: usize = 31_007;
const RECEIVED: usize = 709;

const NEAR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
const FAR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xb);

/// A network whose cable has these addresses too.
fn network() -> Network {
    let network = Network::new();
    network.near.ip(&format!("address add {NEAR}/64 dev eth0 nodad"));
    network.far.ip(&format!("address add {FAR}/64 dev eth0 nodad"));
    network
}

/// An address on the cable, as a socket of this namespace needs it.
fn on_eth0(namespace: &Namespace, address: Ipv6Addr, port: u16) -> SocketAddrV6 {
    let scope = namespace.inside(|| {
        let asked = socket(AddressFamily::INET6, SocketType::DGRAM, None)?;
        Ok(name_to_index(&asked, "eth0")?)
    });
    SocketAddrV6::new(address, port, 0, scope)
}

/// A connection from the near end to the far one that has carried its bytes; both ends stay open.
fn talk(network: &Network) -> [TcpStream; 2] {
    let at = on_eth0(&network.far, FAR, 0);
    let listener = network.far.inside(|| TcpListener::bind(at));
    let to = on_eth0(&network.near, FAR, listener.local_addr().unwrap().port());
    let mut client = network.near.inside(|| TcpStream::connect(to));
    let (mut server, _) = listener.accept().unwrap();
    let (mut received, mut answered) = (vec![0; SENT], vec![0; RECEIVED]);
    client.write_all(&received).unwrap();
    server.read_exact(&mut received).unwrap();
    server.write_all(&answered).unwrap();
    client.read_exact(&mut answered).unwrap();
    [client, server]
}

/// The output of flowtop about one connection.
fn told(network: &Network, flags: &[&str]) -> (String, String) {
    let running = Running::start(&mut flowtop(&[flags, &["-P", "--interval", NEVER]].concat()));
    drop(talk(network));
    running.send(Signal::INT);
    let (code, stdout, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

fn can_test() -> bool {
    tools::has_root() && can_count()
}

/// Flows between link-local addresses, and the sums of their bytes.
fn on_the_cable(report: &Value) -> (usize, [u64; 2]) {
    let flows = report["flows"].as_array().unwrap();
    let ours = || flows.iter().filter(|flow| flow["remote_addr"] == FAR.to_string());
    assert!(ours().all(|flow| flow["local_addr"] == NEAR.to_string()), "{report}");
    let sum = |name: &str| ours().map(|flow| flow[name].as_u64().unwrap()).sum();
    (ours().count(), [sum("tx_bytes"), sum("rx_bytes")])
}

#[test]
fn only_a_text_run_without_l_leaves_them_out_and_says_how_much() {
    if !can_test() {
        return;
    }
    let network = network();
    let both = (1, [SENT as u64, RECEIVED as u64]);
    let left_out = "31.0KB of IPv6 link-local connections";
    for (flags, expected) in
        [(&["-t", "-l", "--format", "json"][..], both), (&["-t", "--format", "json"], (0, [0, 0]))]
    {
        let (stdout, stderr) = told(&network, flags);
        let report: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
        assert_eq!(on_the_cable(&report), expected, "{flags:?}: {report}");
        assert_eq!(stderr.contains(left_out), expected.0 == 0, "{flags:?}: {stderr}");
    }
    let (text, stderr) = told(&network, &["-t", "-l"]);
    assert!(text.contains(&format!("{NEAR}")) && text.contains("30.3KB"), "{text}{stderr}");
    let (text, stderr) = told(&network, &["-t"]);
    assert!(!text.contains(&format!("{NEAR}")) && stderr.contains(left_out), "{text}{stderr}");
}

#[test]
fn a_record_holds_them() {
    if !can_test() {
        return;
    }
    let (network, dir) = (network(), tempfile::tempdir().unwrap());
    let mut command = flowtop(&["record", "--quiet", "--every", "1s", "-o"]);
    let mut recorder = command.arg(dir.path()).spawn().unwrap();
    records::wait_for(dir.path(), 1);
    let ends = talk(&network);
    let before = records::read(dir.path()).len();
    records::wait_for(dir.path(), before + 1);
    kill_process(Pid::from_child(&recorder), Signal::TERM).unwrap();
    assert_eq!(recorder.wait().unwrap().code(), Some(0));
    drop(ends);
    assert_eq!(reported(dir.path()), [SENT as u64, RECEIVED as u64]);
}

/// Bytes that the near end has sent and received, by `flowtop report`.
fn reported(dir: &Path) -> [u64; 2] {
    let filter = format!("net fe80::/10 and host {FAR}");
    let mut command = flowtop(&["report", "--format", "json", "--by", "peer", "-f", &filter]);
    let output = command.arg(dir).output().unwrap();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(report["groups"][0]["remote_addr"], FAR.to_string(), "{report}");
    ["tx_bytes", "rx_bytes"].map(|name| report["total"][name].as_u64().unwrap())
}
