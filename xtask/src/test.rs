//! `cargo xtask test`: every test there is, one step after the other, and a summary. A failed step does not keep the
//! next from running.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, root, run, target};
use crate::toolchain::{TARGET, clean};
use crate::{ebpf, live, setup, vm};

/// How a step ended.
enum End {
    /// Counted cases; a step without cases counts as one.
    Ran {
        passed: usize,
        failed: usize,
    },
    Skipped(&'static str),
}

const PASSED: End = End::Ran { passed: 1, failed: 0 };

type Step = (&'static str, fn() -> Result<End>);

const QUICK: &[Step] = &[
    ("setup", || setup::run_setup(false).map(|()| PASSED)),
    ("format", format),
    ("clippy", clippy),
    ("clippy of the kernel side", clippy_of_the_kernel_side),
    ("cargo test", cargo_test),
    ("live, this kernel", live_here),
];

const SLOW: &[Step] =
    &[("rebuild of the object", || ebpf::check().map(|()| PASSED)), ("live, kernel ladder", kernel_ladder)];

/// Runs all steps, without the slow ones if `quick`, and says whether all passed.
///
/// The last line of the output is `N passed, N failed`; nothing may be printed after it.
pub fn run_all(quick: bool) -> bool {
    let steps = QUICK.iter().chain(if quick { &[] } else { SLOW });
    let mut rows = Vec::new();
    let (mut all_passed, mut all_failed) = (0, 0);
    for (name, step) in steps {
        println!("\n== {name}");
        let start = Instant::now();
        let end = step().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            End::Ran { passed: 0, failed: 1 }
        });
        let seconds = start.elapsed().as_secs();
        rows.push(match end {
            End::Skipped(why) => format!("{name:<26} skipped: {why}"),
            End::Ran { passed, failed } => {
                all_passed += passed;
                all_failed += failed;
                format!("{name:<26} {passed:>6} passed {failed:>4} failed {seconds:>5} s")
            }
        });
    }
    println!("\n{}\n{all_passed} passed, {all_failed} failed", rows.join("\n"));
    all_failed == 0
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
    let mut tests = cargo();
    tests
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        // Setup has installed them, so a test that finds none fails.
        .env("FLOWTOP_TEST_TOOLS_REQUIRED", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut tests = tests.spawn().context("cannot run cargo")?;
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(tests.stdout.take().expect("the output is piped")).lines() {
        let line = line?;
        println!("{line}");
        if let Some(counts) = counts(&line) {
            passed += counts.0;
            failed += counts.1;
        }
    }
    let status = tests.wait()?;
    if !status.success() && failed == 0 {
        bail!("cargo test failed ({status})");
    }
    Ok(End::Ran { passed, failed })
}

/// Passed and failed of a line such as `test result: ok. 6 passed; 0 failed; 0 ignored; …`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts.split(';').map(|part| part.split_whitespace().next()?.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn live_here() -> Result<End> {
    if !rustix::process::geteuid().is_root() {
        return Ok(End::Skipped("loading BPF programs needs root"));
    }
    let cases = live::build()?.run_here()?;
    if let Some(why) = cases.suite_failure().filter(|_| cases.failed == 0) {
        bail!(why);
    }
    Ok(End::Ran { passed: cases.passed, failed: cases.failed })
}

fn kernel_ladder() -> Result<End> {
    let cases = vm::run(&vm::Options::whole_ladder())?;
    Ok(End::Ran { passed: cases.passed, failed: cases.failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 6 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.19s";
        assert_eq!(counts(line), Some((6, 2)));
        assert_eq!(counts("test result of nothing"), None);
        assert_eq!(counts("test a_test ... ok"), None);
    }
}
