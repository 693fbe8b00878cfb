//! The tables of the kernel side in our own memory: one pass over the slots reads every flow, without a system call.

use super::sys::{self, Mapped};
use crate::core::{ledger::Ledger, recycle::Recycler, wire::Sample};
use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, Map, MapData, PerCpuArray},
};
use flowtop_common::{Admission, Allocation, Flow, FlowKey, Loss, Slot, Untracked, flags};
use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

/// Flows that a ledger is given at a time: they stay in the processor's cache.
const PART: usize = 256;

/// Reads what the kernel side has counted, and gives back what has ended.
pub struct Reader {
    /// The index of the flow table.
    flows: MapData,
    slots: Mapped<Slot>,
    allocation: Mapped<Allocation>,
    free: Mapped<u64>,
    untracked: Array<MapData, [u64; 5]>,
    losses: PerCpuArray<MapData, u64>,
    recycler: Recycler,
    /// Slots of the flows that had ended at the last read.
    ended: HashMap<FlowKey, usize>,
}

impl Reader {
    /// Maps the tables of the loaded object.
    ///
    /// # Errors
    /// When the object does not have the maps, which the contract test rules out for the committed one, or when they
    /// do not fit into the address space.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            flows: data(ebpf, "FLOWS")?,
            slots: mapped(ebpf, "SLOTS")?,
            allocation: covered(ebpf, "ALLOCATION")?,
            free: mapped(ebpf, "FREE")?,
            recycler: Recycler::default(),
            untracked: Array::try_from(take(ebpf, "UNTRACKED")?)?,
            losses: PerCpuArray::try_from(take(ebpf, "LOSSES")?)?,
            ended: HashMap::new(),
        })
    }

    /// Reads everything into `sample`, whose memory is used again. `at_ns` is left to the caller.
    pub fn read(&mut self, sample: &mut Sample) -> Result<()> {
        self.read_counters(sample)?;
        sample.flows.clear();
        self.read_flows(|key, flow| sample.flows.push((key, flow)))
    }

    /// Reads everything into a ledger, at `at_ns` of the monotonic clock. There is no second copy of the table in between.
    pub fn feed(&mut self, ledger: &mut Ledger, at_ns: u64) -> Result<()> {
        let mut sample = Sample { at_ns, ..Sample::default() };
        self.read_counters(&mut sample)?;
        ledger.begin(&sample);
        let flows = &mut sample.flows;
        self.read_flows(|key, flow| {
            flows.push((key, flow));
            if flows.len() == PART {
                ledger.take(flows);
                flows.clear();
            }
        })?;
        ledger.take(flows);
        ledger.finish();
        Ok(())
    }

    fn read_counters(&mut self, sample: &mut Sample) -> Result<()> {
        let words = self.untracked.get(&0, 0).context("cannot read the entry for untracked flows")?;
        sample.untracked = untracked(words);
        for (loss, _) in Loss::ALL {
            let per_cpu = self.losses.get(&(*loss as u32), 0).context("cannot read the loss counters")?;
            sample.set_loss(*loss, per_cpu.iter().copied());
        }
        Ok(())
    }

    fn read_flows(&mut self, mut take: impl FnMut(FlowKey, Flow)) -> Result<()> {
        self.ended.clear();
        let allocation = self.allocation.get(0);
        let used = Recycler::used(&allocation, self.slots.elements());
        self.slots.cover(used.end).context("no memory to read the flow table; try a smaller --max-flows")?;
        for number in used {
            if self.slots.flags(number) & flags::OPEN == 0 {
                self.recycler.saw_empty(number, &allocation);
                continue;
            }
            let slot = self.slots.get(number);
            if slot.flow.flags & flags::ENDED != 0 {
                self.ended.insert(slot.key, number);
            }
            take(slot.key, slot.flow);
        }
        self.give_back(&[])
    }

    /// Removes flows that have ended and been read since.
    pub fn remove(&mut self, keys: &[FlowKey]) -> Result<()> {
        sys::delete_batch(self.index(), keys).context("cannot remove ended flows from the flow table")?;
        let slots: Vec<_> = keys.iter().filter_map(|key| self.ended.remove(key)).collect();
        self.give_back(&slots)
    }

    /// Puts slots into the ring, and those that got lost.
    fn give_back(&mut self, slots: &[usize]) -> Result<()> {
        for &number in slots {
            self.slots.clear_flags(number);
        }
        let (allocation, mask) = (self.allocation.get(0), self.free.elements() - 1);
        let ring = &mut self.free;
        let put = |position: usize, number: usize| {
            ring.cover((position & mask) + 1)?;
            ring.set(position & mask, number as u64);
            io::Result::Ok(())
        };
        let tail = self.recycler.give_back(slots, &allocation, put);
        if let Some(tail) = tail.context("no memory for the list of free entries")? {
            self.allocation.set_tail(tail);
        }
        Ok(())
    }

    fn index(&self) -> BorrowedFd<'_> {
        self.flows.fd().as_fd()
    }
}

/// From now on only flows that meet this condition get an entry.
///
/// # Errors
/// As for [`Reader::new`].
pub fn admit(ebpf: &mut Ebpf, admission: &Admission) -> Result<()> {
    covered::<Admission>(ebpf, "ADMISSION")?.publish(admission);
    Ok(())
}

/// The reserved entry from the words it consists of.
fn untracked(words: [u64; 5]) -> Untracked {
    Untracked {
        flows: words[0],
        tx_bytes: words[1],
        rx_bytes: words[2],
        mirrored_tx_bytes: words[3],
        mirrored_rx_bytes: words[4],
    }
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).with_context(|| format!("the BPF object has no map {name}"))
}

fn data(ebpf: &mut Ebpf, name: &str) -> Result<MapData> {
    match take(ebpf, name)? {
        Map::HashMap(data) | Map::Array(data) => Ok(data),
        other => anyhow::bail!("map {name} of the BPF object is of another kind: {other:?}"),
    }
}

/// An array that is read whole.
fn covered<T: sys::Element>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    let mut array = mapped(ebpf, name)?;
    array.cover(array.elements()).with_context(|| format!("cannot map {name} into memory"))?;
    Ok(array)
}

fn mapped<T: sys::Element>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    let data = data(ebpf, name)?;
    let len = data.info()?.max_entries() as usize;
    Mapped::new(data.fd().as_fd(), len).with_context(|| format!("cannot map {name} into memory"))
}
