//! The canonical text of an expression: every test in full, every inner list in parentheses.
//!
//! Both matter to a reader: pcap gives `and` and `or` the same rank, which few remember.

use core::fmt;

use super::Filter;
use super::expr::{Ends, Expr, Test, Word};
use super::state;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.as_ref().map_or(Ok(()), |root| root.fmt(f))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.fmt_inner(f)
            }
            Self::Joined(word, parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        write!(f, " {word} ")?;
                    }
                    part.fmt_inner(f)?;
                }
                Ok(())
            }
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl Expr {
    /// In parentheses if it is a list.
    fn fmt_inner(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::Joined(..)) { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::And { "and" } else { "or" })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Ip => f.write_str("ip"),
            Self::Ip6 => f.write_str("ip6"),
            Self::Addr(ends, net) => write!(f, "{ends}{net}"),
            Self::Port(ends, range) if range.start() == range.end() => {
                write!(f, "{ends}port {}", range.start())
            }
            Self::Port(ends, range) => write!(f, "{ends}portrange {}-{}", range.start(), range.end()),
            Self::Inbound => f.write_str("inbound"),
            Self::Outbound => f.write_str("outbound"),
            Self::Pid(pid) => write!(f, "pid {pid}"),
            Self::Comm(glob) => write!(f, "comm {glob}"),
            Self::Named(named, glob) => write!(f, "{} {glob}", named.word()),
            Self::State(number) => write!(f, "state {}", state::name(*number)),
            Self::Netns(netns) => write!(f, "netns {netns}"),
            Self::Never(written) | Self::Unknown(written) => f.write_str(written),
        }
    }
}

/// The qualifier with a space behind it.
impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Either => "",
            Self::Source => "src ",
            Self::Destination => "dst ",
            Self::Both => "src and dst ",
        })
    }
}
