//! A benchmark as the only work of virtual machines. Emulation is slow, so figures compare with those of the same
//! machine only.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::archive::Archive;
use crate::command::target;
use crate::guest::Machine;
use crate::initramfs::Initramfs;
use crate::{kernels, live, vm};

/// The rival that benchmarks may start, from the package libbpf-tools.
const TCPTOP: &str = "/usr/sbin/tcptop";

/// Longest run of a guest; beyond it the guest is killed.
const LIMIT: Duration = Duration::from_mins(30);

/// Boots each kernel with the benchmark `name` of the program `bench`, and prints what that says.
pub fn run(bench: &str, name: &str, series: &[String], flags: &[OsString]) -> Result<()> {
    let programs = live::build()?;
    let archive = Archive::open()?;
    for series in series {
        let kernel = kernels::fetch(&archive, series)?;
        let mut root = Initramfs::default();
        root.program("bench", &fs::read(bench)?);
        if Path::new(TCPTOP).exists() {
            root.installed(Path::new(TCPTOP))?;
        }
        let arguments = flags.iter().map(|flag| flag.to_string_lossy().into_owned());
        let arguments = ["--run", "/bench", name].map(str::to_owned).into_iter().chain(arguments);
        let root = vm::boots(root, &programs.live, arguments, &kernel)?;
        let file = target("vm/run")?.join(format!("{}-bench.cpio", kernel.release));
        fs::write(&file, root).context("cannot write the initramfs")?;
        let machine = Machine { kvm: false, cpus: 2, possible_cpus: None, memory_mib: 1536, limit: LIMIT };
        let mut succeeded = false;
        machine.run(&kernel.image, &file, |line| {
            succeeded |= line == "init: success";
            println!("{line}");
        })?;
        ensure!(succeeded, "the benchmark failed on {}; the lines above say why", kernel.release);
    }
    Ok(())
}
