//! Sources of samples: the kernel, or generated traffic.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use flowtop_common::{Admission, FlowKey};

use flowtop_bpf::past_tcp::PastTcp;
use flowtop_bpf::plan::Demand;
use flowtop_bpf::{Live, Wait};
use flowtop_core::demo::{self, Demo};
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::trigger::Trigger;
use flowtop_core::wire::Sample;
use flowtop_sys::clock;
use flowtop_view::settings::Settings;
use flowtop_view::settings::choice::HoldersChoice;

/// A source of samples.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Source {
    Live(Live),
    /// Generated traffic (`--demo`).
    Demo(Demo),
}

impl Source {
    /// Starts counting the traffic that `admission` lets pass, or generating traffic.
    ///
    /// # Errors
    /// If the kernel lacks hooks, privileges or memory that flowtop needs.
    pub fn start(settings: &Settings, admission: &Admission, demo: bool) -> Result<Self> {
        if demo {
            return Ok(Self::Demo(Demo::new(clock::now_ns())));
        }
        let demand = Demand::of(settings.max_flows.value.0);
        let demand = match settings.unit.value {
            Unit::Packets | Unit::Wire => demand.for_packets(),
            Unit::Bits | Unit::Bytes => demand,
        };
        let mut live = Live::start_for(
            settings.hooks.value.wanted(),
            demand,
            admission,
            Path::new(&settings.host_root.value),
        )?;
        live.keep_current_by(settings.trigger.value);
        if settings.holders.value == HoldersChoice::Proc {
            live.find_holders_by_proc();
        }
        Ok(Self::Live(live))
    }

    /// Name of the hook plan.
    #[must_use]
    pub fn hooks(&self) -> &'static str {
        match self {
            Self::Live(live) => live.plan.hooks.name(),
            Self::Demo(_) => demo::HOOKS,
        }
    }

    /// Whether what is counted may depend on processes; see [`Live::ask_processes`].
    pub fn ask_processes(&mut self, asks: bool) {
        if let Self::Live(live) = self {
            live.ask_processes(asks);
        }
    }

    /// Whether segments, repeats and round-trip times are shown or recorded; see [`Live::keep_details_current`].
    pub fn keep_details_current(&mut self, with_details: bool) {
        if let Self::Live(live) = self {
            live.keep_details_current(with_details);
        }
    }

    /// The trigger in force, and the reason for it as half a sentence; `None` for generated traffic.
    #[must_use]
    pub fn trigger(&self) -> Option<(Trigger, String)> {
        match self {
            Self::Live(live) => Some(live.trigger()),
            Self::Demo(_) => None,
        }
    }

    /// Which connections older than the start are not known; see [`Live::unseen`].
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        match self {
            Self::Live(live) => live.unseen(),
            Self::Demo(_) => None,
        }
    }

    /// Reads all counters into a ledger.
    pub fn feed(&mut self, ledger: &mut Ledger) -> Result<()> {
        match self {
            Self::Live(live) => live.feed(ledger, clock::now()),
            Self::Demo(demo) => {
                let mut sample = Sample::default();
                demo.sample(clock::now(), &mut sample);
                ledger.apply(&sample);
                Ok(())
            }
        }
    }

    /// Like [`Self::feed`], but exact at this moment, for a report or a frame; see [`Live::ask_sockets`].
    pub fn feed_exactly(&mut self, ledger: &mut Ledger) -> Result<()> {
        if let Self::Live(live) = self {
            live.ask_sockets()?;
        }
        self.feed(ledger)
    }

    /// Reads one sample, exact at this moment.
    pub fn sample_exactly(&mut self, sample: &mut Sample) -> Result<()> {
        match self {
            Self::Live(live) => {
                live.ask_sockets()?;
                live.sample(sample)
            }
            Self::Demo(demo) => {
                demo.sample(clock::now(), sample);
                Ok(())
            }
        }
    }

    /// Run time of the BPF programs in ns while statistics were enabled, and the number of runs. `None` without BPF
    /// programs or if the kernel does not provide it.
    #[must_use]
    pub fn program_costs(&self) -> Option<(u64, u64)> {
        let Self::Live(live) = self else { return None };
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let costs = live.costs().ok()?;
        Some(costs.iter().fold((0, 0), |sum, cost| (sum.0 + ns(cost.run_time), sum.1 + cost.runs)))
    }

    /// Flows whose bytes a socket map carries past TCP; see [`Live::past_tcp`].
    pub fn past_tcp(&mut self) -> Vec<PastTcp> {
        match self {
            Self::Live(live) => live.past_tcp(),
            Self::Demo(_) => Vec::new(),
        }
    }

    /// Finds the processes that hold idle sockets open; see [`Live::find_holders`].
    pub fn find_holders(&mut self, ledger: &mut Ledger, wait: Wait) {
        if let Self::Live(live) = self {
            live.find_holders(ledger, wait);
        }
    }

    /// Removes flows from the kernel's table that have ended and been read since.
    pub fn remove(&mut self, keys: &[FlowKey]) -> Result<()> {
        match self {
            Self::Live(live) => live.remove(keys),
            Self::Demo(demo) => {
                demo.remove(keys);
                Ok(())
            }
        }
    }
}
