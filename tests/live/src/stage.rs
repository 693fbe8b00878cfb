//! The stage of a case: a running flowtop, shared with other cases or its own, and the check against it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};

use crate::compare::{Connection, Holds, compare};
use crate::flowtop::Flowtop;
use crate::report::{self, Report};

/// How long a shared socket may be used until flowtop has seen by whom: it looks for sockets that are shared every 10 s, and
/// then for 20 ms every 2 s for users. Generous, since a walk over the open files of a busy machine takes a while.
const SAMPLING_PATIENCE: Duration = Duration::from_secs(90);

/// One plan of one run: how flowtop is started and how large the workloads are.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The program; none on a dry run.
    pub flowtop: Option<PathBuf>,
    /// Value of `--hooks`.
    pub plan: String,
    /// Value of `--trigger`, if it is given.
    pub trigger: Option<String>,
    /// The plan that must then count.
    pub expected_hooks: Option<String>,
    /// Connections in the case of many short ones.
    pub short_connections: usize,
    /// Bytes that a connection has carried before flowtop starts.
    pub history_bytes: u64,
    /// Processes in the case of many.
    pub processes: u32,
}

/// How strictly a case is judged.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Whether flowtop's number may stand for the application's.
    pub holds: Holds,
    /// How long it may take until a report has it, whatever the plan; with none the first one has.
    pub patience: Duration,
}

/// A flowtop that counts, or nothing on a dry run.
pub struct Bench {
    flowtop: Option<Flowtop>,
    expected_hooks: Option<String>,
    /// Value of `--trigger`, if it is given.
    trigger: Option<String>,
    rule: Rule,
}

impl Bench {
    fn start(setting: &Setting, arguments: &[String], files: Option<u64>, rule: Rule) -> Result<Self> {
        let trigger = setting.trigger.iter().flat_map(|trigger| ["--trigger".to_owned(), trigger.clone()]);
        let arguments: Vec<String> = trigger.chain(arguments.iter().cloned()).collect();
        let start = |program: &PathBuf| Flowtop::start(program, &setting.plan, &arguments, files);
        let flowtop = setting.flowtop.as_ref().map(start).transpose()?;
        let (expected_hooks, trigger) = (setting.expected_hooks.clone(), setting.trigger.clone());
        Ok(Self { flowtop, expected_hooks, trigger, rule })
    }

    /// Compares the connections with a fresh report. `when` says at which moment of the case.
    pub fn check(&mut self, when: &str, connections: &[Connection]) -> Result<()> {
        let holds = self.rule.holds;
        self.check_report(when, |report| compare(connections, report, holds))
    }

    /// The same after each `usage` of a socket. Between passes over all sockets who uses it is sampled, so there it goes on
    /// until a report names the user.
    pub fn check_user(
        &mut self,
        when: &str,
        mut usage: impl FnMut() -> Result<()>,
        judge: impl Fn(&Report) -> Result<(), String>,
    ) -> Result<()> {
        usage()?;
        if self.trigger.as_deref().is_none_or(|trigger| trigger == "events") {
            return self.check_report(when, judge);
        }
        let until = Instant::now() + SAMPLING_PATIENCE;
        let rule = self.rule;
        self.rule.patience = Duration::ZERO;
        let outcome = loop {
            match self.check_report(when, &judge) {
                Err(_) if Instant::now() < until => usage()?,
                outcome => break outcome,
            }
        };
        self.rule = rule;
        outcome
    }

    /// Asks `judge` about a fresh report; again only where the case is known to be counted late.
    pub fn check_report(&mut self, when: &str, judge: impl Fn(&Report) -> Result<(), String>) -> Result<()> {
        let until = Instant::now() + self.rule.patience;
        loop {
            // A report itself waits for names that are being read.
            let Some(line) = self.report_line()? else { return Ok(()) };
            let report = report::parse(&line)?;
            self.check_hooks(&report)?;
            match judge(&report) {
                Ok(()) => return Ok(()),
                Err(difference) if Instant::now() >= until => {
                    bail!("{when}: {difference}; {}", report.lost())
                }
                Err(_) => {}
            }
        }
    }

    /// A fresh report as flowtop printed it; none on a dry run.
    pub fn report_line(&mut self) -> Result<Option<String>> {
        self.flowtop.as_mut().map(Flowtop::report).transpose()
    }

    /// Waits until flowtop says something with this text on stderr.
    pub fn hear(&self, text: &str) -> Result<()> {
        self.flowtop.as_ref().map_or(Ok(()), |flowtop| flowtop.hear(text))
    }

    /// Runs `work` while flowtop is stopped.
    pub fn while_frozen(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if let Some(flowtop) = &self.flowtop {
            flowtop.freeze()?;
        }
        work()?;
        self.flowtop.as_ref().map_or(Ok(()), Flowtop::thaw)
    }

    /// Lines on stderr from before flowtop counted.
    pub fn preamble(&self) -> &[String] {
        self.flowtop.as_ref().map_or(&[], |flowtop| &flowtop.preamble)
    }

    /// Ends flowtop with `q`, which must succeed.
    pub fn quit(self) -> Result<()> {
        self.flowtop.map_or(Ok(()), Flowtop::quit)
    }

    fn check_hooks(&self, report: &Report) -> Result<()> {
        if let Some(expected) = &self.expected_hooks {
            ensure!(report.hooks == *expected, "expected hooks {expected}, got {}", report.hooks);
        }
        if let Some(wanted) = self.trigger.as_ref().filter(|wanted| ["events", "sweep"].contains(&&***wanted))
        {
            let (trigger, reason) = (&report.trigger, &report.trigger_reason);
            // No pass finds what socket maps carry past TCP.
            let gives_way = reason.contains("socket maps") || reason.contains("depend on processes");
            ensure!(trigger == wanted || gives_way, "expected {wanted}, got {trigger}: {reason}");
        }
        Ok(())
    }
}

/// The flowtop of one plan, kept for as many cases as possible.
pub struct Stage<'a> {
    /// How flowtop is started.
    pub setting: &'a Setting,
    shared: Option<Bench>,
    rule: Rule,
}

impl<'a> Stage<'a> {
    /// Starts the shared flowtop of the plan.
    pub fn new(setting: &'a Setting, rule: Rule) -> Result<Self> {
        let shared = Some(Bench::start(setting, &[], None, rule)?);
        Ok(Self { setting, shared, rule })
    }

    /// Sets the rule of the next case. A shared flowtop that has died is forgotten, so that each case stands alone.
    pub fn prepare(&mut self, rule: Rule) {
        self.rule = rule;
        let died = |bench: &mut Bench| bench.flowtop.as_mut().is_some_and(|flowtop| !flowtop.is_running());
        if self.shared.as_mut().is_some_and(died) {
            self.shared = None;
        }
    }

    /// The shared flowtop.
    pub fn bench(&mut self) -> Result<&mut Bench> {
        if self.shared.is_none() {
            self.shared = Some(self.start(&[])?);
        }
        let bench = self.shared.as_mut().ok_or_else(|| anyhow!("no flowtop"))?;
        bench.rule = self.rule;
        Ok(bench)
    }

    /// A flowtop of the case's own, started now.
    pub fn start(&self, arguments: &[&str]) -> Result<Bench> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Bench::start(self.setting, &arguments, None, self.rule)
    }

    /// The same of one that may have so many files open at most.
    pub fn start_with_files(&self, files: u64) -> Result<Bench> {
        Bench::start(self.setting, &[], Some(files), self.rule)
    }

    /// Ends the shared flowtop.
    pub fn quit(self) -> Result<()> {
        self.shared.map_or(Ok(()), Bench::quit)
    }
}
