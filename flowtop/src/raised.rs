//! Whether the file of the program raises the rights of the user who runs it.

use anyhow::{Result, bail};
use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::{CapabilitySet, capabilities, capability_is_in_ambient_set};

/// flowtop reads files and runs commands that its user names, so it never does so with rights that the user lacks.
///
/// # Errors
/// The bit or capability that raises the rights, and what to do instead.
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

/// Whether a process that is not root's has capabilities that it has not inherited as ambient ones: they are the
/// file's. (`AT_SECURE` would say more than that: with `SELinux` it is set for services too.)
fn has_file_capabilities() -> bool {
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let is_inherited = |capability: CapabilitySet| capability_is_in_ambient_set(capability).unwrap_or(false);
    !geteuid().is_root() && !permitted.iter().all(is_inherited)
}
