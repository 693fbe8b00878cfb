//! Detects a set-user-ID bit, set-group-ID bit or file capabilities on the program.

use anyhow::{Result, bail};
use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::{CapabilitySet, capabilities, capability_is_in_ambient_set};

/// Checks that flowtop runs with no more privileges than the user who started it has, because it reads files and runs
/// commands that this user names.
///
/// # Errors
/// If the file of the program raises privileges; says how, and what to do instead.
pub fn refuse() -> Result<()> {
    let how = match () {
        () if getuid() != geteuid() => "is setuid",
        () if getgid() != getegid() => "is setgid",
        () if has_file_capabilities() => "has capabilities",
        () => return Ok(()),
    };
    bail!(
        "the program's file {how}, so that whoever starts it would name files that are read with rights of others; take that \
         away from it, and run it as root or with ambient capabilities"
    )
}

/// Whether a process that is not root's has permitted capabilities other than ambient ones, which can only come from
/// the file. (`AT_SECURE` is not specific enough: with `SELinux` it is set for services too.)
fn has_file_capabilities() -> bool {
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let is_inherited = |capability: CapabilitySet| capability_is_in_ambient_set(capability).unwrap_or(false);
    !geteuid().is_root() && !permitted.iter().all(is_inherited)
}
