//! The live loop that all commands share: read a sample into the ledger, find owners, and remove complete flows from
//! the kernel's table. Each command decides when to do so, and what to do with the ledger.

use std::rc::Rc;

use anyhow::{Context as _, Result};
use flowtop_bpf::Wait;
use flowtop_common::Admission;
use flowtop_core::flow::Tuple;
use flowtop_core::ledger::Ledger;
use flowtop_core::owner::comm_text;
use flowtop_core::sanitize::harmless;
use flowtop_core::trigger::Trigger;
use flowtop_core::who::Who;
use flowtop_core::wire::Sample;
use flowtop_view::settings::Settings;
use tokio::runtime::{Builder, Runtime};

use crate::interfaces::Interfaces;
use crate::knowledge::Knowledge;
use crate::source::Source;
use crate::stderr;

/// Why a sample is taken, which decides how exact it has to be and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Rates between two reports: uses the counters that events have updated, and waits for nothing.
    Rates,
    /// A frame of the screen: reads every socket but does not wait for names, because the next frame comes soon.
    Frame,
    /// A report or a record, which cannot be corrected later: reads every socket, and waits up to 100 ms for names of
    /// processes ([`Knowledge::settle`]).
    Report,
}

/// A source of samples, with what is known about the owners of its flows.
pub struct Session {
    source: Source,
    known: Knowledge,
    interfaces: Option<Rc<Interfaces>>,
    /// Whether the terminal shows the view, which stderr would disturb.
    has_screen: bool,
}

impl Session {
    /// Starts counting the traffic that `admission` lets pass, or generating traffic for `--demo`.
    ///
    /// # Errors
    /// Those of [`Source::start`].
    pub fn start(settings: &Settings, admission: &Admission, known: Knowledge, demo: bool) -> Result<Self> {
        Ok(Self {
            has_screen: false,
            ..Self::behind_screen(Source::start(settings, admission, demo)?, known)
        })
    }

    /// The session of the view, with a source that has been started.
    pub fn behind_screen(source: Source, known: Knowledge) -> Self {
        Self { source, known, interfaces: None, has_screen: true }
    }

    /// The same with the interfaces of `-i`, which are followed from now on.
    #[must_use]
    pub fn following(self, interfaces: &Rc<Interfaces>) -> Self {
        Self { interfaces: Some(Rc::clone(interfaces)), ..self }
    }

    /// The same with or without what TCP says of its segments, which takes passes over all sockets.
    #[must_use]
    pub fn with_details(mut self, with_details: bool) -> Self {
        self.source.keep_details_current(with_details);
        self
    }

    /// Whether connections may be on other interfaces than in the last sample.
    fn has_moved(&self) -> bool {
        self.interfaces.as_ref().is_some_and(|interfaces| interfaces.follow())
    }

    /// Takes a sample into a ledger and completes it.
    ///
    /// # Errors
    /// If tables or sockets of the kernel cannot be read.
    pub fn take(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        self.sample(ledger, purpose)?;
        self.follow_up(ledger, purpose)
    }

    /// The first half of [`Self::take`]: updates the bytes in the ledger.
    ///
    /// # Errors
    /// Those of [`Self::take`].
    pub fn sample(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        if self.has_moved() {
            ledger.judge_again();
        }
        self.source.ask_processes(ledger.asks_processes());
        match purpose {
            Purpose::Rates => self.source.feed(ledger)?,
            Purpose::Frame | Purpose::Report => self.source.feed_exactly(ledger)?,
        }
        self.name_refused(ledger);
        self.name_past_tcp();
        Ok(())
    }

    /// Names on stderr the connections whose counters cannot be true. The view shows how many there are.
    fn name_refused(&self, ledger: &Ledger) {
        for key in ledger.refused().iter().filter(|_| !self.has_screen) {
            let Tuple { local, remote } = Tuple::of(key);
            stderr::print(&format!(
                "flowtop: the counters of {local} to {remote} cannot be true and are not counted\n"
            ));
        }
    }

    /// Names on stderr the connections whose bytes a socket map carries past TCP. The view shows how many bytes these are.
    fn name_past_tcp(&mut self) {
        let told = self.source.past_tcp();
        for one in told.iter().filter(|_| !self.has_screen) {
            let Tuple { local, remote } = Tuple::of(&one.key);
            let process = comm_text(&one.comm).map(|comm| format!(", {} ({})", harmless(&comm), one.pid));
            let process = process.unwrap_or_default();
            stderr::print(&format!(
                "flowtop: a socket map carries bytes of {local} to {remote}{process} past TCP: no row has them, \
                 losses.socket_map counts them\n"
            ));
        }
    }

    /// The second half of [`Self::take`]: finds owners, which takes a while with many sockets, and removes ended flows.
    ///
    /// # Errors
    /// Those of [`Self::take`].
    pub fn follow_up(&mut self, ledger: &mut Ledger, purpose: Purpose) -> Result<()> {
        let wait = if purpose == Purpose::Report { Wait::Yes } else { Wait::No };
        self.attend(ledger, wait)?;
        if purpose == Purpose::Report {
            self.settle(ledger);
        }
        Ok(())
    }

    /// Takes one sample into several ledgers, as exact as for a report. Owners are found for the flows of the first
    /// ledger, which has all of them.
    ///
    /// # Errors
    /// Those of [`Self::take`].
    pub fn take_for_all<'a>(
        &mut self,
        sample: &mut Sample,
        first: &'a mut Ledger,
        others: impl Iterator<Item = &'a mut Ledger>,
    ) -> Result<()> {
        let has_moved = self.has_moved();
        let others: Vec<_> = others.collect();
        let asks_processes = first.asks_processes() || others.iter().any(|ledger| ledger.asks_processes());
        self.source.ask_processes(asks_processes);
        self.source.sample_exactly(sample)?;
        let apply = |ledger: &mut Ledger| {
            if has_moved {
                ledger.judge_again();
            }
            ledger.apply(sample);
        };
        apply(first);
        for ledger in others {
            apply(ledger);
        }
        self.name_refused(first);
        self.name_past_tcp();
        self.attend(first, Wait::Yes)
    }

    /// Waits up to 100 ms for names of processes that are being read.
    pub fn settle(&self, ledger: &mut Ledger) {
        self.known.settle(ledger);
    }

    fn attend(&mut self, ledger: &mut Ledger, wait: Wait) -> Result<()> {
        self.source.find_holders(ledger, wait);
        self.known.ask(ledger);
        self.source.remove(ledger.removable())
    }

    /// Name of the hook plan.
    pub fn hooks(&self) -> &'static str {
        self.source.hooks()
    }

    /// The trigger in force; see [`Source::trigger`].
    pub fn trigger(&self) -> Option<(Trigger, String)> {
        self.source.trigger()
    }

    /// Owners and labels for reports.
    pub fn who(&self) -> Who<'_> {
        self.known.who()
    }

    /// The source of the samples.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Builds the event loop of a command: one thread, with timers, signals and files.
///
/// # Errors
/// If no thread or file descriptor is available.
pub fn event_loop() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}
