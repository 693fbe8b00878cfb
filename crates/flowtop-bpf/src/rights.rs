//! Capabilities → what works. README's table, the sentences of `flowtop doctor` and the packaging files are compared
//! with what stands here, and a test runs flowtop with each set.

/// A capability that flowtop can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Bpf,
    Perfmon,
    SysAdmin,
    NetAdmin,
    SysPtrace,
    DacReadSearch,
}

impl Right {
    /// In the order in which README's table adds them.
    pub const ALL: [Self; 6] =
        [Self::Bpf, Self::Perfmon, Self::SysAdmin, Self::NetAdmin, Self::SysPtrace, Self::DacReadSearch];

    /// Without `CAP_`.
    const fn short(self) -> &'static str {
        match self {
            Self::Bpf => "BPF",
            Self::Perfmon => "PERFMON",
            Self::SysAdmin => "SYS_ADMIN",
            Self::NetAdmin => "NET_ADMIN",
            Self::SysPtrace => "SYS_PTRACE",
            Self::DacReadSearch => "DAC_READ_SEARCH",
        }
    }

    /// As in `CAP_BPF`.
    #[must_use]
    pub fn name(self) -> String {
        format!("CAP_{}", self.short())
    }

    /// Its bit, in `include/uapi/linux/capability.h`.
    const fn bit(self) -> u64 {
        let number = match self {
            Self::Bpf => 39,
            Self::Perfmon => 38,
            Self::SysAdmin => 21,
            Self::NetAdmin => 12,
            Self::SysPtrace => 19,
            Self::DacReadSearch => 2,
        };
        1 << number
    }

    /// What the kernel asks it for.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Bpf => "load programs and maps",
            Self::Perfmon => "attach programs to kernel functions and read kernel memory",
            Self::SysAdmin => "enter other network namespaces",
            Self::NetAdmin => "bring up loopback in a network namespace for the self-check",
            Self::SysPtrace => "find the namespaces of others' processes",
            Self::DacReadSearch => "read others' files",
        }
    }

    /// What does not work without it, whatever else there is.
    pub fn lost(self, is_root: bool) -> impl Iterator<Item = Ability> {
        let others = Rights { capabilities: all_bits() & !self.bit(), is_root, ..Rights::default() };
        let others = match self {
            // CAP_SYS_ADMIN has these two within it.
            Self::Bpf | Self::Perfmon => others.without(Self::SysAdmin),
            _ => others,
        };
        Ability::ALL.into_iter().filter(move |ability| !others.missing(*ability).is_empty())
    }
}

fn all_bits() -> u64 {
    Right::ALL.iter().fold(0, |bits, right| bits | right.bit())
}

/// `CAP_BPF CAP_PERFMON …`: all of them, as systemd takes them.
#[must_use]
pub fn all_names() -> String {
    Right::ALL.map(Right::name).join(" ")
}

/// Something that flowtop does, as far as rights are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    Counting,
    OlderHere,
    OlderNamed,
    OlderElsewhere,
    Owners,
    Idle,
    Containers,
    UsersContainers,
    BehindVeth,
    MountNamespaces,
    SelfCheckApart,
    Cost,
    Recording,
}

impl Ability {
    pub const ALL: [Self; 13] = [
        Self::Counting,
        Self::OlderHere,
        Self::Owners,
        Self::Idle,
        Self::OlderNamed,
        Self::Cost,
        Self::SelfCheckApart,
        Self::OlderElsewhere,
        Self::BehindVeth,
        Self::MountNamespaces,
        Self::UsersContainers,
        Self::Containers,
        Self::Recording,
    ];

    /// As README and `flowtop doctor` call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counting => "count every connection from its first event on",
            Self::OlderHere => "older connections in flowtop's own network namespace",
            Self::OlderNamed => "older connections in namespaces of `ip netns`",
            Self::OlderElsewhere => "older connections in all namespaces",
            Self::Owners => "processes, users and units",
            Self::Idle => "processes that hold idle sockets",
            Self::Containers => "names of containers and pods",
            Self::UsersContainers => "names of containers that users run without root",
            Self::BehindVeth => "`-i` with the host's end of a veth",
            Self::MountNamespaces => "mount namespaces (`--mntns`)",
            Self::SelfCheckApart => "a self-check that firewalls cannot disturb",
            Self::Cost => "cost of the programs (`doctor`, `--cost`)",
            Self::Recording => "recording to `/var/lib/flowtop`",
        }
    }

    const fn needs(self) -> &'static [Right] {
        use Right::{Bpf, DacReadSearch, NetAdmin, Perfmon, SysAdmin, SysPtrace};
        match self {
            Self::Counting
            | Self::OlderHere
            | Self::Owners
            | Self::Idle
            | Self::Containers
            | Self::Recording => &[Bpf, Perfmon],
            Self::OlderNamed | Self::Cost => &[Bpf, Perfmon, SysAdmin],
            Self::OlderElsewhere => &[Bpf, Perfmon, SysAdmin, SysPtrace],
            Self::BehindVeth | Self::MountNamespaces => &[Bpf, Perfmon, SysPtrace],
            Self::SelfCheckApart => &[Bpf, Perfmon, SysAdmin, NetAdmin],
            Self::UsersContainers => &[Bpf, Perfmon, DacReadSearch],
        }
    }
}

/// Effective capabilities of a process, and whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// One bit each.
    pub capabilities: u64,
    /// Root owns most files that are read.
    pub is_root: bool,
    /// In another user namespace than the first one capabilities do not reach what flowtop needs.
    pub is_in_user_namespace: bool,
}

impl Rights {
    /// Root's, where nothing confines it.
    pub const FULL: Self = Self { capabilities: u64::MAX, is_root: true, is_in_user_namespace: false };

    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        let has = self.capabilities & right.bit() != 0;
        let is_within_sys_admin = matches!(right, Right::Bpf | Right::Perfmon);
        let has = has || is_within_sys_admin && self.capabilities & Right::SysAdmin.bit() != 0;
        has && !self.is_in_user_namespace
    }

    /// These with some more.
    #[must_use]
    pub fn with(self, rights: &[Right]) -> Self {
        let capabilities = rights.iter().fold(self.capabilities, |bits, right| bits | right.bit());
        Self { capabilities, ..self }
    }

    fn without(self, right: Right) -> Self {
        Self { capabilities: self.capabilities & !right.bit(), ..self }
    }

    /// Capabilities that something needs and that are not there.
    #[must_use]
    pub fn missing(self, ability: Ability) -> Vec<Right> {
        let own_files = (ability == Ability::Containers && !self.is_root).then_some(Right::DacReadSearch);
        let needed = ability.needs().iter().copied().chain(own_files);
        needed.filter(|right| !self.has(*right)).collect()
    }

    /// Whether something works. Only root writes to directories of root's.
    #[must_use]
    pub fn allow(self, ability: Ability) -> bool {
        self.missing(ability).is_empty() && (ability != Ability::Recording || self.is_root)
    }
}

/// `CAP_BPF and CAP_PERFMON`
#[must_use]
pub fn list(rights: &[Right]) -> String {
    let names: Vec<_> = rights.iter().map(|right| right.name()).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// The sets of README's table, each with the rights of those before it.
#[must_use]
pub fn sets() -> Vec<(String, Vec<Right>)> {
    let mut sets = vec![("none".to_owned(), vec![]), ("BPF, PERFMON".to_owned(), Right::ALL[..2].to_vec())];
    let more = |count: usize| (format!("+ {}", Right::ALL[count].short()), Right::ALL[..=count].to_vec());
    sets.extend((2..Right::ALL.len()).map(more));
    sets
}

/// The last set of README's table.
const FULL: &str = "full root";

/// The table of README: what works with which capabilities.
#[must_use]
pub fn table() -> String {
    let sets = sets();
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let names = sets.iter().map(|(name, _)| name.clone());
    let head = std::iter::once("CAP_…".to_owned()).chain(names).chain([FULL.to_owned()]);
    let mut text = row(head.collect()) + "|---|" + &":-:|".repeat(sets.len() + 1) + "\n";
    for ability in Ability::ALL {
        let cells = sets.iter().map(|(_, rights)| cell(ability, rights).to_owned());
        let full = if Rights::FULL.allow(ability) { "yes" } else { "" };
        let cells = std::iter::once(ability.name().to_owned()).chain(cells).chain([full.to_owned()]);
        text += &row(cells.collect());
    }
    text
}

fn cell(ability: Ability, rights: &[Right]) -> &'static str {
    let user = Rights::default().with(rights);
    match (user.allow(ability), Rights { is_root: true, ..user }.allow(ability)) {
        (true, _) => "yes",
        (false, true) => "root",
        (false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));

    #[test]
    fn the_table_of_readme_is_this_one() {
        let table = table();
        assert!(README.contains(&table), "README.md must have this table:\n{table}");
    }

    /// What runs flowtop as a service or in a pod, and how it names the rights.
    const SERVICES: [&str; 2] = [
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/flowtop-record.service")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/flowtop-record-hour.service")),
    ];
    const KUBERNETES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kubernetes.md"));

    #[test]
    fn units_and_pods_have_these_rights() {
        let unit = format!("\nCapabilityBoundingSet={}\n", all_names());
        assert!(SERVICES.iter().all(|service| service.contains(&unit)), "a unit is without {unit}");
        let pod = format!("\n          add: [{}]\n", Right::ALL.map(Right::short).join(", "));
        assert!(KUBERNETES.contains(&pod), "docs/kubernetes.md is without {pod}");
    }

    #[test]
    fn sys_admin_has_bpf_and_perfmon_within_it_and_a_user_namespace_has_none() {
        let admin = Rights::default().with(&[Right::SysAdmin]);
        assert!(Right::ALL.map(|right| admin.has(right)) == [true, true, true, false, false, false]);
        let confined = Rights { is_in_user_namespace: true, ..admin };
        assert_eq!(confined.missing(Ability::Counting), [Right::Bpf, Right::Perfmon]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let counting = Rights::default().with(&[Right::Bpf, Right::Perfmon]);
        for (ability, user, root) in [
            (Ability::Counting, "", ""),
            (Ability::Idle, "", ""),
            (Ability::OlderNamed, "CAP_SYS_ADMIN", "CAP_SYS_ADMIN"),
            (Ability::OlderElsewhere, "CAP_SYS_ADMIN and CAP_SYS_PTRACE", "CAP_SYS_ADMIN and CAP_SYS_PTRACE"),
            (Ability::BehindVeth, "CAP_SYS_PTRACE", "CAP_SYS_PTRACE"),
            (Ability::Containers, "CAP_DAC_READ_SEARCH", ""),
        ] {
            let missing = |is_root| list(&Rights { is_root, ..counting }.missing(ability));
            assert_eq!([missing(false), missing(true)], [user, root], "{ability:?}");
        }
        assert_eq!(list(&Right::ALL[..3]), "CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN");
    }

    #[test]
    fn each_right_is_for_something() {
        let lost = |right: Right| right.lost(false).collect::<Vec<_>>();
        assert_eq!(lost(Right::Bpf), Ability::ALL);
        assert_eq!(
            lost(Right::SysPtrace),
            [Ability::OlderElsewhere, Ability::BehindVeth, Ability::MountNamespaces]
        );
        assert_eq!(lost(Right::NetAdmin), [Ability::SelfCheckApart]);
        assert_eq!(lost(Right::DacReadSearch), [Ability::UsersContainers, Ability::Containers]);
        assert!(Right::DacReadSearch.lost(true).eq([Ability::UsersContainers]));
        assert!(Right::ALL.into_iter().all(|right| !lost(right).is_empty()));
    }

    #[test]
    fn more_rights_never_take_anything_away() {
        for ability in Ability::ALL {
            let works = |(_, rights): &(String, Vec<Right>)| Rights::default().with(rights).allow(ability);
            assert!(sets().iter().map(works).is_sorted(), "{ability:?}");
        }
    }
}
