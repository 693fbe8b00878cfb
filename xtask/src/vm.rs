//! `cargo xtask vm`: the live suite as the only program of virtual machines, one for each kernel of the ladder.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::archive::Archive;
use crate::command::target;
use crate::guest::Machine;
use crate::initramfs::Initramfs;
use crate::kernels::{self, Kernel, LADDER};
use crate::live::{self, Programs};
use crate::modules;
use crate::transcript::Transcript;

/// What the suite is told in a guest: emulation is about twenty times slower than the machine, and memory is short.
const GUEST_ARGUMENTS: &[&str] = &["--without-ftrace", "--short-connections", "5000", "--processes", "1000"];

/// What the owners of sockets are compared with (`cargo xtask setup` installs it).
const SS: &str = "/usr/bin/ss";

/// Time for a guest in seconds: several times of what the slowest needs beside another one on an idle machine.
const LIMIT_SECS: u64 = 1200;

/// What `cargo xtask vm` takes.
#[derive(clap::Args)]
pub struct Options {
    /// Kernel series, such as 5.10 or 6.12; 7 is the newest 7.x [default: the whole ladder]
    #[arg(long, value_name = "SERIES", value_delimiter = ',', hide_default_value = true, default_values = LADDER)]
    kernel: Vec<String>,
    /// Hook plans, as flowtop-live takes them [default: all that load]
    #[arg(long, value_name = "PLANS")]
    hooks: Option<String>,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Virtualise instead of emulating; hangs on some nested hypervisors
    #[arg(long)]
    kvm: bool,
    /// Stop a guest after this many seconds
    #[arg(long, value_name = "SECS", default_value_t = LIMIT_SECS)]
    timeout: u64,
    /// Guests that run at the same time [default: as many as there are processors]
    #[arg(long, value_name = "N", default_value_t = default_jobs(), hide_default_value = true)]
    jobs: usize,
    /// Succeed although a kernel could not be fetched
    #[arg(long)]
    allow_missing: bool,
    /// More arguments for flowtop-live, such as `--repeat 20`
    #[arg(last = true, value_name = "ARGUMENTS")]
    suite: Vec<String>,
}

impl Options {
    /// What `cargo xtask vm` does without arguments.
    pub fn whole_ladder() -> Self {
        Self {
            kernel: LADDER.iter().map(|&series| series.to_owned()).collect(),
            hooks: None,
            case: None,
            kvm: false,
            timeout: LIMIT_SECS,
            jobs: default_jobs(),
            allow_missing: false,
            suite: Vec::new(),
        }
    }
}

/// A guest is one busy thread (see `guest`).
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The hook plans that every kernel of the ladder has to run.
const PLANS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];

/// What became of one kernel.
struct Row {
    series: String,
    release: String,
    transcript: Transcript,
    seconds: u64,
    end: End,
}

enum End {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs the ladder, prints the table and returns the sum of all cases; each kernel that was not tested is a failure.
pub fn run(options: &Options) -> Result<Transcript> {
    let programs = live::build()?;
    let archive = Archive::open()?;
    let rows = rows(options, &programs, &archive);
    print(&rows);
    Ok(sum(&rows, options.allow_missing))
}

/// Several guests at a time, rows in the order of the kernels.
fn rows(options: &Options, programs: &Programs, archive: &Archive) -> Vec<Row> {
    let waiting = Mutex::new(options.kernel.iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some((place, series)) = { waiting.lock().expect("no thread panics").next() } {
                    let row = row(options, programs, archive, series);
                    done.lock().expect("no thread panics").push((place, row));
                }
            });
        }
    });
    let mut rows = done.into_inner().expect("no thread panics");
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(options: &Options, programs: &Programs, archive: &Archive, series: &str) -> Row {
    let mut row = Row {
        series: series.to_owned(),
        release: "-".to_owned(),
        transcript: Transcript::default(),
        seconds: 0,
        end: End::Passed,
    };
    match kernels::fetch(archive, series) {
        Err(error) => row.end = End::Skipped(format!("{error:#}")),
        Ok(kernel) => {
            let start = Instant::now();
            let end = boot(options, programs, &kernel, &mut row.transcript);
            let failure = end.err().map(|error| format!("{error:#}"));
            let failure = failure.or_else(|| row.transcript.guest_failure());
            let failure = failure.or_else(|| plan_not_run(options, &row.transcript));
            row.end = failure.map_or(End::Passed, End::Failed);
            row.seconds = start.elapsed().as_secs();
            row.release = kernel.release;
        }
    }
    row
}

/// Debian's kernels take every plan, so one that was refused is a fault of ours (say, a program that has become too
/// complex for an old verifier).
fn plan_not_run(options: &Options, transcript: &Transcript) -> Option<String> {
    let all = options.hooks.is_none() && options.case.is_none();
    let missing = PLANS.iter().find(|plan| all && !transcript.plans.iter().any(|run| run == *plan))?;
    Some(format!("the plan {missing} was not run; its line `skip-plan` says why"))
}

fn boot(options: &Options, programs: &Programs, kernel: &Kernel, transcript: &mut Transcript) -> Result<()> {
    let file = target("vm/run")?.join(format!("{}.cpio", kernel.release));
    fs::write(&file, initramfs(options, programs, kernel)?).context("cannot write the initramfs")?;
    let limit = Duration::from_secs(options.timeout);
    let machine = Machine { kvm: options.kvm, cpus: 2, memory_mib: 1536, limit };
    machine.run(&kernel.image, &file, |line| {
        transcript.read(line);
        println!("[{}] {line}", kernel.series);
    })
}

/// The suite as `/init`, flowtop, ss, and the arguments of the suite.
fn initramfs(options: &Options, programs: &Programs, kernel: &Kernel) -> Result<Vec<u8>> {
    let mut root = Initramfs::default();
    root.program("flowtop", &fs::read(&programs.flowtop)?);
    root.installed(Path::new(SS))?;
    boots(root, &programs.live, arguments(options), kernel)
}

/// Completes a root with its `/init`, what that is told, and the modules of the kernel with their order.
pub fn boots(
    mut root: Initramfs,
    init: &Path,
    arguments: impl Iterator<Item = String>,
    kernel: &Kernel,
) -> Result<Vec<u8>> {
    root.program("init", &fs::read(init)?);
    root.file("init.args", lines(arguments).as_bytes());
    root.folder("modules");
    let modules = modules::read(&kernel.modules)?;
    root.file("modules/order", lines(modules.iter().map(|module| format!("{}.ko", module.name))).as_bytes());
    for module in modules {
        root.file(&format!("modules/{}.ko", module.name), &module.elf);
    }
    Ok(root.finish())
}

fn arguments(options: &Options) -> impl Iterator<Item = String> {
    let hooks = options.hooks.iter().flat_map(|plans| ["--hooks".to_owned(), plans.clone()]);
    let case = options.case.iter().flat_map(|text| ["--case".to_owned(), text.clone()]);
    GUEST_ARGUMENTS
        .iter()
        .map(|&argument| argument.to_owned())
        .chain(hooks)
        .chain(case)
        .chain(options.suite.iter().cloned())
}

fn lines(items: impl Iterator<Item = String>) -> String {
    items.map(|item| item + "\n").collect()
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<7} {:<34} {:>6} {:>6} {:>7} {:>7}  plans",
        "kernel", "release", "passed", "failed", "skipped", "seconds"
    );
    for row in rows {
        let Transcript { passed, failed, skipped, .. } = row.transcript;
        let plans = row.transcript.plans.join(" ");
        let head = format!(
            "{:<7} {:<34} {passed:>6} {failed:>6} {skipped:>7} {:>7}",
            row.series, row.release, row.seconds
        );
        match &row.end {
            End::Passed => println!("{head}  {plans}"),
            End::Failed(why) => println!("{head}  {plans}\n        failed: {why}"),
            End::Skipped(why) => println!("{head}\n        skipped: {why}"),
        }
        for failure in &row.transcript.failures {
            println!("        {failure}");
        }
    }
}

/// All cases of all kernels; a guest that failed without a failed case counts as one.
fn sum(rows: &[Row], allow_missing: bool) -> Transcript {
    let mut all = Transcript::default();
    for row in rows {
        all.passed += row.transcript.passed;
        all.skipped += row.transcript.skipped;
        all.failures.extend(row.transcript.failures.iter().map(|line| format!("[{}] {line}", row.series)));
        all.failed += match row.end {
            End::Passed => 0,
            End::Failed(_) => row.transcript.failed.max(1),
            End::Skipped(_) => usize::from(!allow_missing),
        };
    }
    all
}

/// An error when the ladder did not pass.
pub fn require(all: &Transcript) -> Result<()> {
    match all.suite_failure() {
        Some(why) => bail!("the kernel ladder did not pass: {why}"),
        None => Ok(()),
    }
}
