//! One virtual machine: QEMU with a kernel and an initramfs, its serial console as lines, and a time limit.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const QEMU: &str = "qemu-system-x86_64";
/// `panic=-1` with `-no-reboot` ends QEMU when the guest panics.
const KERNEL_COMMAND_LINE: &str = "console=ttyS0 panic=-1 quiet mitigations=off";

/// Resources and deadline of guests.
#[derive(Clone, Copy)]
pub struct Machine {
    /// Use the host's virtualisation instead of emulation; some nested hypervisors hang on it.
    pub kvm: bool,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Virtual CPUs that the kernel has room for, if those are more.
    pub possible_cpus: Option<u32>,
    /// Memory of the guest in MiB.
    pub memory_mib: u32,
    /// The guest is stopped after this time.
    pub limit: Duration,
}

impl Machine {
    /// Boots `image` with `initramfs` and hands every line of its console to `line` until the guest is off.
    ///
    /// Ending says nothing about success. An error when QEMU cannot run or the time is up.
    pub fn run(&self, image: &Path, initramfs: &Path, mut line: impl FnMut(&str)) -> Result<()> {
        let end = Instant::now() + self.limit;
        let mut guest =
            Guest(self.command(image, initramfs).spawn().with_context(|| format!("cannot run {QEMU}"))?);
        let lines = lines(&mut guest.0);
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(text) => line(text.trim_end()),
                Err(RecvTimeoutError::Timeout) => bail!("stopped after {} s", self.limit.as_secs()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = guest.0.wait()?;
        if !status.success() {
            bail!("{QEMU} failed ({status})");
        }
        Ok(())
    }

    fn command(&self, image: &Path, initramfs: &Path) -> Command {
        // One thread for all processors: with a thread each, QEMU 7.2 spoils the flags in cmpxchg16b and loses a race
        // with kernels that change their own code, and every other guest panics. Taking cmpxchg16b away is no way
        // out: Linux 7 then has no memory for socket storage (`kmalloc_nolock` needs it).
        let (accelerator, cpu) = if self.kvm { ("kvm", "host") } else { ("tcg,thread=single", "max") };
        let mut qemu = Command::new(QEMU);
        qemu.args(["-accel", accelerator, "-cpu", cpu, "-no-reboot"]);
        qemu.args(["-smp", &self.cpus.to_string(), "-m", &self.memory_mib.to_string()]);
        // `-nic none` and `-display none` also keep the firmware silent, so that the first line is the guest's.
        qemu.args(["-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio"]);
        let possible = self.possible_cpus.map(|count| format!(" possible_cpus={count}")).unwrap_or_default();
        qemu.arg("-kernel").arg(image).arg("-initrd").arg(initramfs);
        qemu.arg("-append").arg(KERNEL_COMMAND_LINE.to_owned() + &possible);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped());
        qemu
    }
}

/// A running QEMU, stopped when dropped.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads the console in a thread of its own, which ends with the console.
fn lines(guest: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let mut console = BufReader::new(guest.stdout.take().expect("the console is piped"));
    std::thread::spawn(move || {
        let mut line = Vec::new();
        while console.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}
