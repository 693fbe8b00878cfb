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
    /// What a TCP socket does not know, as it is written. It stands only where its answer makes no difference.
    Unknown(String),
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

    /// Shows each question.
    pub(super) fn for_each(&self, look: &mut impl FnMut(&Test)) {
        match self {
            Self::Not(inner) => inner.for_each(look),
            Self::Joined(_, parts) => parts.iter().for_each(|part| part.for_each(look)),
            Self::Test(test) => look(test),
        }
    }

    /// The answer, where it is the same for every flow that can be counted.
    pub(super) fn constant(&self) -> Option<bool> {
        match self {
            Self::Not(inner) => inner.constant().map(|holds| !holds),
            Self::Test(Test::Tcp) => Some(true),
            Self::Test(Test::Never(_)) => Some(false),
            Self::Test(_) => None,
            Self::Joined(word, parts) => {
                let (decides, mut all) = (*word == Word::Or, Some(*word == Word::And));
                for part in parts {
                    match part.constant() {
                        Some(holds) if holds == decides => return Some(decides),
                        Some(_) => {}
                        None => all = None,
                    }
                }
                all
            }
        }
    }

    /// The first question whose answer is unknown and makes a difference.
    pub(super) fn unknown(&self) -> Option<&str> {
        match self {
            _ if self.constant().is_some() => None,
            Self::Not(inner) => inner.unknown(),
            Self::Joined(_, parts) => parts.iter().find_map(Self::unknown),
            Self::Test(Test::Unknown(written)) => Some(written),
            Self::Test(_) => None,
        }
    }

    /// The question that makes it `constant`.
    pub(super) fn decisive(&self) -> Option<&Test> {
        let constant = self.constant();
        match self {
            Self::Not(inner) => inner.decisive(),
            Self::Joined(_, parts) => parts.iter().find(|part| part.constant() == constant)?.decisive(),
            Self::Test(test) => Some(test),
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
