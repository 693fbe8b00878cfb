//! An error of a system call → what it means here, and the next step.
//!
//! Capabilities are asked for before the first call (`probe::require_rights`), so `EPERM` comes from elsewhere, and a
//! number of an error means different things in different calls.

use std::io;

use rustix::io::Errno;

/// A system call that counting needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `bpf(BPF_MAP_CREATE)`, the first of all.
    CreateMap,
    /// `bpf` to load, attach or walk, after tables have been made.
    UseProgram,
    /// `perf_event_open`, with which kprobes are attached.
    OpenPerfEvent,
}

/// What may stand in the way of a process that has the capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Whether a seccomp filter looks at its system calls.
    pub has_seccomp_filter: bool,
    /// The kernel's lockdown mode, where it has one.
    pub lockdown: Option<String>,
    /// `RLIMIT_MEMLOCK`, where tables count as locked memory (before Linux 5.11) and we may not raise it.
    pub memlock_bytes: Option<u64>,
    /// `RLIMIT_NOFILE`.
    pub open_files: Option<u64>,
}

/// A mode of lockdown in which BPF programs may not read the kernel.
const CONFIDENTIALITY: &str = "confidentiality";

/// What an error means here and what to do about it, as the second half of a sentence; `None` if its own text tells all
/// that is known. `table_bytes` is what all tables take.
#[must_use]
pub fn advice(call: Call, error: &io::Error, here: &Confinement, table_bytes: u64) -> Option<String> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(too_many_files(here.open_files)),
        Errno::NFILE => Some("the host has as many files open as fs.file-max allows; raise it".to_owned()),
        Errno::NOSYS => Some(absent(call, here)),
        Errno::PERM | Errno::ACCESS => forbidden(call, here, table_bytes),
        Errno::NOMEM | Errno::TOOBIG if call == Call::CreateMap => Some(format!(
            "the tables take {} MiB of kernel memory, --max-flows makes them smaller",
            mebibytes(table_bytes)
        )),
        Errno::NOMEM => Some("the kernel has no memory left for it".to_owned()),
        _ => None,
    }
}

/// For `EMFILE` in any call.
#[must_use]
pub fn too_many_files(limit: Option<u64>) -> String {
    let limit = limit.map_or("too few".to_owned(), |limit| limit.to_string());
    format!("this process may have {limit} open; raise that with ulimit -n or LimitNOFILE= of systemd")
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn absent(call: Call, here: &Confinement) -> String {
    let (name, option) = match call {
        Call::CreateMap | Call::UseProgram => ("bpf", "CONFIG_BPF_SYSCALL"),
        Call::OpenPerfEvent => ("perf_event_open", "CONFIG_PERF_EVENTS"),
    };
    if here.has_seccomp_filter { filtered(name) } else { format!("the kernel was built without {option}") }
}

fn forbidden(call: Call, here: &Confinement, table_bytes: u64) -> Option<String> {
    let name = if call == Call::OpenPerfEvent { "perf_event_open" } else { "bpf" };
    if let (Call::CreateMap, Some(bytes)) = (call, here.memlock_bytes.filter(|limit| *limit < table_bytes)) {
        return Some(format!(
            "RLIMIT_MEMLOCK is {} KiB and the tables take {} MiB; raise it with ulimit -l or LimitMEMLOCK= of systemd",
            bytes >> 10,
            mebibytes(table_bytes)
        ));
    }
    if here.lockdown.as_deref() == Some(CONFIDENTIALITY) {
        let next = "boot with lockdown=integrity";
        return Some(format!(
            "lockdown is in mode {CONFIDENTIALITY} and keeps programs out of the kernel; {next}"
        ));
    }
    if here.has_seccomp_filter {
        return Some(filtered(name));
    }
    // A program that is refused by itself may be one that this kernel cannot attach; others are tried.
    let modules = "a security module (SELinux, AppArmor) forbids it; its log says by which rule";
    (call != Call::UseProgram).then(|| modules.to_owned())
}

fn filtered(call: &str) -> String {
    format!(
        "a seccomp filter forbids {call}; allow it in the container's profile or in SystemCallFilter= of systemd"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: u64 = (44 << 20) + 1;

    fn said(call: Call, errno: Errno, here: &Confinement) -> String {
        advice(call, &errno.into(), here, TABLES).unwrap_or_default()
    }

    #[test]
    fn each_error_of_each_call_is_told_by_its_cause() {
        use Call::{CreateMap, OpenPerfEvent, UseProgram};
        let free = Confinement { open_files: Some(16), ..Confinement::default() };
        let filtered = Confinement { has_seccomp_filter: true, ..free.clone() };
        let locked = Confinement { lockdown: Some("confidentiality".to_owned()), ..filtered.clone() };
        let integrity = Confinement { lockdown: Some("integrity".to_owned()), ..filtered.clone() };
        let small = Confinement { memlock_bytes: Some(64 << 10), ..filtered.clone() };
        let enough = Confinement { memlock_bytes: Some(1 << 30), ..filtered.clone() };
        for (call, errno, here, start) in [
            (CreateMap, Errno::MFILE, &free, "this process may have 16 open; raise that with ulimit -n"),
            (UseProgram, Errno::MFILE, &locked, "this process may have 16 open; "),
            (CreateMap, Errno::MFILE, &Confinement::default(), "this process may have too few open; "),
            (OpenPerfEvent, Errno::NFILE, &filtered, "the host has as many files open as fs.file-max"),
            (CreateMap, Errno::NOSYS, &free, "the kernel was built without CONFIG_BPF_SYSCALL"),
            (CreateMap, Errno::NOSYS, &filtered, "a seccomp filter forbids bpf; allow it in "),
            (OpenPerfEvent, Errno::NOSYS, &free, "the kernel was built without CONFIG_PERF_EVENTS"),
            (OpenPerfEvent, Errno::NOSYS, &filtered, "a seccomp filter forbids perf_event_open; "),
            (CreateMap, Errno::PERM, &free, "a security module (SELinux, AppArmor) forbids it; "),
            (CreateMap, Errno::PERM, &filtered, "a seccomp filter forbids bpf; "),
            (CreateMap, Errno::PERM, &locked, "lockdown is in mode confidentiality and keeps "),
            (CreateMap, Errno::PERM, &integrity, "a seccomp filter forbids bpf; "),
            (CreateMap, Errno::PERM, &small, "RLIMIT_MEMLOCK is 64 KiB and the tables take 45 MiB; raise "),
            (CreateMap, Errno::PERM, &enough, "a seccomp filter forbids bpf; "),
            (UseProgram, Errno::PERM, &small, "a seccomp filter forbids bpf; "),
            (UseProgram, Errno::PERM, &free, ""),
            (UseProgram, Errno::ACCESS, &locked, "lockdown is in mode confidentiality and keeps "),
            (OpenPerfEvent, Errno::ACCESS, &free, "a security module (SELinux, AppArmor) forbids it; "),
            (OpenPerfEvent, Errno::PERM, &filtered, "a seccomp filter forbids perf_event_open; "),
            (CreateMap, Errno::NOMEM, &free, "the tables take 45 MiB of kernel memory, --max-flows makes "),
            (CreateMap, Errno::TOOBIG, &free, "the tables take 45 MiB of kernel memory, --max-flows makes "),
            (UseProgram, Errno::NOMEM, &free, "the kernel has no memory left for it"),
            (UseProgram, Errno::TOOBIG, &free, ""),
            (CreateMap, Errno::INVAL, &filtered, ""),
        ] {
            let said = said(call, errno, here);
            let is_it = if start.is_empty() { said.is_empty() } else { said.starts_with(start) };
            assert!(is_it, "{call:?} {errno:?} {here:?}: {said}");
        }
    }

    #[test]
    fn what_is_no_error_of_the_kernel_has_no_advice() {
        let error = io::Error::other("a text");
        assert_eq!(advice(Call::CreateMap, &error, &Confinement::default(), TABLES), None);
    }
}
