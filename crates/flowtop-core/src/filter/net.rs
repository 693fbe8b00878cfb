//! A network: the addresses that share the bits under a mask.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of one family that equal `addr` where `mask` has ones. No bit of `addr` is outside `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Net {
    /// IPv4; the ones of the mask may have gaps, as pcap allows.
    V4 {
        addr: u32,
        /// The mask.
        mask: u32,
    },
    V6 {
        addr: u128,
        mask: u128,
    },
}

impl Net {
    /// One address. An IPv4-mapped one is IPv4, as in [`crate::flow::Tuple`].
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(addr) => Self::V4 { addr: addr.to_bits(), mask: u32::MAX },
            IpAddr::V6(addr) => Self::V6 { addr: addr.to_bits(), mask: u128::MAX },
        }
    }

    /// The network of an address and a mask, `None` if the address has bits outside the mask.
    pub(super) fn masked_v4(addr: Ipv4Addr, mask: u32) -> Option<Self> {
        let addr = addr.to_bits();
        (addr & !mask == 0).then_some(Self::V4 { addr, mask })
    }

    /// The network of an address and a prefix length, `None` if the address has bits behind the prefix. A network
    /// of IPv4-mapped addresses is one of IPv4.
    pub(super) fn prefixed_v6(addr: Ipv6Addr, prefix_bits: u8) -> Option<Self> {
        let mask = ones_v6(prefix_bits);
        if addr.to_bits() & !mask != 0 {
            return None;
        }
        match (addr.to_ipv4_mapped(), prefix_bits.checked_sub(96)) {
            (Some(v4), Some(prefix_bits)) => Self::masked_v4(v4, ones_v4(prefix_bits)),
            _ => Some(Self::V6 { addr: addr.to_bits(), mask }),
        }
    }

    /// Whether an address is in the network.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (*self, addr) {
            (Self::V4 { addr, mask }, IpAddr::V4(asked)) => asked.to_bits() & mask == addr,
            (Self::V6 { addr, mask }, IpAddr::V6(asked)) => asked.to_bits() & mask == addr,
            _ => false,
        }
    }

    /// The smallest network written as address and prefix length that has all of this one in it.
    #[must_use]
    pub fn widened(&self) -> (IpAddr, u8) {
        match *self {
            Self::V4 { addr, mask } => {
                let prefix_bits = mask.leading_ones().try_into().unwrap_or(32);
                (Ipv4Addr::from_bits(addr & ones_v4(prefix_bits)).into(), prefix_bits)
            }
            Self::V6 { addr, mask } => {
                let prefix_bits = mask.leading_ones().try_into().unwrap_or(128);
                (Ipv6Addr::from_bits(addr & ones_v6(prefix_bits)).into(), prefix_bits)
            }
        }
    }
}

/// A mask of that many ones, 32 at the most.
pub(super) fn ones_v4(prefix_bits: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(prefix_bits.into())).unwrap_or(0)
}

/// A mask of that many ones, 128 at the most.
pub(super) fn ones_v6(prefix_bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(prefix_bits.into())).unwrap_or(0)
}

/// As the filter language writes it, with the word before it.
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.widened()) {
            (Self::V4 { addr, mask }, _) if mask.leading_ones() + mask.trailing_zeros() < 32 => {
                write!(f, "net {} mask {}", Ipv4Addr::from_bits(addr), Ipv4Addr::from_bits(mask))
            }
            (Self::V4 { .. }, (addr, 32)) | (Self::V6 { .. }, (addr, 128)) => write!(f, "host {addr}"),
            (_, (addr, prefix_bits)) => write!(f, "net {addr}/{prefix_bits}"),
        }
    }
}
