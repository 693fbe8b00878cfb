//! Hook plans: which of them load here, and the switch that silences two of them.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::flowtop::output_of;

/// A hook plan in the output of `flowtop doctor --json`.
#[derive(Debug, Deserialize)]
pub struct Offer {
    /// `fentry`, `kprobe` or `tracepoint`.
    pub name: String,
    pub loads: bool,
    /// The reason, if this kernel does not load it.
    pub reason: Option<String>,
    /// Whether passes over all sockets can stand in for its events.
    pub sweeps: Option<bool>,
}

#[derive(Deserialize)]
struct Diagnosis {
    plans: Vec<Offer>,
}

/// Asks flowtop which plans load here.
pub fn offers(flowtop: &Path) -> Result<Vec<Offer>> {
    let text = output_of(flowtop, &["doctor", "--json"])?;
    let diagnosis: Diagnosis =
        serde_json::from_str(&text).context("`flowtop doctor --json` is not the JSON contract")?;
    Ok(diagnosis.plans)
}

/// `/proc/sys/kernel/ftrace_enabled` at 0; back at 1 when this is dropped.
pub struct FtraceOff(());

const FTRACE_SWITCH: &str = "/proc/sys/kernel/ftrace_enabled";

impl FtraceOff {
    /// Switches ftrace off: fentry and kprobe programs then attach and never run.
    ///
    /// # Errors
    /// If the kernel has no such switch or refuses.
    pub fn new() -> Result<Self> {
        switch_ftrace("0")?;
        Ok(Self(()))
    }
}

impl Drop for FtraceOff {
    fn drop(&mut self) {
        if let Err(error) = switch_ftrace("1") {
            eprintln!("flowtop-live: ftrace stays off: {error:#}");
        }
    }
}

fn switch_ftrace(value: &str) -> Result<()> {
    std::fs::write(FTRACE_SWITCH, value).with_context(|| format!("cannot write {FTRACE_SWITCH}"))
}
