//! The duties of process 1 in a virtual machine: what is mounted and loaded before the suite, and the power after it.

use std::convert::Infallible;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::{cli, suite, sys};

/// Type and place. The order matters: a place may lie in an earlier one.
const MOUNTS: [(&str, &str); 10] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("securityfs", "/sys/kernel/security"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
];

/// Arguments of the suite, one a line.
const ARGUMENTS: &str = "/init.args";
/// Begins the arguments when a program, with its own arguments, is to run in place of the suite.
const RUN: &str = "--run\n";
/// Names of the module files beside it, one a line, in the order in which they load.
const MODULE_ORDER: &str = "/modules/order";

/// Runs the suite or a program, prints the verdict as the last line and switches the machine off.
pub fn run() -> Infallible {
    let outcome = catch_unwind(AssertUnwindSafe(prepare_and_run)).unwrap_or_else(|_| Err(anyhow!("a panic")));
    let verdict = match outcome {
        Ok(true) => "success",
        Ok(false) => "failure",
        Err(error) => {
            println!("init: {error:#}");
            "failure"
        }
    };
    println!("init: {verdict}");
    rustix::fs::sync();
    // Process 1 must not return: the kernel would panic.
    loop {
        if let Err(error) = reboot(RebootCommand::PowerOff) {
            println!("init: cannot switch off: {error}");
            std::thread::park();
        }
    }
}

/// Prepares the guest, then runs the suite or the program that the arguments name. Returns whether it succeeded.
fn prepare_and_run() -> Result<bool> {
    mount_all()?;
    use_console()?;
    sys::loopback_up().context("cannot bring loopback up")?;
    load_modules()?;
    let arguments = fs::read_to_string(ARGUMENTS).with_context(|| format!("cannot read {ARGUMENTS}"))?;
    if let Some(program) = arguments.strip_prefix(RUN) {
        let mut words = program.lines();
        let program = words.next().context("no program to run")?;
        return Ok(Command::new(program)
            .args(words)
            .status()
            .with_context(|| format!("cannot run {program}"))?
            .success());
    }
    let arguments = ["--flowtop", "/flowtop"].into_iter().chain(arguments.lines()).map(str::to_owned);
    let options = cli::parse(arguments).map_err(|usage| anyhow!("{ARGUMENTS}: {usage}"))?;
    Ok(suite::run(&options)?.failed == 0)
}

fn mount_all() -> Result<()> {
    for (kind, place) in MOUNTS {
        // Missing ones are the kernel's own directories, which it makes only for what it has.
        if fs::create_dir_all(place).is_err() {
            println!("init: no {place}");
            continue;
        }
        match mount(kind, place, kind, MountFlags::empty(), None) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(Errno::NODEV) => println!("init: the kernel has no {kind}"),
            Err(error) => return Err(error).with_context(|| format!("cannot mount {kind} on {place}")),
        }
    }
    Ok(())
}

/// The kernel may have started this process without open files.
fn use_console() -> Result<()> {
    let console =
        File::options().read(true).write(true).open("/dev/console").context("cannot open the console")?;
    rustix::stdio::dup2_stdin(&console)?;
    rustix::stdio::dup2_stdout(&console)?;
    rustix::stdio::dup2_stderr(&console)?;
    Ok(())
}

fn load_modules() -> Result<()> {
    if !Path::new(MODULE_ORDER).exists() {
        return Ok(());
    }
    for name in fs::read_to_string(MODULE_ORDER)?.lines().filter(|line| !line.is_empty()) {
        let path = Path::new("/modules").join(name);
        let module = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        match finit_module(&module, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot load {name}")),
        }
    }
    Ok(())
}
