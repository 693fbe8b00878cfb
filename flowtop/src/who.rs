//! What the settings select: owners and labels to look up, and the traffic to count.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flowtop_common::Admission;

use crate::Usage;
use crate::interfaces::Interfaces;
use crate::user_file::{self, MAX_LABELS_BYTES};
use flowtop_attribution::Attribution;
use flowtop_core::column;
use flowtop_core::demo::identities::DemoOwners;
use flowtop_core::filter::{Boundary, Filter, Pushdown};
use flowtop_core::label::Labels;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::owner::{NoOwners, Owners, WithoutCommands};
use flowtop_core::scope::attributed::{Attributed, Processes};
use flowtop_core::scope::{AllOf, Families, NoLinkLocal, OnInterfaces, Scope};
use flowtop_core::who::Who;
use flowtop_view::settings::{Settings, choice::Format};

/// How long a report waits for files that are being read. They are local and small.
const SETTLES_WITHIN: Duration = Duration::from_millis(100);

/// What is known about the owners of flows: the reader of identities, and labels of networks.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// Reads identities; `None` if no setting needs them.
    attribution: Option<Arc<Attribution>>,
    owners: Arc<dyn Owners>,
    labels: Arc<Labels>,
}

impl Knowledge {
    /// Reads the labels, and starts the reader of identities if the settings need it.
    pub fn new(settings: &Settings, filter: &Filter) -> Result<Self> {
        Self::start(settings, asks_owner(settings, filter))
    }

    /// Like [`Self::new`], but starts the reader in any case, because the user may ask for owners later.
    pub fn of_everyone(settings: &Settings) -> Result<Self> {
        Self::start(settings, true)
    }

    /// Owners of generated traffic, whose process numbers mean no process of this host.
    pub fn of_demo(settings: &Settings) -> Result<Self> {
        Ok(Self::of(Arc::new(DemoOwners), Arc::new(labels(&settings.labels.value)?)).wanted_by(settings))
    }

    /// Owners and labels of another source, such as a recording. Nothing is read from this host.
    pub fn of(owners: Arc<dyn Owners>, labels: Arc<Labels>) -> Self {
        Self { attribution: None, owners, labels }
    }

    /// Removes command lines if the settings say so.
    #[must_use]
    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "owners are shared within one thread, and not all of them can be sent"
    )]
    pub fn wanted_by(self, settings: &Settings) -> Self {
        let owners = self.owners;
        let owners = if settings.no_command_lines.value { Arc::new(WithoutCommands(owners)) } else { owners };
        Self { owners, ..self }
    }

    fn start(settings: &Settings, asks_owner: bool) -> Result<Self> {
        let root = Path::new(&settings.host_root.value);
        if !root.is_dir() {
            let text = "--host-root: there is no directory";
            anyhow::bail!("{text} {}; give the one where the file system of the host is", root.display());
        }
        let attribution =
            asks_owner.then(|| Attribution::start(root, !settings.no_command_lines.value)).transpose();
        let attribution = attribution.context("cannot start the thread that reads about processes")?;
        let attribution = attribution.map(Arc::new);
        let owners: Arc<dyn Owners> = match &attribution {
            Some(attribution) => Arc::<Attribution>::clone(attribution),
            None => Arc::new(NoOwners),
        };
        Ok(Self { attribution, owners, labels: Arc::new(labels(&settings.labels.value)?) })
    }

    /// Owners and labels for reports.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        let trouble =
            self.attribution.as_ref().map_or(Who::nobody().trouble, |known| known.trouble().named());
        Who { owners: &*self.owners, labels: &self.labels, trouble }
    }

    /// Requests the identities of processes that are new in the ledger. Does not wait.
    pub fn ask(&self, ledger: &Ledger) {
        if let Some(attribution) = &self.attribution {
            attribution.pass_time();
            for (seen, used_ns) in ledger.new_owners() {
                attribution.identity(seen, used_ns);
            }
        }
    }

    /// Waits up to 100 ms for requested identities, so that a report has the names of new processes.
    pub fn settle(&self, ledger: &mut Ledger) {
        if let Some(attribution) = &self.attribution {
            attribution.settle(SETTLES_WITHIN);
            ledger.settle();
        }
    }

    /// Labels of remote addresses.
    pub fn labels(&self) -> Arc<Labels> {
        Arc::clone(&self.labels)
    }

    /// The source of identities.
    pub fn owners(&self) -> Arc<dyn Owners> {
        Arc::clone(&self.owners)
    }
}

/// Whether anything that is shown or counted needs identities of processes.
fn asks_owner(settings: &Settings, filter: &Filter) -> bool {
    let fields = &settings.fields.value;
    let lists_owners = match settings.format.value {
        _ if settings.by.value.is_some() => false,
        Format::Text => settings.show_owner.value,
        Format::Json | Format::Csv => {
            fields.is_empty() || fields.iter().any(|name| column::asks_owner(name.trim()))
        }
    };
    let chooses = !(settings.cgroup.value.is_empty() && settings.mntns.value.is_empty());
    let filters = filter.asks_owner() || filter.asks_remote_pod();
    lists_owners || chooses || filters || settings.by.value.asks_owner()
}

/// Reads a labels file. An empty name gives the built-in labels only.
pub fn labels(file: &str) -> Result<Labels> {
    if file.is_empty() {
        return Ok(Labels::default());
    }
    let bytes = user_file::read(Path::new(file), MAX_LABELS_BYTES).context("--labels")?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Labels::parse(&text).map_err(|error| Usage(format!("--labels: {file}: {error}")))?)
}

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
    if settings.unit.value == Unit::Packets {
        ledger = ledger.in_packets();
    }
    ledger.set_scope(scope(settings, interfaces, filter, known)?);
    Ok(ledger)
}

/// The border given by `-F` and `-G`.
pub fn boundary(settings: &Settings) -> Result<Boundary> {
    let boundary = Boundary::new(&settings.net.value, &settings.net6.value);
    Ok(boundary.map_err(|error| Usage(format!("--net and --net6: {error}")))?)
}

/// Whether a border is set, which puts inner ends on the left.
pub fn has_border(settings: &Settings) -> Result<bool> {
    Ok(boundary(settings)? != Boundary::default())
}

/// The traffic that the kernel side has to count: what can never pass the scope takes no room in its table. Interfaces are
/// not asked about: a socket that is refused at its birth could not be counted when its address or its route changes.
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
    let mut scopes = Vec::<Box<dyn Scope>>::new();
    scopes.extend(processes(settings, known)?.map(|scope| Box::new(scope) as Box<dyn Scope>));
    if let Some(interfaces) = interfaces.filter(|interfaces| !interfaces.are_all()) {
        scopes.push(Box::new(OnInterfaces(Rc::<Interfaces>::clone(interfaces))));
    }
    if boundary != Boundary::default() {
        scopes.push(Box::new(boundary));
    }
    if filter != Filter::default() {
        let (owners, labels) = (known.owners(), Arc::clone(&known.labels));
        scopes.push(Box::new(Attributed { filter, owners, labels }));
    }
    if settings.ipv4.value != settings.ipv6.value {
        scopes.push(Box::new(Families { v4: settings.ipv4.value, v6: settings.ipv6.value }));
    }
    if !settings.link_local.value {
        scopes.push(Box::new(NoLinkLocal));
    }
    Ok((!scopes.is_empty()).then(|| Box::new(AllOf(scopes)) as Box<dyn Scope>))
}

/// The flags other than `-f` that exclude traffic, as typed.
#[must_use]
pub fn limits(settings: &Settings) -> String {
    let texts =
        |flag: &str, values: &[String]| values.iter().map(|value| format!("{flag} {value}")).collect();
    let numbers = |flag: &str, values: &[u64]| values.iter().map(|value| format!("{flag} {value}")).collect();
    let family = |flag: &str, is_on: bool| if is_on { vec![flag.to_owned()] } else { Vec::new() };
    let one_family = settings.ipv4.value != settings.ipv6.value;
    let all: [Vec<String>; 8] = [
        texts("-i", &settings.interface.value),
        texts("-F", &settings.net.value),
        texts("-G", &settings.net6.value),
        family("-4", one_family && settings.ipv4.value),
        family("-6", one_family && settings.ipv6.value),
        numbers("--pid", &settings.pid.value),
        texts("--cgroup", &settings.cgroup.value),
        numbers("--mntns", &settings.mntns.value),
    ];
    all.concat().join(" ")
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
fn cgroup(path: &str) -> String {
    let mounted = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let below = mounted.iter().find_map(|tree| path.strip_prefix(tree)).unwrap_or(path);
    format!("/{}", below.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_cgroup_may_be_written_as_a_directory() {
        for path in ["/a/b", "a/b/", "/sys/fs/cgroup/a/b", "/sys/fs/cgroup/unified/a/b"] {
            assert_eq!(cgroup(path), "/a/b");
        }
        assert_eq!(cgroup("/"), "/");
    }
}
