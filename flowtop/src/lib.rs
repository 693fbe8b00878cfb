//! flowtop: an eBPF top for TCP traffic per flow.
//!
//! ARCHITECTURE.md describes how these modules work together.

mod absent;
pub mod cli;
pub mod commands;
mod config;
mod cost;
mod coverage;
mod doc;
pub mod filter_names;
mod folder;
mod interfaces;
mod knowledge;
mod lens;
mod letters;
mod local_time;
mod output;
pub mod raised;
pub mod recordings;
mod selection;
mod session;
mod signals;
mod silence;
pub mod source;
pub mod stderr;
pub mod tui;
mod user_file;

use anyhow::{Context as _, Result};
use cli::{Command, DoctorArgs, Typed};
use commands::live::Top;
use commands::{doctor, live, record, replay, watch};
use flowtop_core::filter::Filter;
use flowtop_view::settings::Settings;
use std::{
    io::{self, Write as _},
    time::Instant,
};

/// An invalid command line or setting; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

impl From<flowtop_recording::when::Error> for Usage {
    fn from(error: flowtop_recording::when::Error) -> Self {
        Self(error.to_string())
    }
}

/// Runs the command.
///
/// # Errors
/// One sentence that names the cause and the next step.
pub fn run(typed: &Typed) -> Result<()> {
    let demo = typed.cli.report.screen.demo;
    match &typed.cli.command {
        Some(Command::Doctor(args)) => examine(args),
        Some(Command::Report(args)) => commands::report::run(args),
        Some(Command::Man(args)) => {
            doc::man(args.command.as_deref(), &mut io::stdout().lock()).context("cannot write the man page")
        }
        Some(Command::Completions { shell }) => {
            doc::completions(*shell, &mut io::stdout().lock()).context("cannot write the completions")
        }
        Some(Command::Replay(args)) => {
            local_time::warn();
            counting(typed, |settings, filter| replay::run(settings, filter, args, demo))
        }
        Some(Command::Watch(args)) => {
            local_time::warn();
            counting(typed, |settings, filter| watch::run(settings, &filter, args, demo))
        }
        Some(Command::Top(args)) => report(typed, Some(Top::of(args))),
        Some(Command::Record(args)) => {
            counting(typed, |settings, filter| record::run(args, settings, filter))
        }
        None => report(typed, None),
    }
}

fn report(typed: &Typed, top: Option<Top>) -> Result<()> {
    let started = Instant::now();
    let demo = typed.cli.report.screen.demo;
    local_time::warn();
    let is_top = top.is_some();
    counting(typed, |settings, filter| {
        if settings.text.value || is_top {
            live::run(settings, filter, demo, top, started)
        } else {
            tui::run(settings, filter, demo)
        }
    })
}

/// Resolves settings and filter and passes them to `run`, or only prints them for `--print-config`.
fn counting(typed: &Typed, run: impl FnOnce(&Settings, Filter) -> Result<()>) -> Result<()> {
    let settings = config::settings(typed)?;
    let filter = config::filter(&settings)?;
    if typed.cli.report.settings.print_config {
        return io::stdout().write_all(settings.print().as_bytes()).context("cannot write the settings");
    }
    let mut settings = settings;
    // Only reports leave them out without -l, as iftop does: a record holds every connection.
    settings.link_local.value |= !(settings.text.value && typed.cli.command.is_none());
    if let Some(command) = typed.cli.command.as_ref().and_then(Command::of_all_traffic) {
        config::say_what_files_narrow(&settings, command);
    }
    if !settings.write.value.is_empty() && !settings.text.value {
        return Err(Usage("--write is for reports; add -t".to_owned()).into());
    }
    let is_of_this_host =
        !typed.cli.report.screen.demo && !matches!(typed.cli.command, Some(Command::Replay(_)));
    if is_of_this_host {
        absent::say(&settings, &filter);
    }
    run(&settings, filter)
}

fn examine(args: &DoctorArgs) -> Result<()> {
    let finding = doctor::examine(args.table.max_flows)?;
    let text = if args.json { serde_json::to_string(&finding)? + "\n" } else { finding.text() };
    io::stdout().write_all(text.as_bytes()).context("cannot write the findings")?;
    finding.verdict()
}
