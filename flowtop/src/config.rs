//! The two configuration files: where they are, and all layers of settings put together.
//!
//! Not in here: their syntax (`core::config_toml`, `core::iftoprc`) and what the settings mean (`core::settings`).

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};

use crate::Usage;
use crate::aside;
use crate::cli::{SettingsFlags, Typed};
use crate::core::filter::{Filter, FilterError};
use crate::core::settings::check::{check, in_filter};
use crate::core::settings::{Assignment, Reading, Settings};
use crate::core::{config_toml, iftoprc};
use crate::filter_names::HostNames;

/// What is in force: defaults, under `config.toml`, under `.iftoprc`, under the command line. Warnings go to stderr.
///
/// # Errors
/// A file that cannot be read; as [`Usage`], a line or a flag that is not right.
pub fn settings(typed: &Typed) -> Result<Settings> {
    let flags = &typed.cli.report.settings;
    let mut layers = own_file()?;
    layers.extend(iftops_file(flags, &typed.assignments)?);
    layers.extend_from_slice(&typed.assignments);
    let reading = Reading { lenient: flags.lenient, check: &check };
    let (settings, warnings) = Settings::resolve(&layers, &reading).map_err(|bad| Usage(bad.to_string()))?;
    warn(&warnings);
    Ok(settings)
}

/// The filter in force, with its names looked up: once, here.
///
/// # Errors
/// As [`Usage`], a name that stands for nothing on this host.
pub fn filter(settings: &Settings) -> Result<Filter> {
    let text = &settings.filter.value;
    if text.is_empty() {
        return Ok(Filter::default());
    }
    let bad = |error: FilterError| Usage(settings.filter.bad(text, &in_filter(&error, text)).to_string());
    Ok(Filter::parse(text, &HostNames::read()).map_err(bad)?)
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        aside::say(&format!("{warning}\n"));
    }
}

/// `config.toml`, where there is one.
fn own_file() -> Result<Vec<Assignment>> {
    let Some(path) = own_path(variable("XDG_CONFIG_HOME"), variable("HOME")) else { return Ok(Vec::new()) };
    let Some(bytes) = present(fs::read(&path)).with_context(|| unreadable(&path))? else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8(bytes).with_context(|| unreadable(&path))?;
    Ok(config_toml::parse(&text, &path.display().to_string()).map_err(Usage)?)
}

/// Where the XDG base directory specification puts it; it wants a relative path passed over.
fn own_path(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let config_home = config_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = config_home.or_else(|| home.map(|home| Path::new(&home).join(".config")))?;
    Some(folder.join("flowtop").join("config.toml"))
}

/// The file that `-c` names, or `.iftoprc`, where there is one.
fn iftops_file(flags: &SettingsFlags, typed: &[Assignment]) -> Result<Vec<Assignment>> {
    let path = flags.config.clone().unwrap_or_else(|| default_path(variable("HOME")));
    let read = fs::read(&path);
    let bytes = match present(read).with_context(|| unreadable(&path))? {
        Some(bytes) => bytes,
        None if flags.config.is_some() && flags.lenient => {
            aside::say(&format!("{}: No such file or directory\n", path.display()));
            return Ok(Vec::new());
        }
        None if flags.config.is_some() => {
            anyhow::bail!("there is no file {}; give -c a file in the format of .iftoprc", path.display())
        }
        None => return Ok(Vec::new()),
    };
    let taken: Vec<_> = typed.iter().map(|assignment| assignment.key).collect();
    let found = iftoprc::parse(&String::from_utf8_lossy(&bytes), &path.display().to_string(), &taken);
    warn(&found.warnings);
    Ok(found.assignments)
}

/// As in iftop.
fn default_path(home: Option<OsString>) -> PathBuf {
    home.map_or_else(|| PathBuf::from("iftoprc"), |home| Path::new(&home).join(".iftoprc"))
}

/// `None` for a file that is not there.
fn present(read: io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Of the environment; empty is absent.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
