//! The tables of the kernel side in our own memory: one pass over the slots reads every flow, without a system call.
//! The details of a flow are looked at only where its slot has changed.

use crate::changes::Changes;
use crate::numbers::Numbers;
use crate::past_tcp::{self, PastTcp};
use crate::recycle::Recycler;
use crate::ways::Activity;
use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, Map, MapData, PerCpuArray},
};
use flowtop_common::{Admission, Allocation, Detail, Flow, FlowKey, Loss, Slot, Untracked, flags};
use flowtop_core::ledger::Ledger;
use flowtop_core::listeners::Listeners;
use flowtop_core::moment::Moment;
use flowtop_core::wire::Sample;
use flowtop_sys::Mapped;
use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::{Arc, Mutex, PoisonError},
};

/// Flows that a ledger is given at a time.
const PART: usize = 256;

/// Reads what the kernel side has counted, and gives back what has ended.
pub struct Reader {
    /// The index of the flow table.
    flows: MapData,
    slots: Mapped<Slot>,
    details: Mapped<Detail>,
    allocation: Mapped<Allocation>,
    free: Mapped<u64>,
    untracked: Array<MapData, [u64; 5]>,
    losses: PerCpuArray<MapData, u64>,
    recycler: Recycler,
    /// Values of the slots as last reported.
    told: Changes,
    /// Tell the roles of older flows.
    listeners: Listeners,
    /// Slots of the flows that had ended at the last read.
    ended: HashMap<FlowKey, usize>,
    /// Bytes of all flows at the last read.
    bytes: u64,
    activity: Activity,
    /// Numbers of processes here, where they are not the kernel's.
    pub numbers: Option<SharedNumbers>,
    /// Flows whose bytes go past TCP.
    past_tcp: past_tcp::Seen,
}

/// The translation that the reader of flows shares with that of holders.
pub type SharedNumbers = Arc<Mutex<Numbers>>;

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
            details: mapped(ebpf, "DETAILS")?,
            told: Changes::default(),
            allocation: covered(ebpf, "ALLOCATION")?,
            free: mapped(ebpf, "FREE")?,
            recycler: Recycler::default(),
            untracked: Array::try_from(take(ebpf, "UNTRACKED")?)?,
            losses: PerCpuArray::try_from(take(ebpf, "LOSSES")?)?,
            listeners: Listeners::default(),
            ended: HashMap::new(),
            bytes: 0,
            activity: Activity::default(),
            numbers: None,
            past_tcp: past_tcp::Seen::default(),
        })
    }

    /// Activity of the whole table at the last read.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// From now on flows whose role the kernel side does not know get it from these.
    pub fn know_listeners(&mut self, listeners: Listeners) {
        self.listeners = listeners;
    }

    /// Reads everything into `sample`, whose memory is used again. Its time is left to the caller.
    pub fn read(&mut self, sample: &mut Sample) -> Result<()> {
        self.read_counters(sample)?;
        sample.flows.clear();
        self.read_flows(|_, _| true, |_, key, flow| sample.flows.push((key, flow)))?;
        Ok(())
    }

    /// Reads into a ledger what has changed since it was last done; a ledger that has had no sample is told everything.
    /// There is no second copy of the table in between.
    pub fn feed(&mut self, ledger: &mut Ledger, at: Moment) -> Result<()> {
        let mut sample = Sample::default();
        sample.set_time(at);
        self.read_counters(&mut sample)?;
        let all = ledger.is_blank();
        ledger.begin(&sample);
        let unchanged = self.changes(all, |flows| ledger.take_changed(flows))?;
        ledger.take_unchanged(unchanged);
        ledger.finish();
        Ok(())
    }

    /// Hands on the flows that have changed since it was last done, or all of them, in parts that stay in the processor's
    /// cache, each with the number of others between it and the one before it; returns how many others there are in all.
    /// After an error it begins anew.
    pub fn changes(&mut self, all: bool, mut take: impl FnMut(&[(usize, FlowKey, Flow)])) -> Result<usize> {
        let mut told = if all { Changes::default() } else { std::mem::take(&mut self.told) };
        let mut part = Vec::with_capacity(PART);
        let unchanged = self.read_flows(
            |number, slot| told.has_changed(number, slot),
            |others, key, flow| {
                part.push((others, key, flow));
                if part.len() == PART {
                    take(&part);
                    part.clear();
                }
            },
        )?;
        take(&part);
        self.told = told;
        Ok(unchanged)
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

    /// Hands on the flows in which something is wanted, by the numbers of their slots, each with the number of others
    /// before it since the last one; returns how many others there are in all.
    fn read_flows(
        &mut self,
        mut is_wanted: impl FnMut(usize, &Slot) -> bool,
        mut take: impl FnMut(usize, FlowKey, Flow),
    ) -> Result<usize> {
        self.ended.clear();
        let allocation = self.allocation.get(0);
        let used = Recycler::used(&allocation, self.slots.elements());
        let covered = self.slots.cover(used.end).and_then(|()| self.details.cover(used.end));
        covered.context("no memory to read the flow table; try a smaller --max-flows")?;
        let (mut others, mut handed_over) = (0, 0);
        let (mut bytes, mut has_unowned) = (0_u64, false);
        for number in used {
            let Some(slot) = self.slots.open(number) else {
                self.recycler.saw_empty(number, &allocation);
                continue;
            };
            if past_tcp::is_of_one(&slot) && self.slots.open(number).as_ref().is_some_and(past_tcp::is_of_one)
            {
                self.past_tcp.note(&self.details.get(number));
            }
            bytes = bytes.wrapping_add(slot.tx_bytes).wrapping_add(slot.rx_bytes);
            if !is_wanted(number, &slot) {
                others += 1;
                continue;
            }
            let detail = self.details.get(number);
            if slot.has(flags::ENDED) {
                self.ended.insert(detail.key, number);
            }
            has_unowned |= detail.pid == 0 && !slot.has(flags::ENDED);
            let mut flow = Flow::of(&slot, &detail);
            flow.flags = self.listeners.complete(&detail.key, flow.flags);
            if let Some(numbers) = &self.numbers {
                flow.pid = numbers.lock().unwrap_or_else(PoisonError::into_inner).here(flow.pid);
            }
            take(others - handed_over, detail.key, flow);
            handed_over = others;
        }
        // Fewer than before if flows have been removed meanwhile.
        let moved_bytes = bytes.saturating_sub(std::mem::replace(&mut self.bytes, bytes));
        self.activity = Activity { moved_bytes, has_unowned };
        self.give_back(&[])?;
        Ok(others)
    }

    /// Flows whose bytes a socket map carries past TCP, as far as they were not told before.
    pub fn past_tcp(&mut self) -> Vec<PastTcp> {
        let here = |pid: u32| match &self.numbers {
            Some(numbers) => numbers.lock().unwrap_or_else(PoisonError::into_inner).here(pid),
            None => pid,
        };
        self.past_tcp.take().into_iter().map(|one| PastTcp { pid: here(one.pid), ..one }).collect()
    }

    /// Removes flows that have ended and been read since.
    pub fn remove(&mut self, keys: &[FlowKey]) -> Result<()> {
        self.past_tcp.forget(keys);
        flowtop_sys::delete_batch(self.index(), keys)
            .context("cannot remove ended flows from the flow table")?;
        let slots: Vec<_> = keys.iter().filter_map(|key| self.ended.remove(key)).collect();
        self.give_back(&slots)
    }

    /// Puts slots into the ring, and those that got lost.
    fn give_back(&mut self, slots: &[usize]) -> Result<()> {
        for &number in slots {
            self.slots.clear_flags(number);
            self.told.forget(number);
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
fn covered<T: flowtop_sys::Element>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    let mut array = mapped(ebpf, name)?;
    array.cover(array.elements()).with_context(|| format!("cannot map {name} into memory"))?;
    Ok(array)
}

fn mapped<T: flowtop_sys::Element>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    let data = data(ebpf, name)?;
    let len = data.info()?.max_entries() as usize;
    Mapped::new(data.fd().as_fd(), len).with_context(|| format!("cannot map {name} into memory"))
}
