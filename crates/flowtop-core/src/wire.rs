//! One reading of the kernel's maps as values: the sample, and the texts behind its numbers.
//!
//! Not in here: how the maps are read (`flowtop_bpf::read`) and what a sample means for the totals (`ledger`).

use alloc::vec::Vec;
use core::mem::offset_of;

use flowtop_common::{Flow, FlowKey, Holder, Loss, Untracked};

use super::moment::Moment;
use super::owner::Seen;

/// One read of the kernel's maps. Meant to be cleared and filled again, so that its memory is reused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// `CLOCK_MONOTONIC` in nanoseconds at the read.
    pub at_ns: u64,
    /// `CLOCK_REALTIME` at the same moment, in µs since 1970 UTC.
    pub at_us: i64,
    /// The flow table; the order says nothing.
    pub flows: Vec<(FlowKey, Flow)>,
    /// Entry for sockets that found the table full.
    pub untracked: Untracked,
    /// Losses of the kernel side since it was loaded, indexed by [`Loss`].
    pub losses: [u64; Loss::COUNT],
}

impl Sample {
    /// Empties the sample and keeps its memory.
    pub fn clear(&mut self) {
        let mut flows = core::mem::take(&mut self.flows);
        flows.clear();
        *self = Self { flows, ..Self::default() };
    }

    /// Sets the time of the read.
    pub fn set_time(&mut self, at: Moment) {
        (self.at_ns, self.at_us) = (at.ns, at.us);
    }

    /// Sets one loss from its per-CPU slots.
    pub fn set_loss(&mut self, loss: Loss, per_cpu: impl IntoIterator<Item = u64>) {
        self.losses[loss as usize] = per_cpu.into_iter().fold(0, u64::saturating_add);
    }
}

/// Length of what an iterator writes of one holder.
pub const HOLDER_BYTES: usize = size_of::<Holder>();
/// Length of what an iterator writes of one listener.
pub const KEY_BYTES: usize = size_of::<FlowKey>();

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    core::array::from_fn(|i| bytes[at + i])
}

/// A holder as the kernel side writes it: the flow, and who has its socket open.
#[must_use]
pub fn holder(bytes: &[u8; HOLDER_BYTES]) -> (FlowKey, Seen) {
    let pid = u32::from_ne_bytes(part(bytes, offset_of!(Holder, pid)));
    let key = part(bytes, offset_of!(Holder, key));
    (flow_key(&key), Seen { pid, comm: part(bytes, offset_of!(Holder, comm)), cgroup_id: 0 })
}

/// A key as the kernel side writes it.
#[must_use]
pub fn flow_key(bytes: &[u8; KEY_BYTES]) -> FlowKey {
    FlowKey {
        local_addr: part(bytes, offset_of!(FlowKey, local_addr)),
        remote_addr: part(bytes, offset_of!(FlowKey, remote_addr)),
        local_port: u16::from_ne_bytes(part(bytes, offset_of!(FlowKey, local_port))),
        remote_port: u16::from_ne_bytes(part(bytes, offset_of!(FlowKey, remote_port))),
        family: u16::from_ne_bytes(part(bytes, offset_of!(FlowKey, family))),
        netns: u32::from_ne_bytes(part(bytes, offset_of!(FlowKey, netns))),
        id: u64::from_ne_bytes(part(bytes, offset_of!(FlowKey, id))),
        ..FlowKey::default()
    }
}

/// Names of the TCP states in the order of `include/net/tcp_states.h`, which starts at 1.
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
];

/// The name of a TCP state as the kernel numbers it, `UNKNOWN` for a number it does not use.
#[must_use]
pub fn state_name(state: u32) -> &'static str {
    let index = usize::try_from(state).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| STATES.get(index)).copied().unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_kernels_numbers() {
        let named =
            [(1, "ESTABLISHED"), (2, "SYN_SENT"), (7, "CLOSE"), (8, "CLOSE_WAIT"), (12, "NEW_SYN_RECV")];
        for (number, name) in named {
            assert_eq!(state_name(number), name);
        }
        for number in [0, 13, u32::MAX] {
            assert_eq!(state_name(number), "UNKNOWN");
        }
    }

    #[test]
    fn a_loss_is_the_sum_of_its_slots() {
        let mut sample = Sample::default();
        sample.set_loss(Loss::Slot, [1, 2, 40]);
        assert_eq!(sample.losses[Loss::Slot as usize], 43);
        assert_eq!(sample.losses.iter().sum::<u64>(), 43);
    }

    #[test]
    fn a_loss_has_as_many_slots_as_the_host_may_have_processors() {
        let mut sample = Sample::default();
        sample.set_loss(Loss::Slot, (0..1000).map(|cpu| cpu % 3));
        assert_eq!(sample.losses[Loss::Slot as usize], 999);
        sample.set_loss(Loss::Slot, [u64::MAX; 1000]);
        assert_eq!(sample.losses[Loss::Slot as usize], u64::MAX);
    }

    #[test]
    fn clear_empties_and_keeps_the_memory() {
        let mut sample = Sample { at_ns: 5, flows: Vec::with_capacity(100), ..Sample::default() };
        sample.flows.push((FlowKey::default(), Flow::default()));
        sample.set_loss(Loss::Call, [3]);
        sample.clear();
        assert_eq!(sample, Sample::default());
        assert!(sample.flows.capacity() >= 100);
    }

    #[test]
    fn a_holder_is_read_field_by_field() {
        assert_eq!(offset_of!(Holder, key), 0);
        let mut bytes: [u8; HOLDER_BYTES] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        bytes[56..60].copy_from_slice(&4242_u32.to_ne_bytes());
        let (key, seen) = holder(&bytes);
        assert_eq!((key.local_addr[15], key.remote_addr[0]), (15, 16));
        assert_eq!(key.local_port, u16::from_ne_bytes([32, 33]));
        assert_eq!(
            (key.netns, key.id),
            (u32::from_ne_bytes([40, 41, 42, 43]), u64::from_ne_bytes([48, 49, 50, 51, 52, 53, 54, 55]))
        );
        assert_eq!((seen.pid, seen.comm[0], seen.comm[15]), (4242, 64, 79));
    }
}
