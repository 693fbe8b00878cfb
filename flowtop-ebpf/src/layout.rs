//! The elements of the maps as the programs see them: the structs of `flowtop-common` with each field a [`Shared`] word,
//! and the state of a socket, which is the kernel side's own.

use crate::shared::Shared;
use core::mem::{offset_of, size_of};
use flowtop_common::{Allocation, Detail, Slot, Untracked};

/// Declares a struct of shared words that lies in memory like a struct of `flowtop-common`.
macro_rules! like {
    ($plain:ident; $(#[$attribute:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[repr(C)]
        pub struct $name { $(pub $field: $type),* }
        const _: () = assert!(size_of::<$name>() == size_of::<$plain>());
        $(const _: () = assert!(offset_of!($name, $field) == offset_of!($plain, $field));)*
    };
}

like! { Slot;
    /// [`Slot`]: what most events touch of an entry.
    SharedSlot {
        socket: Shared<u64>,
        tx_origin: Shared<u32>,
        rx_origin: Shared<u32>,
        tx_bytes: Shared<u64>,
        rx_bytes: Shared<u64>,
        last_us: Shared<u64>,
        base_tx_bytes: Shared<u64>,
        base_rx_bytes: Shared<u64>,
        generation: Shared<u32>,
        state: Shared<u8>,
        flags: Shared<u8>,
        uses: Shared<u8>,
        pad: Shared<u8>,
    }
}

like! { Detail;
    /// [`Detail`]: the rest of an entry. Key and name are words too.
    SharedDetail {
        key: [Shared<u64>; 7],
        opened_ns: Shared<u64>,
        sent_bytes: Shared<u64>,
        retrans_bytes: Shared<u64>,
        cgroup_id: Shared<u64>,
        segs_in: Shared<u32>,
        segs_out: Shared<u32>,
        retrans_segs: Shared<u32>,
        srtt_us_x8: Shared<u32>,
        comm: [Shared<u64>; 2],
        pid: Shared<u32>,
        pad: Shared<u32>,
    }
}

like! { Allocation;
    /// [`Allocation`]: which slots are free.
    SharedAllocation { next: Shared<u64>, head: Shared<u64>, tail: Shared<u64> }
}

like! { Untracked;
    /// [`Untracked`]: the reserved entry.
    SharedUntracked {
        flows: Shared<u64>,
        tx_bytes: Shared<u64>,
        rx_bytes: Shared<u64>,
        mirrored_tx_bytes: Shared<u64>,
        mirrored_rx_bytes: Shared<u64>,
    }
}

/// What is remembered of one socket between events.
#[repr(C)]
pub struct SocketState {
    /// For a socket without an entry: bytes sent that the reserved entry has already.
    pub untracked_tx_bytes: Shared<u64>,
    /// For a socket without an entry: bytes received that the reserved entry has already.
    pub untracked_rx_bytes: Shared<u64>,
    /// `flowtop_common::flags`, and the bits in [`socket`].
    pub flags: Shared<u32>,
    /// Element of `SLOTS` and of `DETAILS` with the entry, or `slots::NONE`.
    pub slot: Shared<u32>,
    /// Sequence number that stands for 0 bytes sent.
    pub tx_origin: Shared<u32>,
    /// Sequence number that stands for 0 bytes received.
    pub rx_origin: Shared<u32>,
    /// Bytes that send calls have returned, of those calls that were looked at (see `redirect`).
    pub sent_in_calls: Shared<u64>,
    /// Of these: bytes that TCP did not take, as far as they have been counted as lost.
    pub past_tcp: Shared<u64>,
}

impl SocketState {
    /// Whether it has this one of the flags.
    #[inline(always)]
    pub fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    /// Adds a flag. Events that do so run under the socket lock.
    #[inline(always)]
    pub fn add_flag(&self, flag: u32) {
        self.flags.set(self.flags.get() | flag);
    }
}

/// Bits of [`SocketState::flags`] beside those of an entry.
pub mod socket {
    /// The socket has a flow, with an entry or without.
    pub const HAS_FLOW: u32 = 1 << 16;
    /// The flow table was full: the socket counts into the reserved entry.
    pub const UNTRACKED: u32 = 1 << 17;
    /// The other end counts in the totals of this host.
    pub const MIRRORED: u32 = 1 << 18;
    /// The socket has a flow that is not of interest: it counts nowhere.
    pub const IGNORED: u32 = 1 << 19;
}
