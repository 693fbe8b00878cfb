//! Events or passes over all sockets, whichever cost less.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Case;
use crate::net::Pair;
use crate::report;
use crate::stage::{Bench, Stage};

pub const CASES: &[Case] = &[Case::exact(
    "small messages that make passes cheaper than events, and their end",
    "bytes that a change loses or doubles; a change that never comes",
    changes,
)];

/// flowtop keeps one way for 10 s at least, and then has to have counted. Generous, as for an answer.
const PATIENCE: Duration = Duration::from_mins(2);

fn changes(stage: &mut Stage<'_>) -> Result<()> {
    let chosen: &[&str] = if stage.setting.trigger.is_none() { &["--trigger", "auto"] } else { &[] };
    let mut bench = stage.start(chosen)?;
    let mut pair = Pair::connect()?;
    // A forced trigger stays, and so do events where there are no passes.
    if may_change(stage, &mut bench)? {
        wait_for("sweep", &mut bench, || pair.ask(64, 64))?;
    }
    for _ in 0..100 {
        pair.ask(64, 64)?;
    }
    bench.check("while busy", &[pair.outcome()?])?;
    if may_change(stage, &mut bench)? {
        wait_for("events", &mut bench, || Ok(()))?;
    }
    pair.exchange(1_001)?;
    bench.check("while idle", &[pair.outcome()?])?;
    pair.close();
    bench.check("after the close", &[pair.outcome()?])?;
    bench.quit()
}

fn may_change(stage: &Stage<'_>, bench: &mut Bench) -> Result<bool> {
    let Some(line) = bench.report_line()? else { return Ok(false) };
    let reason = report::parse(&line)?.trigger_reason;
    Ok(stage.setting.trigger.is_none() && !reason.contains("cannot be swept"))
}

/// Works until a report says that this keeps the counters current.
fn wait_for(trigger: &str, bench: &mut Bench, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    const BETWEEN_REPORTS: u32 = 2_000;
    let until = Instant::now() + PATIENCE;
    loop {
        (0..BETWEEN_REPORTS).try_for_each(|_| work())?;
        let Some(line) = bench.report_line()? else { return Ok(()) };
        let report = report::parse(&line)?;
        if report.trigger == trigger {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "expected {trigger}, got {}: {}",
            report.trigger,
            report.trigger_reason
        );
    }
}
