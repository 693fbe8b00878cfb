//! `-F` and `-G`: which end of a flow is inside a network, and that a flow crosses its border.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::core::flow::Tuple;

use super::net::{Net, ones_v4, ones_v6};

/// The networks of `-F` (IPv4) and `-G` (IPv6). Several of one family are one inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundary {
    v4: Vec<Net>,
    v6: Vec<Net>,
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The end of the flow's own socket.
    Local,
    /// The other end.
    Remote,
}

/// What is wrong with a network of `-F` or `-G`. The text says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BoundaryError(String);

impl Boundary {
    /// Adds `addr/len` or `addr/mask`. Bits of the address outside the mask are ignored, as iftop does.
    pub fn add_v4(&mut self, text: &str) -> Result<(), BoundaryError> {
        let (addr, behind) = halves(text, "10.0.0.0/8")?;
        let addr: Ipv4Addr = parsed(addr, text, "an IPv4 address", "10.0.0.0/8")?;
        let mask = match behind.parse::<Ipv4Addr>() {
            Ok(mask) => mask.to_bits(),
            Err(_) => ones_v4(prefix_bits(behind, text, 32)?),
        };
        check_mask(text, mask.leading_ones() + mask.trailing_zeros() == 32, mask == 0)?;
        self.v4.push(Net::V4 { addr: addr.to_bits() & mask, mask });
        Ok(())
    }

    /// Adds `addr/len` or `addr/mask`, the mask in the form of an address.
    pub fn add_v6(&mut self, text: &str) -> Result<(), BoundaryError> {
        let (addr, behind) = halves(text, "2001:db8::/32")?;
        let addr: Ipv6Addr = parsed(addr, text, "an IPv6 address", "2001:db8::/32")?;
        let mask = match behind.parse::<Ipv6Addr>() {
            Ok(mask) => mask.to_bits(),
            Err(_) => ones_v6(prefix_bits(behind, text, 128)?),
        };
        check_mask(text, mask.leading_ones() + mask.trailing_zeros() == 128, mask == 0)?;
        self.v6.push(Net::V6 { addr: addr.to_bits() & mask, mask });
        Ok(())
    }

    /// The end that is shown on the left: the one inside. `None` drops the flow, because both ends are inside or
    /// both outside. Without a network of its family a flow is not filtered and its local end is on the left.
    #[must_use]
    pub fn inside(&self, tuple: &Tuple) -> Option<End> {
        let nets = if tuple.local.is_ipv4() { &self.v4 } else { &self.v6 };
        if nets.is_empty() {
            return Some(End::Local);
        }
        let is_inside = |addr: IpAddr| nets.iter().any(|net| net.contains(addr));
        match (is_inside(tuple.local.ip()), is_inside(tuple.remote.ip())) {
            (true, false) => Some(End::Local),
            (false, true) => Some(End::Remote),
            _ => None,
        }
    }
}

fn halves<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), BoundaryError> {
    let missing = || BoundaryError(format!("network `{text}` has no mask; write one like `{example}`"));
    text.split_once('/').ok_or_else(missing)
}

fn parsed<T: std::str::FromStr>(
    part: &str,
    text: &str,
    what: &str,
    example: &str,
) -> Result<T, BoundaryError> {
    let wrong =
        |_| BoundaryError(format!("`{part}` in network `{text}` is not {what}; write one like `{example}`"));
    part.parse().map_err(wrong)
}

fn prefix_bits(part: &str, text: &str, most: u8) -> Result<u8, BoundaryError> {
    let wrong = || BoundaryError(format!("`{part}` in network `{text}` is no mask; write 1 to {most}"));
    // `parse` takes a plus sign, too.
    let digits = part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|bits| digits && *bits <= most).ok_or_else(wrong)
}

fn check_mask(text: &str, ones_first: bool, is_zero: bool) -> Result<(), BoundaryError> {
    if is_zero {
        let why = "has everything inside, so no flow would cross its border; write a longer mask";
        return Err(BoundaryError(format!("network `{text}` {why}")));
    }
    if !ones_first {
        let why = "has a mask with gaps; write its ones first, as in `255.255.0.0`";
        return Err(BoundaryError(format!("network `{text}` {why}")));
    }
    Ok(())
}
