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
    /// Elements of `port` in use.
    pub ports: u32,
    /// Elements of `net` in use.
    pub nets: u32,
    /// The port of one end at least is in one of these.
    pub port: [PortRange; Self::LISTED],
    /// The address of one end at least is in one of these.
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
    #[inline(always)]
    #[must_use]
    pub fn admits(&self, key: &FlowKey) -> bool {
        if self.checks == 0 {
            return true;
        }
        let (local, remote) = (words(&key.local_addr), words(&key.remote_addr));
        let family = if is_mapped(local) { family::V4 } else { family::V6 };
        (self.checks & check::FAMILY == 0 || self.families & family != 0)
            && (self.checks & check::PORT == 0
                || self.has_port(key.local_port)
                || self.has_port(key.remote_port))
            && (self.checks & check::NET == 0
                || self.has_address(local, family)
                || self.has_address(remote, family))
    }

    #[inline(always)]
    fn has_port(&self, port: u16) -> bool {
        let mut found = false;
        for (index, range) in (0..).zip(&self.port) {
            found |= index < self.ports && range.first <= port && port <= range.last;
        }
        found
    }

    #[inline(always)]
    fn has_address(&self, address: [u64; 2], family: u32) -> bool {
        let mut found = false;
        for (index, net) in (0..).zip(&self.net) {
            let differs =
                ((address[0] & net.mask[0]) ^ net.address[0]) | ((address[1] & net.mask[1]) ^ net.address[1]);
            found |= index < self.nets && net.family == u64::from(family) && differs == 0;
        }
        found
    }
}

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

const _: () = assert!(size_of::<Admission>() == 16 + 32 + 8 * 40);
