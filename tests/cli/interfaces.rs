//! `-i`: which connections are on an interface, in network namespaces that the test makes.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use super::{NEVER, Running};
use crate::network::{Namespace, Network, V4, V6};
use crate::tools;

/// Bytes that a server receives in a connection, and bytes that it sends back.
const SENT: usize = 30_000;
const RECEIVED: usize = 700;

/// A connection from one namespace to an address of another one, over before this returns.
fn talk(from: &Namespace, to: &Namespace, at: IpAddr) {
    let listener = to.inside(|| TcpListener::bind(SocketAddr::new(at, 0)));
    let address = listener.local_addr().unwrap();
    let mut client = from.inside(|| TcpStream::connect(address));
    let (mut server, _) = listener.accept().unwrap();
    let (mut received, mut answered) = (vec![0; SENT], vec![0; RECEIVED]);
    client.write_all(&received).unwrap();
    server.read_exact(&mut received).unwrap();
    server.write_all(&answered).unwrap();
    client.read_exact(&mut answered).unwrap();
}

/// Bytes sent and received that flowtop counts in a namespace on these interfaces while `happens` runs.
fn counted(namespace: &Namespace, interfaces: &[&str], happens: impl FnOnce()) -> [u64; 2] {
    let report = report(namespace, interfaces, happens);
    ["tx_bytes", "rx_bytes"].map(|name| {
        let flows = report["flows"].as_array().unwrap();
        let sum: u64 = flows.iter().map(|flow| flow[name].as_u64().unwrap()).sum();
        assert_eq!(report["totals"][name], sum, "{report}");
        sum
    })
}

fn report(namespace: &Namespace, interfaces: &[&str], happens: impl FnOnce()) -> Value {
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowtop"));
    command.args(["-t", "-l", "--format", "json", "--interval", NEVER]);
    for interface in interfaces {
        command.args(["-i", interface]);
    }
    let mut running = Running::start(&mut command);
    happens();
    running.send(Signal::INT);
    let report = running.report();
    assert!(running.child.wait().unwrap().success());
    report
}

/// A connection that the interface's side has opened, and one that it has accepted.
const OPENED: [u64; 2] = [SENT as u64, RECEIVED as u64];
const ACCEPTED: [u64; 2] = [RECEIVED as u64, SENT as u64];
const NOTHING: [u64; 2] = [0, 0];

fn can_test() -> bool {
    tools::has_root() && tools::can_count()
}

#[test]
fn a_connection_is_on_the_interface_whose_side_of_it_is_left() {
    if !can_test() {
        return;
    }
    let network = Network::new();
    let Network { near, far, .. } = &network;
    for [here, there] in [V4, V6] {
        assert_eq!(counted(near, &["eth0"], || talk(near, far, there)), OPENED);
        assert_eq!(counted(near, &["eth0"], || talk(far, near, here)), ACCEPTED);
        assert_eq!(counted(near, &["lo"], || talk(near, far, there)), NOTHING);
        // The host to itself is on lo, whichever of its addresses it takes.
        assert_eq!(counted(near, &["eth0"], || talk(near, near, here)), NOTHING);
        assert_eq!(counted(near, &["lo"], || talk(near, near, here)), OPENED);
    }
    assert_eq!(counted(near, &["lo"], || talk(near, near, [127, 0, 0, 9].into())), OPENED);
    assert_eq!(counted(near, &["lo", "eth0"], || talk(near, far, V4[1])), OPENED);
}

#[test]
fn another_namespace_with_the_same_address_has_interfaces_of_its_own() {
    if !can_test() {
        return;
    }
    let (network, other) = (Network::new(), Namespace::new());
    other.ip("link set lo up");
    other.ip(&format!("address add {}/32 dev lo", V4[0]));
    for interface in ["lo", "eth0"] {
        let both = || [V4[0], [127, 0, 0, 1].into()].map(|at| talk(&other, &other, at));
        let happens = || {
            both();
        };
        assert_eq!(counted(&network.near, &[interface], happens), NOTHING, "{interface}");
    }
}

#[test]
fn addresses_are_followed_while_flowtop_runs() {
    if !can_test() {
        return;
    }
    let network = Network::new();
    let Network { near, far, .. } = &network;
    let late: IpAddr = [192, 0, 2, 100].into();
    let happens = || {
        near.ip("address add 192.0.2.100/24 dev eth0 label eth0:vip");
        talk(far, near, late);
        near.ip("address del 192.0.2.100/24 dev eth0");
        talk(far, near, V4[0]);
    };
    assert_eq!(counted(near, &["eth0"], happens), ACCEPTED.map(|bytes| 2 * bytes));
    // A virtual address on lo is reached over eth0.
    near.ip("address add 198.51.100.1/32 dev lo");
    far.ip(&format!("route add 198.51.100.1 via {}", V4[0]));
    assert_eq!(counted(near, &["eth0"], || talk(far, near, [198, 51, 100, 1].into())), ACCEPTED);
    // One address of an interface by its label.
    near.ip("address add 192.0.2.101/24 dev eth0 label eth0:1");
    let both = || [V4[0], [192, 0, 2, 101].into()].map(|at| talk(far, near, at));
    let happens = || {
        both();
    };
    assert_eq!(counted(near, &["eth0:1"], happens), ACCEPTED);
}

#[test]
fn an_interface_that_comes_back_with_another_number_is_the_same() {
    if !can_test() {
        return;
    }
    let network = Network::new();
    let Network { near, far, .. } = &network;
    let happens = || {
        near.ip("link del eth0");
        near.ip("link add eth7 type veth peer name eth8");
        near.ip(&format!("link add eth0 type veth peer name eth0 netns {}", far.keeper()));
        for (end, namespace) in [near, far].into_iter().enumerate() {
            namespace.ip(&format!("address add {}/24 dev eth0", V4[end]));
            namespace.ip("link set eth0 up");
        }
        talk(near, far, V4[1]);
    };
    assert_eq!(counted(near, &["eth0"], happens), OPENED);
}

#[test]
fn an_interface_without_an_address_carries_the_namespace_behind_it() {
    if !can_test() {
        return;
    }
    let (network, pod) = (Network::new(), Namespace::new());
    let Network { near, far, .. } = &network;
    near.ip("link add br0 type bridge");
    near.ip(&format!("link add port0 type veth peer name eth0 netns {}", pod.keeper()));
    near.ip("link add loose type veth peer name end");
    for words in ["port0 master br0", "port0 up", "br0 up", "loose master br0"] {
        near.ip(&format!("link set {words}"));
    }
    for words in ["address add 198.51.100.2/24 dev eth0", "link set lo up", "link set eth0 up"] {
        pod.ip(words);
    }
    let refused = near.command(env!("CARGO_BIN_EXE_flowtop")).args(["-t", "-i", "loose"]).output().unwrap();
    assert_eq!(
        (refused.status.code(), std::str::from_utf8(&refused.stderr).unwrap()),
        (Some(1), "flowtop: loose is a port of br0, which has its connections; take -i br0\n")
    );
    // The bridge has an address now and then, and routes between the pod and the far host.
    near.ip("address add 198.51.100.1/24 dev br0");
    pod.ip("route add default via 198.51.100.1");
    far.ip(&format!("route add 198.51.100.0/24 via {}", V4[0]));
    let forward = near.command("sysctl").args(["-qw", "net.ipv4.ip_forward=1"]).status().unwrap();
    assert!(forward.success());
    // The direction is that of the interface: it receives what the pod sends.
    assert_eq!(counted(near, &["port0"], || talk(&pod, far, V4[1])), ACCEPTED);
    assert_eq!(counted(near, &["port0"], || talk(far, &pod, [198, 51, 100, 2].into())), OPENED);
    assert_eq!(counted(near, &["port0"], || talk(&pod, &pod, [127, 0, 0, 1].into())), NOTHING);
    assert_eq!(counted(near, &["port0"], || talk(near, far, V4[1])), NOTHING);
    // Also where the other end is the host's own.
    assert_eq!(counted(near, &["port0"], || talk(&pod, near, V4[0])), ACCEPTED);
    assert_eq!(counted(near, &["port0"], || talk(near, &pod, [198, 51, 100, 2].into())), OPENED);
    // Over the bridge the host's own end stands left.
    assert_eq!(counted(near, &["br0"], || talk(&pod, near, V4[0])), ACCEPTED);
    assert_eq!(counted(near, &["eth0"], || talk(&pod, near, V4[0])), NOTHING);
}

/// As Calico has it: no bridge, and the host routes the address of the pod to its veth.
#[test]
fn a_veth_has_its_own_direction_whoever_connects() {
    if !can_test() {
        return;
    }
    let (network, pod) = (Network::new(), Namespace::new());
    let Network { near, far, .. } = &network;
    let mac = "ee:ee:ee:ee:ee:ee";
    near.ip(&format!("link add cali0 address {mac} type veth peer name eth0 netns {}", pod.keeper()));
    for words in ["link set lo up", "address add 198.51.100.2/32 dev eth0", "link set eth0 up"] {
        pod.ip(words);
    }
    near.ip("link set cali0 up");
    near.ip("route add 198.51.100.2/32 dev cali0");
    pod.ip("route add 169.254.1.1 dev eth0");
    pod.ip("route add default via 169.254.1.1");
    pod.ip(&format!("neighbour add 169.254.1.1 lladdr {mac} dev eth0"));
    far.ip(&format!("route add 198.51.100.0/24 via {}", V4[0]));
    assert!(near.command("sysctl").args(["-qw", "net.ipv4.ip_forward=1"]).status().unwrap().success());
    let of_pod: IpAddr = [198, 51, 100, 2].into();
    assert_eq!(counted(near, &["cali0"], || talk(&pod, far, V4[1])), ACCEPTED);
    assert_eq!(counted(near, &["cali0"], || talk(far, &pod, of_pod)), OPENED);
    assert_eq!(counted(near, &["cali0"], || talk(&pod, near, V4[0])), ACCEPTED);
    assert_eq!(counted(near, &["cali0"], || talk(near, &pod, of_pod)), OPENED);
    // In the pod's namespace eth0 sends what the pod does.
    assert_eq!(counted(&pod, &["eth0"], || talk(&pod, far, V4[1])), OPENED);
    // The pod is the right end.
    let report = report(near, &["cali0"], || talk(&pod, far, V4[1]));
    let row = &report["flows"][0];
    assert_eq!((&row["local_addr"], &row["remote_addr"]), (&"192.0.2.2".into(), &"198.51.100.2".into()));
}
