//! Facts about this host; nothing is decided here.

use super::iterator::Iterator;
use crate::btf::{
    Btf,
    targets::{self, Target},
};
use crate::link::Cast;
use crate::memory::{self, Room};
use crate::plan::{self, Facts};
use crate::refused::Confinement;
use crate::rights::{self, Ability, Rights};
use anyhow::{Context as _, Result, bail};
use aya::EbpfLoader;
use flowtop_common::Field;
use rustix::process::{Resource, geteuid, getrlimit};
use std::os::linux::fs::MetadataExt as _;
use std::{fs, io, panic, path::Path, thread};

/// The kernel's type information (`CONFIG_DEBUG_INFO_BTF`).
const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// Where a kernel with kprobes shows them: for perf (Linux 4.17), and in tracefs, mounted here or there.
const KPROBE_PATHS: [&str; 3] = [
    "/sys/bus/event_source/devices/kprobe",
    "/sys/kernel/tracing/kprobe_events",
    "/sys/kernel/debug/tracing/kprobe_events",
];

/// Facts of the running kernel for the programs.
pub struct Host {
    /// Features of the kernel.
    pub facts: Facts,
    /// Offset in bytes of each [`Field`], in its order.
    pub offsets: Vec<u32>,
    /// The bit of [`Field::KernSock`], 0 where there is none.
    pub kern_sock_mask: u32,
    /// Memory for tables.
    pub room: Room,
    /// Types that programs attach to, in aya's form.
    pub targets: aya::Btf,
}

/// Loads objects, without the kernel's types: ours does not refer to them.
pub type Loader = EbpfLoader<'static>;

/// Reads the running kernel's type information. The loader, which reads it too, wanted or not, is made meanwhile.
///
/// # Errors
/// No BTF, BTF that cannot be read, or a field that is not in it.
pub fn host() -> Result<(Host, Loader)> {
    thread::scope(|scope| {
        let host = scope.spawn(read_host);
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        let host = host.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
        Ok((host, loader))
    })
}

fn read_host() -> Result<Host> {
    let bytes = fs::read(BTF_PATH).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "the kernel has no type information ({BTF_PATH}); flowtop needs one built with CONFIG_DEBUG_INFO_BTF, Linux 5.10 or later"
        ),
        _ => anyhow::anyhow!("cannot read {BTF_PATH}: {error}"),
    })?;
    let types = Btf::parse(&bytes)?;
    let kern_sock = types.bit(KERN_SOCK.0, KERN_SOCK.1);
    let facts = facts(&types);
    Ok(Host {
        facts,
        offsets: offsets(&types, kern_sock.map_or(0, |(offset, _)| offset))?,
        kern_sock_mask: kern_sock.map_or(0, |(_, mask)| mask.into()),
        room: room(types.has_func(CHARGES_LOCKED_MEMORY)),
        targets: targets(&types, facts)?,
    })
}

/// BTF with the types that all plans and iterators attach to.
fn targets(types: &Btf<'_>, facts: Facts) -> Result<aya::Btf> {
    let hooks = plan::plans(facts, None).into_iter().flat_map(|plan| plan.programs);
    let hooks = hooks.filter_map(|program| Target::of_hook(program.attach));
    let walks = Iterator::ALL.map(|iterator| Target::of_walk(iterator.target));
    let bytes = targets::only(types, hooks.chain(walks));
    aya::Btf::parse(&bytes, aya::Endianness::default()).context("cannot hand the kernel's types on")
}

/// A function of kernels that count tables as locked memory: before Linux 5.11, which counts them in the cgroup.
const CHARGES_LOCKED_MEMORY: &str = "bpf_map_charge_init";

/// Its bit, in `include/uapi/linux/capability.h`.
const CAP_SYS_RESOURCE: u64 = 1 << 24;

fn room(charges_locked_memory: bool) -> Room {
    // The loader raises it if it may.
    let may_raise = rights().is_ok_and(|rights| rights.capabilities & CAP_SYS_RESOURCE != 0);
    let binds = charges_locked_memory && !may_raise;
    let memlock_bytes = getrlimit(Resource::Memlock).current.filter(|_| binds);
    let available_bytes = memory::available_bytes(&read("/proc/meminfo".as_ref()));
    let cgroup_bytes = if charges_locked_memory { None } else { cgroup_bytes() };
    Room { memlock_bytes, available_bytes, cgroup_bytes }
}

/// Memory that our cgroups still allow, in cgroup v1 or v2.
fn cgroup_bytes() -> Option<u64> {
    let cgroups = read("/proc/self/cgroup".as_ref());
    let of = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (root, [limit, used]) = match controllers {
            "" => ("/sys/fs/cgroup", ["memory.max", "memory.current"]),
            "memory" => ("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes"]),
            _ => return None,
        };
        let below = Path::new(path.trim_start_matches('/'));
        let rooms = below.ancestors().filter_map(|path| {
            let file = |name: &str| read(&Path::new(root).join(path).join(name));
            memory::cgroup_bytes(&file(limit), &file(used), &file("memory.stat"))
        });
        rooms.min()
    };
    cgroups.lines().filter_map(of).min()
}

/// Nothing where there is no such file.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The one field that is a bit.
const KERN_SOCK: (&str, &str) = Field::ALL[Field::KernSock as usize].1;

fn offsets(types: &Btf<'_>, kern_sock: u32) -> Result<Vec<u32>> {
    let offset = |&(field, (struct_name, path)): &(Field, (&str, &str))| match field {
        Field::KernSock => Ok(kern_sock),
        _ => types.field_offset(struct_name, path),
    };
    Ok(Field::ALL.iter().map(offset).collect::<Result<_, _>>()?)
}

fn facts(types: &Btf<'_>) -> Facts {
    Facts {
        tcp_sendmsg_locked: types.has_func("tcp_sendmsg_locked"),
        do_tcp_sendpages: types.has_func("do_tcp_sendpages"),
        tcp_bpf_sendmsg: types.has_func("tcp_bpf_sendmsg"),
        tcp_cleanup_rbuf: types.has_func("tcp_cleanup_rbuf"),
        sock_send_length: types.has_typedef("btf_trace_sock_send_length"),
        socket_storage: types.has_func("bpf_sk_storage_get_tracing"),
        socket_cookie: types.has_func("bpf_get_socket_ptr_cookie"),
        kprobes: KPROBE_PATHS.iter().any(|path| fs::exists(path).unwrap_or(true)),
        rdonly_cast: rdonly_cast(types),
        typed_task: types.enum_value("bpf_func_id", "BPF_FUNC_get_current_task_btf").is_some(),
    }
}

fn rdonly_cast(types: &Btf<'_>) -> Option<Cast> {
    let (func_id, tcp_sock_id) = (types.func_id("bpf_rdonly_cast")?, types.struct_id("tcp_sock")?);
    Some(Cast::Kfunc { func_id, tcp_sock_id })
}

/// Inode number of the first user namespace (`PROC_USER_INIT_INO` of the kernel), whose capabilities reach everything.
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// What this process may do.
///
/// # Errors
/// A `/proc` that does not tell.
pub fn rights() -> Result<Rights> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let hex = line(&status, "CapEff:").context("/proc/self/status has no line CapEff")?;
    let capabilities =
        u64::from_str_radix(hex, 16).context("the line CapEff of /proc/self/status is not a number")?;
    let namespace = fs::metadata("/proc/self/ns/user").map(|namespace| namespace.st_ino());
    Ok(Rights {
        capabilities,
        is_root: geteuid().is_root(),
        is_in_user_namespace: namespace.is_ok_and(|inode| inode != FIRST_USER_NAMESPACE),
    })
}

/// The value behind `name` in the text of a file with a line for each value.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// What may stand in the way of this process beside missing capabilities. `room` knows whether locked memory is counted.
#[must_use]
pub fn confinement(room: &Room) -> Confinement {
    Confinement {
        has_seccomp_filter: has_seccomp_filter(),
        lockdown: lockdown(),
        memlock_bytes: room.memlock_bytes,
        open_files: open_files(),
    }
}

/// Whether a seccomp filter looks at the system calls of this process.
#[must_use]
pub fn has_seccomp_filter() -> bool {
    const FILTERED: &str = "2";
    line(&read("/proc/self/status".as_ref()), "Seccomp:") == Some(FILTERED)
}

/// How many files this process may have open, `None` for any number.
#[must_use]
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// # Errors
/// A sentence that names the missing rights and how to get them.
pub fn require_rights() -> Result<()> {
    let rights = rights()?;
    if rights.is_in_user_namespace {
        bail!("capabilities of a user namespace do not let it count; run it outside of that, as root");
    }
    let missing = rights.missing(Ability::Counting);
    if !missing.is_empty() {
        bail!(
            "missing {} to count; run it as root or with AmbientCapabilities={} of systemd",
            rights::list(&missing),
            rights::all_names()
        );
    }
    Ok(())
}

/// The kernel's lockdown mode: `none`, `integrity` or `confidentiality`; `None` where there is no lockdown.
#[must_use]
pub fn lockdown() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_owned())
}

/// `kernel.ftrace_enabled`; when it is off, trampolines and kprobes attach and never fire.
#[must_use]
pub fn ftrace_enabled() -> Option<bool> {
    let text = fs::read_to_string("/proc/sys/kernel/ftrace_enabled").ok()?;
    Some(text.trim() != "0")
}
