//! Log messages of the programs in a debugging build (feature `kernel-log`). The shipped object logs nothing: a
//! message costs about 300 instructions.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use std::{env, fs};

/// Environment variable with the path of the object.
const OBJECT_VARIABLE: &str = "FLOWTOP_BPF_OBJECT";

/// The object with log messages.
pub fn object() -> Result<Vec<u8>> {
    let path = env::var_os(OBJECT_VARIABLE).with_context(|| {
        format!(
            "{OBJECT_VARIABLE} is not set; it names the object that `cargo xtask ebpf --debug-log` builds"
        )
    })?;
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Messages of the programs, to be read with every sample.
pub struct Messages(EbpfLogger<Stderr>);

impl Messages {
    /// Takes the ring buffer of the loaded object.
    pub fn open(ebpf: &mut Ebpf) -> Result<Self> {
        EbpfLogger::init_with_logger(ebpf, Stderr).map(Self).context("the BPF object has no log")
    }

    /// Writes the messages since the last call.
    pub fn flush(&mut self) {
        self.0.flush();
    }
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("kernel: {}", record.args());
    }

    fn flush(&self) {}
}
