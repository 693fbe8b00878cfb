//! The programs of the object that walk over sockets or open files.

use aya::Ebpf;
use aya::programs::{Iter, ProgramError};

use super::reason::reason;

/// A program that walks over something.
#[derive(Clone, Copy, Debug)]
pub struct Iterator {
    pub name: &'static str,
    /// Target of the walk, by the kernel's name.
    pub target: &'static str,
}

impl Iterator {
    /// Opens the entries of older sockets of a network namespace.
    pub const VISIT: Self = Self { name: "visit", target: "tcp" };
    /// Writes who has which socket open (Linux 5.11).
    pub const HOLDERS: Self = Self { name: "holders", target: "task_file" };
    /// Writes which sockets of a network namespace are the kernel's own.
    pub const KERNEL_SOCKETS: Self = Self { name: "kernel_sockets", target: "tcp" };
    /// Brings the entries of all sockets up to date, of every network namespace (Linux 5.12).
    pub const SWEEP: Self = Self { name: "sweep", target: "bpf_sk_storage_map" };
    pub const ALL: [Self; 4] = [Self::VISIT, Self::HOLDERS, Self::KERNEL_SOCKETS, Self::SWEEP];

    /// Finds the program in the object.
    ///
    /// # Errors
    /// If the object does not have it, which the contract test rules out.
    pub fn of(self, ebpf: &mut Ebpf) -> Result<&mut Iter, String> {
        let program =
            ebpf.program_mut(self.name).ok_or_else(|| format!("the BPF object has no {}", self.name))?;
        program.try_into().map_err(|error: ProgramError| reason(&error))
    }
}
