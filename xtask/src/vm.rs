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

/// Flags of the suite in a guest: emulation is about twenty times slower than the machine, and memory is short.
const GUEST_ARGUMENTS: &[&str] =
    &["--without-ftrace", "--alternating", "--short-connections", "5000", "--processes", "1000"];

/// The suite compares owners of sockets with this program (`cargo xtask setup` installs it).
const SS: &str = "/usr/bin/ss";

/// Time for a guest in seconds: several times of what the slowest needs beside another one on an idle machine.
const LIMIT_SECS: u64 = 1200;

/// Flags of `cargo xtask vm`.
#[derive(Clone, clap::Args)]
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
    /// Give the kernels room for so many processors; those from Linux 6.9 on do not take it
    #[arg(long, value_name = "N")]
    possible_cpus: Option<u32>,
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
    /// The default of `cargo xtask vm`: every kernel of the ladder.
    pub fn whole_ladder() -> Self {
        Self {
            kernel: LADDER.iter().map(|&series| series.to_owned()).collect(),
            hooks: None,
            case: None,
            possible_cpus: None,
            kvm: false,
            timeout: LIMIT_SECS,
            jobs: default_jobs(),
            allow_missing: false,
            suite: Vec::new(),
        }
    }
}

/// The guests to run: one for each kernel, and, unless only a part is wanted, one with room for many processors, which
/// the arrays with an element for each have to hold.
fn guests(options: &Options) -> Vec<Options> {
    let of = |series: &String| Options { kernel: vec![series.clone()], ..options.clone() };
    let many_cpus = Options {
        hooks: Some("fentry".to_owned()),
        case: Some("many short connections between two reads".to_owned()),
        possible_cpus: Some(1000),
        ..of(&MANY_CPUS_KERNEL.to_owned())
    };
    let is_part = options.hooks.is_some() || options.case.is_some() || options.possible_cpus.is_some();
    let has_kernel = options.kernel.iter().any(|series| series == MANY_CPUS_KERNEL);
    options.kernel.iter().map(of).chain((has_kernel && !is_part).then_some(many_cpus)).collect()
}

/// A kernel that takes the number of processors from its command line.
const MANY_CPUS_KERNEL: &str = "6.1";

/// A guest is one busy thread (see `guest`).
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The hook plans that every kernel of the ladder has to run.
const PLANS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];

/// Result of one kernel, a row of the summary.
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
    let waiting = Mutex::new(guests(options).into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some((place, guest)) = { waiting.lock().expect("no thread panics").next() } {
                    let row = row(&guest, programs, archive);
                    done.lock().expect("no thread panics").push((place, row));
                }
            });
        }
    });
    let mut rows = done.into_inner().expect("no thread panics");
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// One guest; the options have its kernel alone.
fn row(options: &Options, programs: &Programs, archive: &Archive) -> Row {
    let series = &options.kernel[0];
    let mut row = Row {
        series: series.clone(),
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
            row.release =
                kernel.release + &options.possible_cpus.map(|n| format!(", {n} CPUs")).unwrap_or_default();
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
    let cpus = options.possible_cpus.map(|n| format!("-{n}-cpus")).unwrap_or_default();
    let file = target("vm/run")?.join(format!("{}{cpus}.cpio", kernel.release));
    fs::write(&file, initramfs(options, programs, kernel)?).context("cannot write the initramfs")?;
    let limit = Duration::from_secs(options.timeout);
    let machine =
        Machine { kvm: options.kvm, cpus: 2, possible_cpus: options.possible_cpus, memory_mib: 1536, limit };
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
    let cpus =
        options.possible_cpus.iter().flat_map(|count| ["--possible-cpus".to_owned(), count.to_string()]);
    GUEST_ARGUMENTS
        .iter()
        .map(|&argument| argument.to_owned())
        .chain(hooks)
        .chain(case)
        .chain(cpus)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_ladder_has_a_guest_with_many_processors() {
        let whole = Options::whole_ladder();
        let part = Options { hooks: Some("kprobe".to_owned()), ..whole.clone() };
        let many = |options| guests(options).iter().filter(|guest| guest.possible_cpus.is_some()).count();
        assert_eq!((guests(&whole).len(), many(&whole)), (LADDER.len() + 1, 1));
        assert_eq!((guests(&part).len(), many(&part)), (LADDER.len(), 0));
    }
}
