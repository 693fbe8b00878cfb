//! Scopes: which direction of which connection is in the totals, the windows and the rows.
//!
//! Judged is what a byte looks like when it is counted. A scope that comes later, or a connection that changes hands,
//! changes what is counted from then on; totals never fall.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::IpAddr;

use super::flow::Tuple;
use super::owner::{Identity, Pod, Seen};
use super::window::Bytes;

pub mod attributed;

#[cfg(test)]
mod tests;

/// A connection as its left end sees it: the input of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    pub tuple: Tuple,
    /// Whether both ends are known to be on this host.
    pub both_here: bool,
    /// Process of the local end, where one has been seen.
    pub pid: Option<u32>,
    pub comm: Option<&'a str>,
    /// TCP state as the kernel numbers it.
    pub state: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The process as the kernel saw it.
    pub owner: Seen,
    /// When it was using the socket, in nanoseconds of the monotonic clock.
    pub used_ns: u64,
    /// Identity of the process, if it was looked up.
    pub identity: Option<&'a Identity>,
    /// The process of the other end, where that is on this host.
    pub peer: Option<User<'a>>,
    /// The pods that have the namespaces of both ends, if they were looked up.
    pub netns_pods: [Option<&'a Pod>; 2],
    /// The label of the remote address, if it was looked up.
    pub label: Option<&'a str>,
    /// The pod of this host that has the remote address, likewise.
    pub remote_pod: Option<&'a Pod>,
}

/// One end of a connection that is on this host: its socket and the process that uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// The process, where one has been seen.
    pub pid: Option<u32>,
    pub comm: Option<&'a str>,
    /// TCP state of its socket as the kernel numbers it.
    pub state: u32,
    /// Inode number of the network namespace of its socket.
    pub netns: u32,
    /// The process as the kernel saw it.
    pub owner: Seen,
    /// When it was using the socket, in nanoseconds of the monotonic clock.
    pub used_ns: u64,
    /// Identity of the process, if it was looked up.
    pub identity: Option<&'a Identity>,
}

impl<'a> Subject<'a> {
    /// The local end.
    #[must_use]
    pub fn user(&self) -> User<'a> {
        let Self { pid, comm, state, netns, owner, used_ns, identity, .. } = *self;
        User { pid, comm, state, netns, owner, used_ns, identity }
    }

    /// The ends that are on this host, the local one first. A question about processes or sockets is asked about each of
    /// them.
    pub fn users(&self) -> impl Iterator<Item = User<'a>> {
        [self.user()].into_iter().chain(self.peer)
    }

    /// A connection of which only the ends are known.
    #[must_use]
    pub fn of(tuple: Tuple) -> Self {
        Self {
            tuple,
            both_here: false,
            pid: None,
            comm: None,
            state: 0,
            netns: 0,
            owner: Seen::default(),
            used_ns: 0,
            identity: None,
            peer: None,
            netns_pods: [None; 2],
            label: None,
            remote_pod: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The direction that the local end sends.
    pub tx: bool,
    /// The direction that the local end receives.
    pub rx: bool,
}

impl Verdict {
    pub const ALL: Self = Self { tx: true, rx: true };
    pub const NONE: Self = Self { tx: false, rx: false };

    #[must_use]
    pub const fn both(count: bool) -> Self {
        if count { Self::ALL } else { Self::NONE }
    }

    /// Intersection of two verdicts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { tx: self.tx && other.tx, rx: self.rx && other.rx }
    }

    /// The verdict on the same connection, seen from the other end.
    #[must_use]
    pub fn mirror(self) -> Self {
        Self { tx: self.rx, rx: self.tx }
    }

    #[must_use]
    pub fn of(self, bytes: Bytes) -> Bytes {
        Bytes { tx: if self.tx { bytes.tx } else { 0 }, rx: if self.rx { bytes.rx } else { 0 } }
    }
}

/// Something that judges connections. Of a connection with both ends on this host the left end is judged.
pub trait Scope: Debug {
    /// Which directions of this connection count.
    fn verdict(&self, subject: &Subject<'_>) -> Verdict;

    /// Whether the local end by itself is one that this scope asks for, without its peer; `None` if the scope does not tell
    /// the ends of a connection apart. Of two ends on this host the one that is asked for stands left.
    fn asks_for(&self, _subject: &Subject<'_>) -> Option<bool> {
        None
    }

    /// Which of two ends on this host is asked for where the other one is not: `Some(true)` for the second one.
    fn prefers_second(&self, first: &Subject<'_>, second: &Subject<'_>) -> Option<bool> {
        match (self.asks_for(first)?, self.asks_for(second)?) {
            (first, second) if first != second => Some(second),
            _ => None,
        }
    }

    /// Whether the verdict has to wait, because more will be known of the process in a moment.
    fn waits(&self, _subject: &Subject<'_>) -> bool {
        false
    }

    /// Whether it may ask which process has an end, so that each has to be known at once.
    fn asks_processes(&self) -> bool {
        false
    }

    /// The number of the condition that keeps something of this connection out, where the scope has several.
    fn keeper_out(&self, _subject: &Subject<'_>) -> u8 {
        0
    }

    /// What its conditions are called, by their numbers.
    fn conditions(&self) -> &[String] {
        &[]
    }

    /// Which directions of the untracked connections count, which cannot be judged one by one.
    fn untracked(&self) -> Verdict {
        Verdict::NONE
    }
}

/// Intersection of scopes; everything if there are none.
#[derive(Debug, Default)]
pub struct AllOf(pub Vec<Box<dyn Scope>>);

impl Scope for AllOf {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        self.0.iter().fold(Verdict::ALL, |verdict, scope| verdict.and(scope.verdict(subject)))
    }

    /// The first of them that tells the ends apart decides.
    fn prefers_second(&self, first: &Subject<'_>, second: &Subject<'_>) -> Option<bool> {
        self.0.iter().find_map(|scope| scope.prefers_second(first, second))
    }

    fn waits(&self, subject: &Subject<'_>) -> bool {
        self.0.iter().any(|scope| scope.waits(subject))
    }

    fn asks_processes(&self) -> bool {
        self.0.iter().any(|scope| scope.asks_processes())
    }

    fn untracked(&self) -> Verdict {
        self.0.iter().fold(Verdict::ALL, |verdict, scope| verdict.and(scope.untracked()))
    }
}

/// Intersection of scopes that have names, such as the flags that they come from.
#[derive(Debug, Default)]
pub struct Conditions {
    names: Vec<String>,
    scopes: AllOf,
}

impl Conditions {
    /// Adds one. No more than 255 are told apart.
    pub fn push(&mut self, name: String, scope: Box<dyn Scope>) {
        self.names.push(name);
        self.scopes.0.push(scope);
    }

    /// Whether there is none, so that everything counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Scope for Conditions {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        self.scopes.verdict(subject)
    }

    fn prefers_second(&self, first: &Subject<'_>, second: &Subject<'_>) -> Option<bool> {
        self.scopes.prefers_second(first, second)
    }

    fn waits(&self, subject: &Subject<'_>) -> bool {
        self.scopes.waits(subject)
    }

    fn asks_processes(&self) -> bool {
        self.scopes.asks_processes()
    }

    /// The first of them.
    fn keeper_out(&self, subject: &Subject<'_>) -> u8 {
        let first = self.scopes.0.iter().position(|scope| scope.verdict(subject) != Verdict::ALL);
        first.and_then(|first| first.try_into().ok()).unwrap_or_default()
    }

    fn conditions(&self) -> &[String] {
        &self.names
    }

    fn untracked(&self) -> Verdict {
        self.scopes.untracked()
    }
}

/// Tells which connections the chosen interfaces carry, as it is now.
pub trait Carriers: Debug {
    /// Whether they carry what a socket in network namespace `netns` with this tuple sends and receives.
    fn carry(&self, netns: u32, tuple: &Tuple) -> bool;

    /// Whether one of them leads to network namespace `netns`: what its sockets send, the interface receives.
    fn lead_to(&self, netns: u32) -> bool;

    /// Whether a socket in network namespace `netns` can be the end that they were chosen for.
    fn are_for(&self, netns: u32) -> bool;
}

/// Connections over chosen interfaces (`-i`), from whichever end they are.
#[derive(Clone, Debug)]
pub struct OnInterfaces(pub Rc<dyn Carriers>);

impl Scope for OnInterfaces {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let of_peer = |peer: User<'_>| self.0.carry(peer.netns, &subject.tuple.mirror());
        Verdict::both(self.0.carry(subject.netns, &subject.tuple) || subject.peer.is_some_and(of_peer))
    }

    fn asks_for(&self, subject: &Subject<'_>) -> Option<bool> {
        Some(self.0.are_for(subject.netns) && self.0.carry(subject.netns, &subject.tuple))
    }
}

/// Connections of one family (`-4`, `-6`); with both, all.
#[derive(Clone, Copy, Debug)]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}

impl Scope for Families {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        Verdict::both(if subject.tuple.local.is_ipv4() { self.v4 } else { self.v6 })
    }
}

/// Connections without an IPv6 link-local address at either end: what iftop shows without `-l`.
#[derive(Clone, Copy, Debug)]
pub struct NoLinkLocal;

impl Scope for NoLinkLocal {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let link_local = |ip| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let Tuple { local, remote } = subject.tuple;
        Verdict::both(!link_local(local.ip()) && !link_local(remote.ip()))
    }

    /// Hardly any of them are: leaving all of them out would be the larger error.
    fn untracked(&self) -> Verdict {
        Verdict::ALL
    }
}
