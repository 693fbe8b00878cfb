//! The path of a cgroup → pod, container and systemd unit.
//!
//! Docker, containerd, CRI-O, podman, ECS and Garden put the id of a container into the path; LXC, nspawn and libvirt put
//! its name there.
//!
//! Not in here: names that files give to pods and containers (`kubernetes`), and the tree of cgroups (`read`).

use std::sync::LazyLock;

use flowtop_core::owner::is_cgroup_within;
use regex::{Captures, Regex};

use super::kubernetes::name;

#[cfg(test)]
mod tests;

/// Facts in the path of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// UID of the pod, 36 characters with dashes, or 32 hex digits for a static pod.
    pub pod_uid: Option<String>,
    /// Id of the innermost container: 64 hex digits, or as ECS and Garden write it.
    pub container_id: Option<String>,
    /// Id of the container that this host's runtime has started: the outermost one.
    pub hosts_container_id: Option<String>,
    /// Name of the outermost container, where its manager has no ids: LXC, nspawn, libvirt.
    pub container_name: Option<String>,
    /// User whose own runtime has started the outermost container, and the id of that container.
    pub rootless: Option<Rootless>,
    /// Whether a process in a container or a session may have forged the pod: the owner of a subtree of cgroups names
    /// those below it freely. Then this host's files about a pod of that UID say nothing about this one.
    pub is_claimed: bool,
    /// Quality-of-service class of the pod.
    pub qos: Option<&'static str>,
    pub unit: Option<String>,
}

impl Place {
    /// Whether it is in no container and in no pod.
    #[must_use]
    pub fn is_of_host(&self) -> bool {
        self.pod_uid.is_none() && self.container_id.is_none() && self.container_name.is_none()
    }
}

/// A container that a user has started without root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rootless {
    pub uid: u32,
    pub id: String,
}

/// Suffix that the kernel appends to the path of a removed cgroup.
const DELETED: &str = " (deleted)";

/// Suffix of units that only hold others.
const SLICE: &str = ".slice";

/// Suffixes of units that have processes.
const UNITS: [&str; 2] = [SERVICE, SCOPE];
const SERVICE: &str = ".service";
const SCOPE: &str = ".scope";

/// Parts that managers of containers put between a container and what it makes itself.
const INNER: [&str; 4] = ["payload", "container", "ns", ".lxc"];

static POD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice|[/:]|$)",
    )
});
/// Ids and names of containers in group 1, each where its manager puts it.
static CONTAINERS: LazyLock<[(Kind, Regex); 9]> = LazyLock::new(|| {
    [
        // `RUNTIME-ID.scope`, `SLICE:RUNTIME:ID`, or the id alone.
        (Kind::Id, r"[/:](?:[a-z0-9]+(?:[-_.][a-z0-9]+)*[-_:])?([0-9a-f]{64})(?:\.scope|/|$)"),
        // ECS: the id of the task, and a number.
        (Kind::Id, r"/([0-9a-f]{32}-[0-9]{1,20})(?:/|$)"),
        // Garden, the containers of Cloud Foundry. Since it throttles, they are in one of two pools.
        (Kind::Id, r"(?:^|/)garden(?:-[^/]+)?/(?:garden/)?(?:good/|bad/)?([^/]{8,})(?:/|$)"),
        (Kind::Name, r"(?:^|/)lxc(?:\.payload[./]|/)([^/]+)(?:/|$)"),
        // Tasks of Nomad, behind the id of their allocation.
        (Kind::Name, r"(?:^|/)nomad\.slice/(?:[^/]+\.slice/)?[0-9a-f-]{36}\.([^/]+)\.scope(?:/|$)"),
        (Kind::Escaped, r"(?:^|/)systemd-(?:nspawn|vmspawn)@([^/]+)\.service(?:/payload|$)"),
        (Kind::Machine, r"(?:^|/)machine-([^/]+)\.scope(?:/|$)"),
        // libvirt without systemd.
        (Kind::Machine, r"(?:^|/)machine/([^/]+)\.libvirt-(?:qemu|lxc)(?:/|$)"),
        (Kind::Name, r"(?:^|/)libvirt/(?:qemu|lxc)/([^/]+)(?:/|$)"),
    ]
    .map(|(kind, text)| (kind, pattern(text)))
});
static QOS: LazyLock<Regex> = LazyLock::new(|| pattern(r"kubepods(?:[-/](besteffort|burstable))?[-/]pod$"));
/// libvirt registers a machine as `DRIVER-NUMBER-NAME`.
static LIBVIRT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:qemu|lxc|ch|xen|libxl)-[0-9]+-(.+)$"));
/// The user whose manager or session has a subtree.
static OF_USER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|/)user(?:-([0-9]+)\.slice|@([0-9]+)\.service)/"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that the tests run")
}

/// How a part of a path tells a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Id,
    Name,
    /// A name as systemd escapes it.
    Escaped,
    /// The same, where libvirt puts its driver and a number in front.
    Machine,
}

/// Where something that tells a container lies in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    start: usize,
    kind: Kind,
    end: usize,
}

/// Reads a path, from the root of its hierarchy or, with `..`, from that of a cgroup namespace.
#[must_use]
pub fn parse(path: &str) -> Place {
    parse_on("", path)
}

/// The same on a node that is a container itself, with the path of that container.
#[must_use]
pub fn parse_on(node: &str, path: &str) -> Place {
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let own = if is_cgroup_within(path, node) { node.len() } else { 0 };
    let pod = captures(&POD, path, 0).pop();
    let marks = marks(path);
    // An id before the pod is that of the node it runs on.
    let inner = |mark: &&Mark| mark.start >= pod.map_or(0, |(_, end)| end);
    let of_pods = captures(&POD, path, own).into_iter().map(|(start, _)| start);
    let first = marks.iter().map(|mark| mark.start).filter(|start| *start >= own).chain(of_pods).min();
    let before = first.map_or("", |start| &path[own..start]);
    let is_claimed =
        is_handed_on(before) || pod.is_some_and(|(pod, _)| first.is_some_and(|first| first < pod));
    let outermost = marks.iter().filter(inner).find(|mark| mark.start >= own);
    let text = |mark: &Mark| path[mark.start..mark.end].to_owned();
    let hosts_id = outermost.filter(|mark| mark.kind == Kind::Id).map(text);
    Place {
        container_id: marks.iter().filter(inner).rfind(|mark| mark.kind == Kind::Id).map(text),
        container_name: named(path, &marks, pod.is_some(), own),
        rootless: hosts_id
            .clone()
            .filter(|_| pod.is_none())
            .and_then(|id| Some(Rootless { uid: user(before)?, id })),
        hosts_container_id: hosts_id.filter(|_| !is_claimed),
        is_claimed,
        qos: pod.and_then(|(start, _)| qos(&path[..start])),
        pod_uid: pod.map(|(start, end)| dashed(path[start..end].to_owned())),
        unit: unit(path, if is_handed_on(before) { &[] } else { &marks }),
    }
}

/// Every id and name of a container, the outermost first.
fn marks(path: &str) -> Vec<Mark> {
    let of = |(kind, pattern): &(Kind, Regex)| {
        let found = captures(pattern, path, 0).into_iter();
        found.map(|(start, end)| Mark { start, kind: *kind, end }).collect::<Vec<_>>()
    };
    let mut marks: Vec<Mark> =
        CONTAINERS.iter().flat_map(of).filter(|mark| is_container(path, *mark)).collect();
    marks.sort_unstable();
    // What stands in the id or the name of another one is a part of it.
    marks.dedup_by(|next, before| next.start < before.end);
    marks
}

/// Whether it is a container, and not its monitor (conmon) or podman's pod; and a name is one.
fn is_container(path: &str, mark: Mark) -> bool {
    let before = &path[..mark.start];
    let is_other = ["conmon-", "libpod_parent/"].iter().any(|end| before.ends_with(end));
    !is_other && (mark.kind == Kind::Id || name_in(path, mark).is_some())
}

/// The name of the outermost container if its path has one. Below a pod it would be one that the pod has made up.
fn named(path: &str, marks: &[Mark], has_pod: bool, own: usize) -> Option<String> {
    let of_host = marks.iter().find(|mark| mark.start >= own).or_else(|| marks.last());
    of_host.filter(|mark| mark.kind != Kind::Id && !has_pod).and_then(|mark| name_in(path, *mark))
}

/// The name as its user has given it.
fn name_in(path: &str, mark: Mark) -> Option<String> {
    let text = &path[mark.start..mark.end];
    match mark.kind {
        Kind::Id | Kind::Name => name(text),
        Kind::Escaped => name(&unescaped(text)?),
        Kind::Machine => {
            let text = unescaped(text)?;
            let given = LIBVIRT.captures(&text).and_then(|found| found.get(1));
            name(given.map_or(text.as_str(), |given| given.as_str()))
        }
    }
}

/// A part of a unit's name without systemd's `\xNN`.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.as_bytes().get(2..)?);
    }
    String::from_utf8(bytes).ok()
}

/// The user in whose session or manager a container is.
fn user(before: &str) -> Option<u32> {
    let found = OF_USER.captures(before)?;
    found.get(1).or_else(|| found.get(2))?.as_str().parse().ok()
}

/// Of the path of the first process: that of the container which this node is, empty if it is none.
#[must_use]
pub fn node(path: &str) -> &str {
    let of_pod = captures(&POD, path, 0).last().map(|(_, end)| *end);
    let Some(end) = marks(path).last().map(|mark| mark.end).max(of_pod) else { return "" };
    &path[..path[end..].find('/').map_or(path.len(), |at| end + at)]
}

/// Whether systemd or a runtime delegates the subtree: to a user, a session, or a machine.
fn is_handed_on(before: &str) -> bool {
    // The last part is that of the first id itself.
    let parts: Vec<_> = before.split('/').collect();
    let above = &parts[..parts.len() - 1];
    let of_machines = above.contains(&"machine.slice");
    above.iter().any(|part| {
        let is_user = *part == "user.slice" || part.starts_with("user@");
        is_user || part.ends_with(SCOPE) || of_machines && part.ends_with(SERVICE)
    })
}

/// Where group 1 of every match lies. The next search begins at the end of the group: what follows it may begin the
/// next match.
fn captures(pattern: &Regex, path: &str, mut from: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let group = |captures: Captures<'_>| captures.get(1).map(|group| (group.start(), group.end()));
    while let Some((start, end)) = pattern.captures_at(path, from).and_then(group) {
        found.push((start, end));
        from = end;
    }
    found
}

/// systemd writes `_` for `-`. The hash of a static pod has neither.
fn dashed(uid: String) -> String {
    if uid.len() == 36 { uid.replace('_', "-") } else { uid }
}

fn qos(up_to_pod: &str) -> Option<&'static str> {
    let found = QOS.captures(up_to_pod)?;
    Some(match found.get(1).map(|class| class.as_str()) {
        Some("besteffort") => "besteffort",
        Some("burstable") => "burstable",
        _ => "guaranteed",
    })
}

/// The unit of the innermost systemd, as its `systemctl status PID` names it: that of the host, or of one of the containers
/// that `marks` tell, if it runs one.
fn unit(path: &str, marks: &[Mark]) -> Option<String> {
    let end_of_part = |mark: &Mark| path[mark.end..].find('/').map_or(path.len(), |at| mark.end + at);
    let mut ends: Vec<usize> = marks.iter().map(end_of_part).collect();
    ends.push(path.len());
    let starts: Vec<usize> = [0].into_iter().chain(ends.iter().copied()).collect();
    let sections = starts.iter().zip(&ends).map(|(start, end)| &path[*start..*end]);
    sections
        .rev()
        .find_map(|section| unit_below(section).map(str::to_owned).or_else(|| service_of_talos(section)))
}

/// The unit below the slices of one systemd.
fn unit_below(path: &str) -> Option<&str> {
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".." && !INNER.contains(part));
    let first = parts.find(|part| !part.ends_with(SLICE))?;
    UNITS.iter().any(|suffix| first.ends_with(suffix)).then_some(first)
}

/// A service of Talos, which has no systemd, as `talosctl service` names it.
fn service_of_talos(path: &str) -> Option<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && !part.ends_with(SLICE));
    match parts.collect::<Vec<_>>()[..] {
        ["init"] => Some("init".to_owned()),
        ["system", "runtime", ..] => Some("containerd".to_owned()),
        ["podruntime", "runtime", ..] => Some("cri".to_owned()),
        ["system", "extensions", name, ..] => Some(format!("ext-{name}")),
        ["system" | "podruntime", name, ..] => Some(name.to_owned()),
        _ => None,
    }
}

/// The path that says most in `/proc/PID/cgroup`: one of a pod, or else one with a container, and of those the one of
/// systemd, or else that of cgroup v2 if it is not the root, or else that of systemd.
#[must_use]
pub fn choose(text: &str) -> Option<&str> {
    let lines: Vec<(&str, &str)> = text.lines().filter_map(controllers_and_path).collect();
    let first = |wanted: &dyn Fn(&str, &str) -> bool| {
        lines.iter().find(|(controllers, path)| wanted(controllers, path)).map(|(_, path)| *path)
    };
    let is_systemd_s = |controllers: &str| controllers.is_empty() || controllers == "name=systemd";
    first(&|_, path| path.contains("kubepods") || POD.is_match(path))
        // Inside a container only its systemd makes cgroups, so its lines tell the unit too.
        .or_else(|| first(&|controllers, path| is_systemd_s(controllers) && !marks(path).is_empty()))
        .or_else(|| first(&|_, path| !marks(path).is_empty()))
        .or_else(|| first(&|controllers, path| controllers.is_empty() && path != "/"))
        .or_else(|| first(&|controllers, _| controllers == "name=systemd"))
        .or_else(|| first(&|_, _| true))
}

/// `NUMBER:CONTROLLERS:PATH`; a path may have colons of its own.
fn controllers_and_path(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':').filter(|(_, path)| !path.is_empty())
}
