//! The live source of samples: probe the host, try the plans, check that one counts, read.

#![forbid(unsafe_code)]

pub mod btf;
pub mod changes;
mod holders;
mod iterator;
#[cfg(feature = "kernel-log")]
pub mod kernel_log;
pub mod link;
pub mod load;
pub mod memory;
mod numbers;
pub mod past_tcp;
pub mod plan;
pub mod probe;
pub mod read;
mod reason;
pub mod recycle;
pub mod refused;
pub mod rights;
pub mod seed;
pub mod selfcheck;
pub mod sweep;
mod verify;
mod ways;
mod window;

use crate::link::Cast;
use crate::plan::{Demand, Plan};
use anyhow::{Context as _, Result, bail};
use aya::{Ebpf, programs::Program};
use flowtop_attribution::Processes;
use flowtop_common::{Admission, Flow, FlowKey, store};
use flowtop_core::hooks::Hooks;
use flowtop_core::ledger::Ledger;
use flowtop_core::listeners::Listeners;
use flowtop_core::moment::Moment;
use flowtop_core::trigger::{Trigger, Wanted};
use flowtop_core::wire::{Sample, flow_key};
use flowtop_sys::clock;
use holders::Holders;
pub use holders::Wait;
use iterator::Iterator;
use load::{Hooked, Refused};
use numbers::Numbers;
use past_tcp::PastTcp;
use probe::{Host, Loader};
use read::{Reader, SharedNumbers};
use rights::Ability;
use selfcheck::Miscount;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex};
use std::{path::Path, time::Duration};
use sweep::Sweep;
use ways::{Activity, Ways};

/// A plan that does not work on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{hooks}: {reason}")]
pub struct Refusal {
    pub hooks: Hooks,
    pub reason: String,
}

/// No plan works on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// Only these hooks were tried.
    #[error("the {hooks} hooks do not work on this kernel ({}); try --hooks auto", joined(.refusals))]
    Wanted { hooks: Hooks, refusals: Vec<Refusal> },
    #[error("no hooks work here ({}); `flowtop doctor` tells more", joined(.0))]
    Any(Vec<Refusal>),
}

/// Refusals as one text.
#[must_use]
pub fn joined(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Cost of a loaded program since it was loaded, as far as the kernel kept statistics (`kernel.bpf_stats_enabled`, or
/// [`aya::sys::enable_stats`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Name of the program in the object.
    pub name: String,
    pub runs: u64,
    pub run_time: Duration,
}

/// Programs that count, and the way to read what they have counted.
pub struct Live {
    /// Owns the programs and their links.
    ebpf: Ebpf,
    #[cfg(feature = "kernel-log")]
    messages: kernel_log::Messages,
    reader: Reader,
    holders: Holders,
    pub plan: Plan,
    /// Plans tried before it.
    pub refusals: Vec<Refusal>,
    /// Why sockets older than the start could not be seeded, if so.
    unseeded: Option<String>,
    ways: Ways,
    /// Whether TCP's own counters are shown or recorded, which change without a call of the application.
    with_details: bool,
}

impl Live {
    /// Starts counting every flow: see [`Live::start_for`].
    ///
    /// # Errors
    /// As there.
    pub fn start(wanted: Option<Hooks>, max_flows: u32) -> Result<Self> {
        Self::start_for(wanted, Demand::of(max_flows), &Admission::default(), Path::new("/"))
    }

    /// Finds the holders of sockets by the links in `/proc`, whatever the kernel offers.
    pub fn find_holders_by_proc(&mut self) {
        self.holders.by_proc();
    }

    /// Starts counting with the first plan that loads, attaches and passes the self-check. Flows that do not meet the
    /// condition get no entry, unless they are opened while this starts. `host_root` is where the file system of the host
    /// is: its `/proc` has processes and namespaces that a container does not.
    ///
    /// # Errors
    /// Missing rights, a kernel without type information, or no plan that works.
    pub fn start_for(
        wanted: Option<Hooks>,
        demand: Demand,
        admission: &Admission,
        host_root: &Path,
    ) -> Result<Self> {
        probe::require_rights()?;
        let (host, mut loader) = probe::host()?;
        let mut refusals = Vec::new();
        for plan in plan::plans(host.facts, wanted) {
            match attempt(&plan, &host, &mut loader, demand)? {
                Ok(Loaded { mut ebpf, mut reader, iterator, mut holders, plan, ways }) => {
                    // Behind the self-check, whose flows are flowtop's own.
                    read::admit(&mut ebpf, admission)?;
                    let processes = flowtop_attribution::processes(host_root);
                    let numbers = processes.as_ref().and_then(|processes| numbers(&mut ebpf, processes));
                    let processes = processes.map(|processes| processes.folder);
                    let walked = iterator.and_then(|()| seed_sockets(&mut ebpf, processes.as_deref()));
                    let unseeded = walked.map(|listeners| reader.know_listeners(listeners)).err();
                    holders.look_in(processes);
                    holders.translate_by(numbers.clone());
                    reader.numbers = numbers;
                    flowtop_sys::trim_memory();
                    return Ok(Self {
                        #[cfg(feature = "kernel-log")]
                        messages: kernel_log::Messages::open(&mut ebpf)?,
                        ebpf,
                        reader,
                        holders,
                        plan,
                        refusals,
                        unseeded,
                        ways,
                        with_details: true,
                    });
                }
                Err(failure) => refusals.push(Refusal { hooks: plan.hooks, reason: failure.to_string() }),
            }
        }
        bail!(match wanted {
            Some(hooks) => NoPlan::Wanted { hooks, refusals },
            None => NoPlan::Any(refusals),
        })
    }

    /// Which connections older than the start are not known, and why, as a sentence; `None` if all are.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        let since = |place: &str, why: &str| {
            format!("connections older than now{place} are counted from their first event on: {why}")
        };
        if let Some(reason) = &self.unseeded {
            return Some(since("", reason));
        }
        let missing = probe::rights().ok()?.missing(Ability::OlderElsewhere);
        let why = format!("missing {}", rights::list(&missing));
        (!missing.is_empty()).then(|| since(" in other network namespaces", &why))
    }

    /// Reads everything that has been counted into a ledger.
    pub fn feed(&mut self, ledger: &mut Ledger, at: Moment) -> Result<()> {
        #[cfg(feature = "kernel-log")]
        self.messages.flush();
        self.refresh()?;
        self.reader.feed(ledger, at)
    }

    /// Reads what has changed since the ledger was fed, or everything, and hands it on instead; returns how many other
    /// flows there are.
    pub fn changes(&mut self, all: bool, take: impl FnMut(&[(usize, FlowKey, Flow)])) -> Result<usize> {
        self.refresh()?;
        self.reader.changes(all, take)
    }

    /// Keeps the entries current in this way, or in the cheaper one.
    pub fn keep_current_by(&mut self, wanted: Wanted) {
        self.ways.want(wanted);
    }

    /// Whether what is counted may depend on the processes that use sockets. Events tell them at once, so they count then.
    pub fn ask_processes(&mut self, asks: bool) {
        self.ways.ask_processes(asks);
    }

    /// Whether TCP's own counters are shown or recorded. They change without a call of the application, so while events count
    /// passes are made for them.
    pub fn keep_details_current(&mut self, with_details: bool) {
        self.with_details = with_details;
    }

    /// The trigger in force, and the reason for it as half a sentence.
    #[must_use]
    pub fn trigger(&self) -> (Trigger, String) {
        (self.ways.now(), self.ways.reason())
    }

    /// Brings the entries up to date as far as no event has.
    fn refresh(&mut self) -> Result<()> {
        let activity = self.reader.activity();
        let has_unowned = activity.has_unowned || self.holders.are_shared();
        self.ways.refresh(&mut self.ebpf, Activity { has_unowned, ..activity }, self.with_details)
    }

    /// Before a report: where hooks see a sender only when it is acknowledged, and one in `CLOSE_WAIT` not even then, all
    /// sockets are asked.
    pub fn ask_sockets(&mut self) -> Result<()> {
        if self.plan.counts_on_ack && self.unseeded.is_none() && self.ways.now() == Trigger::Events {
            seed_sockets(&mut self.ebpf, self.holders.processes()).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// Reads everything that has been counted, with the time of the read.
    pub fn sample(&mut self, sample: &mut Sample) -> Result<()> {
        #[cfg(feature = "kernel-log")]
        self.messages.flush();
        self.refresh()?;
        sample.set_time(clock::now());
        self.reader.read(sample)
    }

    /// Finds the holders of sockets that no process was seen to use, if there are any and it is time to look
    /// again.
    pub fn find_holders(&mut self, ledger: &mut Ledger, wait: Wait) {
        self.holders.find(&mut self.ebpf, ledger, wait, self.ways.now());
    }

    /// Flows whose bytes a socket map carries past TCP, as far as they were not told before.
    pub fn past_tcp(&mut self) -> Vec<PastTcp> {
        self.reader.past_tcp()
    }

    /// Cost of each program since it was loaded.
    pub fn costs(&self) -> Result<Vec<ProgramCost>> {
        costs(&self.ebpf)
    }

    /// Removes flows that have ended and been read since.
    pub fn remove(&mut self, keys: &[FlowKey]) -> Result<()> {
        self.reader.remove(keys)
    }
}

/// A plan that was loaded, attached and seen to count.
pub struct Loaded {
    ebpf: Ebpf,
    reader: Reader,
    pub plan: Plan,
    /// Why the iterator over sockets was not loaded, if so.
    iterator: Result<(), String>,
    holders: Holders,
    ways: Ways,
}

impl Loaded {
    /// Makes a pass over all sockets.
    ///
    /// # Errors
    /// Why passes cannot be made with this plan on this kernel, as half a sentence.
    pub fn sweep(&self) -> Result<(), String> {
        self.ways.try_pass()
    }

    /// Cost of each program since it was loaded.
    ///
    /// # Errors
    /// A kernel that does not tell.
    pub fn costs(&self) -> Result<Vec<ProgramCost>> {
        costs(&self.ebpf)
    }
}

/// Cost of each loaded program.
///
/// # Errors
/// A kernel that does not tell.
fn costs(ebpf: &Ebpf) -> Result<Vec<ProgramCost>> {
    let loaded = ebpf.programs().filter(|(_, program)| program.fd().is_ok());
    let cost = |(name, program): (&str, &Program)| {
        let info = program.info().with_context(|| format!("cannot ask the kernel about program {name}"))?;
        Ok(ProgramCost { name: name.to_owned(), runs: info.run_count(), run_time: info.run_time() })
    };
    loaded.map(cost).collect()
}

/// Loads, attaches and checks one plan. The outer error ends the search.
///
/// When programs are attached and do not count, it may be that sockets give them no storage (Linux 7 on a processor
/// without cmpxchg16b); then the same hooks with a table may do. When the verifier does not accept them, it may be
/// for the kernel function that they call; then a helper may do.
pub fn attempt(
    plan: &Plan,
    host: &Host,
    loader: &mut Loader,
    demand: Demand,
) -> Result<Result<Loaded, Failure>> {
    if let Some(reason) = plan::unfit(host.facts, plan.hooks) {
        return Ok(Err(reason.into()));
    }
    if let Some(reason) = host.room.refusal(demand.max_flows, |flows| load::table_bytes(plan, flows)) {
        bail!(reason);
    }
    match attempt_once(plan, host, loader, demand)? {
        Err(Failure::NotVerified(reason)) if plan.cast != Cast::Helper => {
            let with_helper = Plan { cast: Cast::Helper, ..plan.clone() };
            Ok(attempt_once(&with_helper, host, loader, demand)?.map_err(|_| Failure::NotVerified(reason)))
        }
        Err(Failure::Silent(miscount)) if plan.store == store::SOCKET => {
            let with_table = Plan { store: store::HASH, ..plan.clone() };
            Ok(attempt_once(&with_table, host, loader, demand)?.map_err(|_| Failure::Silent(miscount)))
        }
        result => Ok(result),
    }
}

/// Why a plan does not work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kernel lacks what its hooks need; nothing was loaded.
    #[error(transparent)]
    Unfit(#[from] plan::Unfit),
    /// It was not loaded or attached.
    #[error("{0}")]
    Refused(String),
    /// The verifier did not accept it.
    #[error("{0}")]
    NotVerified(String),
    /// The programs are attached, but do not count.
    #[error(transparent)]
    Silent(Miscount),
}

fn attempt_once(
    plan: &Plan,
    host: &Host,
    loader: &mut Loader,
    demand: Demand,
) -> Result<Result<Loaded, Failure>> {
    let Hooked { mut ebpf, walks, events } = match load::load(plan, host, loader, demand) {
        Ok(both) => both,
        Err(Refused::Here(reason)) => return Ok(Err(Failure::Refused(reason))),
        Err(Refused::ByVerifier(reason)) => return Ok(Err(Failure::NotVerified(reason))),
        Err(Refused::Everywhere(reason)) => bail!(reason),
    };
    let (iterator, holders) = (walks.loaded(Iterator::VISIT), Holders::new(&walks, host));
    let ways = Ways::new(Sweep::new(&mut ebpf, plan, &walks), events, plan);
    let mut reader = Reader::new(&mut ebpf)?;
    let counts = selfcheck::run(&mut reader, plan.counts_on_ack)?;
    Ok(counts
        .map(|()| Loaded { ebpf, reader, plan: plan.clone(), iterator, holders, ways })
        .map_err(Failure::Silent))
}

/// What translates the kernel's numbers of processes to those in this folder, where they are others.
fn numbers(ebpf: &mut Ebpf, processes: &Processes) -> Option<SharedNumbers> {
    if !processes.has_own_numbers {
        return None;
    }
    // Without it no number is known, which is better than that of another process.
    let program =
        Iterator::HOLDERS.of(ebpf).ok().and_then(|iter| iter.fd().ok()?.as_fd().try_clone_to_owned().ok());
    Some(Arc::new(Mutex::new(Numbers::new(program, processes.folder.clone()))))
}

/// Opens the entries of older sockets, and returns which sockets listen.
fn seed_sockets(ebpf: &mut Ebpf, processes: Option<&Path>) -> Result<Listeners, String> {
    let iter = Iterator::VISIT.of(ebpf)?;
    let mut written = Vec::new();
    seed::run(iter, processes, &mut written).map_err(|error| format!("{error:#}"))?;
    let (keys, _) = written.as_chunks();
    Ok(Listeners::of(&keys.iter().map(flow_key).collect::<Vec<_>>()))
}
