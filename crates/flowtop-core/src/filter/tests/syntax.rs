//! Expressions, their canonical text, and errors with their columns.

use super::*;

/// An expression and its canonical text.
const ACCEPTED: &[(&str, &str)] = &[
    ("", ""),
    (" \t\n", ""),
    ("host 10.1.2.3", "host 10.1.2.3"),
    ("src 10.1.2.3", "src host 10.1.2.3"),
    ("src or dst 10.1.2.3", "host 10.1.2.3"),
    ("dst or src host 10.1.2.3", "host 10.1.2.3"),
    ("src && dst net 10", "src and dst net 10.0.0.0/8"),
    ("host 10.1", "net 10.1.0.0/16"),
    ("host 16909060", "host 1.2.3.4"),
    ("host 010.0.0.001", "host 10.0.0.1"),
    ("net 10", "net 10.0.0.0/8"),
    ("net 0xc0a8", "net 192.168.0.0/16"),
    ("net 0", "host 0.0.0.0"),
    ("net 192.168", "net 192.168.0.0/16"),
    ("net 10.1.2.3", "host 10.1.2.3"),
    ("net 10.0.0.0/8", "net 10.0.0.0/8"),
    ("net 10.0.0.0 / 010", "net 10.0.0.0/8"),
    ("net 10.0/8", "net 10.0.0.0/8"),
    ("net 0.0.0.0/0", "net 0.0.0.0/0"),
    ("net 10.0.0.0 mask 255.0.0.0", "net 10.0.0.0/8"),
    ("net 10.0 mask 255.255", "net 10.0.0.0/16"),
    ("net 10.0.3.0 mask 255.0.255.0", "net 10.0.3.0 mask 255.0.255.0"),
    ("net 2001:db8::/32", "net 2001:db8::/32"),
    ("net ::1", "host ::1"),
    ("host ::1/128", "host ::1"),
    ("host ::ffff:10.1.2.3", "host 10.1.2.3"),
    ("net ::ffff:10.0.0.0/104", "net 10.0.0.0/8"),
    ("ip host 10.1.2.3", "host 10.1.2.3"),
    ("ip6 net fe80::/10", "net fe80::/10"),
    ("ip6 src and dst net fe80::/16", "src and dst net fe80::/16"),
    ("host database.internal", "host 10.0.0.5 or host 2001:db8::5"),
    ("not dst host database.internal", "not (dst host 10.0.0.5 or dst host 2001:db8::5)"),
    ("ip6 host database.internal", "host 2001:db8::5"),
    ("host \\pid", "host 10.0.0.6"),
    ("port 80", "port 80"),
    ("port 0x50", "port 80"),
    ("port 0120", "port 80"),
    ("tcp port http", "port 80"),
    ("tcp src port ftp-data", "src port 20"),
    ("port \\80", "port 80"),
    ("portrange 8000-8100", "portrange 8000-8100"),
    ("portrange 8100-8000", "portrange 8000-8100"),
    ("portrange 010-020", "portrange 10-20"),
    ("portrange ftp-data-ftp", "portrange 20-21"),
    ("portrange 22-http", "portrange 22-80"),
    ("portrange 80", "port 80"),
    ("dst portrange 1-2", "dst portrange 1-2"),
    ("ip", "ip"),
    ("ip6", "ip6"),
    ("tcp", "tcp"),
    ("proto 6", "tcp"),
    ("proto \\tcp", "tcp"),
    ("ip proto \\tcp", "ip"),
    ("ip6 proto 6", "ip6"),
    ("inbound", "inbound"),
    ("not outbound", "not outbound"),
    // How things are joined.
    ("port 80 or 443", "port 80 or port 443"),
    (
        "src port 80 or 443 or dst host 10.1.2.3 or 10.1.2.4",
        "src port 80 or src port 443 or dst host 10.1.2.3 or dst host 10.1.2.4",
    ),
    ("tcp or ip and ip6", "(tcp or ip) and ip6"),
    ("tcp and ip or ip6", "(tcp and ip) or ip6"),
    ("tcp or (ip and ip6)", "tcp or (ip and ip6)"),
    ("not port 80 or 443", "not port 80 or port 443"),
    ("not (port 80 or 443)", "not (port 80 or port 443)"),
    ("!port 80&&!port 443", "not port 80 and not port 443"),
    ("! ! not port 80", "not port 80"),
    ("((port 80))", "port 80"),
    ("(tcp or ip) or ip6", "tcp or ip or ip6"),
    ("tcp or (ip or ip6)", "tcp or ip or ip6"),
    ("port (80 or 443)", "port 80 or port 443"),
    ("port ((80) or (81 or 82))", "port 80 or port 81 or port 82"),
    ("port ((80))", "port 80"),
    ("port not 80 and not 443", "not port 80 and not port 443"),
    ("port 80 or (81 and not (82 or 83))", "port 80 or (port 81 and not (port 82 or port 83))"),
    ("port 80 or (tcp) or 443", "port 80 or tcp or port 443"),
    ("port 80 or not (ip or ip6) or 443", "port 80 or not (ip or ip6) or port 443"),
    (
        "port 80 or (host 10.1.2.3 or 10.1.2.4) or 443",
        "port 80 or host 10.1.2.3 or host 10.1.2.4 or port 443",
    ),
    // What never matches, negated.
    ("not udp", "not udp"),
    ("not udp port 53", "not udp"),
    ("udp port not 53", "not udp"),
    ("not arp net 10.0.0.0/8", "not arp"),
    ("not udp port syslog", "not udp"),
    ("not ip proto 17", "not proto 17"),
    ("not proto \\icmp", "not proto 1"),
    ("not (udp or icmp)", "not (udp or icmp)"),
    ("not multicast and not ip broadcast", "not multicast and not broadcast"),
    ("not (port 53 and not (tcp and not udp))", "not (port 53 and not (tcp and not udp))"),
    ("tcp or udp", "tcp or udp"),
    ("tcp port 443 or udp port 443", "port 443 or udp"),
    ("port 443 and not (udp or icmp)", "port 443 and not (udp or icmp)"),
    ("not udp port 53 or 54", "not udp or udp"),
    ("port 80 or state syn-sent", "port 80 or state syn-sent"),
    ("not state listen", "not state listen"),
    ("ip protochain 6", "ip"),
    // What is below IP, where the answer is known or makes no difference.
    ("not ether host ff:ff:ff:ff:ff:ff", "not ether host ff:ff:ff:ff:ff:ff"),
    ("not ether dst 01-00-5e-00-00-01 and tcp", "not ether dst 01-00-5e-00-00-01 and tcp"),
    ("not ether multicast", "not ether multicast"),
    ("ether proto \\ip and not ether proto 0x0806", "ip and not ether proto 2054"),
    ("ether proto 0x86dd", "ip6"),
    ("not ether proto \\arp", "not ether proto \\arp"),
    ("tcp or vlan 5", "tcp or vlan 5"),
    ("port 80 or not (udp and greater 100)", "port 80 or not (udp and greater 100)"),
    // A zone id.
    ("host fe80::1%eth0", "host fe80::1"),
    ("not src host fe80::1%br-lan.5 or port 80", "not src host fe80::1 or port 80"),
    // flowtop's own words.
    ("pid 1 or 2", "pid 1 or pid 2"),
    ("comm nginx", "comm \"nginx\""),
    ("user 0", "user \"0\" or user \"root\""),
    ("not user 0 or 33", "not (user \"0\" or user \"root\") or user \"33\""),
    ("comm ng*x or ?sh or 80", "comm \"ng*x\" or comm \"?sh\" or comm \"80\""),
    ("comm 'Web Content'", "comm \"Web Content\""),
    ("comm \"a\\\"b\\*\\\\c**d\"", "comm \"a\\\"b\\*\\\\c*d\""),
    ("comm \\tcp", "comm \"tcp\""),
    // A word of the language as a name.
    ("label pod", "label \"pod\""),
    ("pod web-* and not label pod", "pod \"web-*\" and not label \"pod\""),
    ("comm port", "comm \"port\""),
    ("user tcp and tcp", "user \"tcp\" and tcp"),
    ("pod host or not unit less", "pod \"host\" or not unit \"less\""),
    ("(comm tcp) and host 10.1.2.3", "comm \"tcp\" and host 10.1.2.3"),
    ("comm (nginx or tcp or on)", "comm \"nginx\" or comm \"tcp\" or comm \"on\""),
    ("comm not port and not host", "not comm \"port\" and not comm \"host\""),
    ("label pod or host or private", "label \"pod\" or label \"host\" or label \"private\""),
    ("label pod or host 10.1.2.3 or 10.1.2.4", "label \"pod\" or host 10.1.2.3 or host 10.1.2.4"),
    ("label pod or tcp", "label \"pod\" or tcp"),
    ("remote-ns ns and remote-pod remote-pod", "remote-ns \"ns\" and remote-pod \"remote-pod\""),
    ("state established or CLOSE_WAIT", "state established or state close-wait"),
    ("state fin-wait-1 or FIN_WAIT2 or Estab", "state fin-wait-1 or state fin-wait-2 or state established"),
    ("netns self or 4026532001", "netns 4026531840 or netns 4026532001"),
];

/// Filters from real scripts for `iftop -f`, and from its manual.
const IN_USE: &[&str] = &[
    "port 11211",
    "portrange 40000-40100",
    "port 80 or port 443",
    "port 8041 or port 8047 or port 8057",
    "dst port domain",
    "dst port http",
    "ip6",
    "net 192.168.1.0/24",
    "host database.internal",
    "dst port 64555",
    "not port domain",
    "port http and not host v4only",
];

/// An expression, the column of its error, and a part of the message.
const REJECTED: &[(&str, usize, &str)] = &[
    // What is never a TCP socket, or is nothing a socket knows.
    ("icmp", 1, "`icmp` never matches"),
    ("port 53 and udp", 13, "`udp` never matches"),
    ("udp port 53", 1, "`udp` never matches"),
    ("udp port 53 or icmp", 1, "`udp` never matches"),
    ("not tcp", 5, "without it the filter never matches"),
    ("port 443 and not proto 6", 24, "without it the filter never matches"),
    ("state syn-sent", 7, "from ESTABLISHED on; write one of established, fin-wait-1"),
    ("state time-wait or LISTEN", 7, "`time-wait` never matches"),
    ("port 80 and state SYN_RECV", 19, "`SYN_RECV` never matches"),
    ("ether host ff:ff:ff:ff:ff:ff", 1, "`ether host ff:ff:ff:ff:ff:ff` never matches"),
    ("ether proto 0x0806", 1, "never matches"),
    ("ether broadcast", 7, "`ether broadcast` never matches"),
    ("not not sctp", 9, "`sctp` never matches"),
    ("not (tcp and not udp)", 6, "without it the filter never matches"),
    ("ip proto 17", 10, "`proto 17` never matches"),
    ("ip proto \\udp", 10, "`proto 17` never matches"),
    ("ip multicast", 4, "`multicast` never matches"),
    ("less 100", 1, "`less` asks about single packets"),
    ("tcp and greater 100", 9, "single packets"),
    ("not greater 100", 5, "single packets"),
    ("ether host 00:11:22:33:44:55", 1, "`ether` asks about what is below IP"),
    ("not ether src host 00:11:22:33:44:55", 5, "`ether` asks about what is below IP"),
    ("udp or ether host 00:11:22:33:44:55", 8, "`ether` asks about what is below IP"),
    ("not vlan", 5, "`vlan` asks about what is below IP"),
    ("ether", 1, "`ether` asks about what is below IP"),
    ("len > 5", 1, "single packets"),
    ("tcp[13] & 7 == 0", 4, "`[` is arithmetic"),
    ("ip[8] < 5", 3, "`[` is arithmetic"),
    ("vlan 5 and port 80", 1, "`vlan` asks about what is below IP"),
    ("port 80 and mpls", 13, "`mpls` asks about what is below IP"),
    // Addresses.
    ("net 10.0.0.1/8", 5, "write `net 10.0.0.0/8`"),
    ("net 10.0.0.1 mask 255.0.0.0", 5, "write `net 10.0.0.0 mask 255.0.0.0`"),
    ("net 10.0.0.0/33", 14, "0 to 32"),
    ("net 10.0.0.0/x", 14, "a prefix length is missing before `x`"),
    ("net 10/8", 7, "`net 10.0.0.0/8`"),
    ("net 10.0.0.0 mask 8", 19, "a mask is missing before `8`"),
    ("net fe80::1/10", 5, "write `net fe80::/10`"),
    ("net fe80::/129", 12, "0 to 128"),
    ("host 10.0.0.0/8", 6, "write `net 10.0.0.0/8`"),
    ("src fe80::/10", 5, "write `net fe80::/10`"),
    ("host 256.1.1.1", 6, "`256.1.1.1` is no IPv4 address"),
    ("host 0x7f.0.0.1", 6, "is no IPv4 address"),
    ("host 1.2.3.4.5", 6, "is no IPv4 address"),
    ("host 1::2::3", 6, "`1::2::3` is no IPv6 address"),
    ("host 12:34:56:78:9a:bc", 6, "is not what belongs here"),
    ("host nowhere", 6, "host `nowhere`: no address is known"),
    ("ip6 host v4only", 10, "no address of this family"),
    ("ip host ::1", 9, "`::1` is no address of `ip`"),
    ("ip6 net 10", 9, "`10` is no address of `ip6`"),
    ("net localnet", 5, "write one like `net 192.0.2.0/24`"),
    ("10.1.2.3", 1, "write `host 10.1.2.3`"),
    ("port 80 or tcp or 443", 19, "write `port 443`"),
    ("(port 80) or 443", 14, "write `port 443`"),
    // Ports.
    ("port 65536", 6, "65535"),
    ("port 080", 6, "octal"),
    ("port 4294967296", 6, "32 bits"),
    ("port 10.1", 6, "write one like `port 443`"),
    ("port nothing", 6, "`nothing` is no TCP service"),
    ("port 80-90", 6, "`80-90` is a range; write `portrange 80-90`"),
    ("portrange 80-", 13, "`-` is arithmetic"),
    ("portrange 1-70000", 11, "65535"),
    ("portrange 80-nothing", 11, "`nothing` is no TCP service"),
    ("portrange http", 11, "`portrange 8000-8100`"),
    // Where words stand.
    ("tcp host 10.1.2.3", 1, "`tcp` cannot stand before"),
    ("ip6 port 80", 1, "`ip6` cannot stand before"),
    ("icmp port 80", 1, "`icmp` cannot stand before"),
    ("tcp proto 6", 1, "cannot stand before"),
    ("src proto 6", 1, "cannot stand before"),
    ("src pid 1", 1, "`src` cannot stand before a value like `pid 1234`"),
    ("src and src port 80", 9, "`src or dst port 80`"),
    ("ip 10.1.2.3", 4, "`and` or `or`"),
    ("port 80 port 443", 9, "`and` or `or`"),
    ("host port", 6, "`\\port`"),
    ("ip proto tcp", 10, "`\\tcp`"),
    ("ip proto nothing", 10, "write its number"),
    ("port", 5, "a value is missing at the end"),
    ("port and", 6, "a value is missing before `and`"),
    ("port 80 and", 12, "an expression is missing at the end"),
    ("and", 1, "an expression is missing before `and`"),
    ("()", 2, "an expression is missing before `)`"),
    ("(port 80", 9, "write `)` here"),
    ("(port 80 tcp)", 10, "does not belong into this parenthesis"),
    ("port 80)", 8, "closes nothing"),
    ("port ((80 or 443))", 7, "one parenthesis"),
    ("port (80 or port 443)", 13, "`port` is a word of the language"),
    ("comm port 80", 6, "`port` is a word of the language"),
    ("comm (nginx or port 80)", 16, "`port` is a word of the language"),
    ("src tcp", 5, "`tcp` is a word of the language"),
    ("pid host", 5, "`host` is a word of the language"),
    ("state tcp", 7, "`tcp` is a word of the language"),
    ("label", 6, "a value is missing at the end"),
    ("label and tcp", 7, "a value is missing before `and`"),
    // flowtop's own words, and what is no word.
    ("pid x", 5, "`pid 1234`"),
    ("comm \"\"", 6, "is empty"),
    ("comm \"x", 6, "the quote is not closed"),
    ("comm \"a\tb\"", 6, "control character"),
    ("comm fifteen-letters!", 21, "`!` does not follow"),
    ("comm sixteen-letters1", 6, "15 bytes"),
    ("state open", 7, "write one of established, fin-wait-1"),
    ("state 1", 7, "is no TCP state"),
    ("netns own", 7, "`netns self`"),
    ("port 80 or \\", 12, "behind the backslash"),
    ("hôst", 1, "needs a word"),
    ("port 80 or ü", 12, "\\u{fc}"),
    ("comm \"größe\" and udp", 18, "`udp` never matches"),
    // Habits of other tools.
    ("TCP port 443", 1, "`TCP` is no word of filters; write `tcp`"),
    ("PORT 80", 1, "write `port`"),
    ("port 80 AND port 443", 9, "write `and`"),
    ("NOT port 22", 1, "write `not`"),
    ("dport 443", 1, "write `dst port`"),
    ("dport = :443", 1, "write `dst port`"),
    ("port = 443", 6, "as in `port 443`"),
    ("port != 443", 7, "as in `not port 443`"),
    ("port > 1024", 6, "as in `portrange 1024-65535`"),
    ("port 80,443", 8, "write `or` between values"),
    ("port 80 & port 443", 9, "write `and`"),
    ("port 80 | port 443", 9, "write `or`"),
    ("port 5000:5010", 6, "write `portrange 5000-5010`"),
    ("5000-5010", 1, "write `portrange 5000-5010`"),
    ("host 10.0.0.1:443", 6, "write `host 10.0.0.1 and port 443`"),
    ("src :443", 5, "write `port 443`"),
    ("host [::1]:443", 6, "write `host ::1 and port 443`"),
    ("10.0.0.0/8", 1, "write `net 10.0.0.0/8`"),
    ("net 10.0.0.0/255.0.0.0", 14, "write `mask 255.0.0.0`"),
    ("tcp.port == 443", 1, "write `port`"),
    ("established", 1, "write `state established`"),
    ("hots 10.0.0.1", 1, "write `host`"),
    ("prot 443", 1, "write `port`"),
    ("ipv6", 1, "write `ip6`"),
    ("cgroup /system.slice", 1, "use the flag --cgroup PATH"),
    ("nginx", 1, "write `host nginx`, or `comm nginx` for a process"),
    ("tcp host 10.0.0.1", 1, "write `tcp and host 192.0.2.1`"),
    ("host ::1%", 9, "`%` is arithmetic"),
];

#[test]
fn what_is_accepted_prints_as_its_canonical_text() {
    for (text, canonical) in ACCEPTED {
        assert_eq!(filter(text).to_string(), *canonical, "{text}");
    }
}

#[test]
fn what_scripts_use_is_accepted() {
    for text in IN_USE {
        assert_eq!(filter(&filter(text).to_string()), filter(text), "{text}");
    }
}

#[test]
fn what_is_rejected_says_where_and_why() {
    for (text, column, part) in REJECTED {
        let error = parse(text).expect_err(text);
        assert_eq!(error.column(), *column, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn the_carets_are_under_the_offending_text() {
    let text = "comm \"größe\"\tor [";
    let pointer = parse(text).unwrap_err().pointer(text);
    assert_eq!(pointer, "comm \"größe\" or [\n                ^");
    assert_eq!(parse("port 80 and").unwrap_err().pointer("port 80 and"), "port 80 and\n           ^");
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let nested = |open: &str, close: &str, times| format!("{}tcp{}", open.repeat(times), close.repeat(times));
    for (open, close) in [("(", ")"), ("not ", ""), ("tcp or ip and ", ""), ("not (", ")")] {
        let error = parse(&nested(open, close, 100_000)).unwrap_err();
        assert!(error.to_string().contains("128"), "{error}");
        assert!(parse(&nested(open, close, 60)).is_ok());
    }
    let list = "port 1".to_owned() + &" or 2".repeat(100_000);
    assert!(parse(&list).is_ok());
}
