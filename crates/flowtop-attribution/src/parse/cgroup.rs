//! The path of a cgroup → pod, container and systemd unit.
//!
//! Not in here: the names of pods and containers (`kubernetes`), and the tree of cgroups (`read`).

use std::sync::LazyLock;

use flowtop_core::owner::is_cgroup_within;
use regex::{Captures, Regex};

#[cfg(test)]
mod tests;

/// Facts in the path of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// UID of the pod, 36 characters with dashes, or 32 hex digits for a static pod.
    pub pod_uid: Option<String>,
    /// Id of the innermost container, 64 hex digits.
    pub container_id: Option<String>,
    /// Id of the container that this host's runtime has started: the outermost one.
    pub hosts_container_id: Option<String>,
    /// Whether a process in a container or a session may have forged the pod: the owner of a subtree of cgroups names
    /// those below it freely. Then this host's files about a pod of that UID say nothing about this one.
    pub is_claimed: bool,
    /// Quality-of-service class of the pod.
    pub qos: Option<&'static str>,
    pub unit: Option<String>,
}

/// Suffix that the kernel appends to the path of a removed cgroup.
const DELETED: &str = " (deleted)";

/// Suffix of units that only hold others.
const SLICE: &str = ".slice";

/// Suffixes of units that have processes.
const UNITS: [&str; 2] = [SERVICE, SCOPE];
const SERVICE: &str = ".service";
const SCOPE: &str = ".scope";

static POD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice|[/:]|$)",
    )
});
static CONTAINER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:[/:](?:cri-containerd|crio|docker|nerdctl|libpod(?:-payload)?)[-:]|/)([0-9a-f]{64})(?:\.scope|/|$)",
    )
});
static QOS: LazyLock<Regex> = LazyLock::new(|| pattern(r"kubepods(?:[-/](besteffort|burstable))?[-/]pod$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that the tests run")
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
    // An id before the pod is that of the node it runs on.
    let ids = captures(&CONTAINER, path, pod.map_or(0, |(_, end)| end));
    let first = captures(&CONTAINER, path, own).into_iter().chain(captures(&POD, path, own)).min();
    let is_handed_on = first.is_some_and(|(start, _)| is_handed_on(&path[own..start]));
    let is_claimed = is_handed_on || pod.is_some_and(|pod| first.is_some_and(|first| first < pod));
    let text = |&(start, end): &(usize, usize)| path[start..end].to_owned();
    Place {
        pod_uid: pod.as_ref().map(text).map(dashed),
        container_id: ids.last().map(text),
        hosts_container_id: ids.iter().find(|(start, _)| !is_claimed && *start >= own).map(text),
        is_claimed,
        qos: pod.and_then(|(start, _)| qos(&path[..start])),
        unit: unit(path).map(str::to_owned),
    }
}

/// Of the path of the first process: that of the container which this node is, empty if it is none.
#[must_use]
pub fn node(path: &str) -> &str {
    let ends = [&*CONTAINER, &*POD].map(|pattern| captures(pattern, path, 0).last().map(|(_, end)| *end));
    let Some(end) = ends.into_iter().flatten().max() else { return "" };
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
        let is_lxc = *part == "lxc" || part.starts_with("lxc.");
        is_user || is_lxc || part.ends_with(SCOPE) || of_machines && part.ends_with(SERVICE)
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

/// The unit below the slices, as `systemctl status PID` names it.
fn unit(path: &str) -> Option<&str> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != "..");
    let first = parts.into_iter().find(|part| !part.ends_with(SLICE))?;
    UNITS.iter().any(|suffix| first.ends_with(suffix)).then_some(first)
}

/// The path that says most in `/proc/PID/cgroup`: one of Kubernetes, or else one with a container, or else that of
/// cgroup v2 if it is not the root, or else that of systemd.
#[must_use]
pub fn choose(text: &str) -> Option<&str> {
    let lines: Vec<(&str, &str)> = text.lines().filter_map(controllers_and_path).collect();
    let first = |wanted: &dyn Fn(&str, &str) -> bool| {
        lines.iter().find(|(controllers, path)| wanted(controllers, path)).map(|(_, path)| *path)
    };
    first(&|_, path| path.contains("kubepods"))
        .or_else(|| first(&|_, path| CONTAINER.is_match(path)))
        .or_else(|| first(&|controllers, path| controllers.is_empty() && path != "/"))
        .or_else(|| first(&|controllers, _| controllers == "name=systemd"))
        .or_else(|| first(&|_, _| true))
}

/// `NUMBER:CONTROLLERS:PATH`; a path may have colons of its own.
fn controllers_and_path(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':').filter(|(_, path)| !path.is_empty())
}
