//! Loads and attaches the programs of a plan, or says in a sentence why not.

use super::iterator::Iterator;
use super::probe::{self, Host, Loader};
use super::reason::{is_verdict, os_error, reason};
use super::refused::{self, Call};
use super::verify::{self, Use};
use crate::link::{self, Cast};
use crate::plan::{Attach, Demand, Plan, Program};
use aya::{
    Ebpf, EbpfError,
    maps::MapError,
    programs::{BtfTracePoint, FEntry, FExit, KProbe, ProgramError},
};
use flowtop_common::{Constant, Detail, FlowKey, Slot, store};
use rustix::io::Errno;
use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

/// The kernel side, committed beside this crate and built by `cargo xtask ebpf`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../object/flowtop.bpf.o");

/// Kernel memory of one entry of a preallocated hash map beside its key and value: `struct htab_elem`.
const HASH_ENTRY_BYTES: u64 = 48;

/// Key and value of `SOCKET_TABLE`.
const SOCKET_ENTRY_BYTES: u64 = 8 + 48;

/// The kernel rounds elements of an array up to this.
const ARRAY_ELEMENT_BYTES: u64 = 8;

/// Slots beyond `--max-flows`: as many may be lost for a moment without a flow going without (see `recycle`).
const SPARE_SLOTS: u32 = 1_024;

/// Sockets without an entry in the flow table that are still counted exactly where the state of a socket cannot be
/// kept in the socket itself.
const UNTRACKED_SOCKETS: u32 = 65_536;

/// Threads that can be inside a send call at once, in the kprobe plan.
const CALLS: u32 = 16_384;

/// Kernel memory in bytes that the tables of a plan take.
#[must_use]
pub fn table_bytes(plan: &Plan, max_flows: u32) -> u64 {
    let index = HASH_ENTRY_BYTES + (size_of::<FlowKey>() + size_of::<u64>()) as u64;
    let slots = u64::from(slot_count(max_flows)) * (size_of::<Slot>() + size_of::<Detail>()) as u64;
    let ring = u64::from(ring_size(max_flows)) * size_of::<u64>() as u64;
    let sockets = u64::from(socket_table_entries(plan, max_flows)) * (HASH_ENTRY_BYTES + SOCKET_ENTRY_BYTES);
    let cache = u64::from(cache_elements(max_flows)) * ARRAY_ELEMENT_BYTES;
    u64::from(max_flows) * index + slots + ring + sockets + cache
}

fn slot_count(max_flows: u32) -> u32 {
    max_flows.saturating_add(SPARE_SLOTS)
}

/// Slot 0 is never used.
fn slot_elements(max_flows: u32) -> u32 {
    slot_count(max_flows) + 1
}

fn ring_size(max_flows: u32) -> u32 {
    slot_elements(max_flows).next_power_of_two()
}

/// Elements of the cache of slots by socket. Cookies count up, so with room for several times the flows two that live at
/// once seldom meet; when they do, the state of the socket is asked instead.
fn cache_elements(max_flows: u32) -> u32 {
    max_flows.next_power_of_two().saturating_mul(4)
}

fn socket_table_entries(plan: &Plan, max_flows: u32) -> u32 {
    if plan.store == store::HASH { max_flows.saturating_add(UNTRACKED_SOCKETS) } else { 1 }
}

/// Loads and attaches the programs of the plan, and loads the iterators. Everything is gone again when the value is dropped.
///
/// # Errors
/// The step that was refused, and why.
pub fn load(plan: &Plan, host: &Host, loader: &mut Loader, demand: Demand) -> Result<Hooked, Refused> {
    let max_flows = demand.max_flows;
    let calls =
        if plan.programs.iter().any(|p| matches!(p.attach, Attach::Kretprobe(_))) { CALLS } else { 1 };
    let mut object = object().map_err(|error| Refused::Everywhere(format!("{error:#}")))?;
    let link =
        link::Link { offsets: &host.offsets, constants: constants(plan, host, demand), cast: plan.cast };
    link.apply(&mut object).map_err(|error| Refused::Everywhere(error.to_string()))?;
    let mut ebpf = loader
        .map_max_entries("FLOWS", max_flows)
        .map_max_entries("SLOTS", slot_elements(max_flows))
        .map_max_entries("DETAILS", slot_elements(max_flows))
        .map_max_entries("FREE", ring_size(max_flows))
        .map_max_entries("SLOT_OF_SOCKET", cache_elements(max_flows))
        .map_max_entries("SOCKET_TABLE", socket_table_entries(plan, max_flows))
        .map_max_entries("CALLS", calls)
        .load(&object)
        .map_err(|error| refused_object(&error, host, table_bytes(plan, max_flows)))?;
    let walks = load_programs(&mut ebpf, plan, host)?;
    // The ends of flows before the hooks, so that no flow is opened whose end is missed.
    let mut events = EventHooks::default();
    for program in &plan.programs {
        let link = attach(&mut ebpf, program).map_err(|error| refused_program(program, &error, host))?;
        if program.is_event() {
            events.programs.push(*program);
            events.links.push(link);
        } else {
            events.always.push(link);
        }
    }
    Ok(Hooked { ebpf, walks, events })
}

/// Programs that have been loaded and attached.
pub struct Hooked {
    pub ebpf: Ebpf,
    pub walks: Walks,
    pub events: EventHooks,
}

/// A program's place at a hook, which it loses when this is dropped.
pub type Link = Box<dyn Any + Send>;

/// The hooks of what applications send and receive. The others stay attached beside them.
#[derive(Default)]
pub struct EventHooks {
    programs: Vec<Program>,
    /// In the order of the programs; empty while they are detached.
    links: Vec<Link>,
    always: Vec<Link>,
}

impl EventHooks {
    #[must_use]
    pub fn are_attached(&self) -> bool {
        !self.links.is_empty()
    }

    /// Attaches them, unless they are.
    ///
    /// # Errors
    /// Those of the kernel; then none is attached.
    pub fn attach(&mut self, ebpf: &mut Ebpf) -> Result<(), ProgramError> {
        if self.links.is_empty() {
            let links: Result<_, _> = self.programs.iter().map(|program| attach(ebpf, program)).collect();
            self.links = links?;
        }
        Ok(())
    }

    /// Takes them off; they are detached when what this returns is dropped.
    pub fn detach(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.links)
    }

    /// The programs, once each, to ask the kernel about them.
    pub fn programs(&self, ebpf: &Ebpf) -> Vec<OwnedFd> {
        let names: BTreeSet<_> = self.programs.iter().map(|program| program.name).collect();
        let fd = |name| ebpf.program(name)?.fd().ok()?.as_fd().try_clone_to_owned().ok();
        names.into_iter().filter_map(fd).collect()
    }
}

/// Why iterators were not loaded, by their names; the others were.
pub struct Walks(HashMap<String, String>);

impl Walks {
    /// # Errors
    /// Why it was not loaded.
    pub fn loaded(&self, iterator: Iterator) -> Result<(), String> {
        self.0.get(iterator.name).cloned().map_or(Ok(()), Err)
    }
}

/// The programs that the plan has for itself before all others: where a kernel refuses a plan, it refuses these, and that
/// is known at once.
fn load_programs(ebpf: &mut Ebpf, plan: &Plan, host: &Host) -> Result<Walks, Refused> {
    let (own, common) = plan.own_and_common_programs();
    load_some(ebpf, own, &[], host)?;
    let refused = load_some(ebpf, common, &Iterator::ALL, host)?;
    let why = |error| with_advice(Call::UseProgram, reason(&error), &error, host, 0);
    Ok(Walks(refused.into_iter().map(|(name, error)| (name, why(error))).collect()))
}

/// Which iterators were refused, if no hook was.
fn load_some(
    ebpf: &mut Ebpf,
    hooks: &[Program],
    walks: &[Iterator],
    host: &Host,
) -> Result<HashMap<String, ProgramError>, Refused> {
    let walks = walks.iter().map(|walk| (walk.name, Use::Walk(walk.target)));
    let wanted = hooks.iter().map(|hook| (hook.name, Use::Hook(hook.attach))).chain(walks).collect();
    let mut refused = verify::load(ebpf, &wanted, &host.targets);
    match hooks.iter().rev().find_map(|hook| Some((hook, refused.remove(hook.name)?))) {
        Some((hook, error)) => Err(refused_program(hook, &error, host)),
        None => Ok(refused),
    }
}

/// Constants for the programs, in the order of [`Constant`].
fn constants(plan: &Plan, host: &Host, demand: Demand) -> [u32; Constant::COUNT] {
    let Demand { max_flows, refresh_us } = demand;
    let tcp_sock_id = match plan.cast {
        Cast::Helper => 0,
        Cast::Kfunc { tcp_sock_id, .. } => tcp_sock_id,
    };
    let mut constants = [0; Constant::COUNT];
    for (constant, value) in [
        (Constant::Store, plan.store),
        (Constant::Task, plan.task),
        (Constant::SlotCount, slot_count(max_flows)),
        (Constant::FreeMask, ring_size(max_flows) - 1),
        (Constant::Cookies, u32::from(plan.cookies)),
        (Constant::CacheMask, cache_elements(max_flows) - 1),
        (Constant::RefreshUs, refresh_us),
        (Constant::TcpSock, tcp_sock_id),
        (Constant::KernSockMask, host.kern_sock_mask),
    ] {
        constants[constant as usize] = value;
    }
    constants
}

#[cfg(not(feature = "kernel-log"))]
#[expect(clippy::unnecessary_wraps, reason = "reading the debugging object can fail")]
fn object() -> anyhow::Result<Vec<u8>> {
    Ok(OBJECT.to_vec())
}

#[cfg(feature = "kernel-log")]
fn object() -> anyhow::Result<Vec<u8>> {
    super::kernel_log::object()
}

/// Why a plan was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The kernel does not take these programs; others may do.
    Here(String),
    /// The kernel's verifier does not accept what a program does.
    ByVerifier(String),
    /// An error that no other plan can avoid.
    Everywhere(String),
}

/// Attaches a program of the plan.
fn attach(ebpf: &mut Ebpf, program: &Program) -> Result<Link, ProgramError> {
    macro_rules! attached {
        ($kind:ty $(, $place:expr)*) => {{
            let program = <&mut $kind>::try_from(handle(ebpf, program)?)?;
            let id = program.attach($($place),*)?;
            Ok(Box::new(program.take_link(id)?))
        }};
    }
    match program.attach {
        Attach::Tracepoint(_) => attached!(BtfTracePoint),
        Attach::Fentry(_) => attached!(FEntry),
        Attach::Fexit(_) => attached!(FExit),
        Attach::Kprobe(function) | Attach::Kretprobe(function) => attached!(KProbe, function, 0),
    }
}

/// A missing program is the contract test's business; the nearest error of aya is this one.
fn handle<'a>(ebpf: &'a mut Ebpf, program: &Program) -> Result<&'a mut aya::programs::Program, ProgramError> {
    ebpf.program_mut(program.name).ok_or(ProgramError::NotLoaded)
}

fn refused_program(program: &Program, error: &ProgramError, host: &Host) -> Refused {
    let text = format!("cannot attach {}: {}", place(program.attach), reason(error));
    let by_verifier = matches!(error, ProgramError::LoadError { io_error, verifier_log }
        if is_verdict(io_error) && !verifier_log.to_string().is_empty());
    if by_verifier {
        return Refused::ByVerifier(text);
    }
    let text = with_advice(call(program.attach, error), text, error, host, 0);
    let is_everywhere = os_error(error).is_some_and(is_out_of_files);
    if is_everywhere { Refused::Everywhere(text) } else { Refused::Here(text) }
}

/// The call that failed: all that loads is `bpf`, and so is all that attaches but kprobes.
fn call(attach: Attach, error: &ProgramError) -> Call {
    let is_kprobe = matches!(attach, Attach::Kprobe(_) | Attach::Kretprobe(_));
    let is_loaded = !matches!(error, ProgramError::LoadError { .. });
    if is_kprobe && is_loaded { Call::OpenPerfEvent } else { Call::UseProgram }
}

fn is_out_of_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// What was refused, with what an error of the kernel means here.
fn with_advice(
    call: Call,
    refused: String,
    error: &(dyn Error + 'static),
    host: &Host,
    table_bytes: u64,
) -> String {
    let advice = |error| refused::advice(call, error, &probe::confinement(&host.room), table_bytes);
    match os_error(error).and_then(advice) {
        Some(advice) => format!("{refused}; {advice}"),
        None => refused,
    }
}

fn place(attach: Attach) -> String {
    match attach {
        Attach::Tracepoint(name) => format!("tracepoint {name}"),
        Attach::Fentry(function) => format!("fentry of {function}"),
        Attach::Fexit(function) => format!("fexit of {function}"),
        Attach::Kprobe(function) => format!("kprobe of {function}"),
        Attach::Kretprobe(function) => format!("kretprobe of {function}"),
    }
}

fn refused_object(error: &EbpfError, host: &Host, table_bytes: u64) -> Refused {
    match error {
        EbpfError::MapError(MapError::CreateError { name, .. }) => {
            let text = format!("cannot create map {name}: {}", reason(error));
            Refused::Everywhere(with_advice(Call::CreateMap, text, error, host, table_bytes))
        }
        other => Refused::Here(format!("cannot load the BPF object: {}", reason(other))),
    }
}
