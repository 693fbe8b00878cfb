//! A program that does nothing, on the events that flowtop counts in: what the kernel's statistics say of it is what
//! calling a program and timing it takes.

use anyhow::{Context as _, Result};
use aya::{Btf, Ebpf, EbpfLoader, programs::BtfTracePoint};
use flowtop_bpf::load;

/// Such a program, loaded. It ends with the value.
pub struct Empty(Ebpf);

impl Empty {
    /// On what a send call raises; before Linux 6.3, where that is nothing, on the other one.
    pub fn on_send() -> Result<Self> {
        Self::on("sock_send_length").or_else(|_| Self::on_receive())
    }

    /// On what is raised when the application takes data.
    pub fn on_receive() -> Result<Self> {
        Self::on("tcp_rcv_space_adjust")
    }

    fn on(tracepoint: &str) -> Result<Self> {
        let btf = Btf::from_sys_fs().context("cannot read the kernel's type information")?;
        let mut loader = EbpfLoader::new();
        for table in ["FLOWS", "SOCKET_TABLE", "CALLS"] {
            loader.map_max_entries(table, 1);
        }
        let mut ebpf = loader.btf(Some(&btf)).load(load::OBJECT)?;
        let program = ebpf.program_mut("empty").context("the BPF object has no program `empty`")?;
        let program: &mut BtfTracePoint = program.try_into()?;
        let place = || format!("cannot measure at the tracepoint {tracepoint}");
        program.load(tracepoint, &btf).with_context(place)?;
        program.attach().with_context(place)?;
        Ok(Self(ebpf))
    }

    /// Runs, and nanoseconds in them, while the kernel kept statistics.
    pub fn cost(&self) -> Result<(u64, f64)> {
        let info = self.0.program("empty").context("the empty program is gone")?.info()?;
        Ok((info.run_count(), info.run_time().as_secs_f64() * 1e9))
    }
}
