//! The live loop that all commands share: a sample goes to the ledger, owners are looked for, and what is complete leaves
//! the kernel's table. When that happens, and what is made of the ledger, is each command's own.

use std::rc::Rc;

use anyhow::{Context as _, Result};
use flowtop_bpf::Wait;
use flowtop_common::Admission;
use flowtop_core::ledger::Ledger;
use flowtop_core::who::Who;
use flowtop_core::wire::Sample;
use flowtop_view::settings::Settings;
use tokio::runtime::{Builder, Runtime};

use crate::interfaces::Interfaces;
use crate::source::Source;
use crate::who::Knowledge;

/// The purpose of a sample, which decides how exact it has to be and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Rates between two reports: what events have brought so far. Waits for nothing.
    Rates,
    /// A frame of the screen: every socket is asked, and nothing is waited for, since the next frame comes soon.
    Frame,
    /// A report or a record, which cannot be corrected later: every socket is asked, and names of processes that are being
    /// read are waited for, but not for long ([`Knowledge::settle`]).
    Report,
}

/// A source of samples, and what is known of the owners of its flows.
pub struct Session {
    source: Source,
    known: Knowledge,
    interfaces: Option<Rc<Interfaces>>,
}

impl Session {
    /// Starts counting what is admitted; with `demo`, made-up traffic.
    ///
    /// # Errors
    /// As [`Source::start`].
    pub fn start(settings: &Settings, admission: &Admission, known: Knowledge, demo: bool) -> Result<Self> {
        Ok(Self::of(Source::start(settings, admission, demo)?, known))
    }

    /// A session of a source that counts already.
    pub fn of(source: Source, known: Knowledge) -> Self {
        Self { source, known, interfaces: None }
    }

    /// The same with the interfaces of `-i`, which are followed from now on.
    #[must_use]
    pub fn following(self, interfaces: &Rc<Interfaces>) -> Self {
        Self { interfaces: Some(Rc::clone(interfaces)), ..self }
    }

    /// Whether connections may be on other interfaces than in the last sample.
    fn has_moved(&self) -> bool {
        self.interfaces.as_ref().is_some_and(|interfaces| interfaces.follow())
    }

    /// Brings a ledger up to date.
    ///
    /// # Errors
    /// Tables or sockets of the kernel that cannot be read.
    pub fn take(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        self.sample(ledger, purpose)?;
        self.follow_up(ledger, purpose)
    }

    /// The first half of [`Self::take`]: the ledger has the bytes of now.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn sample(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        if self.has_moved() {
            ledger.judge_again();
        }
        match purpose {
            Purpose::Rates => self.source.feed(ledger),
            Purpose::Frame | Purpose::Report => self.source.feed_exactly(ledger),
        }
    }

    /// The second half: owners are looked for, which takes a while with many sockets, and what has ended is removed.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn follow_up(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        let wait = if purpose == Purpose::Report { Wait::Yes } else { Wait::No };
        self.attend(ledger, wait)?;
        if purpose == Purpose::Report {
            self.settle(ledger);
        }
        Ok(())
    }

    /// Brings several ledgers up to date with one sample, as exactly as for a report. Owners are looked for among the
    /// flows of the first one, which has them all.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_for_all<'a>(
        &mut self,
        sample: &mut Sample,
        first: &'a mut Ledger,
        others: impl Iterator<Item = &'a mut Ledger>,
    ) -> Result<()> {
        let has_moved = self.has_moved();
        self.source.sample_exactly(sample)?;
        let apply = |ledger: &mut Ledger| {
            if has_moved {
                ledger.judge_again();
            }
            ledger.apply(sample);
        };
        apply(first);
        others.for_each(apply);
        self.attend(first, Wait::Yes)
    }

    /// Waits a moment for the names of processes that are being read.
    pub fn settle(&self, ledger: &mut Ledger) {
        self.known.settle(ledger);
    }

    fn attend(&mut self, ledger: &mut Ledger, wait: Wait) -> Result<()> {
        self.source.find_holders(ledger, wait);
        self.known.ask(ledger);
        self.source.remove(ledger.removable())
    }

    /// The name of the hook plan.
    pub fn hooks(&self) -> &'static str {
        self.source.hooks()
    }

    /// Owners and labels, as reports need them.
    pub fn who(&self) -> Who<'_> {
        self.known.who()
    }

    /// Where the samples come from.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// The event loop of a command: one thread, with timers, signals and files.
///
/// # Errors
/// No thread or no descriptor is left.
pub fn event_loop() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}
