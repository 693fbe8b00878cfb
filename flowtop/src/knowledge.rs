//! What is known about the owners of flows: identities of processes, and labels of networks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Usage;
use crate::stderr;
use crate::user_file::{self, MAX_LABELS_BYTES};
use flowtop_attribution::Attribution;
use flowtop_core::column;
use flowtop_core::demo::identities::DemoOwners;
use flowtop_core::filter::Filter;
use flowtop_core::label::Labels;
use flowtop_core::ledger::Ledger;
use flowtop_core::owner::{NoOwners, Owners, WithoutCommands};
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
        if let Some(why) = asks_owner.then(|| flowtop_attribution::why_not(root)).flatten() {
            stderr::print(&format!("flowtop: {why}\n"));
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
    let filters = filter.asks_owner() || filter.asks_pods();
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
