//! The traffic that the settings select.

use std::rc::Rc;

use anyhow::Result;
use flowtop_common::Admission;

use crate::Usage;
use crate::interfaces::Interfaces;
use crate::knowledge::Knowledge;
use flowtop_core::filter::{Boundary, Filter, Pushdown};
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::scope::attributed::{Attributed, Processes};
use flowtop_core::scope::{Conditions, Families, NoLinkLocal, OnInterfaces, Scope};
use flowtop_view::settings::choice::Format;
use flowtop_view::settings::{Origin, Settings};

/// An empty ledger with the scope of the settings.
pub fn ledger(
    settings: &Settings,
    interfaces: Option<&Rc<Interfaces>>,
    filter: Filter,
    known: &Knowledge,
) -> Result<Ledger> {
    let length_s = settings.seconds.value.0;
    let ledger = Ledger::new(settings.max_flows.value.0 as usize, u64::from(length_s)).keeping_departed();
    let mut ledger = ledger.seen_from(boundary(settings)?);
    match settings.unit.value {
        Unit::Packets => ledger = ledger.in_packets(),
        Unit::Wire => ledger = ledger.in_wire(),
        Unit::Bits | Unit::Bytes => {}
    }
    if settings.text.value && settings.format.value != Format::Text {
        ledger = ledger.keeping_wire();
    }
    if let Some(interfaces) = interfaces.filter(|interfaces| !interfaces.are_all()) {
        ledger = ledger.seen_at(Rc::<Interfaces>::clone(interfaces));
    }
    ledger.set_scope(scope(settings, interfaces, filter, known)?);
    Ok(ledger)
}

/// The border given by `-F` and `-G`.
pub fn boundary(settings: &Settings) -> Result<Boundary> {
    let boundary = Boundary::new(&settings.net.value, &settings.net6.value);
    Ok(boundary.map_err(|error| Usage(format!("--net and --net6: {error}")))?)
}

/// Whether rows may be seen from an end that is not here: with a border, or interfaces that lead to other namespaces.
pub fn may_turn_rows(settings: &Settings) -> Result<bool> {
    Ok(boundary(settings)? != Boundary::default() || !settings.interface.value.is_empty())
}

/// What the BPF programs have to count for reports: everything, so that a report can say what is kept out, unless the size
/// of the table was chosen.
pub fn admission_of_reports(settings: &Settings, filter: &Filter) -> Result<Admission> {
    if settings.max_flows.origin == Origin::Default {
        return Ok(Admission::default());
    }
    admission(settings, filter)
}

/// What the BPF programs have to count. Traffic that can never pass the scope is not admitted, to save room in the
/// table. Interfaces are not asked about: a socket that is refused at its birth could not be counted when its address or
/// its route changes.
pub fn admission(settings: &Settings, filter: &Filter) -> Result<Admission> {
    let mut pushdown = filter.pushdown().and(boundary(settings)?.pushdown());
    if settings.ipv4.value != settings.ipv6.value {
        pushdown = pushdown.and(Pushdown::of_families(settings.ipv4.value, settings.ipv6.value));
    }
    Ok(pushdown.admission())
}

/// The traffic to count.
pub fn scope(
    settings: &Settings,
    interfaces: Option<&Rc<Interfaces>>,
    filter: Filter,
    known: &Knowledge,
) -> Result<Option<Box<dyn Scope>>> {
    let boundary = boundary(settings)?;
    // In the order in which they decide which end of a connection is left.
    let mut conditions = Conditions::default();
    let [interface, border, family, process] = flags(settings);
    if let Some(processes) = processes(settings, known)? {
        conditions.push(process, Box::new(processes));
    }
    if let Some(interfaces) = interfaces.filter(|interfaces| !interfaces.are_all()) {
        conditions.push(interface, Box::new(OnInterfaces(Rc::<Interfaces>::clone(interfaces))));
    }
    if boundary != Boundary::default() {
        conditions.push(border, Box::new(boundary));
    }
    if filter != Filter::default() {
        let (name, owners, labels) = (format!("-f '{filter}'"), known.owners(), known.labels());
        conditions.push(name, Box::new(Attributed { filter, owners, labels }));
    }
    if settings.ipv4.value != settings.ipv6.value {
        conditions.push(family, Box::new(Families { v4: settings.ipv4.value, v6: settings.ipv6.value }));
    }
    if !settings.link_local.value {
        conditions.push(NO_LINK_LOCAL.to_owned(), Box::new(NoLinkLocal));
    }
    Ok((!conditions.is_empty()).then(|| Box::new(conditions) as Box<dyn Scope>))
}

/// The condition that no flag makes, but its absence.
pub const NO_LINK_LOCAL: &str = "no -l";

/// The flags other than `-f` that exclude traffic, as typed.
#[must_use]
pub fn limits(settings: &Settings) -> String {
    let all = flags(settings);
    all.iter().filter(|flags| !flags.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The same: of interfaces, of a border, of a family, of processes.
fn flags(settings: &Settings) -> [String; 4] {
    let texts =
        |flag: &str, values: &[String]| values.iter().map(|value| format!("{flag} {value}")).collect();
    let numbers = |flag: &str, values: &[u64]| values.iter().map(|value| format!("{flag} {value}")).collect();
    let family = |flag: &str, is_on: bool| if is_on { vec![flag.to_owned()] } else { Vec::new() };
    let one_family = settings.ipv4.value != settings.ipv6.value;
    let all: [Vec<Vec<String>>; 4] = [
        vec![texts("-i", &settings.interface.value)],
        vec![texts("-F", &settings.net.value), texts("-G", &settings.net6.value)],
        vec![
            family("-4", one_family && settings.ipv4.value),
            family("-6", one_family && settings.ipv6.value),
        ],
        vec![
            numbers("--pid", &settings.pid.value),
            texts("--cgroup", &settings.cgroup.value),
            numbers("--mntns", &settings.mntns.value),
        ],
    ];
    all.map(|of_kind| of_kind.concat().join(" "))
}

fn processes(settings: &Settings, known: &Knowledge) -> Result<Option<Processes>> {
    let pid =
        |pid: &u64| u32::try_from(*pid).map_err(|_| Usage(format!("--pid: {pid} is no process number")));
    let pids = settings.pid.value.iter().map(pid).collect::<Result<Vec<_>, _>>()?;
    let cgroups: Vec<_> = settings.cgroup.value.iter().map(|path| cgroup(path)).collect();
    let mntns = settings.mntns.value.clone();
    let asks = !(pids.is_empty() && cgroups.is_empty() && mntns.is_empty());
    Ok(asks.then(|| Processes { pids, cgroups, mntns, owners: known.owners() }))
}

/// The path relative to the root of the cgroup hierarchy, without `.` or a trailing slash.
pub fn cgroup(path: &str) -> String {
    let mounted = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let below = mounted.iter().find_map(|tree| path.strip_prefix(tree)).unwrap_or(path);
    format!("/{}", below.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::record;
    use crate::filter_names::HostNames;

    #[test]
    fn what_is_kept_out_is_told_as_it_was_asked_for() {
        let mut settings = Settings::default();
        assert_eq!(limits(&settings), "");
        settings.net.value = vec!["10.0.0.0/8".to_owned()];
        settings.pid.value = vec![7, 8];
        settings.ipv4.value = true;
        assert_eq!(limits(&settings), "-F 10.0.0.0/8 -4 --pid 7 --pid 8");
    }

    #[test]
    fn records_say_the_same_as_the_screen() {
        let mut settings = Settings::default();
        settings.filter.value = "port 443".to_owned();
        settings.interface.value = vec!["eth0".to_owned(), "wg0".to_owned()];
        settings.net.value = vec!["10.0.0.0/8".to_owned(), "192.168.0.0/16".to_owned()];
        settings.net6.value = vec!["2001:db8::/32".to_owned()];
        settings.ipv6.value = true;
        settings.pid.value = vec![7];
        settings.cgroup.value = vec!["/a b".to_owned()];
        settings.mntns.value = vec![9];
        let filter = Filter::parse("port 443", &HostNames::read()).unwrap();
        let recorded = record::limits(&settings, &filter).unwrap();
        assert_eq!(recorded.to_string(), format!("-f 'port 443' {}", limits(&settings)));
        assert_eq!(recorded.border(), boundary(&settings).unwrap());
    }

    #[test]
    fn a_cgroup_may_be_written_as_a_directory() {
        for path in ["/a/b", "a/b/", "/sys/fs/cgroup/a/b", "/sys/fs/cgroup/unified/a/b"] {
            assert_eq!(cgroup(path), "/a/b");
        }
        assert_eq!(cgroup("/"), "/");
    }
}
