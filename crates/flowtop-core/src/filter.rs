//! The filter language: pcap's, as far as it makes sense for TCP sockets, and flowtop's own words.
//!
//! An expression is parsed once ([`Filter::parse`]) and asked for every flow ([`Filter::verdict`]). It speaks of
//! source and destination, so it is asked for each direction of a flow on its own: for what was sent the source is
//! the local end, for what was received the remote one.
//!
//! What differs from pcap-filter(7), on purpose:
//! - What a TCP socket cannot answer (`less`, `tcp[13]`, `ether host`, `vlan`) is an error, unless the rest decides.
//! - What never matches a TCP socket (`udp`, `arp`, `multicast`) is false: `not udp` and `tcp or udp` are what people
//!   write. A filter that can then match nothing is an error.
//! - `net` takes no network names, and a service is a TCP service.
//! - `pid`, `comm`, `state`, `netns`, `user`, `unit`, `pod`, `ns`, `workload`, `container`, `label`, `remote-pod`, `remote-ns`, `netns-pod` and `netns-ns` are
//!   words; a host of that name is written `\pid`. Behind those that ask for a name any word is one: `label pod`.
//!
//! Not in here: how names are looked up (`Names` is passed in), and what a kernel does with a [`Pushdown`].

mod address;
mod boundary;
mod error;
mod eval;
mod expr;
mod glob;
mod lexer;
mod link;
mod net;
mod operand;
mod parse;
mod print;
mod pushdown;
mod state;
mod suggestion;
#[cfg(test)]
mod tests;
mod words;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use boundary::{Boundary, BoundaryError, Side};
pub use error::FilterError;
pub use net::Net;
pub use pushdown::{Families, Pushdown};

use super::scope::Scope;
pub use super::scope::{Subject, Verdict};

use expr::{Expr, Test};
use words::Named;

/// A filter expression whose names have been resolved. Its text (`Display`) is the canonical form of the
/// expression: parsing it gives an equal filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `None` matches everything.
    root: Option<Expr>,
}

/// A thing of this host that a filter asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A process.
    Pid(u32),
    /// The inode number of a network namespace.
    Netns(u32),
    /// A user, by name or by number.
    User(String),
}

/// A host without an address. The text is the resolver's reason, as the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unresolved(pub String);

/// Where the names in an expression come from; asked while it is parsed and never again.
pub trait Names {
    /// Every address of a host.
    ///
    /// # Errors
    /// The reason of the resolver, if there is none.
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved>;
    /// The TCP port of a service.
    fn service(&self, name: &str) -> Option<u16>;
    /// The name of the user with this number, by which its processes are known.
    fn user(&self, _number: u32) -> Option<String> {
        None
    }
    /// The inode number of the network namespace that `netns self` means.
    fn own_netns(&self) -> u32;
}

/// Names that may be anything, for a look at the rest of an expression.
struct AnyName;

impl Names for AnyName {
    fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        Ok(vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()])
    }

    fn service(&self, _: &str) -> Option<u16> {
        Some(0)
    }

    fn own_netns(&self) -> u32 {
        0
    }
}

/// Whether an expression is right as far as that can be said without the names in it.
///
/// # Errors
/// The mistake, with its position.
pub fn check(text: &str) -> Result<(), FilterError> {
    Filter::parse(text, &AnyName).map(|_| ())
}

/// The zone ids in an expression (`%eth0`), which are read and not looked at: a socket's addresses have none.
#[must_use]
pub fn zone_ids(text: &str) -> Vec<String> {
    let of_address = |token: &lexer::Token<'_>| {
        let (_, zone) = token.text.split_once('%')?;
        matches!(token.lexeme, lexer::Lexeme::Ip6(_)).then(|| zone.into())
    };
    lexer::tokens(text).iter().filter_map(of_address).collect()
}

impl Filter {
    /// Parses an expression and resolves its names. An empty one matches everything.
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self, FilterError> {
        Ok(Self { root: parse::expression(text, names)? })
    }

    /// Which directions of a flow pass.
    #[must_use]
    pub fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let Some(root) = &self.root else { return Verdict { tx: true, rx: true } };
        Verdict { tx: eval::sent(root, subject), rx: eval::received(root, subject) }
    }

    /// Whether it asks for what files say of a process. A name in them is newer than the one that the kernel has seen.
    #[must_use]
    pub fn asks_owner(&self) -> bool {
        let of_files = |test: &Test| match test {
            Test::Named(named, _) => *named != Named::Label && !named.is_about_pods_of_host(),
            test => matches!(test, Test::Comm(_)),
        };
        self.root.as_ref().is_some_and(|root| root.has(of_files))
    }

    /// Whether it asks for what each end of a connection has of its own: its process, its socket's state or namespace.
    #[must_use]
    pub fn tells_ends_apart(&self) -> bool {
        let of_socket = |test: &Test| match test {
            Test::Pid(_) | Test::State(_) | Test::Netns(_) => true,
            Test::Named(named, _) => matches!(named, Named::NetnsPod | Named::NetnsNamespace),
            _ => false,
        };
        self.asks_owner() || self.root.as_ref().is_some_and(|root| root.has(of_socket))
    }

    /// Whether it asks which pod has the remote address, or a network namespace.
    #[must_use]
    pub fn asks_pods(&self) -> bool {
        let of_pods = |test: &Test| matches!(test, Test::Named(named, _) if named.is_about_pods_of_host());
        self.root.as_ref().is_some_and(|root| root.has(of_pods))
    }

    /// What it asks for by a name or a number of this host, that may not be there.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let mut add = |test: &Test| match test {
            Test::Pid(pid) => wanted.push(Wanted::Pid(*pid)),
            Test::Netns(netns) => wanted.push(Wanted::Netns(*netns)),
            Test::Named(Named::User, glob) => wanted.extend(glob.literal().map(Wanted::User)),
            _ => {}
        };
        self.root.iter().for_each(|root| root.for_each(&mut add));
        wanted
    }

    /// The part of the filter on addresses and ports alone, for the kernel side: see [`Pushdown`].
    #[must_use]
    pub fn pushdown(&self) -> Pushdown {
        self.root.as_ref().map_or_else(Pushdown::everything, Pushdown::of)
    }
}

impl Scope for Filter {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        Self::verdict(self, subject)
    }

    fn asks_for(&self, subject: &Subject<'_>) -> Option<bool> {
        let alone = Subject { peer: None, ..*subject };
        self.tells_ends_apart().then(|| Self::verdict(self, &alone) != Verdict::NONE)
    }
}
