//! flowtop's filter language against libpcap's own compiler.
//!
//! A fixed corpus of expressions, right and wrong ones, goes through `tcpdump -r FILE -w - EXPR`, where FILE holds a
//! set of TCP packets made here. tcpdump has to accept exactly what flowtop parses, and to pass exactly the packets
//! that flowtop would count. Nothing is captured and no name is looked up.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;
use flowtop_core::filter::{Filter, Names, Subject, Unresolved};
use flowtop_core::flow::Tuple;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const EXPRESSIONS: usize = 800;

/// Names for a corpus that has numbers only.
struct NoNames;

impl Names for NoNames {
    fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        Err(Unresolved("no name is looked up here".to_owned()))
    }

    fn service(&self, _: &str) -> Option<u16> {
        None
    }

    fn own_netns(&self) -> u32 {
        1
    }
}

type Tokens = Vec<&'static str>;

fn tokens(parts: &[&[&'static str]]) -> Tokens {
    parts.concat()
}

fn question() -> impl Strategy<Value = Tokens> {
    let lone = ["tcp", "ip", "ip6", "proto 6", "ip proto 6", "ip6 proto 6"];
    let range = ["portrange 50-100", "src portrange 443-80", "tcp portrange 80-70000"];
    prop_oneof![
        4 => select(lone.to_vec()).prop_map(|word| vec![word]),
        2 => select(range.to_vec()).prop_map(|range| vec![range]),
        6 => valued(&["host", "src", "dst", "src host", "src or dst host", "dst and src", "ip host"], &HOSTS),
        6 => valued(&["net", "src net", "src && dst net", "dst || src net", "ip net"], &NETS),
        3 => valued(&["host", "ip6 src", "ip6 host", "src and dst net", "net", "ip6 dst net"], &V6),
        8 => valued(&["port", "src port", "tcp dst port", "src and dst port", "portrange"], &PORTS),
        1 => valued(&["ip6 host", "tcp dst", "ip port", "ip6 net", "host", "port"], &WRONG),
    ]
}

const HOSTS: [&str; 6] = ["10.1.2.3", "192.168.0.1", "1.2.3.4", "10.1", "80", "16909060"];

const NETS: [&str; 12] = [
    "10.1.2.3",
    "10.1",
    "192.168",
    "10",
    "300",
    "0x0a010203",
    "10.0.0.0/8",
    "10.1/16",
    "0.0.0.0/0",
    "10.1.0.0 / 020",
    "10.1 mask 255.255",
    "10.0.2.0 mask 255.0.255.0",
];

const V6: [&str; 3] = ["::1", "fe80::1", "2001:db8::5/128"];

const PORTS: [&str; 7] = ["80", "443", "53", "0x50", "0120", "65535", "40000"];

/// Operands that are wrong in some places or in all.
const WRONG: [&str; 9] =
    ["10.1.2.3/8", "10.1.2.3/33", "fe80::1/10", "::/0", "fe80::/10", "256.1.1.1", "65536", "080", "10/8"];

/// Words, and values of theirs: one, a list, or a list in parentheses.
fn valued(heads: &[&'static str], values: &'static [&'static str]) -> impl Strategy<Value = Tokens> + use<> {
    let value = || select(values.to_vec());
    let more = (select(vec!["or", "and", "or not", "||"]), value());
    (select(heads.to_vec()), value(), vec(more, 0..3), 0..4_u8).prop_map(|(head, first, more, form)| {
        let more: Tokens = more.into_iter().flat_map(|(word, value)| [word, value]).collect();
        match form {
            0 => tokens(&[&[head, "(", first], &more, &[")"]]),
            1 => tokens(&[&[head, "not", first], &more]),
            _ => tokens(&[&[head, first], &more]),
        }
    })
}

fn expression() -> impl Strategy<Value = Tokens> {
    question().prop_recursive(4, 24, 3, |inner| {
        let word = || select(vec!["and", "or", "&&", "||"]);
        prop_oneof![
            4 => (inner.clone(), word(), inner.clone()).prop_map(|(a, word, b)| tokens(&[&a, &[word], &b])),
            1 => inner.clone().prop_map(|a| tokens(&[&["not"], &a])),
            2 => inner.clone().prop_map(|a| tokens(&[&["("], &a, &[")"]])),
            2 => (inner, word(), select(PORTS.to_vec())).prop_map(|(a, word, port)| {
                tokens(&[&["port 80 or", "("], &a, &[")", word, port]])
            }),
        ]
    })
}

/// An expression, and now and then one with a token removed, doubled or replaced.
fn text() -> impl Strategy<Value = String> {
    let other = select(vec![
        "(", ")", "not", "!", "and", "or", "port", "host", "net", "src", "tcp", "80", "10.1.2.3", "/", "8",
        "::1", "mask",
    ]);
    (expression(), any::<Index>(), other, 0..8_u8).prop_map(|(mut tokens, at, other, change)| {
        let at = at.index(tokens.len());
        match change {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at]),
            2 => tokens[at] = other,
            3 => tokens.insert(at, other),
            _ => {}
        }
        tokens.join(" ")
    })
}

fn corpus() -> BTreeSet<String> {
    let mut runner = TestRunner::deterministic();
    let mut texts = BTreeSet::new();
    while texts.len() < EXPRESSIONS {
        texts.insert(text().new_tree(&mut runner).unwrap().current());
    }
    texts
}

/// Source and destination of every packet.
fn packets() -> Vec<(SocketAddr, SocketAddr)> {
    let v4 = ["10.1.2.3", "10.1.9.9", "10.9.2.1", "192.168.0.1", "1.2.3.4", "0.0.0.80"];
    let v6 = ["::1", "fe80::1", "2001:db8::5"];
    let ports = [(80, 40000), (443, 80), (53, 65535), (1000, 1000)];
    let mut packets = Vec::new();
    for family in [&v4[..], &v6[..]] {
        let pairs =
            family.iter().flat_map(|source| family.iter().map(move |destination| (source, destination)));
        for (i, (source, destination)) in pairs.enumerate() {
            let (a, b) = ports[i % ports.len()];
            let end = |addr: &str, port| SocketAddr::new(addr.parse().unwrap(), port);
            packets.push((end(source, a), end(destination, b)));
            packets.push((end(source, b), end(destination, a)));
        }
    }
    packets
}

/// An Ethernet frame with the headers that a filter looks at.
fn frame(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut frame = vec![0; 12];
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => unreachable!("the packets are of one family each"),
    }
    frame.extend(source.port().to_be_bytes());
    frame.extend(destination.port().to_be_bytes());
    frame.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
    frame
}

/// The packets as a capture file; the seconds of a packet's time are its place in the list.
fn capture(packets: &[(SocketAddr, SocketAddr)]) -> PathBuf {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (second, (source, destination)) in (0_u32..).zip(packets) {
        let frame = frame(*source, *destination);
        let length = u32::try_from(frame.len()).unwrap();
        for word in [second, 0, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("filter-{}.pcap", std::process::id()));
    fs::write(&path, file).unwrap();
    path
}

/// The places of the packets in a capture file.
fn places(mut file: &[u8]) -> Vec<usize> {
    let word = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut places = Vec::new();
    file = &file[24..];
    while !file.is_empty() {
        places.push(word(file, 0));
        file = &file[16 + word(file, 8)..];
    }
    places
}

/// The packets that tcpdump passes, or its error. Unoptimised, because the optimiser refuses what never matches.
fn passed_by_tcpdump(tcpdump: &Path, capture: &Path, text: &str) -> Result<Vec<usize>, String> {
    let run =
        Command::new(tcpdump).args(["-n", "-O", "-w", "-", "-r"]).arg(capture).arg(text).output().unwrap();
    if run.status.success() {
        Ok(places(&run.stdout))
    } else {
        Err(String::from_utf8_lossy(&run.stderr).into())
    }
}

/// The packets that flowtop counts as sent by a flow from their source to their destination, or its error.
fn passed_by_flowtop(packets: &[(SocketAddr, SocketAddr)], text: &str) -> Result<Vec<usize>, String> {
    let filter = Filter::parse(text, &NoNames).map_err(|error| error.to_string())?;
    let sent = |&(local, remote): &(SocketAddr, SocketAddr)| {
        let tuple = Tuple { local, remote };
        filter.verdict(&Subject { state: 1, netns: 1, ..Subject::of(tuple) }).tx
    };
    Ok((0..packets.len()).filter(|&at| sent(&packets[at])).collect())
}

#[test]
fn tcpdump_takes_the_same_expressions_and_passes_the_same_packets() {
    let Some(tcpdump) = tools::find("tcpdump") else { return };
    let packets = packets();
    let capture = capture(&packets);
    let (mut accepted, mut differences) = (0, Vec::new());
    for text in corpus() {
        let ours = passed_by_flowtop(&packets, &text);
        // flowtop refuses, on purpose, what is right and matches no TCP socket: `proto 6 or 80`.
        if ours.as_ref().is_err_and(|error| error.contains("never matches")) {
            continue;
        }
        let theirs = passed_by_tcpdump(&tcpdump, &capture, &text);
        accepted += usize::from(theirs.is_ok());
        if theirs.as_ref().ok() != ours.as_ref().ok() {
            differences.push(format!("{text}\n  tcpdump: {theirs:?}\n  flowtop: {ours:?}"));
        }
    }
    fs::remove_file(&capture).unwrap();
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    // A corpus of only right or only wrong expressions would show little.
    assert!(
        (EXPRESSIONS / 4..EXPRESSIONS * 3 / 4).contains(&accepted),
        "{accepted} of {EXPRESSIONS} accepted"
    );
}
