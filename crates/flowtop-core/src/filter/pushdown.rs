//! The part of filters, borders and interfaces on addresses and ports alone, in a form that the kernel side checks
//! when a flow is opened.
//!
//! It is a necessary condition and no sufficient one: whatever passes the filter in one direction at least is
//! admitted. So a kernel that drops the rest changes no result, and user space still asks the filter itself.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use flowtop_common::{Admission, PortRange, check, family, words};

use crate::flow::Tuple;

use super::expr::{Expr, Test, Word};
use super::net::{self, Net};

/// A necessary condition for a flow to pass. All three parts have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushdown {
    /// The family of the addresses, IPv4-mapped ones being IPv4, is one of these.
    pub families: Families,
    /// If given: the port of one end at least is in one of these ranges. Sorted, with gaps between them.
    pub ports: Option<Vec<RangeInclusive<u16>>>,
    /// If given: the address of one end at least is in one of these networks, written as address and prefix length.
    pub nets: Option<Vec<(IpAddr, u8)>>,
}

/// Some of the two address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}

impl Families {
    const BOTH: Self = Self { v4: true, v6: true };
    const NONE: Self = Self { v4: false, v6: false };
    const V4: Self = Self { v4: true, v6: false };
    const V6: Self = Self { v4: false, v6: true };

    fn bits(self) -> u32 {
        let bit = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
        bit(self.v4, family::V4) | bit(self.v6, family::V6)
    }
}

impl Pushdown {
    #[must_use]
    pub fn everything() -> Self {
        Self { families: Families::BOTH, ports: None, nets: None }
    }

    /// Admits flows with an end in one of these networks, written as address and prefix length.
    #[must_use]
    pub fn within(nets: Vec<(IpAddr, u8)>) -> Self {
        let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let is_everything = everywhere.iter().all(|addr| nets.contains(&(*addr, 0)));
        Self { nets: (!is_everything).then(|| distinct(nets)), ..Self::everything() }
    }

    #[must_use]
    pub fn of_families(v4: bool, v6: bool) -> Self {
        Self { families: Families { v4, v6 }, ..Self::everything() }
    }

    /// Intersection of both, or a superset of it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::all_of(vec![self, other])
    }

    /// Whether a flow with these ends may pass the filter.
    #[must_use]
    pub fn admits(&self, tuple: &Tuple) -> bool {
        let (local, remote) = (tuple.local, tuple.remote);
        let family = if local.is_ipv4() { self.families.v4 } else { self.families.v6 };
        let port =
            |range: &RangeInclusive<u16>| range.contains(&local.port()) || range.contains(&remote.port());
        let net = |net: &(IpAddr, u8)| is_in(*net, local.ip()) || is_in(*net, remote.ip());
        family
            && self.ports.as_ref().is_none_or(|ports| ports.iter().any(port))
            && self.nets.as_ref().is_none_or(|nets| nets.iter().any(net))
    }

    /// The same for the kernel side. A list that is longer than there is room for restricts nothing there.
    #[must_use]
    pub fn admission(&self) -> Admission {
        let mut admission = Admission::default();
        if self.families != Families::BOTH {
            admission.checks |= check::FAMILY;
            admission.families = self.families.bits();
        }
        if self.ports.as_ref().is_some_and(Vec::is_empty) || self.nets.as_ref().is_some_and(Vec::is_empty) {
            return Admission { checks: check::FAMILY, families: 0, ..admission };
        }
        let range = |range: &RangeInclusive<u16>| PortRange { first: *range.start(), last: *range.end() };
        if let Some(ports) = self.ports.as_ref().and_then(|ports| filled(ports, range)) {
            admission.checks |= check::PORT;
            admission.port = ports;
        }
        if let Some(nets) = self.nets.as_ref().and_then(|nets| filled(nets, wire_net)) {
            admission.checks |= check::NET;
            admission.net = nets;
        }
        admission
    }

    pub(super) fn of(expr: &Expr) -> Self {
        Self::of_signed(expr, false)
    }

    /// The condition of an expression or of its opposite, by De Morgan.
    fn of_signed(expr: &Expr, negated: bool) -> Self {
        match expr {
            Expr::Not(inner) => Self::of_signed(inner, !negated),
            Expr::Test(test) => Self::of_test(test, negated),
            Expr::Joined(word, parts) => {
                let parts = parts.iter().map(|part| Self::of_signed(part, negated)).collect();
                if (*word == Word::And) == negated { Self::any_of(parts) } else { Self::all_of(parts) }
            }
        }
    }

    fn of_test(test: &Test, negated: bool) -> Self {
        let only = |families| Self { families, ..Self::everything() };
        match (test, negated) {
            (Test::Ip, false) | (Test::Ip6, true) => only(Families::V4),
            (Test::Ip6, false) | (Test::Ip, true) => only(Families::V6),
            (Test::Never(_), false) | (Test::Tcp, true) => Self::nothing(),
            (Test::Port(_, range), false) => Self { ports: Some(vec![range.clone()]), ..Self::everything() },
            (Test::Addr(_, net), false) => Self { nets: Some(vec![net.widened()]), ..Self::everything() },
            // The opposite of a question about one end says nothing about the other end.
            _ => Self::everything(),
        }
    }

    /// Admits no flow. The empty lists make it the neutral part of [`Pushdown::any_of`].
    fn nothing() -> Self {
        Self { families: Families::NONE, ports: Some(Vec::new()), nets: Some(Vec::new()) }
    }

    /// Union of the parts.
    fn any_of(parts: Vec<Self>) -> Self {
        let mut all = Self::nothing();
        for part in parts {
            all.families.v4 |= part.families.v4;
            all.families.v6 |= part.families.v6;
            extend(&mut all.ports, part.ports);
            extend(&mut all.nets, part.nets);
        }
        Self { ports: all.ports.map(merged), nets: all.nets.map(distinct), ..all }
    }

    /// Intersection of the parts, or a superset: one list of ports and one of networks, the narrowest of each. The
    /// lists cannot be intersected, because one part may be about one end and another about the other.
    fn all_of(parts: Vec<Self>) -> Self {
        let mut all = Self::everything();
        for part in parts {
            all.families.v4 &= part.families.v4;
            all.families.v6 &= part.families.v6;
            all.ports = narrower(all.ports, part.ports, |ports| covered_ports(ports));
            all.nets = narrower(all.nets, part.nets, |nets| (widest_share(nets), nets.len()));
        }
        if all.families == Families::NONE { Self::nothing() } else { all }
    }
}

/// The elements of a list, repeated until there are enough of them; `None` if there are too many.
fn filled<T, U>(list: &[T], element: impl Fn(&T) -> U) -> Option<[U; Admission::LISTED]> {
    let fits = (1..=Admission::LISTED).contains(&list.len());
    fits.then(|| core::array::from_fn(|index| element(&list[index % list.len()])))
}

/// A network with its addresses as on the wire, where IPv4 is mapped into IPv6.
fn wire_net(&(addr, prefix_bits): &(IpAddr, u8)) -> flowtop_common::Net {
    let (addr, prefix_bits, family) = match addr {
        IpAddr::V4(addr) => (addr.to_ipv6_mapped(), prefix_bits + 96, family::V4),
        IpAddr::V6(addr) => (addr, prefix_bits, family::V6),
    };
    let mask = net::ones_v6(prefix_bits);
    let words = |bits: u128| words(&bits.to_be_bytes());
    flowtop_common::Net { address: words(addr.to_bits() & mask), mask: words(mask), family: family.into() }
}

fn is_in((addr, prefix_bits): (IpAddr, u8), asked: IpAddr) -> bool {
    let net = match addr {
        IpAddr::V4(addr) => Net::masked_v4(addr, net::ones_v4(prefix_bits)),
        IpAddr::V6(addr) => Net::prefixed_v6(addr, prefix_bits),
    };
    net.is_some_and(|net| net.contains(asked))
}

/// A list and another one; `None`, which restricts nothing, wins.
fn extend<T>(all: &mut Option<Vec<T>>, part: Option<Vec<T>>) {
    match (all.as_mut(), part) {
        (Some(all), Some(part)) => all.extend(part),
        _ => *all = None,
    }
}

/// The list that is there, or the smaller one by `size`.
fn narrower<T, S: Ord>(a: Option<T>, b: Option<T>, size: impl Fn(&T) -> S) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if size(&b) < size(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn covered_ports(ranges: &[RangeInclusive<u16>]) -> usize {
    ranges.iter().map(ExactSizeIterator::len).sum()
}

/// How much of its family the widest network of a list covers: bits before the prefix is full, negated.
fn widest_share(nets: &[(IpAddr, u8)]) -> core::cmp::Reverse<u8> {
    core::cmp::Reverse(nets.iter().map(|(_, prefix_bits)| *prefix_bits).min().unwrap_or(u8::MAX))
}

/// Sorted, and ranges that overlap or touch made one.
fn merged(mut ranges: Vec<RangeInclusive<u16>>) -> Vec<RangeInclusive<u16>> {
    ranges.sort_by_key(|range| (*range.start(), *range.end()));
    let mut merged: Vec<RangeInclusive<u16>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if u32::from(*range.start()) <= u32::from(*last.end()) + 1 => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn distinct(mut nets: Vec<(IpAddr, u8)>) -> Vec<(IpAddr, u8)> {
    nets.sort_unstable();
    nets.dedup();
    nets
}
