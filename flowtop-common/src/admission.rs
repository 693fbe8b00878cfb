//! Which flows get an entry at all.
#![expect(
    clippy::inline_always,
    reason = "the kernel side has no calls to spare, and few that its verifier takes"
)]

use crate::FlowKey;

/// A necessary condition for a flow to be of interest, checked once when it would be opened. All zeros admit every flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Which of the conditions there are, bits of [`check`]. All have to hold.
    pub checks: u32,
    /// Bits of [`family`]: the family of the addresses is one of these.
    pub families: u32,
    /// The port of one end at least is in one of these; some may be the same.
    pub port: [PortRange; Self::LISTED],
    /// The address of one end at least is in one of these; some may be the same.
    pub net: [Net; Self::LISTED],
}

/// Both ends belong to it; host byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

/// A network. Addresses as in [`FlowKey`], 8 bytes a word.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// Its address; bits outside the mask are zero.
    pub address: [u64; 2],
    /// Its mask.
    pub mask: [u64; 2],
    /// Bit of [`family`].
    pub family: u64,
}

/// Bits of [`Admission::checks`].
pub mod check {
    /// `families` restricts.
    pub const FAMILY: u32 = 1;
    /// `port` restricts.
    pub const PORT: u32 = 2;
    /// `net` restricts.
    pub const NET: u32 = 4;
}

/// Address families as bits.
pub mod family {
    /// IPv4, also when it is mapped into IPv6.
    pub const V4: u32 = 1;
    /// IPv6.
    pub const V6: u32 = 2;
}

impl Admission {
    /// Ranges of ports, and networks, that there is room for.
    pub const LISTED: usize = 8;

    /// Whether a flow may be of interest.
    ///
    /// The lists are gone through without a branch: with one for every element the kernel's verifier followed so many
    /// paths that loading took ten times as long.
    #[inline(always)]
    #[must_use]
    pub fn admits(&self, key: &FlowKey) -> bool {
        if self.checks == 0 {
            return true;
        }
        let (local, remote) = (words(&key.local_addr), words(&key.remote_addr));
        let family = if is_mapped(local) { family::V4 } else { family::V6 };
        if self.checks & check::FAMILY != 0 && self.families & family == 0 {
            return false;
        }
        if self.checks & check::PORT != 0 && self.ports(key.local_port) | self.ports(key.remote_port) < YES {
            return false;
        }
        let nets = |address| self.nets(address, family.into());
        self.checks & check::NET == 0 || nets(local) | nets(remote) >= YES
    }

    /// At least [`YES`] if the port is in one of the ranges.
    #[inline(always)]
    fn ports(&self, port: u16) -> u64 {
        let mut found = 0;
        for range in &self.port {
            let (behind, width) = (port.wrapping_sub(range.first), range.last.wrapping_sub(range.first));
            // The difference is negative, with its highest bit set, if the port lies beyond the range.
            found |= !u64::from(width).wrapping_sub(u64::from(behind));
        }
        found
    }

    /// At least [`YES`] if the address is in one of the networks.
    #[inline(always)]
    fn nets(&self, address: [u64; 2], family: u64) -> u64 {
        let mut found = 0;
        for net in &self.net {
            let high = (address[0] & net.mask[0]) ^ net.address[0];
            let low = (address[1] & net.mask[1]) ^ net.address[1];
            let differs = high | low | (net.family ^ family);
            // The highest bit is set for 0 alone.
            found |= differs.wrapping_sub(1) & !differs;
        }
        found
    }
}

/// The highest bit.
const YES: u64 = 1 << 63;

/// The two halves of an address, in memory order.
#[inline(always)]
#[must_use]
pub fn words(address: &[u8; 16]) -> [u64; 2] {
    let (&[high, low], _) = address.as_chunks() else { return [0; 2] };
    [u64::from_ne_bytes(high), u64::from_ne_bytes(low)]
}

/// `::ffff:0:0/96`.
#[inline(always)]
fn is_mapped(address: [u64; 2]) -> bool {
    const MASK: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    const MAPPED: u64 = u64::from_ne_bytes([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    address[0] == 0 && address[1] & MASK == MAPPED
}

const _: () = assert!(size_of::<Admission>() == 8 + 32 + 8 * 40);
