//! The live suite: built once, static, for the running kernel and for every guest.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{cargo, run, target};
use crate::transcript::Transcript;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where static programs are built, below the target directory.
const BUILD: &str = "vm/build";

/// Has cargo build without shared libraries: a guest has none.
pub fn statically(cargo: &mut Command) -> Result<&mut Command> {
    // With an explicit target the flags do not reach build scripts and procedural macros.
    cargo.args(["--target", TARGET]).env("CARGO_TARGET_DIR", target(BUILD)?);
    Ok(cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))
}

/// The suite and flowtop, linked statically so that they run in an initramfs.
pub struct Programs {
    /// flowtop itself, with the committed BPF object in it.
    pub flowtop: PathBuf,
    /// The suite that drives it; also `/init` of a guest.
    pub live: PathBuf,
}

/// Builds both programs, as they are released, but static.
pub fn build() -> Result<Programs> {
    let folder = target(BUILD)?;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "flowtop", "--package", "flowtop-live"]);
    run(statically(&mut build)?)?;
    let programs = folder.join(TARGET).join("release");
    Ok(Programs { flowtop: programs.join("flowtop"), live: programs.join("flowtop-live") })
}

impl Programs {
    /// Runs the suite on this kernel, with every plan that loads and this `--trigger`, and prints its lines.
    pub fn run_here(&self, trigger: &str) -> Result<Transcript> {
        let mut transcript = Transcript::default();
        let mut suite = Command::new(&self.live);
        suite.arg("--flowtop").arg(&self.flowtop).stdin(Stdio::null()).stdout(Stdio::piped());
        if trigger != "auto" {
            suite.args(["--trigger", trigger]);
        }
        let mut suite = suite.spawn().with_context(|| format!("cannot run {}", self.live.display()))?;
        let lines = BufReader::new(suite.stdout.take().expect("the output is piped")).lines();
        for line in lines.map_while(Result::ok) {
            transcript.read(&line);
            println!("[here] {line}");
        }
        let status = suite.wait()?;
        if !status.success() && transcript.failed == 0 {
            anyhow::bail!("flowtop-live failed ({status})");
        }
        Ok(transcript)
    }
}
