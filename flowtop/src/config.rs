//! Finds the configuration files and merges all layers of settings.
//!
//! Not in here: their syntax (`flowtop_view::config_toml`, `flowtop_view::iftoprc`) and what the settings mean
//! (`flowtop_view::settings`).

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Usage;
use crate::cli::{SettingsFlags, Typed};
use crate::filter_names::HostNames;
use crate::stderr;
use crate::user_file::{self, MAX_SETTINGS_BYTES, Refused};
use flowtop_core::filter::{Filter, FilterError, zone_ids};
use flowtop_view::config_toml;
use flowtop_view::iftoprc;
use flowtop_view::settings::check::{check, in_filter};
use flowtop_view::settings::{Assignment, Origin, Reading, Settings};

/// The effective settings: defaults, then `config.toml`, `.iftoprc` and the command line, each overriding the former.
/// Prints warnings to stderr.
///
/// # Errors
/// If a file cannot be read; a [`Usage`] error if a line or a flag is invalid.
pub fn settings(typed: &Typed) -> Result<Settings> {
    let flags = &typed.cli.report.settings;
    let mut layers = own_file(flags)?;
    layers.extend(iftops_file(flags, &typed.assignments)?);
    layers.extend_from_slice(&typed.assignments);
    let reading = Reading { lenient: flags.lenient, check: &check };
    let (settings, warnings) = Settings::resolve(&layers, &reading).map_err(|bad| Usage(bad.to_string()))?;
    warn(&warnings);
    Ok(settings)
}

/// The effective filter, with its names resolved once.
///
/// # Errors
/// A [`Usage`] error if a name cannot be resolved on this host.
pub fn filter(settings: &Settings) -> Result<Filter> {
    let text = &settings.filter.value;
    if text.is_empty() {
        return Ok(Filter::default());
    }
    for zone in zone_ids(text) {
        let why =
            "sockets are told apart by address alone, so a link-local address matches on every interface";
        stderr::print(&format!("flowtop: --filter: %{zone} is not looked at: {why}\n"));
    }
    let bad = |error: FilterError| Usage(settings.filter.bad(text, &in_filter(&error, text)).to_string());
    Ok(Filter::parse(text, &HostNames::of_host(Path::new(&settings.host_root.value))).map_err(bad)?)
}

/// Says which lines of files narrow what a command counts that is about all traffic or all of the time.
pub fn say_what_files_narrow(settings: &Settings, command: &str) {
    for line in narrowing(settings, command == "top") {
        stderr::print(&format!("flowtop: {line}, also for {command}\n"));
    }
}

/// Each such line, with what it sets; `has_reports` if the number of rows and the time of a report matter.
fn narrowing(settings: &Settings, has_reports: bool) -> Vec<String> {
    let Settings { interface, filter, net, net6, pid, cgroup, mntns, ipv4, ipv6, seconds, rows, .. } =
        settings;
    let origins = [
        (&interface.origin, !interface.value.is_empty()),
        (&filter.origin, !filter.value.is_empty()),
        (&net.origin, !net.value.is_empty()),
        (&net6.origin, !net6.value.is_empty()),
        (&pid.origin, !pid.value.is_empty()),
        (&cgroup.origin, !cgroup.value.is_empty()),
        (&mntns.origin, !mntns.value.is_empty()),
        (&ipv4.origin, ipv4.value != ipv6.value && ipv4.value),
        (&ipv6.origin, ipv4.value != ipv6.value && ipv6.value),
        (&seconds.origin, has_reports && seconds.value.0 > 0),
        (&rows.origin, has_reports && rows.value.is_some()),
    ];
    let line = |origin: &Origin| match origin {
        Origin::Line { word, .. } => Some(format!("{origin}: {word} narrows what counts")),
        Origin::Default | Origin::Flag(_) => None,
    };
    origins.into_iter().filter(|(_, narrows)| *narrows).filter_map(|(origin, _)| line(origin)).collect()
}

/// An error about a setting, with the line of the file that it comes from, if it does.
///
/// # Errors
/// The same one.
pub fn at_its_line<T, E: Into<anyhow::Error>>(result: Result<T, E>, origin: &Origin) -> Result<T> {
    let result = result.map_err(Into::into);
    match origin {
        Origin::Line { .. } => result.with_context(|| origin.to_string()),
        Origin::Default | Origin::Flag(_) => result,
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        stderr::print(&format!("{warning}\n"));
    }
}

/// `config.toml` if it exists.
fn own_file(flags: &SettingsFlags) -> Result<Vec<Assignment>> {
    let Some(path) = own_path(variable("XDG_CONFIG_HOME"), variable("HOME")) else { return Ok(Vec::new()) };
    let Some(bytes) = found(user_file::read(&path, MAX_SETTINGS_BYTES), flags)? else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8(bytes).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(config_toml::parse(&text, &path.display().to_string()).map_err(|error| Usage(error.to_string()))?)
}

/// The location in the XDG base directory specification, which requires relative paths to be ignored.
fn own_path(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let config_home = config_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = config_home.or_else(|| home.map(|home| Path::new(&home).join(".config")))?;
    Some(folder.join("flowtop").join("config.toml"))
}

/// The file given with `-c`, otherwise `.iftoprc` if it exists.
fn iftops_file(flags: &SettingsFlags, typed: &[Assignment]) -> Result<Vec<Assignment>> {
    let path = flags.config.clone().unwrap_or_else(|| default_path(variable("HOME")));
    let read = user_file::read(&path, MAX_SETTINGS_BYTES);
    let bytes = if flags.config.is_some() { named(read, &path, flags)? } else { found(read, flags)? };
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let taken: Vec<_> = typed.iter().map(|assignment| assignment.key).collect();
    let found = iftoprc::parse(&String::from_utf8_lossy(&bytes), &path.display().to_string(), &taken);
    warn(&found.warnings);
    Ok(found.assignments)
}

/// The home directory, found as in iftop.
fn default_path(home: Option<OsString>) -> PathBuf {
    home.map_or_else(|| PathBuf::from("iftoprc"), |home| Path::new(&home).join(".iftoprc"))
}

/// Reads a file. `None` if it does not exist, or if it cannot be read and `--lenient` is set.
fn found(read: Result<Vec<u8>, Refused>, flags: &SettingsFlags) -> Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Refused::Absent(_)) => Ok(None),
        Err(refused) if flags.lenient => {
            stderr::print(&format!("{refused}\n"));
            Ok(None)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Reads the file given with `-c`.
fn named(read: Result<Vec<u8>, Refused>, path: &Path, flags: &SettingsFlags) -> Result<Option<Vec<u8>>> {
    match read {
        // iftop's wording.
        Err(Refused::Absent(_)) if flags.lenient => {
            stderr::print(&format!("{}: No such file or directory\n", path.display()));
            Ok(None)
        }
        Err(refused @ Refused::Absent(_)) => {
            Err(Usage(format!("{refused}; give -c a file in the format of .iftoprc")).into())
        }
        Err(refused) if !flags.lenient => Err(Usage(format!("-c: {refused}")).into()),
        read => found(read, flags),
    }
}

/// An environment variable; empty counts as unset.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
