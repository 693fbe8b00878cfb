//! `-F` and `-G`: which end of a flow is inside a network, and that a flow crosses its border.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::str::FromStr;

use crate::flow::Tuple;
use crate::scope::{Scope, Subject, Verdict};

use super::net::{Net, ones_v4, ones_v6};
use super::pushdown::Pushdown;

/// The networks of `-F` (IPv4) and `-G` (IPv6). Several of one family are one inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundary {
    v4: Vec<Net>,
    v6: Vec<Net>,
}

/// Where a flow stands to the border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// There is no border in its family: it counts, and no end is left by the border.
    #[default]
    Unwatched,
    /// The end of the flow's own socket is inside, the other one outside.
    LocalInside,
    /// The local end is outside, the remote end inside.
    RemoteInside,
    /// Both ends are inside, or both outside: the flow does not count.
    NotAcross,
}

/// Rejected network of `-F` or `-G`. The text says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{right}")]
pub struct BoundaryError {
    right: String,
    /// Warning that iftop prints before it ignores the network; `None` where iftop accepts it.
    pub warning: Option<String>,
    /// The network that iftop takes in its place, if it takes one.
    pub instead: Option<String>,
}

impl Boundary {
    /// The border around these networks, IPv4 and IPv6.
    ///
    /// # Errors
    /// The first one that is none.
    pub fn new(v4: &[String], v6: &[String]) -> Result<Self, BoundaryError> {
        let mut boundary = Self::default();
        v4.iter().try_for_each(|text| boundary.add_v4(text))?;
        v6.iter().try_for_each(|text| boundary.add_v6(text))?;
        Ok(boundary)
    }

    /// The border around networks, each an address with its prefix length in bits. Bits of the address behind the
    /// prefix are ignored.
    #[must_use]
    pub fn around(networks: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        let mut boundary = Self::default();
        for (address, prefix_bits) in networks {
            match address {
                IpAddr::V4(address) => boundary.push_v4(address, ones_v4(prefix_bits)),
                IpAddr::V6(address) => boundary.push_v6(address, ones_v6(prefix_bits)),
            }
        }
        boundary
    }

    /// Its networks, those of IPv4 first, each with its prefix length in bits.
    pub fn networks(&self) -> impl Iterator<Item = (IpAddr, u8)> {
        self.v4.iter().chain(&self.v6).map(Net::widened)
    }

    fn push_v4(&mut self, address: Ipv4Addr, mask: u32) {
        self.v4.push(Net::V4 { addr: address.to_bits() & mask, mask });
    }

    fn push_v6(&mut self, address: Ipv6Addr, mask: u128) {
        self.v6.push(Net::V6 { addr: address.to_bits() & mask, mask });
    }

    /// Adds `addr/len` or `addr/mask`. Bits of the address outside the mask are ignored, as iftop does.
    pub fn add_v4(&mut self, text: &str) -> Result<(), BoundaryError> {
        let notation = Notation { text, ..V4 };
        let (addr, behind) = notation.halves()?;
        let addr: Ipv4Addr = notation.address(addr)?;
        let mask = match behind.parse::<Ipv4Addr>() {
            Ok(mask) => mask.to_bits(),
            // iftop reads nothing as 0.
            Err(_) if behind.is_empty() => 0,
            Err(_) => ones_v4(notation.prefix_bits(behind).map_err(|error| as_iftop(error, addr, behind))?),
        };
        notation.check_mask(mask.leading_ones() + mask.trailing_zeros() == 32, mask == 0)?;
        self.push_v4(addr, mask);
        Ok(())
    }

    /// Adds `addr/len` or `addr/mask`, the mask in the form of an address.
    pub fn add_v6(&mut self, text: &str) -> Result<(), BoundaryError> {
        let notation = Notation { text, ..V6 };
        let (addr, behind) = notation.halves()?;
        let addr: Ipv6Addr = notation.address(addr)?;
        let mask = match behind.parse::<Ipv6Addr>() {
            Ok(mask) => mask.to_bits(),
            Err(_) => ones_v6(notation.prefix_bits(behind)?),
        };
        notation.check_mask(mask.leading_ones() + mask.trailing_zeros() == 128, mask == 0)?;
        self.push_v6(addr, mask);
        Ok(())
    }

    /// The part that the kernel side checks: one end is inside, in the families that have a border.
    #[must_use]
    pub fn pushdown(&self) -> Pushdown {
        let inside = |nets: &[Net], everywhere: IpAddr| match nets {
            [] => vec![(everywhere, 0)],
            nets => nets.iter().map(Net::widened).collect(),
        };
        let v4 = inside(&self.v4, Ipv4Addr::UNSPECIFIED.into());
        let v6 = inside(&self.v6, Ipv6Addr::UNSPECIFIED.into());
        Pushdown::within([v4, v6].concat())
    }

    /// Where the two ends of a flow stand relative to the border.
    #[must_use]
    pub fn side(&self, tuple: &Tuple) -> Side {
        let nets = if tuple.local.is_ipv4() { &self.v4 } else { &self.v6 };
        if nets.is_empty() {
            return Side::Unwatched;
        }
        let is_inside = |addr: IpAddr| nets.iter().any(|net| net.contains(addr));
        match (is_inside(tuple.local.ip()), is_inside(tuple.remote.ip())) {
            (true, false) => Side::LocalInside,
            (false, true) => Side::RemoteInside,
            _ => Side::NotAcross,
        }
    }
}

/// The mask that iftop has before it reads one. It stays in force when the length is too large, and only then.
const MASK_BEFORE: u8 = 24;

fn as_iftop(error: BoundaryError, addr: Ipv4Addr, length: &str) -> BoundaryError {
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    BoundaryError { instead: is_number.then(|| format!("{addr}/{MASK_BEFORE}")), ..error }
}

impl Side {
    /// Whether the border says nothing about which end is left.
    #[must_use]
    pub fn leaves_it_open(self) -> bool {
        matches!(self, Self::Unwatched | Self::NotAcross)
    }

    /// This side, where that of the other end is known as well: an end of which nothing is known is opposite to it, and two
    /// that say the same of themselves say nothing.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        match (self, other) {
            (Self::RemoteInside, Self::RemoteInside) | (Self::LocalInside, Self::LocalInside) => {
                Self::NotAcross
            }
            (Self::Unwatched | Self::NotAcross, Self::RemoteInside) => Self::LocalInside,
            (Self::Unwatched | Self::NotAcross, Self::LocalInside) => Self::RemoteInside,
            (own, _) => own,
        }
    }

    /// Whether the flow's own end is the left one. `leads` tells where there is no border.
    #[must_use]
    pub fn is_left(self, leads: bool) -> bool {
        match self {
            Self::Unwatched | Self::NotAcross => leads,
            Self::LocalInside => true,
            Self::RemoteInside => false,
        }
    }
}

impl Scope for Boundary {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        Verdict::both(self.side(&subject.tuple) != Side::NotAcross)
    }
}

/// How the networks of a family are written, and what iftop says when they are not.
#[derive(Clone)]
struct Notation<'a> {
    text: &'a str,
    example: &'static str,
    family: &'static str,
    bits: RangeInclusive<u8>,
    no_mask: &'static str,
    no_address: &'static str,
    no_length: &'static str,
    no_netmask: &'static str,
}

const V4: Notation<'static> = Notation {
    text: "",
    example: "10.0.0.0/8",
    family: "an IPv4 address",
    bits: 0..=32,
    no_mask: "Could not parse net/mask",
    no_address: "Invalid network address",
    no_length: "Invalid netmask length",
    no_netmask: "Invalid netmask",
};

const V6: Notation<'static> = Notation {
    text: "",
    example: "2001:db8::/32",
    family: "an IPv6 address",
    bits: 1..=128,
    no_mask: "Could not parse IPv6 net/prefix",
    no_address: "Invalid IPv6 network address",
    no_length: "Invalid IPv6 prefix length",
    no_netmask: "Invalid IPv6 netmask",
};

impl<'a> Notation<'a> {
    fn wrong(right: impl Into<String>, warning: Option<(&str, &str)>) -> BoundaryError {
        let warning = warning.map(|(what, about)| format!("{what}: {about}"));
        BoundaryError { right: right.into(), warning, instead: None }
    }

    fn halves(&self) -> Result<(&'a str, &'a str), BoundaryError> {
        let missing = || {
            let right = format!("give it a mask, as in {}", self.example);
            Self::wrong(right, Some((self.no_mask, self.text)))
        };
        self.text.split_once('/').ok_or_else(missing)
    }

    fn address<T: FromStr>(&self, part: &str) -> Result<T, BoundaryError> {
        let wrong = |_| {
            let right = format!("give {} before the slash, as in {}", self.family, self.example);
            Self::wrong(right, Some((self.no_address, part)))
        };
        part.parse().map_err(wrong)
    }

    fn prefix_bits(&self, part: &str) -> Result<u8, BoundaryError> {
        // `parse` takes a plus sign, too.
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        let warning = if is_number {
            (self.no_length, part)
        } else {
            (self.no_netmask, self.text.split('/').next().unwrap_or_default())
        };
        let right = format!("give a mask of 1 to {} bits, as in {}", self.bits.end(), self.example);
        let wrong = || Self::wrong(right, Some(warning));
        part.parse().ok().filter(|bits| is_number && self.bits.contains(bits)).ok_or_else(wrong)
    }

    fn check_mask(&self, ones_first: bool, is_zero: bool) -> Result<(), BoundaryError> {
        if is_zero {
            let right = "give a longer mask: everything is inside of this one, so nothing crosses its border";
            return Err(Self::wrong(right, None));
        }
        if !ones_first {
            let right = format!("give a mask with its ones first, as in {}", self.example);
            return Err(Self::wrong(right, None));
        }
        Ok(())
    }
}
