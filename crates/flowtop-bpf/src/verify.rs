//! Runs programs through the kernel's verifier, which takes most of the time of a start and can check several programs
//! at once.

use crate::plan::Attach;
use aya::{
    Ebpf,
    programs::{BtfTracePoint, FEntry, FExit, Iter, KProbe, Program, ProgramError},
};
use std::{
    collections::HashMap,
    panic,
    thread::{self, ScopedJoinHandle},
};

#[derive(Clone, Copy, Debug)]
pub enum Use {
    /// A hook, to be attached here.
    Hook(Attach),
    /// To walk over what the kernel calls so.
    Walk(&'static str),
}

/// Loads the programs of these names at the same time, and returns those that were refused.
pub fn load(ebpf: &mut Ebpf, wanted: &HashMap<&str, Use>, btf: &aya::Btf) -> HashMap<String, ProgramError> {
    thread::scope(|scope| {
        let loads: Vec<_> = ebpf
            .programs_mut()
            .filter_map(|(name, program)| {
                let wanted = *wanted.get(name)?;
                Some((name.to_owned(), scope.spawn(move || load_one(program, wanted, btf))))
            })
            .collect();
        loads.into_iter().filter_map(|(name, load)| Some((name, joined(load).err()?))).collect()
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

fn load_one(program: &mut Program, wanted: Use, btf: &aya::Btf) -> Result<(), ProgramError> {
    match wanted {
        Use::Hook(Attach::Tracepoint(name)) => <&mut BtfTracePoint>::try_from(program)?.load(name, btf),
        Use::Hook(Attach::Fentry(function)) => <&mut FEntry>::try_from(program)?.load(function, btf),
        Use::Hook(Attach::Fexit(function)) => <&mut FExit>::try_from(program)?.load(function, btf),
        Use::Hook(Attach::Kprobe(_) | Attach::Kretprobe(_)) => <&mut KProbe>::try_from(program)?.load(),
        Use::Walk(target) => <&mut Iter>::try_from(program)?.load(target, btf),
    }
}
