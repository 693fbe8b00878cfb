//! `cargo xtask test`: every test there is, one step after the other, and a summary. A failed step does not keep the
//! next from running.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::command::{cargo, root, run, target};
use crate::toolchain::{TARGET, clean};
use crate::transcript::Transcript;
use crate::{budget, ebpf, live, setup, vm};

/// Result of a step.
enum End {
    Ran(Cases),
    Skipped(&'static str),
}

/// Counted cases; a step without cases counts as one.
#[derive(Default)]
struct Cases {
    passed: usize,
    failed: usize,
    /// Tests that could not have what they need: they return early, and libtest counts them as passed.
    skipped: usize,
    /// The lines of those that failed. Said again at the end, since the lines above them are many.
    failures: Vec<String>,
}

const PASSED: End = End::Ran(Cases { passed: 1, failed: 0, skipped: 0, failures: Vec::new() });

impl From<Transcript> for Cases {
    fn from(transcript: Transcript) -> Self {
        let Transcript { passed, failed, skipped, failures, .. } = transcript;
        Self { passed, failed, skipped, failures }
    }
}

impl Cases {
    /// Takes in a line of libtest.
    fn read(&mut self, line: String) {
        if let Some((passed, failed)) = counts(&line) {
            self.passed += passed;
            self.failed += failed;
        }
        if line.starts_with("test ") && line.ends_with(FAILED) {
            self.failures.push(line);
        }
    }

    /// Takes the tests on the list off the passed ones. A test is there more than once if parts of it were left out,
    /// and one that has failed as well stays failed.
    fn take_off(&mut self, list: &str) {
        let skipped: BTreeSet<_> = list.lines().filter_map(skipped).collect();
        let has_failed =
            |name: &str| self.failures.iter().any(|line| *line == format!("test {name}{FAILED}"));
        let skipped = skipped.iter().filter(|(_, name)| !has_failed(name)).count();
        self.passed -= skipped;
        self.skipped += skipped;
    }
}

/// The end of libtest's line about a test that has failed.
const FAILED: &str = " ... FAILED";

type Step = (&'static str, fn() -> Result<End>);

const QUICK: &[Step] = &[
    ("setup", || setup::run_setup(false).map(|()| PASSED)),
    ("format", format),
    ("clippy", clippy),
    ("clippy of the kernel side", clippy_of_the_kernel_side),
    ("cargo test", cargo_test),
    ("live, this kernel", || live_with("auto")),
];

const SLOW: &[Step] = &[
    ("rebuild of the object", || ebpf::check().map(|()| PASSED)),
    ("live, events and passes", || live_with("alternate")),
    ("live, kernel ladder", kernel_ladder),
];

/// Runs all steps, without the slow ones if `quick`, and says whether all passed.
///
/// The last line of the output is `N passed, N failed, N skipped`; nothing may be printed after it.
pub fn run_all(quick: bool) -> bool {
    let (mut rows, mut all) = (Vec::new(), Cases::default());
    let (mut taken_by_all, mut budget_of_all) = (Duration::ZERO, Duration::ZERO);
    for (name, step) in steps(quick) {
        println!("\n== {name}");
        let start = Instant::now();
        let end = step().unwrap_or_else(|error| failed(name, &error));
        let (taken, budget) = (start.elapsed(), budget::of_step(name).unwrap_or_default());
        taken_by_all += taken;
        budget_of_all += budget;
        rows.push(match end {
            End::Skipped(why) => {
                all.skipped += 1;
                format!("{name:<26} skipped: {why}")
            }
            End::Ran(cases) => {
                all.passed += cases.passed;
                all.failed += cases.failed;
                all.skipped += cases.skipped;
                all.failures.extend(cases.failures.iter().map(|line| format!("{name}: {line}")));
                row(name, &cases, taken, budget)
            }
        });
    }
    rows.push(row("all", &all, taken_by_all, budget_of_all));
    println!("\n{}", rows.join("\n"));
    all.failures.iter().for_each(|line| println!("{line}"));
    println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    all.failed == 0
}

fn steps(quick: bool) -> impl Iterator<Item = &'static Step> {
    QUICK.iter().chain(if quick { &[] } else { SLOW })
}

fn row(name: &str, cases: &Cases, taken: Duration, budget: Duration) -> String {
    let minutes = budget::minutes(taken, budget);
    let Cases { passed, failed, skipped, .. } = cases;
    format!("{name:<26} {passed:>6} passed {failed:>4} failed {skipped:>4} skipped {minutes}")
}

fn failed(name: &str, error: &Error) -> End {
    println!("{name}: {error:#}");
    End::Ran(Cases { failed: 1, failures: vec![format!("{error:#}")], ..Cases::default() })
}

fn format() -> Result<End> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["fmt", "--check", "--manifest-path", "flowtop-ebpf/Cargo.toml"]))?;
    Ok(PASSED)
}

fn clippy() -> Result<End> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"]))?;
    Ok(PASSED)
}

/// By Debian's clippy: rustup's has no `core` for the BPF target.
fn clippy_of_the_kernel_side() -> Result<End> {
    // The driver by its path, since cargo would find rustup's first.
    let mut clippy = Command::new("/usr/bin/cargo-clippy");
    clean(&mut clippy);
    clippy
        .args(["clippy", "--locked", "--release", "--target", TARGET])
        .current_dir(root().join("flowtop-ebpf"));
    run(clippy.args(["--", "-Dwarnings"]).env("CARGO_TARGET_DIR", target("ebpf")?))?;
    Ok(PASSED)
}

/// Unit, property, command-line, architecture and object tests.
fn cargo_test() -> Result<End> {
    let list = target("test")?.join("skipped");
    fs::write(&list, "").with_context(|| format!("cannot write {}", list.display()))?;
    let mut tests = cargo();
    tests
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        // Setup has installed them, so a test that finds none fails.
        .env("FLOWTOP_TEST_TOOLS_REQUIRED", "1")
        .env("FLOWTOP_TEST_SKIPPED", &list)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut tests = tests.spawn().context("cannot run cargo")?;
    let mut cases = Cases::default();
    for line in BufReader::new(tests.stdout.take().expect("the output is piped")).lines() {
        let line = line?;
        println!("{line}");
        cases.read(line);
    }
    let status = tests.wait()?;
    cases.take_off(&fs::read_to_string(&list)?);
    if !status.success() && cases.failed == 0 {
        bail!("cargo test failed ({status})");
    }
    Ok(End::Ran(cases))
}

/// Passed and failed of a line such as `test result: ok. 6 passed; 0 failed; 0 ignored; …`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts.split(';').map(|part| part.split_whitespace().next()?.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Test file and test of a line such as `skipped: program::record::clock::a_test: needs root` in the list that
/// tests/tools/skip.rs writes.
fn skipped(line: &str) -> Option<(&str, &str)> {
    let (test, _) = line.strip_prefix("skipped: ")?.split_once(": ")?;
    test.split_once("::")
}

/// The live suite on this kernel, with this `--trigger`.
fn live_with(trigger: &str) -> Result<End> {
    if !rustix::process::geteuid().is_root() {
        const WHY: &str = "loading BPF programs needs root";
        ensure!(std::env::var_os("CI").is_none(), "{WHY}, and CI leaves no step out");
        return Ok(End::Skipped(WHY));
    }
    let cases = live::build()?.run_here(trigger)?;
    if let Some(why) = cases.suite_failure().filter(|_| cases.failed == 0) {
        bail!(why);
    }
    Ok(End::Ran(cases.into()))
}

fn kernel_ladder() -> Result<End> {
    Ok(End::Ran(vm::run(&vm::Options::whole_ladder())?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_budget_and_they_add_up() {
        let of_all = |quick| -> Duration {
            let budget = |name| budget::of_step(name).unwrap_or_else(|| panic!("{name} has no budget"));
            steps(quick).map(|(name, _)| budget(name)).sum()
        };
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!((of_all(true), of_all(false)), (minutes(10), minutes(65)));
    }

    #[test]
    fn results_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 6 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.19s";
        assert_eq!(counts(line), Some((6, 2)));
        assert_eq!(counts("test result of nothing"), None);
        assert_eq!(counts("test a_test ... ok"), None);
    }

    #[test]
    fn a_skipped_test_is_none_that_has_passed() {
        let mut cases = Cases::default();
        for line in [
            "test who::a ... ok",
            "test who::b ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.19s",
            "test who::a ... ok",
            "test c ... ok",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.19s",
        ] {
            cases.read(line.to_owned());
        }
        cases.take_off(
            "skipped: one::who::a: needs root\nskipped: two::who::a: a file: needs root\nand two lines of why\n\
             skipped: two::who::a: another file: needs root\nskipped: one::who::b: needs root\n",
        );
        assert_eq!((cases.passed, cases.failed, cases.skipped), (1, 1, 2));
        assert_eq!(cases.failures, ["test who::b ... FAILED"]);
    }
}
