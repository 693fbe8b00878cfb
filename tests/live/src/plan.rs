//! Hook plans: which of them load here, and what each can see at what moment.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::flowtop::output_of;

/// What `flowtop doctor` says about one plan.
#[derive(Debug, Deserialize)]
pub struct Offer {
    /// The plan.
    pub name: String,
    /// Whether this kernel loads it.
    pub loads: bool,
    /// Why not.
    pub reason: Option<String>,
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

/// How soon a hook plan on a kernel counts a byte.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// Reports that may pass until the numbers are exact: 1 unless a property of the plan says more.
    pub reports_until_exact: u32,
    /// That property, for the log.
    pub note: Option<&'static str>,
}

/// Enough for an acknowledgement that is held back as long as the kernel may (200 ms), many times over.
pub const PATIENT: u32 = 100;

impl Capabilities {
    /// What the plan can do on the running kernel.
    pub fn of(hooks: &str) -> Result<Self> {
        if hooks == "tracepoint" && !kernel_traces_sends()? {
            return Ok(Self {
                reports_until_exact: PATIENT,
                note: Some(
                    "no tracepoint sees a send on this kernel: sent bytes are counted at their acknowledgement",
                ),
            });
        }
        Ok(Self { reports_until_exact: 1, note: None })
    }
}

/// Whether the kernel has the tracepoint `sock_send_length` (Linux 6.3), by its type in the kernel's BTF.
fn kernel_traces_sends() -> Result<bool> {
    let path = "/sys/kernel/btf/vmlinux";
    let btf = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let name = b"btf_trace_sock_send_length";
    Ok(btf.windows(name.len()).any(|window| window == name))
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
