//! Plans × cases → one line each and a verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cases::{self, Case, Expectation};
use crate::cli::{Options, PLANS, Plans};
use crate::compare::exact;
use crate::plan::{self, FtraceOff};
use crate::stage::{Rule, Setting, Stage};

/// How long a case with a limitation may take until what it promises holds. Generous, as for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many cases ended how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    passed: u32,
    /// Cases that failed, and plans asked for by name that do not start.
    pub failed: u32,
    skipped: u32,
}

/// Runs what was asked for and prints a line a case.
///
/// # Errors
/// If the suite itself cannot run; a case that fails is counted instead.
pub fn run(options: &Options) -> Result<Tally> {
    let mut tally = Tally::default();
    if options.list {
        cases::all().for_each(list);
        return Ok(tally);
    }
    raise_file_limit()?;
    options.possible_cpus.map_or(Ok(()), require_possible_cpus)?;
    for plan in plans(options)? {
        let hooks = PLANS.contains(&plan.as_str()).then(|| plan.clone());
        let label = options.trigger.as_ref().map_or(plan.clone(), |trigger| format!("{plan}/{trigger}"));
        run_plan(&label, &setting(options, &plan, hooks), &selected(options), &mut tally);
    }
    if options.alternating {
        run_alternating(options, &mut tally)?;
    }
    if options.without_ftrace {
        run_without_ftrace(options, &mut tally);
    }
    println!("live: {} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    Ok(tally)
}

fn list(case: &Case) {
    println!("{}: catches {}", case.name, case.catches);
    if let Expectation::Limitation { text, .. } = case.expectation {
        println!("    limitation: {text}");
    }
}

/// The arrays with an element for each processor are as large as the kernel's room for them.
fn require_possible_cpus(count: u32) -> Result<()> {
    let possible = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    ensure!(possible.trim() == format!("0-{}", count - 1), "the possible processors are {possible}");
    Ok(())
}

/// Every connection has both ends in this process.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

fn plans(options: &Options) -> Result<Vec<String>> {
    match (&options.flowtop, &options.plans) {
        (None, _) => Ok(vec!["dry-run".to_owned()]),
        (_, Plans::Named(names)) => Ok(names.clone()),
        (Some(flowtop), Plans::Available) => available(flowtop),
    }
}

fn available(flowtop: &Path) -> Result<Vec<String>> {
    let (loading, refused): (Vec<_>, Vec<_>) =
        plan::offers(flowtop)?.into_iter().partition(|offer| offer.loads);
    for offer in refused {
        println!("skip-plan {}: {}", offer.name, offer.reason.as_deref().unwrap_or("no reason given"));
    }
    ensure!(!loading.is_empty(), "no hook plan loads here; `flowtop doctor` says why");
    Ok(loading.into_iter().map(|offer| offer.name).collect())
}

fn setting(options: &Options, plan: &str, expected_hooks: Option<String>) -> Setting {
    Setting {
        flowtop: options.flowtop.clone(),
        plan: plan.to_owned(),
        trigger: options.trigger.clone(),
        expected_hooks,
        short_connections: options.short_connections,
        history_bytes: options.history_bytes,
        processes: options.processes,
    }
}

fn selected(options: &Options) -> Vec<&'static Case> {
    let wanted = options.case.as_deref().unwrap_or_default();
    let round = || cases::all().filter(|case| case.name.contains(wanted));
    (0..options.repeat).flat_map(|_| round()).collect()
}

/// Runs the cases on one plan. `label` names the plan in the lines.
fn run_plan(label: &str, setting: &Setting, cases: &[&Case], tally: &mut Tally) {
    let mut stage = match Stage::new(setting, rule(&Expectation::Exact)) {
        Ok(stage) => stage,
        Err(error) => return fail(label, "flowtop starts", &error, tally),
    };
    for case in cases {
        run_case(label, case, &mut stage, tally);
    }
    if let Err(error) = stage.quit() {
        fail(label, "flowtop ends when told to", &error, tally);
    }
}

fn run_case(label: &str, case: &Case, stage: &mut Stage<'_>, tally: &mut Tally) {
    if let Some(Err(reason)) = case.needs.map(|probe| probe()) {
        println!("skip {label} {}: {reason:#}", case.name);
        tally.skipped += 1;
        return;
    }
    stage.prepare(rule(&case.expectation));
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.run)(stage)));
    match outcome.unwrap_or_else(|_| Err(anyhow!("the case panicked"))) {
        Ok(()) => {
            println!("ok {label} {}", case.name);
            tally.passed += 1;
        }
        Err(error) => fail(label, case.name, &error, tally),
    }
}

fn fail(label: &str, name: &str, error: &anyhow::Error, tally: &mut Tally) {
    println!("FAIL {label} {name}: {error:#}");
    tally.failed += 1;
}

fn rule(expectation: &Expectation) -> Rule {
    match expectation {
        Expectation::Exact => Rule { holds: exact, patience: Duration::ZERO },
        Expectation::Limitation { holds, .. } => Rule { holds: *holds, patience: PATIENCE },
    }
}

/// Cases that a change between events and passes could disturb, in each plan that can do both.
fn run_alternating(options: &Options, tally: &mut Tally) -> Result<()> {
    let Some(flowtop) = &options.flowtop else { return Ok(()) };
    let options = Options { trigger: Some("alternate".to_owned()), ..options.clone() };
    let wanted = options.case.as_deref().unwrap_or_default();
    let cases: Vec<_> = cases::alternating().into_iter().filter(|case| case.name.contains(wanted)).collect();
    for offer in plan::offers(flowtop)?.into_iter().filter(|offer| offer.loads) {
        let label = format!("{}/alternate", offer.name);
        if offer.sweeps == Some(true) {
            let hooks = Some(offer.name.clone());
            run_plan(&label, &setting(&options, &offer.name, hooks), &cases, tally);
        } else {
            println!("skip-plan {label}: `flowtop doctor` says why there are no passes");
        }
    }
    Ok(())
}

/// With ftrace off, fentry and kprobe programs attach and never run: flowtop must notice and say so.
fn run_without_ftrace(options: &Options, tally: &mut Tally) {
    const LABEL: &str = "without-ftrace";
    let off = match FtraceOff::new() {
        Ok(off) => off,
        Err(reason) => {
            println!("skip {LABEL}: {reason:#}");
            tally.skipped += 1;
            return;
        }
    };
    let setting = setting(options, "auto", Some("tracepoint".to_owned()));
    match says_that_it_fell_back(&setting) {
        Ok(()) => {
            println!("ok {LABEL} flowtop says that it fell to another plan");
            tally.passed += 1;
        }
        Err(error) => fail(LABEL, "flowtop says that it fell to another plan", &error, tally),
    }
    run_plan(LABEL, &setting, &cases::without_ftrace(), tally);
    drop(off);
}

fn says_that_it_fell_back(setting: &Setting) -> Result<()> {
    let bench = Stage::new(setting, rule(&Expectation::Exact))?.start(&[])?;
    let said = bench.preamble().join(" | ");
    ensure!(
        setting.flowtop.is_none() || said.contains("fentry") || said.contains("kprobe"),
        "expected a sentence on stderr that names the plan that does not count, got \"{said}\""
    );
    bench.quit()
}
