//! Bytes on the wire against the counters of the interface that carries them, in network namespaces that the test makes. A
//! segment is a packet of the interface there: with super-segments a veth would count one header for many.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::Signal;
use serde_json::Value;

use super::{NEVER, Running};
use crate::network::{Namespace, Network, V4, V6};
use crate::tools;

/// Other tests have connections elsewhere.
const ON_CABLE: [&str; 2] = ["-i", "eth0"];
/// Most that both may differ in.
const TOLERANCE: f64 = 0.01;

/// Bytes under way at once: fewer than the kernel's queue of received packets takes. What the peer has to send twice counts at
/// the interface alone.
const IN_FLIGHT: usize = 64 << 10;

/// Bytes that `eth0` of a namespace has sent and received.
fn counters(namespace: &Namespace) -> [u64; 2] {
    let output = namespace.command("ip").args(["-s", "-j", "link", "show", "eth0"]).output().unwrap();
    let links: Value = serde_json::from_slice(&output.stdout).unwrap();
    ["tx", "rx"].map(|way| links[0]["stats64"][way]["bytes"].as_u64().unwrap())
}

fn network() -> Network {
    let network = Network::new();
    for namespace in [&network.near, &network.far] {
        namespace.ip("link set eth0 gso_max_segs 1");
    }
    network
}

/// flowtop's report in the near namespace while something happens, and what `eth0` has carried meanwhile.
fn measured(network: &Network, args: &[&str], happens: impl FnOnce()) -> (Value, [u64; 2]) {
    let mut command = network.near.command(env!("CARGO_BIN_EXE_flowtop"));
    command.args(["-t", "--format", "json", "--interval", NEVER]).args(args);
    let mut running = Running::start(&mut command);
    let before = counters(&network.near);
    happens();
    let after = counters(&network.near);
    running.send(Signal::INT);
    let report = running.report();
    assert!(running.child.wait().unwrap().success());
    (report, [after[0] - before[0], after[1] - before[1]])
}

/// Both ends of a connection from the near namespace to the far one.
fn connection(network: &Network, to: IpAddr) -> [TcpStream; 2] {
    let listener = network.far.inside(|| TcpListener::bind(SocketAddr::new(to, 0)));
    let address = listener.local_addr().unwrap();
    let near = network.near.inside(|| TcpStream::connect(address));
    let ends = [near, listener.accept().unwrap().0];
    for end in &ends {
        set_socket_send_buffer_size(end, IN_FLIGHT).unwrap();
    }
    ends
}

/// So many bytes at once in one direction, and none back.
fn pour(from: &mut TcpStream, to: &mut TcpStream, bytes: usize) {
    std::thread::scope(|scope| {
        scope.spawn(|| from.write_all(&vec![0; bytes]).unwrap());
        to.read_exact(&mut vec![0; bytes]).unwrap();
    });
}

/// A question and its answer, both small.
fn ask([near, far]: &mut [TcpStream; 2]) {
    pour(near, far, 100);
    pour(far, near, 30);
}

/// The end that connected closes first, and has read the other end's close before its socket goes.
fn close([near, mut far]: [TcpStream; 2]) {
    near.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    drop(far);
    let mut near = near;
    assert_eq!(near.read(&mut [0]).unwrap(), 0);
}

/// The sums of two fields over all rows.
fn sums(report: &Value, names: [&str; 2]) -> [u64; 2] {
    let flows = report["flows"].as_array().unwrap();
    names.map(|name| flows.iter().map(|flow| flow[name].as_u64().unwrap()).sum())
}

fn assert_close(what: &str, ours: [u64; 2], interface: [u64; 2]) {
    for (ours, interface) in ours.into_iter().zip(interface) {
        let off = ours.abs_diff(interface) as f64 / interface as f64;
        assert!(off <= TOLERANCE, "{what}: {ours} of the flows, {interface} of the interface: {off:.4}");
    }
}

const WIRE: [&str; 2] = ["tx_wire_bytes", "rx_wire_bytes"];

#[test]
fn bulk_traffic_is_that_of_the_interface_in_both_directions() {
    if !(tools::has_root() && tools::can_count()) {
        return;
    }
    let network = network();
    for to in [V4[1], V6[1]] {
        let (report, interface) = measured(&network, &ON_CABLE, || {
            let mut ends = connection(&network, to);
            let [near, far] = &mut ends;
            pour(near, far, 20_000_000);
            pour(far, near, 8_000_000);
            close(ends);
        });
        assert_close(&to.to_string(), sums(&report, WIRE), interface);
        assert_eq!(sums(&report, ["tx_bytes", "rx_bytes"]), [20_000_000, 8_000_000]);
    }
}

#[test]
fn small_messages_and_short_connections_are_that_of_the_interface_too() {
    if !(tools::has_root() && tools::can_count()) {
        return;
    }
    let network = network();
    for to in [V4[1], V6[1]] {
        let (report, interface) = measured(&network, &ON_CABLE, || {
            let mut ends = connection(&network, to);
            (0..1000).for_each(|_| ask(&mut ends));
            close(ends);
            for _ in 0..100 {
                let mut ends = connection(&network, to);
                ask(&mut ends);
                close(ends);
            }
        });
        assert_close(&to.to_string(), sums(&report, WIRE), interface);
    }
}

#[test]
fn with_u_wire_all_bytes_are_those_on_the_wire() {
    if !(tools::has_root() && tools::can_count()) {
        return;
    }
    let network = network();
    let (report, interface) = measured(&network, &["-i", "eth0", "-u", "wire"], || {
        let mut ends = connection(&network, V4[1]);
        (0..1000).for_each(|_| ask(&mut ends));
        close(ends);
    });
    let bytes = sums(&report, ["tx_bytes", "rx_bytes"]);
    assert_close("-u wire", bytes, interface);
    assert_eq!(bytes, sums(&report, WIRE));
    assert_eq!(["tx_bytes", "rx_bytes"].map(|name| report["totals"][name].as_u64().unwrap()), bytes);
}

#[test]
fn what_is_not_tcp_here_is_the_rest_of_the_interface() {
    const UDP: usize = 400;
    const DATAGRAM: usize = 1000;
    if !(tools::has_root() && tools::can_count()) {
        return;
    }
    let network = network();
    let (report, interface) = measured(&network, &["-i", "eth0"], || {
        let mut ends = connection(&network, V4[1]);
        let [near, far] = &mut ends;
        pour(near, far, 5_000_000);
        pour(far, near, 2_000_000);
        close(ends);
        let socket = network.near.inside(|| UdpSocket::bind(SocketAddr::new(V4[0], 0)));
        let to = network.far.inside(|| UdpSocket::bind(SocketAddr::new(V4[1], 0)));
        for _ in 0..UDP {
            socket.send_to(&[0; DATAGRAM], to.local_addr().unwrap()).unwrap();
            to.recv(&mut [0; DATAGRAM]).unwrap();
        }
    });
    let coverage = &report["coverage"];
    let of = |names: [&str; 2]| names.map(|name| coverage[name].as_u64().unwrap());
    assert_eq!(coverage["interfaces"], serde_json::json!(["eth0"]));
    assert_close("interface", of(["tx_bytes", "rx_bytes"]), interface);
    assert_eq!(of(["tcp_tx_bytes", "tcp_rx_bytes"]), sums(&report, WIRE));
    // With the headers of Ethernet, IPv4 and UDP.
    let [udp, _] = of(["rest_tx_bytes", "rest_rx_bytes"]);
    let sent = (UDP * (DATAGRAM + 14 + 20 + 8)) as u64;
    assert_close("the rest", [udp, udp], [sent, sent]);
    assert_eq!(of(["excess_tx_bytes", "excess_rx_bytes"]), [0, 0]);
}

#[test]
fn connections_within_the_host_are_on_no_interface_that_leads_out_of_it() {
    if !(tools::has_root() && tools::can_count()) {
        return;
    }
    let network = network();
    let (report, _) = measured(&network, &[], || close(connection(&network, V4[1])));
    assert!(report["coverage"].is_null() || report["coverage"]["tcp_tx_bytes"] == 0, "{report}");
}
