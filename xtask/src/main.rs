//! `cargo xtask`: what the project does to itself. See `cargo xtask --help`.
//!
//! One module a command; this file only parses and dispatches.

mod archive;
mod bench;
mod budget;
mod command;
mod ebpf;
mod guest;
mod initramfs;
mod kernels;
mod libraries;
mod live;
mod modules;
mod scenery;
mod screenshots;
mod setup;
mod svg;
mod test;
mod toolchain;
mod transcript;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds the BPF object, boots real kernels, runs every test.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the committed BPF object from flowtop-ebpf.
    Ebpf {
        /// Only rebuild and compare with the committed object.
        #[arg(long)]
        check: bool,
        /// Build one with the kernel-side log messages below target/; nothing is committed.
        #[arg(long, conflicts_with = "check")]
        debug_log: bool,
    },
    /// Install what the other commands need (as root, on Debian), or name it.
    Setup {
        /// Name what is missing and install nothing
        #[arg(long)]
        check: bool,
    },
    /// Run every test: format, lints, unit, object, live on this kernel and on the ladder.
    Test {
        /// Leave out the rebuild of the object and the virtual machines.
        #[arg(long)]
        quick: bool,
    },
    /// Run the live suite in virtual machines with stock Debian kernels.
    Vm(vm::Options),
    /// Take the pictures of the documents: the view in tmux, beside real traffic (as root).
    Screenshots,
    /// Measure against the bars for speed and memory (as root).
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Ebpf { check: true, .. } => ebpf::check(),
        Task::Ebpf { debug_log: true, .. } => ebpf::build_with_log(),
        Task::Ebpf { .. } => ebpf::build(),
        Task::Setup { check } => setup::run_setup(check),
        Task::Test { quick } => {
            return if test::run_all(quick) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Task::Vm(options) => vm::run(&options).and_then(|all| vm::require(&all)),
        Task::Screenshots => screenshots::take(),
        Task::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
