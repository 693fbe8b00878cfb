//! The words of the language: pcap's, all of them, so that none is taken for a host; and flowtop's own.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Src,
    Dst,
    Mask,
    Kind(Kind),
    Protocol(Protocol),
    /// `broadcast` and `multicast`, which no TCP socket is.
    Cast(&'static str),
    Inbound,
    Outbound,
    /// `ether` and its like, before a link-layer address.
    Link,
    /// A word of pcap's that a TCP socket cannot answer.
    Refused(Layer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
    Pid,
    Comm,
    State,
    Netns,
    /// A name of the process or of the remote address.
    Named(Named),
}

/// A text that a pattern is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    User,
    Unit,
    Pod,
    Namespace,
    Workload,
    Container,
    Label,
    RemotePod,
    RemoteNamespace,
    NetnsPod,
    NetnsNamespace,
}

/// The words that ask for a text, each with a value that would be right.
const NAMED: [(&str, Named, &str); 11] = [
    ("user", Named::User, "user www-data"),
    ("unit", Named::Unit, "unit nginx.service"),
    ("pod", Named::Pod, "pod 'web-*'"),
    ("ns", Named::Namespace, "ns kube-system"),
    ("workload", Named::Workload, "workload web"),
    ("container", Named::Container, "container nginx"),
    ("label", Named::Label, "label private"),
    ("remote-pod", Named::RemotePod, "remote-pod 'db-*'"),
    ("remote-ns", Named::RemoteNamespace, "remote-ns kube-system"),
    ("netns-pod", Named::NetnsPod, "netns-pod 'web-*'"),
    ("netns-ns", Named::NetnsNamespace, "netns-ns kube-system"),
];

impl Named {
    /// The keyword and an example value.
    fn words(self) -> (&'static str, &'static str) {
        let found = NAMED.iter().find(|(_, named, _)| *named == self);
        found.map_or(("", ""), |(word, _, example)| (*word, *example))
    }

    /// Whether it is about a pod that is found by an address or a network namespace.
    pub(super) const fn is_about_pods_of_host(self) -> bool {
        matches!(self, Self::RemotePod | Self::RemoteNamespace | Self::NetnsPod | Self::NetnsNamespace)
    }

    pub(super) fn word(self) -> &'static str {
        self.words().0
    }
}

/// The word in front of `host`, `port` and the like, or alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// No qualifier.
    Any,
    Ip,
    Ip6,
    Tcp,
    /// Not TCP, but has ports.
    Ported(&'static str),
    /// Not TCP, but has IP addresses.
    Addressed(&'static str),
    Other(&'static str),
}

/// Where the answer to a refused word would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// In the length or the bytes of one packet.
    Packet,
    /// Below IP, or in the capture.
    Link,
}

const PORTED: [&str; 2] = ["udp", "sctp"];

const ADDRESSED: [&str; 2] = ["arp", "rarp"];

const OTHER: [&str; 32] = [
    "icmp", "icmp6", "igmp", "igrp", "pim", "vrrp", "carp", "ah", "esp", "atalk", "aarp", "decnet", "lat",
    "sca", "moprc", "mopdl", "iso", "esis", "es-is", "isis", "is-is", "l1", "l2", "iih", "lsp", "snp",
    "csnp", "psnp", "clnp", "stp", "ipx", "netbeui",
];

const CAST: [&str; 2] = ["broadcast", "multicast"];

const PACKET: [&str; 5] = ["less", "greater", "len", "length", "byte"];

/// The words for the layer below IP. pcap takes one for the other.
const ETHER: [&str; 8] = ["link", "ether", "ppp", "slip", "fddi", "tr", "wlan", "radio"];

#[rustfmt::skip]
const LINK: [&str; 61] = [
    "gateway", "vlan", "mpls", "pppoed",
    "pppoes", "geneve", "type", "subtype", "direction", "dir", "address1", "addr1", "address2", "addr2",
    "address3", "addr3", "address4", "addr4", "ra", "ta", "ifindex", "lane", "llc", "metac", "bcc", "oam",
    "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci", "connectmsg", "metaconnect", "on", "ifname",
    "rset", "ruleset", "rnr", "rulenum", "srnr", "subrulenum", "reason", "action", "fisu", "lssu", "lsu",
    "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls", "vxlan",
];

/// Protocols by the name that stands behind `proto`, with their numbers.
const NUMBERS: [(&str, u32); 13] = [
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("igrp", 9),
    ("udp", 17),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("pim", 103),
    ("vrrp", 112),
    ("carp", 112),
    ("sctp", 132),
];

pub(super) fn keyword(word: &str) -> Option<Keyword> {
    simple(word).or_else(|| {
        let one_of = |words: &[&'static str]| words.iter().copied().find(|known| *known == word);
        let protocol = |make: fn(&'static str) -> Protocol| move |word| Keyword::Protocol(make(word));
        let layer = |layer: Layer| move |_| Keyword::Refused(layer);
        (one_of(&PORTED).map(protocol(Protocol::Ported)))
            .or_else(|| one_of(&ADDRESSED).map(protocol(Protocol::Addressed)))
            .or_else(|| one_of(&OTHER).map(protocol(Protocol::Other)))
            .or_else(|| one_of(&CAST).map(Keyword::Cast))
            .or_else(|| one_of(&ETHER).map(|_| Keyword::Link))
            .or_else(|| one_of(&PACKET).map(layer(Layer::Packet)))
            .or_else(|| one_of(&LINK).map(layer(Layer::Link)))
    })
}

fn simple(word: &str) -> Option<Keyword> {
    Some(match word {
        "src" => Keyword::Src,
        "dst" => Keyword::Dst,
        "mask" => Keyword::Mask,
        "inbound" => Keyword::Inbound,
        "outbound" => Keyword::Outbound,
        "ip" => Keyword::Protocol(Protocol::Ip),
        "ip6" => Keyword::Protocol(Protocol::Ip6),
        "tcp" => Keyword::Protocol(Protocol::Tcp),
        "host" => Keyword::Kind(Kind::Host),
        "net" => Keyword::Kind(Kind::Net),
        "port" => Keyword::Kind(Kind::Port),
        "portrange" => Keyword::Kind(Kind::PortRange),
        // The chain of headers of a TCP packet ends in the same protocol.
        "proto" | "protochain" => Keyword::Kind(Kind::Proto),
        "pid" => Keyword::Kind(Kind::Pid),
        "comm" => Keyword::Kind(Kind::Comm),
        "state" => Keyword::Kind(Kind::State),
        "netns" => Keyword::Kind(Kind::Netns),
        _ => {
            let (_, named, _) = NAMED.iter().find(|(known, ..)| *known == word)?;
            Keyword::Kind(Kind::Named(*named))
        }
    })
}

#[cfg(test)]
pub(super) fn all() -> Vec<&'static str> {
    let simple = ["src", "dst", "mask", "inbound", "outbound", "ip", "ip6", "tcp", "host", "net", "port"];
    let more = ["portrange", "proto", "protochain", "pid", "comm", "state", "netns"];
    let named = NAMED.map(|(word, ..)| word);
    let lists = [&simple[..], &more, &named, &PORTED, &ADDRESSED, &OTHER, &CAST, &ETHER, &PACKET, &LINK];
    lists.concat()
}

/// The number of a protocol that stands behind `proto`.
pub(super) fn protocol_number(name: &str) -> Option<u32> {
    NUMBERS.into_iter().find(|(known, _)| *known == name).map(|(_, number)| number)
}

impl Kind {
    /// Whether the word is pcap's and may have `src` or `dst` before it.
    pub(super) fn has_ends(self) -> bool {
        matches!(self, Self::Host | Self::Net | Self::Port | Self::PortRange)
    }

    /// Whether a value is a name, so that it may be any text.
    pub(super) fn is_name(self) -> bool {
        matches!(self, Self::Comm | Self::Named(_))
    }

    /// The word and a value behind it that would be right.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Host => "host 192.0.2.1",
            Self::Net => "net 192.0.2.0/24",
            Self::Port => "port 443",
            Self::PortRange => "portrange 8000-8100",
            Self::Proto => "proto 6",
            Self::Pid => "pid 1234",
            Self::Comm => "comm nginx",
            Self::State => "state established",
            Self::Netns => "netns self",
            Self::Named(named) => named.words().1,
        }
    }
}

impl Protocol {
    /// The word, if no TCP socket has this protocol.
    pub(super) fn foreign(self) -> Option<&'static str> {
        match self {
            Self::Ported(word) | Self::Addressed(word) | Self::Other(word) => Some(word),
            Self::Any | Self::Ip | Self::Ip6 | Self::Tcp => None,
        }
    }

    /// Whether the word may stand before a kind.
    pub(super) fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Host | Kind::Net => !matches!(self, Self::Tcp | Self::Ported(_) | Self::Other(_)),
            Kind::Port | Kind::PortRange => matches!(self, Self::Any | Self::Tcp | Self::Ported(_)),
            Kind::Proto => matches!(self, Self::Any | Self::Ip | Self::Ip6),
            Kind::Pid | Kind::Comm | Kind::State | Kind::Netns | Kind::Named(_) => self == Self::Any,
        }
    }
}
