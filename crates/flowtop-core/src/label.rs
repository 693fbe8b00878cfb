//! Labels of networks: one for every remote address, from a file or by the class of the address.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hashbrown::HashMap;

use super::sanitize::breaks_a_screen;

#[cfg(test)]
mod tests;

/// Classes of addresses that no line of the file names.
pub const BUILT_IN: [&str; 5] = ["loopback", "same-host", "link-local", "private", "public"];

/// Characters of a label at most.
const MAX_CHARS: usize = 64;

/// A rejected line of the labels' file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
pub struct LabelError {
    /// Its number, from 1.
    line: usize,
    mistake: Mistake,
}

/// Texts of the file are shown with escapes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Mistake {
    #[error("\"{0}\" is no network; write one like 10.0.0.0/8 or 2001:db8::/32")]
    NoNetwork(String),
    #[error("{typed} has bits behind its prefix; write {network}/{prefix_bits}")]
    BitsBehindPrefix { typed: String, network: IpAddr, prefix_bits: u8 },
    #[error("{0} has no name; write one behind it")]
    NoName(String),
    #[error("\"{0}\" is one word too many; write `CIDR name`")]
    ExtraWord(String),
    #[error("\"{0}\" is no label; write up to {MAX_CHARS} characters that can be shown")]
    NoLabel(String),
    /// With the number of the first line that labels the network.
    #[error("{network}/{prefix_bits} has a label in line {first}; remove one of them")]
    Twice { network: IpAddr, prefix_bits: u8, first: usize },
}

impl Mistake {
    fn shown(text: &str) -> String {
        text.escape_debug().to_string()
    }
}

/// Labels by network. The longest prefix wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    /// For each prefix length that occurs, the longest first: network → index of its name.
    v4: Vec<(u8, HashMap<u32, usize>)>,
    v6: Vec<(u8, HashMap<u128, usize>)>,
}

/// Networks of both families with their line and name, as they are written.
type Lines = (Vec<(u8, u32, usize)>, Vec<(u8, u128, usize)>);

impl Labels {
    /// No labels of the user's: only the built-in ones.
    pub const NONE: Self = Self { names: Vec::new(), v4: Vec::new(), v6: Vec::new() };

    /// Reads lines `CIDR name`; an address alone is a network of one. What follows `#` is a comment.
    ///
    /// # Errors
    /// The first line that is not right, and what would be.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let (mut names, mut found): (Vec<String>, Lines) = Default::default();
        let mut lines = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let at = |mistake| LabelError { line: index + 1, mistake };
            let Some((network, prefix_bits, name)) = label(line).map_err(at)? else { continue };
            if let Some(first) = lines.insert((network, prefix_bits), index + 1) {
                return Err(at(Mistake::Twice { network, prefix_bits, first }));
            }
            let name_index = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            match network {
                IpAddr::V4(v4) => found.0.push((prefix_bits, v4.to_bits(), name_index)),
                IpAddr::V6(v6) => found.1.push((prefix_bits, v6.to_bits(), name_index)),
            }
        }
        Ok(Self { names, v4: by_length(found.0), v6: by_length(found.1) })
    }

    /// Labels of single addresses, each with whether its end is on this host. What an address says itself is left to it.
    #[must_use]
    pub fn of_addresses<'a>(known: impl Iterator<Item = (IpAddr, bool, &'a str)>) -> Self {
        let (mut indexes, mut names) = (HashMap::new(), Vec::new());
        let (mut v4, mut v6) = (HashMap::new(), HashMap::new());
        for (address, _, name) in known.filter(|(at, same, name)| class(at.to_canonical(), *same) != *name) {
            let index = *indexes.entry(name).or_insert_with(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            match address.to_canonical() {
                IpAddr::V4(address) => v4.insert(address.to_bits(), index),
                IpAddr::V6(address) => v6.insert(address.to_bits(), index),
            };
        }
        Self { names, v4: vec![(32, v4)], v6: vec![(128, v6)] }
    }

    /// The label of a remote address: that of the file, or one of [`BUILT_IN`]. `same_host` says that the other end is
    /// known to be on this host.
    #[must_use]
    pub fn of(&self, address: IpAddr, same_host: bool) -> &str {
        let named = match address.to_canonical() {
            IpAddr::V4(v4) => longest(&self.v4, |bits| v4.to_bits() & ones_v4(bits)),
            IpAddr::V6(v6) => longest(&self.v6, |bits| v6.to_bits() & ones_v6(bits)),
        };
        named.map_or_else(|| class(address.to_canonical(), same_host), |index| &self.names[index])
    }
}

fn longest<T: core::hash::Hash + Eq>(
    lengths: &[(u8, HashMap<T, usize>)],
    network: impl Fn(u8) -> T,
) -> Option<usize> {
    lengths.iter().find_map(|(bits, names)| names.get(&network(*bits)).copied())
}

fn by_length<T: core::hash::Hash + Eq>(mut found: Vec<(u8, T, usize)>) -> Vec<(u8, HashMap<T, usize>)> {
    found.sort_by_key(|(bits, ..)| core::cmp::Reverse(*bits));
    let mut lengths: Vec<(u8, HashMap<T, usize>)> = Vec::new();
    for (bits, network, name) in found {
        match lengths.last_mut() {
            Some((last, names)) if *last == bits => {
                names.insert(network, name);
            }
            _ => lengths.push((bits, HashMap::from([(network, name)]))),
        }
    }
    lengths
}

/// Label by the class of the address, where no line of the file has it.
fn class(address: IpAddr, same_host: bool) -> &'static str {
    let [loopback, on_host, link_local, private, public] = BUILT_IN;
    let (is_link_local, is_private) = match address {
        // 100.64.0.0/10 is the shared space of carriers and of some clusters (RFC 6598).
        IpAddr::V4(v4) => (v4.is_link_local(), v4.is_private() || v4.to_bits() >> 22 == 0x6440_0000 >> 22),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unique_local()),
    };
    match () {
        () if address.is_loopback() => loopback,
        () if same_host => on_host,
        () if is_link_local => link_local,
        () if is_private => private,
        () => public,
    }
}

/// The label of a line, unless it is empty.
fn label(line: &str) -> Result<Option<(IpAddr, u8, String)>, Mistake> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let Some(network) = words.next() else { return Ok(None) };
    let (address, prefix_bits) = cidr(network)?;
    let name = words.next().ok_or_else(|| Mistake::NoName(network.to_owned()))?;
    if let Some(more) = words.next() {
        return Err(Mistake::ExtraWord(Mistake::shown(more)));
    }
    if name.chars().count() > MAX_CHARS || name.chars().any(breaks_a_screen) {
        let shown: String = name.chars().take(MAX_CHARS).collect();
        return Err(Mistake::NoLabel(Mistake::shown(&shown)));
    }
    Ok(Some((address, prefix_bits, name.to_owned())))
}

/// `ADDRESS/BITS`, or an address alone. A network of IPv4-mapped addresses is one of IPv4.
fn cidr(text: &str) -> Result<(IpAddr, u8), Mistake> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let wrong = || Mistake::NoNetwork(Mistake::shown(text));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let is_number = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let prefix_bits = bits.map_or(Some(most), |bits| Some(bits).filter(is_number)?.parse().ok());
    let prefix_bits = prefix_bits.filter(|bits| *bits <= most).ok_or_else(wrong)?;
    let network: IpAddr = match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & ones_v4(prefix_bits)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & ones_v6(prefix_bits)).into(),
    };
    if network != address {
        return Err(Mistake::BitsBehindPrefix { typed: Mistake::shown(text), network, prefix_bits });
    }
    match (network, prefix_bits.checked_sub(96)) {
        (IpAddr::V6(v6), Some(of_v4)) if v6.to_ipv4_mapped().is_some() => Ok((network.to_canonical(), of_v4)),
        _ => Ok((network, prefix_bits)),
    }
}

/// A mask of that many ones.
pub(super) fn ones_v4(prefix_bits: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(prefix_bits.into())).unwrap_or(0)
}

/// A mask of that many ones.
pub(super) fn ones_v6(prefix_bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(prefix_bits.into())).unwrap_or(0)
}
