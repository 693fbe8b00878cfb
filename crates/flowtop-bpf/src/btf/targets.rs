//! The kernel's type information, reduced to the types that programs attach to.
//!
//! aya looks a target up by its name in all types, and first makes a value of each of the kernel's: that took 20 ms and
//! 25 MB. In what is made here, the targets have the numbers that they have there; all other types are nameless.

use super::Btf;
use super::HEADER_BYTES;
use super::MAGIC;
use super::VERSION;
use super::kind;
use crate::plan::Attach;
use std::collections::BTreeMap;

/// A type that a program can be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The typedef `btf_trace_NAME` of a tracepoint.
    Typedef(String),
    Func(String),
}

impl Target {
    /// The BTF type of a hook; `None` for a kprobe, whose place the kernel finds.
    #[must_use]
    pub fn of_hook(attach: Attach) -> Option<Self> {
        match attach {
            Attach::Tracepoint(name) => Some(Self::Typedef(format!("btf_trace_{name}"))),
            Attach::Fentry(function) | Attach::Fexit(function) => Some(Self::Func(function.to_owned())),
            Attach::Kprobe(_) | Attach::Kretprobe(_) => None,
        }
    }

    /// The BTF type of an iterator, by the kernel's name of its target.
    #[must_use]
    pub fn of_walk(over: &str) -> Self {
        Self::Func(format!("bpf_iter_{over}"))
    }

    fn type_id(&self, types: &Btf<'_>) -> Option<u32> {
        match self {
            Self::Typedef(name) => types.typedef_id(name),
            Self::Func(name) => types.func_id(name),
        }
    }
}

/// Type information in the byte order of this machine with these of the `types`. Targets that the kernel does not have are
/// left out.
#[must_use]
pub fn only(types: &Btf<'_>, targets: impl Iterator<Item = Target>) -> Vec<u8> {
    let targets: BTreeMap<_, _> =
        targets.filter_map(|target| Some((target.type_id(types)?, target))).collect();
    let nameless = record(0, kind::FWD);
    let (mut records, mut strings, mut next) = (Vec::new(), vec![0_u8], 1);
    for (type_id, target) in targets {
        records.extend(nameless.repeat((type_id - next) as usize));
        let (Target::Typedef(name) | Target::Func(name)) = &target;
        let kind = if matches!(target, Target::Func(_)) { kind::FUNC } else { kind::TYPEDEF };
        records.extend(record(len(strings.len()), kind));
        strings.extend(name.bytes().chain([0]));
        next = type_id + 1;
    }
    let (type_len, str_len) = (len(records.len()), len(strings.len()));
    let places = words([len(HEADER_BYTES), 0, type_len, type_len, str_len]);
    [&MAGIC.to_ne_bytes()[..], &[VERSION, 0], &places, &records, &strings].concat()
}

/// `struct btf_type` without anything behind it.
fn record(name: u32, kind: u32) -> Vec<u8> {
    words([name, kind << 24, 0])
}

fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// Far less than the file that all of it comes from, whose lengths have 32 bits.
fn len(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
