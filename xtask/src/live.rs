//! The live suite: built once, static, for the running kernel and for every guest.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{cargo, run, target};
use crate::transcript::Transcript;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The two static programs.
pub struct Programs {
    /// flowtop itself, with the committed BPF object in it.
    pub flowtop: PathBuf,
    /// The suite that drives it; also `/init` of a guest.
    pub live: PathBuf,
}

/// Builds both programs, as they are released, but static: a guest has no libraries.
pub fn build() -> Result<Programs> {
    let folder = target("vm/build")?;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "flowtop", "--package", "flowtop-live"]);
    // With an explicit target the flags do not reach build scripts and procedural macros.
    build.args(["--target", TARGET]).env("CARGO_TARGET_DIR", &folder).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))?;
    let programs = folder.join(TARGET).join("release");
    Ok(Programs { flowtop: programs.join("flowtop"), live: programs.join("flowtop-live") })
}

impl Programs {
    /// Runs the suite on this kernel, with every plan that loads, and prints its lines.
    pub fn run_here(&self) -> Result<Transcript> {
        let mut suite = Command::new(&self.live);
        suite.arg("--flowtop").arg(&self.flowtop).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut suite = suite.spawn().with_context(|| format!("cannot run {}", self.live.display()))?;
        let lines = BufReader::new(suite.stdout.take().expect("the output is piped")).lines();
        let mut transcript = Transcript::default();
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
