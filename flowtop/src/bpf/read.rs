//! One batched read of the flow table into reused buffers, with the reserved entry and the loss counters.

use super::sys;
use crate::core::wire::Sample;
use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, Map, MapData, PerCpuArray},
};
use flowtop_common::{Flow, FlowKey, Loss, Untracked};
use std::os::fd::{AsFd as _, BorrowedFd};

/// Elements a system call; larger batches were not faster (measured from 256 up).
const BATCH: usize = 2048;

/// Reads what the kernel side has counted.
pub struct Reader {
    flows: MapData,
    untracked: Array<MapData, [u64; 5]>,
    losses: PerCpuArray<MapData, u64>,
    keys: Vec<FlowKey>,
    values: Vec<Flow>,
}

impl Reader {
    /// Takes the maps out of the loaded object.
    ///
    /// # Errors
    /// When the object does not have the maps, which the contract test rules out for the committed one.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            flows: take_hash(ebpf, "FLOWS")?,
            untracked: Array::try_from(take(ebpf, "UNTRACKED")?)?,
            losses: PerCpuArray::try_from(take(ebpf, "LOSSES")?)?,
            keys: vec![FlowKey::default(); BATCH],
            values: vec![Flow::default(); BATCH],
        })
    }

    /// Reads everything into `sample`, whose memory is used again. `at_ns` is left to the caller.
    pub fn read(&mut self, sample: &mut Sample) -> Result<()> {
        sample.flows.clear();
        self.read_flows(sample).context("cannot read the flow table")?;
        let words = self.untracked.get(&0, 0).context("cannot read the entry for untracked flows")?;
        sample.untracked = untracked(words);
        for (loss, _) in Loss::ALL {
            let index = *loss as u32;
            let per_cpu = self.losses.get(&index, 0).context("cannot read the loss counters")?;
            sample.losses[*loss as usize] = per_cpu.iter().sum();
        }
        Ok(())
    }

    fn read_flows(&mut self, sample: &mut Sample) -> std::io::Result<()> {
        let mut cursor = sys::Cursor::default();
        loop {
            let table = self.flows.fd().as_fd();
            let batch = match sys::lookup_batch(table, &mut cursor, &mut self.keys, &mut self.values) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    self.grow();
                    continue;
                }
                result => result?,
            };
            let keys = self.keys[..batch.count].iter().copied();
            sample.flows.extend(keys.zip(self.values[..batch.count].iter().copied()));
            if batch.last {
                return Ok(());
            }
        }
    }

    /// One bucket of the table holds more than the buffers.
    fn grow(&mut self) {
        let len = self.keys.len() * 2;
        self.keys.resize(len, FlowKey::default());
        self.values.resize(len, Flow::default());
    }

    /// Removes flows that have ended and been read since.
    pub fn remove(&self, keys: &[FlowKey]) -> Result<()> {
        sys::delete_batch(self.table(), keys).context("cannot remove ended flows from the flow table")
    }

    fn table(&self) -> BorrowedFd<'_> {
        self.flows.fd().as_fd()
    }
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

fn take_hash(ebpf: &mut Ebpf, name: &str) -> Result<MapData> {
    match take(ebpf, name)? {
        Map::HashMap(data) => Ok(data),
        other => anyhow::bail!("map {name} of the BPF object is not a hash map: {other:?}"),
    }
}
