//! `cargo xtask setup`: what the other commands need from outside cargo, and how to get it on Debian.
//!
//! Packages go to the system through apt; bpf-linker and what comes from `PyPI` go to target/tools, never to the user's
//! home.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{root, run, target};
use crate::toolchain::{LINKER_VERSION, debian_cargo, linker, major, rustc};

/// Packages of Debian, each with a file by which it is known to be here. A name without `/` is looked for on `PATH`.
const PACKAGES: &[(&str, &str)] = &[
    ("rustc-web", "/usr/bin/rustc"),
    ("cargo-web", "/usr/bin/cargo"),
    ("rust-web-clippy", "/usr/bin/cargo-clippy"),
    ("libstd-rust-web-dev-bpf", "/usr/lib/rustlib/bpfel-unknown-none"),
    ("qemu-system-x86", "qemu-system-x86_64"),
    ("xz-utils", "xz"),
    ("iproute2", "ip"),
    ("iperf3", "iperf3"),
    ("iftop", "/usr/sbin/iftop"),
    ("tcpdump", "tcpdump"),
    ("tmux", "tmux"),
    ("groff-base", "groff"),
    ("curl", "curl"),
    ("jq", "jq"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("redis-server", "redis-server"),
    ("faketime", "faketime"),
    ("logrotate", "/usr/sbin/logrotate"),
    ("systemd", "systemd-analyze"),
    ("python3-venv", "/usr/lib/python3.11/ensurepip"),
];

/// A distribution of `PyPI` in one version, each in an environment of Debian's Python under target/tools.
struct PythonTool {
    name: &'static str,
    version: &'static str,
}

const PYTHON_TOOLS: &[PythonTool] = &[
    // Debian's jc is too old to read iftop.
    PythonTool { name: "jc", version: "1.26.1" },
    // Debian has none.
    PythonTool { name: "duckdb", version: "2.0.1" },
    // Python reads zstd by itself from 3.14 on.
    PythonTool { name: "zstandard", version: "0.25.0" },
];

impl PythonTool {
    fn requirement(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// pip writes this file last, so what is half installed is not here, nor is another version.
    fn is_here(&self) -> bool {
        let Self { name, version } = self;
        let installed = format!("lib/python3.11/site-packages/{name}-{version}.dist-info/RECORD");
        root().join("target/tools").join(name).join(installed).exists()
    }

    fn install(&self) -> Result<()> {
        let folder = target("tools")?.join(self.name);
        run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", &self.requirement()]))
            .with_context(|| format!("cannot install {}", self.requirement()))
    }
}

/// Installs what is missing; with `only_check`, or where that cannot be done, the error names it.
pub fn run_setup(only_check: bool) -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("setup: everything is here");
        return Ok(());
    }
    let list = missing.join(", ");
    if only_check {
        bail!("missing: {list}; `cargo xtask setup` as root on Debian 12 installs them");
    }
    let can_install = rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists();
    if needs_apt() && !can_install {
        bail!("missing: {list}; only root on Debian 12 can install them, so run `cargo xtask setup` there");
    }
    println!("setup: installing {list}");
    install()
}

/// Names of the packages and tools that are not here.
fn missing() -> Vec<String> {
    let mut missing: Vec<String> = missing_packages().into_iter().map(str::to_owned).collect();
    missing.extend(llvm().filter(|package| !package.here).map(|package| package.name));
    if linker().is_none() {
        missing.push(format!("bpf-linker {LINKER_VERSION}"));
    }
    missing.extend(missing_python_tools().map(PythonTool::requirement));
    missing
}

fn missing_python_tools() -> impl Iterator<Item = &'static PythonTool> {
    PYTHON_TOOLS.iter().filter(|tool| !tool.is_here())
}

/// The linker and the Python tools alone need no rights.
fn needs_apt() -> bool {
    !missing_packages().is_empty() || llvm().is_none_or(|llvm| !llvm.here)
}

fn missing_packages() -> Vec<&'static str> {
    PACKAGES.iter().filter(|(_, file)| !is_here(file)).map(|(package, _)| *package).collect()
}

fn is_here(file: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if file.starts_with('/') {
        Path::new(file).exists()
    } else {
        std::env::split_paths(&path).any(|p| p.join(file).exists())
    }
}

/// The development package of the LLVM that rustc was built with.
struct Llvm {
    name: String,
    prefix: String,
    major: String,
    here: bool,
}

/// Nothing as long as rustc is not here to say which LLVM it has.
fn llvm() -> Option<Llvm> {
    let (_, version) = rustc().ok()?;
    let major = major(&version).to_owned();
    let prefix = format!("/usr/lib/llvm-{major}");
    let here = Path::new(&prefix).join("bin/llvm-objcopy").exists()
        && Path::new(&prefix).join("include/llvm").exists();
    Some(Llvm { name: format!("llvm-{major}-dev"), prefix, major, here })
}

/// The compiler first: it says which LLVM the rest must have.
fn install() -> Result<()> {
    if needs_apt() {
        run(&mut apt(&["-qq", "update"]))?;
    }
    install_packages(&missing_packages())?;
    let llvm =
        llvm().context("Debian's rustc-web does not run; is the suite bookworm-security in /etc/apt?")?;
    if !llvm.here {
        install_packages(&[&llvm.name])?;
    }
    if linker().is_none() {
        install_linker(&llvm)?;
    }
    missing_python_tools().try_for_each(PythonTool::install)?;
    match missing().as_slice() {
        [] => Ok(()),
        still => bail!("still missing after the installation: {}", still.join(", ")),
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut install = apt(&["-qq", "install", "--yes", "--no-install-recommends"]);
    run(install.args(packages)).context("the compiler's packages are in the suite bookworm-security")
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    // As in a system that is shut down: packages of servers do not start them.
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}

/// Builds bpf-linker against rustc's own LLVM: another one may refuse its bitcode.
fn install_linker(llvm: &Llvm) -> Result<()> {
    let mut install = debian_cargo();
    install.args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--no-default-features"]);
    install.args(["--features", &format!("llvm-{}", llvm.major), "--root"]).arg(target("tools")?);
    install.env("LLVM_PREFIX", &llvm.prefix).env("RUSTFLAGS", format!("-L native={}/lib", llvm.prefix));
    run(&mut install).with_context(|| format!("cannot build bpf-linker {LINKER_VERSION}"))
}
