//! A program beside a traffic: what it and its BPF programs take of the processor meanwhile.

use super::tool::{Counted, Running, Task, Tool};
use crate::empty::Empty;
use crate::programs;
use anyhow::{Context as _, Result, ensure};
use aya::{
    programs::ProgramInfo,
    sys::{Stats, enable_stats},
};
use std::time::Instant;

/// What a program took of a core, in percent, and what it has counted.
#[derive(Clone, Copy, Default)]
pub struct Beside {
    /// All of its threads, user and system time.
    pub processor: f64,
    /// Its BPF programs, where the kernel kept statistics.
    pub bpf: Option<f64>,
    /// Programs that do nothing, on the same sends and receives.
    pub empty: Option<f64>,
    /// What it has counted.
    pub counted: Counted,
}

/// Has a program count while `carry` sends. For flowtop's BPF programs it is called once more: the kernel's statistics cost
/// time themselves, so they get a run of their own.
pub fn beside<T>(tool: Tool, task: Task, mut carry: impl FnMut() -> Result<T>) -> Result<(T, Beside)> {
    let (carried, beside) = once(tool, task, &mut carry, &[])?;
    if !tool.is_ours() {
        return Ok((carried, beside));
    }
    let empty = [Empty::on_send()?, Empty::on_receive()?];
    let _statistics = enable_stats(Stats::RunTime).context("cannot have the kernel time BPF programs")?;
    let (_, timed) = once(tool, task, &mut carry, &empty)?;
    Ok((carried, Beside { bpf: timed.bpf, empty: timed.empty, ..beside }))
}

/// Programs that do nothing are there where the kernel times programs.
fn once<T>(
    tool: Tool,
    task: Task,
    carry: &mut impl FnMut() -> Result<T>,
    empty: &[Empty],
) -> Result<(T, Beside)> {
    let running = Running::start(tool, task)?;
    let is_timed = !empty.is_empty();
    let programs = if is_timed { programs::of_process(running.pid())? } else { Vec::new() };
    ensure!(is_timed != programs.is_empty(), "flowtop has no BPF programs open");
    let programs: Vec<_> = programs.iter().map(ProgramInfo::id).collect();
    let seconds =
        || Ok::<_, anyhow::Error>([running.processor_s()?, bpf_seconds(&programs), seconds_in(empty)?]);
    let (start, before) = (Instant::now(), seconds()?);
    let carried = carry()?;
    let (elapsed_s, after) = (start.elapsed().as_secs_f64(), seconds()?);
    let [processor, bpf, empty] = [0, 1, 2].map(|of| 100.0 * (after[of] - before[of]) / elapsed_s);
    let [bpf, empty] = [bpf, empty].map(|percent| is_timed.then_some(percent));
    Ok((carried, Beside { processor, bpf, empty, counted: running.finish()? }))
}

fn seconds_in(empty: &[Empty]) -> Result<f64> {
    empty.iter().map(|program| Ok(program.cost()?.1 / 1e9)).sum()
}

/// Seconds in these programs since they were loaded, as far as the kernel kept statistics.
fn bpf_seconds(ids: &[u32]) -> f64 {
    programs::now(ids).map(|program| program.run_time().as_secs_f64()).sum()
}
