//! flowtop: an eBPF per-flow TCP traffic top.
//!
//! The module list is the table of contents; ARCHITECTURE.md says how a byte travels through it.

pub mod bpf;
pub mod cli;
pub mod core;
pub mod doctor;
pub mod filter_names;
mod interfaces;
mod letters;
mod names;
pub mod report;

use anyhow::{Result, bail};
use cli::{Cli, Command, DoctorArgs};

/// What was typed cannot be done as it stands: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

/// Does what was asked for.
///
/// # Errors
/// One sentence that names the thing and the next step.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Some(Command::Doctor(args)) => examine(args),
        None if cli.report.text => report::run(&cli.report),
        None => bail!(Usage(
            "there is no interactive view yet; use -t for reports, --help for all flags".to_owned()
        )),
    }
}

fn examine(args: &DoctorArgs) -> Result<()> {
    let finding = doctor::examine(args.table.max_flows)?;
    if args.json {
        println!("{}", serde_json::to_string(&finding)?);
    } else {
        print!("{}", finding.text());
    }
    if finding.is_fit() { Ok(()) } else { bail!("no hooks work on this kernel; the lines above say why") }
}
