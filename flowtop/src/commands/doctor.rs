//! `flowtop doctor`: checks kernel, privileges and hooks. Every plan is loaded and tried.

use anyhow::{Result, bail};
use aya::sys::{Stats, enable_stats};
use flowtop_bpf::plan::{self, Demand};
use flowtop_bpf::rights::{Ability, Right, Rights};
use flowtop_bpf::{self, Loaded, load, probe, selfcheck};
use flowtop_core::hooks::Hooks;
use serde::Serialize;
use std::fmt::Write as _;

/// Messages per direction to measure the cost of a run.
const MESSAGES: u32 = 2_000;

/// The result as printed with `--json`.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Release of the running kernel.
    kernel: String,
    /// Machine type, such as `x86_64`.
    machine: String,
    /// `none`, `integrity`, `confidentiality`, or null if the kernel has no lockdown.
    lockdown: Option<String>,
    /// Why the kernel's BTF cannot be used, or null.
    btf_problem: Option<String>,
    /// Privileges of flowtop.
    capabilities: Vec<Capability>,
    /// Whether it runs in a user namespace, whose capabilities are none of these.
    user_namespace: bool,
    /// Whether a seccomp filter looks at its system calls.
    seccomp_filter: bool,
    /// Why nothing was tried, or null.
    #[serde(skip)]
    missing: Option<String>,
    /// Every hook plan.
    plans: Vec<Tried>,
    /// The plan that `--hooks auto` takes, or null.
    chosen: Option<&'static str>,
    /// Value of `--max-flows`.
    max_flows: u32,
    /// `RLIMIT_MEMLOCK` in bytes, null for unlimited. It only applies before Linux 5.11.
    memlock_bytes: Option<u64>,
    /// `RLIMIT_NOFILE`, null for unlimited.
    open_files: Option<u64>,
    /// Value of `kernel.ftrace_enabled`, null if the setting does not exist.
    ftrace_enabled: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Capability {
    name: String,
    purpose: &'static str,
    effective: bool,
    /// What does not work without it, whether it is there or not.
    without: Vec<&'static str>,
}

impl Capability {
    fn of(right: Right, rights: Rights) -> Self {
        Self {
            name: right.name().to_lowercase(),
            purpose: right.purpose(),
            effective: rights.has(right),
            without: right.lost(rights.is_root).map(Ability::name).collect(),
        }
    }

    fn describe(&self) -> String {
        if self.effective {
            return format!("yes (to {})", self.purpose);
        }
        let lost = match self.without.as_slice() {
            [first, ..] if *first == Ability::Counting.name() => "everything".to_owned(),
            lost => lost.join("; "),
        };
        format!("missing (to {}); lost: {lost}", self.purpose)
    }
}

#[derive(Debug, Serialize)]
struct Tried {
    name: &'static str,
    /// Whether the kernel was asked.
    #[serde(skip)]
    asked: bool,
    /// Loads, attaches and counts.
    loads: bool,
    /// Why it does not work, or null.
    reason: Option<String>,
    /// Kernel memory of its tables in bytes.
    table_bytes: Option<u64>,
    /// Where it stores the state of a socket.
    socket_state: Option<&'static str>,
    /// Mean run time of its programs on small messages in ns, as measured by the kernel, which includes the cost of
    /// measuring; null if the kernel does not provide it.
    run_ns: Option<f64>,
    /// Whether bytes sent are counted only when the peer acknowledges them.
    counts_on_ack: Option<bool>,
    /// Whether the kernel makes passes over all sockets for this plan.
    sweeps: Option<bool>,
    /// Why not, or null.
    sweep_problem: Option<String>,
}

/// Runs all checks.
pub fn examine(max_flows: u32) -> Result<Finding> {
    let uname = rustix::system::uname();
    let rights = probe::rights()?;
    let missing = probe::require_rights().err().map(|error| error.to_string());
    let mut host = probe::host();
    let plans: Vec<_> = Hooks::ALL
        .into_iter()
        .map(|hooks| match (&missing, &mut host) {
            (None, Ok((host, loader))) => try_plan(hooks, host, loader, max_flows),
            (Some(missing), _) => refused(hooks, missing.clone()),
            (None, Err(error)) => refused(hooks, error.to_string()),
        })
        .collect();
    Ok(Finding {
        kernel: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        lockdown: probe::lockdown(),
        btf_problem: host.err().map(|error| error.to_string()),
        capabilities: Right::ALL.map(|right| Capability::of(right, rights)).into(),
        user_namespace: rights.is_in_user_namespace,
        seccomp_filter: probe::has_seccomp_filter(),
        missing,
        chosen: plans.iter().find(|plan| plan.loads).map(|plan| plan.name),
        plans,
        max_flows,
        memlock_bytes: rustix::process::getrlimit(rustix::process::Resource::Memlock).current,
        open_files: probe::open_files(),
        ftrace_enabled: probe::ftrace_enabled(),
    })
}

fn try_plan(hooks: Hooks, host: &probe::Host, loader: &mut probe::Loader, max_flows: u32) -> Tried {
    let plan = plan::plan(host.facts, hooks);
    let works = flowtop_bpf::attempt(&plan, host, loader, Demand::of(max_flows));
    let (reason, run_ns, sweep) = match works {
        Ok(Ok(works)) => (None, run_ns(&works), Some(works.sweep())),
        Ok(Err(failure)) => (Some(failure.to_string()), None, None),
        Err(error) => (Some(format!("{error:#}")), None, None),
    };
    let sweeps = sweep.as_ref().map(Result::is_ok);
    let sweep_problem = sweep.and_then(Result::err);
    Tried {
        name: hooks.name(),
        asked: true,
        loads: reason.is_none(),
        reason,
        table_bytes: Some(load::table_bytes(&plan, max_flows)),
        socket_state: Some(if plan.store == flowtop_common::store::SOCKET {
            "in the socket"
        } else {
            "in a table"
        }),
        run_ns,
        counts_on_ack: Some(plan.counts_on_ack),
        sweep_problem,
        sweeps,
    }
}

/// Mean run time in ns of the programs over [`MESSAGES`].
fn run_ns(loaded: &Loaded) -> Option<f64> {
    let _statistics = enable_stats(Stats::RunTime).ok()?;
    let sum = || -> Option<(f64, u64)> {
        let costs = loaded.costs().ok()?;
        Some(
            costs.iter().fold((0.0, 0), |sum, cost| (sum.0 + cost.run_time.as_secs_f64(), sum.1 + cost.runs)),
        )
    };
    let (before_s, runs_before) = sum()?;
    selfcheck::exchange(MESSAGES).ok()?;
    let (after_s, runs_after) = sum()?;
    let runs = runs_after.checked_sub(runs_before).filter(|runs| *runs > 0)?;
    Some((after_s - before_s) * 1e9 / runs as f64)
}

fn refused(hooks: Hooks, reason: String) -> Tried {
    Tried {
        name: hooks.name(),
        asked: false,
        loads: false,
        reason: Some(reason),
        table_bytes: None,
        socket_state: None,
        run_ns: None,
        counts_on_ack: None,
        sweeps: None,
        sweep_problem: None,
    }
}

impl Finding {
    /// # Errors
    /// Why flowtop does not count on this host: what is missing, or that all hooks were tried.
    pub fn verdict(&self) -> Result<()> {
        match (self.chosen, &self.missing) {
            (Some(_), _) => Ok(()),
            (None, Some(missing)) => bail!("no hooks were tried: {missing}"),
            (None, None) => bail!("no hooks work here; the lines above say why"),
        }
    }

    /// The result as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label:<19} {value}");
        };
        line("kernel", &format!("{} {}", self.kernel, self.machine));
        line("lockdown", self.lockdown.as_deref().unwrap_or("not built in"));
        line("type info", self.btf_problem.as_deref().unwrap_or("complete"));
        for capability in &self.capabilities {
            line(&capability.name, &capability.describe());
        }
        line("confined by", &self.confinement());
        let memlock =
            self.memlock_bytes.map_or("unlimited".to_owned(), |bytes| format!("{} KiB", bytes >> 10));
        line("memlock", &format!("{memlock} (binds before Linux 5.11 only)"));
        line("open files", &self.open_files.map_or("unlimited".to_owned(), |files| files.to_string()));
        let ftrace = self.ftrace_enabled.map_or("no such setting", |on| if on { "on" } else { "off" });
        line("ftrace", ftrace);
        for plan in &self.plans {
            line(plan.name, &plan.describe(self.chosen == Some(plan.name)));
        }
        line("result", &self.result());
        text
    }

    fn confinement(&self) -> String {
        let user_namespace = self.user_namespace.then_some("a user namespace");
        let seccomp = self.seccomp_filter.then_some("a seccomp filter");
        let found: Vec<_> = user_namespace.into_iter().chain(seccomp).collect();
        if found.is_empty() { "nothing that is seen".to_owned() } else { found.join(", ") }
    }

    fn result(&self) -> String {
        match self.chosen {
            Some(hooks) => {
                format!("flowtop counts with {hooks} hooks, up to {} connections one by one", self.max_flows)
            }
            None => "flowtop cannot count here".to_owned(),
        }
    }
}

impl Tried {
    fn describe(&self, chosen: bool) -> String {
        let Some(reason) = &self.reason else {
            let bytes = self.table_bytes.unwrap_or_default();
            let on_ack =
                if self.counts_on_ack == Some(true) { ", bytes sent count when acknowledged" } else { "" };
            let sweep = match &self.sweep_problem {
                Some(problem) => format!(", no sweeps: {problem}"),
                None => ", can sweep all sockets".to_owned(),
            };
            let run = self.run_ns.map_or(String::new(), |ns| format!(", {ns:.0} ns a run of its programs"));
            return format!(
                "works{}: {:.1} MiB of tables, socket state {}{run}{on_ack}{sweep}",
                if chosen { " and is used" } else { "" },
                bytes as f64 / f64::from(1 << 20),
                self.socket_state.unwrap_or_default(),
            );
        };
        format!("{}: {reason}", if self.asked { "does not work" } else { "not tried" })
    }
}
