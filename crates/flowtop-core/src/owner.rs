//! Owners of flows: the process that the kernel has seen, and its identity from files of the host.
//!
//! Not in here: which process of several is a flow's (`users`), and reading files (`flowtop_attribution`).

pub mod addresses;
pub mod processes;
pub mod users;
pub mod workload;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::IpAddr;

use flowtop_common::{Flow, KERNEL_PID};

use super::sanitize::clean;

/// A process as the kernel saw it when it used a socket. It may be gone since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seen {
    /// Process (thread group), 0 while none has been seen.
    pub pid: u32,
    /// Name of the process, NUL-padded.
    pub comm: [u8; 16],
    /// Cgroup v2 id, 0 where it is not known.
    pub cgroup_id: u64,
}

/// Bit of the numbers of processes that cannot be seen from here: they live outside of flowtop's PID namespace, and have
/// no number in it. The kernel gives numbers below 2^22.
pub const OUTSIDE: u32 = 1 << 31;

impl Seen {
    /// Number of the process as this system shows it, if it is one that can be seen from here.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        if self.is_user_process() && self.pid & OUTSIDE == 0 { Some(self.pid) } else { None }
    }

    /// The process that the kernel's entry of a flow names.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        Self { pid: flow.pid, comm: flow.comm, cgroup_id: flow.cgroup_id }
    }

    /// Whether a process or the kernel was seen to use the socket.
    #[must_use]
    pub const fn is_process(&self) -> bool {
        self.pid != 0
    }

    /// Whether it is the kernel itself.
    #[must_use]
    pub const fn is_kernel(&self) -> bool {
        self.pid == KERNEL_PID
    }

    /// Whether it is a process that has files in `/proc`.
    #[must_use]
    pub const fn is_user_process(&self) -> bool {
        self.is_process() && !self.is_kernel()
    }

    /// The name that the kernel saw, safe to print.
    #[must_use]
    pub fn comm_text(&self) -> Option<String> {
        comm_text(&self.comm)
    }
}

/// Identity of a process and of its place: user, unit, container, pod. Every text is safe to print and short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// Name of the process as it is now: a process that has called `exec` has another one.
    pub comm: Option<String>,
    /// Command line, arguments with blanks between.
    pub command: Option<String>,
    /// Name of the user, or the number if it has none.
    pub user: Option<String>,
    /// Number of the user, in the user namespace of flowtop.
    pub uid: Option<u32>,
    pub unit: Option<String>,
    /// Id of the container: 64 hex digits of most runtimes, another form of ECS and Garden.
    pub container_id: Option<String>,
    pub container: Option<String>,
    /// Name of the pod, or its UID while it has no name here.
    pub pod: Option<String>,
    pub namespace: Option<String>,
    /// The workload of a pod whose name does not tell it: that of a static one.
    pub workload: Option<String>,
    /// Path of the cgroup from the root of its hierarchy.
    pub cgroup: Option<String>,
    /// Inode number of the mount namespace.
    pub mntns: Option<u64>,
}

/// Digits of a container's id that are shown, as docker shows them, where all of it are hex digits.
pub const SHORT_ID_CHARS: usize = 12;

impl Identity {
    /// The first digits of the container's id, where it is one of hex digits alone: the containers of an ECS task differ
    /// in what follows them.
    #[must_use]
    pub fn short_container_id(&self) -> Option<&str> {
        let is_hex = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = self.container_id.as_deref()?;
        Some(id.get(..SHORT_ID_CHARS).filter(|_| is_hex(id)).unwrap_or(id))
    }

    /// Whether the user is meant: by name, or by number.
    #[must_use]
    pub fn is_user(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        // A recording of an early flowtop has no numbers, but that of root is no secret.
        let of_root = || (self.user.as_deref() == Some("root")).then_some(0);
        let number = self.uid.or_else(of_root);
        self.user.as_deref().is_some_and(&is_meant) || number.is_some_and(|uid| is_meant(&uid.to_string()))
    }

    /// Name of the pod's controller as its name tells it; `None` while the pod has no name here.
    #[must_use]
    pub fn workload(&self) -> Option<&str> {
        let by_name = || self.pod.as_deref().filter(|name| !is_uid(name)).map(workload::of_pod);
        self.workload.as_deref().or_else(by_name)
    }

    /// Where the process runs, in one word: `namespace/pod/container`, the container, or the unit.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        if let Some(pod) = &self.pod {
            let parts = [self.namespace.as_deref(), Some(pod), self.container.as_deref()];
            return Some(parts.into_iter().flatten().collect::<Vec<_>>().join("/"));
        }
        let container = self.container.as_deref().or_else(|| self.short_container_id());
        container.or(self.unit.as_deref()).map(str::to_owned)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace, where that is known.
    pub namespace: Option<String>,
    /// Its name, or its UID while it has no name here.
    pub name: String,
}

impl Pod {
    /// `namespace/name`, or the name alone.
    #[must_use]
    pub fn text(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |space| format!("{space}/{}", self.name))
    }
}

/// Where identities come from. Must answer at once.
pub trait Owners: Debug {
    /// Identity of a process that used a socket at `used_ns` of `CLOCK_MONOTONIC`; `None` until its files have been
    /// read.
    fn identity(&self, seen: &Seen, used_ns: u64) -> Option<Arc<Identity>>;

    /// The pod of this host that has an address, as far as known.
    fn pod_at(&self, _: IpAddr) -> Option<Arc<Pod>> {
        None
    }

    /// The pod of this host whose network namespace has that inode number, as far as known.
    fn pod_in(&self, _: u32) -> Option<Arc<Pod>> {
        None
    }

    /// Whether it has been found out which pods have which addresses and network namespaces.
    fn knows_addresses(&self) -> bool {
        true
    }

    /// A number that changes whenever an identity may have been learned or changed.
    fn version(&self) -> u64 {
        0
    }
}

/// The same owners without their command lines.
#[derive(Debug)]
pub struct WithoutCommands(pub Arc<dyn Owners>);

impl Owners for WithoutCommands {
    fn identity(&self, seen: &Seen, used_ns: u64) -> Option<Arc<Identity>> {
        let identity = self.0.identity(seen, used_ns)?;
        if identity.command.is_none() {
            return Some(identity);
        }
        Some(Arc::new(Identity { command: None, ..(*identity).clone() }))
    }

    fn pod_at(&self, address: IpAddr) -> Option<Arc<Pod>> {
        self.0.pod_at(address)
    }

    fn pod_in(&self, netns: u32) -> Option<Arc<Pod>> {
        self.0.pod_in(netns)
    }

    fn knows_addresses(&self) -> bool {
        self.0.knows_addresses()
    }

    fn version(&self) -> u64 {
        self.0.version()
    }
}

/// Knows no identities.
#[derive(Clone, Copy, Debug)]
pub struct NoOwners;

impl Owners for NoOwners {
    fn identity(&self, _: &Seen, _: u64) -> Option<Arc<Identity>> {
        None
    }
}

/// Whether a text is the UID of a pod, or the hash of a static one.
#[must_use]
pub fn is_uid(text: &str) -> bool {
    let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let dashes = [8, 13, 18, 23];
    match text.len() {
        32 => text.bytes().all(is_lower_hex),
        36 => text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if dashes.contains(&i) { byte == b'-' } else { is_lower_hex(byte) }),
        _ => false,
    }
}

/// Whether a cgroup is `subtree` or below it. Both are paths from the root of a hierarchy.
#[must_use]
pub fn is_cgroup_within(path: &str, subtree: &str) -> bool {
    let (path, subtree) = (path.trim_end_matches('/'), subtree.trim_end_matches('/'));
    path.strip_prefix(subtree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name of a process as text that is safe to print, `None` when there is none. A process may choose any 15 bytes.
#[must_use]
pub fn comm_text(comm: &[u8; 16]) -> Option<String> {
    let name = comm.split(|&byte| byte == 0).next().filter(|name| !name.is_empty())?;
    // Most names, and quickly done.
    if name.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return String::from_utf8(name.to_vec()).ok();
    }
    Some(clean(name, comm.len()).text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sanitize::breaks_a_screen;
    use proptest::prelude::*;

    #[test]
    fn the_place_is_the_narrowest_that_has_a_name() {
        let unit = Identity { unit: Some("nginx.service".to_owned()), ..Identity::default() };
        let container = Identity { container_id: Some("ab".repeat(32)), ..unit.clone() };
        let named = Identity { container: Some("web".to_owned()), ..container.clone() };
        let pod =
            Identity { pod: Some("web-0".to_owned()), namespace: Some("shop".to_owned()), ..named.clone() };
        let places = [&Identity::default(), &unit, &container, &named, &pod].map(Identity::place);
        let expected = ["", "nginx.service", "abababababab", "web", "shop/web-0/web"];
        assert_eq!(places.map(Option::unwrap_or_default), expected);
    }

    #[test]
    fn ids_that_differ_at_their_end_are_shown_whole() {
        let of = |id: &str| Identity { container_id: Some(id.to_owned()), ..Identity::default() };
        let ids =
            [of(&"ab".repeat(32)), of("00112233445566778899aabbccddeeff-1234567890"), of("6f265890-5165")];
        let shown = ["abababababab", "00112233445566778899aabbccddeeff-1234567890", "6f265890-5165"];
        assert_eq!(ids.each_ref().map(|identity| identity.short_container_id().unwrap()), shown);
    }

    #[test]
    fn a_process_outside_has_no_number_and_is_a_process() {
        let seen = |pid| Seen { pid, ..Seen::default() };
        let numbers =
            [7, 7 | OUTSIDE, KERNEL_PID, 0].map(|pid| (seen(pid).number(), seen(pid).is_user_process()));
        assert_eq!(numbers, [(Some(7), true), (None, true), (None, false), (None, false)]);
    }

    #[test]
    fn a_user_has_a_name_and_a_number() {
        let of = |user: &str, uid| Identity { user: Some(user.to_owned()), uid, ..Identity::default() };
        for (identity, meant, other) in [
            (of("root", Some(0)), ["root", "0"], "1"),
            (of("www-data", Some(33)), ["www-data", "33"], "3"),
            (of("165536", Some(165_536)), ["165536", "165536"], "0"),
            (of("root", None), ["root", "0"], "33"),
        ] {
            assert!(meant.iter().all(|meant| identity.is_user(|text| text == *meant)), "{meant:?}");
            assert!(!identity.is_user(|text| text == other), "{other}");
        }
        assert!(!Identity::default().is_user(|_| true));
    }

    #[test]
    fn a_workload_is_told_by_the_pod_s_name_unless_it_is_known() {
        let pod = |name: &str| Identity { pod: Some(name.to_owned()), ..Identity::default() };
        let of_static = Identity { workload: Some("etcd".to_owned()), ..pod("etcd-master-1") };
        let identities =
            [pod("web-0"), of_static, pod("6d1780d4-0501-4804-a676-5ebd49ceb9c5"), Identity::default()];
        assert_eq!(identities.each_ref().map(Identity::workload), [Some("web"), Some("etcd"), None, None]);
    }

    /// Knows one process, and no other.
    #[derive(Debug)]
    struct One(Identity);

    impl Owners for One {
        fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Identity>> {
            (seen.pid == 7).then(|| Arc::new(self.0.clone()))
        }
    }

    #[test]
    fn command_lines_can_be_left_out() {
        let identity = Identity { comm: Some("app".to_owned()), ..Identity::default() };
        let with_command = Identity { command: Some("app --x".to_owned()), ..identity.clone() };
        for known in [with_command, identity.clone()] {
            let owners = WithoutCommands(Arc::new(One(known)));
            let of = |pid| owners.identity(&Seen { pid, ..Seen::default() }, 0);
            assert_eq!((of(7).as_deref(), of(8)), (Some(&identity), None));
        }
    }

    #[test]
    fn a_subtree_of_cgroups_ends_at_a_slash() {
        assert!(
            is_cgroup_within("/a/b", "/a") && is_cgroup_within("/a", "/a/") && is_cgroup_within("/a", "/")
        );
        assert!(!is_cgroup_within("/ab", "/a") && !is_cgroup_within("/", "/a"));
    }

    #[test]
    fn comm_ends_at_the_first_nul() {
        assert_eq!(comm_text(b"iperf3\0garbage!!").as_deref(), Some("iperf3"));
        assert_eq!(comm_text(&[0; 16]), None);
        assert_eq!(comm_text(b"a\x1b[2Jb\xff\0\0\0\0\0\0\0\0\0").as_deref(), Some("a\u{fffd}[2Jb\u{fffd}"));
        assert_eq!(comm_text(b"\xe2\x80\xaeevil\0\0\0\0\0\0\0\0\0").as_deref(), Some("\u{fffd}evil"));
    }

    proptest! {
        #[test]
        fn comm_never_breaks_a_screen(comm: [u8; 16]) {
            let text = comm_text(&comm).unwrap_or_default();
            prop_assert!(!text.chars().any(breaks_a_screen));
            prop_assert!(text.chars().count() <= 16);
        }
    }
}
