//! The tree of an expression, in a normal form: lists of one connective are flat, and `not not` is nothing.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::glob::Glob;
use super::net::Net;
use super::words::Named;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// True if the inner one is false; the inner one is no `Not`.
    Not(Box<Expr>),
    /// Two or more, joined; none of them is joined by the same word.
    Joined(Word, Vec<Expr>),
    Test(Test),
}

/// `and` or `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    And,
    Or,
}

/// One question about one direction of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Tcp,
    Ip,
    Ip6,
    /// The addresses of these ends are in the network.
    Addr(Ends, Net),
    /// The ports of these ends are in the range.
    Port(Ends, RangeInclusive<u16>),
    /// The direction is the received one.
    Inbound,
    /// The direction is the sent one.
    Outbound,
    /// The process has this PID.
    Pid(u32),
    /// The name of the process matches.
    Comm(Glob),
    /// A name of the process or of the remote address matches the pattern.
    Named(Named, Glob),
    /// The TCP state is this one.
    State(u32),
    /// The network namespace has this inode number.
    Netns(u32),
    /// False: what no TCP socket is, as it is written.
    Never(String),
}

/// Which ends of a direction a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// At either end.
    Either,
    Source,
    Destination,
    Both,
}

impl Expr {
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Joins two expressions; chains of one word stay flat.
    pub(super) fn joined(self, word: Word, other: Self) -> Self {
        let mut parts = self.into_parts(word);
        parts.extend(other.into_parts(word));
        Self::Joined(word, parts)
    }

    /// Whether one of the questions is of this kind.
    pub(super) fn has(&self, wanted: fn(&Test) -> bool) -> bool {
        match self {
            Self::Not(inner) => inner.has(wanted),
            Self::Joined(_, parts) => parts.iter().any(|part| part.has(wanted)),
            Self::Test(test) => wanted(test),
        }
    }

    fn into_parts(self, word: Word) -> Vec<Self> {
        match self {
            Self::Joined(inner, parts) if inner == word => parts,
            other => vec![other],
        }
    }
}

impl From<Test> for Expr {
    fn from(test: Test) -> Self {
        Self::Test(test)
    }
}
