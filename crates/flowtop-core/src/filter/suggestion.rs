//! What to write instead: the habits of tcpdump, ss, iptables and Wireshark that the language does not have.
//!
//! Not in here: where in an expression they are met (`parse`, `lexer`).

use alloc::format;
use alloc::string::{String, ToString as _};
use core::net::{Ipv4Addr, Ipv6Addr};

use super::lexer::{Lexeme, Token};
use super::state;
use super::words::{Keyword, Kind};

/// Words of other tools, and what is written here.
const HABITS: [(&str, &str); 40] = [
    ("ipv4", "ip"),
    ("inet", "ip"),
    ("ipv6", "ip6"),
    ("inet6", "ip6"),
    ("sport", "src port"),
    ("dport", "dst port"),
    ("source", "src"),
    ("saddr", "src"),
    ("from", "src"),
    ("dest", "dst"),
    ("destination", "dst"),
    ("daddr", "dst"),
    ("to", "dst"),
    ("ports", "port"),
    ("lport", "port"),
    ("rport", "port"),
    ("tcp.port", "port"),
    ("tcp.srcport", "src port"),
    ("tcp.dstport", "dst port"),
    ("ip.addr", "host"),
    ("ipv6.addr", "host"),
    ("ip.src", "src host"),
    ("ip.dst", "dst host"),
    ("address", "host"),
    ("addr", "host"),
    ("hostname", "host"),
    ("subnet", "net"),
    ("network", "net"),
    ("cidr", "net"),
    ("process", "comm"),
    ("proc", "comm"),
    ("command", "comm"),
    ("cmd", "comm"),
    ("program", "comm"),
    ("uid", "user"),
    ("username", "user"),
    ("namespace", "ns"),
    ("service", "unit"),
    ("incoming", "inbound"),
    ("outgoing", "outbound"),
];

/// Words of filters elsewhere that are flags here.
const FLAGS: [(&str, &str); 6] = [
    ("cgroup", "--cgroup PATH"),
    ("mntns", "--mntns INODE"),
    ("interface", "-i IF"),
    ("iface", "-i IF"),
    ("dev", "-i IF"),
    ("top", "-L N"),
];

/// The words that a typing mistake may have meant.
const COMMON: [&str; 25] = [
    "src",
    "dst",
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "tcp",
    "and",
    "or",
    "not",
    "inbound",
    "outbound",
    "pid",
    "comm",
    "state",
    "netns",
    "user",
    "unit",
    "container",
    "label",
    "remote-pod",
    "remote-ns",
    "mask",
    "ip6",
];

/// What to write for a word that the language does not have, where that can be told.
pub(super) fn word(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let is_known = |word: &str| !matches!(super::lexer::word(word), Lexeme::Name(_) | Lexeme::Bad(_));
    if lower != text && is_known(&lower) {
        return Some(lower);
    }
    let habit = HABITS.iter().find(|(habit, _)| *habit == lower).map(|(_, right)| (*right).to_string());
    let state = || state::number(&lower).map(|_| format!("state {lower}"));
    habit.or_else(state).or_else(|| mistyped(&lower))
}

/// The flag to use for a word that is none of filters.
pub(super) fn flag(text: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(word, _)| *word == text.to_ascii_lowercase()).map(|(_, flag)| *flag)
}

/// The word that is one letter away.
fn mistyped(text: &str) -> Option<String> {
    COMMON.iter().find(|word| text.len() > 2 && is_one_slip(text, word)).map(|word| (*word).to_string())
}

/// Whether one letter more, less, changed or swapped with the next makes one word of the other.
fn is_one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([a1, a2, a @ ..], [b1, b2, b @ ..]) if a1 == b2 && a2 == b1 && a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) if a == b => true,
        _ => false,
    }
}

/// What to write for a text with a `:` that is no IPv6 address.
pub(super) fn with_colon(text: &str) -> Option<String> {
    let (before, port) = text.rsplit_once(':')?;
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    if !is_port(port) || before.contains(':') {
        return None;
    }
    Some(match before {
        "" | "*" => format!("port {port}"),
        first if is_port(first) => format!("portrange {first}-{port}"),
        host => format!("host {host} and port {port}"),
    })
}

/// What to write for `[::1]:443`, at the beginning of a text.
pub(super) fn in_brackets(text: &str) -> Option<String> {
    let (host, behind) = text.strip_prefix('[')?.split_once(']')?;
    host.parse::<Ipv6Addr>().ok()?;
    let digits = behind.strip_prefix(':').map(|port| port.split(|c: char| !c.is_ascii_digit()).next());
    let port = digits.flatten().filter(|digits| !digits.is_empty());
    Some(port.map_or_else(|| format!("host {host}"), |port| format!("host {host} and port {port}")))
}

/// The question that a value without a word would be, with what stands behind it.
pub(super) fn question(tokens: &[Token<'_>]) -> String {
    let text = tokens.first().map_or("", |token| token.text);
    let prefix = match tokens {
        [_, slash, bits, ..] if slash.lexeme == Lexeme::Slash => Some(bits.text),
        _ => None,
    };
    match tokens.first().map(|token| &token.lexeme) {
        Some(Lexeme::Dotted | Lexeme::Ip6(_) | Lexeme::Number(_)) if prefix.is_some() => {
            format!("net {text}/{}", prefix.unwrap_or_default())
        }
        Some(Lexeme::Number(_)) => format!("port {text}"),
        Some(Lexeme::Dotted) if text.parse::<Ipv4Addr>().is_err() => format!("net {text}"),
        Some(Lexeme::Pattern) => format!("comm {text}"),
        _ if is_range(text) => format!("portrange {text}"),
        _ => format!("host {text}"),
    }
}

/// Whether a text is two port numbers with a `-` between them.
pub(super) fn is_range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(a, b)| a.parse::<u16>().is_ok() && b.parse::<u16>().is_ok())
}

/// What to write for a character that begins no word, behind what was read before it.
pub(super) fn sign(c: char, text: &str, before: Option<&Token<'_>>) -> Option<String> {
    let before = before.map(|token| &token.lexeme);
    let is_port = matches!(before, Some(Lexeme::Keyword(Keyword::Kind(Kind::Port))));
    Some(match c {
        ',' => "`,` joins nothing; write `or` between values, as in `port 80 or 443`".to_string(),
        '&' => "`&` is arithmetic on the bytes of packets; to join two questions write `and`".to_string(),
        '|' => "`|` is arithmetic on the bytes of packets; to join two questions write `or`".to_string(),
        '=' if before == Some(&Lexeme::Not) => {
            "`!=` is not written here; write `not` before the word, as in `not port 443`".to_string()
        }
        '=' if matches!(before, Some(Lexeme::Keyword(_) | Lexeme::Name(_))) => {
            "`=` is not written here; write the value behind its word, as in `port 443`".to_string()
        }
        '<' | '>' if is_port => {
            format!("`{c}` is not written here; write a range of ports, as in `portrange 1024-65535`")
        }
        '[' => format!("`[` is not written around addresses; write `{}`", in_brackets(text)?),
        _ => return None,
    })
}
